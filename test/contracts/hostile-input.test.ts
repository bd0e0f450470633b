/**
 * Whatever comes in, by whatever route and from whomever: never an answer of 5xx, never more than two seconds, never a word of it in
 * an error or in the log.
 *
 * A route added to the app is tried without being named here. A failure prints fast-check's seed and path: put them into `runs`.
 */
import { type AddressInfo, connect, createServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { Bundle, Resource } from '@medplum/fhirtypes'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readScopes } from '../../src/access/scopes.ts'
import { createTokens } from '../../src/access/tokens.ts'
import { openAgenda } from '../../src/demo/agenda.ts'
import { openJournal } from '../../src/demo/journal.ts'
import { demoRoutes } from '../../src/demo/routes.ts'
import type { Open } from '../../src/exchange/open.ts'
import { searchParameters } from '../../src/fhir/search-parameters.ts'
import { type Listening, listen } from '../../src/http/listen.ts'
import { loadDirectory } from '../../src/store/directory.ts'
import { caseBundle, partners } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, publicUrl } from '../fixtures/gateway.ts'
import { overriding, someone, text, toPolice } from '../fixtures/override.ts'
import { referral } from '../fixtures/referral.ts'

/** Stands in everything hostile, so that it is seen where it comes out again. Letters only: it can be a resource type. */
const canary = 'Zqcanaryzq'
const seed = 20260302
const runs = (numRuns: number) => ({ numRuns, seed, endOnFailure: true })

let gateway: Gateway
/** References of the case that is there, by type. */
let there: Record<string, string>
beforeAll(async () => {
  gateway = await openGateway()
  // The demo's addresses are behind the same door.
  const open = { exchange: gateway.exchange } as Open
  demoRoutes(gateway.app, {
    open,
    everybody: [],
    offices: new Map(),
    journal: openJournal(gateway.clock.now, () => undefined),
    agenda: openAgenda(),
    next: async () => undefined,
  })
  await issueTokens()
  there = await gateway.handIn(caseBundle())
  await gateway.client('prison-health').call('POST', '/fhir/$process-message', referral())
})
afterAll(() => gateway.close())

const callers = [
  'case-system',
  'safeguarding-desk',
  'other-system',
  partners.practice,
  partners.probation,
  'prison-health',
  'nobody',
] as const

// What is hostile

const texts = fc.oneof(
  fc.constantFrom(
    canary,
    `${canary}'; drop table resource; --`,
    `${canary}" or 1=1`,
    `<script>${canary}</script>`,
    `\${${canary}}`,
    `${canary}\u0000`,
    `\u0000`,
    `../../${canary}`,
    `%00%${canary}`,
    `${canary}\r\nX-Injected: 1`,
    `${canary}\u202e\ufeff\u2028`,
    '\ud83d\ude00'.repeat(50),
    '',
    ' ',
    `${canary} `.repeat(200),
    '__proto__',
    'constructor',
    'toString',
    `http://${canary}/fhir/Patient/1`,
    `Patient/${canary}`,
    `Organization/${canary}`,
    `urn:uuid:${canary}`,
    '2026-02-30',
    '9999-12-31T23:59:60Z',
    '-000001-01-01',
    '2026-13',
    '1e400',
    '-0',
  ),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => canary + text),
)
const numbers = fc.constantFrom(0, -1, -0, 2 ** 53, 1e308, -1e308, 0.1, 1e-320)
const names = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'length',
    '',
    canary,
    `${canary}.x`,
    'a b',
    'extension',
  ),
  fc.constantFrom(
    'id',
    'meta',
    'resourceType',
    'status',
    'subject',
    'identifier',
    'contained',
    'text',
    'reference',
    'coding',
    'entry',
    '_birthDate',
  ),
)
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    texts,
    numbers,
    fc.constantFrom(null, true, false, [], {}),
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.array(fc.tuple(names, tie('tree')), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs)),
  ),
}))

