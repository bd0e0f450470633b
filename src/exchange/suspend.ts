/**
 * Back in custody, at large, or gone to an immigration removal centre: what was asked of a partner is put on hold, and goes on when there
 * is a new release date (closed-loop.md C2 rows 19, 19b, 19c; domain/returned.ts). What never left waits as it is. Where each handover
 * stood, and where the person is other than back, is kept as the reason of the hold.
 */
import type { Task } from '@medplum/fhirtypes'
import { addWorkingDays, endOfDay, today } from '../domain/calendar.ts'
import type { HandoverStatus } from '../domain/handover.ts'
import { mayGoOn, type Suspension } from '../domain/returned.ts'
import { ours } from '../fhir/systems.ts'
import type { Change } from './change.ts'
import type { Considered } from './consider.ts'
import { serviceShelf } from './situation.ts'
import { heldBecause, inState, stateOf } from './task.ts'

const words: Readonly<Record<Suspension, string>> = {
  returned: 'The person is back in custody. This goes on when a new release date is known.',
  'at-large': 'The person is unlawfully at large. This goes on when it is known when they leave custody.',
  immigration: 'The person went to an immigration removal centre or out of the country. This goes on when it is known when they leave.',
}

export const isOnHoldForCustody = (task: Task): boolean => stateOf(task).businessStatus === 'suspended-custody'

/** Gives the handover as it stands then; one that is over, or that its partner was asked to stop, stays as it is. */
export function suspend(change: Change, task: Task, why: Suspension): Task {
  const { status, businessStatus } = stateOf(task)
  if (!/^(requested|received|accepted|in-progress|on-hold)$/.test(status) || businessStatus === 'cancellation-requested') return task
  if (isOnHoldForCustody(task)) return task
  const elsewhere = why === 'returned' ? [] : [{ system: ours('custody-status'), code: why }]
  const reason = { coding: [{ system: ours('handover-status'), code: status }, ...elsewhere], text: words[why] }
  const at = change.situation.now.toISOString()
  const held = inState(task, { status: 'on-hold', businessStatus: 'suspended-custody' }, at, reason)
  change.put(serviceShelf(change.situation.service.id), held)
  return held
}

/** Whoever was at work goes on; whoever had not answered is asked again, with the time they had. */
export function resume(change: Change, { adapter, opens }: Considered, task: Task, custody: Parameters<typeof mayGoOn>[0]): Task {
  if (!isOnHoldForCustody(task) || (heldBecause(task) !== 'returned' && !mayGoOn(custody))) return task
  if (opens) {
    if (opens !== 'unknown') change.wait(`window:${task.id}`, opens)
    return task
  }
  const { situation } = change
  const was = task.statusReason?.coding?.find(({ system }) => system === ours('handover-status'))?.code as HandoverStatus | undefined
  const unanswered = was === 'requested' || was === 'received'
  const state = unanswered
    ? ({ status: 'requested', businessStatus: 'queued' } as const)
    : ({ status: 'in-progress', businessStatus: 'in-progress' } as const)
  const end = endOfDay(addWorkingDays(today(situation.now), adapter.window.answerWithinWorkingDays))
  const going = { ...inState(task, state, situation.now.toISOString()), ...(unanswered ? { restriction: { period: { end } } } : {}) }
  change.put(serviceShelf(situation.service.id), going)
  return going
}
