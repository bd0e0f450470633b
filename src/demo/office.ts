/**
 * The people behind a simulated partner: they read what comes in and answer after a while, in office hours, as people would.
 * How it comes in and how they answer is the partner's own (`partner.ts`, `drug-team.ts`).
 */
import type { Bundle, MessageHeader, Patient, Resource, Task } from '@medplum/fhirtypes'
import { addWorkingDays, isWorkingDay, startOfDay, today } from '../domain/calendar.ts'
import type { HandoverState } from '../domain/handover.ts'
import { stateWords } from '../domain/handover-words.ts'
import type { Agenda } from './agenda.ts'
import type { Journal } from './journal.ts'
import { type News, newsIn, releaseIn } from './news.ts'

/** Something that comes in. */
export type Arrived = {
  id: string
  /** Instant. */
  at: string
  /** Logical id of the handover's Task. */
  task: string
  bundle: Bundle
  /** They fetched it themselves. */
  pulled?: true
}

/** Something in the inbox, read. */
export type Letter = Arrived & { person: string; news: News }

/** One thing a partner says, and how long it takes them. */
export type Step = {
  say: HandoverState
  /** Working days after their last answer, or after release (then only once the day is known). */
  after: 'last' | 'release'
  workingDays: number
  /** Office time, 'HH:MM' in London. */
  time: string
}

export type Office = {
  inbox: Letter[]
  take(arrived: Arrived): void
}

type Open = { letter: Letter; step: number; since: string; release?: string; held: boolean }

/** @param answer sends the answer for the handover in this letter; throws when it is refused */
export function openOffice(given: {
  name: string
  steps: readonly Step[]
  agenda: Agenda
  journal: Journal
  now: () => Date
  answer: (letter: Letter, say: HandoverState) => Promise<void>
}): Office {
  const { name, steps, agenda, journal, now } = given
  const inbox: Letter[] = []
  const open = new Map<string, Open>()

  const schedule = (one: Open) => {
    const key = `${name} ${one.letter.task}`
    const step = steps[one.step]
    const at = step && whenFor(step, one, now())
    if (!step || !at) return agenda.drop(key)
    agenda.put(key, { at, words: `${name} answers about ${one.letter.person}`, run: () => carryOut(one, step) })
  }

  const carryOut = async (one: Open, { say }: Step) => {
    try {
      await given.answer(one.letter, say)
      journal.write(said(name, one.letter.person, say), one.letter)
    } catch (error) {
      const why = error instanceof Error ? error.message : 'it was refused'
      journal.write(`${name} could not answer about ${one.letter.person}: ${why}`, one.letter)
      return
    }
    one.step++
    one.since = now().toISOString()
    schedule(one)
  }

  return {
    inbox,
    take(arrived) {
      const last = inbox.find(({ task }) => task === arrived.task)
      // A message that is about ids only names nobody: the partner knows from the one before whom it means.
      const person = personIn(arrived.bundle) ?? last?.person ?? 'somebody'
      const letter: Letter = { ...arrived, person, news: newsIn(arrived.bundle, last?.bundle, person, arrived.pulled === true) }
      inbox.unshift(letter)
      journal.write(`${name} ${letter.news.sentence}`, letter)
      const known = open.get(letter.task)
      const key = `${name} ${letter.task}`
      if (letter.news.kind === 'stop' || letter.news.kind === 'ended') {
        agenda.drop(key)
        open.delete(letter.task)
        return
      }
      const held = taskIn(letter.bundle)?.status === 'on-hold'
      const release = releaseIn(letter.bundle)
      const goesOn = known?.held === true && !held
      const one: Open = {
        letter,
        held,
        step: goesOn ? Math.min(known.step, firstAfterYes(steps)) : (known?.step ?? 0),
        since: goesOn ? letter.at : (known?.since ?? letter.at),
        ...(release ? { release } : {}),
      }
      open.set(letter.task, one)
      // On hold: nothing is answered until they are told that it goes on.
      if (held) agenda.drop(key)
      else schedule(one)
    },
  }
}

/** An answer as a sentence. */
function said(name: string, person: string, say: HandoverState): string {
  const words = say.businessStatus && sentences[say.businessStatus]
  return words ? words.replace('{name}', name).replace('{person}', person) : `${name} about ${person}: ${stateWords(say)}`
}

const sentences: Readonly<Partial<Record<NonNullable<HandoverState['businessStatus']>, string>>> = {
  accepted: '{name} says yes to {person}',
  'in-progress': '{name} has started work for {person}',
  'appointment-booked': '{name} has booked an appointment for {person}',
  attended: '{name} has seen {person}',
  registered: '{name} has registered {person}',
  engaged: '{person} is engaged with {name}',
  supported: '{person} is supported by {name}',
}

/** Where they begin again with somebody who was back in custody: an appointment from before is no use to anybody. */
const firstAfterYes = (steps: readonly Step[]): number => steps.findIndex(({ say }) => say.status !== 'accepted')

/** In office hours, and never before now. Undefined: it depends on a day nobody knows yet. */
function whenFor({ after, workingDays, time }: Step, { since, release }: Open, now: Date): string | undefined {
  const from = after === 'last' ? today(new Date(since)) : release
  if (!from) return undefined
  const at = officeTime(addWorkingDays(from, workingDays), time)
  if (at > now.toISOString()) return at
  const day = today(now)
  const todayAt = isWorkingDay(day) ? officeTime(day, time) : undefined
  return todayAt && todayAt > now.toISOString() ? todayAt : officeTime(addWorkingDays(day, 1), time)
}

/** 'HH:MM' on a London day, as an instant; not for the few days on which the clocks change (they are Sundays). */
export function officeTime(day: string, time: string): string {
  const [hours = 0, minutes = 0] = time.split(':').map(Number)
  return new Date(Date.parse(startOfDay(day).instant) + (hours * 60 + minutes) * 60_000).toISOString()
}

const all = (bundle: Bundle): Resource[] => (bundle.entry ?? []).flatMap(({ resource }) => resource ?? [])
const find = <T extends Resource['resourceType']>(bundle: Bundle, type: T) =>
  all(bundle).find((one): one is Extract<Resource, { resourceType: T }> => one.resourceType === type)

export const headerIn = (bundle: Bundle): MessageHeader | undefined => find(bundle, 'MessageHeader')
export const taskIn = (bundle: Bundle): Task | undefined => find(bundle, 'Task')

/** 'Leah Okafor'. Undefined: the message does not say. */
function personIn(bundle: Bundle): string | undefined {
  const { family, given } = (find(bundle, 'Patient') as Patient | undefined)?.name?.[0] ?? {}
  return family ? [...(given ?? []), family].join(' ') : undefined
}
