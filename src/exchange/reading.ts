/**
 * What a reader sees: its own shelf, decided anew for each person at each read, and each read in the audit (promises 2, 3 and 7).
 *
 * Somebody else's resource, a withheld one and one that never was are the same answer: it does not exist.
 */
import type { HealthcareService, Organization, Resource } from '@medplum/fhirtypes'
import { v7 as newId } from 'uuid'
import { allowed, type Caller, type Request } from '../access/caller.ts'
import { decide } from '../domain/consent.ts'
import { organizationOf } from '../fhir/organization.ts'
import { refuse } from '../fhir/outcome.ts'
import { healthcareService } from '../fhir/parts.ts'
import { parseSearch, type SearchQuery } from '../fhir/search.ts'
import { type Page, searchBundle } from '../fhir/search-bundle.ts'
import { fits } from '../fhir/search-terms.ts'
import type { Disclosure } from '../mapping.ts'
import { recordAudit } from '../store/audit.ts'
import { historyOf, readResource, readVersion, type Stored } from '../store/resources.ts'
import { searchShelf } from '../store/search.ts'
import { amend, lookAgain } from './amend.ts'
import { moveHandover } from './answer.ts'
import type { Answer, Exchange } from './exchange.ts'
import { watch } from './fence.ts'
import { groundsOf, noGrounds } from './grounds.ts'
import { permittedStill } from './overriding.ts'
import { stateOf } from './task.ts'

const nothing = () => refuse(404, 'not-found', 'There is no such resource here.')

export async function readOne(exchange: Exchange, request: Request, type: string, id: string): Promise<Answer> {
  check(request, type, 'r')
  const fromDirectory = inDirectory(exchange, type, id)
  if (fromDirectory) return { status: 200, body: fromDirectory }
  const stored = await readResource(exchange.database, request.caller.shelf, type, id)
  if (!stored) throw nothing()
  if (!stored.body) throw refuse(410, 'deleted', 'This resource was deleted.')
  return viewing(exchange, request, [stored], async (seen, lasting) => {
    if (!seen.length) throw nothing()
    await auditRead(exchange, request, 'read', [stored])
    if (!(await lasting()).length) throw nothing()
    return answerWith(stored)
  })
}

export async function readOneVersion(exchange: Exchange, request: Request, type: string, id: string, version: string): Promise<Answer> {
  check(request, type, 'r')
  const stored = /^\d{1,9}$/.test(version)
    ? await readVersion(exchange.database, request.caller.shelf, type, id, Number(version))
    : undefined
  if (!stored) throw nothing()
  if (!stored.body) throw refuse(410, 'deleted', 'This version says that the resource was deleted.')
  return viewing(exchange, request, [stored], async (seen, lasting) => {
    if (!seen.length) throw nothing()
    await auditRead(exchange, request, 'vread', [stored])
    if (!(await lasting()).length) throw nothing()
    return answerWith(stored)
  })
}

export async function readHistory(exchange: Exchange, request: Request, type: string, id: string): Promise<Answer> {
  check(request, type, 'r')
  const all = await historyOf(exchange.database, request.caller.shelf, type, id)
  return viewing(exchange, request, all, async (seen, lasting) => {
    if (!seen.length) throw nothing()
    await auditRead(exchange, request, 'history', seen.slice(0, 1))
    const versions = await lasting()
    if (!versions.length) throw nothing()
    return historyAnswer(exchange, type, id, versions)
  })
}

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
  check(request, type, 's')
  const query = parseSearch(type, params, { lenient: request.lenient, bases: [`${exchange.publicUrl}/fhir`] })
  const bundle = (page: Page): Answer => ({
    status: 200,
    body: searchBundle(exchange.publicUrl, query, page, exchange.now().toISOString()),
  })
  const known = type === 'Organization' || type === 'HealthcareService' ? searchDirectory(exchange, request, type, query) : []
  const found = await searchShelf(exchange.database, request.caller.shelf, query)
  // Both at once: one decision for a person, however a row was found.
  return viewing(exchange, request, [...found.matches, ...found.included], async (first, lasting) => {
    const mayBeSeen = (rows: readonly Stored[]) => ({
      matches: found.matches.filter((row) => rows.includes(row)),
      included: found.included.filter((row) => rows.includes(row) && allowed(request.caller, row.type, 'r')),
    })
    const { matches, included } = mayBeSeen(first)
    await auditRead(
      exchange,
      request,
      'search',
      [...matches, ...included],
      query.asked.map(([name]) => name),
    )
    await received(exchange, request, matches)
    const seen = mayBeSeen(await lasting())
    const hidden = seen.matches.length < found.matches.length
    const bodies = (rows: readonly Stored[]) => rows.flatMap(({ body }) => body ?? [])
    return bundle({
      matches: [...known, ...bodies(seen.matches)],
      included: bodies(seen.included),
      ...(found.next ? { next: found.next } : {}),
      // A total that counted what is hidden would tell that something is.
      ...(found.total === undefined || hidden ? {} : { total: found.total + known.length }),
    })
  })
}

