/**
 * Events of other systems: each kept once, and those behind which something has to be fetched until it was.
 */
import { type Database, type Statement, sealed, statement, terms } from './database.ts'

export type NewEvent = {
  id: string
  kind: string
  at: string
  /** Absent: nobody here. */
  patient?: string
  service?: string
  /** Something has to be fetched, from this instant on. */
  dueAt?: string
  /** With who may have said it: what makes it the same event, and the id it was delivered under. */
  print: string
  delivery?: string
  body: string
}

/** The same event about the same person is there: `Conflict('event.print, event.patient')`. */
export const keepEvent = ({ id, kind, at, patient, service, dueAt, print, delivery, body }: NewEvent): Statement =>
  statement(
    `insert into event (id, source, kind, at, patient, service, state, due_at, print, delivery, body) values (?, 'hmpps', ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    kind,
    at,
    patient ?? '',
    service ?? null,
    dueAt ? 'due' : 'kept',
    dueAt ?? null,
    terms([print]),
    delivery ? terms([delivery]) : null,
    sealed(patient ?? nobody, placeOf(id), body),
  )

/** The event that came with this content or under this delivery id. */
export async function eventLike(database: Database, print: string, delivery: string | undefined): Promise<{ id: string } | undefined> {
  const [row] = await database.query<{ id: string }>(
    delivery
      ? statement('select id from event where print = ? or delivery = ? limit 1', terms([print]), terms([delivery]))
      : statement('select id from event where print = ? limit 1', terms([print])),
  )
  return row
}

export type DueEvent = { id: string; kind: string; patient: string; service: string; attempts: number; firstAt: string }

/** People about whom something has to be fetched now, each once, with the event that waited longest. By itself SQLite walks along every event. */
export const eventsDue = (database: Database, now: string, limit: number): Promise<DueEvent[]> =>
  database.query(
    statement(
      `select id, kind, patient, service, max(attempts) as attempts, min(at) as firstAt from event indexed by event_due
       where state = 'due' and due_at <= ? group by patient order by min(due_at) limit ?`,
      now,
      limit,
    ),
  )

export async function nextEventDue(database: Database): Promise<string | undefined> {
  const [row] = await database.query<{ at: string | null }>(statement(`select min(due_at) as at from event where state = 'due'`))
  return row?.at ?? undefined
}

/** One fetch answers everything that was said before it began. */
export const fetched = (patient: string, before: string): Statement =>
  statement(`update event set state = 'done', due_at = null where patient = ? and state = 'due' and at <= ?`, patient, before)

/** Somebody is looking: nobody else does until then. */
export const fetching = (patient: string, until: string): Statement =>
  statement(`update event set due_at = ? where patient = ? and state = 'due'`, until, patient)

/** It failed. */
export const fetchLater = (patient: string, dueAt: string): Statement =>
  statement(`update event set due_at = ?, attempts = attempts + 1 where patient = ? and state = 'due'`, dueAt, patient)

/** Forgets what is about nobody here and older; what is about a person is kept with the record. Gives one row for each. */
export const purgeEvents = (before: string, limit: number): Statement =>
  statement(
    `delete from event where rowid in (select rowid from event where patient = '' and at < ? order by at limit ?) returning 1`,
    before,
    limit,
  )

const nobody = 'event'
const placeOf = (id: string): string => `event|${id}`
