/**
 * Handovers taken back: by the exchange, because the agreement, the plan or the person is no longer there; or by a person, by hand. What
 * never left goes silently; whoever may have received something is owed a notice without content.
 */
import type { Task } from '@medplum/fhirtypes'
import { isOpen } from '../domain/handover.ts'
import type { Standing } from '../store/owed.ts'
import type { Change } from './change.ts'
import { serviceShelf } from './situation.ts'
import { isByHand, ownerOf, stateOf, unmarkByHand } from './task.ts'
import { tellToStop } from './tell.ts'
import { moveTo } from './wait.ts'

/** `ended`: as it should, so that what was done stays done. `handedOn`: to another service, so that what partners are at goes on. */
export type Over = { why: string; ended?: true; handedOn?: true }

export function recall(change: Change, task: Task, { why, ended }: Over): void {
  const { status, businessStatus } = stateOf(task)
  if (!isOpen(status) && status !== 'completed') return
  let taken = task
  if (status === 'draft' || status === 'requested') taken = moveTo(change, task, 'cancelled', 'recalled-message', why)
  else if (isOpen(status) && businessStatus !== 'cancellation-requested')
    taken = moveTo(change, task, status, 'cancellation-requested', why)
  if (taken !== task)
    change.audit({ action: 'recall', entity: `Task/${task.id}`, recipient: ownerOf(task), detail: JSON.stringify({ because: why }) })
  stop(change, taken, why, ended && status === 'completed' ? 'completed' : 'revoked')
}

/**
 * What a person took back or marked as made in error is told like any other; once the plan no longer asks for it, it is as if the
 * exchange had taken it back, so that the plan may ask anew.
 */
export function followHand(change: Change, task: Task, planned: boolean): void {
  if (!isByHand(task)) return
  stop(change, task, 'taken back by hand', 'revoked')
  if (!planned && !isOpen(task.status)) change.put(serviceShelf(change.situation.service.id), unmarkByHand(task))
}

/** Nothing more leaves but the notice, to whom something may have reached. */
function stop(change: Change, task: Task, why: string, status: 'revoked' | 'completed'): void {
  const history = historyOf(change, task)
  const reached = history.some((row) => row.state === 'delivered' || row.attempts > 0)
  const toldToStop = history.some(isNotice)
  sendNothingMore(change, task, `taken back: ${why}`)
  if (reached && !toldToStop) tellToStop(change, task, status)
}

/** What still waits to be sent was written before the handover ended. */
export function sendNothingMore(change: Change, task: Task, note: string): void {
  for (const row of historyOf(change, task)) if (/^(due|sending|parked)$/.test(row.state) && !isNotice(row)) change.void(row, note)
}

const historyOf = ({ situation }: Change, { id }: Task): Standing[] => situation.owed.filter(({ task }) => task === id)
const isNotice = ({ reason }: Standing): boolean => reason === 'revoke' || reason === 'end'
