/**
 * The resources of one handover as they stand on the partner's shelf, and the message Bundles that carry the same content.
 *
 * Content about the person comes from a filled mapping and from nowhere else (promise 1). Messages have the shape of BaRS
 * (bars-ukcore.md 3); BaRS has no use case for leaving custody, so conformance is not claimed.
 */
import type { Bundle, CarePlan, MessageHeader, Meta, Patient, Practitioner, PractitionerRole, Resource, Task } from '@medplum/fhirtypes'
import { v5 } from 'uuid'
import type { Adapter } from '../adapter.ts'
import { type Confidentiality, categories, higher } from '../domain/categories.ts'
import type { Partner, Service } from '../domain/directory.ts'
import type { Disclosure, Filled } from '../mapping.ts'
import { addressOf, type ConsentSeen, consentView, handoverRequest, healthcareService, organization } from './parts.ts'
import { actCode, confidentiality, messageEvents, messageReason, ukCore } from './systems.ts'

export { handoverRequest } from './parts.ts'

/** Version of the message shape: BaRS puts it in `Bundle.meta.versionId` (bars-ukcore.md 3.1). */
const applicationVersion = '1.0.0'
const bars = (name: string) => `https://fhir.nhs.uk/StructureDefinition/${name}`
const definition = (name: string) => `https://fhir.nhs.uk/MessageDefinition/bars-message-servicerequest-request-${name}`

export type Handover = {
  filled: Extract<Filled, { outcome: 'ready' }>
  adapter: Adapter
  service: Service
  partner: Partner
  /** As this partner is to see it. */
  task: Task
  serviceRequestId: string
  /** Id of the person. */
  patient: string
  /** The consent it rests on. Absent under another legal basis: then no Consent is shown. */
  consent?: ConsentSeen | undefined
  /** Instant. */
  now: string
}

/** The resources of one handover, each with its profile and its label for handling. */
export function shelfOf({ filled, adapter, service, partner, task, serviceRequestId, patient, consent, now }: Handover): Resource[] {
  const { mapping } = adapter
  const told = withIds(filled.sections, serviceRequestId)
  const plan = told.find((each): each is CarePlan => each.resourceType === 'CarePlan')
  const request = handoverRequest({
    id: serviceRequestId,
    task,
    service,
    partner,
    kind: adapter.kind,
    patient,
    plan: plan?.id,
    activity: activityOf(plan, task),
    now,
  })
  const about: Confidentiality = mapping.essential.map((each) => categories[each].confidentiality).reduce(higher, 'N')
  // A Task says what is asked for only if the plan this partner sees does.
  const { reasonCode, ...rest } = task
  const asked = reasonCode && request.code && same(reasonCode, request.code) ? task : rest
  const own = [request, asked, ...(consent ? [consentView(consent, patient, service, partner, mapping.purposeOfUse)] : [])]
  const label = (resource: Resource, level: Confidentiality): Resource =>
    metaLast(resource, labelled(resource, level, mapping.handling ?? []))
  return [
    ...own.map((resource) => label(resource, about)),
    ...told.map((resource) => label(resource, levelOf(resource, filled.disclosures))),
    ...[organization(service), organization(partner), healthcareService(service)].map((resource) => label(resource, 'N')),
  ]
}

/** Every section's resources with an id of their own, each once; a worker's role is there when the worker is. */
function withIds(sections: Record<string, Resource[]>, request: string): Resource[] {
  const all = Object.entries(sections).flatMap(([section, resources]) =>
    resources.map((resource, index) => ({ ...resource, id: resource.id ?? v5(`${request}/${section}/${index}`, v5.URL) })),
  )
  const role = all.find((each): each is PractitionerRole & { id: string } => each.resourceType === 'PractitionerRole')
  const worker = all.find((each): each is Practitioner & { id: string } => each.resourceType === 'Practitioner')
  if (worker && role) role.practitioner = { reference: `Practitioner/${worker.id}` }
  else if (role) delete role.practitioner
  else if (worker) {
    const practitioner = { reference: `Practitioner/${worker.id}` }
    all.push({ resourceType: 'PractitionerRole', id: v5(`${request}/workerRole`, v5.URL), active: true, practitioner })
  }
  return [...new Map(all.map((each) => [`${each.resourceType}/${each.id}`, each])).values()]
}

