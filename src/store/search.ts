/**
 * Searching one shelf. Every statement names the shelf first; texts are put together from the fixed fragments here, values
 * never are.
 *
 * One condition drives: the most telling one gives the ids, the others are looked up for each of them. When no condition tells
 * much (`status=active`), the shelf is walked in the order asked for and the walk stops when the page is full.
 */
import { Refusal } from '../fhir/outcome.ts'
import type { Condition, DateRange, DateTest, Include, SearchQuery, ValueTest } from '../fhir/search.ts'
import { cursorText } from '../fhir/search.ts'
import { parameterOf, referencesIn } from '../fhir/search-parameters.ts'
import type { Database, Value } from './database.ts'
import { byRefs, columns, readStored, type Stored } from './resources.ts'

export type Found = {
  matches: Stored[]
  included: Stored[]
  /** `_page` of the next page. */
  next?: string
  /** All that match; known when it was asked for, or when everything fitted on one page. */
  total?: number
}

/** Resources a page may bring along. */
const mostIncluded = 1_000
/** A condition that more rows than this fulfil does not drive. */
const telling = 500

/** @throws Refusal 400 when the page would bring along too much */
export async function searchShelf(database: Database, shelf: string, query: SearchQuery): Promise<Found> {
  const plan = await planOf(database, shelf, query)
  const counted = query.total || query.count === 0 ? { total: await countOf(database, plan) } : {}
  if (query.count === 0) return { matches: [], included: [], ...counted }

  const page = pageOf(query)
  // Bodies are read for the page only: finding and sorting goes over the index.
  const stored = await readStored(database, {
    sql: `select ${columns} from resource r where r.rowid in
        (select r.rowid from ${plan.from} where ${[...plan.where, ...page.where].join(' and ')} order by ${page.order} limit ?)
      order by ${page.order}`,
    params: [...plan.params, ...page.params, query.count + 1],
  })
  const matches = stored.slice(0, query.count)
  const last = matches.at(-1)
  const more = stored.length > query.count && last
  return {
    matches,
    included: await includedOf(database, shelf, query, matches),
    ...(more ? { next: cursorText(query.sort.by === '_lastUpdated' ? { id: last.id, value: last.lastUpdated } : { id: last.id }) } : {}),
    ...(more || query.after ? counted : { total: matches.length }),
  }
}

type Fragment = { sql: string; params: Value[] }
type Plan = { from: string; where: string[]; params: Value[] }

async function planOf(database: Database, shelf: string, { type, conditions }: SearchQuery): Promise<Plan> {
  const driver = await driverOf(database, shelf, type, conditions)
  const parts: Fragment[] = [
    { sql: 'r.shelf = ? and r.type = ?', params: [shelf, type] },
    ...conditions.map((condition) => (condition === driver ? drives(shelf, type, condition) : holds(shelf, type, condition))),
    { sql: 'r.body is not null', params: [] },
  ]
  return {
    from: driver ? 'resource r indexed by sqlite_autoindex_resource_1' : 'resource r indexed by resource_by_time',
    where: parts.map(({ sql }) => sql),
    params: parts.flatMap(({ params }) => params),
  }
}

/** The condition that few resources fulfil: by its nature, or because a short count says so. */
async function driverOf(database: Database, shelf: string, type: string, conditions: readonly Condition[]): Promise<Condition | undefined> {
  const positive = conditions.filter(({ kind, ...rest }) => kind !== 'missing' && kind !== 'updated' && !('not' in rest))
  const few = positive.find(({ kind }) => kind === 'id' || kind === 'chain') ?? positive.find(byNature)
  if (few) return few
  for (const condition of positive) {
    if (condition.kind !== 'value' && condition.kind !== 'date') continue
    const rows = rowsWhere(shelf, type, condition)
    const [probe] = await database.query<{ rows: number }>({
      sql: `select count(*) as rows from (select 1 from ${rows.sql} limit ${telling})`,
      params: rows.params,
    })
    if (probe && probe.rows < telling) return condition
  }
  return undefined
}

/** An identifier, or a reference to a person: one person's worth of resources. */
const byNature = (condition: Condition): boolean =>
  condition.kind === 'value' &&
  condition.endings.length + condition.contains.length === 0 &&
  (condition.param === 'identifier' || (condition.exact.length > 0 && condition.exact.every((value) => value.startsWith('Patient/'))))

