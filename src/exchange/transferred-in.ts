/**
 * Somebody another RECONNECT service hands over to one of ours, from this gateway or another: a referral that keeps what an answer has to
 * name, and that its sender may still change until the person is taken on (reconnect.md P9).
 *
 * Each transfer is a person of its own here. Ids follow from those of the sender and of its handover, so that a change finds what it
 * changes and two transfers never meet.
 */
import type { Bundle, Observation, Patient, Resource, ServiceRequest, Task } from '@medplum/fhirtypes'
import { v5 } from 'uuid'
import type { Caller, Request } from '../access/caller.ts'
import { isCustody } from '../domain/facts.ts'
import { custodyIn } from '../domain/read.ts'
import { refuse } from '../fhir/outcome.ts'
import { BASE } from '../fhir/systems.ts'
import type { Statement } from '../store/database.ts'
import { amend } from './amend.ts'
import { actorOf, type Change } from './change.ts'
import type { Answer, Exchange } from './exchange.ts'
import { asTold } from './refer.ts'
import { aboutNobody } from './references.ts'
import { givesReason } from './referral-answer.ts'
import { replyTo } from './reply.ts'
import { type Situation, serviceShelf, tasksOf } from './situation.ts'
import { isReferralAnswer } from './task.ts'

/** `BASE/CodeSystem/referrer-type`. */
export const transferReferrer = 'reconnect-service'
/** On our answer: the sender's Task, the message it came by first, and the sender: its ODS code, or `service.{id}` in this gateway. */
export const sentTaskId = `${BASE}/Id/sent-task`
export const sentMessageId = `${BASE}/Id/sent-message`
export const senderId = `${BASE}/Id/sender`

export type TransferIn = { task: string; message: string; sender: string; idOf(resource: Resource): string }

/** Absent: it is no transfer, but a referral like any other. */
export function transferIn(caller: Caller, bundle: Bundle): TransferIn | undefined {
  if (caller.role !== 'referrer' || caller.referrerType !== transferReferrer) return undefined
  const task = bundle.entry?.map(({ resource }) => resource).find((one): one is Task => one?.resourceType === 'Task')
  if (!task?.id || !bundle.id)
    throw refuse(400, 'required', 'A transfer carries the Task of the sender’s handover, with its id.', 'Bundle.entry')
  const within = `${caller.client}/${task.id}`
  return {
    task: task.id,
    message: bundle.id,
    sender: caller.ods ?? caller.client,
    // The sender's own number for the person changes when it makes two records one; whom it handed over does not.
    idOf: ({ resourceType, id }) => v5(`${BASE}/${within}/${resourceType}${resourceType === 'Patient' ? '' : `/${id}`}`, v5.URL),
  }
}

export const isTransferIn = (task: Task): boolean => identifierOn(task, sentTaskId) !== undefined
export const identifierOn = (task: Task, system: string): string | undefined => task.identifier?.find((one) => one.system === system)?.value

/** The sender takes it back, or says that it is over. */
export const isEnding = (bundle: Bundle): boolean =>
  bundle.entry?.some(
    ({ resource }) => resource?.resourceType === 'ServiceRequest' && /^(revoked|completed|entered-in-error)$/.test(resource.status),
  ) === true

/** `now`: whose record it is by now, where it became part of another one. */
type Told = { bundle: Bundle; resources: readonly Resource[]; focus: ServiceRequest; patient: string; now: string }

/**
 * The sender tells more, or less, of somebody it handed over before. Once the service has taken the person on, its record is its own; and
 * what is over stays over, however late a word about it comes.
 *
 * @throws Refusal 409 when the sender took it back before: whoever is asked anew is asked by a new handover
 */
export async function takeChange(
  exchange: Exchange,
  request: Request,
  { bundle, resources, focus, patient, now }: Told,
  alongside: (answer: Answer) => Statement[],
): Promise<Answer> {
  const answered = await amend(
    exchange,
    now,
    actorOf(request),
    (change) => {
      const task = tasksOf(change.situation).find((one) => isReferralAnswer(one) && one.focus?.reference === `ServiceRequest/${focus.id}`)
      const own = task && (isTakenOn(task) || now !== patient)
      const over = isOverHere(change.situation, focus)
      if (over && task?.status === 'cancelled' && !givesReason(task, 'ended'))
        throw refuse(409, 'conflict', 'This handover was taken back. Ask anew, with a new Task.')
      const kept = own || over ? [] : putAgain(change, request, resources, focus)
      if (own && saysSomethingNew(change, request, { resources, focus })) askAboutSender(change, task, 'changed')
      return (): Answer => ({ status: 200, body: replyTo(bundle, kept, task) })
    },
    (answer) => alongside(answer()),
  )
  if (!answered) throw refuse(404, 'not-found', 'There is no such referral here.')
  return answered()
}

