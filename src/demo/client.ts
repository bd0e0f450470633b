/**
 * A SMART Backend Services client of the gateway, as a partner's or a service's own system would be one: it signs, gets a token,
 * and asks with it. Tokens keep real time, whatever the demo's clock says.
 */
import { randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'

export type KeyPair = { privateKey: CryptoKey; publicKey: JWK }

/** ES384, with a key id. */
export async function newKeys(): Promise<KeyPair> {
  const { privateKey, publicKey } = await generateKeyPair('ES384')
  return { privateKey, publicKey: { ...(await exportJWK(publicKey)), kid: randomUUID(), alg: 'ES384', use: 'sig' } }
}

/** Something went wrong at the other end: status and issue texts. */
export class Refused extends Error {
  readonly status: number
  constructor(status: number, words: string) {
    super(words)
    this.status = status
  }
}

export type Client = {
  id: string
  /** A token good for at least a minute more. */
  token(): Promise<string>
  /** @throws Refused when the answer is no 2xx */
  call<Body>(method: string, path: string, body?: unknown, type?: string): Promise<Body>
}

/** Tokens last five minutes; a new one is asked for after four. */
const freshMs = 4 * 60_000

/** @param gateway its public URL, without a slash at the end */
export function openClient(gateway: string, id: string, { privateKey, publicKey }: KeyPair, scope: string): Client {
  let held: { token: string; at: number } | undefined

  const assertion = () =>
    new SignJWT({})
      .setProtectedHeader({ alg: 'ES384', typ: 'JWT', kid: publicKey.kid as string })
      .setIssuer(id)
      .setSubject(id)
      .setAudience(`${gateway}/oauth/token`)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime('4 minutes')
      .sign(privateKey)

  const token = async () => {
    if (held && Date.now() - held.at < freshMs) return held.token
    const response = await fetch(`${gateway}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        scope,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await assertion(),
      }),
    })
    if (!response.ok) throw new Refused(response.status, `no token for ${id}`)
    held = { token: ((await response.json()) as { access_token: string }).access_token, at: Date.now() }
    return held.token
  }

  return {
    id,
    token,
    async call<Body>(method: string, path: string, body?: unknown, type = 'application/fhir+json') {
      const response = await fetch(`${gateway}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${await token()}`,
          accept: 'application/fhir+json',
          'x-request-id': randomUUID(),
          ...(body === undefined ? {} : { 'content-type': type }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const answer = (await response.json().catch(() => undefined)) as Body & {
        issue?: { diagnostics?: string; details?: { text?: string } }[]
      }
      if (response.ok) return answer
      const words = answer?.issue?.map((one) => one.details?.text ?? one.diagnostics).join(' ')
      throw new Refused(response.status, words ?? `HTTP ${response.status}`)
    },
  }
}
