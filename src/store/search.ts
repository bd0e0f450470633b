/**
 * Searching one shelf. Texts are put together from the fixed fragments here, values never are; the shelf is in every term.
 *
 * The index narrows: the condition that fewest resources fulfil drives, the others are looked up for each of them. When none
 * tells much (`status=active`), the shelf is walked in the order asked for. Where the index can not decide, resources are opened
 * and tested one by one until the page is full, up to a limit; beyond it a search is refused rather than answered wrongly.
 */
import { type Refusal, refuse } from '../fhir/outcome.ts'
import type { Condition, Cursor, DateRange, Include, SearchQuery } from '../fhir/search.ts'
import { cursorText } from '../fhir/search.ts'
import { indexRows, parameterOf, referencesIn } from '../fhir/search-parameters.ts'
import { type Asked, askedFor, fits, peopleAsked } from '../fhir/search-terms.ts'
import { type Database, termBytes, terms, type Value } from './database.ts'
import { byRefs, columns, readStored, type Stored } from './resources.ts'

export type Found = {
  matches: Stored[]
  included: Stored[]
  /** `_page` of the next page. */
  next?: string
  /** All that match; known when it was asked for, or when everything fitted on one page. */
  total?: number
}

/** Resources a page may bring along, and people a chain may lead to. */
const mostIncluded = 1_000
const mostLinked = 1_000
/** A term that more resources have does not drive. */
const telling = 500
/** Resources opened for one search. */
const mostOpened = 5_000
const openedAtOnce = 200

/** @throws Refusal 400 when the page would bring along too much, or too many resources would have to be opened */
export async function searchShelf(database: Database, shelf: string, query: SearchQuery): Promise<Found> {
  const plan = await planOf(database, shelf, query.type, query.conditions)
  const { sort, count, after } = query
  if (!plan) return { matches: [], included: [], ...(after ? {} : { total: 0 }) }
  const counted = query.total || count === 0 ? { total: await countOf(database, plan) } : {}
  if (count === 0) return { matches: [], included: [], ...counted }

  const byDate = sort.by !== '_lastUpdated' && sort.by !== '_id'
  const found = byDate ? sorted(await walk(database, plan, byId), query) : await walk(database, plan, sort, after, count + 1)
  const matches = found.slice(0, count)
  const last = matches.at(-1)
  const more = found.length > count && last
  return {
    matches,
    included: await includedOf(database, shelf, query, matches),
    ...(more ? { next: cursorText(sort.by === '_lastUpdated' ? { id: last.id, value: last.lastUpdated } : { id: last.id }) } : {}),
    ...(more || after ? counted : { total: matches.length }),
  }
}

type Fragment = { sql: string; params: Value[] }
type Plan = {
  from: string
  /** One person or one telling term leads: few rows, in no order of the index. */
  few: boolean
  where: string[]
  params: Value[]
  /** What the index can not decide; absent when it decides everything. */
  test?: (stored: Stored) => boolean
}
type Plain = Exclude<Condition, { kind: 'chain' }>
type Sort = SearchQuery['sort']
const byId: Sort = { by: '_id', down: false }

