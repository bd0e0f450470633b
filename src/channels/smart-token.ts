/**
 * A token of a partner that is guarded as this gateway is: SMART Backend Services, a signed assertion for five minutes of access. Kept
 * until a minute before it ends; tokens follow real time, whatever clock the exchange has.
 *
 * @see CONTRACT.md 3
 */
import { importJWK, type JWK, SignJWT } from 'jose'
import { v4 } from 'uuid'
import { z } from 'zod'
import type { Fetch } from '../channel.ts'

export const smartSettings = z.strictObject({
  /** Who we are there when we ask for something, and when we answer: a client of theirs has one role. */
  client: z.string().min(1),
  answersAs: z.string().min(1).optional(),
  /** Our private key, a JWK (EC P-384 or RSA) as text. A secret. */
  key: z.string().refine(isPrivateKey, 'must be a private key, EC P-384 or RSA, as a JWK.'),
  /** Absent: `/oauth/token` beside their `/fhir`. */
  tokenUrl: z.url({ protocol: /^https?$/ }).optional(),
  scope: z.string().min(1).default('system/*.cruds'),
})
export type Smart = z.infer<typeof smartSettings>

function isPrivateKey(text: string): boolean {
  try {
    const { kty, d, crv } = JSON.parse(text) as JWK
    return typeof d === 'string' && (kty === 'RSA' || (kty === 'EC' && crv === 'P-384'))
  } catch {
    return false
  }
}

export type Token = { token: string } | { status: number }

const held = new Map<string, { token: string; until: number }>()
const mostHeld = 500

/** @returns their answer's status when they give none; throws when they can not be reached */
export async function tokenFor(smart: Smart, url: string, client: string, fetch: Fetch, init: Parameters<Fetch>[1]): Promise<Token> {
  const at = smart.tokenUrl ?? `${url.replace(/\/$/, '').replace(/\/fhir$/, '')}/oauth/token`
  const known = held.get(`${at} ${client}`)
  if (known && known.until > Date.now()) return { token: known.token }
  const response = await fetch(at, {
    ...init,
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    redirect: 'manual',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      scope: smart.scope,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await assertion(smart, client, at),
    }).toString(),
  })
  const said = response.ok ? ((await response.json().catch(() => ({}))) as { access_token?: unknown; expires_in?: unknown }) : {}
  if (typeof said.access_token !== 'string') return { status: response.ok ? 502 : response.status }
  const seconds = typeof said.expires_in === 'number' ? said.expires_in : 300
  if (held.size >= mostHeld) held.clear()
  held.set(`${at} ${client}`, { token: said.access_token, until: Date.now() + (seconds - 60) * 1000 })
  return { token: said.access_token }
}

/** They do not believe it any more. */
export function forgetToken(token: string): void {
  for (const [key, one] of held) if (one.token === token) held.delete(key)
}

async function assertion({ key }: Smart, client: string, audience: string): Promise<string> {
  const jwk = JSON.parse(key) as JWK
  const alg = jwk.kty === 'RSA' ? 'RS384' : 'ES384'
  return new SignJWT({})
    .setProtectedHeader({ alg, typ: 'JWT', ...(jwk.kid ? { kid: jwk.kid } : {}) })
    .setIssuer(client)
    .setSubject(client)
    .setAudience(audience)
    .setJti(v4())
    .setIssuedAt()
    .setExpirationTime('4 minutes')
    .sign(await importJWK(jwk, alg))
}
