/**
 * Reading the audit: by whoever answers for a service, and each reading of it in the audit too. For everybody else there is none.
 */
import type { AuditEvent } from '@medplum/fhirtypes'
import { allowed, type Request } from '../access/caller.ts'
import { refuse } from '../fhir/outcome.ts'
import { cursorText, parseSearch, type SearchQuery } from '../fhir/search.ts'
import { keptAs, searchBundle } from '../fhir/search-bundle.ts'
import { fits, peopleAsked } from '../fhir/search-terms.ts'
import { type AuditQuery, type AuditRow, auditPage, auditRow, recordAudit } from '../store/audit.ts'
import type { Database } from '../store/database.ts'
import { personOf } from '../store/people.ts'
import { newId } from '../store/random.ts'
import { type Around, auditEventsOf, rowIdOf } from './audit-events.ts'
import { actorOf } from './change.ts'
import { type Answer, asWritten, type Exchange } from './exchange.ts'

const rowsAtOnce = 500
/** Looked through for one page, so that no question holds up everybody: a page with fewer than asked for has a next one. */
const mostRows = 20_000

export async function readAudit(exchange: Exchange, request: Request, id: string): Promise<Answer> {
  const service = mustBeService(request, 'r')
  const row = await auditRow(exchange.database, rowIdOf(id))
  const found =
    row && (await isOf(exchange.database, service, row)) && auditEventsOf(row, around(exchange)).find((event) => event.id === id)
  if (!found) throw refuse(404, 'not-found', 'There is no such resource here.')
  await exchange.database.atomically([recordAudit([{ ...reading(exchange, request), action: 'read', entity: `AuditEvent/${id}` }])])
  return { status: 200, body: found }
}

export async function searchAudit(exchange: Exchange, request: Request, params: URLSearchParams): Promise<Answer> {
  const service = mustBeService(request, 's')
  const query = parseSearch('AuditEvent', params, { lenient: request.lenient, bases: [`${exchange.publicUrl}/fhir`] })
  mustBeOfUse(query, params)
  const down = params.has('_sort') ? query.sort.down : true
  const { events, next } = await pageOf(exchange, query, { ...narrowed(query), service, down })
  const asked = `AuditEvent?${new URLSearchParams(query.asked)}`
  const people = query.conditions.flatMap((condition) => peopleAsked(condition) ?? [])
  const about = people.length ? people.map((patient) => ({ patient })) : [{}]
  await exchange.database.atomically([
    recordAudit(
      about.map((whom) => ({
        ...reading(exchange, request),
        ...whom,
        action: 'search',
        entity: 'AuditEvent',
        detail: JSON.stringify({ asked }),
      })),
    ),
  ])
  const page = { matches: events.map(keptAs), included: [], ...(next ? { next } : {}) }
  return asWritten(searchBundle(exchange.publicUrl, query, page, exchange.now().toISOString()))
}

/**
 * The whole audit, the oldest first, one AuditEvent after the other, however long it is.
 *
 * @param of rows from this instant on, about this person
 */
export async function* allAuditEvents(
  database: Database,
  around: Around,
  of: { since?: string; patient?: string },
): AsyncGenerator<AuditEvent> {
  const asked = {
    down: false,
    limit: rowsAtOnce,
    ...(of.since ? { from: of.since } : {}),
    ...(of.patient ? { patients: [of.patient] } : {}),
  }
  for (let after: AuditQuery['after']; ; ) {
    const rows: AuditRow[] = await auditPage(database, { ...asked, ...(after ? { after } : {}) })
    for (const row of rows) yield* auditEventsOf(row, around)
    const last = rows.at(-1)
    if (!last) return
    after = last
  }
}

/** A partner or a referrer learns nothing of it, not even that it is there. */
function mustBeService({ caller }: Request, letter: 'r' | 's'): string {
  if (caller.role !== 'service' || caller.service === undefined)
    throw refuse(404, 'not-supported', 'This resource type is not served here.')
  if (!allowed(caller, 'AuditEvent', letter)) throw refuse(403, 'forbidden', 'The granted scopes do not allow this.')
  return caller.service
}

const around = ({ publicUrl, directory, adapters }: Exchange): Around => ({ publicUrl, directory: directory(), adapters })

const isOf = async (database: Database, service: string, row: AuditRow): Promise<boolean> =>
  row.service === service ||
  (row.service === undefined && row.patient !== undefined && (await personOf(database, row.patient))?.service === service)

const reading = (exchange: Exchange, request: Request) => ({
  id: newId(),
  at: exchange.now().toISOString(),
  ...actorOf(request),
  service: request.caller.service as string,
})

/** The audit has one order, and refers to what it does not hold. */
function mustBeOfUse({ sort, includes, revincludes, conditions, total, count }: SearchQuery, params: URLSearchParams): void {
  if (params.has('_sort') && sort.by !== 'date' && sort.by !== '_lastUpdated')
    throw refuse(400, 'not-supported', 'The audit is sorted by date: _sort is date or -date.')
  if (includes.length || revincludes.length || total)
    throw refuse(400, 'not-supported', 'Of the audit _include, _revinclude and _total are not supported.')
  if (count === 0) throw refuse(400, 'not-supported', 'The audit is not counted: _count is at least 1.')
  if (conditions.some(({ kind }) => kind === 'chain')) throw refuse(400, 'not-supported', 'Of the audit no chained parameter is supported.')
}

/** What of the question the rows themselves can answer. */
function narrowed({ conditions }: SearchQuery): Pick<AuditQuery, 'patients' | 'from' | 'upto'> {
  const people = conditions.map(peopleAsked).find(Boolean)
  let [from, upto] = ['', '9999']
  for (const condition of conditions) {
    if (condition.kind !== 'date' || condition.not || condition.tests.length !== 1) continue
    for (const test of condition.tests) {
      if (/^(eq|gt|ge|sa)$/.test(test.op) && test.from > from) from = test.from
      if (/^(eq|lt|le|eb)$/.test(test.op) && test.upto < upto) upto = test.upto
    }
  }
  return { ...(people ? { patients: people } : {}), from, upto }
}

async function pageOf(
  exchange: Exchange,
  query: SearchQuery,
  asked: Omit<AuditQuery, 'limit' | 'after'>,
): Promise<{ events: AuditEvent[]; next?: string }> {
  const events: AuditEvent[] = []
  const fitting = (event: AuditEvent) => query.conditions.every((condition) => condition.kind !== 'chain' && fits(condition, event))
  // The cursor names the row a page ended with; its events are never torn apart.
  let after = query.after?.value === undefined ? undefined : { at: query.after.value, id: query.after.id }
  for (let seen = 0; seen < mostRows; ) {
    const rows = await auditPage(exchange.database, { ...asked, ...(after ? { after } : {}), limit: rowsAtOnce })
    for (const row of rows) {
      after = row
      events.push(...auditEventsOf(row, around(exchange)).filter(fitting))
      if (events.length >= query.count) return { events, next: cursorText({ id: row.id, value: row.at }) }
    }
    if (rows.length < rowsAtOnce) return { events }
    seen += rows.length
  }
  return after ? { events, next: cursorText({ id: after.id, value: after.at }) } : { events }
}