const isOverHere = ({ record }: Situation, { id }: ServiceRequest): boolean =>
  /^(revoked|completed|entered-in-error)$/.test((record.get(`ServiceRequest/${id}`)?.body as ServiceRequest | undefined)?.status ?? '')

/** A transfer whose person the service has made its own: what the sender says from then on changes nothing by itself. */
export const isTakenOn = (task: Task): boolean => isTransferIn(task) && task.status === 'completed'

/** Beyond what it told before, as far as that can still be seen: a reminder, or how its handover stands, is nothing new. */
function saysSomethingNew({ situation }: Change, { caller }: Request, { resources, focus }: Pick<Told, 'resources' | 'focus'>): boolean {
  return resources.some((told) => {
    if (aboutNobody.has(told.resourceType) || /^(Task|ServiceRequest|Consent)$/.test(told.resourceType)) return false
    const present = situation.record.get(`${told.resourceType}/${told.id}`)?.body
    const isTheirs = present?.meta?.source === toldBy(caller)
    if (told.resourceType === 'Observation' && present?.resourceType === 'Observation' && isCustody(told))
      return whenAndWhere(told) !== whenAndWhere(present)
    return !present || (isTheirs && contentOf(asTold(told, focus, caller) ?? told) !== contentOf(present))
  })
}
const contentOf = ({ meta: _meta, ...rest }: Resource): string => JSON.stringify(rest)
function whenAndWhere(observation: Observation): string {
  const { releaseDate, left, establishment, basis } = custodyIn(observation)
  return JSON.stringify([releaseDate, left, establishment, basis])
}

/** The sender goes on telling, or says stop, after the person was taken on: a person asks what it is about. */
export function askAboutSender(change: Change, task: Task, what: 'changed' | 'stopped'): void {
  const { record, patient } = change.situation
  const detail = JSON.stringify({ ignored: 'taken on', said: what })
  change.audit({ action: 'refer', entity: task.focus?.reference as string, detail })
  const { deceasedBoolean, deceasedDateTime } = (record.get(`Patient/${patient}`)?.body ?? {}) as Patient
  if (deceasedBoolean || deceasedDateTime) return
  const sender = task.requester?.display ?? 'The service that handed the person over'
  change.ask({
    about: `sender:${what}:${task.id}`,
    reason: `sender-${what}`,
    words: words[what](sender),
    task: task.id as string,
  })
}
const words = {
  changed: (sender: string) =>
    `${sender} told something new about the person, and it was not put into your record, which is your own by now. Ask what has changed.`,
  stopped: (sender: string) =>
    `${sender} says stop, after you had taken the person on, and can not say why here: the person may have changed their mind, or worse. Nothing was stopped. Speak with ${sender}, and with the person.`,
} as const

/** What it told before and tells no longer goes; a plan the service has made its own stays. */
function putAgain(change: Change, request: Request, resources: readonly Resource[], focus: ServiceRequest): Resource[] {
  const { situation } = change
  const shelf = serviceShelf(situation.service.id)
  const kept: Resource[] = []
  for (const told of resources) {
    const resource = aboutNobody.has(told.resourceType) ? undefined : asTold(told, focus, request.caller)
    if (!resource) continue
    const present = situation.record.get(`${resource.resourceType}/${resource.id}`)
    // What the service has changed is its own.
    if (present && present.body?.meta?.source !== toldBy(request.caller)) continue
    kept.push(change.put(shelf, resource).body as Resource)
  }
  forget(change, request.caller, new Set(resources.map(({ resourceType, id }) => `${resourceType}/${id}`)))
  change.audit({ action: 'refer', entity: `ServiceRequest/${focus.id}`, detail: JSON.stringify({ changed: true }) })
  return kept
}

/** What the sender told and does not stand by: not to be read in older versions either. What the service made its own stays. */
export function forget(change: Change, sender: Pick<Caller, 'client'>, but: ReadonlySet<string> = new Set()): void {
  const { service, record } = change.situation
  for (const [ref, { type, body }] of [...record])
    if (body?.meta?.source === toldBy(sender) && !but.has(ref) && !/^(Patient|ServiceRequest)$/.test(type))
      change.takeOff(serviceShelf(service.id), ref)
}

/** Written by the service: no longer what the sender of a transfer told. */
export function asOwn<T extends Resource>(resource: T): T {
  if (!resource.meta?.source?.startsWith(toldBy({ client: '' }))) return resource
  const { source: _theirs, ...meta } = resource.meta
  return { ...resource, meta }
}

/** Where a resource of a transfer came from: `meta.source`. */
export const toldBy = ({ client }: Pick<Caller, 'client'>): string => `${BASE}/client/${client}`
