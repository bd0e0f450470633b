/**
 * What a service hands in, made ready to be applied: may it be written at all, is it FHIR, which id does it get, what is there already.
 * Everything that is wrong with it is said at once, each with its place.
 */
import type { Resource } from '@medplum/fhirtypes'
import { allowed, type Request } from '../access/caller.ts'
import { keepingDecisions } from '../domain/decisions.ts'
import { type Issue, Refusal, refuse } from '../fhir/outcome.ts'
import { patched } from '../fhir/patch.ts'
import { parseSearch } from '../fhir/search.ts'
import { validate } from '../fhir/validate.ts'
import { newId } from '../store/random.ts'
import { readResource, type Stored } from '../store/resources.ts'
import { searchShelf } from '../store/search.ts'
import type { Exchange } from './exchange.ts'
import { wrongNumbers } from './patient.ts'
import { aboutNobody, patientOf, rewriteReferences } from './references.ts'
import { isHandoverRequest } from './task.ts'
import { asOwn } from './transferred-in.ts'

export type Interaction = {
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  type: string
  id?: string
  body?: unknown
  /** Version number, from If-Match. */
  ifMatch?: string
  /** Search of If-None-Exist. */
  ifNoneExist?: string
  /** Within a Bundle: what other entries call it. */
  fullUrl?: string
  /** FHIRPath of the resource in what was sent: 'Patient', 'Bundle.entry[2].resource'. */
  at?: string
}

/** An interaction ready to be applied: ids assigned, references resolved, the present version known. */
export type Prepared = Interaction & {
  ref: string
  resource?: Resource
  present?: Stored
  existing?: Stored
  patient?: string
  isNew: boolean
}

/** What a record stands on is not deleted: its status says that it no longer holds. */
const kept = new Set(['Patient', 'Consent', 'Task', 'ServiceRequest', 'CarePlan', 'Provenance', 'AuditEvent'])

export async function prepare(exchange: Exchange, request: Request, interactions: readonly Interaction[]): Promise<Prepared[]> {
  const { database } = exchange
  const { caller } = request
  const shelf = caller.shelf
  const issues: Issue[] = []
  const places = new Map<string, string>()
  const prepared: Prepared[] = []
  for (const interaction of interactions) {
    const { method, type } = interaction
    const at = interaction.at ?? type
    if (!allowed(caller, type, method === 'POST' ? 'c' : method === 'DELETE' ? 'd' : 'u'))
      throw refuse(403, 'forbidden', 'The granted scopes do not allow this.', at)
    if (type === 'Task' && method === 'POST')
      throw refuse(422, 'business-rule', 'Handovers come from the activities of a care plan: a Task is not created by hand.', at)
    if (type === 'AuditEvent') throw refuse(405, 'not-supported', 'The audit is written by the exchange alone.', at)
    const existing =
      method === 'POST' && interaction.ifNoneExist !== undefined
        ? await onlyMatch(exchange, shelf, type, interaction.ifNoneExist, at)
        : undefined
    const id = method === 'POST' ? (existing?.id ?? newId()) : (interaction.id as string)
    const present = method === 'POST' ? undefined : await readResource(database, shelf, type, id)
    if (method !== 'POST') checkPresent(interaction, present, at)
    if (interaction.fullUrl) places.set(interaction.fullUrl, `${type}/${id}`)
    prepared.push({
      ...interaction,
      id,
      ref: `${type}/${id}`,
      ...(present ? { present } : {}),
      ...(existing ? { existing } : {}),
      isNew: method === 'POST' && !existing,
    })
  }
  for (const one of prepared) {
    if (one.existing || one.method === 'DELETE') continue
    const at = one.at ?? one.type
    const said = one.method === 'PATCH' ? patched(one.present?.body as Resource, one.body) : one.body
    const checked = validate(said, at)
    if ('issues' in checked) {
      issues.push(...checked.issues)
      continue
    }
    const resource = rewriteReferences(checked.resource, (reference) => places.get(reference) ?? ownReference(exchange, reference))
    if (resource.resourceType !== one.type)
      issues.push({ code: 'invalid', text: 'The resource is of another type than the address says.', expression: at })
    if (one.method === 'PUT' && resource.id !== one.id)
      issues.push({ code: 'invalid', text: 'The id in the resource is not the one in the address.', expression: `${at}.id` })
    issues.push(...wrongNumbers(resource, at))
    if (resource.resourceType === 'ServiceRequest' && isHandoverRequest(resource)) {
      issues.push({
        code: 'business-rule',
        text: 'This identifier system is for handovers, which follow from the care plan.',
        expression: `${at}.identifier`,
      })
    }
    one.resource = { ...withDecisionsKept(asOwn(resource), one.present?.body), id: one.id as string }
    const patient = patientOf(one.resource)
    if (patient) one.patient = patient
    else if (!aboutNobody.has(one.type))
      issues.push({
        code: 'required',
        text: 'This resource has to say which Patient it is about, by a reference to a Patient of this record.',
        expression: at,
      })
    if (one.present?.patient && patient !== one.present.patient)
      issues.push({ code: 'business-rule', text: 'A resource can not be moved to another person.', expression: at })
  }
  if (issues.length) throw new Refusal(statusFor(issues), issues)
  for (const one of prepared) if (!one.patient && one.present?.patient) one.patient = one.present.patient
  return prepared
}

/** What was decided about a referral stays on it. */
function withDecisionsKept(resource: Resource, present: Resource | undefined): Resource {
  if (resource.resourceType !== 'ServiceRequest') return resource
  return keepingDecisions(resource, present?.resourceType === 'ServiceRequest' ? present : undefined)
}

/** 400 for what is not FHIR, 422 for FHIR that breaks a rule. */
const statusFor = (issues: readonly Issue[]): number => (issues.some(({ code }) => code === 'structure' || code === 'invalid') ? 400 : 422)

function checkPresent({ method, type, ifMatch }: Interaction, present: Stored | undefined, at: string): void {
  if (!present?.body) {
    if (present && method !== 'PUT') throw refuse(410, 'deleted', 'This resource was deleted.', at)
    if (method === 'PUT') throw refuse(405, 'not-supported', 'Ids are assigned here: create with POST, then update with PUT.', at)
    throw refuse(404, 'not-found', 'There is no such resource here.', at)
  }
  if (ifMatch !== undefined && Number(ifMatch) !== present.version)
    throw refuse(412, 'conflict', 'The resource has changed since the version named in If-Match.', at)
  if (present.body.resourceType === 'ServiceRequest' && isHandoverRequest(present.body)) {
    throw refuse(422, 'business-rule', 'The request of a handover follows from the care plan: change the activity there.', at)
  }
  if (method === 'DELETE' && kept.has(type))
    throw refuse(422, 'business-rule', 'This type is not deleted: set its status to say that it no longer holds.', at)
}

async function onlyMatch(exchange: Exchange, shelf: string, type: string, search: string, at: string): Promise<Stored | undefined> {
  const { matches } = await searchShelf(exchange.database, shelf, parseSearch(type, new URLSearchParams(search)))
  if (matches.length > 1) throw refuse(412, 'duplicate', 'More than one resource matches If-None-Exist.', at)
  return matches[0]
}

/** 'https://this.server/fhir/Patient/1' is 'Patient/1'. */
const ownReference = ({ publicUrl }: Exchange, reference: string): string | undefined =>
  reference.startsWith(`${publicUrl}/fhir/`) ? reference.slice(publicUrl.length + 6) : undefined
