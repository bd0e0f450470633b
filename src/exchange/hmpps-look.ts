/**
 * What a thin event does not say, or no event told of, is looked up: dates, place and numbers, compared with what is known, and what is
 * new becomes part of the custody history. It fails: again later, and after a while a person is told. Nobody may look: a person looks.
 */
import type { Patient } from '@medplum/fhirtypes'
import type { HmppsApi, Looked } from '../channels/hmpps-api.ts'
import { custodyOf, type Said } from '../domain/custody.ts'
import { baseLocation, type Found, keyDates, personIn } from '../domain/hmpps-detail.ts'
import { isFinal } from '../domain/lifecycle.ts'
import { identifierIn } from '../domain/resources.ts'
import { assertionsIn } from '../fhir/custody.ts'
import { crn, nomsNumber } from '../fhir/systems.ts'
import type { Statement } from '../store/database.ts'
import { type DueEvent, eventsDue, fetched, fetching, fetchLater } from '../store/events.ts'
import { newId } from '../store/random.ts'
import { openWorkItem, resolveWorkItemAbout } from '../store/work-items.ts'
import { amend } from './amend.ts'
import { consider } from './consider.ts'
import { keepAssertion } from './custody.ts'
import type { Exchange } from './exchange.ts'
import { addNumbers } from './hmpps-follow.ts'
import { lifeOf } from './life.ts'
import { isMergedAway } from './merge-detail.ts'
import { resourcesOf, type Situation, situationOf } from './situation.ts'

const atOnce = 4
/** Minutes until the next try; the last goes on. After `patience` tries a person is told. */
const waits = [1, 2, 5, 15, 30, 60]
/** However long the API wants to be left alone: a person whose dates changed can not wait for days. */
const longestWait = 60
const patience = 4
/** Longer than any look takes: if we end in between, it is taken up again. */
const leaseMinutes = 5
const source = { who: 'exchange' }

/** Looks up everything that is due now. Asked to slow down, it goes on with the next turn. */
export async function lookUp(exchange: Exchange): Promise<number> {
  for (let looked = 0; ; ) {
    const due = await eventsDue(exchange.database, exchange.now().toISOString(), atOnce)
    const slower = await Promise.all(
      due.map((one) =>
        lookAt(exchange, one).catch((error: unknown) => {
          exchange.log('error', 'hmpps.failed', { error: error instanceof Error ? error.name : 'unknown' })
          return undefined
        }),
      ),
    )
    looked += due.length
    if (due.length < atOnce || slower.includes('slower')) return looked
  }
}

/** @returns 'slower': the API wants fewer questions */
async function lookAt(exchange: Exchange, due: DueEvent): Promise<'slower' | undefined> {
  const { database, hmpps } = exchange
  const began = exchange.now().toISOString()
  await database.atomically([fetching(due.patient, later(exchange, leaseMinutes))])
  const situation = await situationOf(exchange, due.patient)
  if (!situation || !isOfInterest(situation)) {
    await database.atomically([fetched(due.patient, began)])
    return undefined
  }
  const id = numbersIn(situation)
  if (!hmpps || !id) return settle(exchange, due, began, ask(exchange, due, 'look-up'))
  const [dates, place, person] = await Promise.all([
    look(hmpps, id, 'sentences/latest-key-dates-and-adjustments'),
    look(hmpps, id, 'prisoner-base-location'),
    // Also for what may have changed about who may look.
    look(hmpps, id, ''),
  ])
  const failed = [dates, place].find((one) => one.outcome === 'unavailable')
  if (failed?.outcome === 'unavailable') return tryLater(exchange, due, failed)
  // A key that counts no more looks like that, too, and then for everybody.
  if (dates.outcome === 'hidden') exchange.log('warn', 'hmpps.hidden', { status: dates.status })
  const found = person.outcome === 'found' ? personIn(person.data) : undefined
  if (found && isSomebodyElse(situation, found)) return settle(exchange, due, began, [question(exchange, due, 'other-person')])
  await amend(
    exchange,
    due.patient,
    source,
    (change) => {
      for (const said of news(change.situation, dates, place)) keepAssertion(change, { source: 'external-api', at: began, said })
      if (found && isSame(id, found))
        addNumbers(change, { noms: found.noms ? [found.noms] : [], crn: found.crn ? [found.crn] : [] }, undefined)
      return true
    },
    () => [
      fetched(due.patient, began),
      resolveWorkItemAbout(due.patient, 'hmpps:unreachable', began),
      ...(found?.limited ? [question(exchange, due, 'limited')] : dates.outcome === 'hidden' ? ask(exchange, due, 'hidden') : []),
    ],
  )
  return undefined
}

/** A record that became part of another one is looked at there; nobody is asked about whom we support no longer. */
function isOfInterest(situation: Situation): boolean {
  if (isMergedAway(situation)) return false
  const life = lifeOf(situation, consider(situation))
  return life !== undefined && !isFinal(life.phase)
}

type Ids = { noms?: string; crn?: string }

const personOf = (situation: Situation) => situation.record.get(`Patient/${situation.patient}`)?.body as Patient | undefined

function numbersIn(situation: Situation): Ids | undefined {
  const patient = personOf(situation)
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

/** A mistyped number leads to another person: whoever was born on none of the days HMPPS has is not who it means. */
function isSomebodyElse(situation: Situation, { birthDates }: Found): boolean {
  const { birthDate } = personOf(situation) ?? {}
  return /^\d{4}-\d{2}-\d{2}$/.test(birthDate ?? '') && birthDates.length > 0 && !birthDates.includes(birthDate as string)
}

async function tryLater(
  exchange: Exchange,
  due: DueEvent,
  { reason, retryAfterSeconds }: Extract<Looked, { outcome: 'unavailable' }>,
): Promise<'slower' | undefined> {
  const asked = Math.min((retryAfterSeconds ?? 0) / 60, longestWait)
  const wait = Math.max(asked, waits[Math.min(due.attempts, waits.length - 1)] as number)
  exchange.log('warn', 'hmpps.unavailable', { reason, attempts: due.attempts + 1 })
  await exchange.database.atomically([
    fetchLater(due.patient, later(exchange, wait)),
    ...(due.attempts + 1 >= patience ? ask(exchange, due, 'unreachable') : []),
  ])
  return retryAfterSeconds === undefined && reason !== 'http-429' ? undefined : 'slower'
}

async function settle(exchange: Exchange, due: DueEvent, began: string, asked: Statement[]): Promise<undefined> {
  await exchange.database.atomically([fetched(due.patient, began), ...asked])
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
  'other-person':
    'HMPPS has another date of birth under this person’s prison number or CRN. Nothing was taken from it: find out whose number it is, and correct the record.',
} as const

/** Only where an event said that something changed: when it was merely time to look, nothing is known to be missing. */
const ask = (exchange: Exchange, due: DueEvent, about: keyof typeof words): Statement[] =>
  due.said ? [question(exchange, due, about)] : []

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
