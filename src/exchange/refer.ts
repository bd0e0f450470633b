/**
 * A referral from outside: kept as told, triaged, and the referrer answered in the same breath.
 *
 * A referrer says what it knows; it does not decide. Its consents and plans are kept as proposals until the service takes them
 * for its own, so nothing a referrer sends can have a partner told anything.
 */
import type { Bundle, Identifier, MessageHeader, Reference, Resource, ServiceRequest, Task } from '@medplum/fhirtypes'
import { allowed, type Request } from '../access/caller.ts'
import type { Service } from '../domain/directory.ts'
import { informantOf } from '../domain/informant.ts'
import { notEnough } from '../domain/referral.ts'
import { type Issue, Refusal, refuse } from '../fhir/outcome.ts'
import { BASE, consentCategoriesBars, odsCode, ours, sourceOfServiceRequest, taskCode, ukCore } from '../fhir/systems.ts'
import type { Statement } from '../store/database.ts'
import { newId } from '../store/random.ts'
import { createResource, readResource, type Stored } from '../store/resources.ts'
import { commit } from './amend.ts'
import { actorOf } from './change.ts'
import type { Answer, Exchange } from './exchange.ts'
import { markUntraced } from './patient.ts'
import type { Interaction } from './prepare.ts'
import { keep } from './receive.ts'
import { aboutNobody, rewriteReferences } from './references.ts'
import { replyTo } from './reply.ts'
import { focusOf, isUpdate, updateReferral } from './revoke.ts'
import { sentBefore } from './sent-before.ts'
import { newSituation, type Situation, serviceShelf } from './situation.ts'
import { supply } from './supply.ts'
import { handoverId, referralId } from './task.ts'
import { isEnding, senderId, sentMessageId, sentTaskId, takeChange, toldBy, transferIn, transferReferrer } from './transferred-in.ts'

/** Types that describe the message or the sender's directory and are not part of a person's record. */
const notKept = new Set(['MessageHeader', 'Bundle', 'OperationOutcome', 'Parameters', 'Binary', 'AuditEvent', 'Subscription'])

export async function receiveReferral(
  exchange: Exchange,
  request: Request,
  bundle: Bundle,
  alongside: (answer: Answer) => Statement[],
): Promise<Answer> {
  const { caller } = request
  if (caller.role === 'partner' || !allowed(caller, 'ServiceRequest', 'c')) throw refuse(403, 'forbidden', 'This client may not refer.')
  if (isUpdate(bundle) && !(transferIn(caller, bundle) && !isEnding(bundle))) {
    if (caller.role === 'referrer') return updateReferral(exchange, request, bundle, alongside)
    throw refuse(400, 'invariant', 'A service changes its own record with PUT, PATCH or a transaction.', 'Bundle.entry[0].resource.reason')
  }
  if (caller.role === 'service') return ownCase(exchange, request, bundle, alongside)
  const sent = transferIn(caller, bundle)
  const { resources, focus, patient } = contentsOf(bundle, sent?.idOf)
  const earlier = sent && (await readResource(exchange.database, caller.shelf, 'ServiceRequest', focus.id as string))
  if (earlier?.body && earlier.patient)
    return takeChange(exchange, request, { bundle, resources, focus, patient: patient.id as string, now: earlier.patient }, alongside)
  const before = sent ? undefined : await sentBefore(exchange, caller.shelf, focus)
  if (before) return supply(exchange, request, { bundle, said: focusOf(bundle).said, ...before }, alongside)
  const service = (request.to && exchange.directory().services.get(request.to)) || serviceFor(exchange, resources, focus)
  const shelf = serviceShelf(service.id)
  const taskId = newId()
  const at = exchange.now().toISOString()
  const situation: Situation = newSituation(exchange, service, patient.id as string)
  const workers: Statement[] = []
  const kept: Resource[] = []
  let task: Task | undefined
  const answer = (): Answer => ({ status: 200, body: replyTo(bundle, kept, task as Task) })
  await commit(
    exchange,
    [situation],
    actorOf(request),
    ([change]) => {
      if (!change) return
      for (const told of resources) {
        const resource = asTold(told, focus, caller)
        if (resource === undefined) continue
        // A message is about one person: what does not say whom it is about goes with that person too.
        if (!aboutNobody.has(resource.resourceType)) kept.push(change.put(shelf, resource).body as Resource)
        else {
          const stored: Stored = {
            shelf,
            type: resource.resourceType,
            id: resource.id as string,
            version: 1,
            lastUpdated: at,
            body: { ...resource, meta: { ...resource.meta, versionId: '1', lastUpdated: at } },
          }
          workers.push(...createResource(stored))
          kept.push(stored.body as Resource)
        }
      }
      const request = kept.find((resource) => resource.id === focus.id) as ServiceRequest
      change.put(`referrer:${caller.client}`, request, '[]')
      change.put(
        shelf,
        answerTask({
          id: taskId,
          request: focus.id as string,
          patient: patient.id as string,
          service,
          client: caller.client,
          name: caller.name,
          at,
          ...(sent ? { sent } : {}),
        }),
      )
      const informant = informantOf(request, caller.referrerType)
      change.audit({
        action: 'refer',
        entity: `ServiceRequest/${focus.id}/_history/${request.meta?.versionId}`,
        ...(informant ? { detail: JSON.stringify({ informant }) } : {}),
      })
    },
    () => {
      task = situation.record.get(`Task/${taskId}`)?.body as Task
      return [...workers, ...alongside(answer())]
    },
  )
  return answer()
}