/** Every place in a tree: a list of names and indices. */
function placesOf(value: unknown, at: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [at]
  return [at, ...Object.entries(value).flatMap(([key, below]) => placesOf(below, [...at, Array.isArray(value) ? Number(key) : key]))]
}
/** The same with something else in one place. */
function withAt(value: unknown, [first, ...rest]: readonly (string | number)[], put: unknown): unknown {
  if (first === undefined) return put
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string | number, unknown>
  copy[first] = withAt(copy[first], rest, put)
  return copy
}
/** A good body with one to three wounds. */
const wounded = (whole: unknown): fc.Arbitrary<unknown> =>
  fc.array(fc.tuple(fc.nat(), fc.oneof(tree, texts)), { minLength: 1, maxLength: 3 }).map((wounds) =>
    wounds.reduce<unknown>((body, [where, put]) => {
      const places = placesOf(body)
      return withAt(body, places[where % places.length] as readonly (string | number)[], put)
    }, whole),
  )

const resources = (caseBundle().entry ?? []).map(({ resource }) => resource as Resource)
const good = [caseBundle(), referral(), ...resources]
const pointers = fc.oneof(
  fc.array(names, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`),
  fc.constantFrom(
    '',
    '/',
    '/-',
    '/status',
    '/businessStatus',
    '/meta/security/-',
    '/~2',
    '/~',
    '/input/99999999999',
    '/input/-1',
    `/${canary}`,
    '/status/0/a',
  ),
)
const patches = fc.array(
  fc.record(
    { op: fc.constantFrom('add', 'replace', 'remove', 'move', 'copy', 'test', canary), path: pointers, from: pointers, value: tree },
    { requiredKeys: ['op', 'path'] },
  ),
  { minLength: 1, maxLength: 4 },
)
const patchLike = fc.constantFrom(
  [null],
  [5],
  [{}],
  [{ op: 'add', path: 'x' }],
  [{ op: 'add', path: 5 }],
  [{ op: 'copy', path: '/a' }],
  [[]],
)
const operationBodies = fc
  .array(
    fc.record({
      name: fc.oneof(names, texts, fc.constantFrom('recipient', 'reason', 'hours', 'dryRun', 'items', 'basis')),
      valueString: tree,
      part: tree,
    }),
  )
  .map((parameter) => ({ resourceType: 'Parameters', parameter }))
const rawBodies = fc.oneof(
  fc.constantFrom(
    '{"a":1,"a":2}',
    '{"resourceType":"Patient","x":"\\ud800"}',
    '['.repeat(100_000),
    '{"a":'.repeat(5_000),
    '{',
    'null',
    '"x"',
    '0',
    'grant_type=client_credentials',
    `client_assertion=${canary}`,
    `name=${canary}&_count=-1`,
    '{"resourceType":"Bundle","type":"batch","entry":[null]}',
    `{"${canary}":1}`,
    '<Patient xmlns="http://hl7.org/fhir"/>',
  ),
  fc.string({ unit: 'binary', maxLength: 200 }).map((text) => canary + text),
)
const bodies = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...good).chain(wounded) },
  { weight: 2, arbitrary: tree },
  { weight: 2, arbitrary: fc.oneof(patches, patchLike) },
  { weight: 1, arbitrary: operationBodies },
  { weight: 2, arbitrary: rawBodies },
)

const parameters = fc.oneof(
  fc.constantFrom(
    '_id',
    '_lastUpdated',
    '_sort',
    '_count',
    '_include',
    '_revinclude',
    '_has:Task:patient:status',
    '_format',
    '_pretty',
    '_elements',
  ),
  fc.constantFrom(
    'patient',
    'patient.identifier',
    'identifier',
    'family',
    'family:exact',
    'status:not',
    'birthdate',
    'owner',
    '_security',
    'dryRun',
  ),
  names,
)
const values = fc.oneof(
  texts,
  fc.constantFrom(
    'gt2026',
    'eq',
    'ap2026-01-01',
    '|',
    '||',
    'a|b|c',
    ',',
    ',,,,',
    '\\',
    '\\,',
    '$',
    '-1',
    '0',
    '99999999999999999999',
    'NaN',
    '*',
    'Task:*',
    '-',
    `${canary}:patient`,
  ),
)
const queries = fc
  .array(fc.tuple(parameters, values), { maxLength: 4 })
  .map((pairs) => pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encoded(value)}`).join('&'))
const encoded = (text: string): string => encodeURIComponent(text.toWellFormed())

