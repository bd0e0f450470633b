/**
 * A person's journey as the first page and the summary show it, read from the record each time; nothing is kept for it.
 */
import type { Task } from '@medplum/fhirtypes'
import { today } from '../domain/calendar.ts'
import type { Custody } from '../domain/case.ts'
import { offeredBefore } from '../domain/contacts.ts'
import { latestOf } from '../domain/decisions.ts'
import type { HandoverState } from '../domain/handover.ts'
import { stateWords } from '../domain/handover-words.ts'
import { isFinal, type Phase, phaseWords } from '../domain/lifecycle.ts'
import { closures } from '../domain/outcomes.ts'
import { given } from '../domain/resources.ts'
import { byWords, dayWords } from '../domain/words.ts'
import { type Considered, consider, type Understanding } from '../exchange/consider.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { type Life, lifeOf } from '../exchange/life.ts'
import { ofType, resourcesOf, type Situation, situationOf, tasksOf } from '../exchange/situation.ts'
import { handoverKey, isHandover, stateOf } from '../exchange/task.ts'
import { type Owed, owedOfPatient } from '../store/owed.ts'
import { isCustody } from './news.ts'
import { shortName } from './partners.ts'
import { timerWordsFor } from './timer-words.ts'
import { type Kept, keptFrom, toldWords } from './told.ts'
import type { Known } from './world.ts'

export type HandoverView = {
  task: string
  partner: string
  /** 'Elvet Riverside Surgery', 'GP practice', 'gp-registration'. */
  name: string
  kind: string
  kindCode: string
  state: HandoverState
  words: string
  /** How far: 0 waiting, 1 told, 2 answered, 3 done. */
  reached: 0 | 1 | 2 | 3
  asks: string
  /** Why it is where it is: what needs a person first, then what it waits for. */
  waits: { words: string; needsPerson: boolean }[]
  /** In words: what the partner was told last, or would be told when its time comes. */
  told: string[]
  toldYet: boolean
  /** The person agreed that this partner is told, now or when it was told. */
  agreed: boolean
  kept: Kept[]
}

export type PersonView = {
  patient: string
  name: string
  /** closed-loop.md C1; absent: there is no referral. */
  phase?: Phase
  /** The same in words. */
  where: string
  facts: string[]
  worker?: string
  steps: { name: string; done: number; of: number }[]
  handovers: HandoverView[]
  /** What needs a person and belongs to no handover. */
  work: string[]
  /** How RECONNECT's support ended, when it has. */
  ended?: string
  /** When the exchange looks at the person again, and what for. */
  next?: { at: string; words: string }
}

/** Everybody, as the record has them now. */
export async function peopleView(exchange: Exchange, everybody: readonly Known[]): Promise<PersonView[]> {
  return (await Promise.all(everybody.map(({ patient }) => personView(exchange, patient)))).flatMap((one) => one ?? [])
}

async function personView(exchange: Exchange, patient: string): Promise<PersonView | undefined> {
  const situation = await situationOf(exchange, patient)
  const known = situation && consider(situation)
  const found = known?.case
  if (!situation || !known || !found) return undefined
  const owed = await owedOfPatient(exchange.database, patient)
  const handovers = tasksOf(situation)
    .filter(isHandover)
    .map((task) => handoverView(situation, known, task, owed))
    .sort((a, b) => a.kindCode.localeCompare(b.kindCode))
  const count = (least: number) => handovers.filter(({ reached }) => reached >= least).length
  const of = handovers.length
  const { person, worker } = found
  const life = lifeOf(situation, known)
  return {
    patient,
    name: [...(person.given ?? []), person.family].join(' '),
    ...(life ? { phase: life.phase } : {}),
    where: whereWords(known, life, today(situation.now)),
    facts: [...custodyWords(found.custody, today(situation.now)), ...contactWords(found.custody, life, stayOf(situation))],
    ...(worker?.family && !isWithOthers(life) ? { worker: [...(worker.given ?? []), worker.family].join(' ') } : {}),
    steps: [
      { name: 'Referred', done: found.referral ? 1 : 0, of: 1 },
      { name: 'Agreed', done: handovers.filter(({ agreed }) => agreed).length, of },
      { name: 'Told', done: count(1), of },
      { name: 'Answered', done: count(2), of },
      { name: 'Done', done: count(3), of },
    ],
    handovers,
    work: situation.work.filter(({ task }) => !task).map(({ words }) => shortName(words)),
    ...given('ended', endWords(life, handovers)),
    ...given('next', nextLook(situation, [...(person.given ?? []), person.family].join(' '))),
  }
}

