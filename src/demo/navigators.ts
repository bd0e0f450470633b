/**
 * What the two care navigators of the demo do themselves. They meet everybody in the first days, and after that do what their work list
 * asks of them: meet again, phone after release, phone a partner that is silent, end the support of those for whom everything came to
 * something. Marcus they ask again and again, and in the end take his no for an answer.
 */
import type { Bundle, Encounter, ServiceRequest } from '@medplum/fhirtypes'
import { addDays, addWorkingDays, isWorkingDay, reviews, today } from '../domain/calendar.ts'
import type { Modality } from '../domain/contacts.ts'
import type { Closure } from '../domain/outcomes.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { ours } from '../fhir/systems.ts'
import { openWork, type WorkItem } from '../store/work-items.ts'
import type { Agenda } from './agenda.ts'
import type { Client } from './client.ts'
import { serviceId } from './directory.ts'
import type { Journal } from './journal.ts'
import { officeTime } from './office.ts'
import { shortName } from './partners.ts'
import { beginning } from './people.ts'
import { workers } from './record.ts'
import type { Known } from './world.ts'

export type Navigators = {
  /** Reads the work list, and plans what is new on it; what is no longer on it is not done. */
  look(): Promise<void>
}

export function openNavigators(given: {
  exchange: Exchange
  everybody: readonly Known[]
  agenda: Agenda
  journal: Journal
  service: Client
}): Navigators {
  const { exchange, everybody, agenda, journal, service } = given
  /** What was on the list when it was looked at last, and what is planned for it. */
  const seen = new Map<string, string | undefined>()
  const told = new Set<string>()

  const of = (patient: string | undefined) => everybody.find((one) => one.patient === patient)
  const plan = (key: string, at: string, { person }: Known, words: string, run: () => Promise<unknown>) =>
    agenda.put(key, {
      at,
      words,
      run: async () => {
        await run()
        journal.write(words, { person: nameOf(person) })
        seen.delete(key.replace('work ', ''))
      },
    })
  const meet = (key: string, at: string, known: Known, how: Modality = 'face-to-face') => {
    const words = `${workerOf(known)} ${how === 'telephone' ? 'phones' : 'meets'} ${nameOf(known.person)}`
    plan(key, at, known, words, () => service.call('POST', '/fhir/Encounter', contact(known.patient, at, how)))
  }
  const end = (key: string, at: string, known: Known, outcome: Closure, words: string, reason: string) =>
    plan(key, at, known, words, async () => {
      const referral = await referralOf(service, known.patient)
      const parameter = closing(known, outcome, reason)
      await service.call('POST', `/fhir/ServiceRequest/${referral?.id}/$close`, { resourceType: 'Parameters', parameter })
    })

  for (const known of everybody) {
    const day = first[known.person.key]
    if (day) meet(`first ${known.person.key}`, officeTime(day, '11:00'), known)
    if (known.person.key === 'marcus') askMarcus(known)
  }

  /** Nobody may be told about Marcus, so that nothing but his own navigator moves his story on. */
  function askMarcus(known: Known) {
    meet('marcus again', officeTime('2026-03-12', '11:00'), known)
    meet('marcus day after', officeTime('2026-03-25', '14:30'), known, 'telephone')
    meet('marcus week after', officeTime('2026-03-31', '14:30'), known, 'telephone')
    const words = `${workerOf(known)} asks ${nameOf(known.person)} for the last time, and he still wants nobody told: RECONNECT’s support ends`
    const reason = 'Four weeks after release he still wants nobody told, and knows how to come back.'
    end('marcus end', officeTime('2026-04-21', '14:30'), known, 'declined-support', words, reason)
  }

  /** What is planned for something on the list, under which key; undefined: it is somebody else's to do, or they wait. */
  function planFor(item: WorkItem, known: Known): string | undefined {
    const key = `work ${item.id}`
    const day = today(exchange.now())
    const soon = (time: string) => next(day, time, exchange.now())
    if (item.reason === 'contacts') {
      if (!known.left) meet(key, officeTime(addWorkingDays(day, 1), '11:00'), known)
    } else if (item.reason === 'review') meet(key, soon('14:30'), known, 'telephone')
    else if (toPhone.has(item.reason)) {
      const owner = exchange.directory().partners.get(partnerIn(item) ?? '')
      const words = `${workerOf(known)} phones ${owner ? shortName(owner.name) : 'the partner'} about ${nameOf(known.person)}`
      plan(key, soon('15:45'), known, words, async () => undefined)
    } else if (item.reason === 'closure-proposed' && known.left) {
      const last = addWorkingDays(reviews(known.left).at(-1)?.on as string, 1)
      const words = `${workerOf(known)} ends the support of ${nameOf(known.person)}: needs are met`
      const at = officeTime(last < day ? addWorkingDays(day, 1) : last, '15:00')
      end(key, at, known, 'needs-met', words, 'Everything that was asked for has come to something.')
    } else return undefined
    return key
  }

  const partnerIn = ({ words }: WorkItem): string | undefined =>
    [...exchange.directory().partners.values()].find(({ name }) => words.includes(name))?.id

  return {
    async look() {
      const open = await openWork(exchange.database, serviceId)
      for (const [id, key] of seen) {
        if (open.some((item) => item.id === id)) continue
        seen.delete(id)
        if (key) agenda.drop(key)
      }
      for (const item of open) {
        const known = of(item.patient)
        if (seen.has(item.id) || !known) continue
        seen.set(item.id, planFor(item, known))
        if (!routine.has(item.reason) && !told.has(item.id)) {
          told.add(item.id)
          const name = nameOf(known.person)
          journal.write(`To do for ${workerOf(known)}, about ${name}: ${shortName(item.words)}`, { person: name, todo: true })
        }
      }
    },
  }
}

