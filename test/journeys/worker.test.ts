/**
 * The journey through the Worker, in workerd over D1: real tokens, partners that are fakes of `fetch`.
 */
import { applyD1Migrations, env } from 'cloudflare:test'
import { exports } from 'cloudflare:workers'
import type { Bundle, Observation, Parameters, Patient, ServiceRequest, Task } from '@medplum/fhirtypes'
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { adapters } from '../../adapters/index.ts'
import { readDirectory } from '../../src/access/directory-file.ts'
import { channels } from '../../src/channels/index.ts'
import { custodyIn } from '../../src/domain/read.ts'
import { ours } from '../../src/fhir/systems.ts'
import { openD1 } from '../../src/store/d1.ts'
import { statement } from '../../src/store/database.ts'
import { applyDirectory } from '../../src/store/directory.ts'
import worker from '../../src/worker.ts'
import { caseBundle, consentOf, partners, usual, words, wordsIn } from '../fixtures/case-bundle.ts'
import type { Client } from '../fixtures/gateway.ts'
import { type Acknowledged, envelope, notification, prisonEvent } from '../fixtures/hmpps.ts'
import { caseFor, isIn, naming, numbers, withoutPlan } from '../fixtures/merging.ts'
import { sideBySidePartners, takeOn, there, transferBundle } from '../fixtures/transfer.ts'

const publicUrl = 'http://127.0.0.1:8080'
const database = openD1(env.DB)
const keys = new Map<string, CryptoKey>()
const tokens = new Map<string, string>()
const received: { to: string; key: string; text: string }[] = []
const down = new Set<string>()
const soon = { timeout: 10_000 }
const sentTo = (partner: string) => received.filter(({ to }) => to === partner)

beforeAll(async () => {
  await applyD1Migrations(env.DB, env.MIGRATIONS)
  await applyDirectory(database, await aDirectory(), new Date())
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (url, init) => {
    const to = new URL(String(url)).hostname.replace('.test', '')
    if (down.has(to)) return new Response(null, { status: 503 })
    received.push({ to, key: new Headers(init?.headers).get('x-request-id') as string, text: String(init?.body) })
    return new Response(null, { status: 202 })
  })
})
beforeEach(() => {
  received.length = 0
  down.clear()
})
afterAll(() => vi.restoreAllMocks())

describe('before anything is set up', () => {
  const ask = async (some: Record<string, string>) => {
    const answer = await worker.fetch(new Request(`${publicUrl}/health`), { DB: env.DB, ...some }, { waitUntil: () => undefined })
    return { status: answer.status, reasons: ((await answer.json()) as { reasons: string[] }).reasons.map((one) => one.split(' ')[0]) }
  }

  test('it answers 503 and names every setting at fault', async () => {
    expect(await ask({ RATE_LIMIT: 'many' })).toEqual({ status: 503, reasons: ['MASTER_KEY', 'RATE_LIMIT', 'PUBLIC_URL'] })
  })

  test('HMPPS can not be asked without the certificate that Cloudflare holds, and no queue is read', async () => {
    const rest = { MASTER_KEY: btoa('k'.repeat(32)), PUBLIC_URL: publicUrl, HMPPS_API_URL: 'https://hmpps.test', HMPPS_API_KEY: 'k' }
    expect(await ask(rest)).toEqual({ status: 503, reasons: ['HMPPS_API_CERTIFICATE'] })
    const queue = { HMPPS_QUEUE_URL: 'https://sqs.eu-west-2.amazonaws.com/1/events', HMPPS_QUEUE_CREDENTIALS_FILE: 'x' }
    expect(await ask({ MASTER_KEY: rest.MASTER_KEY, PUBLIC_URL: publicUrl, ...queue })).toEqual({
      status: 503,
      reasons: ['HMPPS_QUEUE_URL'],
    })
  })

  test('a manual clock is refused anywhere but in wrangler dev', async () => {
    const rest = { MASTER_KEY: btoa('k'.repeat(32)), PUBLIC_URL: publicUrl }
    expect(await ask({ ...rest, CLOCK: 'manual:2026-04-02T08:00:00Z' })).toEqual({ status: 503, reasons: ['CLOCK'] })
  })
})