/** A service's own message is its own word: kept like a transaction, answered with what became of it. */
async function ownCase(exchange: Exchange, request: Request, bundle: Bundle, alongside: (answer: Answer) => Statement[]): Promise<Answer> {
  const interactions = (bundle.entry ?? []).flatMap(({ resource, fullUrl }, index): Interaction[] =>
    resource && !notKept.has(resource.resourceType) && !/^(Task|Organization|HealthcareService)$/.test(resource.resourceType)
      ? [
          {
            method: 'POST',
            type: resource.resourceType,
            body: resource,
            at: `Bundle.entry[${index}].resource`,
            ...(fullUrl ? { fullUrl } : {}),
          },
        ]
      : [],
  )
  const reply = (kept: readonly Resource[]): Answer => ({ status: 200, body: replyTo(bundle, kept) })
  const done = await keep(exchange, request, interactions, (all) => alongside(reply(all.flatMap(({ stored }) => stored?.body ?? []))))
  return reply(done.flatMap(({ stored }) => stored?.body ?? []))
}

export type Contents = { resources: Resource[]; focus: ServiceRequest; patient: Resource }

/** Everything in the message under ids of our own, with its references set right. */
export function contentsOf(bundle: Bundle, idOf: (resource: Resource) => string = newId): Contents {
  const entries = bundle.entry ?? []
  const places = new Map<string, string>()
  const given = entries.flatMap(({ fullUrl, resource }, index) => {
    if (!resource || notKept.has(resource.resourceType)) return []
    const id = idOf(resource)
    const place = `${resource.resourceType}/${id}`
    if (fullUrl) places.set(fullUrl, place)
    if (resource.id) places.set(`${resource.resourceType}/${resource.id}`, place)
    return [{ resource: { ...resource, id }, index }]
  })
  const resources = given.map(({ resource }) => rewriteReferences(resource as Resource, (reference) => places.get(reference)))
  const header = entries[0]?.resource as MessageHeader
  const focusPlace = places.get(header.focus?.[0]?.reference ?? '')
  const focus = resources.find((one) => `${one.resourceType}/${one.id}` === focusPlace)
  if (focus?.resourceType !== 'ServiceRequest')
    throw refuse(400, 'invariant', 'The focus of the message is a ServiceRequest in it.', 'Bundle.entry[0].resource.focus')
  const at = `Bundle.entry[${given.find(({ resource }) => resource.id === focus.id)?.index}].resource`
  const patient = resources.find((one) => `Patient/${one.id}` === (focus.subject as Reference | undefined)?.reference)
  if (patient?.resourceType !== 'Patient')
    throw refuse(400, 'invariant', 'The ServiceRequest names as its subject a Patient in the message.', `${at}.subject`)
  const patientAt = `Bundle.entry[${given.find(({ resource }) => resource.id === patient.id)?.index}].resource`
  const told = resources.filter((one) => one === patient || one === focus || !/^(Patient|ServiceRequest)$/.test(one.resourceType))
  const lacking = notEnough(told).map(({ what, words }): Issue => {
    return { code: 'required', text: words, expression: what === 'person' ? `${patientAt}.name` : `${at}.reasonCode` }
  })
  if (lacking.length) throw new Refusal(422, lacking)
  return { resources, focus, patient }
}

/** As it was told, except what a referrer can not decide; of a transfer, with who told it. */
export function asTold(resource: Resource, focus: ServiceRequest, caller: Told): Resource | undefined {
  const kept = withoutDecisions(resource, focus, caller)
  if (!kept || caller.referrerType !== transferReferrer) return kept
  return { ...kept, meta: { ...kept.meta, source: toldBy(caller) } }
}
type Told = Pick<Request['caller'], 'referrerType' | 'client'>

