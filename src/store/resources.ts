/**
 * Resources by shelf: the current version, the versions before it, and the rows they are found by.
 *
 * Builders give the statements of one change, for a unit of the caller's. Bodies are kept as they are answered: with `id`,
 * `meta.versionId` and `meta.lastUpdated`.
 */
import type { Consent, Resource } from '@medplum/fhirtypes'
import { type IndexRow, indexRows } from '../fhir/search-parameters.ts'
import { type Database, mustChange, type Statement, statement, type Value } from './database.ts'

export type Stored = {
  /** 'service:north-east', 'partner:gp-a81001', 'referrer:durham-health'. */
  shelf: string
  type: string
  id: string
  version: number
  /** An instant with milliseconds. */
  lastUpdated: string
  /** Id of the person it is about. */
  patient?: string
  /** Absent: this version says that it was deleted. */
  body?: Resource
  /** On a partner's shelf: JSON of Disclosure[]. */
  basis?: string
}

/** On the shelf already, deleted or not: `Conflict('resource.shelf, resource.type, resource.id')`. */
export const createResource = (stored: Stored): Statement[] => [
  statement(
    'insert into resource (shelf, type, id, version, last_updated, patient, body, basis) values (?, ?, ?, ?, ?, ?, ?, ?)',
    stored.shelf,
    stored.type,
    stored.id,
    ...changing(stored),
  ),
  ...writeRows(stored),
]

/** Replaces the current version (brings a deleted one back); it is not `fromVersion` any more: `Conflict('version')`. */
export const updateResource = (stored: Stored, fromVersion: number): Statement[] => [
  keepVersion(stored, fromVersion),
  mustChange(
    'version',
    statement(
      `update resource set version = ?, last_updated = ?, patient = ?, body = ?, basis = ?
       where shelf = ? and type = ? and id = ? and version = ?`,
      ...changing(stored),
      stored.shelf,
      stored.type,
      stored.id,
      fromVersion,
    ),
  ),
  dropRows(stored),
  ...writeRows(stored),
]

/** Leaves a version that says it was deleted; it is not `fromVersion` any more: `Conflict('version')`. */
export const deleteResource = (stored: Omit<Stored, 'body' | 'basis'>, fromVersion: number): Statement[] =>
  updateResource(stored, fromVersion)

/** Withdrawal: the resource and all its versions leave a partner's shelf, as if they had never been there. */
export const takeOffShelf = (shelf: string, type: string, id: string): Statement[] => [
  statement('delete from resource where shelf = ? and type = ? and id = ?', shelf, type, id),
  statement('delete from resource_version where shelf = ? and type = ? and id = ?', shelf, type, id),
  dropRows({ shelf, type, id }),
]

/** The current version, which may say that it was deleted. */
export async function readResource(database: Database, shelf: string, type: string, id: string): Promise<Stored | undefined> {
  const [found] = await readStored(
    database,
    statement(`select ${columns} from resource r where shelf = ? and type = ? and id = ?`, shelf, type, id),
  )
  return found
}

export async function readVersion(
  database: Database,
  shelf: string,
  type: string,
  id: string,
  version: number,
): Promise<Stored | undefined> {
  const [found] = await readStored(
    database,
    statement(
      `select ${columns} from resource r where shelf = ? and type = ? and id = ? and version = ?
       union all select ${columns} from resource_version r where shelf = ? and type = ? and id = ? and version = ?`,
      ...[shelf, type, id, version],
      ...[shelf, type, id, version],
    ),
  )
  return found
}

/** Every version, the newest first. */
export const historyOf = (database: Database, shelf: string, type: string, id: string): Promise<Stored[]> =>
  readStored(
    database,
    statement(
      `select ${columns} from resource r where shelf = ? and type = ? and id = ?
       union all select ${columns} from resource_version r where shelf = ? and type = ? and id = ? order by version desc`,
      ...[shelf, type, id],
      ...[shelf, type, id],
    ),
  )

/** Everything on one shelf about one person that is not deleted. */
export const recordOf = async (database: Database, shelf: string, patient: string): Promise<Resource[]> =>
  (await storedOf(database, shelf, patient)).map(({ body }) => body as Resource)

/** The same with version, time and basis. */
export const storedOf = (database: Database, shelf: string, patient: string): Promise<Stored[]> =>
  readStored(
    database,
    statement(
      `select ${columns} from resource r indexed by resource_by_patient where patient = ? and shelf = ? and body is not null order by type, id`,
      patient,
      shelf,
    ),
  )

