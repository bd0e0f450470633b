/**
 * Once a night: is everything as it should be? Everybody is looked at in turn, whatever their timers say. What can be put right by looking
 * again (a timer, a work item, a shelf, a message that is owed) is; what nobody can explain is asked about.
 *
 * Nothing here is relied on: it finds what a fault of ours, a restored backup or a hand in the database left behind.
 */
import { v7 as newId } from 'uuid'
import type { Disclosure } from '../mapping.ts'
import { type AuditRow, deliveredInAudit, owedInAudit } from '../store/audit.ts'
import type { Statement } from '../store/database.ts'
import { longestShutMs } from '../store/lanes.ts'
import { markOf, setMark } from '../store/marks.ts'
import { voidOwed } from '../store/owed.ts'
import { personOf } from '../store/people.ts'
import { peopleKept } from '../store/retention.ts'
import { type Longest, owedToNobody, parkedUnasked, waitingTooLong, waitNoLonger } from '../store/strays.ts'
import { openWorkItem, resolveWorkItem } from '../store/work-items.ts'
import { learnToldInError } from './agreements.ts'
import { lookAgain } from './amend.ts'
import { giveUpMs } from './attempt.ts'
import { type Differences, startChange } from './change.ts'
import { leaseMs } from './deliver.ts'
import type { Exchange } from './exchange.ts'
import { takeUnseenOf } from './hmpps.ts'
import { plan } from './plan.ts'
import { countRefusals } from './refusals.ts'
import { type Situation, situationOf } from './situation.ts'
import { hasUnseen } from './unseen.ts'
import { ofTheNight as about, unwatched } from './watched.ts'

export type Reconciled = {
  people: number
  /** People whose record led to something else than stood there, and what: put right by looking again. */
  repaired: number
} & Record<keyof Differences, number> & {
    /**
     * Open, and nothing would wake it even after looking again; on a partner's shelf, and no audit tells of it; owed as the audit says, gone
     * from the outbox, and nothing says that it arrived: asked about.
     */
    unwatched: number
    unexplained: number
    lost: number
    /** Messages about somebody who was erased, made void; parked messages nobody was asked about; what waited longer than we ever wait. */
    toNobody: number
    parked: number
    late: number
    /** Of a service that is not in the directory. */
    strangers: number
    /** People who could not be looked at. */
    failed: number
  }

export type How = {
  /** false: only counted. */
  write?: boolean
  withinMs?: number
  /** So many times as long as looking at somebody took, everything else has its turn: beside a gateway that is at work. */
  rest?: number
  /** Ends it where it is. */
  signal?: AbortSignal
}

const atOnce = 100
const placeMark = 'reconcile.after'
const reportMark = 'reconciled'

/**
 * @returns what was found. With `withinMs` it ends in time and goes on there when it is called again
 */
export async function reconcile(exchange: Exchange, { write = true, withinMs, rest = 0, signal }: How = {}): Promise<Reconciled> {
  const { database } = exchange
  const end = withinMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + withinMs
  const found: Reconciled = { ...none, ...(await messages(exchange, write)) }
  let after = withinMs === undefined ? '' : ((await markOf(database, placeMark)) ?? '')
  for (;;) {
    const people = await peopleKept(database, after, atOnce)
    for (const id of people) {
      if (signal?.aborted) return found
      const began = performance.now()
      await one(exchange, id, found, write)
      // Nobody waits for this; requests and deliveries have their turn.
      await new Promise((done) => setTimeout(done, rest * (performance.now() - began)))
    }
    after = people.length < atOnce ? '' : (people.at(-1) as string)
    if (after === '' || performance.now() > end) break
  }
  if (write) {
    const report = JSON.stringify({ at: exchange.now().toISOString(), ...found })
    await database.atomically([
      setMark(reportMark, report),
      await countRefusals(exchange),
      ...(withinMs === undefined ? [] : [setMark(placeMark, after)]),
    ])
  }
  return found
}

const none: Reconciled = {
  people: 0,
  repaired: 0,
  ...{ timers: 0, work: 0, record: 0, shelves: 0, messages: 0 },
  ...{ unwatched: 0, unexplained: 0, lost: 0, toNobody: 0, parked: 0, late: 0, strangers: 0, failed: 0 },
}