const headerText = texts.map((text) => text.replace(/[^\x20-\x7e]/g, '').trim())
const headers = fc.dictionary(
  fc.constantFrom(
    'x-request-id',
    'x-correlation-id',
    'if-match',
    'if-none-match',
    'if-none-exist',
    'prefer',
    'accept',
    'content-type',
    'x-forwarded-for',
    'content-encoding',
  ),
  fc.oneof(
    headerText,
    fc.constantFrom(
      'W/"1"',
      '*',
      'return=minimal',
      'handling=lenient',
      'application/json',
      'application/json-patch+json',
      'application/x-www-form-urlencoded',
    ),
  ),
  { maxKeys: 3 },
)

const operations = [
  '$process-message',
  '$validate',
  '$why',
  '$handover',
  '$override',
  '$override-review',
  '$not-same',
  '$merge',
  '$unmerge',
  '$triage',
  '$allocate',
  '$extend',
  '$close',
  '$who-was-told',
  `$${canary.toLowerCase()}`,
  '$constructor',
]
const types = ['Patient', 'Task', 'ServiceRequest', 'CarePlan', 'Consent', 'Observation', 'Organization', 'Bundle', canary, 'Object']
/** A path of a route's pattern: each parameter by its name, at times one that leads to something that is there. */
const pathOf = (pattern: string): fc.Arbitrary<string> =>
  fc
    .record({
      type: fc.constantFrom(...types),
      operation: fc.constantFrom(...operations),
      id: fc.nat(3),
      version: fc.constantFrom('1', '2', canary, '99999999999999999999'),
    })
    .map(({ type, operation, id, version }) => {
      const known = there[type]?.split('/')[1] ?? 'none'
      const key = [known, known, canary, 'x'.repeat(70)][id] as string
      return pattern
        .replace(/:operation\{[^}]*\}/, operation)
        .replace(/:type\{[^}]*\}/, type)
        .replace(/:version\{[^}]*\}/, version)
        .replace(/:\w+(\{[^}]*\})?/g, key)
        .replace(/\*$/, canary)
    })

// What must hold

const tokens = new Map<string, string>([['nobody', canary]])
async function issueTokens() {
  const { clients, directory } = await loadDirectory(gateway.database, { env: {}, readText: () => '' })
  const issuer = createTokens({ masterKey: new Uint8Array(32).fill(9), publicUrl, clients: () => clients, directory: () => directory })
  for (const [id, client] of clients) tokens.set(id, await issuer.issue(client, readScopes(client.scope)))
}

type Hostile = { caller: string; method: string; path: string; query: string; headers: Record<string, string>; body: unknown }

/** Most bodies go where their type is at home, and carry the id of what is there: further in than the door. */
function fitting(hostile: Hostile, fits: boolean): Hostile {
  const { body, method, path } = hostile
  const type = (body as { resourceType?: unknown } | null | undefined)?.resourceType
  if (!fits || typeof type !== 'string' || !/^[A-Z]\w+$/.test(type)) return hostile
  if (method === 'PUT' && there[type])
    return { ...hostile, path: `/fhir/${there[type]}`, body: { ...(body as object), id: there[type].split('/')[1] } }
  return type === 'Bundle' || method !== 'POST' ? hostile : { ...hostile, path: path.replace(/^\/fhir\/[A-Z][A-Za-z]*/, `/fhir/${type}`) }
}

