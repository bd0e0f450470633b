/**
 * The outbox: frozen messages, claimed under a lease, settled by the attempt that holds it.
 *
 * Messages of one handover go out in the order they were owed: one that is not settled holds back those behind it.
 */
import { type Database, mustChange, type Sealed, type Statement, sealed, statement, unsealed } from './database.ts'

export type OwedState = 'due' | 'sending' | 'delivered' | 'parked' | 'void'

export type NewOwed = {
  /** The message's key: X-Request-Id at every attempt. */
  id: string
  partner: string
  service: string
  patient: string
  task: string
  /** new | update | revoke | reminder */
  reason: string
  correlation: string
  body: string
  /** JSON of Disclosure[]: asked again before every attempt. */
  basis: string
  createdAt: string
  dueAt: string
}

export type Owed = Omit<NewOwed, 'body'> & {
  seq: number
  body?: string
  state: OwedState
  /** The attempt in hand or made last; the fence of its lease. */
  attempts: number
  /** An earlier attempt ended without an answer: the partner may have it all the same. */
  unanswered: boolean
  leaseUntil?: string
  firstTriedAt?: string
  settledAt?: string
  receipt?: string
  note?: string
}

/** How a message stands. `basis` of one that is still on its way only: what it said is not read once it is settled. */
export type Standing = Omit<Owed, 'body' | 'basis'> & { basis?: string }

/**
 * Owes one message, behind everything owed before it.
 *
 * @param held by whom it is written, who begins to send it once it is committed; absent: it is due
 */
