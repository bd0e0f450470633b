/**
 * Whether somebody else has taken the person on: another RECONNECT service or the Enhanced RECONNECT team, by accepting what they were
 * asked. Until then the service stays responsible (reconnect.md P9; closed-loop.md C1 rows 13 and 19).
 */
import { stretchOf } from '../domain/calendar.ts'
import type { Closure } from '../domain/outcomes.ts'
import { type Situation, tasksOf } from './situation.ts'
import { isHandover, ownerOf, stateOf } from './task.ts'

const takesOver: Readonly<Record<string, Closure & ('transferred' | 'stepped-up')>> = {
  'reconnect-service': 'transferred',
  'enhanced-reconnect': 'stepped-up',
}
/** Accepted, or further on. A hold for custody says nothing of whether it was accepted. */
const accepted = /^(accepted|in-progress|completed)$/

/** @param referredOn `authoredOn` of the referral: what was accepted before it was for an earlier one */
export function takenOver(situation: Situation, referredOn: string | undefined): 'transferred' | 'stepped-up' | undefined {
  const since = stretchOf(referredOn)?.from ?? -Infinity
  for (const task of tasksOf(situation)) {
    if (Date.parse(task.authoredOn as string) < since) continue
    const ending = takesOver[situation.directory.partners.get(ownerOf(task))?.kind ?? '']
    if (ending && isHandover(task) && accepted.test(stateOf(task).status)) return ending
  }
  return undefined
}