/** Of the activities this partner may be told of, the one its Task is for. */
function activityOf(plan: CarePlan | undefined, task: Task) {
  const details = (plan?.activity ?? []).flatMap(({ detail }) => (detail?.code ? [{ code: detail.code }] : []))
  return details.find(({ code }) => same(code, task.reasonCode)) ?? (details.length === 1 ? details[0] : undefined)
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** High-water mark of what a resource discloses. */
function levelOf({ resourceType, id }: Resource, disclosures: readonly Disclosure[]): Confidentiality {
  const ref = `${resourceType}/${id}`
  return disclosures
    .filter((each) => each.ref.split('#')[0] === ref)
    .reduce<Confidentiality>((level, each) => higher(level, each.confidentiality), 'N')
}

/** One confidentiality code and what the reader must and must not do: never which kind of sensitive it is (consent.md B3). */
function labelled(resource: Resource, level: Confidentiality, handling: readonly string[]): Meta {
  // Its version is that of the shelf it came from. The shelf or message it goes to says its own at the end of `meta` (`withMeta`).
  const { versionId: _version, lastUpdated: _when, ...meta } = resource.meta ?? {}
  const profile = meta.profile ?? [ukCore(`UKCore-${resource.resourceType}`)]
  const codes = ['MINEC', 'NORDSCLCD', ...handling]
  return {
    ...meta,
    profile,
    security: [{ system: confidentiality, code: level }, ...codes.map((code) => ({ system: actCode, code }))],
  }
}

const metaLast = ({ meta: _, ...rest }: Resource, meta: Meta): Resource => ({ ...rest, meta }) as Resource

/**
 * A resource and its JSON, written once: the same text goes onto a shelf and into a message, which differ in what `meta` ends with
 * and in where references lead. `meta` stands last in it.
 */
export type Written = { resource: Resource; text: string }
export const written = (resource: Resource): Written => ({ resource, text: JSON.stringify(resource) })
/** The text with more in its `meta`. */
export const withMeta = (text: string, more: { versionId?: string; lastUpdated: string }): string =>
  `${text.slice(0, -2)},${JSON.stringify(more).slice(1)}}`

export type Envelope = {
  /** UUID; becomes Bundle.id. */
  messageId: string
  publicUrl: string
  service: Service
  partner: Partner
  /** Instant. */
  now: string
}

/** A shelf as the text of a message. `reason` new the first time, then update (a reminder is an update under a new id). */
export function message({ shelf, reason, ...envelope }: Envelope & { shelf: readonly Written[]; reason: 'new' | 'update' }): string {
  const snapshot = shelf.map((one) =>
    one.resource.resourceType === 'CarePlan' ? written({ ...one.resource, status: 'completed' as const }) : one,
  )
  return bundle(envelope, reason, 'referral', snapshot)
}

/**
 * Tells a partner to stop, as the text of a message: ids and the state revoked, nothing about the person and no reason. Completed: what
 * was asked is done, and nothing more will come.
 */
export function revocation({
  task,
  serviceRequestId,
  status,
  ...envelope
}: Envelope & { task: Task; serviceRequestId: string; status: 'revoked' | 'completed' }): string {
  const { service, partner, now } = envelope
  const patient = task.for?.reference?.split('/')[1] as string
  const request = handoverRequest({ id: serviceRequestId, task: idsOf(task), service, partner, kind: partner.kind, patient, now })
  const person: Patient = { resourceType: 'Patient', id: patient, meta: { profile: [ukCore('UKCore-Patient')] } }
  const parts = [{ ...request, status }, idsOf(task), person, organization(service), organization(partner)]
  const texts = parts.map((resource) => written(metaLast(resource, resource.meta as Meta)))
  return bundle(envelope, 'update', 'cancelled', texts)
}

/** A Task without words: ids, references and states. */
function idsOf({ id, status, businessStatus, intent, code, focus, for: person, authoredOn, requester, owner }: Task): Task {
  const known = { id, businessStatus, code, focus, for: person, authoredOn, requester, owner }
  const given = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined))
  return { resourceType: 'Task', meta: { profile: [ukCore('UKCore-Task')] }, status, intent, ...given }
}

