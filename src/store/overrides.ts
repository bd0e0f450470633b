/**
 * Overrides: each written once, and the second person's look added once.
 */
import type { Override } from '../domain/override.ts'
import { type Database, mustChange, type Statement, sealed, statement, unsealed } from './database.ts'

export const recordOverride = ({ id, service, patient, recordedAt, review: _, ...said }: Override): Statement =>
  statement(
    'insert into override (id, service, patient, recorded_at, body) values (?, ?, ?, ?, ?)',
    id,
    service,
    patient,
    recordedAt,
    sealed(patient, placeOf(id, 'body'), JSON.stringify(said)),
  )

/** Looked at already: `Conflict('review')`. */
export const reviewOverride = ({ id, patient }: Override, review: NonNullable<Override['review']>): Statement =>
  mustChange(
    'review',
    statement(
      'update override set reviewed_at = ?, review = ? where id = ? and reviewed_at is null',
      review.at,
      sealed(patient, placeOf(id, 'review'), JSON.stringify(review)),
      id,
    ),
  )

/** The document of a disclosure to somebody outside, frozen when it was given. */
export const keepDocument = ({ id, patient }: Override, document: string): Statement =>
  statement('update override set document = ? where id = ? and document is null', sealed(patient, placeOf(id, 'document'), document), id)

export async function documentOf(database: Database, { id, patient }: Pick<Override, 'id' | 'patient'>): Promise<string | undefined> {
  const rows = await database.query<{ document: Uint8Array | null }>(statement('select document from override where id = ?', id))
  const [document] = await unsealed(
    database,
    rows,
    (row) => row.document,
    () => patient,
    () => placeOf(id, 'document'),
  )
  return document
}

/** Every override there ever was about each of these people, by person, the oldest first. */
export async function overridesOf(database: Database, patients: readonly string[]): Promise<Map<string, Override[]>> {
  if (!patients.length) return new Map()
  const rows = await database.query<Row>(
    statement(
      `select o.id, o.service, o.patient, o.recorded_at as recordedAt, o.body, o.review
       from json_each(?) wanted cross join override o on o.patient = wanted.value order by o.recorded_at, o.id`,
      JSON.stringify(patients),
    ),
  )
  const open = (column: 'body' | 'review') =>
    unsealed(
      database,
      rows,
      (row) => row[column],
      ({ patient }) => patient,
      ({ id }) => placeOf(id, column),
    )
  const [bodies, reviews] = [await open('body'), await open('review')]
  const all = rows.flatMap(({ body: _b, review: _r, ...row }, n): Override[] => {
    // Of a person who was erased nothing is left to let out.
    const body = bodies[n]
    return body === undefined
      ? []
      : [{ ...row, ...JSON.parse(body), ...(reviews[n] === undefined ? {} : { review: JSON.parse(reviews[n]) }) } as Override]
  })
  return Map.groupBy(all, ({ patient }) => patient)
}

type Row = Pick<Override, 'id' | 'service' | 'patient' | 'recordedAt'> & { body: Uint8Array; review: Uint8Array | null }

const placeOf = (id: string, part: 'body' | 'review' | 'document'): string => `override|${id}|${part}`
