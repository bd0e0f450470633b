/**
 * What the index holds of a resource and what it is asked: terms, texts that are hashed before they are kept.
 *
 * A hash is found whole or not at all, and every term written dirties a page of its own. So there are few: only parameters that
 * find one among many have terms (`telling`); who a resource is about stands in a column. Of a token the code without its system,
 * of a string its first 1, 2, 3, 5, 8, 12 and 20 characters, of a date the month in which it begins, of a person each name with the birth date. Where the index can only narrow
 * (a token's system, a longer start, a day) or does not help at all, the opened resource decides: `fits`.
 */
import type { Patient, Resource } from '@medplum/fhirtypes'
import { marksOf } from '../domain/alike.ts'
import type { Condition, DateRange, DateTest, ValueTest } from './search.ts'
import { fold, type IndexRow, indexRows, kindOfRow, parameterOf, tokenValue } from './search-parameters.ts'

/**
 * Raise it whenever `termsOf` gives anything else for the same resource: a database that was indexed by other rules is indexed anew,
 * or what was kept before would not be found (store/renew-terms.ts).
 */
export const termsVersion = 4

/**
 * Starts of a string that have a term, the longest first. Short ones are shared by many and stand close together; of the long ones each
 * dirties a page of its own, so there are few: what is asked with a length between is narrowed by the next shorter.
 */
const starts = [20, 12, 8, 5, 3, 2, 1]

/** Parameters with terms, besides `identifier` and `name` of every type: what is looked for without saying whose it is. */
const telling: Readonly<Record<string, ReadonlySet<string>>> = {
  Patient: new Set(['family', 'given', 'birthdate', 'address-postalcode']),
  Practitioner: new Set(['family', 'given']),
  PractitionerRole: new Set(['practitioner']),
  CareTeam: new Set(['participant']),
  ServiceRequest: new Set(['status']),
  CarePlan: new Set(['status']),
  Task: new Set(['status', 'business-status', 'owner']),
  Appointment: new Set(['date']),
}
const always: ReadonlySet<string> = new Set(['identifier', 'name'])
const withTerms = new Map(Object.entries(telling).map(([type, params]) => [type, params.union(always)]))
const termed = (type: string): ReadonlySet<string> => withTerms.get(type) ?? always
const hasTerms = (type: string, param: string): boolean => termed(type).has(param)

/** People the condition asks for, where the answer stands in the column that says who a resource is about. */
export function peopleAsked(condition: Condition): string[] | undefined {
  if (condition.kind !== 'value' || condition.not || !/^(subject|patient)$/.test(condition.param)) return undefined
  const { exact, codes, prefixes, endings, contains } = condition
  if (codes.length + prefixes.length + endings.length + contains.length > 0) return undefined
  return exact.every((value) => value.startsWith('Patient/')) ? exact.map((value) => value.slice('Patient/'.length)) : undefined
}

/** Every term of a resource on a shelf, each once. */
export function termsOf(shelf: string, resource: Resource): string[] {
  const type = resource.resourceType
  const rows = indexRows(resource, termed(type)).filter(({ param }) => hasTerms(type, param))
  const inParts = new Set(rows.flatMap(({ param, value }) => (param === 'family' || param === 'given' ? [value] : [])))
  const found = new Set<string>()
  for (const { param, value } of rows) {
    const place = placeOf(shelf, type, param)
    switch (kindOfRow(type, param)) {
      case 'string':
        if (param === 'name' && inParts.has(value)) break
        for (const length of starts) if (value.length >= length) found.add(`${place}^${value.slice(0, length)}`)
        break
      case 'date':
        found.add(`${place}@${value.slice(0, 7)}`)
        break
      case 'token':
        found.add(`${place}=${codeIn(value)}`)
        break
      case 'reference':
      case 'uri':
        found.add(`${place}=${value}`)
    }
  }
  if (resource.resourceType === 'Patient' && shelf.startsWith('service:')) for (const term of markTerms(shelf, resource)) found.add(term)
  return [...found]
}

/** Names with a birth date; a number is among the terms already. */
const markTerms = (shelf: string, patient: Patient): string[] =>
  marksOf(patient).flatMap(({ kind, value }) =>
    kind === 'name-and-birth-date' ? [`${placeOf(shelf, 'Patient', 'name-and-birth')}=${value}`] : [],
  )

