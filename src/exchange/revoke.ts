/**
 * A referrer's update of its referral (BaRS): it tells what it was asked for (`supply.ts`), or takes the referral back (ServiceRequest
 * revoked or entered-in-error). Nobody is asked for anything then; once partners were asked, the service decides and the referrer is
 * told so.
 *
 * @see bars-ukcore.md 5.1, 5.2
 */
import type { Bundle, MessageHeader, ServiceRequest, Task } from '@medplum/fhirtypes'
import type { Request } from '../access/caller.ts'
import { isOpen } from '../domain/handover.ts'
import { refuse } from '../fhir/outcome.ts'
import type { Statement } from '../store/database.ts'
import { readResource } from '../store/resources.ts'
import { amend } from './amend.ts'
import { actorOf, type Change } from './change.ts'
import type { Answer, Exchange } from './exchange.ts'
import { answerTo, asReferred, cancelled, isFinalAnswer, ownCopy, putAnswer, referrerOf } from './referral-answer.ts'
import { replyTo } from './reply.ts'
import { serviceShelf, tasksOf } from './situation.ts'
import { supply } from './supply.ts'
import { isHandover } from './task.ts'
import { askAboutSender, forget, isTakenOn, isTransferIn, transferIn } from './transferred-in.ts'

export const isUpdate = (bundle: Bundle): boolean =>
  (bundle.entry?.[0]?.resource as MessageHeader | undefined)?.reason?.coding?.some(({ code }) => code === 'update') === true

/** @throws Refusal 400 when it is neither still wanted nor taken back, 404 when this sender has no such referral */
export async function updateReferral(
  exchange: Exchange,
  request: Request,
  bundle: Bundle,
  alongside: (answer: Answer) => Statement[],
): Promise<Answer> {
  const { caller } = request
  const { said, id: named, at } = focusOf(bundle)
  const id = transferIn(caller, bundle)?.idOf(said) ?? named
  if (!/^(active|on-hold|revoked|entered-in-error)$/.test(said.status)) {
    const text = 'An update tells what was asked for (active), or takes the referral back (revoked, entered-in-error).'
    throw refuse(400, 'invariant', text, `${at}.status`)
  }
  const stored = id === undefined ? undefined : await readResource(exchange.database, caller.shelf, 'ServiceRequest', id)
  const unknown = () =>
    refuse(
      404,
      'not-found',
      'This sender has no such referral here. It is named by the id that the ServiceRequest has in our answer.',
      `${at}.id`,
    )
  if (!stored?.body || !stored.patient) throw unknown()
  if (said.status === 'active' || said.status === 'on-hold')
    return supply(exchange, request, { bundle, said, id: id as string, patient: stored.patient }, alongside)
  const answered = await amend(
    exchange,
    stored.patient,
    actorOf(request),
    (change) => {
      const taken = takeBack(change, id as string, said, caller.shelf)
      if (!taken) throw unknown()
      return (): Answer => ({ status: 200, body: replyTo(bundle, [taken], theirsOf(change, answerTo(change.situation, id as string))) })
    },
    (answer) => alongside(answer()),
  )
  if (!answered) throw unknown()
  return answered()
}

/** The ServiceRequest the header names, and the id it has with us: its own, or that of the entry as we answered it. */
export function focusOf(bundle: Bundle): { said: ServiceRequest; id: string | undefined; at: string } {
  const entries = bundle.entry ?? []
  const named = (entries[0]?.resource as MessageHeader | undefined)?.focus?.[0]?.reference
  const index = entries.findIndex(
    ({ fullUrl, resource }) => named !== undefined && (fullUrl === named || `${resource?.resourceType}/${resource?.id}` === named),
  )
  const { fullUrl, resource } = entries[index] ?? {}
  if (resource?.resourceType !== 'ServiceRequest')
    throw refuse(400, 'invariant', 'The focus of the message is a ServiceRequest in it.', 'Bundle.entry[0].resource.focus')
  return { said: resource, id: resource.id ?? fullUrl?.replace('urn:uuid:', ''), at: `Bundle.entry[${index}].resource` }
}

/** Only the status is taken over, on both shelves; a triage that is already over stays as it is. */
function takeBack(change: Change, id: string, said: ServiceRequest, shelf: string): ServiceRequest | undefined {
  const { situation } = change
  const present = situation.record.get(`ServiceRequest/${id}`)?.body as ServiceRequest | undefined
  if (!present) return undefined
  const task = answerTo(situation, id)
  if (task && isTakenOn(task)) {
    askAboutSender(change, task, 'stopped')
    return present
  }
  // Once partners were asked it is the person's support, no longer the referrer's to end (bars-ukcore.md 5.1: refuse what is not current).
  if (tasksOf(situation).some((one) => isHandover(one) && one.status !== 'draft' && isOpen(one.status))) {
    throw refuse(
      409,
      'conflict',
      'The service has accepted this referral and asked partners to help. Speak to the service about ending the support.',
    )
  }
  const own = serviceShelf(situation.service.id)
  const taken: ServiceRequest = { ...present, status: said.status }
  const stored = change.put(own, taken)
  const theirs = ownCopy(change, shelf, id, (copy) => ({ ...copy, status: said.status }))
  change.audit({ action: 'revoke', entity: `ServiceRequest/${id}/_history/${stored.version}` })
  // Handed over, and taken back before anybody took the person on: what was told is not ours to keep.
  if (task && isTransferIn(task)) forget(change, { client: referrerOf(task) as string })
  if (task && !isFinalAnswer(task)) {
    const words = said.reasonCode?.[0]?.text ?? 'The referrer took the referral back.'
    putAnswer(change, cancelled(task, said.status, words, situation.now.toISOString()))
  }
  return theirs
}

const theirsOf = (change: Change, task: Task | undefined): Task | undefined => task && asReferred(change, task)
