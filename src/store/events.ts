/**
 * Events of other systems: each kept once, and those behind which something has to be fetched until it was. What is about people nobody
 * here knows is kept apart (unseen-events.ts).
 */
import { type Database, type Statement, sealed, statement, terms } from './database.ts'

export type NewEvent = {
  id: string
  kind: string
  at: string
  /** Absent: nobody here. */
  patient?: string
  /** Of the person; of an event about nobody: whose people it may be about. */
  service?: string
  /** Something has to be fetched, from this instant on. */
  dueAt?: string
  /** We know nothing to do with this kind. */
  unknown?: true
  /** With who may have said it: what makes it the same event, and the id it was delivered under. */
  print: string
  delivery?: string
  body: string
}

/** The same event about the same person is there: `Conflict('event.print, event.patient')`. */
export const keepEvent = ({ id, kind, at, patient, service, dueAt, unknown, print, delivery, body }: NewEvent): Statement =>
  statement(
    `insert into event (id, source, kind, at, patient, service, state, due_at, print, delivery, body) values (?, 'hmpps', ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    kind,
    at,
    patient ?? '',
    service ?? null,
    dueAt ? 'due' : unknown ? 'unknown' : 'kept',
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

/** The kind of what no event said: it was time to look (`lookUpAt`). */
const look = 'look'

/** Something about this person is to be looked up from this instant on, without any event. One row a person. */
export const lookUpAt = (person: { patient: string; service: string }, id: string, at: string): Statement =>
  statement(
    `insert into event (id, source, kind, at, patient, service, state, due_at, print) values (?, 'hmpps', ?, ?, ?, ?, 'due', ?, ?)
     on conflict (print, patient) do update set at = excluded.at, state = 'due', due_at = excluded.due_at, attempts = 0 where state <> 'due'`,
    id,
    look,
    at,
    person.patient,
    person.service,
    at,
    terms([`look ${person.patient}`]),
  )

/** `said`: an event told of it; otherwise it was only time to look. */
export type DueEvent = { patient: string; service: string; attempts: number; said: boolean }

/** People about whom something has to be fetched now, each once, whoever waited longest first. By itself SQLite walks along every event. */
export async function eventsDue(database: Database, now: string, limit: number): Promise<DueEvent[]> {
  const rows = await database.query<Omit<DueEvent, 'said'> & { said: number }>(
    statement(
      `select patient, service, max(attempts) as attempts, max(kind <> ?) as said from event indexed by event_due
       where state = 'due' and due_at <= ? group by patient order by min(due_at) limit ?`,
      look,
      now,
      limit,
    ),
  )
  return rows.map((row) => ({ ...row, said: row.said === 1 }))
}

/** How many people something could not be fetched about, and since when the first of them waits. */
export async function unanswered(database: Database): Promise<{ people: number; since: string | undefined }> {
  const [row] = await database.query<{ people: number; since: string | null }>(
    statement(
      `select count(distinct patient) as people, min(at) as since from event indexed by event_due where state = 'due' and attempts > 0`,
    ),
  )
  return { people: row?.people ?? 0, since: row?.since ?? undefined }
}

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

export const nobody = 'event'
export const placeOf = (id: string): string => `event|${id}`