/** @returns undefined when nothing can match */
async function planOf(database: Database, shelf: string, type: string, asked: readonly Condition[]): Promise<Plan | undefined> {
  const conditions = await Promise.all(asked.map((each) => (each.kind === 'chain' ? linkedBy(database, shelf, each) : each)))
  const lookups: { condition: Plain; asked: Asked; not: boolean }[] = []
  const columnTests: Fragment[] = []
  const tests: Plain[] = []
  let people = false
  for (const condition of conditions) {
    const asked = peopleAsked(condition)
    if (asked) {
      if (!asked.length) return undefined
      people = true
      columnTests.push(within('r.patient', asked))
    } else if (condition.kind === 'id') columnTests.push(within('r.id', condition.ids))
    else if (condition.kind === 'updated') columnTests.push(any(condition.tests.map(updatedIn)))
    else if (condition.kind === 'missing') tests.push(condition)
    else {
      const not = condition.not === true
      const asked = askedFor(shelf, type, condition)
      if (asked?.terms.length === 0) {
        if (!not) return undefined
        continue
      }
      if (!asked?.decides) tests.push(condition)
      if (asked && (asked.decides || !not)) lookups.push({ condition, asked, not })
    }
  }
  // One person's worth of resources is few enough to open.
  const driver = people
    ? undefined
    : await driverOf(
        database,
        lookups.filter(({ not }) => !not),
      )
  const parts: Fragment[] = [
    ...(driver
      ? [{ sql: `r.row in (select resource from search s where ${hasTerm(driver.asked)})`, params: [terms(driver.asked.terms)] }]
      : []),
    { sql: 'r.shelf = ? and r.type = ? and r.body is not null', params: [shelf, type] },
    ...columnTests,
    ...lookups.flatMap((one) =>
      one === driver
        ? []
        : [
            {
              // As a value, not as `exists`: of that SQLite makes a join, which costs three times as much here and may lead.
              sql: `(select 1 from search s where ${hasTerm(one.asked)} and s.resource = r.row) is ${one.not ? '' : 'not '}null`,
              params: [terms(one.asked.terms)],
            },
          ],
    ),
  ]
  return {
    from: driver
      ? 'resource r not indexed'
      : `resource r indexed by ${people ? 'resource_by_patient' : asked.some(({ kind }) => kind === 'id') ? 'resource_place' : 'resource_by_time'}`,
    few: people || driver !== undefined,
    where: parts.map(({ sql }) => sql),
    params: parts.flatMap(({ params }) => params),
    ...(tests.length ? { test: ({ body }) => body !== undefined && passes(tests, body) } : {}),
  }
}

function passes(tests: readonly Plain[], body: NonNullable<Stored['body']>): boolean {
  const rows = indexRows(body, new Set(tests.flatMap((each) => ('param' in each ? [each.param.replace(/:.*/, '')] : []))))
  return tests.every((each) => fits(each, body, rows))
}

/** The lookup that few resources fulfil: by its nature, or because a short count says so. */
async function driverOf<L extends { condition: Plain; asked: Asked }>(database: Database, lookups: readonly L[]): Promise<L | undefined> {
  const few = lookups.find(byNature)
  if (few) return few
  for (const one of lookups) {
    const more = await database.query({
      sql: `select 1 from search s where ${hasTerm(one.asked)} limit 1 offset ${telling - 1}`,
      params: [terms(one.asked.terms)],
    })
    if (more.length === 0) return one
  }
  return undefined
}

/** An identifier finds one, or a person's few. */
const byNature = ({ condition, asked }: { condition: Plain; asked: Asked }): boolean =>
  condition.kind === 'value' && condition.param === 'identifier' && condition.prefixes.length === 0 && asked.terms.length > 0

const hasTerm = ({ terms: { length } }: Asked): string =>
  length === 1
    ? 's.term = ?'
    : `s.term in (with recursive t(terms, i) as (select ?, 1 union all select terms, i + ${termBytes} from t where i + ${termBytes} <= length(terms))
        select substr(terms, i, ${termBytes}) from t)`

/** A chain as a condition on the reference itself: what it leads to is found first. */
async function linkedBy(database: Database, shelf: string, chain: Extract<Condition, { kind: 'chain' }>): Promise<Plain> {
  const exact: string[] = []
  for (const type of chain.targets) {
    const plan = await planOf(database, shelf, type, [chain.on])
    if (!plan) continue
    const found = await walk(database, plan, byId, undefined, mostLinked + 1)
    if (found.length > mostLinked) throw tooCostly()
    exact.push(...found.map(refOf))
  }
  return { kind: 'value', param: chain.param, exact, codes: [], prefixes: [], endings: [], contains: [] }
}

