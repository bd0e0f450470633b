/**
 * Step 11 of the journey: a partner says how it stands, or a navigator records what was said on the phone, and the handover
 * moves exactly as the table of `domain/handover.ts` allows.
 */
import type { Task } from '@medplum/fhirtypes'
import type { Caller, Request } from '../access/caller.ts'
import { allowed } from '../access/caller.ts'
import { type HandoverState, move } from '../domain/handover.ts'
import { staysHeld } from '../domain/hold.ts'
import { type Issue, Refusal, refuse } from '../fhir/outcome.ts'
import { patched } from '../fhir/patch.ts'
import { ours } from '../fhir/systems.ts'
import { validate } from '../fhir/validate.ts'
import { readResource, type Stored } from '../store/resources.ts'
import { amend } from './amend.ts'
import { actorOf, type Change } from './change.ts'
import type { Answer, Exchange } from './exchange.ts'
import { fingerprintOf, once } from './once.ts'
import type { Interaction } from './receive.ts'
import { serviceShelf } from './situation.ts'
import { onHold, stood } from './suspend.ts'
import { heldBecause, inState, isHandover, ownerOf, stateOf } from './task.ts'

/** What somebody says of a handover. */
export type Said = { status?: string; businessStatus?: string; reason?: Task['statusReason']; output?: Task['output']; note?: Task['note'] }

/** PATCH or PUT of a Task, on the caller's own shelf. */
export async function answerTask(exchange: Exchange, request: Request, interaction: Interaction): Promise<Answer> {
  const { caller } = request
  if (caller.role === 'referrer' || !allowed(caller, 'Task', 'u'))
    throw refuse(403, 'forbidden', 'The granted scopes do not allow this.', 'Task')
  const print = () => fingerprintOf(interaction.method, 'Task', interaction.id, interaction.body)
  return once(exchange, request, print, async (inbox) => {
    const present = await readResource(exchange.database, caller.shelf, 'Task', interaction.id as string)
    if (!present?.body || !present.patient) throw refuse(404, 'not-found', 'There is no such Task here.', 'Task')
    const after = await amend(
      exchange,
      present.patient,
      actorOf(request),
      (change) => {
        const now = onShelf(change, caller, interaction.id as string)
        if (interaction.ifMatch !== undefined && Number(interaction.ifMatch) !== now.version)
          throw refuse(412, 'conflict', 'The Task has changed since the version named in If-Match.', 'Task')
        const said =
          interaction.method === 'PATCH' ? byPatch(now.body as Task, interaction.body) : byBody(now.body as Task, interaction.body)
        moveHandover(change, interaction.id as string, said, caller)
        // Read once the plan has been looked at again: that is what puts the Task on its partner's shelf.
        return () => taskAnswer(change, caller, interaction.id as string)
      },
      (answer) => inbox(answer()),
    )
    if (!after) throw refuse(404, 'not-found', 'There is no such Task here.', 'Task')
    return after()
  })
}

/**
 * Moves a handover as `caller` says; a partner speaks for itself, a service for its navigator or, by phone, for the partner.
 *
 * @throws Refusal 422 naming the moves that are open, when this one is not
 */
export function moveHandover(change: Change, taskId: string, said: Said, caller: Pick<Caller, 'role' | 'client'>): Task {
  const { situation } = change
  const task = situation.record.get(`Task/${taskId}`)?.body as Task | undefined
  if (!task || !isHandover(task)) throw refuse(404, 'not-found', 'There is no such handover here.', 'Task')
  const partner = situation.directory.partners.get(task.owner?.reference?.replace('Organization/', '') as string)
  const closesWith = (partner && situation.adapters.get(partner.kind)?.closesWith) ?? []
  // What is on hold for custody goes on later; what is said of it meanwhile is said of where it stood.
  const held = stood(task)
  const present = held?.state ?? stateOf(task)
  const wanted = {
    ...(said.status ? { status: said.status } : {}),
    ...(said.businessStatus ? { businessStatus: said.businessStatus } : {}),
    ...(said.reason
      ? {
          reason: {
            ...(said.reason.coding?.[0]?.code ? { code: said.reason.coding[0].code } : {}),
            ...(said.reason.text ? { text: said.reason.text } : {}),
          },
        }
      : {}),
  } as Parameters<typeof move>[1]
  const actors = caller.role === 'partner' ? (['recipient'] as const) : (['navigator', 'recipient'] as const)
  let refused: Issue | undefined
  for (const actor of actors) {
    const result = move(present, wanted, actor, closesWith)
    if ('refused' in result) {
      refused ??= { code: 'business-rule', text: `${result.refused} ${openMoves(result.allowed)}`, expression: 'Task.status' }
      continue
    }
    const at = situation.now.toISOString()
    const moved: Task = {
      ...(held && staysHeld(result.next)
        ? onHold(task, { state: result.next, ...(said.reason ? { reason: said.reason } : {}) }, heldBecause(task), at)
        : inState(task, result.next, at, said.reason)),
      ...(said.output ? { output: said.output } : {}),
      ...(said.note ? { note: said.note } : {}),
    }
    change.put(serviceShelf(situation.service.id), withAllNotes(moved, task, caller))
    if (caller.role === 'partner') keepOwnWords(change, moved)
    const because = said.reason?.coding?.find(({ system }) => system === ours('rejection-reason'))?.code
    const detail = { from: present, to: result.next, by: actor, partner: ownerOf(task), ...(because ? { because } : {}) }
    change.audit({ action: 'answer', entity: `Task/${taskId}`, detail: JSON.stringify(detail) })
    return moved
  }
  throw new Refusal(422, refused as Issue)
}