/** What the last night found, for the metrics. */
export async function lastReconciled(database: Exchange['database']): Promise<(Reconciled & { at: string }) | undefined> {
  const kept = await markOf(database, reportMark)
  return kept === undefined ? undefined : (JSON.parse(kept) as Reconciled & { at: string })
}

async function one(exchange: Exchange, patient: string, found: Reconciled, write: boolean): Promise<void> {
  found.people++
  try {
    const situation = await situationOf(exchange, patient)
    if (!situation) {
      found.strangers++
      return
    }
    // Two commits at the very same moment: an event was kept for nobody as its person was referred.
    if (await hasUnseen(exchange.database, situation)) {
      if (write) await takeUnseenOf(exchange, patient)
      found.repaired++
    }
    const audit = await owedInAudit(exchange.database, patient)
    const unexplained = unexplainedOn(situation, audit)
    // Looked at in a moment anyhow.
    const soon = situation.timers.some(({ dueAt }) => dueAt <= situation.now.toISOString())
    const differences = soon ? undefined : await replanned(exchange, situation)
    if (differences) {
      found.repaired++
      for (const [what, count] of Object.entries(differences)) found[what as keyof Differences] += count
      if (write) await lookAgain(exchange, patient)
    }
    const now = differences && write ? ((await situationOf(exchange, patient)) as Situation) : situation
    const alone = soon ? [] : unwatched(now)
    found.unwatched += alone.length
    found.unexplained += unexplained.length
    const lost = await lostOf(exchange, now, audit)
    found.lost += lost.length
    if (write) await askAbout(exchange, now, [...alone.map(nothingWakes), ...unexplained.map(nobodyTold(now)), ...lost.map(isLost(now))])
  } catch (error) {
    found.failed++
    exchange.log('error', 'reconcile.failed', { error: error instanceof Error ? error.name : 'unknown' })
    if (write) await askAboutUnreadable(exchange, patient)
  }
}

/** A record nobody can read wakes nobody: its service hears of it, until it can be read again. */
async function askAboutUnreadable(exchange: Exchange, patient: string): Promise<void> {
  const words =
    'The exchange can not read this record, so nothing about it goes on. Tell whoever runs the exchange, and phone whom you are waiting for.'
  try {
    const person = await personOf(exchange.database, patient)
    if (!person) return
    const item = { id: newId(), service: person.service, patient, about: `${about}Patient/${patient}`, reason: 'unreadable', words }
    await exchange.database.atomically([openWorkItem({ ...item, openedAt: exchange.now().toISOString() })])
  } catch (error) {
    exchange.log('error', 'reconcile.failed', { error: error instanceof Error ? error.name : 'unknown' })
  }
}

/** What planning anew, on a copy in memory, would write; undefined: all is as it should be. */
async function replanned(exchange: Exchange, situation: Situation): Promise<Differences | undefined> {
  const copy = {
    ...situation,
    record: new Map(situation.record),
    told: new Map(situation.told),
    owed: situation.owed.map((row) => ({ ...row })),
  }
  const change = startChange(copy, { who: 'exchange' })
  await learnToldInError(exchange.database, copy)
  plan(change)
  const differences = change.differences()
  return Object.values(differences).some((count) => count > 0) ? differences : undefined
}

/** 'partner Type/id' of what stands on a partner's shelf with something in it that no audit says this partner was told. */
function unexplainedOn({ told }: Situation, audit: readonly AuditRow[]): string[] {
  const known = new Set(
    audit.flatMap(({ recipient, detail }) =>
      ((JSON.parse(detail ?? '{}') as { told?: [string, string][] }).told ?? []).map(([ref, path]) => `${recipient} ${ref} ${path}`),
    ),
  )
  return [...told.values()].flatMap(({ shelf, type, id, basis }) => {
    if (!shelf.startsWith('partner:')) return []
    const partner = shelf.slice('partner:'.length)
    const disclosed = JSON.parse(basis ?? '[]') as Disclosure[]
    return disclosed.some(({ ref, path }) => !known.has(`${partner} ${ref} ${path}`)) ? [`${partner} ${type}/${id}`] : []
  })
}

