/**
 * Step 4 of the journey: what a service hands in is kept, together with everything that follows from it, in one commit.
 *
 * One interaction (`write`) and many (`transact` in bundle.ts) go the same way: prepare, read the people concerned, apply,
 * plan, commit. Somebody was faster: all of it again, on what is so now.
 */
import type { Resource } from '@medplum/fhirtypes'
import type { Request } from '../access/caller.ts'
import { informantOf } from '../domain/informant.ts'
import { refuse } from '../fhir/outcome.ts'
import { recordAudit } from '../store/audit.ts'
import type { Statement } from '../store/database.ts'
import { newId } from '../store/random.ts'
import { createResource, type Stored, updateResource } from '../store/resources.ts'
import { commit, isRace, lookAgain } from './amend.ts'
import { answerTask } from './answer.ts'
import { actorOf, type Change } from './change.ts'
import type { Answer, Exchange } from './exchange.ts'
import { fingerprintOf, once } from './once.ts'
import { mustBeProper } from './own-word.ts'
import { type Interaction, type Prepared, prepare } from './prepare.ts'
import { newSituation, resourcesOf, type Situation, serviceShelf, situationOf, workersOf } from './situation.ts'
import { isWorker, lookedAfterBy, lookSoon } from './workers.ts'

/** What one interaction came to. */
export type Done = { status: number; stored?: Stored | undefined; interaction: Interaction }

const attempts = 20

export async function write(exchange: Exchange, request: Request, interaction: Interaction): Promise<Answer> {
  if (interaction.type === 'Task' && (interaction.method === 'PUT' || interaction.method === 'PATCH'))
    return answerTask(exchange, request, interaction)
  if (request.caller.role !== 'service')
    throw refuse(403, 'forbidden', 'This client may answer its Tasks and read; it may not write anything else.')
  const print = () => fingerprintOf(interaction.method, interaction.type, interaction.id, interaction.body)
  return once(exchange, request, print, async (inbox) => {
    const [done] = await keep(exchange, request, [interaction], (results) => inbox(answerOf(exchange, results[0] as Done)))
    return answerOf(exchange, done as Done)
  })
}

/** All of them or none. `alongside` goes into the same commit. */
export async function keep(
  exchange: Exchange,
  request: Request,
  interactions: Interaction[],
  alongside: (done: Done[]) => Statement[],
): Promise<Done[]> {
  const service = exchange.directory().services.get(request.caller.service as string)
  if (!service) throw refuse(403, 'forbidden', 'This client belongs to no service of the directory.')
  for (let attempt = 1; ; attempt++) {
    const prepared = await prepare(exchange, request, interactions)
    const situations = await peopleOf(exchange, prepared, service.id)
    const workers = prepared.filter(({ type, isNew, existing }) => isWorker(type) && !isNew && !existing).map(({ ref }) => ref)
    const people = await lookedAfterBy(exchange, service.id, workers)
    try {
      const done = await commit(
        exchange,
        [...situations.values()],
        actorOf(request),
        (changes) => apply(exchange, changes, prepared),
        (all) => {
          for (const one of all) one.stored = asItStands(situations, one)
          return [...apart(exchange, request, prepared), ...lookSoon(service.id, people, exchange.now().toISOString()), ...alongside(all)]
        },
      )
      for (const patient of people) await lookAgain(exchange, patient)
      return done
    } catch (error) {
      if (!isRace(error) || attempt === attempts) throw error
      if (interactions.some(({ ifMatch }) => ifMatch)) await prepare(exchange, request, interactions) // says 412 when that is the reason
    }
  }
}

/** The situation of everybody the interactions are about. */
async function peopleOf(exchange: Exchange, prepared: readonly Prepared[], serviceId: string): Promise<Map<string, Situation>> {
  const service = exchange.directory().services.get(serviceId) as NonNullable<
    ReturnType<ReturnType<Exchange['directory']>['services']['get']>
  >
  const people = new Map<string, Situation>()
  for (const one of prepared) {
    if (!one.patient || people.has(one.patient)) continue
    const created = prepared.some((other) => other.isNew && other.type === 'Patient' && other.id === one.patient)
    const situation = created ? newSituation(exchange, service, one.patient) : await situationOf(exchange, one.patient)
    if (!situation || situation.service.id !== serviceId)
      throw refuse(422, 'not-found', 'The Patient this is about is not in this record.', one.at ?? one.type)
    const whole = situation.merges.find(({ state, source }) => state === 'merged' && source === one.patient)
    if (whole)
      throw refuse(409, 'conflict', `This Patient is part of another record now: write to Patient/${whole.target}.`, one.at ?? one.type)
    people.set(one.patient, situation)
  }
  return people
}

