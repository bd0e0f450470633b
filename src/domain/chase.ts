/**
 * Who is chased, when and by whom (domain/closed-loop.md C2, row 20): a reminder to the partner, then a person who phones, then the
 * supervisor. Pure: where a handover stands, the days that matter, now; what is to be done now, and when to look again.
 *
 * Nothing here is remembered: whoever looks late, or twice, comes to the same end as whoever looks on time.
 */
import { addDays, addWorkingDays, endOfDay, startOfDay, today } from './calendar.ts'
import type { HandoverState, Outcome } from './handover.ts'

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
  /** An appointment is to be booked by then; absent: this kind of partner books none. Ours. */
  bookedDaysBeforeRelease: undefined as number | undefined,
  /** Working days left to book once it was accepted. Ours. */
  bookWithinWorkingDays: 2,
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

/** `release`: the expected or actual day; `now` an instant. */
export type Days = { now: string; release?: string }

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
  if (businessStatus === 'cancellation-requested')
    return step({ phone: endOfDay(addWorkingDays(today(new Date(waiting.since)), pace.confirmStopWorkingDays)) }, waiting, days, {
      matter: 'cancellation-unconfirmed',
    })
  if (status === 'requested' || status === 'received') return unanswered(waiting, days, pace)
  // A person's return is one question for everything that is on hold; the plan asks it.
  if (status === 'on-hold')
    return businessStatus === 'suspended-custody'
      ? { remind: false }
      : step({ phone: waiting.since }, waiting, days, { matter: 'awaiting-information' })
  if (status !== 'accepted' && status !== 'in-progress') return { remind: false }
  const end = unfinished(waiting, days, pace)
  if (end.ask) return end
  const before =
    businessStatus === 'did-not-attend' || businessStatus === 'appointment-cancelled'
      ? missed(waiting, days, pace)
      : unbooked(waiting, days, pace)
  if (!before) return end
  const next = [before.next, end.next].filter((at) => at !== undefined).sort()[0]
  return { ...before, remind: before.remind || end.remind, ...(next ? { next } : {}) }
}

/** Instants at which each step is due. */
type Times = { remind?: string | undefined; phone: string; escalate?: string | undefined }

function step(times: Times, { reminded }: Waiting, { now }: Days, { matter, chases }: { matter: Matter; chases?: boolean }): Step {
  const { remind, phone, escalate } = times
  const isDue = (at: string | undefined): boolean => at !== undefined && at <= now
  const of = isDue(escalate) ? 'supervisor' : isDue(phone) ? 'worker' : undefined
  const next = [remind, phone, escalate].filter((at) => at !== undefined && at > now).sort()[0]
  const chased = !chases ? undefined : of === 'supervisor' ? 'escalated' : of || isDue(remind) ? 'chasing' : undefined
  return {
    remind: isDue(remind) && !reminded.some((at) => at >= (remind as string)),
    ...(of ? { ask: { matter, of } } : {}),
    ...(chased ? { chased } : {}),
    ...(next ? { next } : {}),
  }
}

/** Asked, and neither yes nor no. What has not even arrived is not reminded of: the outbox is at it, and near release somebody phones. */
function unanswered(waiting: Waiting, days: Days, pace: Pace): Step {
  const { answerBy, asked, status, businessStatus } = waiting
  const queued = businessStatus === 'queued'
  const { release } = days
  const askedOn = today(new Date(asked))
  const late = endOfDay(addWorkingDays(addDays(today(new Date(answerBy)), -1), pace.phoneAfterWorkingDays))
  const outside = release !== undefined && askedOn > release
  const soon = release === undefined || outside ? late : askedBy(release, askedOn, pace)
  const phone = soon < late ? soon : late
  const phoneOn = today(new Date(phone))
  const worn = endOfDay(addWorkingDays(phoneOn, outside ? pace.escalateOutsideAfterWorkingDays : pace.escalateAfterWorkingDays))
  const onRelease = release === undefined || outside ? worn : latest(startOfDay(release).instant, endOfDay(phoneOn))
  const times = { remind: answerBy, phone, escalate: onRelease < worn ? onRelease : worn }
  // Looked at again all the same: by then it may have arrived.
  if (queued) return { ...step(times, waiting, days, { matter: 'not-arrived' }), remind: false }
  return step(times, waiting, days, { matter: status === 'received' ? 'not-accepted' : 'no-answer', chases: true })
}

/** Asked in good time: phoned two days before release. Asked later than that: it has the day to answer. */
const askedBy = (release: string, askedOn: string, { phoneDaysBeforeRelease }: Pace): string => {
  const twoDaysBefore = startOfDay(release, -phoneDaysBeforeRelease)
  return askedOn < twoDaysBefore.date ? twoDaysBefore.instant : endOfDay(askedOn)
}

/** Accepted, and no appointment as release comes near. */
function unbooked(waiting: Waiting, days: Days, pace: Pace): Step | undefined {
  const { businessStatus, since } = waiting
  const { release } = days
  if (pace.bookedDaysBeforeRelease === undefined || release === undefined) return undefined
  if (businessStatus !== 'accepted' && businessStatus !== 'in-progress') return undefined
  const given = endOfDay(addWorkingDays(today(new Date(since)), pace.bookWithinWorkingDays))
  const remind = latest(startOfDay(release, -pace.bookedDaysBeforeRelease).instant, given)
  const phone = latest(startOfDay(release, -pace.phoneDaysBeforeRelease).instant, remind)
  const escalate = latest(startOfDay(release).instant, endOfDay(today(new Date(phone))))
  return step({ remind, phone, escalate }, waiting, days, { matter: 'not-booked' })
}

/** Nobody came, or it was called off: somebody finds out why, at once. */
function missed(waiting: Waiting, days: Days, pace: Pace): Step {
  const { businessStatus, since } = waiting
  const escalate = endOfDay(addWorkingDays(today(new Date(since)), pace.missedWorkingDays))
  return step({ phone: since, escalate }, waiting, days, { matter: businessStatus as 'did-not-attend' | 'appointment-cancelled' })
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