describe('through the Worker', () => {
  test('a case is taken in, told to four partners as agreed, pulled, answered, and forgotten by whom consent is withdrawn from', async () => {
    const kept = await call<Bundle>('case-system', 'POST', '/fhir', caseBundle({ releaseDate: '2026-04-20' }))
    expect(kept.status).toBe(200)
    const patient = placeOf(kept.body, 'Patient')
    await vi.waitUntil(() => new Set(received.map(({ to }) => to)).size === 3, soon)

    const told = (partner: string) =>
      wordsIn(
        sentTo(partner)
          .map(({ text }) => text)
          .join(),
      )
    expect(told(partners.practice)).toEqual(expect.arrayContaining(['identity', 'medication', 'mentalHealth']))
    expect(told(partners.practice)).not.toEqual(expect.arrayContaining(['substance']))
    expect(told(partners.probation)).toEqual(expect.arrayContaining(['identity', 'adjustments']))
    expect(wordsIn(sentTo(partners.probation)[0]?.text as string, ['substance', 'mentalHealth', 'medication', 'offence'])).toEqual([])
    expect(received.flatMap(({ text }) => wordsIn(text, ['unlabelled']))).toEqual([])
    expect(told(partners.enhanced)).toEqual(expect.arrayContaining(['risk', 'substance']))
    expect(received).toHaveLength(3)
    await vi.waitUntil(async () => (await standings()).every(([, standing]) => standing === 'requested delivered'), soon)
    expect(new Map(await standings()).size).toBe(4)

    const plans = await call<Bundle>(partners.recovery, 'GET', '/fhir/CarePlan?status=active&_include=CarePlan:patient')
    const needs = await call<Bundle>(partners.recovery, 'GET', '/fhir/Condition')
    expect(plans.body.entry?.map(({ resource }) => resource?.resourceType).sort()).toEqual(['CarePlan', 'Patient'])
    expect(wordsIn(plans.text + needs.text)).toEqual(expect.arrayContaining(['identity', 'substance']))
    expect(wordsIn(plans.text + needs.text, ['sexualHealth', 'offence', 'unlabelled'])).toEqual([])

    const [task] = await find<Task>(partners.recovery, 'Task')
    const say = (status: string, businessStatus?: string) =>
      call<Task>(partners.recovery, 'PATCH', `/fhir/Task/${task?.id}`, [
        { op: 'replace', path: '/status', value: status },
        ...(businessStatus
          ? [{ op: 'add', path: '/businessStatus', value: { coding: [{ system: ours('handover-status'), code: businessStatus }] } }]
          : []),
      ])
    expect((await say('completed', 'engaged')).status).toBe(422)
    expect((await say('accepted')).status).toBe(200)
    expect((await say('in-progress')).status).toBe(200)
    expect((await say('completed', 'engaged')).status).toBe(200)
    expect(new Map(await standings()).get(partners.recovery)).toBe('completed engaged')

    const before = received.length
    const { probation: _, ...agreed } = usual
    const id = placeOf(kept.body, 'Consent').replace('Consent/', '')
    expect((await find(partners.probation, 'Patient')).length).toBe(1)
    const withdrawn = consentOf({ patient, agreed, id, at: '2026-04-02T08:05:00Z' })
    expect((await call('case-system', 'PUT', `/fhir/Consent/${id}`, withdrawn)).status).toBe(200)
    expect(await find(partners.probation, 'Patient')).toEqual([])
    await vi.waitUntil(() => received.length > before, soon)
    expect(received.slice(before).map(({ to }) => to)).toEqual([partners.probation])
    expect(received.at(-1)?.text).toContain('"revoked"')
    expect(wordsIn(received.at(-1)?.text as string)).toEqual([])
  })

  test('two records are made one, and two again: what the other’s person did not agree to is told to nobody, before and after', async () => {
    const carla = await call<Bundle>('case-system', 'POST', '/fhir', caseFor('Carla', { plan: ['recovery'] }))
    const dora = await call<Bundle>('case-system', 'POST', '/fhir', withoutPlan(caseFor('Dora', { agreed: null })))
    const [source, target] = [placeOf(carla.body, 'Patient'), placeOf(dora.body, 'Patient')]
    const told = async () => {
      // Without the plan: whoever has read it is asked to agree before it is taken back.
      const kinds = ['Patient', 'Condition', 'MedicationStatement', 'Observation', 'Flag', 'Task', 'ServiceRequest']
      const text = (await Promise.all(kinds.map((kind) => call(partners.recovery, 'GET', `/fhir/${kind}`)))).map((one) => one.text).join()
      return [isIn(text, 'Carla'), isIn(text, 'Dora')]
    }
    const decide = (path: string, ...parameter: object[]) =>
      call<Parameters>('case-system', 'POST', `/fhir/${path}`, { resourceType: 'Parameters', parameter })
    const both = [naming('source-patient', source), naming('target-patient', target)]
    const preview = await decide('Patient/$merge', ...both, { name: 'preview', valueBoolean: true })
    expect([preview.status, preview.text.includes('Only the record that goes has an agreement')]).toEqual([200, true])
    expect((await decide('Patient/$merge', ...both)).status).toBe(200)
    expect(await told()).toEqual([true, false])
    expect((await decide('Patient/$merge', ...both)).status).toBe(409)
    const agreed = consentOf({ patient: target, agreed: usual, at: '2026-04-03T09:00:00Z' })
    expect((await call('case-system', 'POST', '/fhir/Consent', agreed)).status).toBe(201)
    expect(await told()).toEqual([true, true])
    expect((await decide(`${source}/$unmerge`)).status).toBe(200)
    // Nobody knows whose that agreement was.
    expect(await told()).toEqual([false, false])
    const hers = consentOf({ patient: source, agreed: usual, at: '2026-04-03T10:00:00Z' })
    expect((await call('case-system', 'POST', '/fhir/Consent', hers)).status).toBe(201)
    expect(await told()).toEqual([true, false])
    const found = await find<Patient>('case-system', `Patient?identifier=${numbers.Dora[1]}`)
    expect(found.map(({ id }) => `Patient/${id}`)).toEqual([target])
  })

  test('a message that did not arrive is sent again by the cron, under its key', async () => {
    down.add(partners.enhanced)
    const second = caseBundle({ plan: ['enhanced'], tag: 'two', nhsNumber: '9990000743', noms: 'B2468CD' })
    expect((await call('case-system', 'POST', '/fhir', second)).status).toBe(200)
    await vi.waitUntil(async () => (await owed()).some(({ state, attempts }) => state === 'due' && attempts === 1), soon)

    down.clear()
    await database.atomically([statement(`update owed set due_at = '2026-04-02T08:00:00.000Z' where state = 'due'`)])
    await exports.default.scheduled({ cron: '* * * * *' })
    const [last] = (await owed()).slice(-1)
    expect(last).toMatchObject({ state: 'delivered', attempts: 2 })
    expect(received.map(({ to, key }) => [to, key])).toEqual([[partners.enhanced, last?.id]])
  })

  test('an event of HMPPS changes custody once; what a thin one does not say is looked up by the cron, and told', async () => {
    const fourth = caseBundle({ plan: ['enhanced'], tag: 'four', nhsNumber: '9990001154', noms: 'B4681CD' })
    expect((await call('case-system', 'POST', '/fhir', fourth)).status).toBe(200)
    const post = async (event: unknown) => {
      const { status, body } = await call<Acknowledged>('case-system', 'POST', '/events/hmpps', event, 'application/json')
      return [status, body.outcome, body.changed.flatMap(({ parts }) => parts)]
    }
    expect(await post(notification('KEY_DATES_AND_ADJUSTMENTS_PRISONER_RELEASE', 'B4681CD'))).toEqual([202, 'unchanged', []])
    await exports.default.scheduled({ cron: '* * * * *' })
    const [custody] = await find<Observation>('case-system', 'Observation?code=custody&_sort=-_lastUpdated')
    expect(custody && custodyIn(custody).releaseDate).toBe('2026-05-05')
    await vi.waitUntil(() => sentTo(partners.enhanced).some(({ text }) => text.includes('2026-05-05')), soon)

    const event = prisonEvent('released', { noms: 'B4681CD', code: 'CR' })
    expect(await post(envelope(event, 'w1'))).toEqual([202, 'changed', ['left', 'status']])
    expect(await post(event)).toEqual([202, 'repeat', []])
    // Said of nobody here, it waits for whoever it is about.
    const early = prisonEvent('released', { noms: 'B5792CD', code: 'CR', at: '2026-04-01T10:00:00+01:00' })
    expect(await post(early)).toEqual([202, 'nobody', []])
    const fifth = caseBundle({ plan: ['enhanced'], tag: 'seven', nhsNumber: '9990002223', noms: 'B5792CD' })
    expect((await call('case-system', 'POST', '/fhir', fifth)).status).toBe(200)
    expect(await database.query(statement(`select event from event_number`))).toEqual([])
    const left = (await find<Observation>('case-system', 'Observation?code=custody')).map((one) => custodyIn(one).left)
    expect(left).toContain('2026-04-01')
    const open = await database.query<{ reason: string }>(
      statement(`select reason from work_item where resolved_at is null and reason like 'hmpps%'`),
    )
    expect(open).toEqual([])
  })

  test('somebody is handed over to another service of the gateway, taken on there, and kept there whatever is said here', async () => {
    const about = { plan: [], tag: 'five', nhsNumber: '9990002002', noms: 'B5791CD', releaseDate: '2026-04-20' }
    const kept = await call<Bundle>('case-system', 'POST', '/fhir', transferBundle(there, about))
    expect(kept.status).toBe(200)
    const asked = async () => new Map(await standings()).get(there)
    await vi.waitUntil(async () => (await asked()) === 'received acknowledged', soon)
    const other = clientOf('other-system')
    expect(JSON.stringify(await other.find('Patient'))).toContain(`${words.identity}five`)
    expect(wordsIn(JSON.stringify(await other.find('Condition')))).toContain('mentalHealth')

    await takeOn(other, 'other-service')
    await vi.waitUntil(async () => (await asked()) === 'accepted accepted', soon)
    const phase = async (client: string) =>
      JSON.stringify((await find<ServiceRequest>(client, 'ServiceRequest')).map(({ extension }) => extension?.at(-1)?.valueCoding?.code))
    expect(await phase('case-system')).toContain('transferred')

    const id = placeOf(kept.body, 'Consent').replace('Consent/', '')
    const withdrawn = consentOf({ patient: placeOf(kept.body, 'Patient'), agreed: {}, id, at: '2026-04-02T08:05:00Z' })
    expect((await call('case-system', 'PUT', `/fhir/Consent/${id}`, withdrawn)).status).toBe(200)
    const open = () =>
      database.query<{ reason: string }>(statement(`select reason from work_item where service = 'other-service' and resolved_at is null`))
    await vi.waitUntil(async () => (await open()).some(({ reason }) => reason === 'sender-stopped'), soon)
    expect(await phase('other-system')).toContain('pre-release')
    expect(await database.query(statement(`select 1 from owed where state = 'parked'`))).toEqual([])
  })

  test('taken back before it is taken on: nothing of it stays with the other service', async () => {
    const about = { plan: [], tag: 'six', nhsNumber: '9990002010', noms: 'B6802CD', releaseDate: '2026-04-20' }
    const kept = await call<Bundle>('case-system', 'POST', '/fhir', transferBundle(there, about))
    const told = async () => (await find<{ id: string }>('other-system', 'Condition')).length
    const before = await told()
    await vi.waitUntil(async () => (await told()) > before, soon)
    const id = placeOf(kept.body, 'Consent').replace('Consent/', '')
    const withdrawn = consentOf({ patient: placeOf(kept.body, 'Patient'), agreed: {}, id, at: '2026-04-02T08:05:00Z' })
    expect((await call('case-system', 'PUT', `/fhir/Consent/${id}`, withdrawn)).status).toBe(200)
    await vi.waitUntil(async () => (await told()) === before, soon)
  })

  test('a turn of the clock sends what falls due on the way, before it answers', async () => {
    const third = caseBundle({ plan: ['practice'], releaseDate: '2026-05-15', tag: 'three', nhsNumber: '9990001111', noms: 'B3579CD' })
    expect((await call('case-system', 'POST', '/fhir', third)).status).toBe(200)
    expect(received).toEqual([])
    const turned = await exports.default.fetch(`${publicUrl}/clock`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ to: '2026-05-01T08:00:00Z' }),
    })
    expect(turned.status).toBe(200)
    const about = sentTo(partners.practice).filter(({ text }) => text.includes(`${words.identity}three`))
    // The practice does not answer meanwhile, so that it is reminded.
    expect(about.filter(({ text }) => text.includes('"display":"New"'))).toHaveLength(1)
  })
})

