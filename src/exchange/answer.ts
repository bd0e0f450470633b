/**
 * Step 11 of the journey: a partner says how it stands, or a navigator records what was said on the phone: by PATCH or PUT of the Task.
 */
import type { Task } from '@medplum/fhirtypes'
import type { Caller, Request } from '../access/caller.ts'
import { allowed } from '../access/caller.ts'
import { Refusal, refuse } from '../fhir/outcome.ts'
import { patched } from '../fhir/patch.ts'
import { ours } from '../fhir/systems.ts'
import { validate } from '../fhir/validate.ts'
import { readResource, type Stored } from '../store/resources.ts'
import { amend } from './amend.ts'
import { actorOf, type Change } from './change.ts'
import type { Answer, Exchange } from './exchange.ts'
import { moveHandover, type Said } from './move-handover.ts'
import { fingerprintOf, once } from './once.ts'
import { moveOnward } from './onward.ts'
import type { Interaction } from './prepare.ts'
import { isOnward, stateOf } from './task.ts'

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
        if (caller.role === 'service' && isOnward(now.body as Task)) moveOnward(change, now.body as Task, said)
        else moveHandover(change, interaction.id as string, said, caller)
        // Read once the plan has been looked at again: that is what puts the Task on its partner's shelf.
        return () => taskAnswer(change, caller, interaction.id as string)
      },
      (answer) => inbox(answer()),
    )
    if (!after) throw refuse(404, 'not-found', 'There is no such Task here.', 'Task')
    return after()
  })
}

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
