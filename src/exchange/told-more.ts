/**
 * What a referrer tells of a referral that no longer waits for it, held or under way: kept whole and apart, as a Communication in which
 * what is new stands as it was told. It changes nothing and is told to nobody; a navigator writes into the record what is right.
 */
import type { Bundle, Communication, Resource } from '@medplum/fhirtypes'
import type { Caller } from '../access/caller.ts'
import { isCustody } from '../domain/facts.ts'
import { custodyObservation } from '../domain/read.ts'
import { clientId } from '../fhir/balp.ts'
import { newId } from '../store/random.ts'
import type { Change } from './change.ts'
import { asTold, type Contents } from './refer.ts'
import { aboutNobody, rewriteReferences } from './references.ts'
import { ofType, resourcesOf, type Situation, serviceShelf } from './situation.ts'

/** @returns whether there was anything new in it */
export function keepApart(change: Change, { resources, focus }: Contents, caller: Caller, sent: Bundle['timestamp']): boolean {
  const { situation } = change
  const fresh = resources.flatMap((one) => {
    const told = aboutNobody.has(one.resourceType) || one.resourceType === 'Task' ? undefined : asTold(one, focus, caller)
    return told && !isKnown(situation, told) ? [told] : []
  })
  if (fresh.length === 0) return false
  const inside = new Map(fresh.map((one, index) => [`${one.resourceType}/${one.id}`, `#${index + 1}`]))
  const contained = fresh.map((one) =>
    bare(
      rewriteReferences(one, (reference) => inside.get(reference)),
      inside,
    ),
  )
  const communication: Communication = {
    resourceType: 'Communication',
    id: newId(),
    contained,
    status: 'in-progress',
    subject: { reference: `Patient/${situation.patient}` },
    about: [{ reference: `ServiceRequest/${focus.id}` }],
    ...(sent ? { sent } : {}),
    received: situation.now.toISOString(),
    sender: { identifier: { system: clientId, value: caller.client }, display: caller.name },
    payload: [...inside.values()].map((reference) => ({ contentReference: { reference } })),
  }
  const { version } = change.put(serviceShelf(situation.service.id), communication)
  change.audit({ action: 'refer', entity: `Communication/${communication.id}/_history/${version}` })
  return true
}

/** As FHIR has a contained resource: no versions, labels, texts or others inside. */
function bare(resource: Resource, inside: ReadonlyMap<string, string>): Resource {
  const { meta: _m, text: _t, contained: _c, ...rest } = resource as Resource & { text?: unknown; contained?: unknown }
  return { ...rest, id: inside.get(`${resource.resourceType}/${resource.id}`)?.slice(1) } as Resource
}

/** Nothing in it that the record, or what was kept apart before, does not say. */
function isKnown(situation: Situation, told: Resource): boolean {
  const record = resourcesOf(situation.record)
  const custody = told.resourceType === 'Observation' && isCustody(told) ? custodyObservation(record) : undefined
  const present = custody ?? situation.record.get(`${told.resourceType}/${told.id}`)?.body
  if (present && parts[told.resourceType]?.every((part) => saysNoMore(told, present, part))) return true
  const apart = waiting(situation).flatMap((one) => one.contained ?? [])
  return [...record, ...apart].some((one) => contentOf(one) === contentOf(told))
}

/** What a referrer may know better than the record, of what there is once for each person. */
const parts: Readonly<Record<string, readonly string[] | undefined>> = {
  Patient: [
    ...['name', 'birthDate', 'gender', 'identifier', 'telecom', 'address', 'communication', 'contact'],
    ...['deceasedBoolean', 'deceasedDateTime'],
  ],
  ServiceRequest: ['reasonCode', 'priority', 'note'],
  Observation: ['component', 'effectivePeriod'],
}

function saysNoMore(told: Resource, present: Resource, part: string): boolean {
  const [said, known] = [told, present].map((one) => (one as unknown as Record<string, unknown>)[part])
  if (said === undefined) return true
  if (!Array.isArray(said)) return JSON.stringify(said) === JSON.stringify(known)
  const all = new Set(Array.isArray(known) ? known.map((one) => JSON.stringify(one)) : [])
  return said.every((one) => all.has(JSON.stringify(one)))
}

/** What a resource says, without its id, its versions and where its references lead: an update repeats what was told before. */
export const contentOf = (resource: Resource): string => {
  const { id: _id, meta: _meta, text: _text, contained: _inside, ...rest } = resource as Resource & { text?: unknown; contained?: unknown }
  return JSON.stringify(rest, (key, value) => (key === 'reference' ? undefined : value))
}

const waiting = (situation: Situation): Communication[] =>
  ofType(resourcesOf(situation.record), 'Communication').filter(
    ({ status, sender }) => status === 'in-progress' && sender?.identifier?.system === clientId,
  )

/** Part of the plan step. */
export function askAboutToldMore(change: Change): void {
  const kept = waiting(change.situation)
  if (kept.length === 0) return
  const who = [...new Set(kept.map(({ sender }) => sender?.display ?? 'A referrer'))].join(' and ')
  const words = `${who} told more about a referral that is with you already: ${kept.map(({ id }) => `Communication/${id}`).join(', ')}. Nobody else was told. Write into the record what is right, then set it to completed.`
  change.ask({ about: `told-more:${change.situation.patient}`, reason: 'told-more', words })
}
