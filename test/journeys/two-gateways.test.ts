/**
 * Two gateways, each with its own service, database and keys, speak to each other over HTTP: one hands somebody over, the other takes
 * them in as a referral and answers.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bundle, Resource, ServiceRequest, Task } from '@medplum/fhirtypes'
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { type KeyPair, newKeys, openClient, type Client as SmartClient } from '../../src/demo/client.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import { sendAgain } from '../../src/exchange/resend.ts'
import { messageEvents, ours } from '../../src/fhir/systems.ts'
import { startGateway } from '../../src/gateway.ts'
import { owedIn } from '../../src/store/owed.ts'
import { openWork } from '../../src/store/work-items.ts'
import { words } from '../fixtures/case-bundle.ts'
import { type Client, of, standing } from '../fixtures/gateway.ts'
import { takeOn, transferBundle } from '../fixtures/transfer.ts'

const folder = mkdtempSync(join(tmpdir(), 'two-gateways-'))
type Side = {
  url: string
  service: SmartClient
  exchange: Exchange
  stop(): Promise<void>
  /** The same gateway, started anew on what it has. */
  again(): Promise<Side>
  owed(): Promise<string[]>
}
let home: Side
let away: Side
/** Plymouth's gateway, as it answers. */
let answering: SmartClient

beforeAll(async () => {
  const [portHere, portThere] = [await freePort(), await freePort()]
  const url = (port: number) => `http://127.0.0.1:${port}`
  const [tees, plymouth] = [await gatewayKeys(), await gatewayKeys()]
  const services = { tees: await newKeys(), plymouth: await newKeys() }
  const reachedBy = (port: number, keys: Awaited<ReturnType<typeof gatewayKeys>>, client: string, answersAs: string) => ({
    name: 'fhir-message',
    url: `${url(port)}/fhir`,
    smart: { client, answersAs, key: keys.private },
  })
  home = await start('home', portHere, services.tees, {
    service: { id: 'tees-valley', name: 'RECONNECT Tees Valley', ods: 'RXTV', prisons: ['HHI'] },
    partner: {
      id: 'reconnect-plymouth',
      ods: 'RXPL',
      name: 'RECONNECT Plymouth',
      channel: reachedBy(portThere, tees, 'tees-refers', 'tees-answers'),
    },
    refers: { id: 'plymouth-refers', name: 'RECONNECT Plymouth', ods: 'RXPL' },
    answers: 'plymouth-answers',
    theirKey: plymouth.public,
  })
  away = await start('away', portThere, services.plymouth, {
    service: { id: 'plymouth', name: 'RECONNECT Plymouth', ods: 'RXPL', prisons: [] },
    partner: {
      id: 'reconnect-tees',
      ods: 'RXTV',
      name: 'RECONNECT Tees Valley',
      channel: reachedBy(portHere, plymouth, 'plymouth-refers', 'plymouth-answers'),
    },
    refers: { id: 'tees-refers', name: 'RECONNECT Tees Valley', ods: 'RXTV' },
    answers: 'tees-answers',
    theirKey: tees.public,
  })
  const privateKey = (await importJWK(JSON.parse(plymouth.private) as JWK, 'ES384')) as CryptoKey
  answering = openClient(home.url, 'plymouth-answers', { privateKey, publicKey: plymouth.public }, 'system/*.cruds')
}, 30_000)
afterAll(async () => {
  await Promise.all([home?.stop(), away?.stop()])
  rmSync(folder, { recursive: true, force: true })
}, 30_000)

const find = async <T extends Resource['resourceType']>(side: Side, type: T) =>
  of(await side.service.call<Bundle>('GET', `/fhir/${type}?_count=200`), type)
/** The latest. */
const handover = async () =>
  (await find(home, 'Task'))
    .filter(({ owner }) => owner?.reference === 'Organization/reconnect-plymouth')
    .sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1))
    .at(-1) as Task