function withoutDecisions(resource: Resource, focus: ServiceRequest, caller: Told): Resource | undefined {
  const { referrerType } = caller
  if (resource.resourceType === 'Patient') return markUntraced(resource)
  // The sender's own handover to us; ours of this referral is the answer.
  if (resource.resourceType === 'Task' && referrerType === transferReferrer) return undefined
  if (
    resource.resourceType === 'Consent' &&
    resource.status === 'active' &&
    !resource.category.some(({ coding }) => coding?.some(({ system }) => system === consentCategoriesBars))
  ) {
    return { ...resource, status: 'proposed' }
  }
  // A snapshot of the sender's plan is a draft of the one to come.
  const open = referrerType === transferReferrer ? /^(active|completed)$/ : /^active$/
  if (resource.resourceType === 'CarePlan' && open.test(resource.status)) return { ...resource, status: 'draft' }
  // Only the exchange itself says what is a handover or an answer of ours.
  if (resource.resourceType === 'Task' || resource.resourceType === 'ServiceRequest') {
    const own = resource.identifier?.filter(({ system }) => system !== handoverId && system !== referralId)
    if (own?.length !== resource.identifier?.length)
      return withoutDecisions({ ...resource, identifier: own as Identifier[] }, focus, caller)
  }
  if (resource.resourceType !== 'ServiceRequest' || resource.id !== focus.id || !referrerType) return resource
  const source = { url: sourceOfServiceRequest, valueCodeableConcept: { coding: [{ system: ours('referrer-type'), code: referrerType }] } }
  return { ...resource, extension: [...(resource.extension ?? []).filter(({ url }) => url !== sourceOfServiceRequest), source] }
}

/** The service a referral is for: the one it names or is addressed to, the one at the person's prison, or else the first there is. */
function serviceFor(exchange: Exchange, resources: readonly Resource[], focus: ServiceRequest): Service {
  const { services } = exchange.directory()
  const named = focus.performer?.map(({ reference }) => services.get(reference?.replace('Organization/', '') ?? '')).find(Boolean)
  const byCode = (organizations: readonly Resource[]) => {
    // By ODS code: the sender may have written the system's '/Id/' either way (bars-ukcore.md 4.3).
    const codes = organizations.flatMap((one) => (one.resourceType === 'Organization' ? (one.identifier ?? []) : []))
    return [...services.values()].find(
      ({ ods }) => ods && codes.some(({ system, value }) => value === ods && system?.toLowerCase() === odsCode.toLowerCase()),
    )
  }
  // The one that is asked before any other organisation of the message: its sender may be a service too.
  const asked = byCode(resources.filter((one) => focus.performer?.some(({ reference }) => reference === `Organization/${one.id}`)))
  const prisons = resources.flatMap((one) =>
    one.resourceType === 'Observation'
      ? (one.component ?? []).flatMap(
          ({ valueCodeableConcept }) =>
            valueCodeableConcept?.coding?.filter(({ system }) => system === ours('prison')).map(({ code }) => code) ?? [],
        )
      : [],
  )
  const local = [...services.values()].find((service) => service.prisons.some((prison) => prisons.includes(prison)))
  const service = named ?? asked ?? byCode(resources) ?? local ?? services.values().next().value
  if (!service) throw refuse(503, 'transient', 'No RECONNECT service is set up here.')
  return service
}

/** The Task that will tell the referrer the outcome; triage fills it in, in the same commit. */
const answerTask = (from: {
  id: string
  request: string
  patient: string
  service: Service
  client: string
  name: string
  at: string
  sent?: { task: string; message: string; sender: string }
}): Task => ({
  resourceType: 'Task',
  id: from.id,
  meta: { profile: [ukCore('UKCore-Task')] },
  identifier: [
    { system: referralId, value: from.request },
    // What an answer to another gateway has to name.
    ...(from.sent
      ? [
          { system: sentTaskId, value: from.sent.task },
          { system: sentMessageId, value: from.sent.message },
          { system: senderId, value: from.sent.sender },
        ]
      : []),
  ],
  status: 'received',
  intent: 'order',
  code: { coding: [{ system: taskCode, code: 'fulfill' }] },
  focus: { reference: `ServiceRequest/${from.request}` },
  for: { reference: `Patient/${from.patient}` },
  authoredOn: from.at,
  lastModified: from.at,
  requester: { identifier: { system: `${BASE}/Id/client`, value: from.client }, display: from.name },
  owner: { reference: `Organization/${from.service.id}`, display: from.service.name },
})