/** `r.id` is one of these. */
function drives(shelf: string, type: string, condition: Condition): Fragment {
  if (condition.kind === 'id') return idIn(condition.ids)
  const rows = rowsWhere(shelf, type, condition as ValueTest | DateTest | Chain)
  return { sql: `r.id in (select id from ${rows.sql})`, params: rows.params }
}

/** It holds for `r`. */
function holds(shelf: string, type: string, condition: Condition): Fragment {
  switch (condition.kind) {
    case 'id':
      return idIn(condition.ids)
    case 'updated':
      return any(condition.tests.map((test) => dateTest(test, 'r.last_updated', 'r.last_updated')))
    case 'missing':
      return {
        sql: `${condition.missing ? 'not ' : ''}exists (select 1 from search s indexed by search_by_resource where s.shelf = ? and s.type = ? and s.id = r.id and s.param = ?)`,
        params: [shelf, type, condition.param],
      }
    default: {
      const rows = rowsWhere(shelf, type, condition, 'r.id')
      const not = condition.kind !== 'chain' && condition.not ? 'not ' : ''
      return { sql: `${not}exists (select 1 from ${rows.sql})`, params: rows.params }
    }
  }
}

type Chain = Extract<Condition, { kind: 'chain' }>

/** The rows of the index that fulfil a condition; with `of`, those of one resource. */
function rowsWhere(shelf: string, type: string, condition: ValueTest | DateTest | Chain, of?: 'r.id'): Fragment {
  const test = testOf(shelf, condition)
  // One resource's row is looked up by its whole key where the value is known, otherwise among the resource's few rows.
  const known = condition.kind === 'value' && condition.exact.length > 0 && condition.exact.length === parts(condition)
  const index = of && !known ? 'search_by_resource' : 'sqlite_autoindex_search_1'
  return {
    sql: `search s indexed by ${index} where s.shelf = ? and s.type = ? and s.param = ? and ${test.sql}${of ? ` and s.id = ${of}` : ''}`,
    params: [shelf, type, condition.param, ...test.params],
  }
}

const parts = ({ exact, prefixes, endings, contains }: ValueTest): number =>
  exact.length + prefixes.length + endings.length + contains.length

function testOf(shelf: string, condition: ValueTest | DateTest | Chain): Fragment {
  if (condition.kind === 'chain') return chainTest(shelf, condition)
  return condition.kind === 'date' ? any(condition.tests.map(rowTest)) : valueTest(condition)
}

function chainTest(shelf: string, { targets, on }: Chain): Fragment {
  const inner = testOf(shelf, on)
  const isTarget = targets.length === 1 ? 's.type = ?' : 's.type in (select value from json_each(?))'
  return {
    sql: `s.value in (select s.type || '/' || s.id from search s indexed by sqlite_autoindex_search_1 where s.shelf = ? and ${isTarget} and s.param = ? and ${inner.sql})`,
    params: [shelf, targets.length === 1 ? targets[0]! : JSON.stringify(targets), on.param, ...inner.params],
  }
}

const valueTest = ({ exact, prefixes, endings, contains }: ValueTest): Fragment =>
  any([
    ...(exact.length === 1 ? [{ sql: 's.value = ?', params: [exact[0]!] }] : []),
    ...(exact.length > 1 ? [{ sql: 's.value in (select value from json_each(?))', params: [JSON.stringify(exact)] }] : []),
    ...prefixes.map((prefix) => ({ sql: '(s.value >= ? and s.value < ?)', params: [prefix, `${prefix}\u{10ffff}`] })),
    ...endings.map((ending) => ({ sql: 'substr(s.value, ?) = ?', params: [-[...ending].length, ending] })),
    ...contains.map((part) => ({ sql: 'instr(s.value, ?) > 0', params: [part] })),
  ])

const rowTest = (test: DateRange): Fragment => dateTest(test, 's.value', 's.upto')

/** What R4 says each prefix means for a period that starts at `from` and ends at `upto`. */
function dateTest({ op, from: first, upto: last }: DateRange, from: string, upto: string): Fragment {
  switch (op) {
    case 'eq':
      return { sql: `(${from} >= ? and ${from} <= ? and ${upto} <= ?)`, params: [first, last, last] }
    case 'ne':
      return { sql: `(${from} < ? or ${upto} > ?)`, params: [first, last] }
    case 'gt':
      return { sql: `${upto} > ?`, params: [last] }
    case 'ge':
      return { sql: `${upto} >= ?`, params: [first] }
    case 'lt':
      return { sql: `${from} < ?`, params: [first] }
    case 'le':
      return { sql: `${from} <= ?`, params: [last] }
    case 'sa':
      return { sql: `${from} > ?`, params: [last] }
    case 'eb':
      return { sql: `${upto} < ?`, params: [first] }
  }
}