export const owe = (message: NewOwed, held?: { leaseUntil: string; at: string }): Statement[] => [
  statement(
    `insert into owed (seq, id, partner, service, patient, task, reason, correlation, created_at, due_at, state, attempts, lease_until,
       first_tried_at)
     values ((select coalesce(max(seq), 0) + 1 from owed), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    message.id,
    message.partner,
    message.service,
    message.patient,
    message.task,
    message.reason,
    message.correlation,
    message.createdAt,
    message.dueAt,
    ...(held ? ['sending', 1, held.leaseUntil, held.at] : ['due', 0, null, null]),
  ),
  statement(
    'insert into owed_text (id, body) values (?, ?)',
    message.id,
    sealed(message.patient, placeOf(message.id), `${message.basis}\n${message.body}`),
  ),
]

/** Nothing owed earlier for the same handover is still on its way. */
const first = `not exists (select 1 from owed e where e.task = o.task and e.seq < o.seq and e.state in ('due', 'sending', 'parked'))`

/**
 * Takes what is due for one partner, durable before it comes back: whoever holds the lease may send, nobody else.
 * A lease that ran out is taken over and marks the message `unanswered`.
 *
 * @param now, leaseUntil instants
 * @returns in the order they were owed, at most one of each handover
 */
export async function claim(database: Database, partner: string, now: string, leaseUntil: string, limit: number): Promise<Owed[]> {
  const [rows] = await database.atomically([statement(claiming, now, leaseUntil, partner, now, limit, partner, now, limit, limit)])
  return (await opened(database, rows as Row[])).sort((a, b) => a.seq - b.seq)
}

/** The process that held these leases is gone: what it had in hand is taken up at once, as possibly arrived. Only at start. */
export const releaseLeases = (now: string): Statement =>
  statement(`update owed set lease_until = ? where state = 'sending' and lease_until > ?`, now, now)

/**
 * Of a backup: what it holds as waiting may have been sent since, and only a partner that drops repeats may be sent it unasked.
 */
export const perhapsSent = statement(`update owed set unanswered = 1, attempts = max(attempts, 1) where state in ('due', 'sending')`)

/** How an attempt ended. `at` and `dueAt` are instants. */
export type Settlement = { id: string; patient: string; attempt: number; at: string; note?: string } & (
  | { outcome: 'accepted'; receipt: string }
  /** Try again at `dueAt`. `unanswered`: the partner may have it. */
  | { outcome: 'unavailable'; dueAt: string; unanswered: boolean }
  /** A person looks. */
  | { outcome: 'parked'; unanswered: boolean }
  /** It may not be sent any more. */
  | { outcome: 'void' }
)

const stateAfter = { accepted: 'delivered', unavailable: 'due', parked: 'parked', void: 'void' } as const

/** Ends the attempt that holds the lease and keeps how it ended; the lease lost: `Conflict('lease')`. */
export const settle = (end: Settlement): Statement[] => [
  mustChange(
    'lease',
    statement(
      `update owed set state = ?, due_at = coalesce(?, due_at), settled_at = ?, receipt = coalesce(?, receipt), note = ?,
         unanswered = max(unanswered, ?), attempts = attempts - ?, lease_until = null
       where id = ? and state = 'sending' and attempts = ?`,
      stateAfter[end.outcome],
      end.outcome === 'unavailable' ? end.dueAt : null,
      end.outcome === 'accepted' || end.outcome === 'void' ? end.at : null,
      end.outcome === 'accepted' ? aside(end, 'receipt', end.receipt) : null,
      aside(end, 'note', end.note),
      'unanswered' in end && end.unanswered ? 1 : 0,
      // Nothing left in this attempt: what was never sent does not count as possibly arrived.
      end.outcome === 'void' ? 1 : 0,
      end.id,
      end.attempt,
    ),
  ),
  statement(
    'insert into attempt (owed, number, at, outcome, note) values (?, ?, ?, ?, ?)',
    end.id,
    end.attempt,
    end.at,
    end.outcome,
    aside(end, attemptPart(end.attempt), end.note),
  ),
]

export type Which = Pick<Owed, 'id' | 'patient'>

/** Nobody will send it: only what is not being sent at this moment. Nothing changes otherwise. */
export const voidOwed = (owed: Which, at: string, note?: string): Statement =>
  statement(
    `update owed set state = 'void', settled_at = ?, note = ? where id = ? and state in ('due', 'parked')`,
    at,
    aside(owed, 'note', note),
    owed.id,
  )

/** Takes a message that is due out of the lane for a person to look at; not due any more: `Conflict('due')`. */
export const park = (owed: Which, note: string): Statement =>
  mustChange(
    'due',
    statement(`update owed set state = 'parked', note = ? where id = ? and state = 'due'`, aside(owed, 'note', note), owed.id),
  )

/**
 * A person says: send it after all, and answers for a repeat. Attempts are kept, so the next has a new number; the time it may be
 * tried for begins again. Not parked: `Conflict('parked')`.
 */
export const resend = (id: string, at: string): Statement =>
  mustChange(
    'parked',
    statement(
      `update owed set state = 'due', due_at = ?, note = null, unanswered = 0, first_tried_at = null where id = ? and state = 'parked'`,
      at,
      id,
    ),
  )

/** For each partner with something to send whose lane is not paused, when the next of it may go. One index step a partner, however much is owed. */
export const nextByPartner = (database: Database): Promise<{ partner: string; at: string }[]> => database.query(statement(nextOf))

/** Partners with something to claim now. */
export const partnersDue = async (database: Database, now: string): Promise<string[]> =>
  (await nextByPartner(database)).filter(({ at }) => at <= now).map(({ partner }) => partner)

/** When the next message falls due, or the next lease runs out. */
export async function nextDue(database: Database): Promise<string | undefined> {
  const times = (await nextByPartner(database)).map(({ at }) => at)
  return times.length ? times.reduce((a, b) => (a < b ? a : b)) : undefined
}

export async function owedById(database: Database, id: string): Promise<Owed | undefined> {
  const [found] = await read(database, statement(`select ${columns} from owed where id = ?`, id))
  return found
}

/** Everything ever owed about one person, or for one handover, in order. */
export const owedOfPatient = (database: Database, patient: string): Promise<Owed[]> =>
  read(database, statement(`select ${columns} from owed where patient = ? order by seq`, patient))
export const owedOfTask = (database: Database, task: string): Promise<Owed[]> =>
  read(database, statement(`select ${columns} from owed where task = ? order by seq`, task))

/** How everything ever owed about one person stands, in order: for whoever plans anew. */
export const standingOf = async (database: Database, patient: string): Promise<Standing[]> => {
  const rows = await database.query<Row>(statement(`select ${standingColumns} from owed where patient = ? order by seq`, patient))
  return (await opened(database, rows)).map(({ body, basis, ...standing }) => (body === undefined ? standing : { ...standing, basis }))
}

/** What was owed for the same handover behind this, and still stands. Ids sort as they were made. */
export const owedBehind = (database: Database, { task, id }: Pick<Owed, 'task' | 'id'>): Promise<Owed[]> =>
  read(database, statement(`select ${columns} from owed where task = ? and id > ? and state <> 'void'`, task, id))

/** What is in one state, the oldest first: the page of what is stuck. */
export const owedIn = (database: Database, state: OwedState, limit = 500): Promise<Owed[]> =>
  read(database, statement(`select ${columns} from owed where state = ? order by seq limit ?`, state, limit))

export type Attempt = { number: number; at: string; outcome: string; note: string | null }
export async function attemptsOf(database: Database, id: string): Promise<Attempt[]> {
  const rows = await database.query<Omit<Attempt, 'note'> & { patient: string; note: Uint8Array | null }>(
    statement(
      'select a.number, a.at, a.outcome, a.note, o.patient from attempt a join owed o on o.id = a.owed where a.owed = ? order by a.number',
      id,
    ),
  )
  const notes = await unsealed(
    database,
    rows,
    ({ note }) => note,
    ({ patient }) => patient,
    ({ number }) => placeOf(id, attemptPart(number)),
  )
  return rows.map(({ number, at, outcome }, n) => ({ number, at, outcome, note: notes[n] ?? null }))
}

/** What is on its way to one partner: how much, and since when the oldest of it is owed. */
export type OnItsWay = { partner: string; count: number; since: string }

/** For each partner something is on its way to: due or just being sent. Counted in the index; parked is not on its way. */
export const onItsWay = (database: Database): Promise<OnItsWay[]> =>
  database.query(
    statement(`select w.partner, w.count, o.created_at as since from (
        select partner, count(*) as count, min(seq) as seq from owed where state in ('due', 'sending') group by partner
      ) w join owed o on o.seq = w.seq order by w.partner`),
  )

/** Services whose messages to this partner are on their way since this instant or longer. */
export async function servicesOwing(database: Database, partner: string, before: string): Promise<string[]> {
  const rows = await database.query<{ service: string }>(
    statement(
      `select distinct service from owed where state in ('due', 'sending') and partner = ? and created_at <= ? order by service`,
      partner,
      before,
    ),
  )
  return rows.map(({ service }) => service)
}

/** How many messages are in each state that is not the end: what is settled is not counted, however much there is. */
export async function unsettledCounts(database: Database): Promise<Record<'due' | 'sending' | 'parked', number>> {
  const rows = await database.query<{ state: OwedState; count: number }>(
    statement(`select state, count(*) as count from owed where state in ('due', 'sending', 'parked') group by state`),
  )
  return Object.assign({ due: 0, sending: 0, parked: 0 }, Object.fromEntries(rows.map(({ state, count }) => [state, count])))
}

/** How many messages are in each state. */
export async function owedCounts(database: Database): Promise<Record<OwedState, number>> {
  const rows = await database.query<{ state: OwedState; count: number }>(
    statement('select state, count(*) as count from owed group by state'),
  )
  const none: Record<OwedState, number> = { due: 0, sending: 0, delivered: 0, parked: 0, void: 0 }
  return Object.assign(none, Object.fromEntries(rows.map(({ state, count }) => [state, count])))
}

const standing = `id, seq, partner, service, patient, task, reason, correlation, state, attempts, unanswered, created_at as createdAt,
  due_at as dueAt, lease_until as leaseUntil, first_tried_at as firstTriedAt, settled_at as settledAt, receipt, note`
const textOf = '(select body from owed_text t where t.id = owed.id)'
const columns = `${standing}, ${textOf} as body`
const standingColumns = `${standing}, case when state in ('due', 'sending', 'parked') then ${textOf} end as body`

const claiming = `update owed set attempts = attempts + 1, unanswered = case when state = 'sending' then 1 else unanswered end,
    state = 'sending', first_tried_at = coalesce(first_tried_at, ?), lease_until = ?
  where id in (
    select id from (
      select * from (select id, seq from owed o where state = 'sending' and partner = ? and lease_until <= ? and ${first} limit ?)
      union all
      select * from (select id, seq from owed o where state = 'due' and partner = ? and due_at <= ? and ${first} order by due_at, seq limit ?)
    ) order by seq limit ?
  ) returning ${columns}`

const nextOf = `with recursive
  waiting(partner) as (
    select min(partner) from owed where state = 'due'
    union all
    select (select min(partner) from owed where state = 'due' and partner > waiting.partner) from waiting where waiting.partner is not null),
  times(partner, at) as (
    select partner, (select due_at from owed o where state = 'due' and o.partner = waiting.partner and ${first} order by due_at limit 1)
      from waiting
    union all
    select partner, lease_until from owed where state = 'sending')
  select t.partner, max(min(t.at), coalesce(l.shut_until, '')) as at from times t left join lane l on l.partner = t.partner
    where t.at is not null and l.paused_at is null group by t.partner`

type Bytes = 'body' | 'note' | 'receipt'
type Row = { [K in keyof Required<Omit<Owed, 'unanswered' | 'basis' | Bytes>>]: Required<Owed>[K] | null } & {
  [K in Bytes]: Uint8Array | null
} & { id: string; patient: string; unanswered: number }

const placeOf = (id: string, part = 'message'): string => `owed|${id}|${part}`
const attemptPart = (number: number): string => `attempt ${number}`
/** Words that stand beside a message. */
const aside = ({ id, patient }: Which, part: string, words: string | undefined): Sealed | null =>
  words === undefined ? null : sealed(patient, placeOf(id, part), words)

const read = async (database: Database, one: Statement): Promise<Owed[]> => opened(database, await database.query<Row>(one))

/** Of somebody who was erased nothing but ids and times is left. */
async function opened(database: Database, rows: readonly Row[]): Promise<Owed[]> {
  const part = (name: Bytes, place?: string) =>
    unsealed(
      database,
      rows,
      (row) => row[name],
      ({ patient }) => patient,
      ({ id }) => placeOf(id, place),
    )
  const [messages, notes, receipts] = await Promise.all([part('body'), part('note', 'note'), part('receipt', 'receipt')])
  return rows.map((row, n) => {
    const message = messages[n]
    const cut = message?.indexOf('\n') ?? 0
    const clear = {
      ...row,
      body: message?.slice(cut + 1),
      basis: message?.slice(0, cut) ?? '[]',
      note: notes[n],
      receipt: receipts[n],
      unanswered: row.unanswered === 1,
    }
    return Object.fromEntries(Object.entries(clear).filter(([, value]) => value != null)) as Owed
  })
}
