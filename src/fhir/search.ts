/**
 * A search as it was asked, read into plain conditions: every one must hold.
 *
 * What is not understood is refused (CONTRACT.md 9): a parameter quietly ignored would answer another question than the one
 * that was asked. Refusals name the parameter, never a value.
 *
 * @see hl7.org/fhir/R4/search.html
 */
import { comparable, comparables } from '../domain/identifiers.ts'
import { type Refusal, refuse } from './outcome.ts'
import { fold, instantsOf, parameterOf, type SearchParameter, searchParameters, tokenValue } from './search-parameters.ts'
import { BASE } from './systems.ts'

/**
 * A test on the values of one parameter: any of `exact`, a token of one of `codes` whatever its system, or what starts with,
 * ends in or contains one of these.
 */
export type ValueTest = {
  kind: 'value'
  param: string
  exact: string[]
  codes: string[]
  prefixes: string[]
  endings: string[]
  contains: string[]
}
export type DateTest = { kind: 'date'; param: string; tests: DateRange[] }
/** `from` and `upto` are the first and last instant of what was asked. */
export type DateRange = { op: DateOp; from: string; upto: string }
export type DateOp = 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le' | 'sa' | 'eb'

export type Condition =
  | { kind: 'id'; ids: string[] }
  | { kind: 'updated'; tests: DateRange[] }
  | ((ValueTest | DateTest) & { not?: true })
  | { kind: 'missing'; param: string; missing: boolean }
  /** `param` leads to a resource of one of `targets` for which `on` holds. */
  | { kind: 'chain'; param: string; targets: string[]; on: ValueTest | DateTest }

/** `param` of `type`; only what is of type `target`, if set. */
export type Include = { type: string; param: string; target?: string }

export type SearchQuery = {
  type: string
  conditions: Condition[]
  sort: { by: string; down: boolean }
  /** Matches on a page; 0 asks for the total only. */
  count: number
  /** Where the page before ended. */
  after?: Cursor
  /** The same as it was asked. */
  here?: string
  includes: Include[]
  revincludes: Include[]
  /** Count what matches in all. */
  total: boolean
  elements?: string[]
  /** What was understood, for the links of the answer; without the page. */
  asked: [string, string][]
}

/** The sort value (absent where the sort is by a parameter) and id of the last match of a page. */
export type Cursor = { id: string; value?: string }

export const mostParameters = 20
export const mostValues = 50
export const mostOnPage = 200
const usualPage = 50

export type SearchOptions = {
  /** Leave out what is not understood instead of refusing it (`Prefer: handling=lenient`). */
  lenient?: boolean
  /** Where our resources may be said to be, besides `BASE`: `${publicUrl}/fhir`. */
  bases?: readonly string[]
}

/**
 * @param params the query string, or the body of a `_search`
 * @throws Refusal 400 for what is not understood or too much
 */
export function parseSearch(type: string, params: URLSearchParams, { lenient = false, bases = [] }: SearchOptions = {}): SearchQuery {
  if (!searchParameters[type]) throw refuse(400, 'not-supported', 'This resource type can not be searched.')
  const query: SearchQuery = {
    type,
    conditions: [],
    sort: { by: '_lastUpdated', down: false },
    count: usualPage,
    includes: [],
    revincludes: [],
    total: false,
    asked: [],
  }
  const entries = [...params]
  if (entries.length > mostParameters) throw refuse(400, 'too-costly', `A search has at most ${mostParameters} parameters.`)
  const once = new Set<string>()
  for (const [name, value] of entries) {
    if (value.trim() === '') throw refuse(400, 'value', `${parameter(name)} has no value.`)
    const control = Object.hasOwn(controls, name) ? controls[name] : undefined
    if (control) {
      if (once.has(name) && !/^_(rev)?include$/.test(name)) throw refuse(400, 'invalid', `${parameter(name)} is given more than once.`)
      once.add(name)
      control(query, value)
    } else {
      const condition = conditionOf(type, name, value, [BASE, ...bases])
      if (!condition && lenient) continue
      if (!condition) throw unknown(name, type)
      query.conditions.push(condition)
    }
    if (name !== '_page') query.asked.push([name, value])
  }
  return query
}

/** The page token of `next`: stateless, and no more than where the page ended. */
export const cursorText = ({ id, value }: Cursor): string =>
  btoa(JSON.stringify(value === undefined ? [id] : [id, value]))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')

type Control = (query: SearchQuery, value: string) => void

