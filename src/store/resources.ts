/**
 * Resources by shelf: the current version, the versions before it, and the terms they are found by.
 *
 * Builders give the statements of one change, for a unit of the caller's. Bodies are kept as they are answered: with `id`,
 * `meta.versionId` and `meta.lastUpdated`.
 *
 * What a resource says is sealed for the person it is about, or for its shelf, and bound to its place: shelf, type, id and version.
 */
import type { Consent, Resource } from '@medplum/fhirtypes'
import { LRUCache } from 'lru-cache'
import { termsOf } from '../fhir/search-terms.ts'
import { type Database, mustChange, type Statement, sealed, statement, termBytes, terms, unsealed, type Value } from './database.ts'

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
  /** The JSON of `body`, where somebody has written it already. */
  text?: string
  /** The JSON of `body` as it was read from here: for answers. What is written next is never taken from it. */
  kept?: string
  /** On a partner's shelf: JSON of Disclosure[]. */
  basis?: string
}

/** On the shelf already, deleted or not: `Conflict('resource.shelf, resource.type, resource.id')`. */
export function createResource(stored: Stored): Statement[] {
  const found = foundBy(stored)
  return [
    statement(
      'insert into resource (shelf, type, id, version, last_updated, patient, body, terms) values (?, ?, ?, ?, ?, ?, ?, ?)',
      stored.shelf,
      stored.type,
      stored.id,
      ...changing(stored, found),
    ),
    // Most types have no terms at all.
    ...(found?.length ? [writeTerms(stored)] : []),
  ]
}

/** Replaces the current version (brings a deleted one back); it is not `fromVersion` any more: `Conflict('version')`. */
export function updateResource(stored: Stored, fromVersion: number): Statement[] {
  const { shelf, type, id } = stored
  return [
    keepVersion(stored, fromVersion),
    dropTerms(stored),
    mustChange(
      'version',
      statement(
        `update resource set version = ?, last_updated = ?, patient = ?, body = ?, terms = ?
         where shelf = ? and type = ? and id = ? and version = ?`,
        ...changing(stored, foundBy(stored)),
        ...[shelf, type, id],
        fromVersion,
      ),
    ),
    writeTerms(stored),
  ]
}

/** Leaves a version that says it was deleted; it is not `fromVersion` any more: `Conflict('version')`. */
export const deleteResource = (stored: Omit<Stored, 'body' | 'basis'>, fromVersion: number): Statement[] =>
  updateResource(stored, fromVersion)

/** Withdrawal: the resource and all its versions leave a partner's shelf, as if they had never been there. */
export const takeOffShelf = (shelf: string, type: string, id: string): Statement[] => [
  dropTerms({ shelf, type, id }),
  statement('delete from resource where shelf = ? and type = ? and id = ?', shelf, type, id),
  statement('delete from resource_version where shelf = ? and type = ? and id = ?', shelf, type, id),
]

/** The versions before the current one leave a partner's shelf: they held more than it may know now. */
export const dropVersions = ({ shelf, type, id }: Place): Statement =>
  statement('delete from resource_version where shelf = ? and type = ? and id = ?', shelf, type, id)

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

