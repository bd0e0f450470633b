/**
 * Channel `fhir-message`: `POST {url}/$process-message`, one attempt (CONTRACT.md 5, bars-ukcore.md 2 and 5).
 *
 * Of a partner's reply only codes are kept, never its words: they may repeat what it was told.
 */
import { z } from 'zod'
import { type Context, type Delivery, defineChannel, type Parcel } from '../channel.ts'
import { BASE, odsCode } from '../fhir/systems.ts'
import { NotAllowed } from './checked.ts'
import { retryAfter } from './retry-after.ts'
import { forgetToken, smartSettings, tokenFor } from './smart-token.ts'

const settings = z.strictObject({
  name: z.literal('fhir-message'),
  /** FHIR base of the partner. */
  url: z.url({ protocol: /^https?$/ }),
  /** How the partner is known to a broker in between, where that is not its ODS code. */
  target: z.strictObject({ system: z.string().min(1), value: z.string().min(1) }).optional(),
  /** The partner lives on a private network: `url` may lead to a private address. */
  allowPrivate: z.boolean().optional(),
  /** `url` may be plain http: what is told can be read on the way. */
  allowHttp: z.boolean().optional(),
  /** Bearer token, where the partner asks for one. A secret. */
  token: z.string().min(1).optional(),
  /** Where the partner is guarded by SMART Backend Services, as another gateway of this kind is. */
  smart: smartSettings.optional(),
})
type Settings = z.infer<typeof settings>

export default defineChannel<Settings>({ name: 'fhir-message', settings, send })

async function send(parcel: Parcel, { settings, fetch, signal }: Context<Settings>): Promise<Delivery> {
  const allowed = {
    signal,
    ...(settings.allowPrivate ? { allowPrivate: true } : {}),
    ...(settings.allowHttp ? { allowHttp: true } : {}),
  }
  let token = settings.token
  if (settings.smart) {
    const { client, answersAs = client } = settings.smart
    const answers = parcel.body.includes('"code":"servicerequest-response"')
    try {
      const got = await tokenFor(settings.smart, settings.url, answers ? answersAs : client, fetch, allowed)
      if ('status' in got) return refusedToken(got.status)
      token = got.token
    } catch (error) {
      if (error instanceof NotAllowed) return { outcome: 'rejected', issues: [error.message], unsent: true }
      return { outcome: 'unavailable', reason: `no token: ${causeOf(error)}`, unanswered: false }
    }
  }
  let response: Response
  try {
    response = await fetch(`${settings.url.replace(/(?<!\/)\/+$/, '')}/$process-message`, {
      method: 'POST',
      headers: headersOf(parcel, settings, token),
      body: parcel.body,
      redirect: 'manual',
      ...allowed,
    })
  } catch (error) {
    if (error instanceof NotAllowed) return { outcome: 'rejected', issues: [error.message], unsent: true }
    const reason = causeOf(error)
    return { outcome: 'unavailable', reason, unanswered: !neverArrived.has(reason) }
  }
  if (response.status === 401 && settings.smart && token) {
    // A token ends when it likes; the next attempt asks for another.
    forgetToken(token)
    return { outcome: 'unavailable', reason: 'HTTP 401', unanswered: false }
  }
  return read(response, parcel)
}

/** Nothing was sent. Whoever does not know us, or our key, will not tomorrow either. */
const refusedToken = (status: number): Delivery =>
  later.has(status) || status >= 500
    ? { outcome: 'unavailable', reason: `no token: HTTP ${status}`, unanswered: false }
    : { outcome: 'rejected', issues: [`no token: HTTP ${status}`], unsent: true }

/** BaRS Core version this channel speaks. */
const coreVersion = '1.4.0'

function headersOf(parcel: Parcel, { target }: Settings, token: string | undefined): Record<string, string> {
  const known = ({ id, ods }: { id: string; ods?: string }) =>
    ods ? { system: odsCode, value: ods } : { system: `${BASE}/Id/partner`, value: id }
  return {
    'content-type': 'application/fhir+json',
    accept: `application/fhir+json; version=${coreVersion}`,
    'x-request-id': parcel.key,
    'x-correlation-id': parcel.correlation,
    'nhsd-target-identifier': base64(target ?? known(parcel.to)),
    'nhsd-end-user-organisation': base64({
      resourceType: 'Organization',
      ...(parcel.from.ods ? { identifier: [{ system: odsCode, value: parcel.from.ods }] } : {}),
      name: parcel.from.name,
    }),
    'nhsd-requesting-software': software,
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  }
}

