/**
 * The ten invariants of domain/closed-loop.md C7, each as a short check of what can be seen from outside (`seen.ts`). Each gives what is
 * broken, in words, and nothing when all is well. They share no rule with the code they judge: days are reckoned in `days.ts`, consent in
 * `agreement.ts`.
 *
 * 2 and 9 are asked twice: of each message at the moment it arrives (`World.arrive`), and here of every shelf at every look.
 */
import type { Task } from '@medplum/fhirtypes'
import { type Kind, type Recipient, recipients } from './agreement.ts'
import { beginning, dayOf, later, monthsOn } from './days.ts'
import { type Arrival, cannotDropRepeats, idOf, recipientOf } from './partners.ts'
import {
  businessOf,
  type Custody,
  custodiesOf,
  handovers,
  isFinal,
  isHandover,
  namedWorkers,
  personIn,
  phaseOf,
  referrals,
  type Seen,
  tasks,
} from './seen.ts'

/** What is remembered from one look to the next. */
export type Memory = {
  arrivals: readonly Arrival[]
  /** Of how many arrivals it was asked already. */
  asked: { first: number }
  /** How many permitting decisions the audit has under a message's own id: when it was planned, and each time it was sent. */
  decided: Map<string, number>
  /** The final state of what is over, by reference. */
  over: Map<string, string>
  owed: Set<string>
  /** The days each person may have been going to leave since the last look: nobody sees what stood in between. */
  custodies: Map<string, Custody[]>
  /** May anybody be told this about this person now? By every reading of what was said. */
  mayBeTold: (text: string, to: Recipient, at: string) => { who: string; kind: Kind }[]
  /** May this recipient hear of this person (by the id of the record) at all? */
  mayHear: (patient: string, to: Recipient | undefined, at: string) => boolean
  /** What was written without a label: words found nowhere else. */
  unlabelled: readonly string[]
  /** Whose records were made one, so that more than one date may be meant. */
  joined: Set<string>
  /** About whom somebody was told without an agreement: that does not wait for a window either. */
  hurried: Set<string>
}
export type Invariant = { number: number; holds: string; broken: (seen: Seen, memory: Memory) => string[] }

