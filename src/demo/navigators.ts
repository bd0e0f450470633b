/**
 * What the two care navigators of the demo do themselves: they meet everybody twice before release, see how they are afterwards on the
 * days of the reviews, and end the support of those for whom everything came to something.
 */
import type { Bundle, Encounter, ServiceRequest } from '@medplum/fhirtypes'
import { addWorkingDays, isWorkingDay, reviews } from '../domain/calendar.ts'
import type { Modality } from '../domain/contacts.ts'
import { ours } from '../fhir/systems.ts'
import type { Agenda } from './agenda.ts'
import type { Client } from './client.ts'
import type { Journal } from './journal.ts'
import { officeTime } from './office.ts'
import { beginning } from './people.ts'
import { workers } from './record.ts'
import { type Known, releaseDay } from './world.ts'

export function letNavigatorsWork(given: { everybody: readonly Known[]; agenda: Agenda; journal: Journal; service: Client }) {
  const { everybody, agenda, journal, service } = given
  for (const { person, patient } of everybody) {
    const { given: first, family, email } = workers[person.worker]
    const worker = `${first} ${family}`
    const name = `${person.given} ${person.family}`
    const plan = (key: string, day: string, time: string, words: string, run: () => Promise<unknown>) =>
      agenda.put(`navigator ${person.key} ${key}`, {
        at: officeTime(day, time),
        words,
        run: async () => {
          if (!(await referralOf(service, patient))) return
          if (await run()) journal.write(words)
        },
      })
    const meet = (key: string, day: string, time: string, how: Modality) => {
      const words = how === 'telephone' ? `${worker} phones ${name}` : `${worker} meets ${name}`
      plan(key, day, time, words, () => service.call('POST', '/fhir/Encounter', contact(patient, officeTime(day, time), how)))
    }
    const start = beginning.slice(0, 10)
    meet('first', addWorkingDays(start, 2), '11:00', 'face-to-face')
    meet('second', addWorkingDays(start, 8), '11:00', 'face-to-face')
    const released = releaseDay(person)
    if (!released) continue
    for (const { name: review, on } of reviews(released)) meet(review, isWorkingDay(on) ? on : addWorkingDays(on, 1), '14:30', 'telephone')
    const last = addWorkingDays(reviews(released).at(-1)?.on as string, 1)
    plan('end', last, '15:00', `${worker} ends the support of ${name}: needs are met`, async () => {
      const referral = await referralOf(service, patient)
      const by = {
        name: 'by',
        part: [
          { name: 'name', valueString: worker },
          { name: 'role', valueString: `care navigator, ${email}` },
        ],
      }
      const said = [
        { name: 'outcome', valueCode: 'needs-met' },
        { name: 'reason', valueString: 'Everything that was asked for has come to something.' },
        by,
      ]
      // Refused while something is still open: then it stays so, and the work list says what.
      return service
        .call('POST', `/fhir/ServiceRequest/${referral?.id}/$close`, { resourceType: 'Parameters', parameter: said })
        .catch(() => undefined)
    })
  }
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
