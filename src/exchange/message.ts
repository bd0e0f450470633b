/**
 * $process-message: a referrer's referral, a service's case, a partner's answer. All arrive as BaRS-shaped message Bundles.
 *
 * @see bars-ukcore.md 3 and 5; CONTRACT.md 4 and 6
 */
import type { Bundle, MessageHeader, Task } from '@medplum/fhirtypes'
import { allowed, type Request } from '../access/caller.ts'
import { type Issue, Refusal, refuse } from '../fhir/outcome.ts'
import { messageEvents } from '../fhir/systems.ts'
import { validate } from '../fhir/validate.ts'
import { Conflict, type Statement } from '../store/database.ts'
import { takeMessage } from '../store/inbox.ts'
import { owedOfTask } from '../store/owed.ts'
import { readResource } from '../store/resources.ts'
import { amend } from './amend.ts'
import { actorOf } from './change.ts'
import type { Answer, Exchange } from './exchange.ts'
import { moveHandover, type Said } from './move-handover.ts'
import { fingerprintOf, once } from './once.ts'
import { receiveReferral } from './refer.ts'
import { isUpdate } from './revoke.ts'
import { stateOf } from './task.ts'

/** @param alongside for the same commit as what the message leads to */
export async function processMessage(
  exchange: Exchange,
  request: Request,
  body: unknown,
  alongside: readonly Statement[] = [],
): Promise<Answer> {
  return once(
    exchange,
    request,
    () => fingerprintOf('$process-message', body),
    async (inbox) => {
      const { bundle, header } = messageOf(body)
      // A message that takes a referral back may keep the Bundle.id of the referral (bars-ukcore.md 5.3).
      const first = bundle.id && !isUpdate(bundle) ? [takeMessage(request.caller.client, bundle.id, exchange.now().toISOString())] : []
      const taken = [...first, ...alongside]
      try {
        if (header.eventCoding?.code === 'servicerequest-request')
          return await receiveReferral(exchange, request, bundle, (answer) => [...inbox(answer), ...taken])
        return await receiveAnswer(exchange, request, bundle, (answer) => [...inbox(answer), ...taken])
      } catch (error) {
        if (error instanceof Conflict && error.what.includes('message_taken'))
          throw refuse(
            400,
            'invariant',
            'This Bundle.id was used before, for another message. A new message needs a new Bundle.id.',
            'Bundle.id',
          )
        throw error
      }
    },
    () => {
      throw refuse(409, 'duplicate', 'This message was received before, and has been dealt with.')
    },
  )
}

/** A message Bundle that opens with a header for an event we take; or every reason why it is none. */
function messageOf(body: unknown): { bundle: Bundle; header: MessageHeader } {
  const bundle = body as Bundle
  if (bundle?.resourceType !== 'Bundle' || bundle.type !== 'message')
    throw refuse(400, 'invalid', 'A Bundle of type message is posted here.', 'Bundle.type')
  const checked = validate(body, 'Bundle')
  if ('issues' in checked) throw new Refusal(checked.issues.some(({ code }) => code === 'structure') ? 400 : 422, checked.issues)
  const header = bundle.entry?.[0]?.resource
  if (header?.resourceType !== 'MessageHeader')
    throw refuse(400, 'required', 'A message opens with its MessageHeader.', 'Bundle.entry[0].resource')
  const issues: Issue[] = []
  const at = 'Bundle.entry[0].resource'
  const { eventCoding, reason } = header
  if (eventCoding?.system !== messageEvents || !/^servicerequest-re(quest|sponse)$/.test(eventCoding.code ?? '')) {
    issues.push({
      code: 'invariant',
      text: 'Events taken here: servicerequest-request and servicerequest-response.',
      expression: `${at}.eventCoding`,
    })
  }
  if (eventCoding?.code === 'servicerequest-request' && !reason?.coding?.some(({ code }) => code === 'new' || code === 'update')) {
    issues.push({ code: 'invariant', text: 'The reason of a servicerequest-request is new or update.', expression: `${at}.reason` })
  }
  if (eventCoding?.code === 'servicerequest-request' && !header.focus?.length) {
    issues.push({ code: 'required', text: 'The header names the ServiceRequest it is about in focus.', expression: `${at}.focus` })
  }
  if (issues.length) throw new Refusal(400, issues)
  return { bundle, header }
}

/** A partner's servicerequest-response: the Task in it says how its handover stands. */
async function receiveAnswer(
  exchange: Exchange,
  request: Request,
  bundle: Bundle,
  alongside: (answer: Answer) => Statement[],
): Promise<Answer> {
  const { caller } = request
  if (caller.role === 'referrer' || !allowed(caller, 'Task', 'u'))
    throw refuse(403, 'forbidden', 'This client can not answer for a partner.')
  const index = (bundle.entry ?? []).findIndex(({ resource }) => resource?.resourceType === 'Task')
  const task = bundle.entry?.[index]?.resource as Task | undefined
  if (!task) throw refuse(400, 'required', 'An answer carries the Task of the handover, in the state it is in now.', 'Bundle.entry')
  const at = `Bundle.entry[${index}].resource`
  const id = task.id ?? bundle.entry?.[index]?.fullUrl?.replace('urn:uuid:', '')
  const header = bundle.entry?.[0]?.resource as MessageHeader
  if (!header.response?.identifier)
    throw refuse(
      400,
      'invariant',
      'A servicerequest-response says in response.identifier which message it answers.',
      'Bundle.entry[0].resource.response',
    )
  const patient = await patientOfTask(exchange, caller.shelf, id)
  if (!patient) throw refuse(404, 'not-found', 'There is no such handover here.', `${at}.id`)
  // BaRS: the Bundle.id of what is answered. Who pulled had no Bundle, and names the Task.
  const sent = await owedOfTask(exchange.database, id as string)
  if (![id, ...sent.map((message) => message.id)].includes(header.response.identifier)) {
    const text = 'response.identifier is the id of the Bundle that is answered, or of the Task.'
    throw refuse(404, 'not-found', text, 'Bundle.entry[0].resource.response.identifier')
  }
  const state = stateOf(task)
  const answer = (): Answer => ({
    status: 200,
    body: {
      ...bundle,
      entry: [
        { ...(bundle.entry?.[0] ?? {}), resource: header },
        { fullUrl: `urn:uuid:${id}`, resource: task },
      ],
    } as Bundle,
  })
  await amend(
    exchange,
    patient,
    actorOf(request),
    (change) => {
      const present = stateOf(change.situation.record.get(`Task/${id}`)?.body as Task)
      const said: Said = {
        ...(state.status === present.status ? {} : { status: state.status }),
        ...(state.businessStatus && state.businessStatus !== present.businessStatus ? { businessStatus: state.businessStatus } : {}),
        ...(task.statusReason ? { reason: task.statusReason } : {}),
        ...(task.output ? { output: task.output } : {}),
        ...(task.note ? { note: task.note } : {}),
      }
      return moveHandover(change, id as string, said, caller)
    },
    () => alongside(answer()),
  )
  return answer()
}

async function patientOfTask(exchange: Exchange, shelf: string, id: string | undefined): Promise<string | undefined> {
  if (!id) return undefined
  const stored = await readResource(exchange.database, shelf, 'Task', id)
  return stored?.body ? stored.patient : undefined
}
