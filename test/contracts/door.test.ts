/**
 * The door as outsiders meet it (CONTRACT.md 1, 3, 4, 9), with steps behind it that only remember what they were asked.
 */
import type { Resource } from '@medplum/fhirtypes'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Client } from '../../src/access/directory-file.ts'
import { manualClock } from '../../src/clock.ts'
import type { Directory } from '../../src/domain/directory.ts'
import type { Steps } from '../../src/exchange/ask.ts'
import type { Answer, Exchange } from '../../src/exchange/exchange.ts'
import { refuse } from '../../src/fhir/outcome.ts'
import { createApp } from '../../src/http/app.ts'
import type { Settings } from '../../src/http/context.ts'
import { migrate } from '../../src/store/migrate.ts'
import { openSqlite } from '../../src/store/sqlite.ts'

const publicUrl = 'http://127.0.0.1:8080'
const keys = await generateKeyPair('ES384')
const jwks = { keys: [{ ...(await exportJWK(keys.publicKey)), kty: 'EC' as const, kid: 'one' }] }
const shared = { jwks, retired: false }
const clients = new Map<string, Client>(
  [
    { id: 'case-system', role: 'service' as const, service: 'north-east', scope: 'system/*.cruds', ...shared },
    { id: 'gp', role: 'partner' as const, partner: 'gp', scope: 'system/*.rs system/Task.ru', ...shared },
    { id: 'durham-health', role: 'referrer' as const, name: 'HMP Durham healthcare', scope: 'system/ServiceRequest.cr', ...shared },
  ].map((one) => [one.id, one]),
)
const directory: Directory = {
  services: new Map([['north-east', { id: 'north-east', name: 'RECONNECT North East', prisons: [], homeAreas: [], enhanced: false }]]),
  partners: new Map([
    ['gp', { id: 'gp', kind: 'gp-registration', name: 'Elvet Surgery', channel: { name: 'pull' }, deduplicates: true, retired: false }],
  ]),
}

/** Steps that remember what they were asked, and answer what they are told to. */
function fakeSteps() {
  const asked: unknown[][] = []
  let next: Answer | Error = {
    status: 200,
    body: { resourceType: 'Patient', id: '12', meta: { versionId: '3', lastUpdated: '2026-03-02T09:00:00Z' } },
  }
  const step =
    (name: string) =>
    async (...what: unknown[]) => {
      asked.push([name, ...what])
      if (next instanceof Error) throw next
      return next
    }
  const steps = Object.fromEntries(
    ['read', 'vread', 'history', 'search', 'write', 'transact', 'processMessage', 'operation'].map((name) => [name, step(name)]),
  ) as Steps
  return { steps, asked, answer: (what: Answer | Error) => (next = what), last: () => asked.at(-1) as unknown[] }
}

