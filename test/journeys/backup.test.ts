/**
 * The database copied while people are handed in, put back elsewhere and read; by the commands themselves, each in a process of its own.
 */
import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSqlite } from '../../src/store/sqlite.ts'
import { caseBundle, partners, wordsIn } from '../fixtures/case-bundle.ts'
import { type Gateway, masterKey, openGateway } from '../fixtures/gateway.ts'

const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
let folder: string
let elsewhere: string
let gateway: Gateway
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reconnect-backup-'))
  elsewhere = join(folder, 'elsewhere')
  gateway = await openGateway({ database: openSqlite(join(folder, 'exchange.db')) })
})
afterEach(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

type Said = { exit: number | null; out: string; err: string }
/** In another process, as somebody at a terminal does. */
const reconnect = (args: string[], env: Record<string, string> = {}): Promise<Said> =>
  new Promise((done) => {
    const child = spawn(process.execPath, [entry, ...args], {
      env: { DATA_DIR: folder, MASTER_KEY: Buffer.from(masterKey).toString('base64'), ...env },
    })
    const said: Said = { exit: null, out: '', err: '' }
    child.stdout.on('data', (bytes: Buffer) => {
      said.out += bytes
    })
    child.stderr.on('data', (bytes: Buffer) => {
      said.err += bytes
    })
    child.once('close', (exit) => done({ ...said, exit }))
  })
const copyIn = (name = 'copy.db') => join(folder, name)
const byPatient = async (of: Gateway, ref: string) => {
  const { status, body } = await of.service.call('GET', `/fhir/${ref}`)
  return [status, body]
}

test('a copy taken while people are handed in holds everything that was acknowledged before; put back elsewhere it is read as it was', async () => {
  gateway.partner('recovery').answers = 'unreachable'
  const before = []
  for (let n = 0; n < 5; n++) before.push(await gateway.handIn(caseBundle({ plan: ['recovery', 'probation'] })))
  const owed = (await gateway.owed('due')).length

  let going = true
  let meanwhile = 0
  const traffic = (async () => {
    while (going) {
      await gateway.handIn(caseBundle({ plan: ['probation'] }))
      meanwhile++
      await new Promise((done) => setTimeout(done, 1))
    }
  })()
  // Without the master key: whoever keeps backups need not have it.
  const backup = await reconnect(['backup', copyIn(), '--json'], { MASTER_KEY: '' })
  going = false
  await traffic
  expect(backup).toMatchObject({ exit: 0, err: '' })
  expect(meanwhile).toBeGreaterThan(0)
  const said = JSON.parse(backup.out) as { integrity: string; bytes: number; contents: { people: number; unsettled: number } }
  expect(said).toMatchObject({ integrity: 'ok', bytes: statSync(copyIn()).size })
  expect(said.contents.people).toBeGreaterThanOrEqual(before.length)
  expect(said.contents.people).toBeLessThanOrEqual(before.length + meanwhile)
  expect(said.contents.unsettled).toBeGreaterThanOrEqual(owed)
  expect(statSync(copyIn()).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder).filter((name) => name.startsWith('copy.db'))).toEqual(['copy.db'])
  expect(wordsIn(readFileSync(copyIn(), 'latin1'))).toEqual([])

  const restored = await reconnect(['restore', copyIn()], { DATA_DIR: elsewhere })
  expect(restored).toMatchObject({ exit: 0, out: expect.stringMatching(/is the database now: whole, and open to the master key/) })
  expect(readdirSync(elsewhere)).toEqual(['exchange.db'])
  const other = await openGateway({ database: openSqlite(join(elsewhere, 'exchange.db')) })
  try {
    for (const at of before)
      for (const ref of [at.Patient, at.CarePlan, at.Consent] as string[])
        expect(await byPatient(other, ref)).toEqual(await byPatient(gateway, ref))
    other.partner('recovery').answers = 200
    await other.turn('PT8H')
    expect(new Set(other.partner('recovery').received.map(({ key }) => key)).size).toBe(owed)
  } finally {
    await other.close()
  }
})

test('what was delivered after the backup is repeated under its old key with the same bytes, and never to a partner that can not tell a repeat', async () => {
  await gateway.apply((file) => {
    for (const partner of file.partners) if (partner.id === partners.probation) partner.deduplicates = false
  })
  for (const name of ['recovery', 'probation'] as const) gateway.partner(name).answers = 'unreachable'
  await gateway.handIn(caseBundle({ plan: ['recovery', 'probation'] }))
  expect(await reconnect(['backup', copyIn()])).toMatchObject({ exit: 0 })
  for (const name of ['recovery', 'probation'] as const) gateway.partner(name).answers = 200
  await gateway.turn('PT8H')
  expect(await gateway.owed('due')).toEqual([])

  expect(await reconnect(['restore', copyIn()], { DATA_DIR: elsewhere })).toMatchObject({ exit: 0 })
  const other = await openGateway({
    database: openSqlite(join(elsewhere, 'exchange.db')),
    directory: (file) => {
      for (const partner of file.partners) if (partner.id === partners.probation) partner.deduplicates = false
    },
  })
  try {
    await other.turn('PT8H')
    const [first] = gateway.partner('recovery').received
    expect(other.partner('recovery').received.map(({ key, text }) => [key, text])).toEqual([[first?.key, first?.text]])
    expect(other.partner('probation').received).toEqual([])
    const [waiting] = await other.owed('parked')
    expect([waiting?.id, waiting?.partner]).toEqual([gateway.partner('probation').received[0]?.key, partners.probation])
    expect((await other.work()).map(({ about }) => about)).toContain(`parked:${waiting?.id}`)
  } finally {
    await other.close()
  }
})

