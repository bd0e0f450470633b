/**
 * A referrer was asked for information and has not said it (closed-loop.md C1 row 3): it is reminded, then the referral ends. A person
 * may hold it open until a day of their own. Nothing is remembered: whoever looks late comes to the same end.
 */
import { addWorkingDays, endOfDay, today } from './calendar.ts'
import { pace } from './pace.ts'

export type Asking = {
  /** Instants: when it is reminded, and when it is over. */
  remindAt: string
  endsAt: string
  step: 'waiting' | 'reminded' | 'over'
  /** When to look again. */
  next?: string
}

/**
 * @param asked instant at which it was asked what it is asked now
 * @param heldUntil London date until which a person keeps it open
 * @param now instant
 */
export function askingSince(asked: string, heldUntil: string | undefined, now: string): Asking {
  const remindOn = addWorkingDays(today(new Date(asked)), pace.remindReferrerWorkingDays)
  const remindAt = endOfDay(remindOn)
  const endsAt = endOfDay(heldUntil ?? addWorkingDays(remindOn, pace.endUnansweredWorkingDays))
  if (now >= endsAt) return { remindAt, endsAt, step: 'over' }
  if (now >= remindAt) return { remindAt, endsAt, step: 'reminded', next: endsAt }
  return { remindAt, endsAt, step: 'waiting', next: remindAt < endsAt ? remindAt : endsAt }
}
