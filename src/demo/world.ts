/**
 * What happens to the eight people outside the exchange: prisons and courts decide, and the service's case system says so.
 */
import type { Observation } from '@medplum/fhirtypes'
import { addDays } from '../domain/calendar.ts'
import { dayWords } from '../domain/words.ts'
import type { Agenda } from './agenda.ts'
import type { Client } from './client.ts'
import type { Journal } from './journal.ts'
import { officeTime } from './office.ts'
import type { DemoPerson } from './people.ts'
import { custody } from './record.ts'

/** A person as the exchange knows them, and `left`: the day on which they left custody. */
export type Known = { person: DemoPerson; patient: string; custody: string; left?: string }

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

    /** Where the present stay is written down: another stay is another Observation. */
    let stay: string | undefined = known.custody
    const happens = (day: string, time: string, words: string, { anew, ...said }: Omit<Said, 'id'> & { anew?: true }) =>
      agenda.put(`world ${person.key} ${day}`, {
        at: officeTime(day, time),
        words,
        run: async () => {
          journal.write(words, { person: name })
          if (said.left) known.left = said.left
          else delete known.left
          const observation: Observation = custody(person, `Patient/${patient}`, { ...said, ...(stay && !anew ? { id: stay } : {}) })
          if (observation.id) await service.call('PUT', `/fhir/Observation/${observation.id}`, observation)
          else stay = (await service.call<Observation>('POST', '/fhir/Observation', observation)).id
        },
      })
    const released = (day: string) => happens(day, '10:15', `${name} is released from ${prison}`, { basis, since, release: day, left: day })

    if (person.key === 'callum') {
      happens(
        broughtForwardOn,
        '10:30',
        `${prison} brings ${name}’s release forward from ${dayWords(release as string)} to ${dayWords(broughtForwardTo)}`,
        {
          basis,
          since,
          release: broughtForwardTo,
        },
      )
      released(broughtForwardTo)
    } else if (person.key === 'sean') {
      happens(courtDay, '15:40', `A court releases ${name} without notice`, { basis, since, left: courtDay })
    } else if (release) released(release)

    if (person.key === 'tanya') {
      const recall = { basis: 'recall', since: recallDay } as const
      happens(recallDay, '11:20', `${name} is recalled to ${prison}`, { ...recall, anew: true })
      happens(newDateDay, '14:30', `${name}’s new release date is known: ${dayWords(againDay)}`, { ...recall, release: againDay })
      happens(againDay, '10:15', `${name} is released from ${prison} again`, { ...recall, release: againDay, left: againDay })
    }
  }
}

/** Days of the story, counted from its beginning (2 March 2026): people.ts tells them in words. */
const broughtForwardOn = addDays('2026-03-02', 7)
const broughtForwardTo = '2026-03-23'
const courtDay = addDays('2026-03-02', 3)
const recallDay = addDays('2026-03-02', 14)
/** A week later it is known that the recall is for 28 days. */
const newDateDay = addDays(recallDay, 7)
const againDay = addDays(recallDay, 28)
