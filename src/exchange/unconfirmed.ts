/**
 * Of two records that were merged only one had an agreement: the other's person, should they be two after all, agreed to nothing. Until an
 * agreement newer than the merge is on record, partners are told what the record with the agreement held when it was merged, and nothing
 * that came with the other or was recorded since: their handovers go on, with what they were told.
 *
 * What has to stop telling is not held back: a withdrawal, a death, a fact marked as an error or changed.
 */
import type { Consent, Patient, Resource } from '@medplum/fhirtypes'
import { agreementOf } from '../domain/agreement.ts'
import { governing } from '../domain/consent.ts'
import { isCustody } from '../domain/facts.ts'
import { isUnsorted } from '../domain/resources.ts'
import type { Database } from '../store/database.ts'
import type { Merge } from '../store/merges.ts'
import { readVersions } from '../store/resources.ts'
import { type At, detailOf, type MergeDetail, onlyMoved } from './merge-detail.ts'
import { joined } from './merged-patient.ts'
import { rewriteReferences } from './references.ts'
import { consentsOf, type Situation, serviceShelf } from './situation.ts'

type Side = 'source' | 'target'
type Row = Merge & MergeDetail

/** The record that had nothing its person agreed to, or refused: whatever was said while it was part of another one is not theirs alone. */
export function silentOf([source, target]: readonly [Situation, Situation]): Side | undefined {
  const [from, to] = [source, target].map((one) => governing(consentsOf(one).filter((consent) => !isUnsorted(consent))) !== undefined)
  return from === to ? undefined : from ? 'target' : 'source'
}

/** What a merge found, as it stood then, where partners are told by it: custody, plans and who the person was. */
export async function learnAsMerged(database: Database, situation: Situation): Promise<void> {
  const rows = standing(situation)
  if (!rows.some(({ silent }) => silent)) return
  const wanted = rows.flatMap(({ patients = [], moved = [], stood = [] }): At[] => [
    ...patients,
    ...[...moved.map(([ref, from]): At => [ref, from]), ...stood].filter(([ref]) => isFrozen(situation.record.get(ref)?.body)),
  ])
  const found = await readVersions(database, serviceShelf(situation.service.id), wanted)
  situation.asMerged = new Map(found.flatMap(({ type, id, version, body }) => (body ? [[placeOf([`${type}/${id}`, version]), body]] : [])))
}

/** The same for a merge that is under way: as it stands before anything is moved. */
export function keepAsMerged(from: Situation, to: Situation): void {
  const own = [from, to].flatMap(({ record }) =>
    [...record.values()].flatMap(({ type, id, version, body }): [string, Resource][] =>
      body && (type === 'Patient' || isFrozen(body)) ? [[placeOf([`${type}/${id}`, version]), body]] : [],
    ),
  )
  to.asMerged = new Map([...(from.asMerged ?? []), ...(to.asMerged ?? []), ...own])
}

const placeOf = ([ref, version]: At): string => `${ref}/${version}`
const isFrozen = (resource: Resource | undefined): boolean =>
  resource?.resourceType === 'CarePlan' || (resource?.resourceType === 'Observation' && isCustody(resource))

/** What of the record partners are told from, with the person as they are told; undefined: from all of it. */
export function confirmedOf(situation: Situation, consents: readonly Consent[]): Resource[] | undefined {
  const rows = standing(situation)
  const governs = governing(consents)
  const open = rows.filter((row) => row.silent && !covers(governs, row, rows))
  const [first] = open
  if (!first) return undefined
  const since = rows.slice(rows.indexOf(first))
  const told = [...situation.record.values()].flatMap(({ type, id, version, patient, body }): Resource[] => {
    if (!body || type === 'Patient') return []
    // Workers belong to the service.
    if (patient === undefined) return [body]
    const ref = `${type}/${id}`
    if (!open.every((row) => /^(spoken|elsewhere)$/.test(whence(row, ref, rows)))) return []
    const found = since.flatMap((row) => stoodIn(row, ref) ?? [])[0]
    if (!isFrozen(body)) return found && onlyMoved(situation.merges, ref, found.now).has(version) ? [body] : []
    const then = found && situation.asMerged?.get(placeOf([ref, found.found]))
    return then && !isError(body) ? [{ ...body, ...asOf(then, body, situation.patient) } as Resource] : []
  })
  const current = situation.record.get(`Patient/${situation.patient}`)?.body as Patient | undefined
  const person = current && personIn(situation, situation.patient, rows, open, current)
  return person ? [...told, personNow(person, current as Patient)] : told
}

