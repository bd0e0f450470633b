/**
 * Events about nobody here: of a kind we know, so that they count when that person is referred; of a kind we do not, so that somebody can
 * see what came. Sealed with a key of their own, found by keyed hashes alone, and forgotten after some weeks.
 */
import { type Database, mustChange, type Statement, sealed, statement, terms, unsealed } from './database.ts'
import { type NewEvent, nobody, placeOf } from './events.ts'

/** Whom an event about nobody here is about. @param number with its system */
export const keepNumber = (event: string, number: string): Statement =>
  statement('insert or ignore into event_number (term, event) values (?, ?)', termOf(number), event)

const termOf = (number: string) => terms([`event number ${number}`])

type Kept = { id: string; kind: string; at: string; print: Uint8Array; delivery: Uint8Array | null }
export type Unseen = Kept & { body: string }

/** Those about whoever has one of these numbers, the oldest first: said to all, or to this service. */
export async function eventsAbout(database: Database, service: string, numbers: readonly string[]): Promise<Unseen[]> {
  if (!numbers.length) return []
  const rows = await database.query<Kept & { body: Uint8Array | null }>(
    statement(
      `select distinct e.id, e.kind, e.at, e.print, e.delivery, e.body from event_number n join event e on e.id = n.event
       where n.term in (${numbers.map(() => '?').join(', ')}) and e.patient = '' and (e.service is null or e.service = ?) order by e.at, e.id`,
      ...numbers.map(termOf),
      service,
    ),
  )
  const bodies = await openedOf(database, rows)
  return rows.flatMap((row, n) => (bodies[n] === undefined ? [] : [{ ...row, body: bodies[n] as string }]))
}

const openedOf = (database: Database, rows: readonly { id: string; body: Uint8Array | null }[]) =>
  unsealed(
    database,
    rows,
    ({ body }) => body,
    () => nobody,
    ({ id }) => placeOf(id),
  )

/** The event is about this person from now on, sealed with their key. `Conflict('event')`: somebody took it meanwhile. */
export const takeUnseen = (
  { id, kind, at, print, delivery, body }: Unseen,
  of: { patient: string; service: string; dueAt?: string },
): Statement[] => [
  mustChange('event', statement(`delete from event where id = ? and patient = ''`, id)),
  statement('delete from event_number where event = ?', id),
  statement(
    `insert into event (id, source, kind, at, patient, service, state, due_at, print, delivery, body) values (?, 'hmpps', ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    kind,
    at,
    of.patient,
    of.service,
    of.dueAt ? 'due' : 'kept',
    of.dueAt ?? null,
    print,
    delivery,
    sealed(of.patient, placeOf(id), body),
  ),
]

/** Forgets what is about nobody here and older; what is about a person is kept with the record. The second gives one row for each. */
export const purgeUnseen = (before: string, limit: number): Statement[] => {
  const old = `select id from event where patient = '' and at < ? order by at limit ?`
  return [
    statement(`delete from event_number where event in (${old})`, before, limit),
    statement(`delete from event where id in (${old}) returning 1`, before, limit),
  ]
}

export type UnknownKind = { kind: NewEvent['kind']; count: number; firstAt: string; lastAt: string }

/** What came that we know nothing to do with, the latest first. */
export const unknownKinds = (database: Database): Promise<UnknownKind[]> =>
  database.query(
    statement(
      `select kind, count(*) as count, min(at) as firstAt, max(at) as lastAt from event indexed by event_unknown where state = 'unknown' group by kind order by lastAt desc, kind`,
    ),
  )

/** The latest of one kind, as it came. */
export async function unknownEvents(database: Database, kind: string, limit: number): Promise<{ id: string; at: string; body: string }[]> {
  const rows = await database.query<{ id: string; at: string; body: Uint8Array | null }>(
    statement(`select id, at, body from event where state = 'unknown' and kind = ? order by at desc, id limit ?`, kind, limit),
  )
  const bodies = await openedOf(database, rows)
  return rows.flatMap(({ id, at }, n) => (bodies[n] === undefined ? [] : [{ id, at, body: bodies[n] as string }]))
}
