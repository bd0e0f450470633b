/**
 * A disk that is full, a file that is damaged or not ours: refused in one line at the start, with 503 while running, and nothing
 * that was acknowledged is lost.
 */
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { OperationOutcome, Patient } from '@medplum/fhirtypes'
import Sqlite from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { statement } from '../../src/store/database.ts'
import { newPerson } from '../../src/store/people.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { walOf } from '../../src/store/wal.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { masterKey, openGateway } from '../fixtures/gateway.ts'

// Every start is a process of its own.
vi.setConfig({ testTimeout: 60_000 })

const start = fileURLToPath(new URL('../../src/start.ts', import.meta.url))
const root = process.getuid?.() === 0
const folder = mkdtempSync(join(tmpdir(), 'reconnect-disk-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let seen = 0
const newFolder = () => join(folder, String(seen++))

describe('at the start', () => {
  const sound = join(folder, 'sound')
  beforeAll(async () => {
    mkdirSync(sound)
    const gateway = await openGateway({ database: openSqlite(join(sound, 'exchange.db')) })
    await gateway.handIn(caseBundle())
    await gateway.close()
  })

  type Ended = { exit: number | null; out: string; err: string }
  /** As somebody at a terminal does. */
  const run = (args: string[], dataDir: string, as?: number): Promise<Ended> =>
    new Promise((done) => {
      const child = spawn(process.execPath, [start, ...args], {
        env: { DATA_DIR: dataDir, MASTER_KEY: Buffer.from(masterKey).toString('base64'), PORT: '1' },
        ...(as === undefined ? {} : { uid: as, gid: as }),
      })
      const ended: Ended = { exit: null, out: '', err: '' }
      child.stdout.on('data', (bytes: Buffer) => {
        ended.out += bytes
      })
      child.stderr.on('data', (bytes: Buffer) => {
        ended.err += bytes
      })
      child.once('close', (exit) => done({ ...ended, exit }))
    })

  const spoilt = (spoil: (file: string) => void): string => {
    const dataDir = newFolder()
    cpSync(sound, dataDir, { recursive: true })
    spoil(join(dataDir, 'exchange.db'))
    return dataDir
  }
  const bytesAt = (file: string, at: number, length: number) => writeFileSync(file, readFileSync(file).fill(0x5a, at, at + length))
  const rootPageOf = (file: string, table: string): number => {
    const sqlite = new Sqlite(file, { readonly: true })
    const page = sqlite.prepare('select rootpage from sqlite_master where name = ?').pluck().get(table) as number
    sqlite.close()
    return page
  }

  const overwriteTable = (file: string) => {
    const page = rootPageOf(file, 'person')
    const bytes = readFileSync(file).readUInt16BE(16)
    bytesAt(file, (page - 1) * bytes, bytes)
  }

  const faults: [string, (file: string) => void, RegExp][] = [
    ['a file that is no database', (file) => writeFileSync(file, 'Dear all, '.repeat(1000)), /is not a database\. Stop/],
    ['flipped bytes in the header', (file) => bytesAt(file, 16, 60), /is damaged|is not a database/],
    ['flipped bytes in the first page', (file) => bytesAt(file, 100, 900), /is damaged/],
    ['a table whose page was overwritten', overwriteTable, /is damaged/],
    ['a file that was cut short', (file) => truncateSync(file, 8192 * 20), /is damaged/],
    [
      'a folder in its place',
      (file) => {
        rmSync(file)
        mkdirSync(file)
      },
      /can not be opened\. See that DATA_DIR is a folder/,
    ],
  ]
  test.each(faults)('%s: one line says what is wrong and what to do', async (_name, spoil, words) => {
    const dataDir = spoilt(spoil)
    const before = await contentsOf(dataDir)
    for (const args of [['./node.ts'], ['./cli.ts', 'owed']]) {
      const { exit, out, err } = await run(args, dataDir)
      expect([exit, out]).toEqual([1, ''])
      const lines = err
        .trim()
        .split('\n')
        .slice(args[0] === './node.ts' ? 1 : 0)
      expect(lines).toHaveLength(1)
      expect(lines[0]).toMatch(words)
      expect(lines[0]).toMatch(/^(- )?DATA_DIR: the .*\. [A-Z].*\.$/)
    }
    expect(await contentsOf(dataDir)).toEqual(before)
  })

  const contentsOf = async (dataDir: string) => {
    try {
      return createHash('sha256')
        .update(readFileSync(join(dataDir, 'exchange.db')))
        .digest('hex')
    } catch {
      return 'a folder'
    }
  }

  test('another process that holds the database: it says so', async () => {
    const dataDir = spoilt(() => undefined)
    const other = new Sqlite(join(dataDir, 'exchange.db'))
    other.exec('begin immediate')
    const { exit, err } = await run(['./node.ts'], dataDir)
    other.close()
    expect(exit).toBe(1)
    expect(err).toMatch(/^The exchange can not start:\n- DATA_DIR: another process holds the database\. .*\n$/)
  })

  // As root everything may be written, and only root can become somebody else.
  test.skipIf(!root)('a file, or a folder, that is not ours to write: it says so', async () => {
    const nobody = 65_534
    for (const of of ['file', 'folder']) {
      const dataDir = spoilt((file) => chownSync(file, ...((of === 'file' ? [0, 0] : [nobody, nobody]) as [number, number])))
      chmodSync(join(dataDir, 'exchange.db'), 0o644)
      if (of === 'file') chownSync(dataDir, nobody, nobody)
      chmodSync(folder, 0o755)
      const { exit, err } = await run(['./node.ts'], dataDir, nobody)
      expect(exit).toBe(1)
      expect(err).toMatch(/^The exchange can not start:\n- DATA_DIR: the database file .*\n$/)
    }
  })

  test('a sound one is read', async () => {
    expect(await run(['./cli.ts', 'owed'], sound)).toMatchObject({ exit: 0, err: '' })
  })
})

describe('while running', () => {
  const patient = (n: number): Patient => ({
    resourceType: 'Patient',
    name: [{ family: 'Test', given: [`n${n}`] }],
    birthDate: '1990-01-01',
  })
  const opened: { close(): Promise<void> }[] = []
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close()
  })
  const gatewayOn = async (file: string) => {
    const driver = openSqlite(file)
    const gateway = await openGateway({ database: driver })
    opened.push(gateway)
    const create = async (n: number) => {
      const { status, headers, body } = await gateway.service.call<Patient | OperationOutcome>('POST', '/fhir/Patient', patient(n))
      return { status, body, retryAfter: headers.get('retry-after') }
    }
    return { gateway, driver, create }
  }
  const refused = (words: RegExp) => ({
    status: 503,
    retryAfter: expect.stringMatching(/^\d+$/),
    body: {
      resourceType: 'OperationOutcome',
      issue: [{ severity: 'error', code: 'transient', diagnostics: expect.stringMatching(words) }],
    },
  })
  /** Writes until it is refused; gives the ids that were acknowledged. */
  const fillUp = async (create: (n: number) => Promise<{ status: number; body: Patient | OperationOutcome }>) => {
    const ids: string[] = []
    for (let n = 0; n < 5_000; n++) {
      const answer = await create(n)
      if (answer.status !== 201) return { ids, answer }
      ids.push(answer.body.id as string)
    }
    throw new Error('it never filled up')
  }

  test('no room in the file: 503, nothing acknowledged is lost, and it goes on by itself when there is', async () => {
    mkdirSync(newFolder(), { recursive: true })
    const file = join(folder, `${seen}.db`)
    const { gateway, driver, create } = await gatewayOn(file)
    const [{ pages }] = (await driver.query<{ pages: number }>(statement('select page_count as pages from pragma_page_count'))) as [
      { pages: number },
    ]
    const limit = (most: number) => driver.atomically([{ sql: `pragma max_page_count = ${most}`, params: [] }])
    await limit(pages + 20)
    const { ids, answer } = await fillUp(create)
    expect(ids.length).toBeGreaterThan(0)
    expect(answer).toMatchObject(refused(/the disk is full\. Nothing of this request was kept/))
    await limit(1_000_000)
    expect((await create(-1)).status).toBe(201)
    expect((await gateway.app.request('/health')).status).toBe(200)
    await gateway.close()
    opened.pop()
    const { gateway: again } = await gatewayOn(file)
    const found = await again.service.find('Patient')
    expect(new Set(found.map(({ id }) => id)).isSupersetOf(new Set(ids.slice(0, 200)))).toBe(true)
    for (const id of ids) expect((await again.service.call('GET', `/fhir/Patient/${id}`)).status).toBe(200)
  })

  // A disk of its own needs the right to mount one.
  const disk = root ? mounted(newFolder()) : undefined
  afterAll(() => {
    if (disk) execFileSync('umount', [disk])
  })
  test.skipIf(!disk)('a disk that is really full: /health says so, whatever the step; room again, and it is well', async () => {
    const place = disk as string
    const { gateway, create } = await gatewayOn(join(place, 'exchange.db'))
    const { ids, answer } = await fillUp(create)
    expect(answer).toMatchObject(refused(/the disk is full|does not read or write/))
    const health = await gateway.app.request('/health')
    expect(health.status).toBe(503)
    expect(await health.json()).toEqual({ status: 'unavailable', reasons: [expect.stringMatching(/the disk is full|does not read/)] })
    execFileSync('mount', ['-o', 'remount,size=64m', place])
    expect((await gateway.app.request('/health')).status).toBe(200)
    expect((await create(-1)).status).toBe(201)
    await gateway.close()
    opened.pop()
    const { gateway: again } = await gatewayOn(join(place, 'exchange.db'))
    for (const id of ids) expect((await again.service.call('GET', `/fhir/Patient/${id}`)).status).toBe(200)
  })

  test('a page that is damaged under way: 503, and nothing more is written until somebody looked', async () => {
    mkdirSync(newFolder(), { recursive: true })
    const file = join(folder, `${seen}-damaged.db`)
    const first = await gatewayOn(file)
    await first.gateway.handIn(caseBundle())
    await first.gateway.close()
    opened.pop()
    const { gateway, driver, create } = await gatewayOn(file)
    const [row] = await driver.query<{ page: number }>(statement(`select rootpage as page from sqlite_master where name = 'attempt'`))
    const bytes = readFileSync(file)
    const size = bytes.readUInt16BE(16)
    writeFileSync(file, bytes.fill(0x5a, ((row?.page ?? 0) - 1) * size, (row?.page ?? 0) * size))
    await expect(driver.query(statement('select * from attempt'))).rejects.toThrow('the database file is damaged')
    expect(await create(1)).toMatchObject(refused(/the database file is damaged/))
    const health = await gateway.app.request('/health')
    expect([health.status, await health.json()]).toEqual([503, { status: 'unavailable', reasons: ['the database file is damaged'] }])
  })

  test('a repeat of a request that is committed and not yet on the disk is answered when it is', async () => {
    mkdirSync(newFolder(), { recursive: true })
    const held: (() => void)[] = []
    let holding = false
    const driver = openSqlite(join(folder, `${seen}-slow.db`), (file) => {
      const wal = walOf(file)
      return { ...wal, flush: () => (holding ? new Promise((done) => held.push(() => done(wal.flush()))) : wal.flush()) }
    })
    const gateway = await openGateway({ database: driver })
    opened.push(gateway)
    const id = { 'x-request-id': crypto.randomUUID() }
    const answered: string[] = []
    const create = (name: string) =>
      gateway.service.call<Patient>('POST', '/fhir/Patient', patient(1), id).then((answer) => {
        answered.push(name)
        return answer
      })
    await gateway.service.find('Patient')
    holding = true
    const first = create('first')
    while (held.length === 0) await new Promise((go) => setImmediate(go))
    const repeat = create('repeat')
    await new Promise((go) => setTimeout(go, 50))
    expect(answered).toEqual([])
    holding = false
    for (const go of held) go()
    const [one, other] = await Promise.all([first, repeat])
    expect([one.status, other.status, other.body.id]).toEqual([201, 201, one.body.id])
  })

  test('a queue that is full: 503 at the door, and what waits in it is written', async () => {
    const driver = openSqlite(':memory:')
    let crowded = false
    let crowd: Promise<unknown>[] = []
    const gateway = await openGateway({
      database: {
        ...driver,
        atomically: (unit) => {
          if (crowded && crowd.length === 0)
            crowd = Array.from({ length: 10_000 }, (_, n) => driver.atomically([newPerson(`p${n}`, 'elsewhere')] as never))
          return driver.atomically(unit)
        },
      },
    })
    opened.push(gateway)
    crowded = true
    const { status, headers, body } = await gateway.service.call<OperationOutcome>('POST', '/fhir/Patient', patient(0))
    crowded = false
    expect({ status, body, retryAfter: headers.get('retry-after') }).toMatchObject(refused(/Too much is waiting/))
    await Promise.all(crowd)
    expect((await gateway.service.call('POST', '/fhir/Patient', patient(0))).status).toBe(201)
    const [row] = await driver.query<{ n: number }>(statement(`select count(*) as n from person where service = 'elsewhere'`))
    expect(row?.n).toBe(10_000)
  })
})

/** A disk of three megabytes, where this is allowed. */
function mounted(place: string): string | undefined {
  mkdirSync(place, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', place], { stdio: 'ignore' })
    return place
  } catch {
    return undefined
  }
}
