/**
 * What a reader sees: its own shelf, decided anew for each person at each read, and each read in the audit (promises 2, 3 and 7).
 *
 * Somebody else's resource, a withheld one and one that never was are the same answer: it does not exist.
 */
import type { HealthcareService, Organization, Provenance } from '@medplum/fhirtypes'
import { allowed, type Caller, type Request } from '../access/caller.ts'
import { decide } from '../domain/consent.ts'
import { organizationOf } from '../fhir/organization.ts'
import { refuse } from '../fhir/outcome.ts'
import { healthcareService } from '../fhir/parts.ts'
import { parseSearch, type SearchQuery } from '../fhir/search.ts'
import { type Kept, keptAs, type Page, searchBundle } from '../fhir/search-bundle.ts'
import { fits } from '../fhir/search-terms.ts'
import type { Disclosure } from '../mapping.ts'
import { type AuditRow, recordAudit } from '../store/audit.ts'
import { newId } from '../store/random.ts'
import { historyOf, readResource, readVersion, type Stored } from '../store/resources.ts'
import { searchShelf } from '../store/search.ts'
import { amend, lookAgain } from './amend.ts'
import { moveHandover } from './answer.ts'
import { readAudit, searchAudit } from './auditing.ts'
import { actorOf } from './change.ts'
import { type Answer, asWritten, type Exchange } from './exchange.ts'
import { watch } from './fence.ts'
import { groundsOf, noGrounds } from './grounds.ts'
import { basisOf, permittedStill } from './overriding.ts'
import { provenanceById, provenancesFor } from './provenances.ts'
import { neverSigned } from './signed.ts'
import { stateOf } from './task.ts'

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
  const found = await searchShelf(exchange.database, request.caller.shelf, query)
  // Both at once: one decision for a person, however a row was found.
  return viewing(exchange, request, [...found.matches, ...found.included], async (decided, lasting) => {
    const mayBeSeen = (rows: readonly Stored[]) => ({
      matches: found.matches.filter((row) => rows.includes(row)),
      included: found.included.filter((row) => rows.includes(row) && allowed(request.caller, row.type, 'r')),
    })
    const { matches, included } = mayBeSeen(decided.seen)
    const asked = `${type}?${new URLSearchParams(query.asked)}`
    await auditRead(exchange, request, 'search', { ...decided, seen: [...matches, ...included, ...origins.map(asRow)] }, asked)
    await received(exchange, request, matches)
    const seen = mayBeSeen(await lasting())
    const hidden = seen.matches.length < found.matches.length
    return bundle({
      matches: [...known.map(keptAs), ...keptOf(seen.matches)],
      included: keptOf(seen.included),
      ...(found.next ? { next: found.next } : {}),
      // A total that counted what is hidden would tell that something is.
      ...(found.total === undefined || hidden ? {} : { total: found.total + known.length }),
    })
  })
}

function check({ caller }: Request, type: string, letter: 'r' | 's'): void {
  if (!allowed(caller, type, letter)) throw refuse(403, 'forbidden', 'The granted scopes do not allow this.')
}

const answerWith = ({ kept, version, lastUpdated }: Stored): Answer =>
  asWritten(kept as string, { etag: `W/"${version}"`, 'last-modified': new Date(lastUpdated).toUTCString() })

const keptOf = (rows: readonly Stored[]): Kept[] =>
  rows.flatMap(({ type, id, kept: text }) => (text === undefined ? [] : [{ type, id, text }]))

/** What may be seen now; for each person what that was decided on; and whom nothing, or not all, is told of any more, and why. */
type Decided = { seen: Stored[]; basis: ReadonlyMap<string, ReturnType<typeof basisOf>>; refused: ReadonlyMap<string, string> }
const undecided = (rows: readonly Stored[]): Decided => ({ seen: [...rows], basis: new Map(), refused: new Map() })

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
  look: (decided: Decided, lasting: () => Promise<Stored[]>) => Promise<T>,
): Promise<T> {
  if (caller.role !== 'partner' || !rows.length) return look(undecided(rows), async () => [...rows])
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
    for (const patient of decided.refused.keys()) await lookAgain(exchange, patient)
    return await look(decided, async () => {
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

async function stillAllowed(exchange: Exchange, caller: Caller, people: readonly string[], rows: readonly Stored[]): Promise<Decided> {
  const partner = exchange.directory().partners.get(caller.partner as string)
  const adapter = partner && exchange.adapters.get(partner.kind)
  if (!partner || !adapter) return undecided([])
  if (neverSigned(exchange, partner.kind)) return undecided(rows.filter(({ basis }) => basis === '[]'))
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
        // What stands on its shelf it has been told.
        alreadyTold: true,
      }),
    ]),
  )
  const basis = new Map<string, ReturnType<typeof basisOf>>()
  const refused = new Map<string, string>()
  const under = new Map<string, Disclosure>()
  const seen = rows.filter((row) => {
    if (row.basis === '[]') return true
    const decision = row.patient === undefined ? undefined : decisions.get(row.patient)
    if (!decision || row.basis === undefined) return false
    const told = JSON.parse(row.basis) as Disclosure[]
    const no = told.map((one) => permittedStill(decision, one)).find(({ permitted }) => !permitted)
    const override = told.find((one) => one.override)
    if (no) refused.set(row.patient as string, no.because)
    else if (override) under.set(row.patient as string, override)
    return !no
  })
  for (const [patient, decision] of decisions) {
    const override = under.get(patient)
    basis.set(patient, basisOf(decision, override ? [override] : [], grounds.get(patient)?.overrides ?? []))
  }
  return { seen, basis, refused }
}

/**
 * One row for each person seen, and one for each whom something was kept back of, in the commit that makes the reading known; the
 * answer waits for it.
 *
 * @param asked a search as it was understood
 */
async function auditRead(
  exchange: Exchange,
  request: Request,
  action: string,
  { seen, basis, refused }: Decided,
  asked?: string,
): Promise<void> {
  const { caller } = request
  const common = {
    at: exchange.now().toISOString(),
    ...actorOf(request),
    ...(caller.service ? { service: caller.service } : {}),
    ...(caller.partner ? { recipient: caller.partner } : {}),
  }
  const about = (patient: string | undefined, said: object = asked === undefined ? {} : { asked }) => {
    const { basis: on, detail: more } = (patient && basis.get(patient)) || {}
    const detail = { ...said, ...more }
    return {
      id: newId(),
      ...common,
      ...(patient ? { patient } : {}),
      ...(on ? { basis: on } : {}),
      ...(Object.keys(detail).length ? { detail: JSON.stringify(detail) } : {}),
    }
  }
  const entries: AuditRow[] = [...Map.groupBy(seen, ({ patient }) => patient)].map(([patient, rows]) => ({
    ...about(patient),
    action,
    entity:
      rows.length === 1
        ? `${rows[0]?.type}/${rows[0]?.id}/_history/${rows[0]?.version}`
        : [...new Set(rows.map(({ type }) => type))].join(','),
  }))
  const withheld: AuditRow[] = [...refused].map(([patient, because]) => ({
    ...about(patient, { because, when: 'read' }),
    action: 'withhold',
  }))
  const rows = entries.length + withheld.length ? [...entries, ...withheld] : [{ ...about(undefined), action }]
  await exchange.database.atomically([recordAudit(rows)])
}

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