/** A partner sees, and so sends, no notes but its own: those of the service stay. */
function withAllNotes(moved: Task, before: Task, { role }: Pick<Caller, 'role'>): Task {
  if (role !== 'partner' || moved.note === before.note) return moved
  const said = new Set(moved.note?.map((one) => JSON.stringify(one)))
  return { ...moved, note: [...(before.note ?? []).filter((one) => !said.has(JSON.stringify(one))), ...(moved.note ?? [])] }
}

/** What a partner says of its Task it reads back (see `partnersView`). */
function keepOwnWords({ situation, put }: Change, { id, note, output, statusReason }: Task): void {
  const owner = [...situation.told.values()].find(
    ({ shelf, body }) => shelf.startsWith('partner:') && body?.resourceType === 'Task' && body.id === id,
  )
  if (!owner?.body) return
  const { note: _n, output: _o, statusReason: _r, ...rest } = owner.body as Task
  const words = { ...(note ? { note } : {}), ...(output ? { output } : {}), ...(statusReason ? { statusReason } : {}) }
  put(owner.shelf, { ...rest, ...words }, owner.basis)
}

const openMoves = (moves: readonly Partial<HandoverState>[]): string =>
  moves.length
    ? `Open from here: ${moves.map(({ status, businessStatus }) => [status, businessStatus].filter(Boolean).join(' as ')).join(', ')}.`
    : 'It is final.'

function onShelf({ situation }: Change, caller: Caller, id: string): Stored {
  const stored = caller.role === 'partner' ? situation.told.get(`${caller.shelf} Task/${id}`) : situation.record.get(`Task/${id}`)
  if (!stored?.body) throw refuse(404, 'not-found', 'There is no such Task here.', 'Task')
  return stored
}

function taskAnswer(change: Change, caller: Caller, id: string): Answer {
  const stored = onShelf(change, caller, id)
  return {
    status: 200,
    headers: { etag: `W/"${stored.version}"`, 'last-modified': new Date(stored.lastUpdated).toUTCString() },
    body: stored.body as Task,
  }
}

const byPatch = (present: Task, operations: unknown): Said => byBody(present, patched(present, operations))

/** What differs between the Task as it stands and as it is sent; anything but status, reason, output and note must be as it was. */
function byBody(present: Task, body: unknown): Said {
  const checked = validate(body, 'Task')
  if ('issues' in checked) throw new Refusal(422, checked.issues)
  const wanted = checked.resource as Task
  if (wanted.resourceType !== 'Task') throw refuse(400, 'invalid', 'The resource is of another type than the address says.', 'Task')
  const fixed = (task: Task) => {
    const { status: _s, businessStatus: _b, statusReason: _r, output: _o, note: _n, meta: _m, lastModified: _l, text: _t, ...rest } = task
    return JSON.stringify(rest, Object.keys(flat(rest)).sort())
  }
  if (fixed(present) !== fixed(wanted))
    throw refuse(422, 'business-rule', 'Of a handover only status, businessStatus, statusReason, output and note are changed.', 'Task')
  const was = stateOf(present)
  const now = stateOf(wanted)
  const changed = {
    ...(now.status === was.status ? {} : { status: now.status }),
    ...(now.businessStatus === was.businessStatus || !now.businessStatus ? {} : { businessStatus: now.businessStatus }),
  }
  if (wanted.businessStatus && !wanted.businessStatus.coding?.some(({ system }) => system === ours('handover-status'))) {
    throw refuse(422, 'code-invalid', 'businessStatus is a code of the handover-status code system.', 'Task.businessStatus')
  }
  return {
    ...changed,
    ...(wanted.statusReason ? { reason: wanted.statusReason } : {}),
    ...(wanted.output ? { output: wanted.output } : {}),
    ...(wanted.note ? { note: wanted.note } : {}),
  }
}

/** Every key anywhere inside, for a JSON text that does not depend on their order. */
function flat(node: unknown, keys: Record<string, true> = {}): Record<string, true> {
  if (typeof node === 'object' && node !== null) {
    for (const [key, value] of Object.entries(node)) {
      if (!Array.isArray(node)) keys[key] = true
      flat(value, keys)
    }
  }
  return keys
}
