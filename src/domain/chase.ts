/**
 * Who is chased, when and by whom (domain/closed-loop.md C2, row 20): a reminder to the partner, then a person who phones, then the
 * supervisor. Pure: where a handover stands, the days that matter, now; what is to be done now, and when to look again.
 *
 * Nothing here is remembered: whoever looks late, or twice, comes to the same end as whoever looks on time.
 */
import { addDays, addWorkingDays, earliestRelease, endOfDay, startOfDay, today, workingDayBy } from './calendar.ts'
import type { Custody } from './case.ts'
import type { HandoverState, Outcome } from './handover.ts'
import { given } from './resources.ts'

/**
 * How long each kind of waiting is left alone. C2 has the two working days (an adapter's `answerWithinWorkingDays`), two days before
 * release and the release day; 21 days are of substance-misuse.md 4. The rest is ours [INF], no national rule; an adapter may say otherwise.
 */
export const usualPace = {
  /** After the reminder, somebody phones. Ours. */
  phoneAfterWorkingDays: 2,
  /** By then somebody has phoned, whatever the reminder did. C2 row 20. */
  phoneDaysBeforeRelease: 2,
  /** After somebody was asked to phone, the supervisor, when release is far off or unknown; on release day in any case (C2 row 20). Ours. */
  escalateAfterWorkingDays: 10,
  /** The same for somebody who was released before the partner was asked. Ours. */
  escalateOutsideAfterWorkingDays: 2,
  /** By then a partner that accepted has booked an appointment, or a practice has registered; absent: this kind of partner does neither. Ours. */
  readyDaysBeforeRelease: undefined as number | undefined,
  /** Working days left for that once it was accepted, and to book another appointment after one that came to nothing. Ours. */
  readyWithinWorkingDays: 2,
  /** After release, and of silence, before somebody asks how it ended. 21: substance-misuse.md 4; 14 is ours. */
  outcomeDaysAfterRelease: 21,
  quietDays: 14,
  /** Before that, the partner is reminded. Ours. */
  outcomeReminderWorkingDays: 2,
  /** After a missed or cancelled appointment with no other, the supervisor. Ours. */
  missedWorkingDays: 5,
  /** To confirm that it stopped. C2 row 18. */
  confirmStopWorkingDays: 5,
}
export type Pace = typeof usualPace

export type Waiting = HandoverState & {
  /** Instants: since when it stands as it does, when the partner was asked, by when it was to answer. */
  since: string
  asked: string
  answerBy: string
  /** When the partner was reminded. */
  reminded: readonly string[]
  closesWith: readonly Outcome[]
}

/** `release`: the expected or actual day; `earliest`: the first on which they may walk out; `now` an instant. */
export type Days = { now: string; release?: string; earliest?: string }

/** The day, and the first on which they may walk out; neither where nobody knows. */
export function releaseDays(custody: Custody | undefined): Omit<Days, 'now'> {
  const { left, releaseDate, basis, releaseDateType: type, sentencedOn } = custody ?? {}
  const release = left ?? releaseDate
  if (release === undefined) return {}
  const held = { date: release, ...given('basis', basis), ...given('type', type), ...given('sentencedOn', sentencedOn) }
  return { release, earliest: left ?? earliestRelease(held) }
}

/** What a person is asked about: the reason of a work item. */
export type Matter =
  | 'not-arrived'
  | 'no-answer'
  | 'not-accepted'
  | 'not-booked'
  | 'did-not-attend'
  | 'appointment-cancelled'
  | 'no-outcome'
  | 'not-registered'
  | 'cancellation-unconfirmed'
  | 'awaiting-information'

export type Step = {
  /** The partner is owed a reminder now. */
  remind: boolean
  /** Somebody is asked now: the named worker, or once that did not help the supervisor. */
  ask?: { matter: Matter; of: 'worker' | 'supervisor' }
  /** Where an unanswered handover stands by now (C2 row 20). */
  chased?: 'chasing' | 'escalated'
  /** When to look again. Absent: there is nothing to wait for, or a person has been asked last. */
  next?: string
}