/** When everybody is met first: a prison a day. Joseph is with Enhanced RECONNECT by then. */
const [second, third] = [addDays(beginning.slice(0, 10), 1), addDays(beginning.slice(0, 10), 2)]
const first: Readonly<Record<string, string>> = {
  leah: second,
  priya: second,
  tanya: second,
  daniel: second,
  marcus: second,
  sean: third,
  callum: third,
}

/** Reasons of work items that ask to phone a partner. */
const toPhone = new Set(['no-answer', 'not-accepted', 'not-booked', 'no-outcome', 'not-registered', 'check-21', 'escalated'])
/** Asked as a matter of course, and done the same day. */
const routine = new Set(['release-day', 'review'])

const nameOf = ({ given, family }: Known['person']): string => `${given} ${family}`
const workerOf = ({ person }: Known): string => `${workers[person.worker].given} ${workers[person.worker].family}`

/** That time of this working day, or of the next one. */
function next(day: string, time: string, now: Date): string {
  const at = officeTime(day, time)
  return isWorkingDay(day) && at > now.toISOString() ? at : officeTime(addWorkingDays(day, 1), time)
}

function closing(known: Known, outcome: Closure, reason: string) {
  const by = [
    { name: 'name', valueString: workerOf(known) },
    { name: 'role', valueString: `care navigator, ${workers[known.person.worker].email}` },
  ]
  return [
    { name: 'outcome', valueCode: outcome },
    { name: 'reason', valueString: reason },
    { name: 'by', part: by },
  ]
}

/** The referral, while it is open. */
async function referralOf(service: Client, patient: string): Promise<ServiceRequest | undefined> {
  const found = await service.call<Bundle>('GET', `/fhir/ServiceRequest?patient=Patient/${patient}&status=active`)
  return (found.entry ?? []).map(({ resource }) => resource as ServiceRequest).find(({ identifier }) => !identifier)
}

const contact = (patient: string, at: string, how: Modality): Encounter => ({
  resourceType: 'Encounter',
  status: 'finished',
  class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: how === 'telephone' ? 'VR' : 'AMB' },
  type: [{ coding: [{ system: ours('contact-modality'), code: how }] }],
  subject: { reference: `Patient/${patient}` },
  period: { start: at },
  ...(how === 'telephone' ? { reasonCode: [{ text: 'Agreed with the person' }] } : {}),
})