/** Parameters that shape the answer. */
const controls: Readonly<Record<string, Control>> = {
  _count: (query, value) => {
    const count = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN
    if (Number.isNaN(count)) throw refuse(400, 'value', '_count is a whole number.')
    query.count = Math.min(count, mostOnPage)
  },
  _sort: (query, value) => {
    const down = value.startsWith('-')
    const by = down ? value.slice(1) : value
    const known = by === '_lastUpdated' || by === '_id' || (parameterOf(query.type, by)?.kind === 'date' && by !== 'birthdate')
    if (!known)
      throw refuse(400, 'not-supported', 'This can be sorted by _lastUpdated, _id or one of its dates (not of birth), one at a time.')
    query.sort = { by, down }
  },
  _include: (query, value) => query.includes.push(includeOf(value, '_include', query.type)),
  _revinclude: (query, value) => query.revincludes.push(includeOf(value, '_revinclude')),
  _total: (query, value) => {
    if (!['none', 'estimate', 'accurate'].includes(value)) throw refuse(400, 'value', '_total is none, estimate or accurate.')
    query.total = value !== 'none'
  },
  _summary: (query, value) => {
    if (value === 'count') query.count = 0
    else if (value !== 'false') throw refuse(400, 'not-supported', 'Of _summary only count and false are supported.')
  },
  _elements: (query, value) => {
    const elements = value.split(',')
    if (elements.some((each) => !/^[A-Za-z]{1,40}$/.test(each)))
      throw refuse(400, 'value', '_elements names elements of the resource itself.')
    query.elements = elements
  },
  _format: (_query, value) => {
    if (!/^(application\/(fhir\+)?)?json$/.test(value)) throw refuse(400, 'not-supported', 'Of _format only json is supported.')
  },
  _page: (query, value) => {
    query.after = cursorOf(value)
    query.here = value
  },
}

function cursorOf(text: string): Cursor {
  try {
    const [id, value] = JSON.parse(atob(text.replaceAll('-', '+').replaceAll('_', '/'))) as unknown[]
    if (typeof id === 'string' && (value === undefined || typeof value === 'string')) return value === undefined ? { id } : { id, value }
  } catch {
    // said below
  }
  throw refuse(400, 'value', '_page is the one of a next link, unchanged.')
}

/** 'CarePlan:patient' or 'Task:focus:ServiceRequest'. */
function includeOf(text: string, name: '_include' | '_revinclude', of?: string): Include {
  const [type = '', param = '', target, more] = text.split(':')
  const known = Object.hasOwn(searchParameters, type) && parameterOf(type, param)?.kind === 'reference'
  if (!known || more !== undefined || (of && of !== type)) {
    throw refuse(400, 'not-supported', `${name} names a type and one of its reference parameters.`)
  }
  return { type, param, ...(target ? { target } : {}) }
}

/** @returns undefined when there is no such parameter or modifier */
function conditionOf(type: string, name: string, value: string, bases: readonly string[]): Condition | undefined {
  const [path = '', modifier, more] = name.split(':')
  if (more !== undefined) return undefined
  const values = valuesOf(name, value)
  if (path === '_id' && !modifier) return { kind: 'id', ids: values.map(unescaped) }
  if (path === '_lastUpdated' && !modifier) return { kind: 'updated', tests: values.map((each) => rangeOf(each, name)) }

  const dot = name.indexOf('.')
  if (dot > 0) return chainOf(type, name.slice(0, dot), name.slice(dot + 1), values, bases)

  const found = parameterOf(type, path)
  if (!found) return undefined
  if (modifier === 'missing') {
    if (value !== 'true' && value !== 'false') throw refuse(400, 'value', `${parameter(name)} is true or false.`)
    return { kind: 'missing', param: found.as ?? path, missing: value === 'true' }
  }
  return testOf(found, path, modifier, values, name, bases)
}

/** 'patient.identifier', 'subject:Patient.identifier'. */
function chainOf(type: string, from: string, to: string, values: string[], bases: readonly string[]): Condition | undefined {
  const [param = '', narrowed, more] = from.split(':')
  const [name = '', modifier, rest] = to.split(':')
  const link = parameterOf(type, param)
  if (link?.kind !== 'reference' || more !== undefined || rest !== undefined || modifier === 'not') return undefined
  const possible = link.targets?.length ? link.targets : Object.keys(searchParameters)
  const targets = possible.filter((each) => {
    const kind = parameterOf(each, name)?.kind
    return kind && kind !== 'reference' && (!narrowed || narrowed === each)
  })
  const found = targets[0] && parameterOf(targets[0], name)
  // One question for all of them: targets that mean another kind of value by the name are not followed.
  const alike = targets.filter((each) => parameterOf(each, name)?.kind === (found as SearchParameter).kind)
  const on = found && testOf(found, name, modifier, values, `${from}.${to}`, bases)
  return on ? { kind: 'chain', param: link.as ?? param, targets: alike, on } : undefined
}

