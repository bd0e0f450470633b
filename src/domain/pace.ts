/**
 * How long things are left alone in the life of a case where nobody outside says so: ours, no rule of NHS England (service-facts.md 6;
 * closed-loop.md C1, whose days are proposals too). One page, so that a service that works to other days finds them all. What is the
 * field's own (84, 28 and 21 days, six months) stands in `calendar.ts`; how partners are chased in `chase.ts`.
 */
export const pace = {
  /** Asked for information, the referrer is reminded after so many working days (C1 row 3). */
  remindReferrerWorkingDays: 5,
  /** After the reminder it has so many more; then the referral ends for want of information, unless a person holds it open. */
  endUnansweredWorkingDays: 10,
  /** Two contacts are to have been offered so many days before release. */
  contactsDaysBeforeRelease: 14,
  /** Told of a release with less time than this, nobody can be asked for two contacts before it. */
  shortNoticeWorkingDays: 5,
  /** A release that may come early is pointed out so many working days before the earliest day. */
  warnOfEarlyReleaseWorkingDays: 5,
  /** Partners have been asked so many days before release. */
  partnersAskedDaysBeforeRelease: 14,
  /** The end of support is looked at so many days before it comes. */
  reviewEndDaysBefore: 28,
  /** How long probation's word on a high risk of harm counts as a ground for Enhanced RECONNECT. */
  riskCountsMonths: 12,
  /** When the named worker looks at how somebody is doing after release. */
  reviews: [
    ['day-after', { days: 1 }],
    ['week', { days: 7 }],
    ['three-weeks', { days: 21 }],
    ['six-weeks', { days: 42 }],
    ['three-months', { months: 3 }],
  ],
} as const
