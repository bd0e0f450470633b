/**
 * Release data from HMPPS over HTTP (CONTRACT.md 7): an SNS envelope, a bare domain event or a notification of the External API, from a
 * service's own client or signed as a webhook. Whatever is well-formed is kept and acknowledged, known or not.
 */
import type { Hono } from 'hono'
import { allowed } from '../access/caller.ts'
import { signedBy, type WebhookSecrets } from '../access/webhook.ts'
import { readEnvelope, readEvent } from '../domain/hmpps-event.ts'
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
      const opened = readEnvelope(jsonIn(body), inner)
      if ('fault' in opened) throw refuse(400, 'invalid', opened.fault.text, opened.fault.expression)
      const { message, messageId } = opened
      const read = readEvent(message, exchange.now())
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

/** The JSON of a text inside JSON, held to the same rules. */
function inner(text: string): unknown {
  try {
    return jsonIn(new TextEncoder().encode(text))
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}