/** Resources in order, from behind `after`, until there are `most`. Absent: all there are. */
async function walk(database: Database, plan: Plan, sort: Sort, after?: Cursor, most = Number.POSITIVE_INFINITY): Promise<Stored[]> {
  const all = plan.few ? await fewOf(database, plan, sort, after, most) : undefined
  if (all) return all
  const found: Stored[] = []
  let opened = 0
  let from = after
  for (;;) {
    // The first look asks for as many as are wanted: mostly the index was right, and they all pass.
    const limit = opened === 0 ? Math.min(most, openedAtOnce) : openedAtOnce
    const page = pageOf(sort, from)
    const rows = await readStored(database, {
      sql: `select ${columns} from ${plan.from} where ${[...plan.where, ...page.where].join(' and ')} order by ${page.order} limit ?`,
      params: [...plan.params, ...page.params, limit],
    })
    opened += rows.length
    found.push(...(plan.test ? rows.filter(plan.test) : rows))
    if (rows.length < limit || found.length >= most) return found.slice(0, most)
    if (opened >= mostOpened) throw tooCostly()
    const last = rows.at(-1) as Stored
    from = { id: last.id, value: last.lastUpdated }
    // Others have their turn before the next are opened.
    await new Promise((go) => setImmediate(go))
  }
}

/**
 * Rows that are few are put in order here: for one row, SQLite's own sorting costs three times what finding it does.
 *
 * @returns undefined when they are not that few
 */
async function fewOf(database: Database, plan: Plan, sort: Sort, after: Cursor | undefined, most: number): Promise<Stored[] | undefined> {
  let many = false
  const where = [...plan.where, ...pageOf(sort, after).where].join(' and ')
  const rows = await readStored(
    database,
    {
      sql: `select ${columns} from ${plan.from} where ${where} limit ${openedAtOnce + 1}`,
      params: [...plan.params, ...pageOf(sort, after).params],
    },
    (unopened) => {
      many = unopened.length > openedAtOnce
      if (many) return []
      const ordered = unopened.length > 1 ? [...unopened].sort(inOrderOf(sort)) : unopened
      return plan.test ? ordered : ordered.slice(0, most)
    },
  )
  if (many) return undefined
  return plan.test ? rows.filter(plan.test).slice(0, most) : rows
}

/** As `pageOf` has it: what is compared is ASCII, in which SQLite and JavaScript agree. */
const inOrderOf =
  ({ by, down }: Sort) =>
  (a: Pick<Stored, 'id' | 'lastUpdated'>, b: Pick<Stored, 'id' | 'lastUpdated'>): number => {
    const [x, y] = by === '_id' || a.lastUpdated === b.lastUpdated ? [a.id, b.id] : [a.lastUpdated, b.lastUpdated]
    return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1)
  }

const tooCostly = (): Refusal =>
  refuse(400, 'too-costly', 'Too many resources would have to be opened: say more, such as patient, identifier, status or _lastUpdated.')

async function countOf(database: Database, plan: Plan): Promise<number> {
  if (plan.test) return (await walk(database, plan, byId)).length
  const [row] = await database.query<{ total: number }>({
    sql: `select count(*) as total from ${plan.from} where ${plan.where.join(' and ')}`,
    params: plan.params,
  })
  return row?.total ?? 0
}

/** The order asked for, `id` last, and where this page starts in it. */
function pageOf({ by, down }: Sort, after: Cursor | undefined): { order: string; where: string[]; params: Value[] } {
  const way = down ? 'desc' : 'asc'
  const beyond = down ? '<' : '>'
  if (by === '_id') return { order: `r.id ${way}`, where: after ? [`r.id ${beyond} ?`] : [], params: after ? [after.id] : [] }
  const start = after ? [after.value ?? '', after.id] : []
  return { order: `r.last_updated ${way}, r.id ${way}`, where: after ? [`(r.last_updated, r.id) ${beyond} (?, ?)`] : [], params: start }
}