const logged: string[] = []
async function openDoor(more: Partial<Settings> = {}, time: 'manual' | 'real time' = 'manual') {
  const database = openSqlite(':memory:')
  await migrate(database)
  const fake = fakeSteps()
  const clock = manualClock(new Date('2026-03-02T09:00:00Z'))
  const exchange = {
    database,
    now: clock.now,
    directory: () => directory,
    fetch: globalThis.fetch,
    log: (...line: unknown[]) => logged.push(JSON.stringify(line)),
    publicUrl,
  } as unknown as Exchange
  const settings: Settings = {
    masterKey: new Uint8Array(32).fill(7),
    rateLimit: 1_000,
    types: ['Patient', 'Task', 'ServiceRequest', 'CarePlan', 'Consent', 'Organization'],
    readOnly: ['Organization'],
    searchParameters: { Patient: { family: { kind: 'string' } }, Task: { owner: { kind: 'reference' } } },
    ...(time === 'manual' ? { turn: async (to: Date) => clock.set(to) } : {}),
    peer: () => '127.0.0.1',
    ...more,
  }
  const app = createApp({ exchange, steps: fake.steps, clients: () => clients, settings })
  const tokens = new Map<string, string>()
  const tokenOf = async (client: string) => {
    const known = tokens.get(client)
    if (known) return known
    const { access_token } = (await (await authorize(client)).json()) as { access_token: string }
    tokens.set(client, access_token)
    return access_token
  }
  const authorize = async (client: string, fields: Record<string, string> = {}, claims: Record<string, unknown> = {}) =>
    app.request('/oauth/token', {
      method: 'POST',
      body: new URLSearchParams({ ...grant, client_assertion: await assertion(client, claims), ...fields }),
    })
  const call = async (client: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    app.request(path, {
      method,
      headers: {
        authorization: `Bearer ${await tokenOf(client)}`,
        ...(body === undefined ? {} : { 'content-type': 'application/fhir+json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  return { app, call, authorize, fake, database, clock }
}
const grant = { grant_type: 'client_credentials', client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' }
const assertion = (client: string, claims: Record<string, unknown> = {}) =>
  new SignJWT({
    iss: client,
    sub: client,
    aud: `${publicUrl}/oauth/token`,
    exp: Math.floor(Date.now() / 1000) + 200,
    jti: crypto.randomUUID(),
    ...claims,
  })
    .setProtectedHeader({ alg: 'ES384', kid: 'one' })
    .sign(keys.privateKey)

const uuid = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/

let door: Awaited<ReturnType<typeof openDoor>>
beforeEach(async () => {
  door = await openDoor()
})

/** The refusal everybody may rely on. */
async function refusedWith(response: Response, status: number, code?: string) {
  expect(response.status).toBe(status)
  expect(response.headers.get('content-type')).toMatch(/^application\/fhir\+json/)
  expect(response.headers.get('x-request-id')).toBeTruthy()
  expect(response.headers.get('x-correlation-id')).toBeTruthy()
  const body = (await response.json()) as { resourceType: string; issue: { code: string }[] }
  expect(body.resourceType).toBe('OperationOutcome')
  if (code) expect(body.issue[0]?.code).toBe(code)
}

describe('who comes in', () => {
  test('without a token, or with one that is not ours: 401 that says how', async () => {
    const bare = await door.app.request('/fhir/Patient')
    expect(bare.headers.get('www-authenticate')).toMatch(/^Bearer/)
    await refusedWith(bare, 401, 'login')
    const wrong = await door.app.request('/fhir/Patient', { headers: { authorization: 'Bearer nonsense' } })
    expect(wrong.headers.get('www-authenticate')).toMatch(/invalid_token/)
    await refusedWith(wrong, 401, 'login')
    await refusedWith(await door.app.request('/fhir'), 401)
    await refusedWith(await door.app.request('/fhir/no/such/thing'), 401)
    expect(door.fake.asked).toHaveLength(0)
  })

  test('a signed assertion is exchanged for a token of five minutes, once', async () => {
    const client_assertion = await assertion('gp')
    const first = await door.authorize('gp', { client_assertion })
    expect(first.status).toBe(200)
    expect(first.headers.get('cache-control')).toBe('no-store')
    expect(await first.json()).toMatchObject({ token_type: 'Bearer', expires_in: 300, scope: 'system/*.rs system/Task.ru' })
    const second = await door.authorize('gp', { client_assertion })
    expect(second.status).toBe(401)
    expect(await second.json()).toMatchObject({ error: 'invalid_client' })
  })

  test('only what is asked for and granted is given', async () => {
    const some = await door.authorize('gp', { scope: 'system/Task.read' })
    expect(await some.json()).toMatchObject({ scope: 'system/Task.rs' })
    const none = await door.authorize('gp', { scope: 'system/Patient.c' })
    expect(none.status).toBe(400)
    expect(await none.json()).toMatchObject({ error: 'invalid_scope' })
  })

  test.each([
    ['another grant', { grant_type: 'password' }, 'unsupported_grant_type'],
    ['another kind of assertion', { client_assertion_type: 'x' }, 'invalid_request'],
    ['no assertion', { client_assertion: '' }, 'invalid_request'],
  ])('%s is refused in the words of RFC 6749', async (_, fields, error) => {
    const response = await door.authorize('gp', fields)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error })
  })

  test('the token endpoint takes a form, by POST', async () => {
    const json = await door.app.request('/oauth/token', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
    expect(await json.json()).toMatchObject({ error: 'invalid_request' })
    expect((await door.app.request('/oauth/token')).status).toBe(405)
  })

  test('a caller may do what its scopes say, and nothing else', async () => {
    await refusedWith(await door.call('gp', 'POST', '/fhir/Patient', { resourceType: 'Patient' }), 403, 'forbidden')
    await refusedWith(await door.call('gp', 'DELETE', '/fhir/Task/1'), 403)
    await refusedWith(await door.call('durham-health', 'GET', '/fhir/Patient'), 403)
    await refusedWith(await door.call('durham-health', 'GET', '/fhir/ServiceRequest'), 403)
    await refusedWith(await door.call('durham-health', 'GET', '/fhir/Patient/1/$who-was-told'), 403)
    expect((await door.call('gp', 'GET', '/fhir/Patient')).status).toBe(200)
    expect((await door.call('gp', 'PUT', '/fhir/Task/1', { resourceType: 'Task', id: '1' })).status).toBe(200)
    expect((await door.call('durham-health', 'GET', '/fhir/ServiceRequest/1')).status).toBe(200)
  })

  test('a transaction is refused whole for one entry its caller may not do, and says which', async () => {
    const entry = [
      { request: { method: 'GET', url: 'Patient/1' } },
      { request: { method: 'PUT', url: '/Patient/1' }, resource: { resourceType: 'Patient' } },
    ]
    const response = await door.call('gp', 'POST', '/fhir', { resourceType: 'Bundle', type: 'transaction', entry })
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ issue: [{ expression: ['Bundle.entry[1].request'] }] })
    expect((await door.call('case-system', 'POST', '/fhir', { resourceType: 'Bundle', type: 'transaction', entry })).status).toBe(200)
  })

  test('more than the rate limit is refused before any work is done, for that client only', async () => {
    door = await openDoor({ rateLimit: 5 })
    const statuses = []
    for (let i = 0; i < 7; i++) statuses.push((await door.call('gp', 'GET', '/fhir/Patient')).status)
    expect(statuses.slice(0, 5)).toEqual([200, 200, 200, 200, 200])
    const late = await door.call('gp', 'GET', '/fhir/Patient')
    expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0)
    await refusedWith(late, 429, 'throttled')
    expect(door.fake.asked.length).toBeLessThan(8)
    expect((await door.call('case-system', 'GET', '/fhir/Patient')).status).toBe(200)
  })

  test('strangers are slowed down by address', async () => {
    let address = '192.0.2.1'
    door = await openDoor({ rateLimit: 10, peer: () => address })
    const knock = async () => (await door.app.request('/oauth/token', { method: 'POST' })).status
    const statuses = []
    for (let i = 0; i < 25; i++) statuses.push(await knock())
    expect(statuses).toContain(429)
    address = '192.0.2.2'
    expect(await knock()).toBe(400)
  })
})

describe('ids', () => {
  test('are echoed on every answer, errors too, and made where there are none', async () => {
    const ids = { 'x-request-id': 'b7d6f1de-33f2-4d6e-9a55-0d6f8f3c1a01', 'x-correlation-id': '0c6f6c0e-9d59-4a0b-8a4b-0f7a52f1d001' }
    door.fake.answer(new Error('boom'))
    for (const path of ['/health', '/fhir/Patient', '/nowhere', '/fhir/metadata', '/fhir/$process-message']) {
      const given = await door.app.request(path, { headers: ids })
      expect([given.headers.get('x-request-id'), given.headers.get('x-correlation-id')]).toEqual(Object.values(ids))
      const made = await door.app.request(path)
      expect(made.headers.get('x-request-id')).toMatch(uuid)
      expect(made.headers.get('x-correlation-id')).toMatch(uuid)
    }
    const failed = await door.call('case-system', 'GET', '/fhir/Patient/1', undefined, ids)
    expect(failed.headers.get('x-request-id')).toBe(ids['x-request-id'])
    await refusedWith(failed, 500, 'exception')
  })

  test('the steps learn the id, and whether the caller chose it', async () => {
    await door.call('case-system', 'GET', '/fhir/Patient/1', undefined, { 'x-request-id': 'b7d6f1de-33f2-4d6e-9a55-0d6f8f3c1a01' })
    expect(door.fake.last()[1]).toMatchObject({
      requestId: 'b7d6f1de-33f2-4d6e-9a55-0d6f8f3c1a01',
      requestIdGiven: true,
      lenient: false,
      caller: { client: 'case-system', shelf: 'service:north-east' },
    })
    await door.call('case-system', 'GET', '/fhir/Patient/1')
    expect(door.fake.last()[1]).toMatchObject({ requestIdGiven: false, requestId: expect.stringMatching(uuid) })
  })

  test('a message’s ids must be UUIDs', async () => {
    const message = {
      resourceType: 'Bundle',
      type: 'message',
      entry: [{ resource: { resourceType: 'MessageHeader', eventCoding: { code: 'servicerequest-request' } } }],
    }
    for (const header of ['x-request-id', 'x-correlation-id']) {
      await refusedWith(await door.call('durham-health', 'POST', '/fhir/$process-message', message, { [header]: 'seven' }), 400, 'value')
    }
    expect((await door.call('durham-health', 'POST', '/fhir/%24process-message', message)).status).toBe(200)
    expect(door.fake.last()[0]).toBe('processMessage')
    await refusedWith(await door.call('gp', 'POST', '/fhir/$process-message', message), 403)
  })

  test('an id we could not write into a log is refused', async () => {
    await refusedWith(await door.call('gp', 'GET', '/fhir/Patient', undefined, { 'x-request-id': 'Lee Ashgrove' }), 400, 'value')
  })
})

describe('what comes in', () => {
  const patient = { resourceType: 'Patient' }
  const post = (body: unknown, headers: Record<string, string> = {}) => door.call('case-system', 'POST', '/fhir/Patient', body, headers)

  test('is JSON of the type of the address', async () => {
    await refusedWith(await post('{"resourceType":'), 400, 'structure')
    await refusedWith(await post(''), 400, 'required')
    await refusedWith(await post([patient]), 400, 'structure')
    await refusedWith(await post({ resourceType: 'Task' }), 400, 'invalid')
    await refusedWith(await post({}), 400, 'required')
    await refusedWith(await door.call('case-system', 'PUT', '/fhir/Patient/1', { ...patient, id: '2' }), 400, 'value')
    await refusedWith(await door.call('case-system', 'PUT', '/fhir/Patient/1', patient), 400, 'required')
    expect(door.fake.asked).toHaveLength(0)
  })

  test('has a JSON content type, with or without a charset', async () => {
    await refusedWith(await post(patient, { 'content-type': 'application/fhir+xml' }), 415, 'not-supported')
    await refusedWith(await post(patient, { 'content-type': 'text/plain' }), 415)
    expect((await post(patient, { 'content-type': 'application/json; charset=utf-8' })).status).toBe(200)
    await refusedWith(await door.call('gp', 'PATCH', '/fhir/Task/1', []), 415)
    expect((await door.call('gp', 'PATCH', '/fhir/Task/1', [], { 'content-type': 'application/json-patch+json' })).status).toBe(200)
  })

  test('is at most 1 MiB, whether its length is stated or not', async () => {
    await refusedWith(await post({ ...patient, x: 'x'.repeat(2 ** 20) }), 413, 'too-long')
    const parts = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024).fill(0x20)),
    })
    const token = ((await (await door.authorize('case-system')).json()) as { access_token: string }).access_token
    const endless = await door.app.request('/fhir/Patient', {
      method: 'POST',
      body: parts,
      duplex: 'half',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/fhir+json' },
    } as RequestInit)
    await refusedWith(endless, 413, 'too-long')
    expect((await post({ ...patient, x: 'x'.repeat(2 ** 20 - 100) })).status).toBe(200)
  })

  test('is nested at most 64 deep; brackets in texts do not count', async () => {
    const nested = (depth: number) => `${'{"a":['.repeat(depth / 2)}${']}'.repeat(depth / 2)}`
    await refusedWith(await post(nested(66)), 400, 'structure')
    await refusedWith(await post(nested(1_000_00)), 400, 'structure')
    expect((await post({ ...patient, text: `"${'{['.repeat(200)}\\` })).status).toBe(200)
  })

  test('a Bundle has at most 200 entries, and says what it is', async () => {
    const bundle = (n: number, type = 'batch') => ({ resourceType: 'Bundle', type, entry: Array.from({ length: n }, () => ({})) })
    const send = (body: unknown) => door.call('case-system', 'POST', '/fhir', body)
    expect((await send(bundle(200))).status).toBe(200)
    expect(door.fake.last()[0]).toBe('transact')
    await refusedWith(await send(bundle(201)), 400, 'too-costly')
    await refusedWith(await send(bundle(1, 'collection')), 400, 'value')
    await refusedWith(await send({ resourceType: 'Bundle', type: 'batch', entry: {} }), 400, 'structure')
    await refusedWith(await send({ resourceType: 'Bundle', type: 'batch', entry: [null] }), 400, 'structure')
  })

  test('no refusal repeats what was sent', async () => {
    const responses = [
      await post('{"family":"Ashgrove'),
      await post({ resourceType: 'Ashgrove' }),
      await door.call('case-system', 'GET', '/fhir/Ashgrove/Ashgrove'),
      await door.call('case-system', 'GET', '/fhir/Patient/Ashgrove', undefined, { 'if-none-match': 'Ashgrove', 'if-match': 'Ashgrove' }),
    ]
    for (const response of responses) expect(await response.text()).not.toMatch(/Ashgrove/)
  })
})