/** The four partners of the case, of whom the recovery service is sent nothing and pulls; and a key for every client. */
async function aDirectory() {
  const key = async (id: string) => {
    const pair = await generateKeyPair('ES384')
    keys.set(id, pair.privateKey)
    return { keys: [{ ...(await exportJWK(pair.publicKey)), kid: id }] }
  }
  const kinds = {
    practice: 'gp-registration',
    recovery: 'substance-misuse',
    probation: 'probation',
    enhanced: 'enhanced-reconnect',
  } as const
  const clients = Object.values(partners).map(async (id) => ({
    id,
    role: 'partner',
    partner: id,
    jwks: await key(id),
    scope: 'system/*.rs system/Task.rus',
  }))
  const said = {
    services: [
      { id: 'tees-valley', name: 'RECONNECT Tees Valley', prisons: ['HHI'], enhanced: true },
      { id: 'other-service', name: 'RECONNECT Elsewhere', prisons: [] },
    ],
    partners: [
      ...sideBySidePartners(),
      ...Object.entries(partners).map(([name, id]) => ({
        id,
        kind: kinds[name as keyof typeof kinds],
        name: `Partner ${name}`,
        channel: name === 'recovery' ? { name: 'pull' } : { name: 'fhir-message', url: `https://${id}.test/fhir` },
        deduplicates: true,
      })),
    ],
    clients: [
      { id: 'case-system', role: 'service', service: 'tees-valley', jwks: await key('case-system'), scope: 'system/*.cruds' },
      { id: 'other-system', role: 'service', service: 'other-service', jwks: await key('other-system'), scope: 'system/*.cruds' },
      ...(await Promise.all(clients)),
    ],
  }
  const read = readDirectory(JSON.stringify(said), { adapters, channels, secrets: { env: {}, readText: () => '' } })
  if ('faults' in read) throw new Error(read.faults.join('\n'))
  return read.directory
}

