/**
 * Something to look at again at a time. A timer is known by its person and what it is about.
 */
import { type Database, mustChange, type Statement, statement } from './database.ts'

/** `about`: 'window:{task}', 'answer:{task}', 'consent', ...; `dueAt` an instant. */
export type Timer = { patient: string; about: string; service: string; dueAt: string }

/** Writes the timer, or moves it. */
export const setTimer = ({ patient, about, service, dueAt }: Timer): Statement =>
  statement(
    `insert into timer (patient, about, service, due_at) values (?, ?, ?, ?)
     on conflict (patient, about) do update set due_at = excluded.due_at, service = excluded.service`,
    patient,
    about,
    service,
    dueAt,
  )

export const clearTimer = (patient: string, about: string): Statement =>
  statement('delete from timer where patient = ? and about = ?', patient, about)

export const clearTimersOf = (patient: string): Statement => statement('delete from timer where patient = ?', patient)

/** Removes a timer that fell due, unless somebody moved it or was first: `Conflict('timer')`. */
export const takeTimer = ({ patient, about, dueAt }: Timer): Statement =>
  mustChange('timer', statement('delete from timer where patient = ? and about = ? and due_at = ?', patient, about, dueAt))

/** Timers about what begins like this fall due at `at`, unless they do earlier. @param latest none of them is later: what is, is not walked along */
export const bringForward = (beginning: string, at: string, latest: string): Statement =>
  statement(
    'update timer set due_at = ? where substr(about, 1, ?) = ? and due_at > ? and due_at <= ?',
    at,
    beginning.length,
    beginning,
    at,
    latest,
  )

const columns = 'patient, about, service, due_at as dueAt'

/** What has fallen due, the longest first; of what falls due at one moment in no order, so that nothing is sorted however much it is. */
export const timersDue = (database: Database, now: string, limit: number): Promise<Timer[]> =>
  database.query<Timer>(statement(`select ${columns} from timer where due_at <= ? order by due_at limit ?`, now, limit))

/** People with something on this shelf for whom something has fallen due. By the time: by the person it would walk along every timer. */
export async function peopleDue(database: Database, shelf: string, now: string): Promise<string[]> {
  const rows = await database.query<{ patient: string }>(
    statement(
      `select distinct patient from timer t indexed by timer_due where due_at <= ?
       and exists (select 1 from resource r where r.patient = t.patient and r.shelf = ?)`,
      now,
      shelf,
    ),
  )
  return rows.map(({ patient }) => patient)
}

/** When the next timer falls due. */
export async function nextTimer(database: Database): Promise<string | undefined> {
  const [row] = await database.query<{ at: string | null }>(statement('select min(due_at) as at from timer'))
  return row?.at ?? undefined
}

export const timersOf = (database: Database, patient: string): Promise<Timer[]> =>
  database.query<Timer>(statement(`select ${columns} from timer where patient = ? order by due_at, about`, patient))