/** Where a person stands, in plain words. */
function whereWords(known: Understanding, life: Life | undefined, day: string): string {
  const { custody, person } = known.case as NonNullable<Understanding['case']>
  if (person.died) return 'has died'
  if (!life) return 'not referred'
  if (life.phase !== 'pre-release') return phaseWords(life.phase)
  if (!custody?.releaseDate) return `${phaseWords(life.phase)}, date not known`
  return custody.releaseDate < day ? 'release not confirmed' : phaseWords(life.phase)
}

function custodyWords(custody: Custody | undefined, day: string): string[] {
  if (!custody) return []
  const place = custody.establishment?.name ?? 'custody'
  if (custody.left) return [`Left ${place} on ${dayWords(custody.left)}`]
  const why = custody.basis === 'remand' ? ' on remand' : custody.basis === 'recall' ? ' after recall' : ''
  if (!custody.releaseDate) return [`In ${place}${why}, release date not known`]
  const expected = custody.releaseDate < day ? 'was expected' : 'expected'
  return [
    `In ${place}${why}, release ${expected} on ${dayWords(custody.releaseDate)}${custody.releaseDateConfirmed ? '' : ' (not confirmed)'}`,
  ]
}

/** Another service has taken the person over: what their worker does is not ours to know. */
const isWithOthers = (life: Life | undefined): boolean => life?.phase === 'transferred' || life?.phase === 'stepped-up'

const takers = new Set(['reconnect-service', 'enhanced-reconnect'])

/** How it ended, in words; a person's death is no ending of ours to tell. */
function endWords(life: Life | undefined, handovers: readonly HandoverView[]): string | undefined {
  if (!life || !isFinal(life.phase)) return undefined
  const closure = latestOf(life.request, 'closure')
  const taker = isWithOthers(life) && handovers.find(({ kindCode, reached }) => takers.has(kindCode) && reached >= 2)
  const how = taker
    ? `${taker.name} has taken over`
    : closure && life.phase === 'closed'
      ? closures[closure.code].words
      : phaseWords(life.phase)
  return [`${capital(how)}.`, closure?.reason].filter(Boolean).join(' ')
}

const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1)

/** The present or last stay in custody: since when, and whether there was one before it. */
function stayOf(situation: Situation) {
  const stays = ofType(resourcesOf(situation.record), 'Observation').filter(isCustody)
  const starts = stays.flatMap(({ effectivePeriod }) => effectivePeriod?.start?.slice(0, 10) ?? []).sort()
  return { since: starts.at(-1), returned: starts.length > 1 }
}

/** The first of a person's timers, by what it is for. */
function nextLook({ timers }: Situation, name: string): PersonView['next'] {
  const [first] = timers.toSorted((a, b) => (a.dueAt < b.dueAt ? -1 : 1))
  return first && { at: first.dueAt, words: timerWordsFor(first.about, name) }
}

/** What was offered before release, and why it was not more. */
function contactWords(custody: Custody | undefined, life: Life | undefined, { since, returned }: ReturnType<typeof stayOf>): string[] {
  if (!life || !custody || isWithOthers(life)) return []
  const { left, releaseDate } = custody
  const release = left ?? releaseDate
  const { offered, tookPlace, state, words } = offeredBefore({
    contacts: life.contacts,
    ...given('referredOn', life.referredOn),
    ...given('release', release),
    ...given('since', returned ? since : undefined),
    ...(left ? { left: true } : {}),
    ...given('expected', releaseDate),
  })
  const when = returned ? 'since the return to custody' : 'before release'
  const counted = offered
    ? `${times(tookPlace)} ${when}${offered > tookPlace ? `, of ${offered} times offered` : ''}`
    : left
      ? `Not met ${when}`
      : `Not met yet${returned ? ` ${when}` : ''}`
  return [state === 'met' || !left ? counted : `${counted}: ${words.charAt(0).toLowerCase()}${words.slice(1).replace(/\.$/, '')}`]
}

