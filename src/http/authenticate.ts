/**
 * Nobody comes further without a good token, and nobody more often than agreed.
 */
import { createMiddleware } from 'hono/factory'
import type { Caller } from '../access/caller.ts'
import type { Tokens } from '../access/tokens.ts'
import { Refusal } from '../fhir/outcome.ts'
import type { Asked, Door, Hall } from './context.ts'

export const authenticate = ({ tokens, clientLimit, peerLimit, settings }: Hall) =>
  createMiddleware<Door>(async (c, next) => {
    const caller = await callerOf(c, tokens)
    if (!caller) {
      slowDown(peerLimit(settings.peer?.(c) ?? 'unknown'))
      throw unauthorized(c.req.header('authorization') !== undefined)
    }
    slowDown(clientLimit(caller.client))
    c.set('caller', caller)
    c.set('address', settings.peer?.(c))
    await next()
  })

/** Who holds the bearer token of this request. */
export async function callerOf(c: Asked, tokens: Tokens): Promise<Caller | undefined> {
  const token = /^Bearer +([\w.~+/-]+=*)$/i.exec(c.req.header('authorization') ?? '')?.[1]
  return token === undefined ? undefined : tokens.callerOf(token)
}

/** @throws Refusal 429 when there are seconds to wait */
export function slowDown(seconds: number) {
  if (seconds > 0)
    throw new Refusal(429, { code: 'throttled', text: 'Too many requests: wait, then repeat.' }, { 'Retry-After': String(seconds) })
}

export const unauthorized = (tried: boolean) =>
  new Refusal(
    401,
    { code: 'login', text: tried ? 'The access token is not, or no longer, good: ask for another.' : 'This needs an access token.' },
    { 'WWW-Authenticate': tried ? 'Bearer realm="reconnect-exchange", error="invalid_token"' : 'Bearer realm="reconnect-exchange"' },
  )
