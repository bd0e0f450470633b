/**
 * Every request of `docs/api.md` works as it stands: run in order, against a gateway on a real port, with tokens from its own snippet.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Parcel } from '../../src/channel.ts'
import fhirMessage from '../../src/channels/fhir-message.ts'
import pull from '../../src/channels/pull.ts'
import { readConfig } from '../../src/config.ts'
import { searchParameters } from '../../src/fhir/search-parameters.ts'
import { type Gateway, startGateway } from '../../src/gateway.ts'
import { operations } from '../../src/http/operations.ts'
import { noLog } from '../../src/log.ts'
import { type Exchanged, filesOf, filledIn, held, type Names, requestsOf } from '../fixtures/api-doc.ts'

const home = new URL('../../', import.meta.url)
const page = readFileSync(new URL('docs/api.md', home), 'utf8')
const files = filesOf(page)
const folder = mkdtempSync(join(tmpdir(), 'reconnect-api-doc-'))

/** Runs a snippet as a reader would: `node name.mjs args`, in a folder where jose is installed. */
async function node(name: string, ...args: string[]): Promise<string> {
  const running = promisify(execFile)(process.execPath, ['--input-type=module', '-', ...args], {
    cwd: fileURLToPath(home),
    timeout: 15_000,
  })
  running.child.stdin?.end(files[name])
  return (await running).stdout.trim()
}

let gateway: Gateway
let base: string
const sent: Parcel[] = []
let names: Names = {}

beforeAll(async () => {
  const port = await freePort()
  base = `http://127.0.0.1:${port}`
  const directory = JSON.parse(files['directory.json'] as string)
  for (const client of directory.clients)
    client.jwks = { keys: [JSON.parse(await node('new-key.mjs', join(folder, `${client.id}.key.json`)))] }
  writeFileSync(join(folder, 'directory.json'), JSON.stringify(directory))
  const read = readConfig(
    {
      PORT: String(port),
      DATA_DIR: folder,
      DIRECTORY: join(folder, 'directory.json'),
      MASTER_KEY: Buffer.alloc(32, 5).toString('base64'),
      CLOCK: 'manual:2026-03-02T09:00:00Z',
    },
    () => '',
  )
  if ('faults' in read) throw new Error(read.faults.join('\n'))
  const channels = new Map([pull, { ...fhirMessage, send }].map((channel) => [channel.name, channel]))
  const started = await startGateway(read.config, { log: noLog, channels })
  if ('faults' in started) throw new Error(started.faults.join('\n'))
  gateway = started.gateway
})
afterAll(async () => {
  await gateway?.stop()
  rmSync(folder, { recursive: true, force: true })
})
async function send(parcel: Parcel) {
  sent.push(parcel)
  return { outcome: 'accepted' as const, receipt: 'taken' }
}

const [first, ...others] = requestsOf(page).map((one) => [`${one.asked.method} ${one.asked.path} (line ${one.line})`, one] as const)

/** What is shown holds, and what it shows for the first time is known from now on. */
function holds(shown: unknown, is: unknown) {
  const known = held(shown, is, names)
  if (!known) expect(is).toMatchObject(shown as object)
  names = known as Names
}
async function works(_: string, one: Exchanged) {
  const is = await ask(one)
  expect(one.shown, 'each request has its answer below it').toBeDefined()
  holds(one.shown, is)
}

describe('every request of the page', () => {
  test.each([first as NonNullable<typeof first>])('%s', works)

  test('the message its partner was sent is the one the page shows', () => {
    const body = sent[0]?.body ?? 'null'
    holds(JSON.parse(files['message.json'] as string), JSON.parse(body))
    expect(body).not.toContain('Opioid')
    expect(sent[0]?.key).toBe(names.message)
  })

  test.each(others)('%s', works)
})

test('the page has every search parameter there is, and no other', () => {
  const rows = [...page.matchAll(/^\| ([A-Z]\w+) \| ((?:token|string|reference|date|uri): .*) \|$/gm)]
  const shown = rows.map(([, type, list = '']) => [type, [...list.matchAll(/`([^`]+)`/g)].map(([, name]) => name).sort()])
  expect(Object.fromEntries(shown)).toEqual(
    Object.fromEntries(Object.entries(searchParameters).map(([type, parameters]) => [type, Object.keys(parameters).sort()])),
  )
})

test('the page names every operation there is', () => {
  for (const name of Object.keys(operations)) expect(page).toContain(`$${name}`)
})

async function ask({ asked: { method, path, headers, body } }: Exchanged) {
  const file = /^< (\S+)$/.exec(body ?? '')?.[1]
  const text = file === undefined ? body : files[file]
  const said = Object.fromEntries(
    await Promise.all(Object.entries(headers).map(async ([name, value]) => [name, filledIn(value, await tokenFor(value))])),
  )
  const response = await fetch(base + filledIn(path, names), {
    method,
    headers: said,
    ...(text === undefined ? {} : { body: filledIn(text, names) }),
  })
  const answer = await response.text()
  await gateway.open.deliverer.idle()
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    ...(answer ? { body: /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(answer) : answer } : {}),
  }
}

/** `Bearer {{case-system}}` is a token of that client: one each, they last longer than this test. */
async function tokenFor(value: string): Promise<Names> {
  const client = /^Bearer \{\{([\w-]+)\}\}$/.exec(value)?.[1]
  if (client === undefined) return names
  tokens[client] ??= await node('token.mjs', base, client, join(folder, `${client}.key.json`))
  return tokens
}
const tokens: Record<string, string> = {}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  await new Promise((done) => server.close(done))
  return port
}