async function send({ caller, method, path, query, headers: given, body }: Hostile): Promise<void> {
  const token = tokens.get(caller) as string
  const text = body === undefined || method === 'GET' ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  const type = Array.isArray(body)
    ? 'application/json-patch+json'
    : path.endsWith('_search') || path.startsWith('/oauth')
      ? 'application/x-www-form-urlencoded'
      : 'application/fhir+json'
  const before = gateway.logged.length
  const began = performance.now()
  const response = await gateway.app.request(`${path}${query && `?${query}`}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': type, ...given },
    ...(text === undefined ? {} : { body: text.toWellFormed() }),
  })
  const answer = await response.text()
  const took = performance.now() - began
  const said = gateway.logged.slice(before).join('\n')
  expect(response.status === 501 || response.status < 500, answer + said).toBe(true)
  expect(took).toBeLessThan(2_000)
  for (const words of [...errorsIn(response.status, answer), said]) expect(words.toLowerCase()).not.toContain(canary.toLowerCase())
}

/** What of an answer is an error: all of it, or the outcomes inside a Bundle. */
function errorsIn(status: number, text: string): string[] {
  if (status >= 400) return [text]
  if (!text.startsWith('{')) return []
  const { resourceType, type, entry = [] } = JSON.parse(text) as Partial<Bundle>
  if (resourceType !== 'Bundle' || (type !== 'batch-response' && type !== 'searchset')) return []
  return entry.flatMap(({ response, resource }) =>
    response?.outcome ? [JSON.stringify(response)] : resource?.resourceType === 'OperationOutcome' ? [JSON.stringify(resource)] : [],
  )
}

test('every route, whoever calls', async () => {
  const patterns = [...new Set(gateway.app.routes.map(({ path }) => path))]
  expect(patterns.length).toBeGreaterThan(15)
  expect(patterns).toContain('/demo/messages/:partner/:id')
  for (const pattern of patterns) {
    const methods = [
      ...new Set(
        gateway.app.routes
          .filter(({ path }) => path === pattern)
          .flatMap(({ method }) => (method === 'ALL' ? ['OPTIONS', 'PUT'] : [method])),
      ),
    ]
    const hostile = fc.record({
      caller: fc.constantFrom(...callers),
      method: fc.constantFrom(...methods),
      path: pathOf(pattern),
      query: queries,
      headers,
      body: fc.option(methods.includes('PATCH') ? fc.oneof(bodies, patches) : bodies, { nil: undefined }),
    })
    await fc.assert(
      fc.asyncProperty(hostile, fc.integer({ max: 3, min: 0 }), (one, fits) => send(fitting(one, fits > 0))),
      runs(40 * methods.length),
    )
  }
}, 60_000)

/** Every operation at something it is for, by whom it is for. */
const atHome: readonly (readonly [type: string, operation: string])[] = [
  ...(['triage', 'allocate', 'extend', 'close'] as const).map((name) => ['ServiceRequest', name] as const),
  ['CarePlan', 'handover'],
  ['Task', 'why'],
  ['Patient', 'who-was-told'],
  ['Patient', 'everything'],
  ['Patient', 'override'],
  ['Patient', 'override-review'],
  ['Patient', 'not-same'],
  ['Patient', 'merge'],
  ['Patient', 'unmerge'],
  ['Patient', 'validate'],
]

test('what is nearly right, from whom it might come', async () => {
  const by = (
    caller: string,
    method: string,
    path: string,
    body: fc.Arbitrary<unknown> = fc.constant(undefined),
    query: fc.Arbitrary<string> = fc.constant(''),
  ) =>
    fc.record({ caller: fc.constant(caller), method: fc.constant(method), path: fc.constant(path), query, headers: fc.constant({}), body })
  const bare = ({ id: _, meta: __, ...rest }: Resource): unknown => rest
  const known = await Promise.all(
    Object.values(there).map(async (path) => ({ path, body: (await gateway.service.call('GET', `/fhir/${path}`)).body })),
  )
  const partnersTasks = await Promise.all(
    (['practice', 'recovery', 'probation', 'enhanced'] as const).map(async (name) => ({
      id: partners[name],
      tasks: await gateway.as(name).find('Task'),
    })),
  )
  const handovers = await gateway.service.find('Task')
  const knownNames = (type: string) => Object.keys(searchParameters[type] ?? {})
  const kinds: [string, fc.Arbitrary<Hostile>][] = [
    ['a case', by('case-system', 'POST', '/fhir', wounded(caseBundle()))],
    ['a batch', by('case-system', 'POST', '/fhir', wounded({ ...caseBundle(), type: 'batch' }))],
    ['a referral', by('prison-health', 'POST', '/fhir/$process-message', wounded(referral()))],
    ['a referral by the service', by('case-system', 'POST', '/fhir/$process-message', wounded(referral()))],
    ...known.flatMap(({ path, body }): [string, fc.Arbitrary<Hostile>][] => [
      [`another ${body.resourceType}`, by('case-system', 'POST', `/fhir/${body.resourceType}`, wounded(bare(body)))],
      [
        `a changed ${body.resourceType}`,
        by(
          'case-system',
          'PUT',
          `/fhir/${path}`,
          wounded(bare(body)).map((wound) => ({ ...(wound as object), id: body.id })),
        ),
      ],
      [`a patched ${body.resourceType}`, by('case-system', 'PATCH', `/fhir/${path}`, patches)],
      [
        `a search for ${body.resourceType}`,
        by(
          'case-system',
          'GET',
          `/fhir/${body.resourceType}`,
          undefined,
          fc
            .tuple(
              fc.constantFrom(...knownNames(body.resourceType), '_lastUpdated', '_sort', '_include', '_page'),
              fc.constantFrom('', ':not', ':exact', ':identifier'),
              values,
            )
            .map(([name, modifier, value]) => `${name}${modifier}=${encoded(value)}`),
        ),
      ],
    ]),
    ...partnersTasks.flatMap(({ id, tasks }): [string, fc.Arbitrary<Hostile>][] =>
      tasks.slice(0, 1).flatMap((task) => [
        ['an answer by patch', by(id, 'PATCH', `/fhir/Task/${task.id}`, patches)],
        ['an answer by body', by(id, 'PUT', `/fhir/Task/${task.id}`, wounded(task))],
      ]),
    ),
    ...atHome.flatMap(([type, name]): [string, fc.Arbitrary<Hostile>][] => {
      const place = type === 'Task' ? `Task/${handovers[0]?.id}` : there[type]
      return place ? [[`$${name}`, by('case-system', 'POST', `/fhir/${place}/$${name}`, operationBodies)]] : []
    }),
  ]
  const looked = { ...overriding(), parameter: [text('override', 'none'), someone('by', 'Two', 'guardian')] }
  const at = `/fhir/${there.Patient}`
  kinds.push(
    ['an override', by('safeguarding-desk', 'POST', `${at}/$override`, wounded(overriding()))],
    ['an override to somebody outside', by('safeguarding-desk', 'POST', `${at}/$override`, wounded(overriding(...toPolice)))],
    ['a look at an override', by('safeguarding-desk', 'POST', `${at}/$override-review`, wounded(looked))],
  )
  expect(kinds.length).toBeGreaterThan(40)
  for (const [kind, hostile] of kinds)
    await fc.assert(fc.asyncProperty(hostile, send), runs(/^(a case|a referral|an override)/.test(kind) ? 40 : 8))
}, 60_000)

test('whatever is shown as a token, and whatever is signed as an assertion: refused', async () => {
  const [head = '', claims = '', signature = ''] = (tokens.get('case-system') as string).split('.')
  const coded = (part: unknown) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
  const known = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>
  const heads = fc.oneof(
    fc.constantFrom<unknown>({ alg: 'none' }, { alg: 'HS256', typ: 'JWT' }, { alg: 'HS256', typ: 'at+jwt', crit: ['exp'] }, null, '', '{'),
    fc.record({ alg: texts, typ: texts, kid: texts, jku: fc.constant(`https://${canary}/`) }),
  )
  const bodies = fc.oneof(
    tree,
    fc.dictionary(fc.constantFrom('iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'scope'), tree).map((part) => ({ ...known, ...part })),
  )
  const forged = fc
    .tuple(
      fc.option(heads, { nil: undefined }),
      fc.option(bodies, { nil: undefined }),
      fc.constantFrom(signature, '', canary, 'A'.repeat(4_000)),
    )
    .filter(([h, b, s]) => h !== undefined || b !== undefined || s !== signature)
    .map(([h, b, s]) => `${h === undefined ? head : coded(h)}.${b === undefined ? claims : coded(b)}.${s}`)
  const shown = fc.oneof(
    { weight: 4, arbitrary: forged },
    fc.constantFrom(canary, '', '.', '..', '...', `${head}.${claims}`, `${head}.${claims}.${signature}.${signature}`, '='.repeat(5_000)),
  )
  await fc.assert(
    fc.asyncProperty(shown, fc.constantFrom('Bearer ', 'bearer  ', 'Basic ', 'Bearer', ''), async (token, scheme) => {
      const began = performance.now()
      const asked = await gateway.app.request('/fhir/Patient', { headers: { authorization: scheme + token } })
      const form = new URLSearchParams({
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: token,
      })
      const granted = await gateway.app.request('/oauth/token', { method: 'POST', body: form })
      expect([asked.status, granted.status === 400 || granted.status === 401]).toEqual([401, true])
      expect(`${await asked.text()}${await granted.text()}`).not.toContain(canary)
      expect(performance.now() - began).toBeLessThan(2_000)
    }),
    runs(300),
  )
})

describe('one by one', () => {
  const call = (
    method: string,
    path: string,
    body: string | Uint8Array<ArrayBuffer>,
    more: Record<string, string> = {},
    caller = 'case-system',
  ) =>
    gateway.app.request(path, {
      method,
      body,
      headers: { authorization: `Bearer ${tokens.get(caller)}`, 'content-type': 'application/fhir+json', ...more },
    })
  const outcomeOf = async (response: Response | Promise<Response>) => {
    const answer = await response
    return [answer.status, ((await answer.json()) as { issue?: { diagnostics: string }[] }).issue?.[0]?.diagnostics]
  }
  const aPatient = (fields: string) => `{"resourceType":"Patient",${fields}"name":[{"family":"${canary}"}]}`

  test('a property named twice is refused, wherever and however it is written', async () => {
    for (const fields of [
      '"active":true,"active":false,',
      '"active":true,"\\u0061ctive":false,',
      '"meta":{"id":1,"id":2},',
      '"x":[{"a":1},{"a":1,"b":{"c":1,"c":1}}],',
    ]) {
      const json = aPatient(fields)
      expect(() => JSON.parse(json)).not.toThrow()
      expect(await outcomeOf(call('POST', '/fhir/Patient', json)), json).toEqual([400, 'An object of the JSON names a property twice.'])
    }
  })

  test('colons in texts and the same name in other objects are none of that', async () => {
    expect((await call('POST', '/fhir/Patient', aPatient('"address":[{"text":"a:b \\":\\" c:"},{"text":":"}],'))).status).toBe(201)
  })

  test('half a character is refused, a whole one taken, and __proto__ is never data', async () => {
    const words = 'The JSON holds half a character (a lone surrogate), or a property that is never data (__proto__).'
    for (const fields of [
      '"language":"\\ud800",',
      '"language":"\\udc00\\ud800",',
      '"\\udfff":1,',
      '"__proto__":{"active":true},',
      '"meta":{"__proto__":{}},',
    ])
      expect(await outcomeOf(call('POST', '/fhir/Patient', aPatient(fields))), fields).toEqual([400, words])
    expect((await call('POST', '/fhir/Patient', aPatient('"address":[{"text":"\\ud83d\\ude00"}],'))).status).toBe(201)
    expect(({} as { active?: boolean }).active).toBeUndefined()
  })

  test('what is no UTF-8 is refused', async () => {
    expect((await call('POST', '/fhir/Patient', new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]))).status).toBe(400)
  })

  test('a compressed body is refused before anything is unpacked, and identity is none', async () => {
    const bomb = new Uint8Array(gzipSync(Buffer.alloc(16 * 2 ** 20, ' ')))
    for (const encoding of ['gzip', 'deflate', 'br', 'zstd', 'identity, gzip', canary])
      expect(await outcomeOf(call('POST', '/fhir', bomb, { 'content-encoding': encoding })), encoding).toEqual([
        415,
        'The body must not be compressed.',
      ])
    expect((await call('POST', '/fhir/Patient', aPatient(''), { 'content-encoding': 'identity' })).status).toBe(201)
    expect(
      (await call('POST', '/oauth/token', bomb, { 'content-encoding': 'gzip', 'content-type': 'application/x-www-form-urlencoded' }))
        .status,
    ).toBe(400)
  })

  test('a patch that doubles the resource again and again is stopped, and one that reaches for a prototype', async () => {
    const patch = (path: string, operations: unknown[], caller?: string) =>
      outcomeOf(call('PATCH', `/fhir/${path}`, JSON.stringify(operations), { 'content-type': 'application/json-patch+json' }, caller))
    const doubling = [{ op: 'add', path: '/x', value: [canary] }, ...Array(40).fill({ op: 'copy', from: '/x', path: '/x/-' })]
    const told = await Promise.all(
      (['practice', 'recovery', 'probation', 'enhanced'] as const).map(async (name) => ({
        name,
        tasks: await gateway.as(name).find('Task'),
      })),
    )
    const { name = 'practice', tasks = [] } = told.find((one) => one.tasks.length > 0) ?? {}
    for (const [path, caller] of [[there.Patient as string], [`Task/${tasks[0]?.id}`, partners[name]]] as const) {
      const began = performance.now()
      expect(await patch(path, doubling, caller)).toEqual([
        422,
        expect.stringMatching(/^Operation \d+ of the patch makes the resource too large\.$/),
      ])
      expect(performance.now() - began).toBeLessThan(1_000)
      for (const pointer of ['/__proto__/polluted', '/constructor/prototype/polluted', '/name/__proto__/polluted'])
        expect((await patch(path, [{ op: 'add', path: pointer, value: canary }], caller))[0], pointer).toBeGreaterThanOrEqual(400)
      for (const operations of [
        [null],
        [{ op: 'add', path: 'x', value: 1 }],
        [{ op: 'copy', path: '/x' }],
        Array(201).fill({ op: 'test', path: '', value: 1 }),
      ])
        expect((await patch(path, operations, caller))[0]).toBe(400)
    }
    expect(({} as { polluted?: string }).polluted).toBeUndefined()
  })
})

