/**
 * Release data from HMPPS (CONTRACT.md 7): an event is kept, changes the custody of whoever it is about, and whatever it does not say
 * itself is fetched. All of it in one commit, so that an event that was acknowledged has had its effect, and one that comes again has none.
 */
import type { Patient } from '@medplum/fhirtypes'
import type { HmppsEvent } from '../domain/hmpps-event.ts'
import type { PersonNumbers } from '../domain/hmpps-rules.ts'
import { custodyIn, custodyObservation } from '../domain/read.ts'
import { identifierIn } from '../domain/resources.ts'
import { parseSearch } from '../fhir/search.ts'
import { crn, nomsNumber } from '../fhir/systems.ts'
import { Conflict, type Statement } from '../store/database.ts'
import { eventLike, keepEvent } from '../store/events.ts'
import { newId } from '../store/random.ts'
import { searchShelf } from '../store/search.ts'
import { openWorkItem } from '../store/work-items.ts'
import { commit, isRace } from './amend.ts'
import type { Actor, Change } from './change.ts'
import { keepAssertion } from './custody.ts'
import type { Exchange } from './exchange.ts'
import { isMergedAway } from './merge-detail.ts'
import { resourcesOf, type Situation, serviceShelf, situationOf } from './situation.ts'

/** Whose word it is. `service`: only people of this service are looked at; absent: of every service here. */
export type Sender = Actor & { service?: string }

/** What became of an event: codes and our own ids, nothing about a person. */
export type Taken = {
  id: string
  /** `unknown`: kept, and we know nothing to do with this type. `nobody`: kept, and we know nobody it is about. */
  outcome: 'changed' | 'unchanged' | 'repeat' | 'unknown' | 'nobody'
  /** By person: which parts of custody are other than before. */
  changed: { patient: string; parts: string[] }[]
  /** Dates and places are being fetched. */
  fetching: boolean
}

const attempts = 20

/** @param delivery the id it was delivered under: an SNS MessageId, a webhook-id */
export async function takeEvent(exchange: Exchange, sender: Sender, event: HmppsEvent, body: string, delivery?: string): Promise<Taken> {
  const { database } = exchange
  const scope = sender.service ?? '*'
  const print = `${scope} event ${event.content}`
  const deliveredAs = delivery === undefined ? undefined : `${scope} delivery ${delivery}`
  for (let attempt = 1; ; attempt++) {
    const before = await eventLike(database, print, deliveredAs)
    if (before) return { id: before.id, outcome: 'repeat', changed: [], fetching: false }
    try {
      return await apply(exchange, sender, event, { print, ...(deliveredAs ? { delivery: deliveredAs } : {}), body })
    } catch (error) {
      const taken = error instanceof Conflict && error.what.startsWith('event.')
      if ((!isRace(error) && !taken) || attempt === attempts) throw error
    }
  }
}

async function apply(
  exchange: Exchange,
  sender: Sender,
  event: HmppsEvent,
  kept: { print: string; delivery?: string; body: string },
): Promise<Taken> {
  const at = exchange.now().toISOString()
  const people = event.known ? await peopleWith(exchange, sender, numbersOf(event)) : []
  const fetching = people.length > 0 && (event.fetch === 'needed' || (event.fetch === 'also' && exchange.hmpps !== undefined))
  const row = { kind: event.eventType, at, ...kept }
  if (!people.length) {
    const id = newId()
    await exchange.database.atomically([keepEvent({ ...row, id })])
    return { id, outcome: event.known ? 'nobody' : 'unknown', changed: [], fetching: false }
  }
  const ids = people.map(() => newId())
  const was = people.map(partsOf)
  await commit(
    exchange,
    people,
    sender,
    (changes) => {
      for (const change of changes) follow(change, event)
    },
    () =>
      people.flatMap((situation, n): Statement[] => {
        const { patient, service } = situation
        return [
          keepEvent({ ...row, id: ids[n] as string, patient, service: service.id, ...(fetching ? { dueAt: at } : {}) }),
          ...questions(event, situation, people).map(({ about, words }) =>
            openWorkItem({
              id: newId(),
              service: service.id,
              patient,
              about: `hmpps:${about}`,
              reason: `hmpps-${about}`,
              words,
              openedAt: at,
            }),
          ),
        ]
      }),
  )
  const changed = people.flatMap((situation, n) => {
    const [before, after] = [was[n] ?? {}, partsOf(situation)]
    const parts = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((part) => before[part] !== after[part]).sort()
    return parts.length ? [{ patient: `Patient/${situation.patient}`, parts }] : []
  })
  if (fetching) exchange.look?.()
  return { id: ids[0] as string, outcome: changed.length ? 'changed' : 'unchanged', changed, fetching }
}