/** The next step for a handover that is under way; nothing for one that has ended or was not asked yet. */
export function chase(waiting: Waiting, days: Days, pace: Pace = usualPace): Step {
  const { status, businessStatus } = waiting
  if (businessStatus === 'cancellation-requested') {
    const late = stopConfirmedBy(waiting.since, pace)
    return step({ phone: late, escalate: late }, waiting, days, { matter: 'cancellation-unconfirmed' })
  }
  if (status === 'requested' || status === 'received') return unanswered(waiting, days, pace)
  // A person's return is one question for everything that is on hold; the plan asks it.
  if (status === 'on-hold')
    return businessStatus === 'suspended-custody'
      ? { remind: false }
      : step({ phone: waiting.since }, waiting, days, { matter: 'awaiting-information' })
  if (status !== 'accepted' && status !== 'in-progress') return { remind: false }
  const end = unfinished(waiting, days, pace)
  const before =
    businessStatus === 'did-not-attend' || businessStatus === 'appointment-cancelled'
      ? missed(waiting, days, pace)
      : unready(waiting, days, pace)
  if (!before) return end
  // The same question is not taken back from the supervisor.
  const ask = end.ask && !(before.ask?.of === 'supervisor' && before.ask.matter === end.ask.matter) ? end.ask : before.ask
  const next = [before.next, end.next].filter((at) => at !== undefined).sort()[0]
  return { remind: before.remind || end.remind, ...(ask ? { ask } : {}), ...(next ? { next } : {}) }
}

/** The instant from which a partner that was asked to stop has had its time to confirm it (C2 row 18). */
export const stopConfirmedBy = (since: string, { confirmStopWorkingDays }: Pace): string =>
  endOfDay(addWorkingDays(today(new Date(since)), confirmStopWorkingDays))

/** Instants at which each step is due. */
type Times = { remind?: string | undefined; phone: string; escalate?: string | undefined }

/** Whoever looks late takes the newest step only: a partner that somebody has to phone by now is not reminded as well. */
function step(times: Times, { reminded }: Waiting, { now }: Days, { matter, chases }: { matter: Matter; chases?: boolean }): Step {
  const { remind, phone, escalate } = times
  const isDue = (at: string | undefined): at is string => at !== undefined && at <= now
  const of = isDue(escalate) ? 'supervisor' : isDue(phone) ? 'worker' : undefined
  const next = [remind, phone, escalate].filter((at) => at !== undefined && at > now).sort()[0]
  const chased = !chases ? undefined : of === 'supervisor' ? 'escalated' : of || isDue(remind) ? 'chasing' : undefined
  const overtaken = (at: string): boolean => [phone, escalate].some((later) => isDue(later) && later >= at)
  return {
    remind: isDue(remind) && !overtaken(remind) && !reminded.some((at) => at >= remind),
    ...(of ? { ask: { matter, of } } : {}),
    ...(chased ? { chased } : {}),
    ...(next ? { next } : {}),
  }
}

/** Asked, and neither yes nor no. What has not even arrived is not reminded of: the outbox is at it, and near release somebody phones. */
function unanswered(waiting: Waiting, days: Days, pace: Pace): Step {
  const { answerBy, asked, status, businessStatus } = waiting
  const queued = businessStatus === 'queued'
  const { release, earliest = release } = days
  const askedOn = today(new Date(asked))
  const late = endOfDay(addWorkingDays(addDays(today(new Date(answerBy)), -1), pace.phoneAfterWorkingDays))
  const outside = release !== undefined && askedOn > release
  const soon = earliest === undefined || outside ? late : askedBy(earliest, askedOn, pace)
  const phone = soon < late ? soon : late
  const phoneOn = today(new Date(phone))
  const worn = endOfDay(addWorkingDays(phoneOn, outside ? pace.escalateOutsideAfterWorkingDays : pace.escalateAfterWorkingDays))
  const onRelease = earliest === undefined || outside ? worn : latest(lastOffice(earliest), endOfDay(phoneOn))
  const times = { remind: answerBy, phone, escalate: onRelease < worn ? onRelease : worn }
  // Looked at again all the same: by then it may have arrived.
  if (queued) return { ...step(times, waiting, days, { matter: 'not-arrived' }), remind: false }
  return step(times, waiting, days, { matter: status === 'received' ? 'not-accepted' : 'no-answer', chases: true })
}

/**
 * Who is asked about a release that partners may not be told of yet: the named worker at once; the supervisor near the day, or when that
 * did not help. Ours.
 *
 * @param nearest the first day on which the person may walk out, by what partners hold or by what the record says; absent: nobody knows
 */