/** By a date of the resource, from behind the last of the page before. What has no such date comes last, whichever way. */
function sorted(found: readonly Stored[], { sort: { by, down }, after }: SearchQuery): Stored[] {
  const dated = found.map((stored) => {
    const dates = indexRows(stored.body as NonNullable<Stored['body']>).flatMap(({ param, value }) => (param === by ? [value] : []))
    return { stored, date: dates.sort()[down ? dates.length - 1 : 0] }
  })
  const way = down ? -1 : 1
  const compare = (a: string, b: string) => (a === b ? 0 : a < b ? -way : way)
  dated.sort((a, b) => {
    if (a.date === undefined || b.date === undefined) {
      if (a.date !== b.date) return a.date === undefined ? 1 : -1
      return compare(a.stored.id, b.stored.id)
    }
    return compare(a.date, b.date) || compare(a.stored.id, b.stored.id)
  })
  const ordered = dated.map(({ stored }) => stored)
  if (!after) return ordered
  const place = ordered.findIndex(({ id }) => id === after.id)
  if (place < 0) throw refuse(400, 'value', '_page leads to a place that is no longer there: search again.')
  return ordered.slice(place + 1)
}

/** A time from and to, on the column. */
function updatedIn({ op, from, upto }: DateRange): Fragment {
  const at = 'r.last_updated'
  switch (op) {
    case 'eq':
      return { sql: `(${at} >= ? and ${at} <= ?)`, params: [from, upto] }
    case 'ne':
      return { sql: `(${at} < ? or ${at} > ?)`, params: [from, upto] }
    case 'gt':
    case 'sa':
      return { sql: `${at} > ?`, params: [upto] }
    case 'ge':
      return { sql: `${at} >= ?`, params: [from] }
    case 'lt':
    case 'eb':
      return { sql: `${at} < ?`, params: [from] }
    case 'le':
      return { sql: `${at} <= ?`, params: [upto] }
  }
}

const any = (tests: readonly Fragment[]): Fragment =>
  tests.length === 1
    ? (tests[0] as Fragment)
    : { sql: `(${tests.map(({ sql }) => sql).join(' or ')})`, params: tests.flatMap(({ params }) => params) }

const within = (column: 'r.id' | 'r.patient', ids: readonly string[]): Fragment =>
  ids.length === 1
    ? { sql: `${column} = ?`, params: [ids[0] as string] }
    : { sql: `${column} in (select value from json_each(?))`, params: [JSON.stringify(ids)] }

async function includedOf(database: Database, shelf: string, query: SearchQuery, matches: readonly Stored[]): Promise<Stored[]> {
  if (matches.length === 0 || query.includes.length + query.revincludes.length === 0) return []
  const refs = matches.flatMap(({ body }) => query.includes.flatMap(({ param, target }) => referencesIn(body!, param).filter(isOf(target))))
  const found = refs.length ? await byRefs(database, shelf, refs.slice(0, mostIncluded + 1)) : []
  for (const include of query.revincludes) found.push(...(await pointingAt(database, shelf, include, query.type, matches)))
  if (found.length > mostIncluded) throw refuse(400, 'too-costly', 'This page would bring along too much: ask for a smaller _count.')
  const seen = new Set(matches.map(refOf))
  return found.filter((each) => !seen.has(refOf(each)) && seen.add(refOf(each)))
}

/** Resources whose `param` leads to one of the matches: looked for among those about the same people, where the matches have any. */
async function pointingAt(
  database: Database,
  shelf: string,
  { type, param, target }: Include,
  of: string,
  matches: readonly Stored[],
): Promise<Stored[]> {
  if (target && target !== of) return []
  const leadsTo = (name: string, exact: string[]): Condition => ({
    kind: 'value',
    param: name,
    exact,
    codes: [],
    prefixes: [],
    endings: [],
    contains: [],
  })
  const pointing = leadsTo(parameterOf(type, param)?.as ?? param, matches.map(refOf))
  const people = [...new Set(matches.flatMap(({ patient }) => patient ?? []))]
  const about = matches.every(({ patient }) => patient)
    ? [
        leadsTo(
          'patient',
          people.map((id) => `Patient/${id}`),
        ),
      ]
    : []
  const plan = await planOf(database, shelf, type, [pointing, ...about])
  return plan ? walk(database, plan, { by: '_lastUpdated', down: false }, undefined, mostIncluded + 1) : []
}

const refOf = ({ type, id }: Stored): string => `${type}/${id}`
const isOf = (target: string | undefined) => (ref: string) => !target || ref.startsWith(`${target}/`)
