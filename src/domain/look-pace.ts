/**
 * How often the prison's dates are looked up although nothing said that they changed: some changes raise no event (hmpps.md 7), and a
 * notification may carry a number nobody here has yet. The nearer the release, the more often. The days are ours.
 */
import { daysBetween } from './calendar.ts'
import type { Custody } from './case.ts'
import { type Phase, underWay } from './lifecycle.ts'

/** `dailyFromDays` before release each day, until then every `everyDays`. */
export type LookPace = { dailyFromDays: number; everyDays: number }
export const usualLookPace: LookPace = { dailyFromDays: 28, everyDays: 7 }

type Where = Pick<Custody, 'releaseDate' | 'left' | 'basis' | 'where'>

/** @returns days until they are looked up again; undefined: the person is out of prison, or nobody here is to know */
export function daysToNextLook(phase: Phase, custody: Where, day: string, pace: LookPace): number | undefined {
  if (!underWay.includes(phase) && phase !== 'held-early') return undefined
  if (custody.left || /^(released|died|immigration)$/.test(custody.where ?? '')) return undefined
  // A court may let somebody on remand go on any day.
  if (custody.basis === 'remand') return 1
  if (!custody.releaseDate) return pace.everyDays
  return Math.min(pace.everyDays, Math.max(1, daysBetween(day, custody.releaseDate) - pace.dailyFromDays))
}