export function askAboutUntold(
  { since, nearest, now }: { since: string; nearest?: string; now: string },
  pace: Pace = usualPace,
): { of: 'worker' | 'supervisor'; next?: string } {
  const worn = endOfDay(addWorkingDays(today(new Date(since)), pace.phoneAfterWorkingDays))
  const near = nearest === undefined ? worn : lastOffice(addDays(nearest, -pace.phoneDaysBeforeRelease))
  const at = near < worn ? near : worn
  return at <= now ? { of: 'supervisor' } : { of: 'worker', next: at }
}

/** When somebody is at work last before that day is over. */
const lastOffice = (day: string): string => startOfDay(workingDayBy(day)).instant

/** Asked in good time: phoned two days before release. Asked later than that: it has the day to answer. */
function askedBy(earliest: string, askedOn: string, { phoneDaysBeforeRelease }: Pace): string {
  const twoDaysBefore = lastOffice(addDays(earliest, -phoneDaysBeforeRelease))
  return startOfDay(askedOn).instant < twoDaysBefore ? twoDaysBefore : endOfDay(askedOn)
}

/** Accepted, and no appointment, or not yet registered, as release comes near. After it, `unfinished` asks. */
function unready(waiting: Waiting, days: Days, pace: Pace): Step | undefined {
  const { businessStatus, since, closesWith } = waiting
  const { release, earliest = release } = days
  const registers = closesWith.includes('registered')
  if (pace.readyDaysBeforeRelease === undefined || earliest === undefined) return undefined
  if (!registers && businessStatus !== 'accepted' && businessStatus !== 'in-progress') return undefined
  const from = today(new Date(since))
  if (registers && from >= earliest) return undefined
  const given = endOfDay(addWorkingDays(from, pace.readyWithinWorkingDays))
  const remind = latest(lastOffice(addDays(earliest, -pace.readyDaysBeforeRelease)), given)
  const phone = latest(lastOffice(addDays(earliest, -pace.phoneDaysBeforeRelease)), remind)
  const escalate = latest(lastOffice(earliest), endOfDay(today(new Date(phone))))
  return step({ remind, phone, escalate }, waiting, days, { matter: registers ? 'not-registered' : 'not-booked' })
}

/** Nobody came, or it was called off: somebody finds out why, at once; then the partner is reminded to book another. */
function missed(waiting: Waiting, days: Days, pace: Pace): Step {
  const { businessStatus, since } = waiting
  const { now: _, release, earliest = release } = days
  const from = today(new Date(since))
  const remind = endOfDay(addWorkingDays(from, pace.readyWithinWorkingDays))
  const worn = endOfDay(addWorkingDays(from, pace.missedWorkingDays))
  const onRelease = earliest === undefined || earliest <= from ? worn : latest(lastOffice(earliest), endOfDay(from))
  const escalate = onRelease < worn ? onRelease : worn
  return step({ remind, phone: since, escalate }, waiting, days, { matter: businessStatus as 'did-not-attend' | 'appointment-cancelled' })
}

/** Accepted, and nobody has said how it ended. */
function unfinished(waiting: Waiting, days: Days, pace: Pace): Step {
  const { since, closesWith } = waiting
  const quiet = startOfDay(today(new Date(since)), pace.quietDays)
  const after = days.release === undefined ? quiet : startOfDay(days.release, pace.outcomeDaysAfterRelease)
  const phone = after.date > quiet.date ? after : quiet
  return step(
    {
      remind: startOfDay(addWorkingDays(phone.date, -pace.outcomeReminderWorkingDays)).instant,
      phone: phone.instant,
      escalate: endOfDay(addWorkingDays(phone.date, pace.escalateAfterWorkingDays)),
    },
    waiting,
    days,
    { matter: closesWith.includes('registered') ? 'not-registered' : 'no-outcome' },
  )
}

const latest = (one: string, other: string): string => (one > other ? one : other)

/** The day by which a kind of partner is to have been asked, `dueDays` before release; from the next, somebody is asked why it was not. */
export function dueBy(release: string, dueDays: number): { day: string; overFrom: string } {
  const day = addDays(release, -dueDays)
  return { day, overFrom: endOfDay(day) }
}