describe('what is asked', () => {
  test('reaches its step', async () => {
    const cases: [method: string, path: string, body: unknown, expected: unknown[]][] = [
      ['GET', '/fhir/Patient/12', undefined, ['read', 'Patient', '12']],
      ['GET', '/fhir/Patient/12/_history/3', undefined, ['vread', 'Patient', '12', '3']],
      ['DELETE', '/fhir/Patient/12', undefined, ['write', { method: 'DELETE', type: 'Patient', id: '12' }]],
      [
        'POST',
        '/fhir/Patient',
        { resourceType: 'Patient' },
        ['write', { method: 'POST', type: 'Patient', body: { resourceType: 'Patient' } }],
      ],
      [
        'GET',
        '/fhir/Task/1/$why',
        undefined,
        ['operation', 'why', { type: 'Task', id: '1' }, { params: expect.any(URLSearchParams) }, 'GET'],
      ],
      [
        'POST',
        '/fhir/Task/1/$why',
        undefined,
        ['operation', 'why', { type: 'Task', id: '1' }, { params: expect.any(URLSearchParams) }, 'POST'],
      ],
      [
        'POST',
        '/fhir/Patient/$validate',
        { resourceType: 'Patient' },
        ['operation', 'validate', { type: 'Patient' }, { params: expect.any(URLSearchParams), body: { resourceType: 'Patient' } }, 'POST'],
      ],
    ]
    for (const [method, path, body, expected] of cases) {
      expect((await door.call('case-system', method, path, body)).status).toBe(200)
      const [step, , ...rest] = door.fake.last()
      expect([step, ...rest]).toEqual(expected)
    }
  })

  test('a search takes its parameters from the address and from a posted form', async () => {
    await door.call('case-system', 'GET', '/fhir/Patient?family=Ashgrove&_format=json&_pretty=true')
    expect(String(door.fake.last()[3])).toBe('family=Ashgrove')
    await door.call('case-system', 'POST', '/fhir/Patient/_search?_count=5', 'family=Ashgrove&family=Elm', {
      'content-type': 'application/x-www-form-urlencoded',
    })
    expect(door.fake.last().slice(0, 1)).toEqual(['search'])
    expect(String(door.fake.last()[3])).toBe('_count=5&family=Ashgrove&family=Elm')
  })

  test('headers with a meaning reach the step as values', async () => {
    const headers = { 'if-match': 'W/"3"', prefer: 'handling=lenient' }
    await door.call('case-system', 'PUT', '/fhir/Patient/1', { resourceType: 'Patient', id: '1' }, headers)
    expect(door.fake.last()).toMatchObject(['write', { lenient: true }, { ifMatch: '3' }])
    await door.call('case-system', 'POST', '/fhir/Patient', { resourceType: 'Patient' }, { 'if-none-exist': '?identifier=a|b' })
    expect(door.fake.last()[2]).toMatchObject({ ifNoneExist: 'identifier=a|b' })
    for (const bad of ['3', 'W/3', '"1", "2"', '*'])
      await refusedWith(
        await door.call('case-system', 'PUT', '/fhir/Patient/1', { resourceType: 'Patient', id: '1' }, { 'if-match': bad }),
        400,
        'value',
      )
  })

  test('is claimed', async () => {
    const statement = JSON.stringify(await (await door.call('case-system', 'GET', '/fhir/metadata')).json())
    for (const name of ['why', 'triage', 'allocate', 'extend', 'close']) expect(statement).toContain(`OperationDefinition/${name}`)
  })

  test('by a method the address does not know: 405 with Allow', async () => {
    const cases = [
      ['PUT', '/fhir/metadata', 'GET'],
      ['GET', '/fhir/$process-message', 'POST'],
      ['DELETE', '/fhir', 'POST'],
      ['POST', '/fhir/Patient/1', 'GET, PUT, PATCH, DELETE'],
      ['GET', '/fhir/ServiceRequest/1/$triage', 'POST'],
      ['GET', '/fhir/Patient/$validate', 'POST'],
      ['GET', '/fhir/CarePlan/1/$handover', 'POST'],
      ['PUT', '/fhir/Organization/1', 'GET'],
      ['OPTIONS', '/fhir/Patient', 'GET, POST, PUT, PATCH, DELETE'],
      ['DELETE', '/fhir/Patient', 'GET, POST'],
    ] as const
    for (const [method, path, allow] of cases) {
      const response = await door.call('case-system', method, path)
      expect([path, response.headers.get('allow')]).toEqual([path, allow])
      await refusedWith(response, 405, 'not-supported')
    }
    expect(door.fake.asked).toHaveLength(0)
  })

  test('at an address that is not there: 404', async () => {
    for (const path of [
      '/fhir/Medicine',
      '/fhir/Medicine/1',
      '/fhir/Patient/1/$dance',
      '/fhir/Patient/$why',
      '/fhir/Task/1/$triage',
      '/fhir/Patient/_search',
      '/fhir/patient',
      '/fhir/Patient/1/2/3',
      `/fhir/Patient/${'x'.repeat(65)}`,
    ]) {
      const response = await door.call('case-system', 'GET', path)
      expect([path, response.status]).toEqual([path, path.endsWith('_search') ? 405 : 404])
    }
  })

  test('what is not supported says so', async () => {
    await refusedWith(
      await door.call('case-system', 'PUT', '/fhir/Patient?identifier=a', { resourceType: 'Patient' }),
      501,
      'not-supported',
    )
    await refusedWith(await door.call('case-system', 'GET', '/fhir/Patient/_history'), 501, 'not-supported')
    await refusedWith(await door.call('case-system', 'GET', '/fhir/_history'), 501, 'not-supported')
  })

  test('a dry run of a handover only reads', async () => {
    expect((await door.call('gp', 'GET', '/fhir/CarePlan/1/$handover?dryRun=true')).status).toBe(200)
    expect(
      (
        await door.call('gp', 'POST', '/fhir/CarePlan/1/$handover', {
          resourceType: 'Parameters',
          parameter: [{ name: 'dryRun', valueBoolean: true }],
        })
      ).status,
    ).toBe(200)
    await refusedWith(await door.call('gp', 'POST', '/fhir/CarePlan/1/$handover'), 403)
  })

  test('HEAD gives what GET gives, without the body', async () => {
    const response = await door.call('case-system', 'HEAD', '/fhir/Patient/12')
    expect(response.status).toBe(200)
    expect(response.headers.get('etag')).toBe('W/"3"')
    expect(await response.text()).toBe('')
  })
})

