/**
 * Somebody another RECONNECT service hands over to one of ours, from this gateway or another: a referral that keeps what an answer has to
 * name, and that its sender may still change until the person is taken on (reconnect.md P9).
 *
 * Each transfer is a person of its own here. Ids follow from those of the sender and of its handover, so that a change finds what it
 * changes and two transfers never meet.
 */
import type { Bundle, Resource, ServiceRequest, Task } from '@medplum/fhirtypes'
import { v5 } from 'uuid'
import type { Caller, Request } from '../access/caller.ts'
import { refuse } from '../fhir/outcome.ts'
import { BASE } from '../fhir/systems.ts'
import type { Statement } from '../store/database.ts'
import { amend } from './amend.ts'
import { actorOf, type Change } from './change.ts'
import type { Answer, Exchange } from './exchange.ts'
import { asTold } from './refer.ts'
import { aboutNobody } from './references.ts'
import { replyTo } from './reply.ts'
import { serviceShelf, tasksOf } from './situation.ts'
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
    idOf: ({ resourceType, id }) => v5(`${BASE}/${within}/${resourceType}/${id}`, v5.URL),
  }
}

export const isTransferIn = (task: Task): boolean => identifierOn(task, sentTaskId) !== undefined
export const identifierOn = (task: Task, system: string): string | undefined => task.identifier?.find((one) => one.system === system)?.value

/** The sender takes it back, or says that it is over. */
export const isEnding = (bundle: Bundle): boolean =>
  bundle.entry?.some(
    ({ resource }) => resource?.resourceType === 'ServiceRequest' && /^(revoked|completed|entered-in-error)$/.test(resource.status),
  ) === true

type Told = { bundle: Bundle; resources: readonly Resource[]; focus: ServiceRequest; patient: string }

/** The sender tells more, or less, of somebody it handed over before. Once the service has taken the person on, its record is its own. */
export async function takeChange(
  exchange: Exchange,
  request: Request,
  { bundle, resources, focus, patient }: Told,
  alongside: (answer: Answer) => Statement[],
): Promise<Answer> {
  const answered = await amend(
    exchange,
    patient,
    actorOf(request),
    (change) => {
      const task = tasksOf(change.situation).find(isReferralAnswer)
      const kept = isTakenOn(task) ? [] : putAgain(change, request, resources, focus)
      if (isTakenOn(task))
        change.audit({ action: 'refer', entity: `ServiceRequest/${focus.id}`, detail: JSON.stringify({ ignored: 'taken on' }) })
      return (): Answer => ({ status: 200, body: replyTo(bundle, kept, task) })
    },
    (answer) => alongside(answer()),
  )
  if (!answered) throw refuse(404, 'not-found', 'There is no such referral here.')
  return answered()
}

const isTakenOn = (task: Task | undefined): boolean => task?.status === 'completed'

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
  const said = new Set(resources.map(({ resourceType, id }) => `${resourceType}/${id}`))
  for (const [ref, { body }] of situation.record)
    if (body?.meta?.source === toldBy(request.caller) && !said.has(ref)) change.remove(shelf, ref)
  change.audit({ action: 'refer', entity: `ServiceRequest/${focus.id}`, detail: JSON.stringify({ changed: true }) })
  return kept
}

/** Where a resource of a transfer came from: `meta.source`. */
export const toldBy = ({ client }: Pick<Caller, 'client'>): string => `${BASE}/client/${client}`
