/**
 * Two gateways, each with its own service, database and keys, speak to each other over HTTP: one hands somebody over, the other takes
 * them in as a referral and answers.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bundle, Resource, ServiceRequest, Task } from '@medplum/fhirtypes'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { type KeyPair, newKeys, openClient, type Client as SmartClient } from '../../src/demo/client.ts'
import { startGateway } from '../../src/gateway.ts'
import { words } from '../fixtures/case-bundle.ts'
import { type Client, of, standing } from '../fixtures/gateway.ts'
import { takeOn, transferBundle } from '../fixtures/transfer.ts'

const folder = mkdtempSync(join(tmpdir(), 'two-gateways-'))
type Side = { url: string; service: SmartClient; stop(): Promise<void>; owed(): Promise<string[]> }
let home: Side
let away: Side

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
}, 30_000)
afterAll(async () => {
  await Promise.all([home?.stop(), away?.stop()])
  rmSync(folder, { recursive: true, force: true })
}, 30_000)

const find = async <T extends Resource['resourceType']>(side: Side, type: T) =>
  of(await side.service.call<Bundle>('GET', `/fhir/${type}?_count=200`), type)
const handover = async () => (await find(home, 'Task')).find(({ owner }) => owner?.reference === 'Organization/reconnect-plymouth') as Task
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

const referral = async () =>
  (await find(home, 'ServiceRequest')).find(({ code }) => code?.coding?.[0]?.code === 'reconnect') as ServiceRequest

/** A gateway of one service, with the other as partner, referrer and answering partner. */
async function start(
  name: string,
  port: number,
  own: KeyPair,
  given: {
    service: { id: string; name: string; ods: string; prisons: string[] }
    partner: { id: string; ods: string; name: string; channel: object }
    refers: { id: string; name: string; ods: string }
    answers: string
    theirKey: JWK
  },
): Promise<Side> {
  const { service, partner, refers, answers, theirKey } = given
  const directory = join(folder, `${name}.json`)
  const jwks = { keys: [theirKey] }
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
      MASTER_KEY: randomBytes(32).toString('base64'),
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
    stop,
    owed: async () => {
      const { owedIn } = await import('../../src/store/owed.ts')
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