/** What another record of the same person on this shelf would be found by: any of these terms. */
export function alikeTerms(shelf: string, patient: Patient): string[] {
  const numbers = marksOf(patient).flatMap(({ kind, value }) =>
    kind === 'name-and-birth-date' ? [] : [`${placeOf(shelf, 'Patient', 'identifier')}=${codeIn(tokenValue(value))}`],
  )
  return [...numbers, ...markTerms(shelf, patient)]
}

/** Any of these terms. `decides`: what has one fulfils the condition, and nothing else does. */
export type Asked = { terms: string[]; decides: boolean }

/** @returns undefined where the index does not help */
export function askedFor(shelf: string, type: string, condition: ValueTest | DateTest): Asked | undefined {
  if (!hasTerms(type, condition.param.replace(/:exact$/, ''))) return undefined
  if (condition.kind === 'date') {
    const months = condition.tests.map(monthOf)
    if (months.includes(undefined)) return undefined
    return { terms: months.map((month) => `${placeOf(shelf, type, condition.param)}@${month}`), decides: false }
  }
  const { exact, codes, prefixes, endings, contains } = condition
  if (endings.length + contains.length > 0) return undefined
  const param = condition.param.replace(/:exact$/, '')
  if (kindOfRow(type, param) === 'string') {
    const wanted = [...prefixes, ...exact.map(fold)].map(startOf)
    return {
      terms: partsOf(type, param).flatMap((part) => wanted.map((start) => `${placeOf(shelf, type, part)}^${start}`)),
      decides: exact.length === 0 && prefixes.every((prefix, n) => prefix === wanted[n]),
    }
  }
  const isToken = kindOfRow(type, param) === 'token'
  return {
    terms: [...exact.map((value) => (isToken ? codeIn(value) : value)), ...codes].map((value) => `${placeOf(shelf, type, param)}=${value}`),
    decides: !isToken || exact.length === 0 || parameterOf(type, param)?.plain === true,
  }
}

/** Does a condition hold for a resource? A chain leads elsewhere and is no question to one resource. */
export function fits(condition: Exclude<Condition, { kind: 'chain' }>, resource: Resource, rows = indexRows(resource)): boolean {
  switch (condition.kind) {
    case 'id':
      return condition.ids.includes(resource.id as string)
    case 'updated': {
      const at = resource.meta?.lastUpdated
      return at !== undefined && condition.tests.some((test) => inRange(test, at, at))
    }
    case 'missing':
      return rows.some(({ param }) => param === condition.param) !== condition.missing
    default: {
      const own = rows.filter(({ param }) => param === condition.param)
      return own.some((row) => (condition.kind === 'date' ? isDated(condition, row) : isValue(condition, row))) !== (condition.not === true)
    }
  }
}

const placeOf = (shelf: string, type: string, param: string): string => `${shelf}|${type}|${param}`
/** A name is written by its parts where it has them, and looked for under all. */
const partsOf = (type: string, param: string): string[] =>
  param === 'name' && parameterOf(type, 'family') ? ['name', 'family', 'given'] : [param]
/** 'code|system' -> 'code|', as a search for the code alone is read. */
const codeIn = (value: string): string => /^(?:\\.|[^|\\])*\|/.exec(value)?.[0] ?? value
const startOf = (text: string): string => text.slice(0, starts.find((length) => length <= text.length) ?? 0)

/** A day, a month or an instant asked for begins in one month; what covers it begins in the same. */
function monthOf({ op, from, upto }: DateRange): string | undefined {
  const month = from.slice(0, 7)
  return op === 'eq' && upto.slice(0, 7) === month ? month : undefined
}

const isDated = ({ tests }: DateTest, { value, upto = value }: IndexRow): boolean => tests.some((test) => inRange(test, value, upto))

const isValue = ({ exact, codes, prefixes, endings, contains }: ValueTest, { value }: IndexRow): boolean =>
  exact.includes(value) ||
  [...codes, ...prefixes].some((start) => value.startsWith(start)) ||
  endings.some((ending) => value.endsWith(ending)) ||
  contains.some((part) => value.includes(part))

/** What R4 says each prefix means for a period that starts at `from` and ends at `upto`. */
function inRange({ op, from: first, upto: last }: DateRange, from: string, upto: string): boolean {
  switch (op) {
    case 'eq':
      return from >= first && upto <= last
    case 'ne':
      return from < first || upto > last
    case 'gt':
      return upto > last
    case 'ge':
      return upto >= first
    case 'lt':
      return from < first
    case 'le':
      return from <= last
    case 'sa':
      return from > last
    case 'eb':
      return upto < first
  }
}