async function tokenOf(client: string): Promise<string> {
  const known = tokens.get(client)
  if (known) return known
  const assertion = await new SignJWT()
    .setProtectedHeader({ alg: 'ES384', kid: client })
    .setIssuer(client)
    .setSubject(client)
    .setAudience(`${publicUrl}/oauth/token`)
    .setJti(crypto.randomUUID())
    .setExpirationTime('4 minutes')
    .sign(keys.get(client) as CryptoKey)
  const answer = await exports.default.fetch(`${publicUrl}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    }),
  })
  const { access_token: token } = (await answer.json()) as { access_token: string }
  tokens.set(client, token)
  return token
}

async function call<Body>(client: string, method: string, path: string, body?: unknown, type = 'application/fhir+json') {
  const answer = await exports.default.fetch(`${publicUrl}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${await tokenOf(client)}`,
      'content-type': method === 'PATCH' ? 'application/json-patch+json' : type,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, text, body: JSON.parse(text) as Body }
}

/** What the fixtures speak to. */
const clientOf = (client: string): Client =>
  ({
    call: (method: string, path: string, body?: unknown) => call(client, method, path, body),
    find: (type: string) => find(client, type),
  }) as unknown as Client

const find = async <T>(client: string, path: string): Promise<T[]> =>
  ((await call<Bundle>(client, 'GET', `/fhir/${path}`)).body.entry ?? []).map(({ resource }) => resource as T)

/** Each handover's owner, and where it stands as the service sees it. */
const standings = async () =>
  (await find<Task>('case-system', 'Task')).map(
    ({ owner, status, businessStatus }) =>
      [owner?.reference?.replace('Organization/', ''), `${status} ${businessStatus?.coding?.[0]?.code}`] as const,
  )

const placeOf = (response: Bundle, type: string): string =>
  response.entry?.flatMap((one) => one.response?.location?.match(new RegExp(`${type}/[^/]+`))?.[0] ?? [])[0] as string

const owed = () =>
  database.query<{ id: string; state: string; attempts: number }>(statement('select id, state, attempts from owed order by seq'))