/** Standard base64 (not base64url) of JSON in UTF-8. */
function base64(value: unknown): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(value))))
}

const software = base64({
  resourceType: 'Device',
  identifier: [{ system: `${BASE}/Id/software`, value: 'reconnect-exchange' }],
  deviceName: [{ name: 'RECONNECT Exchange', type: 'manufacturer-name' }],
  version: [{ value: '0.1.0' }],
})

/** Why there was no answer: a system error code, or 'timeout', or 'network'. Never a message, which may quote the URL. */
function causeOf(error: unknown): string {
  const { name, code, cause } = (error ?? {}) as { name?: string; code?: unknown; cause?: { code?: unknown } }
  if (name === 'TimeoutError' || name === 'AbortError') return 'timeout'
  const known = [cause?.code, code].find((each) => typeof each === 'string' && /^[A-Z][A-Z0-9_]+$/.test(each))
  return typeof known === 'string' ? known : 'network'
}

/** No connection, so nothing was sent. Anything else may have arrived. */
const neverArrived: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'CONNECT_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

const later: ReadonlySet<number> = new Set([408, 425, 429])

async function read(response: Response, parcel: Parcel): Promise<Delivery> {
  const { status } = response
  const reply = await replyOf(response)
  if (status >= 200 && status < 300) return { outcome: 'accepted', receipt: receiptOf(reply, response, parcel) }
  const codes = issueCodes(reply)
  if (status === 409 && codes.includes('duplicate')) return { outcome: 'accepted', receipt: receiptOf(undefined, response, parcel) }
  if (later.has(status) || status >= 500) {
    const retryAfterSeconds = retryAfter(response.headers)
    // 504: something in between gave up waiting, the partner itself may be at work on it.
    const unanswered = status === 504
    return {
      outcome: 'unavailable',
      reason: `HTTP ${status}`,
      unanswered,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    }
  }
  return { outcome: 'rejected', issues: [`HTTP ${status}`, ...codes] }
}

const id = /^[A-Za-z0-9.-]{1,64}$/
function receiptOf(reply: unknown, { headers }: Response, { key }: Parcel): string {
  const { resourceType, id: theirs } = (reply ?? {}) as { resourceType?: unknown; id?: unknown }
  const named = resourceType === 'Bundle' && typeof theirs === 'string' ? theirs : headers.get('x-request-id')
  return named && id.test(named) ? named : key
}

/** FHIR issue types (R4), the only words of a partner's OperationOutcome that are kept. */
const issueTypes = new Set(
  (
    'invalid structure required value invariant security login unknown expired forbidden suppressed processing not-supported duplicate ' +
    'multiple-matches not-found deleted too-long code-invalid extension too-costly business-rule conflict transient lock-error no-store ' +
    'exception timeout incomplete throttled informational'
  ).split(' '),
)

function issueCodes(reply: unknown): string[] {
  const { resourceType, issue } = (reply ?? {}) as { resourceType?: unknown; issue?: unknown }
  if (resourceType !== 'OperationOutcome' || !Array.isArray(issue)) return []
  const codes = issue.map((each) => (each as { code?: unknown } | null)?.code)
  return [...new Set(codes.filter((code): code is string => typeof code === 'string' && issueTypes.has(code)))]
}

const mostBytes = 2 ** 20

/** The reply as JSON; undefined when it is none, too long, or breaks off: its status has been said all the same. */
async function replyOf(response: Response): Promise<unknown> {
  const reader = response.body?.getReader()
  if (!reader) return undefined
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return JSON.parse(text + decoder.decode())
      bytes += value.byteLength
      if (bytes > mostBytes) {
        await reader.cancel()
        return undefined
      }
      text += decoder.decode(value, { stream: true })
    }
  } catch {
    return undefined
  }
}