function check({ caller }: Request, type: string, letter: 'r' | 's'): void {
  if (!allowed(caller, type, letter)) throw refuse(403, 'forbidden', 'The granted scopes do not allow this.')
}

const answerWith = ({ body, version, lastUpdated }: Stored): Answer => ({
  status: 200,
  headers: { etag: `W/"${version}"`, 'last-modified': new Date(lastUpdated).toUTCString() },
  body: body as Resource,
})

/**
 * Looks at a partner's rows whose every disclosure is permitted now. What no longer is, is looked at again, so that the shelf follows.
 * A service reads its own record and a referrer its own referrals: nothing to decide.
 *
 * @param look is given the rows, and `lasting` to ask for them once more right before it answers: when somebody withdrew meanwhile,
 *   they are decided again
 */
async function viewing<T>(
  exchange: Exchange,
  { caller }: Request,
  rows: readonly Stored[],
  look: (seen: Stored[], lasting: () => Promise<Stored[]>) => Promise<T>,
): Promise<T> {
  if (caller.role !== 'partner' || !rows.length) return look([...rows], async () => [...rows])
  const people = [...new Set(rows.flatMap(({ patient, basis }) => (patient && basis !== '[]' ? [patient] : [])))]
  const decideAnew = async () => {
    const watching = watch(exchange.database, people)
    try {
      return { watching, ...(await stillAllowed(exchange, caller, people, rows)) }
    } catch (error) {
      watching.end()
      throw error
    }
  }
  let decided = await decideAnew()
  try {
    for (const patient of decided.denied) await lookAgain(exchange, patient)
    return await look(decided.seen, async () => {
      while (decided.watching.stale()) {
        decided.watching.end()
        decided = await decideAnew()
      }
      return decided.seen
    })
  } finally {
    decided.watching.end()
  }
}

/** Which rows may be seen, and whose can not. */
async function stillAllowed(
  exchange: Exchange,
  caller: Caller,
  people: readonly string[],
  rows: readonly Stored[],
): Promise<{ seen: Stored[]; denied: Set<string> }> {
  const partner = exchange.directory().partners.get(caller.partner as string)
  const adapter = partner && exchange.adapters.get(partner.kind)
  if (!partner || !adapter) return { seen: [], denied: new Set() }
  const grounds = await groundsOf(exchange.database, people)
  const decisions = new Map(
    people.map((patient) => [
      patient,
      decide({
        ...noGrounds,
        ...grounds.get(patient),
        recipient: { partner: partner.id, kind: partner.kind, ...(partner.ods ? { ods: partner.ods } : {}) },
        purposeOfUse: adapter.mapping.purposeOfUse,
        now: exchange.now(),
      }),
    ]),
  )
  const denied = new Set<string>()
  const seen = rows.filter(({ patient, basis }) => {
    if (basis === '[]') return true
    const decision = patient === undefined ? undefined : decisions.get(patient)
    const fine =
      decision !== undefined &&
      basis !== undefined &&
      (JSON.parse(basis) as Disclosure[]).every((one) => permittedStill(decision, one).permitted)
    if (!fine && patient) denied.add(patient)
    return fine
  })
  return { seen, denied }
}

/** One row for each person seen, in the commit that makes the reading known; the answer waits for it. */
async function auditRead(
  exchange: Exchange,
  { caller, requestId }: Request,
  action: string,
  rows: readonly Stored[],
  parameters?: string[],
): Promise<void> {
  const at = exchange.now().toISOString()
  const people = Map.groupBy(rows, ({ patient }) => patient)
  const common = {
    at,
    action,
    who: caller.client,
    requestId,
    ...(caller.service ? { service: caller.service } : {}),
    ...(caller.partner ? { recipient: caller.partner } : {}),
  }
  const detail = parameters ? { detail: JSON.stringify({ parameters }) } : {}
  const entries = [...people].map(([patient, seen]) => ({
    id: newId(),
    ...common,
    ...(patient ? { patient } : {}),
    entity:
      seen.length === 1
        ? `${seen[0]?.type}/${seen[0]?.id}/_history/${seen[0]?.version}`
        : [...new Set(seen.map(({ type }) => type))].join(','),
    ...detail,
  }))
  await exchange.database.atomically([recordAudit(entries.length ? entries : [{ id: newId(), ...common, ...detail }])])
}

/** A partner that only reads has nothing sent to it: its reading is the sign that it received the handover. */
async function received(exchange: Exchange, { caller }: Request, rows: readonly Stored[]): Promise<void> {
  const partner = caller.partner ? exchange.directory().partners.get(caller.partner) : undefined
  if (partner?.channel.name !== 'pull') return
  const people = new Set(rows.flatMap(({ type, patient }) => (type === 'CarePlan' && patient ? [patient] : [])))
  for (const patient of people) {
    await amend(exchange, patient, { who: caller.client }, (change) => {
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
