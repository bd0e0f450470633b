/**
 * Nothing waits without a timer or a work item (promise 6): for each handover, when somebody looks again, or who looks now.
 */
import type { Task } from '@medplum/fhirtypes'
import { addWorkingDays, endOfDay, startOfDay, today } from '../domain/calendar.ts'
import { isOpen } from '../domain/handover.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import { serviceShelf } from './situation.ts'
import { inState, ownerOf, stateOf } from './task.ts'

/** Days after release, and of silence, after which an accepted handover without an outcome is asked about (substance-misuse.md 4). */
const outcomeByDays = 21
const quietDays = 14
/** Working days a partner has to confirm that it stopped (closed-loop.md C2 row 18). */
const confirmStopWithinDays = 5

/** @param planned the plan still asks this of this partner */
export function waitFor(change: Change, known: Understanding, task: Task, planned: boolean): void {
  const { situation } = change
  const { status, businessStatus } = stateOf(task)
  const name = situation.directory.partners.get(ownerOf(task))?.name ?? ownerOf(task)
  const now = situation.now.toISOString()
  if (status === 'rejected' || status === 'failed') {
    if (planned)
      ask(change, task, 'replace', `${name} can not help. Name another partner in the plan, or record why there is no alternative.`)
    return
  }
  if (!isOpen(status) || status === 'draft') return
  if (businessStatus === 'cancellation-requested') {
    const until = endOfDay(addWorkingDays(today(new Date(task.lastModified as string)), confirmStopWithinDays))
    if (until > now) change.wait(`cancel:${task.id}`, until)
    else
      ask(change, task, 'cancellation-unconfirmed', `${name} was asked to stop five working days ago and has not confirmed. Speak to them.`)
    return
  }
  if (status === 'requested' || status === 'received') {
    const by = task.restriction?.period?.end as string
    if (by > now) change.wait(`answer:${task.id}`, by)
    else {
      // What has not arrived is retried by the outbox, which asks a person itself when it gives up.
      if (businessStatus === 'queued') return
      if (businessStatus !== 'chasing') moveTo(change, task, status, 'chasing')
      ask(change, task, 'no-answer', `${name} has not answered. Phone them and record what they say.`)
    }
    return
  }
  // The person's return is one question for everything that is on hold; the plan asks it.
  if (businessStatus === 'suspended-custody') return
  if (status === 'on-hold') ask(change, task, 'awaiting-information', `${name} asked for more information before going on.`)
  const release = known.case?.custody?.left ?? known.case?.custody?.releaseDate
  const quiet = startOfDay(today(new Date(task.lastModified as string)), quietDays).instant
  const until = [quiet, ...(release ? [startOfDay(release, outcomeByDays).instant] : [])].sort().at(-1) as string
  if (until > now) change.wait(`outcome:${task.id}`, until)
  else ask(change, task, 'no-outcome', `${name} accepted, and has not said how it ended. Ask whether the person was seen.`)
}

/** The exchange's own moves on the service's shelf. */
export function moveTo(change: Change, task: Task, status: Task['status'] & string, businessStatus: string, why?: string): Task {
  const moved = inState(task, { status, businessStatus } as never, change.situation.now.toISOString(), why ? { text: why } : undefined)
  change.put(serviceShelf(change.situation.service.id), moved)
  return moved
}

/** A question about a handover, open until it no longer has to be asked. */
export const ask = (change: Change, task: Task, reason: string, words: string): void =>
  change.ask({ about: `${reason}:${task.id}`, reason, words, task: task.id as string })
