/**
 * What was decided about two records that may be of one person: merged, un-merged, or two people. One row for each decision.
 */
import { type Database, mustChange, type Statement, statement, termBytes, terms } from './database.ts'
import { columns, readStored, type Stored } from './resources.ts'

export type Merge = {
  id: string
  service: string
  state: 'merged' | 'undone' | 'not-same'
  source: string
  target: string
  at: string
  undoneAt?: string
  /** JSON: ids, versions and codes only. */
  detail: string
}

/** Merged into somebody already: `Conflict('merge.source')`. */
export const recordMerge = ({ id, service, state, source, target, at, detail }: Merge): Statement =>
  statement(
    'insert into merge (id, service, state, source, target, at, detail) values (?, ?, ?, ?, ?, ?, ?)',
    ...[id, service, state, source, target, at],
    detail,
  )

/** Undone already: `Conflict('merge')`. */
export const undoMerge = (id: string, at: string, detail: string): Statement =>
  mustChange(
    'merge',
    statement(`update merge set state = 'undone', undone_at = ?, detail = ? where id = ? and state = 'merged'`, at, detail, id),
  )

/** Everything decided about this record and those it was ever one with, the oldest first. */
export async function mergesOf(database: Database, patient: string): Promise<Merge[]> {
  const all = JSON.stringify([patient, ...(await everJoined(database, patient))])
  const rows = await database.query<Omit<Merge, 'undoneAt'> & { undoneAt: string | null }>(
    statement(
      `select id, service, state, source, target, at, undone_at as undoneAt, detail from merge where source in (select value from json_each(?))
       union select id, service, state, source, target, at, undone_at, detail from merge where target in (select value from json_each(?))
       order by at, id`,
      all,
      all,
    ),
  )
  return rows.map(({ undoneAt, ...row }) => ({ ...row, ...(undoneAt === null ? {} : { undoneAt }) }))
}

/** Everybody whose record is part of this one now, at whatever remove. */
export async function mergedInto(database: Database, patient: string): Promise<string[]> {
  const rows = await database.query<{ source: string }>(
    statement(
      `with recursive part(id) as (select source from merge where target = ? and state = 'merged'
         union select m.source from merge m join part p on m.target = p.id where m.state = 'merged')
       select id as source from part`,
      patient,
    ),
  )
  return rows.map(({ source }) => source)
}

/** Everybody whose record ever was one with this one, at whatever remove. */
export async function everJoined(database: Database, patient: string): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    statement(
      `with recursive joined(id) as (select ?
         union select case when m.source = j.id then m.target else m.source end from joined j
           join merge m on (m.source = j.id or m.target = j.id) and m.state <> 'not-same')
       select id from joined where id <> ?`,
      patient,
      patient,
    ),
  )
  return rows.map(({ id }) => id)
}

/** The whole this record is part of now, at whatever remove; undefined: it is part of none. */
export async function partOf(database: Database, patient: string): Promise<string | undefined> {
  const rows = await database.query<{ target: string }>(
    statement(
      `with recursive whole(id, depth) as (select target, 1 from merge where source = ? and state = 'merged'
         union all select m.target, depth + 1 from merge m join whole w on m.source = w.id where m.state = 'merged')
       select id as target from whole order by depth desc limit 1`,
      patient,
    ),
  )
  return rows[0]?.target
}

const mostAlike = 50

/** Records on a shelf found by any of these terms, of people who are not part of another record; `but` one. */
export const peopleFoundBy = (database: Database, shelf: string, some: readonly string[], but: string): Promise<Stored[]> =>
  readStored(
    database,
    statement(
      `select ${columns} from resource r where r.row in (select s.resource from search s where s.term in (
         with recursive t(terms, i) as (select ?, 1 union all select terms, i + ${termBytes} from t where i + ${termBytes} <= length(terms))
         select substr(terms, i, ${termBytes}) from t))
       and r.shelf = ? and r.type = 'Patient' and r.id <> ? and r.body is not null
       and not exists (select 1 from merge m where m.source = r.id and m.state = 'merged') order by r.id limit ${mostAlike}`,
      terms(some),
      shelf,
      but,
    ),
  )
