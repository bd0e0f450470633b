/**
 * The master key is changed under a gateway that runs: a process of its own, that people are handed in to and read from all the while.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bundle } from '@medplum/fhirtypes'
import { afterAll, expect, test } from 'vitest'
import { createClient } from '../../crash/client.ts'
import { createMoments } from '../../crash/moments.ts'
import { caseSystems, directory, newPerson } from '../../crash/people.ts'
import { createServerIn } from '../../crash/server.ts'
import { wordsIn } from '../fixtures/case-bundle.ts'

const folder = mkdtempSync(join(tmpdir(), 'rotate-'))
const temporary = join(folder, 'tmp')
mkdirSync(temporary)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const former = Buffer.alloc(32, 5).toString('base64')
const fresh = Buffer.alloc(32, 6).toString('base64')

test('nobody waits or is lost while every key is wrapped anew, and afterwards the former master key opens nothing', {
  timeout: 120_000,
}, async () => {
  // Nobody listens there: the messages stay owed, under keys of their own.
  const server = await createServerIn(folder, directory('http://127.0.0.1:9'))
  const client = createClient(server, createMoments())
  const { id } = caseSystems[0]
  const patients: string[] = []
  const statuses = new Set<number | undefined>()
  const handIn = async () => {
    const { bundle } = newPerson(patients.length, caseSystems[0], () => 0)
    const answer = await client.send(id, { method: 'POST', path: '/fhir', body: bundle, id: crypto.randomUUID() }, 1)
    statuses.add(answer?.status)
    const location = (JSON.parse(answer?.text ?? '{}') as Bundle).entry?.[0]?.response?.location
    patients.push(location?.replace(/^.*\/fhir\/|\/_history.*$/g, '') ?? '')
  }
  const read = async (place: string) => (await client.send(id, { method: 'GET', path: `/fhir/${place}` }, 1))?.status
  const start = async (masterKeys: string) => {
    server.besides = { MASTER_KEY: masterKeys, LOG_LEVEL: 'debug', TMPDIR: temporary }
    server.spawn()
    await server.ready()
  }
  try {
    await start(former)
    for (let n = 0; n < 3; n++) await handIn()
    await server.stop()

    await start(`${fresh},${former}`)
    server.forgetToken(id)
    let going = true
    const traffic = (async () => {
      while (going) {
        await handIn()
        statuses.add(await read(patients[0] as string))
      }
    })()
    const { rotated } = JSON.parse(await server.reconnect('keys', 'rotate', '--json')) as { rotated: number }
    expect(rotated).toBeGreaterThan(3)
    going = false
    await traffic
    expect(JSON.parse(await server.reconnect('keys', 'rotate', '--json'))).toMatchObject({ rotated: 0 })
    expect([...statuses]).toEqual([200])
    expect(patients.length).toBeGreaterThan(4)
    await server.stop()

    await start(fresh)
    server.forgetToken(id)
    for (const place of patients) expect([place, await read(place)]).toEqual([place, 200])
    await server.kill()

    // Killed as it was, with its log as long as it likes: neither says a word of anybody, nor does what it left lying about.
    const files = readdirSync(folder).filter((name) => name.startsWith('exchange.db'))
    expect(files).toEqual(['exchange.db', 'exchange.db-shm', 'exchange.db-wal'])
    for (const name of files) expect([name, wordsIn(readFileSync(join(folder, name), 'latin1'))]).toEqual([name, []])
    expect(server.said()).toContain('ready')
    expect(wordsIn(server.said())).toEqual([])
    expect(readdirSync(temporary)).toEqual([])

    await expect(start(former)).rejects.toThrow(/not the one this database was sealed with/)
  } finally {
    client.close()
    await server.stop().catch(() => undefined)
  }
})
