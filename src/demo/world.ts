/**
 * What happens to the eight people outside the exchange: prisons and courts decide, and the service's case system says so.
 */
import type { Observation } from '@medplum/fhirtypes'
import { dayWords } from '../console/words.ts'
import { addDays } from '../domain/calendar.ts'
import type { Agenda } from './agenda.ts'
import type { Client } from './client.ts'
import type { Journal } from './journal.ts'
import { officeTime } from './office.ts'
import type { DemoPerson } from './people.ts'
import { custody } from './record.ts'

/** A person as the exchange knows them. */
export type Known = { person: DemoPerson; patient: string; custody: string }

type Said = Parameters<typeof custody>[2]

/** Puts on the agenda everything that is going to happen. */
export function letTheWorldTurn({
  everybody,
  agenda,
  journal,
  service,
}: {
  everybody: readonly Known[]
  agenda: Agenda
  journal: Journal
  service: Client
}) {
  for (const known of everybody) {
    const { person, patient } = known
    const name = `${person.given} ${person.family}`
    const { basis, since, release } = person.custody
    const prison = person.custody.prison[1]

    const happens = (day: string, time: string, words: string, said: Said) =>
      agenda.put(`world ${person.key} ${said.left ? 'out' : said.since === since ? 'date' : 'back'}`, {
        at: officeTime(day, time),
        words,
        run: async () => {
          journal.write(words)
          const observation: Observation = custody(person, `Patient/${patient}`, said)
          if (said.id) await service.call('PUT', `/fhir/Observation/${said.id}`, observation)
          else await service.call('POST', '/fhir/Observation', observation)
        },
      })
    const released = (day: string) =>
      happens(day, '10:15', `${name} is released from ${prison}`, { basis, since, release: day, left: day, id: known.custody })

    if (person.key === 'callum') {
      happens(
        broughtForwardOn,
        '10:30',
        `${prison} brings ${name}’s release forward from ${dayWords(release as string)} to ${dayWords(broughtForwardTo)}`,
        {
          basis,
          since,
          release: broughtForwardTo,
          id: known.custody,
        },
      )
      released(broughtForwardTo)
    } else if (person.key === 'sean') {
      happens(courtDay, '15:40', `A court releases ${name} without notice`, { basis, since, left: courtDay, id: known.custody })
    } else if (release) released(release)

    if (person.key === 'tanya') {
      happens(recallDay, '11:20', `${name} is recalled to ${prison}`, { basis: 'recall', since: recallDay })
    }
  }
}

/** Days of the story, counted from its beginning (2 March 2026): people.ts tells them in words. */
const broughtForwardOn = addDays('2026-03-02', 7)
const broughtForwardTo = '2026-03-23'
const courtDay = addDays('2026-03-02', 3)
const recallDay = addDays('2026-03-02', 14)

/** The day somebody leaves, as it will turn out. */
export const releaseDay = ({ key, custody: { release } }: DemoPerson): string | undefined =>
  key === 'callum' ? broughtForwardTo : key === 'sean' ? courtDay : release