describe('what goes out', () => {
  test('says which version it is, and where', async () => {
    const read = await door.call('case-system', 'GET', '/fhir/Patient/12')
    expect(read.headers.get('content-type')).toBe('application/fhir+json; charset=utf-8')
    expect(read.headers.get('etag')).toBe('W/"3"')
    expect(read.headers.get('last-modified')).toBe('Mon, 02 Mar 2026 09:00:00 GMT')
    door.fake.answer({
      status: 201,
      body: { resourceType: 'Patient', id: '12', meta: { versionId: '1', lastUpdated: '2026-03-02T09:00:00Z' } },
    })
    const created = await door.call('case-system', 'POST', '/fhir/Patient', { resourceType: 'Patient' })
    expect(created.headers.get('location')).toBe(`${publicUrl}/fhir/Patient/12/_history/1`)
  })

  test('is nothing new to whoever has it: 304', async () => {
    const same = await door.call('case-system', 'GET', '/fhir/Patient/12', undefined, { 'if-none-match': 'W/"2", W/"3"' })
    expect(same.status).toBe(304)
    expect(await same.text()).toBe('')
    expect((await door.call('case-system', 'GET', '/fhir/Patient/12', undefined, { 'if-none-match': 'W/"2"' })).status).toBe(200)
  })

  test('is what was preferred', async () => {
    const put = (prefer: string) => door.call('case-system', 'PUT', '/fhir/Patient/12', { resourceType: 'Patient', id: '12' }, { prefer })
    const minimal = await put('return=minimal')
    expect([minimal.status, minimal.headers.get('etag'), await minimal.text()]).toEqual([200, 'W/"3"', ''])
    expect(await (await put('return=OperationOutcome')).json()).toMatchObject({
      resourceType: 'OperationOutcome',
      issue: [{ severity: 'information' }],
    })
    expect(await (await put('return=representation')).json()).toMatchObject({ resourceType: 'Patient' })
    expect(await (await put('respond-async')).json()).toMatchObject({ resourceType: 'Patient' })
  })

  test('is JSON, or nothing', async () => {
    const get = (accept: string, query = '') => door.call('case-system', 'GET', `/fhir/Patient/12${query}`, undefined, { accept })
    for (const accept of [
      'application/fhir+json',
      'application/json',
      '*/*',
      'text/html, */*;q=0.8',
      'application/fhir+json; version=1.4.0',
      'application/fhir+json; fhirVersion=4.0',
    ])
      expect((await get(accept)).status).toBe(200)
    for (const accept of ['application/fhir+xml', 'text/html', 'application/json;q=0', 'application/fhir+json; fhirVersion=5.0'])
      await refusedWith(await get(accept), 406, 'not-supported')
    expect((await get('text/html', '?_format=json')).status).toBe(200)
    expect((await get('application/fhir+xml', '?_format=application/fhir+json')).status).toBe(200)
    await refusedWith(await get('application/json', '?_format=xml'), 406)
  })

  test('a Refusal is an OperationOutcome below /fhir and problem details elsewhere', async () => {
    door.fake.answer(refuse(422, 'business-rule', 'Not from here.', 'Task.status'))
    const fhir = await door.call('case-system', 'GET', '/fhir/Task/1')
    expect(fhir.status).toBe(422)
    expect(await fhir.json()).toMatchObject({
      issue: [{ code: 'business-rule', details: { coding: [{ code: 'REC_UNPROCESSABLE_ENTITY' }] }, expression: ['Task.status'] }],
    })
    const elsewhere = await door.app.request('/nowhere')
    expect(elsewhere.headers.get('content-type')).toBe('application/problem+json')
    expect(await elsewhere.json()).toMatchObject({ status: 404, title: 'Not Found' })
  })

  test('what nobody expected is told to nobody, and logged without its words', async () => {
    door.fake.answer(new Error('Ashgrove could not be kept'))
    logged.length = 0
    const response = await door.call('case-system', 'GET', '/fhir/Patient/1')
    expect(await response.text()).not.toMatch(/Ashgrove| at /)
    expect(logged.join()).toMatch(/request\.failed/)
    expect(logged.join()).not.toMatch(/Ashgrove/)
  })

  test('is not to be kept, framed or guessed at', async () => {
    const { headers } = await door.call('case-system', 'GET', '/fhir/Patient/1')
    expect([headers.get('cache-control'), headers.get('x-content-type-options')]).toEqual(['no-store', 'nosniff'])
    expect(headers.get('content-security-policy')).toMatch(/frame-ancestors 'none'/)
  })
})