function follow(change: Change, event: HmppsEvent): void {
  if (event.says) keepAssertion(change, { source: event.says.source, at: event.occurredAt, said: event.says.said })
  if (event.identities && !event.identities.moved) addNumbers(change, event.identities.joined, event.identities.removed)
}

const numbersOf = ({ person, identities }: HmppsEvent): PersonNumbers => ({
  noms: [...new Set([...person.noms, ...(identities?.joined.noms ?? [])])],
  crn: [...new Set([...person.crn, ...(identities?.joined.crn ?? [])])],
})

/** Everybody who has one of these numbers. Nobody is created. */
async function peopleWith(exchange: Exchange, { service }: Sender, { noms, crn: crns }: PersonNumbers): Promise<Situation[]> {
  const tokens = [...noms.map((value) => `${nomsNumber}|${value}`), ...crns.map((value) => `${crn}|${value}`)]
  if (!tokens.length) return []
  const services = service ? [service] : [...exchange.directory().services.keys()]
  const found = new Set<string>()
  for (const each of services) {
    const query = parseSearch('Patient', new URLSearchParams({ identifier: tokens.join(',') }))
    const { matches } = await searchShelf(exchange.database, serviceShelf(each), query)
    for (const { id } of matches) found.add(id)
  }
  const situations = await Promise.all([...found].map((patient) => situationOf(exchange, patient)))
  // What is part of another record is found there.
  return situations.flatMap((one) => (one && !isMergedAway(one) ? one : []))
}

/**
 * Numbers that belong to one person, on the record of whoever has one of them: a number of a kind the record lacks, or the one that took
 * its place. Two records of one person are for somebody to look at (`questions`), never joined by an event.
 */
export function addNumbers(change: Change, { noms, crn: crns }: PersonNumbers, removed: string | undefined): void {
  const { situation } = change
  const patient = situation.record.get(`Patient/${situation.patient}`)?.body as Patient | undefined
  if (!patient) return
  const identifier = [...(patient.identifier ?? [])].map((one) =>
    removed !== undefined && one.value === removed && (one.system === nomsNumber || one.system === crn)
      ? { ...one, use: 'old' as const }
      : one,
  )
  for (const [system, values] of [
    [nomsNumber, noms],
    [crn, crns],
  ] as const) {
    const has = identifier.filter((one) => one.system === system).map(({ value }) => value)
    const fresh = values.filter((value) => value !== removed && !has.includes(value))
    const lacks = has.length === 0 || has.every((value) => value === removed)
    if (lacks && fresh.length === 1) identifier.unshift({ system, value: fresh[0] as string })
  }
  if (JSON.stringify(identifier) === JSON.stringify(patient.identifier ?? [])) return
  const { version } = change.put(serviceShelf(situation.service.id), { ...patient, identifier })
  change.audit({ action: 'update', entity: `Patient/${situation.patient}/_history/${version}` })
}

function questions(event: HmppsEvent, { service, patient }: Situation, people: readonly Situation[]): { about: string; words: string }[] {
  const others = people.filter((one) => one.service.id === service.id && one.patient !== patient)
  const asked = event.ask ? [event.ask] : []
  if (!event.identities || event.identities.moved || !others.length) return asked
  const words =
    'HMPPS says that the numbers of two records here belong to one person. Compare this record with the other one and decide whether they are the same.'
  return [...asked, { about: 'identity', words }]
}

/** What custody says, part by part. */
function partsOf({ record, patient }: Situation): Record<string, string | undefined> {
  const resources = resourcesOf(record)
  const observation = custodyObservation(resources)
  const person = record.get(`Patient/${patient}`)?.body as Patient | undefined
  const { establishment, basis, where, left, releaseDate, releaseDateType, releaseDateConfirmed } = observation
    ? custodyIn(observation)
    : {}
  const parts = {
    establishment: establishment?.code ?? establishment?.name,
    basis,
    status: where,
    left,
    'release-date': releaseDate,
    'release-date-type': releaseDateType,
    'release-date-confirmed': releaseDateConfirmed === undefined ? undefined : String(releaseDateConfirmed),
    'noms-number': identifierIn(person?.identifier, nomsNumber),
    crn: identifierIn(person?.identifier, crn),
    died: person?.deceasedBoolean ? 'true' : undefined,
  }
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined))
}
