/**
 * Is this client who it says it is? The signed assertion of SMART Backend Services (CONTRACT.md 3).
 *
 * @see https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html
 */
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose'
import { useAssertion } from '../store/assertions.ts'
import type { Driver } from '../store/database.ts'
import type { Client } from './directory-file.ts'

/** What a token request did wrong, in the words of RFC 6749 section 5.2. */
export class TokenRefusal extends Error {
  readonly error: string
  readonly status: number
  constructor(error: string, description: string, status = error === 'invalid_client' ? 401 : 400) {
    super(description)
    this.error = error
    this.status = status
  }
}

export type Surroundings = {
  clients: () => ReadonlyMap<string, Client>
  database: Driver
  /** `aud` of every assertion. */
  tokenUrl: string
  fetch: typeof globalThis.fetch
}

/** What a client's clock may differ from ours. */
const leewaySeconds = 30
/** How far ahead `exp` may lie. */
const mostSeconds = 5 * 60
const algorithms = ['RS384', 'ES384']

/**
 * @returns the client that signed; the assertion is used up. Real time, whatever the exchange's clock says.
 * @throws TokenRefusal `invalid_client`
 */
export async function clientOf(assertion: string, { clients, database, tokenUrl, fetch }: Surroundings): Promise<Client> {
  const client = clients().get(claimedId(assertion))
  // Whether there is such a client is nobody's business.
  if (!client) throw new TokenRefusal('invalid_client', unverified)
  const now = new Date()
  const claims = await verify(assertion, client, tokenUrl, fetch, now)
  const seconds = now.getTime() / 1000
  if (claims.exp > seconds + mostSeconds + leewaySeconds) throw new TokenRefusal('invalid_client', 'exp lies more than five minutes ahead.')
  if (claims.iat !== undefined && claims.iat > seconds + leewaySeconds) throw new TokenRefusal('invalid_client', 'iat lies in the future.')
  const expires = new Date((claims.exp + leewaySeconds) * 1000)
  if (!(await useAssertion(database, client.id, claims.jti, expires, now)))
    throw new TokenRefusal('invalid_client', 'This assertion was used before.')
  return client
}

const unverified = 'The assertion can not be verified with the keys of this client.'

function claimedId(assertion: string): string {
  try {
    return decodeJwt(assertion).sub ?? ''
  } catch {
    throw new TokenRefusal('invalid_client', 'client_assertion is not a JWT.')
  }
}

async function verify(assertion: string, client: Client, tokenUrl: string, fetch: typeof globalThis.fetch, now: Date) {
  try {
    const { payload } = await jwtVerify(assertion, keysOf(client, fetch), {
      algorithms,
      issuer: client.id,
      subject: client.id,
      audience: tokenUrl,
      requiredClaims: ['exp', 'jti'],
      clockTolerance: leewaySeconds,
      currentDate: now,
    })
    const { exp, iat, jti } = payload
    if (exp === undefined || typeof jti !== 'string' || jti.length === 0 || jti.length > 256)
      throw new TokenRefusal('invalid_client', 'jti must be a text of 1 to 256 characters.')
    return { exp, iat, jti }
  } catch (error) {
    throw error instanceof TokenRefusal ? error : new TokenRefusal('invalid_client', whatIsWrong(error))
  }
}

function whatIsWrong(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'The assertion has run out.'
  if (error instanceof errors.JWTClaimValidationFailed)
    return `${error.claim} is missing or wrong${error.claim === 'aud' ? ': it must be the token URL' : ''}.`
  if (error instanceof errors.JOSEAlgNotAllowed) return 'The assertion must be signed with RS384 or ES384.'
  if (error instanceof errors.JWKSMultipleMatchingKeys) return 'Several keys fit: name one with kid.'
  if (error instanceof errors.JWKSTimeout || isOfNetwork(error)) return 'The key set of this client could not be fetched.'
  return unverified
}

/** A key set behind an address we may not ask, or that does not answer. */
const isOfNetwork = (error: unknown) =>
  error instanceof Error && !(error instanceof errors.JOSEError) && typeof (error as { code?: unknown }).code === 'string'

const keySets = new WeakMap<Client, JWTVerifyGetKey>()

function keysOf(client: Client, fetch: typeof globalThis.fetch): JWTVerifyGetKey {
  const known = keySets.get(client)
  if (known) return known
  const keys = client.jwksUrl
    ? // Fetched when needed, kept ten minutes, asked for again at most twice a minute when a key is not in it.
      createRemoteJWKSet(new URL(client.jwksUrl), {
        timeoutDuration: 5_000,
        cooldownDuration: 30_000,
        cacheMaxAge: 600_000,
        [customFetch]: fetch,
      })
    : createLocalJWKSet(client.jwks as JSONWebKeySet)
  keySets.set(client, keys)
  return keys
}