describe('what needs no token', () => {
  test('health says ok, or why not', async () => {
    expect(await (await door.app.request('/health')).json()).toEqual({ status: 'ok' })
    await door.database.close()
    const ill = await door.app.request('/health')
    expect(ill.status).toBe(503)
    expect(await ill.json()).toMatchObject({ reasons: [expect.any(String)] })
    door = await openDoor({ stopping: () => true })
    expect((await door.app.request('/health')).status).toBe(503)
  })

  test('the CapabilityStatement claims what is served', async () => {
    const statement = (await (await door.app.request('/fhir/metadata')).json()) as Resource & {
      rest: {
        resource: { type: string; interaction: { code: string }[]; searchParam: { name: string }[]; operation?: { name: string }[] }[]
      }[]
    }
    expect(statement).toMatchObject({ resourceType: 'CapabilityStatement', fhirVersion: '4.0.1', kind: 'instance', status: 'active' })
    const of = (type: string) => statement.rest[0]!.resource.find((one) => one.type === type)
    expect(of('Patient')?.searchParam.map((one) => one.name)).toEqual(['_id', '_lastUpdated', 'family'])
    expect(of('Task')?.operation?.map((one) => one.name)).toContain('why')
    expect(of('Organization')?.interaction.map((one) => one.code)).not.toContain('create')
    expect(of('Medication')).toBeUndefined()
  })

  test('smart-configuration names the token endpoint, at the root and below /fhir', async () => {
    for (const path of ['/.well-known/smart-configuration', '/fhir/.well-known/smart-configuration']) {
      expect(await (await door.app.request(path)).json()).toMatchObject({
        token_endpoint: `${publicUrl}/oauth/token`,
        token_endpoint_auth_methods_supported: ['private_key_jwt'],
        token_endpoint_auth_signing_alg_values_supported: ['RS384', 'ES384'],
      })
    }
  })

  test('metrics count requests by route, for this machine or a service’s token', async () => {
    await door.call('case-system', 'GET', '/fhir/Patient/12')
    const page = await (await door.app.request('/metrics')).text()
    expect(page).toContain('http_requests_total{method="GET",route="/fhir/:type/:id",status="200"} 1')
    expect(page).toMatch(/http_request_duration_seconds_bucket\{route="\/fhir\/:type\/:id",le="\+Inf"\} 1/)
    expect(page).not.toMatch(/Patient\/12/)
    door = await openDoor({ peer: () => '192.0.2.1' })
    expect((await door.app.request('/metrics')).status).toBe(403)
    expect((await door.call('gp', 'GET', '/metrics')).status).toBe(403)
    expect((await door.call('case-system', 'GET', '/metrics')).status).toBe(200)
  })

  test('the manual clock turns forward, from this machine only, and is not there when time is real', async () => {
    const turn = (body: unknown) =>
      door.app.request('/clock', { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
    expect(await (await turn({ advance: 'P7D' })).json()).toEqual({ clock: '2026-03-09T09:00:00.000Z' })
    expect(await (await turn({ to: '2026-03-10T09:00:00Z' })).json()).toEqual({ clock: '2026-03-10T09:00:00.000Z' })
    const back = await turn({ to: '2026-03-01T09:00:00Z' })
    expect([back.status, back.headers.get('content-type')]).toEqual([400, 'application/problem+json'])
    const both = await Promise.all([turn({ advance: 'PT1H' }), turn({ advance: 'PT1H' })])
    expect(await Promise.all(both.map((one) => one.json()))).toEqual([
      { clock: '2026-03-10T10:00:00.000Z' },
      { clock: '2026-03-10T11:00:00.000Z' },
    ])
    door = await openDoor({ peer: () => '192.0.2.1' })
    expect((await turn({ advance: 'P7D' })).status).toBe(403)
    door = await openDoor({}, 'real time')
    expect((await turn({ advance: 'P7D' })).status).toBe(404)
  })
})
