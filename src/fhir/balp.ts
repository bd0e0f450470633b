/**
 * AuditEvents as IHE Basic Audit Log Patterns (BALP 1.1) have them: their codes, agents and entities, and which profile content meets.
 *
 * A profile is claimed only where everything it wants is there: with no address of the other end, or no consent on file, the event
 * is the same and claims nothing.
 *
 * @see domain/consent.md B6; profiles.ihe.net/ITI/BALP
 */
import type { AuditEvent, AuditEventAgent, AuditEventEntity, Coding, Reference } from '@medplum/fhirtypes'
import { actReason, BASE, participationType } from './systems.ts'

const dcm = 'http://dicom.nema.org/resources/ontology/DCM'
const lifecycle = 'http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle'
const entityType = 'http://terminology.hl7.org/CodeSystem/audit-entity-type'
const objectRole = 'http://terminology.hl7.org/CodeSystem/object-role'
const ihe = 'https://profiles.ihe.net/ITI/BALP'

export const clientId = `${BASE}/Id/client`
/** The request or message an event belongs to, where a profile leaves no room for it among the entities. */
export const transactionUrl = `${BASE}/StructureDefinition/transaction`

export type Code = readonly [system: string, code: string, display?: string]
/** Somebody or something that took part. */
export type Who = NonNullable<AuditEventAgent['who']>
const coding = ([system, code, display]: Code): Coding => ({ system, code, ...(display ? { display } : {}) })

export const types = {
  rest: ['http://terminology.hl7.org/CodeSystem/audit-event-type', 'rest', 'Restful Operation'],
  export: [dcm, '110106', 'Export'],
  import: [dcm, '110107', 'Import'],
  decision: [dcm, '110113', 'Security Alert'],
  amend: [lifecycle, 'amend', 'Amend (Update) Record Lifecycle Event'],
  destroy: [lifecycle, 'destroy', 'Destroy/Delete Record Lifecycle Event'],
} as const satisfies Record<string, Code>
export const disclose: Code = [lifecycle, 'disclose', 'Disclose Record Lifecycle Event']
export const interaction = (code: string): Code => ['http://hl7.org/fhir/restful-interaction', code, code]
export const ourAction = (code: string): Code => [`${BASE}/CodeSystem/audit-action`, code]
export const decisionBy = {
  consent: [`${ihe}/CodeSystem/AuthZsubType`, 'AuthZ-Consent', 'Authorization Decision using Roles and Consent'],
  role: [`${ihe}/CodeSystem/AuthZsubType`, 'AuthZ-Role', 'Authorization Decision using only Roles'],
} as const satisfies Record<string, Code>

export const roles = {
  source: [dcm, '110153', 'Source Role ID'],
  destination: [dcm, '110152', 'Destination Role ID'],
  application: [dcm, '110150', 'Application'],
  custodian: ['http://terminology.hl7.org/CodeSystem/provenance-participant-type', 'custodian', 'Custodian'],
  recipient: [participationType, 'IRCP', 'information recipient'],
  organisation: ['http://terminology.hl7.org/CodeSystem/v3-RoleClass', 'PROV', 'healthcare provider'],
  authorizer: ['http://terminology.hl7.org/CodeSystem/extra-security-role-type', 'authserver', 'authorization server'],
} as const satisfies Record<string, Code>

/** Somebody who took part; `address` an IP address, a URL, an e-mail address or a machine's name. */
export function agent(
  role: Code,
  who: Who,
  { address, requestor = false, purposes }: { address?: string | undefined; requestor?: boolean; purposes?: readonly string[] } = {},
): AuditEventAgent {
  return {
    type: { coding: [coding(role)] },
    who,
    requestor,
    ...(address ? { network: { address, type: networkType(address) } } : {}),
    ...(purposes?.length ? { purposeOfUse: purposes.map(purpose) } : {}),
  }
}

const networkType = (address: string): '1' | '2' | '4' | '5' =>
  /^[a-z]+:\/\//.test(address) ? '5' : address.includes('@') ? '4' : /^[0-9.]+$|^(?=[^:]*:)[0-9a-f:.]+$/i.test(address) ? '2' : '1'