const turn = async ({ url }: Side, advance: string) => {
  const headers = { 'content-type': 'application/json' }
  expect((await fetch(`${url}/clock`, { method: 'POST', headers, body: JSON.stringify({ advance }) })).status).toBe(200)
}
const until = (what: () => Promise<unknown>, is: unknown) => expect.poll(what, { timeout: 15_000, interval: 100 }).toEqual(is)

test('a person handed over between gateways is taken in as a referral, answered, and taken on', async () => {
  await home.service.call(
    'POST',
    '/fhir',
    transferBundle('reconnect-plymouth', { releaseDate: '2026-04-20', plan: [], except: ['sexual-health'] }),
  )
  await until(async () => standing(await handover()), 'received acknowledged')

  const [person] = await find(away, 'Patient')
  expect(person?.name?.[0]?.family).toBe(words.identity)
  expect(JSON.stringify(await find(away, 'Condition'))).toContain(words.mentalHealth)
  expect(JSON.stringify(await find(away, 'Condition'))).not.toContain(words.sexualHealth)
  expect((await find(away, 'CarePlan')).map(({ status }) => status)).toEqual(['draft'])
  expect((await referral()).status).toBe('active')

  await takeOn(asTestClient(away), 'plymouth')
  await until(async () => standing(await handover()), 'accepted accepted')
  await until(async () => (await referral()).status, 'completed')
  expect([await home.owed(), await away.owed()]).toEqual([[], []])
}, 40_000)

test('the same yes again changes nothing, and a word that comes too late is refused with where the handover stands', async () => {
  const { id } = await handover()
  const say = (status: Task['status'], code: string) => {
    const task = {
      resourceType: 'Task',
      id,
      status,
      intent: 'order',
      businessStatus: { coding: [{ system: ours('handover-status'), code }] },
    }
    const header = {
      resourceType: 'MessageHeader',
      eventCoding: { system: messageEvents, code: 'servicerequest-response' },
      source: { endpoint: away.url },
      response: { identifier: id, code: 'ok' },
    }
    const entry = [header, task].map((resource) => ({ fullUrl: `urn:uuid:${randomUUID()}`, resource }))
    return answering.call('POST', '/fhir/$process-message', { resourceType: 'Bundle', id: randomUUID(), type: 'message', entry })
  }
  for (let times = 0; times < 2; times++) await say('accepted', 'accepted')
  await expect(say('received', 'acknowledged')).rejects.toThrow(/can not be moved there/)
  expect(standing(await handover())).toBe('accepted accepted')
  expect((await referral()).status).toBe('completed')
}, 20_000)

test('the other gateway is down for four days: a person is asked, this service stays responsible, and it arrives when it is sent after all', async () => {
  await away.stop()
  const second = { releaseDate: '2026-05-15', plan: [], tag: 'two', nhsNumber: '9990000743', noms: 'B2468CD' }
  await home.service.call('POST', '/fhir', transferBundle('reconnect-plymouth', second))
  await turn(home, 'P4D')
  expect(standing(await handover())).toMatch(/^requested/)
  const parked = await owedIn(home.exchange.database, 'parked')
  expect(parked.map(({ note }) => note)).toEqual([expect.stringContaining('tried for 72 hours')])
  expect((await openWork(home.exchange.database, 'tees-valley')).map(({ reason }) => reason)).toContain('parked')
  expect((await find(home, 'ServiceRequest')).map(({ status }) => status)).toContain('active')

  away = await away.again()
  expect(await sendAgain(home.exchange, parked[0]?.id as string, 'duty-lead')).toMatchObject({ outcome: 'due' })
  await turn(home, 'PT1H')
  await until(async () => standing(await handover()), 'received acknowledged')
  expect((await find(away, 'Patient')).map(({ name }) => name?.[0]?.family)).toContain(`${words.identity}two`)
}, 60_000)