/** The content of then under the labels of then and now: labels only ever add. */
function asOf(then: Resource, now: Resource, patient: string): Resource {
  const security = [...(then.meta?.security ?? []), ...(now.meta?.security ?? [])]
  const said = rewriteReferences(then, (reference) => (reference.startsWith('Patient/') ? `Patient/${patient}` : undefined))
  return { ...said, meta: { ...said.meta, ...(security.length ? { security } : {}) } }
}

const isError = (resource: Resource): boolean =>
  isUnsorted(resource) || ('status' in resource && /^(entered-in-error|cancelled|revoked)$/.test(String(resource.status)))

/** Said after the merge, on the record that came of it. */
function covers(consent: Consent | undefined, row: Row, rows: readonly Row[]): boolean {
  return (
    consent !== undefined &&
    whence(row, `Consent/${consent.id}`, rows) === 'since' &&
    agreementOf(consent).given.until > new Date(row.at).getTime()
  )
}

/** From which of the two records something came; `elsewhere`: with another one that was merged later; `since`: it was recorded after. */
function whence(row: Row, ref: string, rows: readonly Row[]): 'silent' | 'spoken' | 'elsewhere' | 'since' {
  const side = sideIn(row, ref)
  if (side) return side === row.silent ? 'silent' : 'spoken'
  let whole = row.target
  for (const later of rows.slice(rows.indexOf(row) + 1)) {
    if (later.source !== whole && later.target !== whole) continue
    const [own, its] = [later.source === whole ? 'source' : 'target', sideIn(later, ref)]
    if (its && its !== own) return 'elsewhere'
    whole = later.target
  }
  return 'since'
}

const sideIn = ({ moved = [], stood = [] }: Row, ref: string): Side | undefined =>
  moved.some(([one]) => one === ref) ? 'source' : stood.some(([one]) => one === ref) ? 'target' : undefined

/** The version a merge found, and the one it left. */
function stoodIn({ moved = [], stood = [] }: Row, ref: string): { found: number; now: number } | undefined {
  const [, from, to] = moved.find(([one]) => one === ref) ?? []
  if (from !== undefined) return { found: from, now: to as number }
  const [, version] = stood.find(([one]) => one === ref) ?? []
  return version === undefined ? undefined : { found: version, now: version }
}

/** Every merge that this record is the whole of, the oldest first. */
function standing({ merges, patient }: Situation): Row[] {
  const all = merges.filter(({ state }) => state === 'merged')
  const parts = new Set([patient])
  for (let before = 0; before < parts.size; ) {
    before = parts.size
    for (const { source, target } of all) if (parts.has(target)) parts.add(source)
  }
  return all.filter(({ target }) => parts.has(target)).map((row) => ({ ...row, ...detailOf(row) }))
}

/** Who the person is by the records with an agreement: as they stood at the first merge where there was only one, and what was joined since. */
function personIn(
  { asMerged }: Situation,
  patient: string,
  rows: readonly Row[],
  open: readonly Row[],
  otherwise: Patient,
): Patient | undefined {
  const into = rows.filter(({ target }) => target === patient)
  const from = into.findIndex((row) => isIn(row, rows, open))
  if (from < 0) return otherwise
  const found = (row: Row, side: Side) =>
    asMerged?.get(placeOf(row.patients?.find(([ref]) => ref === `Patient/${row[side]}`) ?? ['', 0])) as Patient | undefined
  let whole = found(into[from] as Row, 'target')
  for (const row of into.slice(from)) {
    if (open.includes(row) && row.silent === 'source') continue
    const known = found(row, 'source')
    const other = known && personIn({ asMerged } as Situation, row.source, rows.slice(0, rows.indexOf(row)), open, known)
    whole = open.includes(row) ? other : other && whole && joined(other, whole)
  }
  return whole
}

/** Is it such a merge, or was such a one part of what it brought? */
const isIn = (row: Row, rows: readonly Row[], open: readonly Row[]): boolean =>
  open.includes(row) || rows.some((one) => one.target === row.source && isIn(one, rows, open))

/** Whose words stay as they were, and yet a death counts at once, and so does a label. */
function personNow(person: Patient, now: Patient): Patient {
  const { deceasedBoolean: _b, deceasedDateTime: _d, ...rest } = person
  const { deceasedBoolean, deceasedDateTime } = now
  const security = [...(person.meta?.security ?? []), ...(now.meta?.security ?? [])]
  return {
    ...rest,
    id: now.id as string,
    meta: { ...now.meta, ...(security.length ? { security } : {}) },
    ...(deceasedBoolean === undefined ? {} : { deceasedBoolean }),
    ...(deceasedDateTime === undefined ? {} : { deceasedDateTime }),
  }
}