test('while a gateway works on it, and without --replace, the database stays what it is', async () => {
  const at = await gateway.handIn(caseBundle())
  await reconnect(['backup', copyIn()])
  const later = await gateway.handIn(caseBundle())
  const running = await reconnect(['restore', copyIn(), '--replace'])
  expect(running).toMatchObject({ exit: 1, err: expect.stringMatching(/A gateway works on this database: stop it first/) })
  expect((await gateway.service.call('GET', `/fhir/${later.Patient}`)).status).toBe(200)
  await gateway.handIn(caseBundle())

  await gateway.close()
  const there = await reconnect(['restore', copyIn()])
  expect(there).toMatchObject({ exit: 1, err: expect.stringMatching(/There is a database in .*--replace/) })
  const done = await reconnect(['restore', copyIn(), '--replace', '--json'])
  expect(done).toMatchObject({ exit: 0, err: '' })
  const { replaced } = JSON.parse(done.out) as { replaced: string }

  gateway = await openGateway({ database: openSqlite(join(folder, 'exchange.db')) })
  expect((await gateway.service.call('GET', `/fhir/${at.Patient}`)).status).toBe(200)
  expect((await gateway.service.call('GET', `/fhir/${later.Patient}`)).status).toBe(404)
  const aside = await openGateway({ database: openSqlite(replaced) })
  expect((await aside.service.call('GET', `/fhir/${later.Patient}`)).status).toBe(200)
  await aside.close()
})

test('what is damaged, sealed with another master key, no exchange’s or half a copy never takes the place', async () => {
  await gateway.handIn(caseBundle())
  await reconnect(['backup', copyIn()])
  const attempt = async (file: string, env = {}) => reconnect(['restore', file], { DATA_DIR: elsewhere, ...env })

  const otherKey = { MASTER_KEY: Buffer.alloc(32, 3).toString('base64') }
  expect(await attempt(copyIn(), otherKey)).toMatchObject({ exit: 1, err: expect.stringMatching(/MASTER_KEY is not the one this backup/) })
  const bytes = readFileSync(copyIn())
  writeFileSync(copyIn('damaged.db'), bytes.fill(0x5a, 4096 * 3, 4096 * 9))
  expect(await attempt(copyIn('damaged.db'))).toMatchObject({ exit: 1, err: expect.stringMatching(/damaged/) })
  writeFileSync(copyIn('letter.db'), 'Dear all, '.repeat(1000))
  expect(await attempt(copyIn('letter.db'))).toMatchObject({ exit: 1, err: expect.stringMatching(/damaged, or not a database/) })
  const strange = openSqlite(copyIn('strange.db'))
  await strange.atomically([{ sql: 'create table cats (name text)', params: [] }])
  await strange.close()
  expect(await attempt(copyIn('strange.db'))).toMatchObject({ exit: 1, err: expect.stringMatching(/not the database of an exchange/) })
  for (const part of ['', '-wal']) copyFileSync(join(folder, `exchange.db${part}`), copyIn(`raw.db${part}`))
  expect(await attempt(copyIn('raw.db'))).toMatchObject({ exit: 1, err: expect.stringMatching(/there is a -wal/) })
  expect(await attempt(copyIn('none.db'))).toMatchObject({ exit: 1, err: expect.stringMatching(/is not there/) })
  expect(existsSync(elsewhere) ? readdirSync(elsewhere) : []).toEqual([])
}, 40_000)

test('a file that is there is not overwritten, an impossible place is said, and D1 is told that this is not for it', async () => {
  writeFileSync(copyIn('kept.db'), 'mine')
  expect(await reconnect(['backup', copyIn('kept.db')])).toMatchObject({ exit: 1, err: expect.stringMatching(/is there already/) })
  expect(readFileSync(copyIn('kept.db'), 'utf8')).toBe('mine')
  expect(await reconnect(['backup', join(folder, 'no', 'copy.db')])).toMatchObject({
    exit: 1,
    err: expect.stringMatching(/can not be written/),
  })
  expect(await reconnect(['backup', copyIn()], { DATA_DIR: elsewhere })).toMatchObject({ exit: 1, err: expect.stringContaining(elsewhere) })
  const d1 = mkdtempSync(join(folder, 'd1-'))
  writeFileSync(join(d1, 'worker'), '')
  for (const verb of ['backup', 'restore'])
    expect(await reconnect([verb, verb === 'backup' ? copyIn() : copyIn('kept.db')], { DATA_DIR: d1 })).toMatchObject({
      exit: 1,
      err: expect.stringMatching(/not for D1/),
    })
})