test('nobody says yes for weeks: each reminder arrives, and is nothing new over there', async () => {
  const third = { releaseDate: '2026-05-20', plan: [], tag: 'three', nhsNumber: '9990000379', noms: 'B3579CD' }
  await home.service.call('POST', '/fhir', transferBundle('reconnect-plymouth', third))
  await until(async () => standing(await handover()), 'received acknowledged')
  await turn(away, 'P40D')
  await turn(home, 'P30D')
  const { database } = home.exchange
  const delivered = async () => (await owedIn(database, 'delivered')).filter(({ reason }) => reason === 'reminder').length
  expect(await delivered()).toBeGreaterThan(0)
  expect((await owedIn(database, 'parked')).map(({ note }) => note)).toEqual([])
}, 60_000)

const referral = async () =>
  (await find(home, 'ServiceRequest')).find(({ code }) => code?.coding?.[0]?.code === 'reconnect') as ServiceRequest

/** A gateway of one service, with the other as partner, referrer and answering partner. */
type Given = {
  service: { id: string; name: string; ods: string; prisons: string[] }
  partner: { id: string; ods: string; name: string; channel: object }
  refers: { id: string; name: string; ods: string }
  answers: string
  theirKey: JWK
}
const masterKeys = new Map<string, string>()
async function start(name: string, port: number, own: KeyPair, given: Given): Promise<Side> {
  const { service, partner, refers, answers, theirKey } = given
  const directory = join(folder, `${name}.json`)
  const jwks = { keys: [theirKey] }
  const masterKey = masterKeys.get(name) ?? randomBytes(32).toString('base64')
  masterKeys.set(name, masterKey)
  writeFileSync(
    directory,
    JSON.stringify({
      services: [service],
      partners: [{ ...partner, kind: 'reconnect-service', deduplicates: true }],
      clients: [
        { id: 'case-system', role: 'service', service: service.id, jwks: { keys: [own.publicKey] }, scope: 'system/*.cruds' },
        { ...refers, role: 'referrer', referrerType: 'reconnect-service', jwks, scope: 'system/*.cruds' },
        { id: answers, role: 'partner', partner: partner.id, jwks, scope: 'system/*.cruds' },
      ],
    }),
  )
  const read = readConfig(
    {
      PORT: String(port),
      DATA_DIR: join(folder, name),
      DIRECTORY: directory,
      LOG_LEVEL: 'error',
      MASTER_KEY: masterKey,
      CLOCK: 'manual:2026-04-02T08:00:00Z',
    },
    (path) => readFileSync(path, 'utf8'),
  )
  if ('faults' in read) throw new Error(read.faults.join(' '))
  const started = await startGateway(read.config, { log: () => undefined })
  if ('faults' in started) throw new Error(started.faults.join(' '))
  const { open, stop } = started.gateway
  const url = `http://127.0.0.1:${port}`
  return {
    url,
    service: openClient(url, 'case-system', own, 'system/*.cruds'),
    exchange: open.exchange,
    stop,
    again: () => start(name, port, own, given),
    owed: async () => {
      return [...(await owedIn(open.exchange.database, 'due')), ...(await owedIn(open.exchange.database, 'parked'))].map(
        ({ note }) => note ?? 'due',
      )
    },
  }
}

/** What the fixtures speak to. */
const asTestClient = (side: Side): Client =>
  ({
    call: async (method: string, path: string, body?: unknown) => ({
      status: 200,
      text: '',
      body: await side.service.call(method, path, body),
    }),
    find: (type: Resource['resourceType']) => find(side, type),
  }) as unknown as Client

async function gatewayKeys() {
  const { privateKey, publicKey } = await generateKeyPair('ES384', { extractable: true })
  const kid = randomBytes(8).toString('hex')
  return {
    private: JSON.stringify({ ...(await exportJWK(privateKey)), kid }),
    public: { ...(await exportJWK(publicKey)), kid, alg: 'ES384', use: 'sig' } as JWK,
  }
}

/** A port nobody listens on. */
function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => done(port))
    })
  })
}
