/**
 * What is asked of the database about how long it keeps whom, and what is taken out of it when it has done its job.
 */
import type { Resource } from '@medplum/fhirtypes'
import { type Database, mustChange, type Statement, sealed, statement } from './database.ts'
import { columns, readStored } from './resources.ts'

/** `lastTouched`: an instant. */
export type Kept = { id: string; service: string; legalHold: string | null; keepUntil: string | null; lastTouched: string | null }

/** Ids of everybody who was not erased and is not part of another record, in slices: `after` is the last of the slice before. */
export async function peopleKept(database: Database, after: string, limit: number): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    statement(
      `select p.id from person p where p.erased_at is null and p.id > ?
       and not exists (select 1 from merge m where m.source = p.id and m.state = 'merged') order by p.id limit ?`,
      after,
      limit,
    ),
  )
  return rows.map(({ id }) => id)
}

/** Those of them of whom nothing was written since an instant: one look for each of the others, however much there is of them. */
export const untouchedSince = (database: Database, people: readonly string[], since: string): Promise<Kept[]> =>
  database.query(
    statement(
      `${kept} join json_each(?) wanted on wanted.value = p.id
       where not exists (select 1 from resource r where r.patient = p.id and r.last_updated >= ?)`,
      JSON.stringify(people),
      since,
    ),
  )

export async function personKept(database: Database, id: string): Promise<(Kept & { revision: number }) | undefined> {
  const [found] = await database.query<Kept & { revision: number }>(statement(`${kept} where p.erased_at is null and p.id = ?`, id))
  return found
}

const kept = `select p.id, p.service, p.revision, p.legal_hold as legalHold, p.keep_until as keepUntil,
  (select max(r.last_updated) from resource r where r.patient = p.id) as lastTouched from person p`

/** Everything a service knows or ever knew about a person: the versions there are and those there were. */
export async function everythingOf(database: Database, shelf: string, patient: string): Promise<Resource[]> {
  const stored = await readStored(
    database,
    statement(
      `select ${columns} from resource r where patient = ? and shelf = ? and body is not null
       union all select ${columns} from resource_version r where patient = ? and shelf = ? and body is not null`,
      ...[patient, shelf],
      ...[patient, shelf],
    ),
  )
  return stored.flatMap(({ body }) => body ?? [])
}

/** The record is to be kept at least until this date. Nobody there: `Conflict('person')`. */
export const keepUntil = (patient: string, date: string): Statement =>
  mustChange('person', statement('update person set keep_until = ? where id = ? and erased_at is null', date, patient))

/** Everybody who was erased, and when: ids and instants only. */
export const erasedPeople = (database: Pick<Database, 'query'>): Promise<{ patient: string; at: string }[]> =>
  database.query(statement('select id as patient, erased_at as at from person where erased_at is not null order by erased_at, id'))

type Message = { id: string; seq: number; patient: string; body: Uint8Array }

/**
 * Takes the text of messages out that arrived, or became void, before an instant. What each disclosed stays, sealed as it was: it is
 * what "who was told" answers with.
 *
 * @param after `seq` of the last message of the slice before
 * @returns where the slice ended; undefined: there is nothing after it
 */
export async function emptyMessages(
  database: Database,
  before: string,
  at: string,
  after: number,
  limit: number,
): Promise<{ upTo: number; emptied: number } | undefined> {
  const [slice] = await database.query<{ upTo: number | null }>(
    statement('select max(seq) as upTo from (select seq from owed where seq > ? order by seq limit ?)', after, limit),
  )
  if (slice?.upTo == null) return undefined
  const rows = await database.query<Message>(
    statement(
      `select o.id, o.seq, o.patient, t.body from owed o join owed_text t on t.id = o.id
       where o.seq > ? and o.seq <= ? and o.state in ('delivered', 'void') and o.settled_at < ? and o.emptied_at is null`,
      after,
      slice.upTo,
      before,
    ),
  )
  const texts = await database.unseal(rows.map(({ id, patient, body }) => ({ holder: patient, place: placeOf(id), bytes: body })))
  const unit = rows.flatMap(({ id, patient }, n): Statement[] => {
    const text = texts[n]
    if (text === undefined) return []
    const disclosed = text.slice(0, text.indexOf('\n') + 1)
    return [
      statement('update owed_text set body = ? where id = ?', sealed(patient, placeOf(id), disclosed), id),
      statement('update owed set emptied_at = ? where id = ?', at, id),
    ]
  })
  if (unit.length > 0) await database.atomically(unit)
  return { upTo: slice.upTo, emptied: unit.length / 2 }
}

/** As in owed.ts. */
const placeOf = (id: string): string => `owed|${id}|message`
