/**
 * What a thin event does not say is looked up: dates, place and numbers, compared with what is known, and what is new becomes part of the
 * custody history. It fails: again later, and after a while a person is told. Nobody may look: a person looks.
 */
import type { Patient } from '@medplum/fhirtypes'
import type { HmppsApi, Looked } from '../channels/hmpps-api.ts'
import { custodyOf, type Said } from '../domain/custody.ts'
import { baseLocation, keyDates, numbersOf } from '../domain/hmpps-detail.ts'
import { identifierIn } from '../domain/resources.ts'
import { assertionsIn } from '../fhir/custody.ts'
import { crn, nomsNumber } from '../fhir/systems.ts'
import type { Statement } from '../store/database.ts'
import { type DueEvent, eventsDue, fetched, fetching, fetchLater } from '../store/events.ts'
import { newId } from '../store/random.ts'
import { openWorkItem, resolveWorkItemAbout } from '../store/work-items.ts'
import { amend } from './amend.ts'
import type { Change } from './change.ts'
import { keepAssertion } from './custody.ts'
import type { Exchange } from './exchange.ts'
import { addNumbers } from './hmpps.ts'
import { resourcesOf, type Situation, situationOf } from './situation.ts'

const atOnce = 4
/** Minutes until the next try; the last goes on. After `patience` tries a person is told. */
const waits = [1, 2, 5, 15, 30, 60]
const patience = 4
/** Longer than any look takes: if we end in between, it is taken up again. */
const leaseMinutes = 5
const source = { who: 'exchange' }

/** Looks up everything that is due now. */
export async function lookUp(exchange: Exchange): Promise<number> {
  for (let looked = 0; ; ) {
    const due = await eventsDue(exchange.database, exchange.now().toISOString(), atOnce)
    await Promise.all(
      due.map((one) =>
        lookAt(exchange, one).catch((error: unknown) =>
          exchange.log('error', 'hmpps.failed', { error: error instanceof Error ? error.name : 'unknown' }),
        ),
      ),
    )
    looked += due.length
    if (due.length < atOnce) return looked
  }
}

async function lookAt(exchange: Exchange, due: DueEvent): Promise<void> {
  const { database, hmpps } = exchange
  const began = exchange.now().toISOString()
  await database.atomically([fetching(due.patient, later(exchange, leaseMinutes))])
  const situation = await situationOf(exchange, due.patient)
  const id = situation && numbersIn(situation)
  if (!situation) {
    await database.atomically([fetched(due.patient, began)])
    return
  }
  if (!hmpps || !id) return settle(exchange, due, began, 'look-up')
  const [dates, place, person] = await Promise.all([
    look(hmpps, id, 'sentences/latest-key-dates-and-adjustments'),
    look(hmpps, id, 'prisoner-base-location'),
    id.noms && id.crn ? undefined : look(hmpps, id, ''),
  ])
  const failed = [dates, place].find((one) => one.outcome === 'unavailable')
  if (failed?.outcome === 'unavailable') return tryLater(exchange, due, failed.reason)
  const numbers = person?.outcome === 'found' ? numbersOf(person.data) : undefined
  const limited = numbers?.limited || dates.outcome === 'hidden'
  await amend(
    exchange,
    due.patient,
    source,
    (change) => {
      for (const said of news(change.situation, dates, place)) keepAssertion(change, { source: 'external-api', at: began, said })
      if (numbers && isSame(id, numbers)) addFound(change, numbers)
      return true
    },
    () => [
      fetched(due.patient, began),
      resolveWorkItemAbout(due.patient, 'hmpps:unreachable', began),
      ...(limited ? [question(exchange, due, numbers?.limited ? 'limited' : 'hidden')] : []),
    ],
  )
}

type Ids = { noms?: string; crn?: string }

function numbersIn(situation: Situation): Ids | undefined {
  const patient = situation.record.get(`Patient/${situation.patient}`)?.body as Patient | undefined
  const [noms, probation] = [identifierIn(patient?.identifier, nomsNumber), identifierIn(patient?.identifier, crn)]
  return noms || probation ? { ...(noms ? { noms } : {}), ...(probation ? { crn: probation } : {}) } : undefined
}

/** Prison data goes by either number; which of them the API knows the person by changes. */
async function look(api: HmppsApi, { noms, crn: probation }: Ids, part: string): Promise<Looked> {
  const first = await api.person((noms ?? probation) as string, part)
  return first.outcome === 'hidden' && first.status === 404 && noms && probation ? api.person(probation, part) : first
}

/** What the API says that the history does not say yet. */
function news({ record, now }: Situation, dates: Looked, place: Looked): Said[] {
  const state = custodyOf(assertionsIn(resourcesOf(record)), now.toISOString())
  const known = new Map(state.dates.filter(({ source: by }) => by === 'hmpps').map((one) => [one.type, one.date]))
  const fresh = dates.outcome === 'found' ? keyDates(dates.data).filter(({ type, date }) => known.get(type) !== date) : []
  const found = place.outcome === 'found' ? baseLocation(place.data) : undefined
  const same = found?.inPrison === true && state.where === 'in-prison' && (!found.prison || found.prison === state.prison)
  return [...(fresh.length ? [{ kind: 'dates', dates: fresh } as const] : []), ...(found && !same ? [found] : [])]
}

/** An answer about somebody else than we asked for gives us no number. */
const isSame = (asked: Ids, { noms, crn: probation }: Ids): boolean =>
  (asked.noms !== undefined && asked.noms === noms) || (asked.crn !== undefined && asked.crn === probation)

const addFound = (change: Change, { noms, crn: probation }: Ids): void =>
  addNumbers(change, { noms: noms ? [noms] : [], crn: probation ? [probation] : [] }, undefined)

async function tryLater(exchange: Exchange, due: DueEvent, reason: string): Promise<void> {
  const wait = waits[Math.min(due.attempts, waits.length - 1)] as number
  exchange.log('warn', 'hmpps.unavailable', { reason, attempts: due.attempts + 1 })
  await exchange.database.atomically([
    fetchLater(due.patient, later(exchange, wait)),
    ...(due.attempts + 1 >= patience ? [question(exchange, due, 'unreachable')] : []),
  ])
}

async function settle(exchange: Exchange, due: DueEvent, began: string, about: keyof typeof words): Promise<void> {
  await exchange.database.atomically([fetched(due.patient, began), question(exchange, due, about)])
}

const later = ({ now }: Exchange, minutes: number): string => new Date(now().getTime() + minutes * 60_000).toISOString()

const words = {
  'look-up':
    'The prison system says that dates or place of this person changed, and not what they are now. Look them up and record them on the custody Observation.',
  unreachable:
    'Dates or place of this person changed, and HMPPS can not be asked what they are now. It is tried again; if it matters today, phone the prison.',
  hidden:
    'Dates or place of this person changed, and HMPPS does not show them to us. What is recorded here stays as it is: ask the prison or probation.',
  limited: 'Probation limits who may look at this person’s record. Check who may see the record here, too.',
} as const

const question = (exchange: Exchange, { patient, service }: DueEvent, about: keyof typeof words): Statement =>
  openWorkItem({
    id: newId(),
    service,
    patient,
    about: `hmpps:${about}`,
    reason: `hmpps-${about}`,
    words: words[about],
    openedAt: exchange.now().toISOString(),
  })