const times = (count: number): string =>
  count === 0 ? 'Not met' : count === 1 ? 'Met once' : count === 2 ? 'Met twice' : `Met ${count} times`

function handoverView(situation: Situation, known: Understanding, task: Task, owed: readonly Owed[]): HandoverView {
  const partner = task.owner?.reference?.replace('Organization/', '') as string
  const considered = known.partners.find((one) => one.partner.id === partner)
  const entry = situation.directory.partners.get(partner)
  const state = stateOf(task)
  const last = owed.filter((one) => one.task === task.id && one.state === 'delivered').at(-1)
  const planned = considered?.filled.outcome === 'ready' ? toldWords(considered.filled.disclosures) : []
  const activity = considered?.wanted.find(({ activity }) => handoverKey(task)?.endsWith(`:${activity.key}`))?.activity
  return {
    task: task.id as string,
    partner,
    name: shortName(entry?.name ?? partner),
    kind: (entry && situation.adapters.get(entry.kind)?.name) ?? 'Partner',
    kindCode: entry?.kind ?? 'unknown',
    state,
    words: wordsFor(state, entry?.channel.name, last !== undefined),
    reached: state.businessStatus === 'queued' ? 0 : (reached[state.status] ?? 0),
    asks: activity?.description ?? 'The plan no longer asks this of them.',
    waits: [
      ...(state.businessStatus === 'suspended-custody' ? [{ words: 'Goes on when a new release date is known.', needsPerson: false }] : []),
      ...waitsOf(situation, task.id as string, considered),
    ],
    told: last ? toldWords(JSON.parse(last.basis)) : planned,
    toldYet: last !== undefined,
    agreed: last !== undefined || (considered !== undefined && considered.filled.outcome !== 'withheld'),
    kept: keptFrom(considered),
  }
}

/** How it stands, by the way it travels: what is fetched is not sent, and another service of the gateway has it before anybody looks. */
function wordsFor(state: HandoverState, channel: string | undefined, toldYet: boolean): string {
  if (state.status === 'cancelled' && !toldYet) return 'never sent'
  if (channel === 'pull' && state.businessStatus === 'delivered') return 'ready, not yet fetched'
  if (channel === 'here' && state.businessStatus === 'acknowledged') return 'arrived, not yet answered'
  return stateWords(state)
}

const reached: Readonly<Partial<Record<HandoverState['status'], HandoverView['reached']>>> = {
  requested: 1,
  received: 1,
  accepted: 2,
  rejected: 2,
  'in-progress': 2,
  'on-hold': 2,
  failed: 2,
  completed: 3,
}

function waitsOf({ work, timers }: Situation, task: string, considered: Considered | undefined): HandoverView['waits'] {
  const asked = considered?.adapter.name ?? 'This partner'
  return [
    ...work.filter((item) => item.task === task).map(({ words }) => ({ words: shortName(words), needsPerson: true })),
    ...timers
      .filter(({ about }) => about.endsWith(`:${task}`))
      .map(({ about, dueAt }) => ({ words: timerWords(about.split(':')[0] as string, dueAt, asked), needsPerson: false })),
  ]
}

function timerWords(kind: string, dueAt: string, asked: string): string {
  if (kind === 'window') return `${asked} is asked from ${dayWords(new Date(dueAt))}.`
  if (kind === 'answer') return `An answer is expected by ${byWords(dueAt)}. After that, it is reminded, and then somebody phones.`
  if (kind === 'chase') return `If nothing is heard by ${byWords(dueAt)}, somebody is asked to do more.`
  if (kind === 'due') return `${asked} is to be asked by ${byWords(dueAt)}.`
  if (kind === 'outcome') return `If nothing is heard by ${byWords(dueAt)}, somebody asks how it ended.`
  if (kind === 'check-21') return `On ${dayWords(new Date(dueAt))}, three weeks after release, somebody asks whether treatment goes on.`
  if (kind === 'cancel') return `Confirmation that it stopped is expected by ${byWords(dueAt)}.`
  return `Looked at again on ${dayWords(new Date(dueAt))}.`
}