/** Many of them at once, in no order; what is no longer kept is left out. @param wanted ['Condition/12', 3], ... */
export const readVersions = (
  database: Database,
  shelf: string,
  wanted: readonly (readonly [ref: string, version: number])[],
): Promise<Stored[]> => {
  const places = JSON.stringify(wanted.map(([ref, version]) => [...ref.split('/', 2), version]))
  const which = `r.shelf = ? and r.type = wanted.value ->> 0 and r.id = wanted.value ->> 1 and r.version = wanted.value ->> 2`
  return readStored(
    database,
    statement(
      `select ${columns} from json_each(?) wanted cross join resource r where ${which}
       union all select ${columns} from json_each(?) wanted cross join resource_version r where ${which}`,
      ...[places, shelf],
      ...[places, shelf],
    ),
  )
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

/** Every consent a service holds for each of these people, by person: those that are current now, asked for every time. */
export async function consentsOf(database: Database, patients: readonly string[]): Promise<Map<string, Consent[]>> {
  if (!patients.length) return new Map()
  const rows = await database.query<Row>(
    statement(
      `select ${columns} from json_each(?) wanted cross join resource r
       where r.patient = wanted.value and r.shelf >= 'service:' and r.shelf < 'service;' and r.type = 'Consent' and r.body is not null`,
      JSON.stringify(patients),
    ),
  )
  const consents = new Map<Row, Consent>()
  for (const row of rows) {
    const known = readConsents.get(sealOf(row))
    if (known) consents.set(row, known)
  }
  const unread = rows.filter((row) => !consents.has(row))
  for (const [n, { body }] of (await opened(database, unread)).entries()) {
    const row = unread[n] as Row
    if (body?.resourceType !== 'Consent') continue
    consents.set(row, body)
    readConsents.set(sealOf(row), body)
  }
  const byPerson = new Map<string, Consent[]>()
  for (const [{ patient }, consent] of consents) byPerson.set(patient as string, [...(byPerson.get(patient as string) ?? []), consent])
  return byPerson
}

/**
 * Consents opened lately, by the seal of what stands in the database: the same sixteen bytes can only stand for the same text, so one
 * that was changed, withdrawn or erased is never taken from here. No longer than a key is kept (sealed.ts).
 */
const readConsents = new LRUCache<string, Consent>({ max: 2_000, ttl: 60_000 })
const sealOf = ({ id, version, body }: Row): string =>
  `${id} ${version} ${Buffer.from((body as Uint8Array).subarray(-16)).toString('latin1')}`

/** @param refs 'Patient/12', ...; what is not on the shelf or deleted is left out */
export async function byRefs(database: Database, shelf: string, refs: readonly string[]): Promise<Stored[]> {
  const places = [...new Set(refs)].map((ref) => ref.split('/', 2))
  const [only] = places
  // Mostly it is one: the person a plan is about.
  if (only && places.length === 1) {
    const found = await readResource(database, shelf, only[0] ?? '', only[1] ?? '')
    return found?.kept === undefined ? [] : [found]
  }
  return readStored(
    database,
    statement(
      `select ${columns} from json_each(?) wanted cross join resource r
       where r.shelf = ? and r.type = wanted.value ->> 0 and r.id = wanted.value ->> 1 and r.body is not null`,
      JSON.stringify(places),
      shelf,
    ),
  )
}

/** The columns of a `resource r` or `resource_version r`, for a query elsewhere in the store. */
export const columns = 'r.shelf, r.type, r.id, r.version, r.last_updated as lastUpdated, r.patient, r.body'

/**
 * A body that was erased since is absent, as of a resource that was deleted.
 *
 * @param arrange puts the rows in order, and leaves out what need not be opened
 */
export async function readStored(
  database: Database,
  one: Statement,
  arrange: (rows: readonly Row[]) => readonly Row[] = (rows) => rows,
): Promise<Stored[]> {
  return opened(database, arrange(await database.query<Row>(one)))
}

async function opened(database: Database, rows: readonly Row[]): Promise<Stored[]> {
  const contents = await unsealed(database, rows, ({ body }) => body, holderOf, placeOf)
  return rows.map((row, n) => storedAs(row, contents[n]))
}

/** Most of what is read is answered as it stands: the JSON is parsed when somebody looks into it, and once. */
function storedAs({ shelf, type, id, version, lastUpdated, patient }: Row, content: string | undefined): Stored {
  const stored: Stored = { shelf, type, id, version, lastUpdated }
  if (patient !== null) stored.patient = patient
  if (content === undefined) return stored
  const cut = content.indexOf('\n')
  if (cut > 0) stored.basis = content.slice(0, cut)
  const kept = content.slice(cut + 1)
  let body: Resource | undefined
  return {
    ...stored,
    kept,
    get body() {
      body ??= JSON.parse(kept) as Resource
      return body
    },
  }
}

type Row = Pick<Stored, 'shelf' | 'type' | 'id' | 'version' | 'lastUpdated'> & { patient: string | null; body: Uint8Array | null }
type Place = Pick<Stored, 'shelf' | 'type' | 'id'>

const holderOf = ({ shelf, patient }: { shelf: string; patient?: string | null }): string => patient ?? shelf
const placeOf = ({ shelf, type, id, version }: Place & { version: number }): string => `${shelf}|${type}|${id}|${version}`

const foundBy = ({ shelf, body }: Stored): string[] | undefined => body && termsOf(shelf, body)

function changing(stored: Stored, found: string[] | undefined): Value[] {
  const { version, lastUpdated, patient, body, text, basis = '' } = stored
  return [
    version,
    lastUpdated,
    patient ?? null,
    body ? sealed(holderOf(stored), placeOf(stored), `${basis}\n${text ?? JSON.stringify(body)}`) : null,
    found ? terms(found) : null,
  ]
}

const keepVersion = ({ shelf, type, id }: Stored, version: number): Statement =>
  statement(
    `insert into resource_version (shelf, type, id, version, last_updated, patient, body)
     select shelf, type, id, version, last_updated, patient, body from resource
     where shelf = ? and type = ? and id = ? and version = ?
     on conflict do nothing`,
    ...[shelf, type, id],
    version,
  )

/** Every (term, row) of the resources that `which` holds for. The terms stand one behind the other: as many steps as there are. */
export const termsWhere = (which: string): string => `with recursive t(terms, row, i) as (
    select terms, row, 1 from resource where ${which} and length(terms) > 0
    union all select terms, row, i + ${termBytes} from t where i + ${termBytes} <= length(terms))
  select substr(terms, i, ${termBytes}), row from t`

const oneResource = termsWhere('shelf = ? and type = ? and id = ?')

export const writeTerms = ({ shelf, type, id }: Place): Statement =>
  statement(`insert into search (term, resource) ${oneResource}`, shelf, type, id)

export const dropTerms = ({ shelf, type, id }: Place): Statement =>
  statement(`delete from search where (term, resource) in (${oneResource})`, shelf, type, id)