export const invariants: readonly Invariant[] = [
  {
    number: 1,
    holds: 'no message goes out without a decision in the audit under the same transaction id',
    broken: ({ outbox }, { arrivals, decided }) => {
      const delivered = new Set(outbox.flatMap(({ id, state }) => (state === 'delivered' ? [id] : [])))
      return arrivals.flatMap(({ to, key }) => {
        const times = decided.get(key) ?? 0
        if (times === 0) return [`${to} got a message nobody decided about`]
        return times === 1 && delivered.has(key) ? [`${to} got a message that was not decided about both when planned and when sent`] : []
      })
    },
  },
  {
    number: 2,
    holds: 'once an agreement is taken back, has run out, or never was, the recipient reads nothing',
    broken: ({ shelves, outbox, at, awake }, { mayBeTold, mayHear }) => [
      ...recipients.flatMap((to) => mayBeTold(shelves[to].text, to, at).map(({ kind, who }) => `${to} can read ${kind} of ${who}`)),
      // Nor does anything wait to be sent.
      ...outbox
        .filter(({ state, reason }) => awake && /^(due|parked)$/.test(state) && /^(new|update|reminder)$/.test(reason))
        .filter(({ partner, patient }) => !mayHear(patient, recipientOf(partner), at))
        .map(({ partner }) => `a message to ${recipientOf(partner)} waits`),
    ],
  },
  {
    number: 3,
    holds: 'an active referral has an open Task, or says what it waits for; each open Task is waited for by a time or a person',
    broken: (seen) => [
      ...alone(seen),
      ...seenOpen(seen)
        .filter((task) => !isWaitedFor(seen, task))
        .map(tell),
    ],
  },
  {
    number: 4,
    holds: 'from when a worker is named to the end there is exactly one',
    broken: (seen) =>
      referrals(seen).flatMap((referral) => {
        const phase = phaseOf(referral) ?? ''
        const workers = namedWorkers(seen, personIn(referral.subject?.reference))
        const least = /^(pre-release|post-release|suspended|extended)$/.test(phase) ? 1 : 0
        const underWay = least === 1 || phase === 'accepted'
        if (least === 1 && workers.length === 0 && isAskedFor(seen, referral.subject?.reference)) return []
        return underWay && (workers.length > 1 || workers.length < least) ? [`${workers.length} named workers in ${phase}`] : []
      }),
  },
  {
    // What it means here: every clock that hangs on the release date stands where the date that counts now puts it, whatever was said before
    // and in whatever order. So a later date never makes anything due sooner, an earlier one never makes anything due later.
    number: 5,
    holds: 'clocks go the way the release date goes',
    broken: (seen, { joined }) => (seen.awake ? clocks(seen, joined) : []),
  },
  {
    // The senders' side, that a repeated request writes nothing, is asked by the command `repeat`.
    number: 6,
    holds: 'under one key there is one message, and who can not tell a repeat is sent none',
    broken: (_, { arrivals }) =>
      [...Map.groupBy(arrivals, ({ key }) => key).values()].flatMap((same) => [
        ...(new Set(same.map(({ text }) => text)).size > 1 ? ['two messages under one key'] : []),
        ...(same.slice(0, -1).some(({ to, said }) => cannotDropRepeats.includes(to) && (said === 'nothing' || said < 300))
          ? ['a blind repeat']
          : []),
      ]),
  },
  {
    number: 7,
    holds: 'what is over is not begun again',
    broken: (seen, { over }) =>
      [...tasks(seen).filter(isHandover), ...referrals(seen)].flatMap(({ resourceType, id, status }) => {
        const ref = `${resourceType}/${id}`
        const was = over.get(ref)
        if (isFinal(status ?? '')) over.set(ref, status as string)
        return was && was !== status && status !== 'entered-in-error' ? [`${resourceType} was ${was} and is ${status}`] : []
      }),
  },
  {
    number: 8,
    holds: 'what was owed is owed, arrived or void, whoever died in between; what counts as delivered was',
    broken: ({ outbox }, { owed, arrivals }) => {
      const there = new Set(outbox.map(({ id }) => id))
      const lost = [...owed].filter((id) => !there.has(id))
      for (const id of there) owed.add(id)
      const arrived = new Set(arrivals.map(({ key }) => key))
      const taken = new Set(arrivals.flatMap(({ key, said }) => (said !== 'nothing' && (said < 300 || said === 409) ? [key] : [])))
      const pushed = outbox.filter(({ partner, state }) => state === 'delivered' && !/wellbeing|reconnect-/.test(partner))
      return [
        ...lost.map(() => 'a message is gone from the outbox'),
        ...pushed.filter(({ id }) => !taken.has(id)).map(({ reason }) => `a message counts as delivered and was never taken (${reason})`),
        ...[...arrived].filter((key) => !there.has(key)).map(() => 'a message arrived that nobody owed'),
      ]
    },
  },
  {
    number: 9,
    holds: 'what has no label is told to nobody',
    broken: ({ shelves }, { unlabelled, arrivals }) => {
      const told = [...recipients.map((to) => shelves[to].text), ...arrivals.map(({ text }) => text)]
      return unlabelled.filter((word) => told.some((text) => text.includes(word))).map(() => 'an unlabelled fact was told')
    },
  },
  {
    number: 10,
    holds:
      'the days are kept: a practice is asked from 28 days before, nobody is held once 84 are left, somebody is asked when six months are over',
    broken: (seen, memory) => [
      ...askedTooEarly(seen, memory),
      ...(seen.awake ? [...heldTooLong(seen, memory), ...overdue(seen, memory)] : []),
    ],
  },
]

// 3

const seenOpen = (seen: Seen): Task[] => handovers(seen).filter(({ status }) => !isFinal(status))
const tell = (task: Task) => `nothing waits for a handover that is ${task.status} (${businessOf(task)})`

/** By a time, a person or a message on its way that is about it, or about its person as a whole. */
function isWaitedFor({ waits, outbox, record }: Seen, task: Task): boolean {
  const id = task.id as string
  if (outbox.some((one) => one.task === id && /^(due|sending|parked)$/.test(one.state))) return true
  const others = record.flatMap((one) => (one.resourceType === 'Task' && one.id !== id ? [one.id as string] : []))
  return waits.some(
    ({ patient, about, task: named }) =>
      patient === personIn(task.for?.reference) &&
      (about.includes(id) || named === id || !others.some((other) => about.includes(other) || named === other)),
  )
}

function alone(seen: Seen): string[] {
  return referrals(seen).flatMap((referral) => {
    const patient = personIn(referral.subject?.reference)
    const waited =
      seen.waits.some((one) => one.patient === patient) || seen.outbox.some((one) => one.patient === patient && one.state === 'due')
    const open = tasks(seen).some((task) => personIn(task.for?.reference) === patient && !isFinal(task.status))
    if (referral.status === 'active' && !open && !waited)
      return [`an active referral (${phaseOf(referral)}) has nothing open and waits for nothing`]
    const reasons = /^(held-early|info-requested|suspended)$/
    const held = reasons.test(phaseOf(referral) ?? '') && waited
    return referral.status === 'on-hold' && !held ? [`a referral is on hold (${phaseOf(referral)}) and nothing says why`] : []
  })
}

