/**
 * A referral that was redirected goes on somewhere: a Task of the service's own says where, with the owner where the directory has one, until a
 * person has seen that it arrived (closed-loop.md C1 row 7). Nobody else is told anything by it: that needs the person's agreement.
 */
import type { ServiceRequest, Task } from '@medplum/fhirtypes'
import { latestOf } from '../domain/decisions.ts'
import type { Partner, Service } from '../domain/directory.ts'
import { type Destination, destinations, isDestination, onwardMoves, onwardNeedsReason } from '../domain/onward.ts'
import { refuse } from '../fhir/outcome.ts'
import { ours, taskCode, ukCore } from '../fhir/systems.ts'
import { newId } from '../store/random.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import type { Life } from './life.ts'
import type { Said } from './move-handover.ts'
import { answerTo, reasonsOf, signpostOf } from './referral-answer.ts'
import { type Situation, serviceShelf, tasksOf } from './situation.ts'
import { isOnward, onwardId } from './task.ts'

type Place = { code: Destination; owner?: { id: string; name: string } }

/** Part of the plan step. */
export function sendOnward(change: Change, known: Understanding, life: Life): void {
  const { situation } = change
  if (life.phase === 'redirected' && !onwardOf(situation, life.request))
    begin(change, placeFor(situation, known, life.request), life.request)
  for (const task of tasksOf(situation).filter(isOnward)) {
    if (!Object.hasOwn(onwardMoves, task.status)) continue
    const to = task.owner?.display ?? task.code?.text
    const words = `A referral was redirected to ${to}. Speak with the person, see that it arrives there, and then set the Task to completed, or to failed with why.`
    change.ask({ about: `onward:${task.id}`, reason: 'onward', words, task: task.id as string })
  }
}

const onwardOf = (situation: Situation, { id }: ServiceRequest): Task | undefined =>
  tasksOf(situation).find((task) => isOnward(task) && task.focus?.reference === `ServiceRequest/${id}`)

/** As a person said; where the rules redirected, as they did; whose it is, where only one can be meant. */
function placeFor(situation: Situation, known: Understanding, request: ServiceRequest): Place {
  const { partners, services } = situation.directory
  const decision = latestOf(request, 'triage')
  const task = answerTo(situation, request.id as string)
  const said = [decision?.destination, decision?.because, ...(task ? reasonsOf(task) : [])].find(isDestination)
  const code = said ?? 'other'
  const named = decision?.to === undefined ? undefined : (partners.get(decision.to) ?? services.get(decision.to))
  const meant =
    named ?? (code === 'out-of-area' ? coveredBy(situation, known) : code === 'enhanced-reconnect' ? enhanced(situation) : undefined)
  return { code, ...(meant ? { owner: { id: meant.id, name: meant.name } } : {}) }
}

/** Another service of the directory that covers the place the person is in. */
export function coveredBy({ directory, service }: Situation, { case: found }: Understanding): Service | undefined {
  const place = found?.custody?.establishment?.code?.toUpperCase()
  return place === undefined
    ? undefined
    : [...directory.services.values()].find(
        ({ id, prisons }) => id !== service.id && prisons.some((prison) => prison.toUpperCase() === place),
      )
}

function enhanced({ directory }: Situation): Partner | undefined {
  const all = [...directory.partners.values()].filter(({ kind, retired }) => kind === 'enhanced-reconnect' && !retired)
  return all.length === 1 ? all[0] : undefined
}

function begin(change: Change, { code, owner }: Place, request: ServiceRequest): void {
  const { situation } = change
  const at = situation.now.toISOString()
  const { words } = destinations[code]
  const answer = answerTo(situation, request.id as string)
  const signpost = latestOf(request, 'triage')?.signpost ?? (answer && signpostOf(answer))
  const task: Task = {
    resourceType: 'Task',
    id: newId(),
    meta: { profile: [ukCore('UKCore-Task')] },
    identifier: [{ system: onwardId, value: request.id as string }],
    status: 'requested',
    intent: 'order',
    code: {
      coding: [
        { system: taskCode, code: 'fulfill' },
        { system: ours('onward-destination'), code, display: words },
      ],
      text: words,
    },
    ...(signpost ? { description: signpost } : {}),
    focus: { reference: `ServiceRequest/${request.id}` },
    for: { reference: `Patient/${situation.patient}` },
    authoredOn: at,
    lastModified: at,
    requester: { reference: `Organization/${situation.service.id}` },
    ...(owner ? { owner: { reference: `Organization/${owner.id}`, display: owner.name } } : {}),
  }
  const { version } = change.put(serviceShelf(situation.service.id), task)
  change.audit({ action: 'create', entity: `Task/${task.id}/_history/${version}` })
}

/** @throws Refusal 422 for a move that is none, or one that does not say why */
export function moveOnward(change: Change, task: Task, { status, reason, note }: Said): void {
  const open = onwardMoves[task.status] ?? []
  if (status === undefined || !open.includes(status)) {
    const moves = open.length ? `Open from here: ${open.join(', ')}.` : 'It is final.'
    throw refuse(422, 'business-rule', `A referral that was redirected can not be moved so. ${moves}`, 'Task.status')
  }
  if (onwardNeedsReason.has(status) && !reason?.text) throw refuse(422, 'required', 'Say why, in words.', 'Task.statusReason')
  const { statusReason: _was, ...rest } = task
  const { situation } = change
  const { version } = change.put(serviceShelf(situation.service.id), {
    ...rest,
    status: status as Task['status'],
    ...(reason ? { statusReason: reason } : {}),
    ...(note ? { note } : {}),
    lastModified: situation.now.toISOString(),
  })
  change.audit({ action: 'update', entity: `Task/${task.id}/_history/${version}` })
}
