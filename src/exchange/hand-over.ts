/**
 * Channel `here`: a message to another RECONNECT service of this gateway is taken in for it exactly as one from outside would be, under
 * the same key, so that a repeat is dropped. Only what is in the frozen bytes arrives.
 *
 * The person it is about may say no between the decision and the commit that takes it in: then nothing is taken in.
 */
import type { Bundle, MessageHeader, Task } from '@medplum/fhirtypes'
import type { Caller, Request } from '../access/caller.ts'
import type { Delivery } from '../channel.ts'
import type { Partner } from '../domain/directory.ts'
import { Refusal } from '../fhir/outcome.ts'
import { Conflict } from '../store/database.ts'
import type { Owed } from '../store/owed.ts'
import { type Person, unlessOvertaken } from '../store/people.ts'
import { readResource } from '../store/resources.ts'
import type { Exchange } from './exchange.ts'
import { processMessage } from './message.ts'
import { partnerShelf, serviceShelf } from './situation.ts'
import { ownerOf } from './task.ts'
import { transferReferrer } from './transferred-in.ts'

/** @param decidedOn the person as they stood when it was decided that this may be told */
export async function handOver(
  exchange: Exchange,
  message: Owed,
  partner: Partner,
  decidedOn: Person | undefined,
): Promise<Delivery | 'overtaken'> {
  const to = partner.channel.service as string
  const bundle = JSON.parse(message.body as string) as Bundle
  const header = bundle.entry?.[0]?.resource as MessageHeader
  const answers = header.eventCoding?.code === 'servicerequest-response'
  const caller = answers ? await answering(exchange, message, bundle, to) : referring(exchange, message.service)
  if (!caller || !exchange.directory().services.has(to)) return { outcome: 'rejected', issues: ['the directory does not know the service'] }
  const request: Request = {
    caller,
    requestId: message.id,
    requestIdGiven: true,
    correlationId: message.correlation,
    lenient: false,
    ...(answers ? {} : { to }),
  }
  try {
    await processMessage(exchange, request, bundle, decidedOn ? [unlessOvertaken(decidedOn)] : [])
  } catch (error) {
    if (error instanceof Conflict && error.what === 'overtaken') return 'overtaken'
    if (!(error instanceof Refusal)) return { outcome: 'unavailable', reason: 'the exchange was busy', unanswered: false }
    const codes = error.issues.map(({ code }) => code)
    if (!codes.includes('duplicate')) return { outcome: 'rejected', issues: [`HTTP ${error.status}`, ...codes] }
  }
  return { outcome: 'accepted', receipt: message.id }
}

const scopes = [{ type: '*', may: 'cruds' }]

function referring(exchange: Exchange, id: string): Caller {
  const service = exchange.directory().services.get(id)
  const client = `service.${id}`
  return { client, role: 'referrer', shelf: `referrer:${client}`, name: service?.name ?? id, referrerType: transferReferrer, scopes }
}

/** The partner that the answering service is to the one that asked: whoever owns the handover, if that is it. */
async function answering(exchange: Exchange, message: Owed, bundle: Bundle, to: string): Promise<Caller | undefined> {
  const said = bundle.entry?.find(({ resource }) => resource?.resourceType === 'Task')?.resource
  const task = (await readResource(exchange.database, serviceShelf(to), 'Task', said?.id ?? ''))?.body as Task | undefined
  const owner = task && exchange.directory().partners.get(ownerOf(task))
  if (owner?.channel.name !== 'here' || owner.channel.service !== message.service) return undefined
  return {
    client: `service.${message.service}`,
    role: 'partner',
    shelf: partnerShelf(owner.id),
    partner: owner.id,
    name: owner.name,
    scopes,
  }
}
