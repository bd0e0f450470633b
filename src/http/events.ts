/**
 * Release data from HMPPS over HTTP (CONTRACT.md 7): an SNS envelope, a bare domain event or a notification of the External API, from a
 * service's own client or signed as a webhook. Whatever is well-formed is kept and acknowledged, known or not.
 */
import type { Hono } from 'hono'
import { allowed } from '../access/caller.ts'
import { signedBy, type WebhookSecrets } from '../access/webhook.ts'
import { readEvent } from '../domain/hmpps-event.ts'
import { type Sender, takeEvent } from '../exchange/hmpps.ts'
import { Refusal, refuse } from '../fhir/outcome.ts'
import { callerOf, slowDown, unauthorized } from './authenticate.ts'
import { bytesOf, jsonIn, mustBeOfType } from './body.ts'
import type { Asked, Door, Hall } from './context.ts'
import { route } from './route.ts'

/** SNS posts its JSON as text. */
const types = ['application/json', 'text/plain']

export function eventRoutes(app: Hono<Door>, hall: Hall) {
  const { exchange } = hall
  route(app, '/events/hmpps', {
    POST: async (c) => {
      const { sender, body, delivery } = await senderOf(c, hall)
      if (!body.length) throw refuse(400, 'required', 'The body must be an event.')
      mustBeOfType(c.req, types)
      const { message, messageId } = unwrapped(jsonIn(body))
      const read = readEvent(message)
      if ('fault' in read) throw refuse(400, 'invalid', read.fault.text, read.fault.expression)
      const taken = await takeEvent(exchange, sender, read.event, JSON.stringify(message), messageId ?? delivery)
      exchange.log('info', 'event.taken', { kind: read.event.known ? read.event.eventType : 'unknown', outcome: taken.outcome })
      const { id, outcome, changed, fetching } = taken
      // Whoever has no service of its own here learns what changed, and not about whom.
      const about = sender.service ? changed : changed.map(({ parts }) => ({ parts }))
      return c.json({ id, outcome, changed: about, ...(fetching ? { fetching } : {}) }, 202)
    },
  })
}

type Sent = { sender: Sender; body: Uint8Array; delivery?: string }

/** A service's client by its token, or a source by its signature; nobody else is read any further. */
async function senderOf(c: Asked, hall: Hall): Promise<Sent> {
  const { tokens, settings, clientLimit, peerLimit } = hall
  const address = settings.peer?.(c)
  const origin = { requestId: c.get('requestId'), ...(address ? { address } : {}) }
  const signed = signatureOf(c)
  if (signed && c.req.header('authorization') === undefined) {
    slowDown(peerLimit(address ?? 'unknown'))
    const body = await bytesOf(c.req)
    const source = signedBy(settings.webhooks ?? none, { ...signed, body }, Date.now())
    if (!source) throw new Refusal(401, { code: 'login', text: 'The signature, its time or its source is not one we accept.' })
    return { sender: { who: `webhook:${source}`, ...origin }, body, delivery: `${source} ${signed.id}` }
  }
  const caller = await callerOf(c, tokens)
  if (!caller) {
    slowDown(peerLimit(address ?? 'unknown'))
    throw unauthorized(c.req.header('authorization') !== undefined)
  }
  slowDown(clientLimit(caller.client))
  if (caller.role !== 'service' || !caller.service) throw refuse(403, 'forbidden', 'Events are taken from a service’s own clients only.')
  if (!allowed(caller, 'Observation', 'c') || !allowed(caller, 'Observation', 'u'))
    throw refuse(403, 'forbidden', 'The granted scopes do not allow this: it needs system/Observation.cu.')
  return { sender: { who: caller.client, service: caller.service, ...origin }, body: await bytesOf(c.req) }
}

const none: WebhookSecrets = new Map()

function signatureOf(c: Asked) {
  const [id, timestamp, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => c.req.header(name))
  return id !== undefined && timestamp !== undefined && signature !== undefined ? { id, timestamp, signature } : undefined
}

/** What an SNS envelope holds, and the id it was delivered under; anything else is the message itself. */
export function unwrapped(json: unknown): { message: unknown; messageId?: string } {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw refuse(400, 'structure', 'The body is not a JSON object.')
  const { Type, Message, MessageId, MessageAttributes } = json as Record<string, unknown>
  if (Message === undefined && Type === undefined) return { message: json }
  if (Type !== undefined && Type !== 'Notification' && Type !== '')
    throw refuse(422, 'not-supported', 'Only notifications are taken: a subscription is confirmed by hand.', 'Type')
  if (typeof Message !== 'string') throw refuse(400, 'invalid', 'Message must be the event as a text.', 'Message')
  let message: unknown
  try {
    message = jsonIn(new TextEncoder().encode(Message))
  } catch (error) {
    throw error instanceof Refusal ? refuse(400, 'structure', 'Message does not hold JSON that can be read.', 'Message') : error
  }
  const named = (MessageAttributes as { eventType?: { Value?: unknown } } | null | undefined)?.eventType?.Value
  const inside = (message as { eventType?: unknown } | null)?.eventType
  if (named !== undefined && named !== '' && named !== inside)
    throw refuse(400, 'invalid', 'MessageAttributes.eventType is another event than the message.', 'MessageAttributes.eventType')
  return { message, ...(typeof MessageId === 'string' && MessageId ? { messageId: MessageId.slice(0, 200) } : {}) }
}