// 4

/** A record handed in, or left, without a worker: a person is asked to name one. */
const isAskedFor = ({ waits }: Seen, patient: string | undefined): boolean =>
  waits.some((one) => one.patient === personIn(patient) && /worker/.test(`${one.reason} ${one.about}`))

// 5

/** A practice is asked from four weeks before release, everybody else from when RECONNECT itself begins. */
const opensDays = (owner: string | undefined): number => (owner === `Organization/${idOf.practice}` ? 28 : 84)

/** Each clock of which the day is known, and that day by the date of release. */
const clocksOf: Readonly<Record<string, (custody: Custody, owner?: string) => string[]>> = {
  window: ({ release }, owner) => (release ? [later(release, -opensDays(owner))] : []),
  held: ({ release }) => (release ? [later(release, -84)] : []),
  'check-21': ({ left }) => (left ? [later(left, 21)] : []),
  'plan-end': ({ left }) => (left ? [later(monthsOn(left, 6), -28)] : []),
  'plan-over': ({ left }) => (left ? [later(monthsOn(left, 6), 1)] : []),
  'review-due': ({ left }) => (left ? [...[1, 7, 21, 42].map((days) => later(left, days)), monthsOn(left, 3)] : []),
}

function clocks(seen: Seen, joined: ReadonlySet<string>): string[] {
  return seen.waits.flatMap(({ patient, about, dueAt }) => {
    const name = about.split(':')[0] as string
    const days = clocksOf[name]
    if (!days || !dueAt || dueAt <= seen.at || joined.has(patient)) return []
    // An extension is its own date: a person said it.
    if (
      name.startsWith('plan-') &&
      referrals(seen).some((one) => personIn(one.subject?.reference) === patient && phaseOf(one) === 'extended')
    )
      return []
    const owner = handovers(seen).find(({ id }) => about.includes(id as string))?.owner?.reference
    const right = custodiesOf(seen, patient).flatMap((one) => days(one, owner).map(beginning))
    return right.includes(dueAt) ? [] : [`the clock “${name}” stands at ${dueAt}, and the date on record puts it at ${right.join(' or ')}`]
  })
}

// 10

/** Whoever may have been going to leave then, by this look or the one before. */
const mayBe = (seen: Seen, { custodies, joined }: Memory, patient: string): Custody[] | undefined =>
  joined.has(patient) ? undefined : [...custodiesOf(seen, patient), ...(custodies.get(patient) ?? [])]

function askedTooEarly(seen: Seen, memory: Memory): string[] {
  const { arrivals, asked } = memory
  const fresh = arrivals.slice(asked.first)
  asked.first = arrivals.length
  const firsts = fresh.filter(({ text }) => text.includes('"code":"new"'))
  return firsts.flatMap(({ to, key, at }) => {
    const patient = seen.outbox.find(({ id }) => id === key)?.patient ?? ''
    if (memory.hurried.has(patient)) return []
    const custodies = mayBe(seen, memory, patient)
    const open = custodies?.some(
      ({ release, left }) =>
        left !== undefined || (release !== undefined && dayOf(at) >= later(release, -opensDays(`Organization/${idOf[to]}`))),
    )
    return open === false ? [`${to} was asked on ${dayOf(at)}, and release is on ${custodies?.map(({ release }) => release)}`] : []
  })
}

function heldTooLong(seen: Seen, memory: Memory): string[] {
  return tasks(seen).flatMap((task) => {
    if (isHandover(task) || businessOf(task) !== 'held') return []
    const custodies = mayBe(seen, memory, personIn(task.for?.reference))
    const still = custodies?.some(({ release }) => release !== undefined && dayOf(seen.at) < later(release, -84))
    return still === false ? [`a referral is held on ${dayOf(seen.at)}, and release is on ${custodies?.map(({ release }) => release)}`] : []
  })
}

function overdue(seen: Seen, memory: Memory): string[] {
  return referrals(seen).flatMap((referral) => {
    const patient = personIn(referral.subject?.reference)
    if (phaseOf(referral) !== 'post-release') return []
    const custodies = mayBe(seen, memory, patient)?.filter(({ left }) => left !== undefined) ?? []
    const over = custodies.length > 0 && custodies.every(({ left }) => dayOf(seen.at) > monthsOn(left as string, 6))
    const isAsked = seen.waits.some((one) => one.patient === patient && one.reason === 'plan-overdue')
    return over && !isAsked
      ? [`support is over since ${custodies.map(({ left }) => monthsOn(left as string, 6))}, and nobody is asked`]
      : []
  })
}
