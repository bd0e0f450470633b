/**
 * Whether a person's support may end: every goal has an achievement and every handover an outcome, or somebody says why not
 * (domain/closed-loop.md C1 row 16, and below C2). A handover that was rejected or failed needs another in its place, or an accepted
 * reason why there is none.
 */
import type { Goal } from '@medplum/fhirtypes'
import { isOpen } from './handover.ts'

/** One handover, by what it asks (`activity`), so that another partner's can stand in its place. */
export type Loop = { task: string; partner: string; activity: string; status: string }

/** `activity`: what a handover that hangs loose was for. */
export type Loose = { what: 'goal' | 'open' | 'unreplaced'; ref: string; words: string; activity?: string }

/**
 * @param reasons accepted reasons, by handover: why it may stay open, or why there is no alternative
 * @returns what keeps the support from ending. Empty: it may end
 */
export function looseEnds(goals: readonly Goal[], loops: readonly Loop[], reasons: ReadonlyMap<string, string>): Loose[] {
  return [
    ...goals
      .filter(isUndecided)
      .map(({ id }): Loose => ({ what: 'goal', ref: `Goal/${id}`, words: 'A goal does not say whether it was achieved.' })),
    ...loops
      .filter((one) => !reasons.has(one.task))
      .flatMap((one): Loose[] => {
        const ref = `Task/${one.task}`
        if (isOpen(one.status)) return [{ what: 'open', ref, words: 'A handover is still open and nothing says why it may stay so.' }]
        if (!isLost(one) || isReplaced(one, loops)) return []
        return [
          {
            what: 'unreplaced',
            ref,
            words: 'A handover was rejected or failed, and there is neither another in its place nor a reason.',
            activity: one.activity,
          },
        ]
      }),
  ]
}

const isUndecided = ({ lifecycleStatus, achievementStatus }: Goal): boolean =>
  !/^(proposed|rejected|cancelled|entered-in-error)$/.test(lifecycleStatus) &&
  !achievementStatus?.coding?.some(({ code }) => code) &&
  !achievementStatus?.text?.trim()

const isLost = ({ status }: Loop): boolean => status === 'rejected' || status === 'failed'

/** Another that asks the same; how that one ended is asked of itself. */
const isReplaced = (one: Loop, loops: readonly Loop[]): boolean =>
  loops.some(
    (other) =>
      other !== one && other.activity === one.activity && other.task > one.task && !/^(cancelled|entered-in-error)$/.test(other.status),
  )

/** A rule proposes, a person decides (C6): something was asked for, all of it came to something, and nothing hangs loose. */
export const mayPropose = (goals: readonly Goal[], loops: readonly Loop[], reasons: ReadonlyMap<string, string>): boolean =>
  (goals.length > 0 || loops.some(({ status }) => status === 'completed')) && looseEnds(goals, loops, reasons).length === 0
