/**
 * What a reader sees: its own shelf, decided anew for each person at each read, and each read in the audit (promises 2, 3 and 7).
 *
 * Somebody else's resource, a withheld one and one that never was are the same answer: it does not exist.
 */
import type { HealthcareService, Organization, Provenance } from '@medplum/fhirtypes'
import { allowed, type Request } from '../access/caller.ts'
import { organizationOf } from '../fhir/organization.ts'
import { refuse } from '../fhir/outcome.ts'
import { healthcareService } from '../fhir/parts.ts'
import { parseSearch, type SearchQuery } from '../fhir/search.ts'
import { type Kept, keptAs, type Page, searchBundle } from '../fhir/search-bundle.ts'
import { fits } from '../fhir/search-terms.ts'
import { historyOf, readResource, readVersion, type Stored } from '../store/resources.ts'
import { type Found, searchShelf } from '../store/search.ts'
import { peopleDue } from '../store/timers.ts'
import { amend, lookAgain } from './amend.ts'
import { readAudit, searchAudit } from './auditing.ts'
import { actorOf } from './change.ts'
import { type Answer, asWritten, type Exchange } from './exchange.ts'
import { moveHandover } from './move-handover.ts'
import { provenanceById, provenancesFor } from './provenances.ts'
import { stateOf } from './task.ts'
import { auditRead, undecided, viewing } from './viewing.ts'

const nothing = () => refuse(404, 'not-found', 'There is no such resource here.')

export async function readOne(exchange: Exchange, request: Request, type: string, id: string): Promise<Answer> {
  if (type === 'AuditEvent') return readAudit(exchange, request, id)
  check(request, type, 'r')
  const fromDirectory = inDirectory(exchange, type, id)
  if (fromDirectory) return { status: 200, body: fromDirectory }
  const stored = await readResource(exchange.database, request.caller.shelf, type, id)
  const origin =
    !stored && type === 'Provenance' && request.caller.role === 'service'
      ? await provenanceById(exchange.database, request.caller.shelf, id)
      : undefined
  if (origin) {
    await auditRead(exchange, request, 'read', undecided([asRow(origin)]))
    return { status: 200, body: origin }
  }
  if (!stored) throw nothing()
  if (stored.kept === undefined) throw refuse(410, 'deleted', 'This resource was deleted.')
  return viewing(exchange, request, [stored], async (decided, lasting) => {
    await auditRead(exchange, request, 'read', decided)
    if (!decided.seen.length || !(await lasting()).length) throw nothing()
    return answerWith(stored)
  })
}

export async function readOneVersion(exchange: Exchange, request: Request, type: string, id: string, version: string): Promise<Answer> {
  check(request, type, 'r')
  const stored = /^\d{1,9}$/.test(version)
    ? await readVersion(exchange.database, request.caller.shelf, type, id, Number(version))
    : undefined
  if (!stored) throw nothing()
  if (stored.kept === undefined) throw refuse(410, 'deleted', 'This version says that the resource was deleted.')
  return viewing(exchange, request, [stored], async (decided, lasting) => {
    await auditRead(exchange, request, 'vread', decided)
    if (!decided.seen.length || !(await lasting()).length) throw nothing()
    return answerWith(stored)
  })
}

export async function readHistory(exchange: Exchange, request: Request, type: string, id: string): Promise<Answer> {
  check(request, type, 'r')
  const all = await historyOf(exchange.database, request.caller.shelf, type, id)
  return viewing(exchange, request, all, async (decided, lasting) => {
    await auditRead(exchange, request, 'history', { ...decided, seen: decided.seen.slice(0, 1) })
    const versions = decided.seen.length ? await lasting() : []
    if (!versions.length) throw nothing()
    return historyAnswer(exchange, type, id, versions)
  })
}

/** What is made from the audit is about somebody, too: reading it is. */
const asRow = ({ id, meta, target }: Provenance): Stored => ({
  shelf: '',
  type: 'Provenance',
  id: id as string,
  version: 1,
  lastUpdated: meta?.lastUpdated as string,
  patient: target.at(-1)?.reference?.replace('Patient/', '') as string,
})

const historyAnswer = (exchange: Exchange, type: string, id: string, versions: readonly Stored[]): Answer => ({
  status: 200,
  body: {
    resourceType: 'Bundle',
    type: 'history',
    total: versions.length,
    link: [{ relation: 'self', url: `${exchange.publicUrl}/fhir/${type}/${id}/_history` }],
    entry: versions.map((stored, index) => ({
      fullUrl: `${exchange.publicUrl}/fhir/${type}/${id}`,
      ...(stored.body ? { resource: stored.body } : {}),
      request: stored.body
        ? index === versions.length - 1
          ? { method: 'POST', url: type }
          : { method: 'PUT', url: `${type}/${id}` }
        : { method: 'DELETE', url: `${type}/${id}` },
      response: { status: stored.body ? '200' : '204', etag: `W/"${stored.version}"`, lastModified: stored.lastUpdated },
    })),
  },
})

