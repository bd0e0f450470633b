/**
 * Whether somebody else has taken the person on: another RECONNECT service or the Enhanced RECONNECT team, by accepting what they were
 * asked. Until then the service stays responsible (reconnect.md P9; closed-loop.md C1 rows 13 and 19); and a person who is handed back
 * is nobody's until somebody looks.
 */
import type { ServiceRequest, Task } from '@medplum/fhirtypes'
import { stretchOf } from '../domain/calendar.ts'
import { phaseOn } from '../domain/decisions.ts'
import { isFinal } from '../domain/lifecycle.ts'
import type { Closure } from '../domain/outcomes.ts'
import { suspensionOf } from '../domain/returned.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import { type Situation, tasksOf } from './situation.ts'
import { stood } from './suspend.ts'
import { isHandover, ownerOf, stateOf } from './task.ts'

type HandedOn = Closure & ('transferred' | 'stepped-up')
const takesOver: Readonly<Record<string, HandedOn>> = { 'reconnect-service': 'transferred', 'enhanced-reconnect': 'stepped-up' }

/** Does accepting take the person over, for this kind of partner? */
export const mayTakeOver = (kind: string | undefined): boolean => kind !== undefined && Object.hasOwn(takesOver, kind)

/** The kind of partner a referral goes on to when it ends so. */
export const kindFor = (ending: string): string | undefined => Object.entries(takesOver).find(([, one]) => one === ending)?.[0]

const endingOf = ({ directory }: Situation, task: Task): HandedOn | undefined =>
  isHandover(task) ? takesOver[directory.partners.get(ownerOf(task))?.kind ?? ''] : undefined

/** Accepted, or further on; a partner that waits for information has accepted before. */
export function hasAccepted(task: Task): boolean {
  const { status } = stood(task)?.state ?? stateOf(task)
  return /^(accepted|in-progress|on-hold|completed)$/.test(status)
}

/** Who took the person on. While what was asked is on hold for custody, the service keeps them (C1 row 14). */
export function takenOver(
  situation: Situation,
  found: Understanding['case'],
  referredOn = found?.referral?.authoredOn,
): HandedOn | undefined {
  if (suspensionOf(found?.custody)) return undefined
  const since = stretchOf(referredOn)?.from ?? -Infinity
  for (const task of tasksOf(situation)) {
    // What was accepted before this referral was for an earlier one.
    if (Date.parse(task.authoredOn as string) < since) continue
    const ending = endingOf(situation, task)
    if (ending && hasAccepted(task)) return ending
  }
  return undefined
}

/** As it stands on the referral, whatever became of the handover since: final is never left. */
export function handedOn(situation: Situation, found: Understanding['case']): HandedOn | undefined {
  const referral = situation.record.get(`ServiceRequest/${found?.referral?.id}`)?.body as ServiceRequest | undefined
  const phase = referral && phaseOn(referral)
  if (phase === 'transferred' || phase === 'stepped-up') return phase
  // What ended in another way has ended: whoever accepts afterwards takes nobody over.
  return phase && isFinal(phase) ? undefined : takenOver(situation, found)
}

/** Whoever took the person over can not go on with them. This referral is over: without a person nobody would notice. */
export function askAboutHandedBack(change: Change, { case: found }: Understanding): void {
  const { situation } = change
  const ending = handedOn(situation, found)
  const about = `handed-back:${found?.referral?.id}`
  if (!ending || situation.left.has(about)) return
  const tasks = tasksOf(situation).filter((task) => endingOf(situation, task) === ending)
  const lost = tasks.findLast(({ status }) => status === 'rejected' || status === 'failed')
  if (!lost || tasks.some(hasAccepted)) return
  const name = situation.directory.partners.get(ownerOf(lost))?.name
  change.ask({
    about,
    reason: 'handed-back',
    words: `${name} had taken the person over, and now says that it can not go on. Nobody supports the person: speak with ${name} today. If this service is to go on, refer the person again.`,
    task: lost.id as string,
  })
}