describe('a megabyte made to be slow for one of our patterns is not', () => {
  const many = (part: string, length = 900_000) => part.repeat(Math.floor(length / part.length))
  const patient = (fields: object) => ({ resourceType: 'Patient', ...fields })
  test.each<[string, object]>([
    ['a code of many blanks', patient({ language: `${many('a ')} ` })],
    ['a code of one long word', patient({ language: `${many('a')}  ` })],
    ['base64', patient({ photo: [{ data: `${many('A')}!` }] })],
    ['white space in base64', patient({ photo: [{ data: `${many(' ')}A` }] })],
    [
      'a narrative of tags that never end',
      patient({ text: { status: 'generated', div: `<div xmlns="http://www.w3.org/1999/xhtml">${many('<')}</div>` } }),
    ],
    ['a narrative with a tag of one long name', patient({ text: { status: 'generated', div: `<div><${many('a', 500_000)}</div>` } })],
    ['a narrative with one long tag', patient({ text: { status: 'generated', div: `<div ${many('a"b" ', 500_000)}</div>` } })],
    [
      'a narrative of nearly handlers',
      patient({ text: { status: 'generated', div: `<div ${many(' on', 400_000)}${many(' onx ', 400_000)}>x</div>` } }),
    ],
    ['a reference of many histories', patient({ generalPractitioner: [{ reference: `Organization/1${many('/_history/1')}` }] })],
    ['a name of accents out of order', patient({ name: [{ family: `a${many('\u0315\u0300', 300_000)}` }] })],
    ['a name of spaces', patient({ name: [{ family: `a${many(' ')}b` }] })],
    ['a date', patient({ birthDate: `2026-${many('0')}` })],
    ['an instant', patient({ meta: { lastUpdated: `2026-03-02T09:00:00.${many('0')}` } })],
    ['an identifier', patient({ identifier: [{ system: 'https://fhir.nhs.uk/Id/nhs-number', value: many('9 ') }] })],
  ])('%s', async (_, body) => {
    const text = JSON.stringify(body)
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(2 ** 20)
    expect(await quickest('/fhir/Patient', text, 'application/fhir+json')).toBeLessThan(await enough())
  })

  test.each([
    ['a query of commas', `_id=${'a,'.repeat(30_000)}`],
    ['a query of escapes', `identifier=${'%5C'.repeat(30_000)},`],
    ['a query of bars', `identifier=${'%7C'.repeat(30_000)}`],
    ['a query of accents', `family=a${'%CC%95%CC%80'.repeat(15_000)}`],
    ['a query of dots', `${'a.'.repeat(30_000)}=1`],
    ['a query of many parameters', 'a=1&'.repeat(20_000)],
  ])('%s', async (_, query) => {
    expect(await quickest('/fhir/Patient/_search', query, 'application/x-www-form-urlencoded')).toBeLessThan(await enough())
  })

  /** Milliseconds for an answer that is none of 5xx; the least of three, because other work may come between. */
  async function quickest(path: string, body: string, type: string): Promise<number> {
    const times: number[] = []
    for (let i = 0; i < 3 && !((times.at(-1) as number) < 100); i++) {
      const began = performance.now()
      const headers = { authorization: `Bearer ${tokens.get('case-system')}`, 'content-type': type }
      const { status } = await gateway.app.request(path, { method: 'POST', body, headers })
      times.push(performance.now() - began)
      expect(status).toBeLessThan(500)
    }
    return Math.min(...times)
  }

  /** Two seconds, or on a slow machine some times what a harmless megabyte takes: what grows with the square takes minutes. */
  let plain: Promise<number> | undefined
  async function enough(): Promise<number> {
    plain ??= quickest('/fhir/Patient', JSON.stringify(patient({ language: many('a b-') })), 'application/fhir+json')
    return Math.max(2_000, 8 * (await plain))
  }
})

