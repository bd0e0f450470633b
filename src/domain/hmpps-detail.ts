/**
 * What the HMPPS External API answers about one person, read into what we keep (hmpps.md 7).
 *
 * A part that is missing was perhaps taken out because of who asks: it says nothing. A part that is there with an empty date says that
 * there is no such date any more.
 */
import { londonDate } from './calendar.ts'
import type { Said } from './custody.ts'
import { crnShape, isObject, type Json, nomsShape } from './hmpps-rules.ts'
import type { DateSaid } from './release-dates.ts'

type Dated = Omit<DateSaid, 'source' | 'saidAt'>

/** Where each date stands; an override before what was calculated. */
const places: readonly (readonly [type: string, part: string, ...fields: string[]])[] = [
  ['confirmed', 'release', 'confirmedDate'],
  ['likely', 'release', 'date'],
  ['CRD', 'conditionalRelease', 'overrideDate', 'date'],
  ['ARD', 'automaticRelease', 'overrideDate', 'date'],
  ['NPD', 'nonParole', 'overrideDate', 'date'],
  ['PRRD', 'postRecallRelease', 'overrideDate', 'date'],
  ['DPRRD', 'dtoPostRecallRelease', 'overrideDate', 'date'],
  ['nonDto', 'nonDto', 'date'],
  ['MTD', 'midTerm', 'overrideDate', 'date', 'calculatedDate'],
  ['HDCAD', 'homeDetentionCurfew', 'actualDate'],
]

/** `sentences/latest-key-dates-and-adjustments`: the dates that end custody. */
export function keyDates(data: Json): Dated[] {
  const dates = places.flatMap(([type, part, ...fields]): Dated[] => {
    const there = data[part]
    if (!isObject(there)) return []
    const date = fields.map((field) => dayIn(there[field])).find((day) => day !== undefined)
    return [{ type, ...(date ? { date, ...(type === 'confirmed' ? { confirmed: true } : {}) } : {}) }]
  })
  const parole = dayIn(data.actualParoleDate)
  return 'actualParoleDate' in data ? [...dates, { type: 'APD', ...(parole ? { date: parole } : {}) }] : dates
}

/** `prisoner-base-location`: what was found; undefined when it says nothing about where. */
export function baseLocation(data: Json): Extract<Said, { kind: 'found' }> | undefined {
  if (typeof data.inPrison !== 'boolean') return undefined
  const prison = textOf(data.prisonId)
  const lastMovement = textOf(data.lastMovementType)
  const received = dayIn(data.receptionDate)
  return {
    kind: 'found',
    inPrison: data.inPrison,
    ...(prison ? { prison } : {}),
    ...(lastMovement ? { lastMovement } : {}),
    ...(received ? { received } : {}),
  }
}

/** Whom it has under the number: other numbers, every day of birth, whether probation limits who may look. */
export type Found = { noms?: string; crn?: string; birthDates: string[]; limited: boolean }

/** `/v1/persons/{id}`: what says who it is; nothing else of it is looked at. */
export function personIn(data: Json): Found {
  const [prison, probation] = [data.prisonerOffenderSearch, data.probationOffenderSearch].map((part) => (isObject(part) ? part : {}))
  const of = (part: Json | undefined, name: string) =>
    isObject(part?.identifiers) ? textOf(part.identifiers[name])?.toUpperCase() : undefined
  const noms = of(prison, 'nomisNumber') ?? of(probation, 'nomisNumber')
  const crn = of(probation, 'deliusCrn') ?? of(prison, 'deliusCrn')
  const limited = [prison, probation].some((part) => part?.currentRestriction === true || part?.currentExclusion === true)
  return {
    ...(noms && nomsShape.test(noms) ? { noms } : {}),
    ...(crn && crnShape.test(crn) ? { crn } : {}),
    birthDates: [...new Set([prison, probation].flatMap(birthDatesIn))],
    limited,
  }
}

/** Aliases have days of birth of their own. */
function birthDatesIn(part: Json | undefined): string[] {
  const aliases = Array.isArray(part?.aliases) ? part.aliases.filter(isObject) : []
  return [part?.dateOfBirth, ...aliases.map(({ dateOfBirth }) => dateOfBirth)].flatMap((day) => dayIn(day) ?? [])
}

const dayIn = (value: unknown): string | undefined => (typeof value === 'string' ? londonDate(value.trim()) : undefined)
/** Live answers carry spaces at the end. */
const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value.trim() ? value.trim() : undefined)
