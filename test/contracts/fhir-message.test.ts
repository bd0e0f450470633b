/**
 * Channel `fhir-message` against a partner's server: what it sends, and what each answer means. And `pull`, which sends nothing.
 */
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair } from 'jose'
import { afterEach, describe, expect, test } from 'vitest'
import type { Channel, Delivery, Parcel } from '../../src/channel.ts'
import { channels } from '../../src/channels/index.ts'

const channel = channels.get('fhir-message') as Channel
const parcel: Parcel = {
  key: '0198c000-0000-7000-8000-00000000000a',
  correlation: '0198c000-0000-7000-8000-00000000000c',
  body: '{"resourceType":"Bundle"}',
  contentType: 'application/fhir+json',
  from: { name: 'RECONNECT Gogledd-ddŵr', ods: 'RXTEST' },
  to: { id: 'gp-a81001', name: 'Elvet Surgery', ods: 'A81001' },
}
let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function partner(listener: RequestListener): Promise<string> {
  const started = createServer(listener)
  server = started
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}/fhir`
}

const send = (url: string, to: Partial<Parcel> = {}, milliseconds = 2000): Promise<Delivery> =>
  channel.send({ ...parcel, ...to }, { settings: { name: 'fhir-message', url }, fetch, signal: AbortSignal.timeout(milliseconds) })

/** What comes of one answer. */
async function answer(status: number, body: unknown = '', headers: Record<string, string> = {}): Promise<Delivery> {
  const url = await partner((request, response) => {
    request.resume()
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  return send(url)
}

const outcome = (...codes: string[]) => ({
  resourceType: 'OperationOutcome',
  issue: codes.map((code) => ({ severity: 'error', code, diagnostics: 'Wrenfield' })),
})

test('it posts the frozen bytes with the headers of BaRS', async () => {
  let seen: { url?: string | undefined; method?: string | undefined; headers: IncomingHttpHeaders; body: string } | undefined
  const url = await partner(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    seen = { url: request.url, method: request.method, headers: request.headers, body }
    response.end()
  })
  await send(`${url}/`)
  const plain = (name: string) => JSON.parse(Buffer.from(seen?.headers[name] as string, 'base64').toString('utf8'))
  expect(seen).toMatchObject({ url: '/fhir/$process-message', method: 'POST', body: parcel.body })
  expect(seen?.headers).toMatchObject({
    'content-type': 'application/fhir+json',
    accept: 'application/fhir+json; version=1.4.0',
    'x-request-id': parcel.key,
    'x-correlation-id': parcel.correlation,
  })
  expect(plain('nhsd-target-identifier')).toEqual({ system: 'https://fhir.nhs.uk/Id/ods-organization-code', value: 'A81001' })
  expect(plain('nhsd-end-user-organisation')).toMatchObject({
    resourceType: 'Organization',
    name: parcel.from.name,
    identifier: [{ value: 'RXTEST' }],
  })
  expect(plain('nhsd-requesting-software')).toMatchObject({ resourceType: 'Device' })
})

describe('where the partner wants a token of SMART Backend Services', () => {
  /** A partner that gives tokens, or answers `refuse`; says what it was asked. */
  const guarded = async (refuse?: number, believes = true) => {
    const asked: string[] = []
    const url = await partner((request, response) => {
      asked.push(`${request.url} ${request.headers.authorization ?? ''}`.trim())
      request.resume()
      if (request.url !== '/oauth/token') return response.writeHead(believes ? 200 : 401).end()
      response.writeHead(refuse ?? 200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ access_token: `token-${asked.length}`, expires_in: 300 }))
    })
    const { privateKey } = await generateKeyPair('ES384', { extractable: true })
    const smart = { client: 'us', answersAs: 'us-answering', key: JSON.stringify(await exportJWK(privateKey)) }
    const settings = channel.settings.parse({ name: 'fhir-message', url, smart })
    const post = (body = parcel.body) => channel.send({ ...parcel, body }, { settings, fetch, signal: AbortSignal.timeout(2000) })
    return { asked, post }
  }
  test('it gets one and keeps it; another role is another client', async () => {
    const { asked, post } = await guarded()
    expect(await post()).toMatchObject({ outcome: 'accepted' })
    expect(await post()).toMatchObject({ outcome: 'accepted' })
    await post('{"eventCoding":{"code":"servicerequest-response"}}')
    expect(asked).toEqual([
      '/oauth/token',
      '/fhir/$process-message Bearer token-1',
      '/fhir/$process-message Bearer token-1',
      '/oauth/token',
      '/fhir/$process-message Bearer token-4',
    ])
  })
  test('a token that is not believed any more is forgotten', async () => {
    const { asked, post } = await guarded(undefined, false)
    for (const _ of [1, 2]) expect(await post()).toEqual({ outcome: 'unavailable', reason: 'HTTP 401', unanswered: false })
    expect(asked.filter((one) => one === '/oauth/token')).toHaveLength(2)
  })
  test.each([
    [401, { outcome: 'rejected', issues: ['no token: HTTP 401'], unsent: true }],
    [503, { outcome: 'unavailable', reason: 'no token: HTTP 503', unanswered: false }],
  ])('no token, %i: nothing is sent', async (status, delivery) => {
    const { asked, post } = await guarded(status)
    expect(await post()).toEqual(delivery)
    expect(asked).toEqual(['/oauth/token'])
  })
  test('a key that is none is a fault of the settings', () => {
    const settings = { name: 'fhir-message', url: 'https://x.test/fhir', smart: { client: 'us', key: 'secret' } }
    expect(channel.settings.safeParse(settings).success).toBe(false)
  })
})

describe('accepted', () => {
  test('2xx, with the id of the answering Bundle as receipt', async () => {
    expect(await answer(200, { resourceType: 'Bundle', id: 'theirs-1', entry: [] })).toEqual({ outcome: 'accepted', receipt: 'theirs-1' })
  })

  test('2xx without a Bundle: the id they echo, or ours', async () => {
    expect(await answer(202, '', { 'x-request-id': 'echo-1' })).toEqual({ outcome: 'accepted', receipt: 'echo-1' })
    expect(await answer(200, 'thank you')).toEqual({ outcome: 'accepted', receipt: parcel.key })
  })

  test('409 duplicate: they have it', async () => {
    expect(await answer(409, outcome('duplicate'))).toEqual({ outcome: 'accepted', receipt: parcel.key })
  })

  test('2xx with a reply of two mebibytes, which is not read to its end', async () => {
    expect(await answer(200, `{"resourceType":"Bundle","id":"${'x'.repeat(2 ** 21)}"}`)).toEqual({
      outcome: 'accepted',
      receipt: parcel.key,
    })
  })
})

describe('unavailable', () => {
  test.each([408, 425, 429, 500, 503])('%i, an answer: it has nothing', async (status) => {
    expect(await answer(status, outcome('transient'))).toEqual({ outcome: 'unavailable', reason: `HTTP ${status}`, unanswered: false })
  })

  test('504: something in between stopped waiting, they may have it', async () => {
    expect(await answer(504)).toEqual({ outcome: 'unavailable', reason: 'HTTP 504', unanswered: true })
  })

  test('with Retry-After in seconds or as a date by their clock', async () => {
    expect(await answer(503, '', { 'retry-after': '120' })).toMatchObject({ retryAfterSeconds: 120 })
    const date = { date: 'Mon, 02 Mar 2026 09:00:00 GMT', 'retry-after': 'Mon, 02 Mar 2026 09:05:00 GMT' }
    expect(await answer(429, '', date)).toMatchObject({ retryAfterSeconds: 300 })
    expect(await answer(503, '', { 'retry-after': 'soon' })).not.toHaveProperty('retryAfterSeconds')
  })

  test('nobody listens: nothing was sent', async () => {
    const url = await partner(() => {})
    await new Promise((resolve) => server?.close(resolve))
    expect(await send(url)).toEqual({ outcome: 'unavailable', reason: 'ECONNREFUSED', unanswered: false })
  })

  test('no answer in time, or the line breaks: they may have it', async () => {
    const silent = await partner(() => {})
    expect(await send(silent, {}, 200)).toEqual({ outcome: 'unavailable', reason: 'timeout', unanswered: true })
    server?.closeAllConnections()
    server?.close()
    const rude = await partner((request) => request.socket.destroy())
    expect(await send(rude)).toMatchObject({ outcome: 'unavailable', unanswered: true })
  })
})

describe('rejected', () => {
  test('with the codes of their OperationOutcome and none of their words', async () => {
    const delivery = await answer(422, outcome('business-rule', 'Wrenfield'))
    expect(delivery).toEqual({ outcome: 'rejected', issues: ['HTTP 422', 'business-rule'] })
  })

  test('409 that is no duplicate', async () => {
    expect(await answer(409, outcome('conflict'))).toEqual({ outcome: 'rejected', issues: ['HTTP 409', 'conflict'] })
  })

  test('a redirection, which is not followed', async () => {
    expect(await answer(307, '', { location: 'http://127.0.0.1:1/elsewhere' })).toEqual({ outcome: 'rejected', issues: ['HTTP 307'] })
  })

  test('an answer that is not FHIR', async () => {
    expect(await answer(404, '<html>Wrenfield</html>')).toEqual({ outcome: 'rejected', issues: ['HTTP 404'] })
  })
})

test('settings need a web address, and take nothing they do not know', () => {
  expect(channel.settings.safeParse({ name: 'fhir-message', url: 'https://gp.example/fhir' }).success).toBe(true)
  expect(channel.settings.safeParse({ name: 'fhir-message', url: 'file:///etc/passwd' }).success).toBe(false)
  expect(channel.settings.safeParse({ name: 'fhir-message' }).success).toBe(false)
  expect(channel.settings.safeParse({ name: 'fhir-message', url: 'https://gp.example', ur: 1 }).success).toBe(false)
})

test('pull sends nothing: the message is on the shelf', async () => {
  const never: typeof fetch = () => Promise.reject(new Error('pull must not fetch'))
  const pull = channels.get('pull') as Channel
  expect(await pull.send(parcel, { settings: { name: 'pull' }, fetch: never, signal: AbortSignal.timeout(100) })).toEqual({
    outcome: 'accepted',
    receipt: 'on the shelf',
  })
})
