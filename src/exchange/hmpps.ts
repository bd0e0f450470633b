/**
 * Release data from HMPPS (CONTRACT.md 7): an event is kept, changes the custody of whoever it is about, and whatever it does not say
 * itself is fetched. All of it in one commit, so that an event that was acknowledged has had its effect, and one that comes again has none.
 */
import type { Patient } from '@medplum/fhirtypes'
import type { HmppsEvent } from '../domain/hmpps-event.ts'
import { custodyIn, custodyObservation } from '../domain/read.ts'
import { identifierIn } from '../domain/resources.ts'
import { parseSearch } from '../fhir/search.ts'
import { crn, nomsNumber } from '../fhir/systems.ts'
import { Conflict } from '../store/database.ts'
import { eventLike, keepEvent, type NewEvent } from '../store/events.ts'
import { newId } from '../store/random.ts'
import { searchShelf } from '../store/search.ts'
import { keepNumber } from '../store/unseen-events.ts'
import { amend, commit, isRace } from './amend.ts'
import type { Actor } from './change.ts'
import type { Exchange } from './exchange.ts'
import { follow, numbersOf, wantsLook } from './hmpps-follow.ts'
import { isMergedAway } from './merge-detail.ts'
import { resourcesOf, type Situation, serviceShelf, situationOf } from './situation.ts'
import { takeAll } from './unseen.ts'

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
  const numbers = numbersOf(event)
  const people = event.known ? await peopleWith(exchange, sender, numbers) : []
  const fetching = people.length > 0 && wantsLook(event, exchange.hmpps !== undefined)
  const row = { kind: event.eventType, at, ...kept }
  if (!people.length) return keepUnseen(exchange, sender, event, row)
  const ids = people.map(() => newId())
  const was = people.map(partsOf)
  await commit(
    exchange,
    people,
    sender,
    (changes) => changes.flatMap((change) => follow(change, event)),
    (asked) => [
      ...people.map(({ patient, service }, n) =>
        keepEvent({ ...row, id: ids[n] as string, patient, service: service.id, ...(fetching ? { dueAt: at } : {}) }),
      ),
      ...asked,
    ],
  )
  const changed = people.flatMap((situation, n) => {
    const [before, after] = [was[n] ?? {}, partsOf(situation)]
    const parts = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((part) => before[part] !== after[part]).sort()
    return parts.length ? [{ patient: `Patient/${situation.patient}`, parts }] : []
  })
  if (fetching) exchange.look?.()
  return { id: ids[0] as string, outcome: changed.length ? 'changed' : 'unchanged', changed, fetching }
}

/** About nobody here: found again when that person is referred (unseen.ts), where we know what follows from it. */
async function keepUnseen(
  exchange: Exchange,
  sender: Sender,
  event: HmppsEvent,
  row: Omit<NewEvent, 'id' | 'patient' | 'service'>,
): Promise<Taken> {
  const id = newId()
  const { service } = sender
  const unknown = event.known ? {} : { unknown: true as const }
  await exchange.database.atomically([
    keepEvent({ ...row, id, ...(service ? { service } : {}), ...unknown }),
    ...(event.known ? numbersOf(event).map((number) => keepNumber(id, number)) : []),
  ])
  // Whoever was being referred at this moment did not see it.
  const meanwhile = event.known ? await peopleWith(exchange, sender, numbersOf(event)) : []
  for (const { patient } of meanwhile) await takeUnseenOf(exchange, patient)
  return { id, outcome: event.known ? 'nobody' : 'unknown', changed: [], fetching: false }
}

/** Whatever was kept under a number of this person, when it was not taken with the commit that gave it. */
export const takeUnseenOf = (exchange: Exchange, patient: string): Promise<unknown> =>
  amend(
    exchange,
    patient,
    { who: 'exchange' },
    (change) => takeAll(exchange.database, change, exchange.hmpps !== undefined),
    (unit) => unit,
  )

/** Everybody who has one of these numbers. Nobody is created. */
async function peopleWith(exchange: Exchange, { service }: Sender, tokens: readonly string[]): Promise<Situation[]> {
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