export const purpose = (code: string) => ({ coding: [{ system: actReason, code }] })

export const person = (patient: string): AuditEventEntity => ({
  what: { reference: `Patient/${patient}` },
  type: coding([entityType, '1', 'Person']),
  role: coding([objectRole, '1', 'Patient']),
})
export const data = (what: Reference): AuditEventEntity => ({
  what,
  type: coding([entityType, '2', 'System Object']),
  role: coding([objectRole, '4', 'Domain Resource']),
})
/** @param asked the search as it was understood: `Task?status=requested` */
export const query = (asked: string): AuditEventEntity => ({
  type: coding([entityType, '2', 'System Object']),
  role: coding([objectRole, '24', 'Query']),
  query: Buffer.from(asked).toString('base64'),
})
export const transaction = (id: string): AuditEventEntity => ({
  what: { identifier: { value: id } },
  type: coding([`${ihe}/CodeSystem/BasicAuditEntityType`, 'XrequestId']),
})
export const consentEntity = (reference: string): AuditEventEntity => ({
  what: { reference },
  type: coding(['http://hl7.org/fhir/resource-types', 'Consent', 'Consent']),
})
/** What let something out without the person's agreement. */
export const overrideEntity = (id: string): AuditEventEntity => ({
  what: { identifier: { system: `${BASE}/Id/override`, value: id } },
  type: coding([`${BASE}/CodeSystem/audit-entity`, 'override']),
})

export type Event = {
  id: string
  at: string
  /** Name of the BALP profile this kind of event has, without its beginning. */
  profile?: string
  type: Code
  subtype: Code
  action: AuditEvent['action'] & string
  /** 0 done or permitted, 4 done with a fault, 8 denied or failed. */
  outcome: '0' | '4' | '8'
  words?: string | undefined
  purposes?: readonly string[]
  agents: AuditEventAgent[]
  entities: AuditEventEntity[]
  /** Of a request or message, where it is not among the entities. */
  transaction?: string | undefined
}

/** @param observer who wrote it down: the exchange itself */
export function auditEvent(event: Event, observer: Who): AuditEvent {
  const profile = event.profile && meets(event) ? [`${ihe}/StructureDefinition/IHE.BasicAudit.${event.profile}`] : undefined
  return {
    resourceType: 'AuditEvent',
    id: event.id,
    meta: { versionId: '1', lastUpdated: event.at, ...(profile ? { profile } : {}) },
    ...(event.transaction ? { extension: [{ url: transactionUrl, valueString: event.transaction }] } : {}),
    type: coding(event.type),
    subtype: [coding(event.subtype)],
    action: event.action,
    recorded: event.at,
    outcome: event.outcome,
    ...(event.words ? { outcomeDesc: event.words } : {}),
    ...(event.purposes?.length ? { purposeOfEvent: event.purposes.map(purpose) } : {}),
    agent: event.agents,
    source: { observer, type: [coding(['http://terminology.hl7.org/CodeSystem/security-source-type', '4', 'Application Server'])] },
    entity: event.entities,
  }
}

/** Every profile wants to know where both ends were; a search what was asked; a decision the consent it was made on, and no more. */
function meets({ profile = '', agents, entities, outcome }: Event): boolean {
  const has = (system: string, code: string) => entities.some(({ type }) => type?.system === system && type.code === code)
  if (profile === 'AuthZconsent') {
    const allowed = entities.every(({ type }) => type?.code === '1' || type?.code === 'Consent')
    return (
      allowed &&
      has('http://hl7.org/fhir/resource-types', 'Consent') &&
      agents.some(({ type, network }) => isRole(type, roles.application) && network)
    )
  }
  const placed = agents.every(({ network }) => network)
  const about = !/^Patient|Disclosure/.test(profile) || has(entityType, '1')
  const what = profile.endsWith('Query') ? entities.some(({ query }) => query) : has(entityType, '2')
  return placed && about && what && (outcome === '0' || profile.startsWith('PrivacyDisclosure'))
}

const isRole = (type: AuditEventAgent['type'], [system, code]: Code): boolean =>
  type?.coding?.some((one) => one.system === system && one.code === code) === true