function bundle(envelope: Envelope, reason: 'new' | 'update', kind: 'referral' | 'cancelled', shelf: readonly Written[]): string {
  const { messageId, publicUrl, service, partner, now } = envelope
  const urns = urnsOf(shelf.map(({ resource }) => resource))
  const to = (ref: string) => ({ reference: urns.get(ref) as string })
  const focus = shelf.find(({ resource }) => resource.resourceType === 'ServiceRequest')?.resource
  const id = v5(`${messageId}/MessageHeader`, v5.URL)
  const header: MessageHeader = {
    resourceType: 'MessageHeader',
    id,
    meta: { lastUpdated: now, profile: [bars('BARSMessageHeader-servicerequest-request')] },
    eventCoding: { system: messageEvents, code: 'servicerequest-request', display: 'Service Request - Request' },
    destination: [{ name: partner.name, endpoint: addressOf(partner), receiver: to(`Organization/${partner.id}`) }],
    sender: to(`Organization/${service.id}`),
    source: { name: service.name, software: 'RECONNECT Exchange', endpoint: `${publicUrl}/fhir` },
    reason: { coding: [{ system: messageReason, code: reason, display: reason === 'new' ? 'New' : 'Update' }] },
    focus: [to(`ServiceRequest/${focus?.id}`)],
    definition: definition(kind),
  }
  const entry = (fullUrl: string, text: string) => `{"fullUrl":"${fullUrl}","resource":${text}}`
  const entries = shelf.map(({ resource: { resourceType, id }, text }) =>
    entry(urns.get(`${resourceType}/${id}`) as string, withMeta(linked(text, urns), { lastUpdated: now })),
  )
  const around: Bundle = {
    resourceType: 'Bundle',
    id: messageId,
    meta: { versionId: applicationVersion, lastUpdated: now, profile: [bars('BARSBundleMessage')] },
    type: 'message',
    timestamp: now,
  }
  return `${JSON.stringify(around).slice(0, -1)},"entry":[${[entry(`urn:uuid:${id}`, JSON.stringify(header)), ...entries].join()}]}`
}

/** 'Patient/12' -> 'urn:uuid:...'. An id that is a UUID is its own, unless two resources share it. */
function urnsOf(resources: readonly Resource[]): Map<string, string> {
  const taken = new Set<string>()
  return new Map(
    resources.map(({ resourceType, id }) => {
      const ref = `${resourceType}/${id}`
      const own = uuid.test(id as string) && !taken.has(id as string) ? (id as string) : v5(ref, v5.URL)
      taken.add(own)
      return [ref, `urn:uuid:${own}`]
    }),
  )
}
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/**
 * The same JSON, with every reference to something inside the message pointing at its entry. Inside a text a quotation mark is
 * escaped, so what looks like a property is one.
 */
const linked = (text: string, urns: ReadonlyMap<string, string>): string =>
  text.replaceAll(/"reference":"([^"\\]+)"/g, (all, ref: string) => {
    const urn = urns.get(ref)
    return urn ? `"reference":"${urn}"` : all
  })

/**
 * What a shelf or a message says about the person, as text to compare: the same content gives the same text.
 *
 * Left out, as CONTRACT.md 5 has it: ids, references, versions, labels, timestamps, order, the Task, the Consent, progress of an
 * activity, organisations. The named worker counts.
 */
export function contentOf(resources: readonly Resource[]): string {
  return canonical(resources.filter(({ resourceType }) => !notContent.has(resourceType)).map(aboutPerson))
}

const notContent = new Set(['Task', 'Consent', 'Organization', 'HealthcareService', 'MessageHeader'])

function aboutPerson(resource: Resource): unknown {
  const { id: _id, meta: _meta, ...rest } = resource as Resource & Record<string, unknown>
  if (resource.resourceType === 'ServiceRequest') {
    const { code } = resource
    return { resourceType: 'ServiceRequest', code }
  }
  if (resource.resourceType === 'CarePlan') {
    const activity = resource.activity?.map(({ detail }) => ({ code: detail?.code, description: detail?.description }))
    return { ...rest, status: undefined, activity }
  }
  return resource.resourceType === 'Patient' ? rest : { ...rest, identifier: undefined }
}

/** JSON with sorted keys, sorted and unique objects in lists, and no references. Lists of plain words keep their order. */
function canonical(node: unknown): string {
  if (Array.isArray(node)) {
    const parts = node.map(canonical)
    return `[${node.every((each) => typeof each === 'object') ? [...new Set(parts)].sort().join() : parts.join()}]`
  }
  if (typeof node !== 'object' || node === null) return JSON.stringify(node)
  const entries = Object.entries(node).filter(([key, value]) => value !== undefined && key !== 'reference')
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${JSON.stringify(key)}:${canonical(value)}`)
    .join()}}`
}
