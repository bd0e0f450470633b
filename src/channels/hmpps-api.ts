/**
 * The HMPPS External API: one look at one address, never a retry. Its notifications say that something changed; this is where what stands.
 *
 * Of what goes wrong only codes are kept. Masked or limited is not the same as empty, and is told apart here.
 *
 * @see hmpps.md 7
 */
import type { Fetch } from '../channel.ts'
import { NotAllowed } from './checked.ts'
import { retryAfter } from './retry-after.ts'

export type Looked =
  | { outcome: 'found'; data: Readonly<Record<string, unknown>> }
  /** Not shown to us, or not there: the API does not say which. Nothing follows from it. */
  | { outcome: 'hidden'; status: number }
  /** Asked again later; `retryAfterSeconds`: not before, and neither is anybody else. */
  | { outcome: 'unavailable'; reason: string; retryAfterSeconds?: number }

export type HmppsApi = {
  /** @param part below the person: '', 'prisoner-base-location', ... */
  person(id: string, part: string): Promise<Looked>
}

/** @param settings `url` without `/v1`; `key` as it is, not in base64 */
export const hmppsApi = ({ url, key }: { url: string; key: string }, fetch: Fetch): HmppsApi => ({
  async person(id, part) {
    const address = `${url.replace(/\/$/, '')}/v1/persons/${encodeURIComponent(id)}${part ? `/${part}` : ''}`
    let response: Response
    try {
      response = await fetch(address, { headers: { accept: 'application/json', 'x-api-key': key }, redirect: 'manual' })
    } catch (error) {
      return { outcome: 'unavailable', reason: error instanceof NotAllowed ? 'not-allowed' : codeOf(error) }
    }
    const { status } = response
    let json: unknown
    try {
      json = await response.json()
    } catch (error) {
      // An error need not have a body.
      if (status === 200) return { outcome: 'unavailable', reason: codeOf(error, 'not-json') }
    }
    if (status === 403 || status === 404 || status === 410) return { outcome: 'hidden', status }
    if (status !== 200) {
      const retryAfterSeconds = retryAfter(response.headers)
      return { outcome: 'unavailable', reason: `http-${status}`, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) }
    }
    const data = (json as { data?: unknown } | null)?.data
    if (data === null) return { outcome: 'hidden', status }
    return typeof data === 'object' && !Array.isArray(data)
      ? { outcome: 'found', data: data as Record<string, unknown> }
      : { outcome: 'unavailable', reason: 'not-as-described' }
  },
})

function codeOf(error: unknown, otherwise = 'network'): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { code?: unknown } }
  const known = [cause?.code, code].find((each) => typeof each === 'string' && /^[A-Z][A-Z0-9_]+$/.test(each))
  return typeof known === 'string' ? known : otherwise
}