const any = (tests: readonly Fragment[]): Fragment => {
  if (tests.length === 1) return tests[0]!
  if (tests.length === 0) return { sql: 'false', params: [] }
  return { sql: `(${tests.map(({ sql }) => sql).join(' or ')})`, params: tests.flatMap(({ params }) => params) }
}

const idIn = (ids: readonly string[]): Fragment =>
  ids.length === 1
    ? { sql: 'r.id = ?', params: [ids[0]!] }
    : { sql: 'r.id in (select value from json_each(?))', params: [JSON.stringify(ids)] }

/** The order asked for, `id` last, and where this page starts in it. */
function pageOf({ type, sort: { by, down }, after }: SearchQuery): { order: string; where: string[]; params: Value[] } {
  const way = down ? 'desc' : 'asc'
  const beyond = down ? '<' : '>'
  if (by === '_id') return { order: `r.id ${way}`, where: after ? [`r.id ${beyond} ?`] : [], params: after ? [after.id] : [] }
  if (by === '_lastUpdated') {
    const start = after ? [after.value ?? '', after.id] : []
    return { order: `r.last_updated ${way}, r.id ${way}`, where: after ? [`(r.last_updated, r.id) ${beyond} (?, ?)`] : [], params: start }
  }
  // What has no such date comes last, whichever way. The name is one of the table's, checked when the search was read.
  const date = (id: string) =>
    `coalesce((select ${down ? 'max' : 'min'}(d.value) from search d indexed by search_by_resource where d.shelf = r.shelf and d.type = r.type and d.id = ${id} and d.param = '${sortable(type, by)}'), '${down ? '' : '~'}')`
  return {
    order: `${date('r.id')} ${way}, r.id ${way}`,
    where: after ? [`(${date('r.id')}, r.id) ${beyond} (${date('?')}, ?)`] : [],
    params: after ? [after.id, after.id] : [],
  }
}

function sortable(type: string, name: string): string {
  if (parameterOf(type, name)?.kind !== 'date') throw new Error('not a date parameter')
  return name
}

async function countOf(database: Database, { from, where, params }: Plan): Promise<number> {
  const [row] = await database.query<{ total: number }>({
    sql: `select count(*) as total from ${from} where ${where.join(' and ')}`,
    params,
  })
  return row?.total ?? 0
}

async function includedOf(database: Database, shelf: string, query: SearchQuery, matches: readonly Stored[]): Promise<Stored[]> {
  if (matches.length === 0 || query.includes.length + query.revincludes.length === 0) return []
  const refs = matches.flatMap(({ body }) => query.includes.flatMap(({ param, target }) => referencesIn(body!, param).filter(isOf(target))))
  const found = refs.length ? await byRefs(database, shelf, refs.slice(0, mostIncluded + 1)) : []
  for (const include of query.revincludes) found.push(...(await pointingAt(database, shelf, include, query.type, matches)))
  if (found.length > mostIncluded)
    throw new Refusal(400, { code: 'too-costly', text: 'This page would bring along too much: ask for a smaller _count.' })
  const seen = new Set(matches.map(refOf))
  return found.filter((each) => !seen.has(refOf(each)) && seen.add(refOf(each)))
}

/** Resources whose `param` leads to one of the matches. */
function pointingAt(
  database: Database,
  shelf: string,
  { type, param, target }: Include,
  of: string,
  matches: readonly Stored[],
): Promise<Stored[]> {
  if (target && target !== of) return Promise.resolve([])
  return readStored(database, {
    sql: `select ${columns} from resource r indexed by sqlite_autoindex_resource_1
      where r.shelf = ? and r.type = ? and r.body is not null and r.id in
        (select s.id from search s where s.shelf = ? and s.type = ? and s.param = ? and s.value in (select value from json_each(?)))
      order by r.last_updated, r.id limit ?`,
    params: [shelf, type, shelf, type, parameterOf(type, param)?.as ?? param, JSON.stringify(matches.map(refOf)), mostIncluded + 1],
  })
}

const refOf = ({ type, id }: Stored): string => `${type}/${id}`
const isOf = (target: string | undefined) => (ref: string) => !target || ref.startsWith(`${target}/`)