/** The test of one parameter's values; undefined: no such modifier for this kind. */
function testOf(
  { kind, targets, as, plain }: SearchParameter,
  called: string,
  modifier: string | undefined,
  values: string[],
  name: string,
  bases: readonly string[],
): ((ValueTest | DateTest) & { not?: true }) | undefined {
  const param = as ?? called
  const test: ValueTest = { kind: 'value', param, exact: [], codes: [], prefixes: [], endings: [], contains: [] }
  switch (`${kind}:${modifier ?? ''}`) {
    case 'token:':
    case 'token:not':
      for (const each of values) param === 'identifier' ? identifierTest(test, each) : tokenTest(test, each, plain)
      return modifier ? { ...test, not: true } : test
    case 'string:':
      return { ...test, prefixes: values.map((each) => folded(each, name)) }
    case 'string:contains':
      return { ...test, contains: values.map((each) => folded(each, name)) }
    case 'string:exact':
      return { ...test, param: `${param}:exact`, exact: values.map(unescaped) }
    case 'uri:':
      return { ...test, exact: values.map(unescaped) }
    case 'date:':
      return { kind: 'date', param, tests: values.map((each) => rangeOf(each, name)) }
    case 'reference:identifier':
      for (const each of values) identifierTest(test, each)
      return { ...test, param: `${param}:identifier` }
    default: {
      if (kind !== 'reference') return undefined
      const types = modifier === undefined ? targets : targets?.length && !targets.includes(modifier) ? undefined : [modifier]
      if (modifier !== undefined && !types) return undefined
      const exact = values.flatMap((each) => referencesOf(unescaped(each), types, bases))
      return { ...test, exact: as ? exact.filter((each) => targets?.includes(each.split('/').at(-2) ?? '')) : exact }
    }
  }
}

/** `code`, `system|code`, `|code`, `system|`. */
function tokenTest(test: ValueTest, text: string, plain?: true): void {
  const bar = /(?<!\\)\|/.exec(text)?.index
  if (bar === undefined) (plain ? test.exact : test.codes).push(tokenValue(unescaped(text)))
  else {
    const system = unescaped(text.slice(0, bar))
    const code = unescaped(text.slice(bar + 1))
    if (code === '') test.endings.push(tokenValue('', system))
    else test.exact.push(tokenValue(code, system))
  }
}

/** As a token; a number of a kind we know is looked for in the form it is compared in. */
function identifierTest(test: ValueTest, text: string): void {
  const bar = /(?<!\\)\|/.exec(text)?.index
  if (bar === undefined) for (const form of comparables(unescaped(text))) test.codes.push(tokenValue(form))
  else {
    const system = unescaped(text.slice(0, bar))
    const code = unescaped(text.slice(bar + 1))
    if (code === '') test.endings.push(tokenValue('', system))
    else test.exact.push(tokenValue(comparable(system, code), system))
  }
}

/** 'Patient/12', '12' (of every type it may be) or an absolute URL, ours made relative. */
function referencesOf(text: string, types: readonly string[] | undefined, bases: readonly string[]): string[] {
  const base = bases.find((each) => text.startsWith(`${each}/`))
  if (base) return [text.slice(base.length + 1)]
  if (text.includes('/') || text.includes(':')) return [text]
  return (types?.length ? types : Object.keys(searchParameters)).map((type) => `${type}/${text}`)
}

/** 'ge2026-03-02', '2026-03', 'lt2026-03-02T09:00:00Z'. */
function rangeOf(text: string, name: string): DateRange {
  const [, op = 'eq', day = ''] = /^(eq|ne|gt|ge|lt|le|sa|eb)?(.*)$/s.exec(unescaped(text)) as unknown as [string, DateOp?, string?]
  const instants = instantsOf(day.replace(' ', '+'))
  if (!instants) throw refuse(400, 'value', `${parameter(name)} is a date, after eq, ne, gt, ge, lt, le, sa or eb where wanted.`)
  return { op, ...instants }
}

function valuesOf(name: string, text: string): string[] {
  const values = text.split(/(?<!\\),/)
  if (values.length > mostValues) throw refuse(400, 'too-costly', `${parameter(name)} has more than ${mostValues} values.`)
  if (values.some((each) => each.trim() === '')) throw refuse(400, 'value', `${parameter(name)} has an empty value.`)
  return values
}

function folded(text: string, name: string): string {
  const value = fold(unescaped(text))
  if (value === '') throw refuse(400, 'value', `${parameter(name)} has an empty value.`)
  return value
}

const unescaped = (text: string): string => (text.includes('\\') ? text.replace(/\\([,|$\\])/g, '$1') : text)

/** A parameter's name is safe to repeat only when we know every word of it: anything else may be somebody's name. */
const parameter = (name: string): string =>
  name.length <= 100 && name.split(/[:.]/).every((word) => knownWords.has(word)) ? name : 'A search parameter'
const knownWords = new Set([
  ...Object.entries(searchParameters).flatMap(([type, parameters]) => [type, ...Object.keys(parameters)]),
  ...['_count', '_sort', '_include', '_revinclude', '_total', '_summary', '_elements', '_format', '_page', '_has', '_content', '_text'],
  ...['_contained', '_containedType', '_score', '_filter', '_query', '_list', '_type', '_since', '_pretty'],
  ...['exact', 'contains', 'not', 'missing', 'identifier', 'in', 'not-in', 'above', 'below', 'text', 'of-type', 'iterate', 'recurse'],
])

const unknown = (name: string, type: string): Refusal =>
  refuse(400, 'not-supported', `${parameter(name)} is not supported for ${type}${name.includes(':') ? ', or not with this modifier' : ''}.`)