/** What others have been told about one person: everything about them on every partner's and referrer's shelf. */
export const shelvesOf = (database: Database, patient: string): Promise<Stored[]> =>
  readStored(
    database,
    statement(
      `select ${columns} from resource r indexed by resource_by_patient
       where patient = ? and shelf >= 'partner:' and shelf < 'referrer;' and body is not null order by shelf, type, id`,
      patient,
    ),
  )

/** Every consent a service holds for each of these people, by person. */
export async function consentsOf(database: Database, patients: readonly string[]): Promise<Map<string, Consent[]>> {
  if (!patients.length) return new Map()
  const rows = await readStored(
    database,
    statement(
      `select ${columns} from json_each(?) wanted cross join resource r
       where r.patient = wanted.value and r.shelf >= 'service:' and r.shelf < 'service;' and r.type = 'Consent' and r.body is not null`,
      JSON.stringify(patients),
    ),
  )
  return new Map(
    [...Map.groupBy(rows, ({ patient }) => patient as string)].map(([patient, stored]) => [
      patient,
      stored.map(({ body }) => body as Consent),
    ]),
  )
}

/** @param refs 'Patient/12', ...; what is not on the shelf or deleted is left out */
export const byRefs = (database: Database, shelf: string, refs: readonly string[]): Promise<Stored[]> =>
  readStored(
    database,
    statement(
      `select ${columns} from json_each(?) wanted cross join resource r
       where r.shelf = ? and r.type = wanted.value ->> 0 and r.id = wanted.value ->> 1 and r.body is not null`,
      JSON.stringify([...new Set(refs)].map((ref) => ref.split('/', 2))),
      shelf,
    ),
  )

/** The columns of a `resource r` or `resource_version r`, for a query elsewhere in the store. */
export const columns = 'r.shelf, r.type, r.id, r.version, r.last_updated as lastUpdated, r.patient, r.body, r.basis'

export const readStored = async (database: Database, one: Statement): Promise<Stored[]> =>
  (await database.query<Row>(one)).map(({ patient, body, basis, ...rest }) => ({
    ...rest,
    ...(patient === null ? {} : { patient }),
    ...(body === null ? {} : { body: JSON.parse(body) as Resource }),
    ...(basis === null ? {} : { basis }),
  }))

type Row = Pick<Stored, 'shelf' | 'type' | 'id' | 'version' | 'lastUpdated'> & {
  patient: string | null
  body: string | null
  basis: string | null
}

const changing = ({ version, lastUpdated, patient, body, basis }: Stored): Value[] => [
  version,
  lastUpdated,
  patient ?? null,
  body ? JSON.stringify(body) : null,
  basis ?? null,
]

const keepVersion = ({ shelf, type, id }: Stored, version: number): Statement =>
  statement(
    `insert into resource_version (shelf, type, id, version, last_updated, patient, body, basis)
     select shelf, type, id, version, last_updated, patient, body, basis from resource
     where shelf = ? and type = ? and id = ? and version = ?`,
    shelf,
    type,
    id,
    version,
  )

const dropRows = ({ shelf, type, id }: { shelf: string; type: string; id: string }): Statement =>
  statement('delete from search indexed by search_by_resource where shelf = ? and type = ? and id = ?', shelf, type, id)

/** Rows of one statement: D1 allows a hundred parameters. */
const rowsAtOnce = 16

/** What it is found by, each value once: of several periods under one value the longest counts. */
function writeRows({ shelf, type, id, body }: Stored): Statement[] {
  const rows = new Map<string, IndexRow>()
  for (const row of body ? indexRows(body) : []) {
    const key = `${row.param} ${row.value}`
    const known = rows.get(key)
    if (!known || (row.upto ?? '') > (known.upto ?? '')) rows.set(key, row)
  }
  const all = [...rows.values()]
  return Array.from({ length: Math.ceil(all.length / rowsAtOnce) }, (_, n) => {
    const some = all.slice(n * rowsAtOnce, (n + 1) * rowsAtOnce)
    const params = some.flatMap(({ param, value, upto }) => [shelf, type, param, value, upto ?? null, id])
    return { sql: insertRows[some.length - 1] as string, params }
  })
}

const insertRows = Array.from(
  { length: rowsAtOnce },
  (_, n) =>
    `insert or ignore into search (shelf, type, param, value, upto, id) values ${Array(n + 1)
      .fill('(?, ?, ?, ?, ?, ?)')
      .join(', ')}`,
)
