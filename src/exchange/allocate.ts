/**
 * `ServiceRequest/{id}/$allocate`: names the person's worker. There is one at a time; whoever was it before is so no longer, and stays on
 * record in the care team with the day it ended.
 *
 * @see domain/reconnect.md A3; closed-loop.md C1 row 11, C7.4
 */
import type { CareTeam, PractitionerRole } from '@medplum/fhirtypes'
import type { Request } from '../access/caller.ts'
import { isNamedWorker, isOfUse } from '../domain/named-worker.ts'
import { type Issue, Refusal } from '../fhir/outcome.ts'
import { ours } from '../fhir/systems.ts'
import { newId } from '../store/random.ts'
import type { Stored } from '../store/resources.ts'
import type { Change } from './change.ts'
import type { Answer, Exchange } from './exchange.ts'
import { mustBeIn, onReferral } from './on-referral.ts'
import { fault, pathOf, reader } from './parameters.ts'
import { ofType, resourcesOf, serviceShelf, workersOf } from './situation.ts'

export function allocateWorker(exchange: Exchange, request: Request, id: string, body: unknown): Promise<Answer> {
  const said = workerSaid(body)
  return onReferral(exchange, request, 'allocate', id, body, async (change, { phase }) => {
    mustBeIn(phase, ['triage', 'consent-pending', 'accepted', 'pre-release', 'post-release', 'suspended', 'extended'])
    const team = withWorker(change, said.worker)
    for (const worker of await knownWorkers(exchange, change, team, said.worker))
      change.situation.record.set(`${worker.type}/${worker.id}`, worker)
    const stored = change.put(serviceShelf(change.situation.service.id), team)
    const detail = { referral: `ServiceRequest/${id}`, worker: said.worker }
    change.audit({ action: 'allocate', entity: `CareTeam/${team.id}/_history/${stored.version}`, detail: JSON.stringify(detail) })
  })
}

function workerSaid(body: unknown) {
  const { issues, one, someone } = reader(body)
  const worker = one('worker')?.valueReference?.reference
  if (typeof worker !== 'string' || !/^Practitioner(Role)?\/[A-Za-z0-9.-]{1,64}$/.test(worker))
    issues.push(fault('worker', 'Name the worker by a reference to a PractitionerRole (or Practitioner) of the service.'))
  const by = someone('by')
  if (issues.length) throw new Refusal(422, issues)
  return { worker: worker as string, by }
}

/** The care team with this worker in place of the one it had; in any other team nobody is the named worker any more. */
function withWorker({ situation, put }: Change, reference: string): CareTeam {
  const teams = ofType(resourcesOf(situation.record), 'CareTeam').filter(isOfUse)
  const team = teams.find(({ participant }) => participant?.some(isNamedWorker)) ?? teams[0]
  const at = situation.now.toISOString()
  for (const other of teams)
    if (other !== team && other.participant?.some(isNamedWorker))
      put(serviceShelf(situation.service.id), { ...other, participant: ended(other.participant, at) })
  const parts = team?.participant ?? []
  const stays = parts.find((one) => one.member?.reference === reference && isNow(one, at))
  const before = ended(
    parts.filter((one) => one !== stays),
    at,
  )
  const { end: _until, ...since } = stays?.period ?? { start: at }
  const role = [{ coding: [{ system: ours('team-role'), code: 'named-worker' }] }]
  return {
    ...(team ?? { resourceType: 'CareTeam', id: newId(), status: 'active', subject: { reference: `Patient/${situation.patient}` } }),
    participant: [...before, { role, ...stays, member: { ...stays?.member, reference }, period: since }],
  }
}

type Participants = NonNullable<CareTeam['participant']>
const isNow = (one: Participants[number], at: string): boolean =>
  isNamedWorker(one) && (one.period?.start ?? '') <= at && (one.period?.end ?? '9999') > at

/** The part of every named worker is over; what was to begin later is no longer to. */
const ended = (participant: Participants, at: string): Participants =>
  participant
    .filter((one) => !isNamedWorker(one) || (one.period?.start ?? '') <= at)
    .map((one) => (isNow(one, at) ? { ...one, period: { ...one.period, end: at } } : one))

/** @throws Refusal 422 when the service has no such worker, or one who works here no longer */
async function knownWorkers(exchange: Exchange, { situation }: Change, team: CareTeam, reference: string): Promise<Stored[]> {
  const workers = await workersOf(exchange, serviceShelf(situation.service.id), [team])
  const found = workers.find(({ type, id }) => `${type}/${id}` === reference)?.body
  const gone = found?.resourceType === 'PractitionerRole' && (found as PractitionerRole).active === false
  const refused = (text: string): Issue => ({ code: 'business-rule', text, expression: pathOf('worker') })
  if (!found) throw new Refusal(422, refused('The service has no such worker.'))
  if (gone) throw new Refusal(422, refused('This worker is no longer active in the service.'))
  return workers
}
