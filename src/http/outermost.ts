/**
 * What holds for every answer, errors too: both ids are echoed, nothing is cached, and the request is counted.
 *
 * @see domain/bars-ukcore.md 2: a sender takes an answer without the ids for a failure of communication
 */
import { createMiddleware } from 'hono/factory'
import { routePath } from 'hono/route'
import { refuse } from '../fhir/outcome.ts'
import type { Door, Hall } from './context.ts'

export function outermost({ metrics, exchange, settings }: Hall) {
  const secure = exchange.publicUrl.startsWith('https:')
  return createMiddleware<Door>(async (c, next) => {
    const began = performance.now()
    const asked = c.req.header('x-request-id')
    c.set('requestId', harmless(asked) ?? crypto.randomUUID())
    c.set('requestIdGiven', asked !== undefined)
    c.set('correlationId', harmless(c.req.header('x-correlation-id')) ?? crypto.randomUUID())
    const always = (): Record<string, string> => ({
      'x-request-id': c.get('requestId'),
      'x-correlation-id': c.get('correlationId'),
      ...cautious,
      ...(secure ? { 'strict-transport-security': 'max-age=31536000' } : {}),
      ...(settings.stopping?.() ? { connection: 'close' } : {}),
    })
    c.set('always', always)
    await next()
    // A repeat is answered from what a query found: nothing is written for it that would wait.
    if (c.res.ok) await exchange.database.settled()

    const { status } = c.res
    if (!c.get('dressed')) dress(c.res.headers, always())
    const route = routePath(c, -1).replace(/\{[^{}]*\}/g, '')
    metrics.count('http_requests_total', 'Requests by route and status.', { method: c.req.method, route, status })
    metrics.observe('http_request_duration_seconds', 'How long a request took.', { route }, (performance.now() - began) / 1000)
  })
}

/** An id we cannot echo or write into a log is refused, inside `outermost` so that the refusal has its ids too. */
export const wellFormedIds = createMiddleware<Door>(async (c, next) => {
  for (const name of ['X-Request-Id', 'X-Correlation-Id']) {
    const id = c.req.header(name)
    if (id !== undefined && harmless(id) === undefined) throw refuse(400, 'value', `${name} must be a UUID.`)
  }
  await next()
})

const harmless = (id: string | undefined) => (id !== undefined && /^[A-Za-z0-9._:-]{1,128}$/.test(id) ? id : undefined)

/** A page of another audience has a policy of its own: what it says of caching and content stays. */
function dress(headers: Headers, always: Readonly<Record<string, string>>) {
  for (const [name, value] of Object.entries(always)) if (!(name in cautious && headers.has(name))) headers.set(name, value)
}

const cautious = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
}