describe('on a port', () => {
  let door: Listening
  let port: number
  beforeAll(async () => {
    port = await freePort()
    door = await listen(gateway.app, { host: '127.0.0.1', port }, { headMs: 500, requestMs: 800 })
  })
  afterAll(() => door.stop(100))

  /** Sends a text, then more of it every 100 ms; gives what came back until the other end closed, and after how long. */
  const slowly = (first: string, more = ''): Promise<{ text: string; ms: number }> =>
    new Promise((done, failed) => {
      const began = performance.now()
      let text = ''
      const socket = connect(port, '127.0.0.1', () => socket.write(first))
      const drip = setInterval(() => more && socket.writable && socket.write(more), 100)
      const late = setTimeout(() => failed(new Error('nobody hung up')), 5_000)
      socket.on('data', (part) => {
        text += part
      })
      socket.on('error', () => undefined)
      socket.on('close', () => {
        clearInterval(drip)
        clearTimeout(late)
        done({ text, ms: performance.now() - began })
      })
    })

  test('a head that drips is given up', async () => {
    const { text, ms } = await slowly('GET /health HTTP/1.1\r\nHost: x\r\nX: ', 'x')
    expect(text).toMatch(/^(HTTP\/1\.1 408 |$)/)
    expect(ms).toBeLessThan(3_000)
  })

  test('a body that drips is given up', async () => {
    const { ms } = await slowly(
      `POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n${canary}`,
      'x',
    )
    expect(ms).toBeLessThan(4_000)
  })

  test('a connection that says nothing is given up', async () => {
    expect((await slowly('')).ms).toBeLessThan(3_000)
  })

  test('huge headers are 431, what is no HTTP is 400, and neither repeats anything', async () => {
    const huge = await slowly(`GET /health HTTP/1.1\r\nHost: x\r\nX: ${canary.repeat(3_000)}\r\n\r\n`)
    expect(huge.text).toMatch(/^HTTP\/1\.1 431 /)
    const none = await slowly(`${canary}\r\n\r\n`)
    expect(none.text).toMatch(/^HTTP\/1\.1 400 /)
    const both = await slowly(`POST /fhir HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${canary}`)
    expect(both.text).toMatch(/^HTTP\/1\.1 400 /)
    for (const { text } of [huge, none, both]) expect(text).not.toContain(canary)
  })

  test('odd targets and hosts are answered, and a length that lies is no body', async () => {
    for (const head of [
      `GET http://${canary}/fhir/Patient HTTP/1.1\r\nHost: x`,
      `GET //${canary}/fhir HTTP/1.1\r\nHost: x`,
      `GET /%ff%${canary} HTTP/1.1\r\nHost: x`,
      `GET /fhir/Patient/%00 HTTP/1.1\r\nHost: x`,
      `GET /health HTTP/1.1\r\nHost: ${canary}:99999`,
      `GET /health HTTP/1.1\r\nHost: [${canary}`,
      `GET /health HTTP/1.1\r\nHost:`,
      `OPTIONS * HTTP/1.1\r\nHost: x`,
      `TRACE /fhir HTTP/1.1\r\nHost: x`,
      `POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999`,
    ]) {
      const { text } = await slowly(`${head}\r\nConnection: close\r\n\r\n`)
      expect(text, head).toMatch(/^HTTP\/1\.1 [234]\d\d /)
      expect(text.split('\r\n\r\n').slice(1).join(), head).not.toContain(canary)
    }
  })

  test('while slow ones wait, others are answered', async () => {
    const waiting = Array.from({ length: 50 }, () => slowly('GET /health HTTP/1.1\r\nX: ', 'x'))
    const began = performance.now()
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200)
    expect(performance.now() - began).toBeLessThan(1_000)
    await Promise.all(waiting)
  })
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((done) => server.close(() => done()))
  return port
}