type Lost = { message: string; partner: string; task: string }

/** Owed as the audit says, and no longer in the outbox: unless it arrived, or something newer took its place, nobody knows what its partner has. */
async function lostOf({ database }: Exchange, { patient, owed }: Situation, audit: readonly AuditRow[]): Promise<Lost[]> {
  const kept = new Set(owed.map(({ id }) => id))
  const gone = audit.flatMap(({ recipient, entity, detail }): Lost[] => {
    const { message } = JSON.parse(detail ?? '{}') as { message?: string }
    const task = entity?.replace('Task/', '')
    return message && !kept.has(message) && recipient && task ? [{ message, partner: recipient, task }] : []
  })
  const open = gone.filter(({ message, task }) => !owed.some((row) => row.task === task && row.id > message))
  if (open.length === 0) return []
  const arrived = new Set((await deliveredInAudit(database, patient)).map(({ detail }) => (JSON.parse(detail ?? '{}') as Lost).message))
  return open.filter(({ message }) => !arrived.has(message))
}

type Question = { about: string; reason: string; words: string; task?: string }

const nothingWakes = (ref: string): Question => ({
  about: `${about}${ref}`,
  reason: 'nothing-waits',
  words:
    'This is open, and nothing would ever remind anybody of it. Look at it, decide how it goes on, and tell whoever runs the exchange.',
  ...(ref.startsWith('Task/') ? { task: ref.slice('Task/'.length) } : {}),
})

const nobodyTold =
  ({ directory }: Situation) =>
  (what: string): Question => {
    const partner = what.split(' ')[0] as string
    return {
      about: `${about}${what}`,
      reason: 'shelf-unexplained',
      words: `${directory.partners.get(partner)?.name ?? partner} can read something about this person that nothing says it was told. Tell whoever runs the exchange, and the information-governance lead.`,
    }
  }

const isLost =
  ({ directory }: Situation) =>
  ({ message, partner, task }: Lost): Question => ({
    about: `${about}message:${message}`,
    reason: 'message-lost',
    words: `A message to ${directory.partners.get(partner)?.name ?? partner} is gone, and nothing says that it arrived. Phone them and see what they know; tell whoever runs the exchange.`,
    task,
  })

/** Work items of this step say what is so tonight. */
async function askAbout(exchange: Exchange, { patient, service, work }: Situation, questions: readonly Question[]): Promise<void> {
  const at = exchange.now().toISOString()
  const asked = new Set(questions.map((question) => question.about))
  const unit: Statement[] = [
    ...work.filter((item) => item.about.startsWith(about) && !asked.has(item.about)).map(({ id }) => resolveWorkItem(id, at)),
    ...questions
      .filter((question) => !work.some((item) => item.about === question.about))
      .map((question) => openWorkItem({ id: newId(), service: service.id, patient, openedAt: at, ...question })),
  ]
  if (unit.length > 0) await exchange.database.atomically(unit)
}

/** Messages that no look at a person would find. */
async function messages(exchange: Exchange, write: boolean): Promise<Pick<Reconciled, 'toNobody' | 'parked' | 'late'>> {
  const { database } = exchange
  const at = exchange.now().toISOString()
  const longest = longestFrom(exchange.now())
  const [toNobody, parked, late] = [await owedToNobody(database), await parkedUnasked(database), await waitingTooLong(database, longest)]
  const unit = [
    ...toNobody.map((owed) => voidOwed(owed, at)),
    ...(late ? waitNoLonger(at, longest) : []),
    ...parked.map(({ id, service, patient, task }) =>
      openWorkItem({
        id: newId(),
        ...{ service, patient, task, openedAt: at },
        about: `parked:${id}`,
        reason: 'parked',
        words: 'A message did not arrive, and nobody was asked to look. Mend the cause and send it again, or phone.',
      }),
    ),
  ]
  if (write && unit.length > 0) await database.atomically(unit)
  return { toNobody: toNobody.length, parked: parked.length, late }
}

function longestFrom(now: Date): Longest {
  const after = (ms: number) => new Date(now.getTime() + ms).toISOString()
  return { lease: after(leaseMs), wait: after(giveUpMs), shut: after(longestShutMs) }
}