export async function searchFor(exchange: Exchange, request: Request, type: string, params: URLSearchParams): Promise<Answer> {
  if (type === 'AuditEvent') return searchAudit(exchange, request, params)
  check(request, type, 's')
  const query = parseSearch(type, params, { lenient: request.lenient, bases: [`${exchange.publicUrl}/fhir`] })
  const bundle = (page: Page): Answer => asWritten(searchBundle(exchange.publicUrl, query, page, exchange.now().toISOString()))
  const origins =
    type === 'Provenance' && request.caller.role === 'service' && !query.after
      ? await provenancesFor(exchange.database, request.caller.shelf, query)
      : []
  const known = type === 'Organization' || type === 'HealthcareService' ? searchDirectory(exchange, request, type, query) : origins
  const partner = request.caller.role === 'partner'
  // A chain leads through what is not itself found: what fell due is looked at first, so that it leads through nothing untold.
  if (partner && query.conditions.some(({ kind }) => kind === 'chain')) await catchUp(exchange, request.caller.shelf)
  const counted = partner && (query.total || query.count === 0) ? await countTold(exchange, request, query) : undefined
  const wanted = counted === undefined ? query : { ...query, total: false }
  const look = async (again: boolean): Promise<Answer> => {
    const found: Found =
      counted !== undefined && query.count === 0
        ? { matches: [], included: [] }
        : await searchShelf(exchange.database, request.caller.shelf, wanted)
    // Both at once: one decision for a person, however a row was found.
    const answer = await viewing(exchange, request, [...found.matches, ...found.included], async (decided, lasting) => {
      const mayBeSeen = (rows: readonly Stored[]) => ({
        matches: found.matches.filter((row) => rows.includes(row)),
        included: found.included.filter((row) => rows.includes(row) && allowed(request.caller, row.type, 'r')),
      })
      const { matches, included } = mayBeSeen(decided.seen)
      if (counted === undefined || query.count > 0)
        await auditRead(exchange, request, 'search', { ...decided, seen: [...matches, ...included, ...origins.map(asRow)] }, askedIn(query))
      await received(exchange, request, matches)
      const seen = mayBeSeen(await lasting())
      // A total, or a next page, that took account of what is hidden would tell that something is.
      const hidden = seen.matches.length < found.matches.length
      if (hidden && again) return undefined
      const total = counted ?? (hidden ? undefined : found.total)
      return bundle({
        matches: [...known.map(keptAs), ...keptOf(seen.matches)],
        included: keptOf(seen.included),
        ...(found.next && !hidden ? { next: found.next } : {}),
        ...(total === undefined ? {} : { total: total + known.length }),
      })
    })
    // Looking has taken off the shelf what may not be told any more: the page is put together again without it.
    return answer ?? look(false)
  }
  return look(partner)
}

const askedIn = (query: SearchQuery): string => `${query.type}?${new URLSearchParams(query.asked)}`

/** More than this a partner does not have counted. */
const mostCounted = 1_000

/** How many of what matches a partner may see: only deciding about each of them says. */
async function countTold(exchange: Exchange, request: Request, query: SearchQuery): Promise<number> {
  const { after: _, ...all } = query
  const { matches, next } = await searchShelf(exchange.database, request.caller.shelf, {
    ...all,
    count: mostCounted,
    total: false,
    includes: [],
    revincludes: [],
  })
  if (next)
    throw refuse(400, 'too-costly', 'There is too much of this to be counted: say more, such as patient, identifier or _lastUpdated.')
  return viewing(exchange, request, matches, async (decided, lasting) => {
    await auditRead(exchange, request, 'search', decided, askedIn(query))
    return (await lasting()).length
  })
}

/** Whatever the clock has changed for the people on a partner's shelf. */
async function catchUp(exchange: Exchange, shelf: string): Promise<void> {
  for (const patient of await peopleDue(exchange.database, shelf, exchange.now().toISOString())) await lookAgain(exchange, patient)
}

function check({ caller }: Request, type: string, letter: 'r' | 's'): void {
  if (!allowed(caller, type, letter)) throw refuse(403, 'forbidden', 'The granted scopes do not allow this.')
}

const answerWith = ({ kept, version, lastUpdated }: Stored): Answer =>
  asWritten(kept as string, { etag: `W/"${version}"`, 'last-modified': new Date(lastUpdated).toUTCString() })

const keptOf = (rows: readonly Stored[]): Kept[] =>
  rows.flatMap(({ type, id, kept: text }) => (text === undefined ? [] : [{ type, id, text }]))

/** A partner that only reads has nothing sent to it: its reading is the sign that it received the handover. */
async function received(exchange: Exchange, request: Request, rows: readonly Stored[]): Promise<void> {
  const { caller } = request
  const partner = caller.partner ? exchange.directory().partners.get(caller.partner) : undefined
  if (partner?.channel.name !== 'pull') return
  const people = new Set(rows.flatMap(({ type, patient }) => (type === 'CarePlan' && patient ? [patient] : [])))
  for (const patient of people) {
    await amend(exchange, patient, actorOf(request), (change) => {
      for (const { shelf, body } of [...change.situation.told.values()]) {
        if (shelf !== caller.shelf || body?.resourceType !== 'Task' || stateOf(body).status !== 'requested') continue
        moveHandover(change, body.id as string, { status: 'received' }, { role: 'partner', client: caller.client })
      }
      return true
    })
  }
}

/** Services and partners stand in the directory, for everybody to read. */
function inDirectory(exchange: Exchange, type: string, id: string): Organization | HealthcareService | undefined {
  const { services, partners } = exchange.directory()
  const service = services.get(id)
  if (type === 'HealthcareService') return service && healthcareService(service)
  if (type !== 'Organization') return undefined
  const one = service ?? partners.get(id)
  return one && organizationOf(one)
}

/** A partner sees services and itself: it does not learn which other partners there are. The directory is small and in memory. */
function searchDirectory(exchange: Exchange, { caller }: Request, type: string, query: SearchQuery): (Organization | HealthcareService)[] {
  const { services, partners } = exchange.directory()
  const visible = caller.role === 'service' ? [...partners.keys()] : caller.partner ? [caller.partner] : []
  const known = type === 'HealthcareService' ? [...services.keys()] : [...services.keys(), ...visible]
  if (query.after) return []
  return known
    .flatMap((id) => inDirectory(exchange, type, id) ?? [])
    .filter((one) => query.conditions.every((condition) => condition.kind === 'chain' || fits(condition, one)))
}