async function apply(exchange: Exchange, changes: readonly Change[], prepared: readonly Prepared[]): Promise<Done[]> {
  const done: Done[] = []
  for (const one of prepared) {
    const under = one.patient ? changes.find(({ situation }) => situation.patient === one.patient) : undefined
    if (one.existing) done.push({ status: 200, stored: one.existing, interaction: one })
    else if (!under)
      done.push({ status: one.isNew ? 201 : one.method === 'DELETE' ? 204 : 200, stored: alone(exchange, one), interaction: one })
    else if (one.method === 'DELETE') {
      under.remove(serviceShelf(under.situation.service.id), one.ref)
      under.audit({ action: 'delete', entity: one.ref })
      done.push({ status: 204, interaction: one })
    } else {
      const stored = under.put(serviceShelf(under.situation.service.id), one.resource as Resource)
      const informant = informantOf(one.resource as Resource)
      under.audit({
        action: actionOf(one),
        entity: `${one.ref}/_history/${stored.version}`,
        ...(informant ? { detail: JSON.stringify({ informant }) } : {}),
      })
      done.push({ status: one.isNew ? 201 : 200, stored, interaction: one })
    }
  }
  // The plan needs the workers the care team names: those that came along, and those that were here.
  for (const { situation } of changes) {
    const fresh = prepared.filter((one) => !one.patient && one.resource && one.method !== 'DELETE')
    for (const one of fresh) situation.record.set(one.ref, alone(exchange, one))
    for (const worker of await workersOf(exchange, serviceShelf(situation.service.id), resourcesOf(situation.record))) {
      const ref = `${worker.type}/${worker.id}`
      if (!situation.record.has(ref)) situation.record.set(ref, worker)
    }
  }
  for (const change of changes)
    mustBeProper(
      change,
      prepared.flatMap(({ patient, present, resource, at, type }) =>
        patient === change.situation.patient && resource ? [{ before: present?.body, after: resource, at: at ?? type }] : [],
      ),
    )
  return done
}

/** With what the plan added to it in the same commit. */
const asItStands = (situations: ReadonlyMap<string, Situation>, { stored, interaction: { method } }: Done): Stored | undefined =>
  (stored?.patient && method !== 'DELETE' && situations.get(stored.patient)?.record.get(`${stored.type}/${stored.id}`)) || stored

const actionOf = ({ isNew, method }: Prepared): string =>
  isNew ? 'create' : method === 'DELETE' ? 'delete' : method === 'PATCH' ? 'patch' : 'update'

/** A resource about nobody as it will be stored. */
function alone(exchange: Exchange, { type, id, present, resource }: Prepared): Stored {
  const lastUpdated = exchange.now().toISOString()
  const version = (present?.version ?? 0) + 1
  const shelf = present?.shelf ?? ''
  return {
    shelf,
    type,
    id: id as string,
    version,
    lastUpdated,
    ...(resource ? { body: { ...resource, meta: { ...resource.meta, versionId: String(version), lastUpdated } } } : {}),
  }
}

/** Statements for what is about nobody: no plan depends on a revision of it. */
function apart(exchange: Exchange, request: Request, prepared: readonly Prepared[]): Statement[] {
  return prepared
    .filter((one) => !one.patient && !one.existing)
    .flatMap((one) => {
      const stored = { ...alone(exchange, one), shelf: request.caller.shelf }
      const entity = `${one.ref}/_history/${stored.version}`
      const audit = recordAudit([
        {
          id: newId(),
          at: stored.lastUpdated,
          action: actionOf(one),
          ...actorOf(request),
          service: request.caller.service as string,
          entity,
        },
      ])
      return [...(one.present ? updateResource(stored, one.present.version) : createResource(stored)), audit]
    })
}

export function answerOf(exchange: Exchange, { status, stored }: Done): Answer {
  if (!stored?.body) return { status }
  return {
    status,
    headers: {
      ...(status === 201 ? { location: placeOf(exchange, stored) } : {}),
      etag: `W/"${stored.version}"`,
      'last-modified': new Date(stored.lastUpdated).toUTCString(),
    },
    body: stored.body,
  }
}

export const placeOf = (exchange: Exchange, { type, id, version }: Stored): string =>
  `${exchange.publicUrl}/fhir/${type}/${id}/_history/${version}`
