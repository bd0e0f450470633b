/**
 * Where what is on record comes from, as Provenance: made from the audit when a service asks for it, like the AuditEvents.
 *
 * A change of the consent (what it replaced), a referral by the person or the family (they are the informants, whoever wrote it down
 * entered it), a release date (whose word it is), every move of a handover, and where a referral stands and what was decided about it.
 *
 * @see domain/consent.md B7; docs/adr/0007-audit-rendered.md
 */
import type { Provenance, ProvenanceAgent, Reference } from '@medplum/fhirtypes'
import type { HandoverState } from '../domain/handover.ts'
import { stateWords } from '../domain/handover-words.ts'
import { isPhase, phaseWords } from '../domain/lifecycle.ts'
import { clientId } from '../fhir/balp.ts'
import type { SearchQuery } from '../fhir/search.ts'
import { fits, peopleAsked } from '../fhir/search-terms.ts'
import { BASE, ours } from '../fhir/systems.ts'
import { type AuditRow, auditOf, auditRow } from '../store/audit.ts'
import type { Database } from '../store/database.ts'
import { readResource } from '../store/resources.ts'
import { rowIdOf } from './audit-events.ts'

type Detail = { informant?: string; from?: HandoverState | string; to?: HandoverState | string; decision?: string; outcome?: string }
const suffix = '-provenance'
const mostRows = 10_000

/** Those about the people or resources a search names; of everybody's at once there is no list. */
export async function provenancesFor(database: Database, shelf: string, { conditions }: SearchQuery): Promise<Provenance[]> {
  const people = new Set(conditions.flatMap((one) => peopleAsked(one) ?? []))
  for (const one of conditions) {
    if (one.kind !== 'value' || one.not || one.param !== 'target') continue
    for (const place of one.exact) {
      const [type, id] = place.split('/')
      const stored = type && id ? await readResource(database, shelf, type, id) : undefined
      if (stored?.patient) people.add(stored.patient)
    }
  }
  const rows = (await Promise.all([...people].map((patient) => auditOf(database, patient, mostRows)))).flat()
  return rows
    .filter(({ service }) => `service:${service}` === shelf)
    .flatMap((row) => provenanceOf(row) ?? [])
    .filter((one) => conditions.every((condition) => condition.kind !== 'chain' && fits(condition, one)))
}

export async function provenanceById(database: Database, shelf: string, id: string): Promise<Provenance | undefined> {
  const row = id.endsWith(suffix) ? await auditRow(database, rowIdOf(id)) : undefined
  return row && `service:${row.service}` === shelf ? provenanceOf(row) : undefined
}

function provenanceOf(row: AuditRow): Provenance | undefined {
  const [type = '', id = '', , version] = row.entity?.split('/') ?? []
  const detail = (row.detail ? JSON.parse(row.detail) : {}) as Detail
  const written = /^(create|update|patch|refer)$/.test(row.action) && detail.informant !== undefined
  const moved = /^(answer|move|phase)$/.test(row.action) && detail.to !== undefined
  const decided = decisions[row.action] !== undefined && row.who !== 'exchange'
  if (!row.patient || (!written && !moved && !decided)) return undefined
  const before = type === 'Consent' && Number(version) > 1 ? `Consent/${id}/_history/${Number(version) - 1}` : undefined
  const words = decided
    ? decisions[row.action]?.(detail)
    : detail.to && `${detail.from ? wordsOf(detail.from) : 'begun'}, then ${wordsOf(detail.to)}`
  return {
    resourceType: 'Provenance',
    id: `${row.id}${suffix}`,
    meta: { versionId: '1', lastUpdated: row.at },
    target: [{ reference: `${type}/${id}` }, { reference: `Patient/${row.patient}` }],
    recorded: row.at,
    activity: {
      coding: [
        {
          system: 'http://terminology.hl7.org/CodeSystem/v3-DataOperation',
          code: row.action === 'create' || row.action === 'refer' || (moved && !detail.from) ? 'CREATE' : 'UPDATE',
        },
      ],
      ...(words ? { text: words } : {}),
    },
    agent: [
      ...(detail.informant ? [agent('informant', informant(detail.informant))] : []),
      agent(written ? 'enterer' : 'author', writer(row)),
    ],
    ...(before ? { entity: [{ role: 'revision', what: { reference: before } }] } : {}),
  }
}

/** A handover's state, or a referral's phase. */
const wordsOf = (state: HandoverState | string): string =>
  typeof state === 'object' ? stateWords(state) : isPhase(state) ? phaseWords(state) : state

/** What a person decided about a referral, by the operation it was decided with. */
const decisions: Readonly<Record<string, ((detail: Detail) => string) | undefined>> = {
  triage: ({ decision }) => `triage: ${decision}`,
  allocate: () => 'a worker is named',
  extend: () => 'support is extended',
  close: ({ outcome }) => `support ends: ${outcome}`,
}

const agent = (code: string, who: Reference): ProvenanceAgent => ({
  type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/provenance-participant-type', code }] },
  who: who as ProvenanceAgent['who'] & object,
})

/** 'RelatedPerson/12'; or an establishment, a system or a kind of referrer, which are no resources here: 'prison/DMI'. */
const informant = (said: string): Reference => {
  const [kind = '', value = ''] = said.split('/')
  const system = systems[kind]
  return system ? { identifier: { system, value } } : { reference: said }
}
const systems: Readonly<Record<string, string | undefined>> = {
  'custody-source': `${BASE}/Id/custody-source`,
  prison: ours('prison'),
  'referrer-type': ours('referrer-type'),
}

const writer = ({ who, service }: AuditRow): Reference =>
  who === 'exchange'
    ? { reference: `Organization/${service}`, display: 'RECONNECT Exchange' }
    : { identifier: { system: clientId, value: who } }
