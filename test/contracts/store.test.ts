import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { generateSQLiteDrizzleJson, generateSQLiteMigration } from 'drizzle-kit/api'
import { afterAll, describe, expect, test } from 'vitest'
import { Refusal } from '../../src/fhir/outcome.ts'
import { sealed, statement } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import { claim, owedById } from '../../src/store/owed.ts'
import { newPerson, nextRevision, personOf } from '../../src/store/people.ts'
import * as schema from '../../src/store/schema.ts'
import { openStore } from '../../src/store/sealed.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { Trouble } from '../../src/store/trouble.ts'
import { walOf } from '../../src/store/wal.ts'
import { storeContract } from './store-contract.ts'

const masterKey = new Uint8Array(32).fill(9)
const folder = mkdtempSync(join(tmpdir(), 'store-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const newFile = () => join(folder, `${files++}.sqlite`)

const openFile = async (file = newFile()) => {
  const driver = openSqlite(file)
  await migrate(driver)
  return openStore(driver, [masterKey])
}

storeContract('SQLite', () => openFile())

describe('SQLite: group commit', () => {
  test('a unit that fails among others takes nobody with it', async () => {
    const database = await openFile()
    const outcomes = await Promise.allSettled([
      database.atomically([newPerson('a', 'ne')]),
      database.atomically([newPerson('b', 'ne'), newPerson('a', 'ne')]),
      database.atomically([newPerson('c', 'ne'), statement('this is not SQL')]),
      database.atomically([newPerson('d', 'ne'), nextRevision('nobody', 1)]),
      database.atomically([newPerson('e', 'ne'), nextRevision('a', 1)]),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected', 'fulfilled'])
    const there = await database.query<{ id: string }>(statement('select id from person order by id'))
    expect(there.map(({ id }) => id)).toEqual(['a', 'e'])
  })

  test('a thousand units of one turn are a few commits, all of them durable when told', async () => {
    const file = newFile()
    const database = await openFile(file)
    const reader = openSqlite(file)
    const version = async () => (await reader.query<{ data_version: number }>(statement('pragma data_version')))[0]!.data_version
    const before = await version()
    let commits = 0
    let seen = before
    await Promise.all(
      Array.from({ length: 1000 }, async (_, n) => {
        await database.atomically([newPerson(`p${n}`, 'ne'), nextRevision(`p${n}`, 1)])
        const now = await version()
        if (now !== seen) commits++
        seen = now
      }),
    )
    expect(commits).toBeGreaterThan(0)
    expect(commits).toBeLessThan(50)
    expect((await reader.query<{ n: number }>(statement('select count(*) as n from person where revision = 2')))[0]!.n).toBe(1000)
  })

  test('what was not told as committed can not be seen by a query', async () => {
    const database = await openFile()
    const writing = database.atomically([newPerson('a', 'ne')])
    expect(await personOf(database, 'a')).toBeUndefined()
    await writing
    expect(await personOf(database, 'a')).toBeDefined()
  })

  test('more than may wait is asked to come back, and what waits is written', async () => {
    const database = await openFile()
    const all = await Promise.allSettled(Array.from({ length: 10_050 }, (_, n) => database.atomically([newPerson(`p${n}`, 'ne')])))
    const refused = all.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
    expect(refused).toHaveLength(50)
    expect(refused[0]).toBeInstanceOf(Refusal)
    expect(refused[0]).toMatchObject({ status: 503, headers: { 'Retry-After': '2' } })
    expect(await database.health()).toBeUndefined()
  })

  test('closing writes what waits; afterwards nothing is taken', async () => {
    const file = newFile()
    const database = await openFile(file)
    const waiting = database.atomically([newPerson('a', 'ne')])
    await database.close()
    await waiting
    await expect(database.atomically([newPerson('b', 'ne')])).rejects.toThrow('closed')
    expect(await database.health()).toBe('the database is closed')
    expect(await personOf(await openFile(file), 'a')).toBeDefined()
  })

  test('a query can not write', async () => {
    const database = await openFile()
    await expect(database.query(newPerson('a', 'ne'))).rejects.toThrow('atomically')
  })

  test('a backup taken while open holds everything', async () => {
    const database = await openFile()
    await database.atomically([newPerson('a', 'ne')])
    const copy = newFile()
    await database.backup(copy)
    expect(await personOf(await openFile(copy), 'a')).toBeDefined()
  })
})

describe('SQLite: what is committed and not yet on the disk', () => {
  /** A disk that works, or fails, when it is told to. */
  const onSlowDisk = async () => {
    const file = newFile()
    const held: ((error?: Error) => void)[] = []
    let holding = false
    const driver = openSqlite(file, (of) => {
      const wal = walOf(of)
      const flush = () =>
        new Promise<void>((done, failed) => held.push((error) => (error ? failed(error) : wal.flush().then(done, failed))))
      return { ...wal, flush: () => (holding ? flush() : wal.flush()) }
    })
    await migrate(driver)
    const database = await openStore(driver, [masterKey])
    holding = true
    const reached = async (flushes: number) => {
      while (held.length < flushes) await new Promise((go) => setImmediate(go))
    }
    const release = () => {
      holding = false
      for (const go of held) go()
    }
    return { file, database, held, reached, release }
  }
  const outcomeOf = (writing: Promise<unknown>) => {
    const seen = { settled: false }
    const done = () => {
      seen.settled = true
    }
    writing.then(done, done)
    return seen
  }
  const broken = (code: string) => Object.assign(new Error('of the disk'), { code, syscall: 'fdatasync' })

  test('is not told as written, and who saw it can wait for it', async () => {
    const { database, reached, release } = await onSlowDisk()
    const writing = database.atomically([newPerson('a', 'ne')])
    const writer = outcomeOf(writing)
    await reached(1)
    expect(await personOf(database, 'a')).toBeDefined()
    const waiting = database.settled() as Promise<void>
    const reader = outcomeOf(waiting)
    await new Promise((go) => setTimeout(go, 20))
    expect([writer.settled, reader.settled]).toEqual([false, false])
    release()
    await Promise.all([writing, waiting])
    expect(database.settled()).toBeUndefined()
  })

  test('what comes meanwhile is the next transaction, all of it one, and told in the order it came', async () => {
    const { database, held, reached, release } = await onSlowDisk()
    const told: string[] = []
    const write = (id: string) => database.atomically([newPerson(id, 'ne')]).then(() => told.push(id))
    const first = write('first')
    await reached(1)
    const later: Promise<unknown>[] = []
    for (const id of ['a', 'b', 'c']) {
      later.push(write(id))
      await new Promise((go) => setImmediate(go))
    }
    expect(await personOf(database, 'a')).toBeUndefined()
    held[0]?.()
    await first
    await reached(2)
    expect(await personOf(database, 'c')).toBeDefined()
    expect(told).toEqual(['first'])
    release()
    await Promise.all(later)
    expect([told, held.length]).toEqual([['first', 'a', 'b', 'c'], 2])
  })

  test.each([
    ['EIO', 'the disk does not read or write'],
    ['ENOSPC', 'the disk is full'],
  ])(
    'a flush that fails (%s) tells nobody that it was written; nothing is built on it until it stands in the file',
    async (code, reason) => {
      const { file, database, held, reached, release } = await onSlowDisk()
      const writing = database.atomically([newPerson('a', 'ne')])
      await reached(1)
      const seen = database.settled()
      held.shift()?.(broken(code))
      for (const each of [writing, seen, database.settled()]) {
        const failure = await Promise.resolve(each).catch((error: unknown) => error)
        expect(failure).toBeInstanceOf(Trouble)
        expect((failure as Trouble).words.reason).toBe(reason)
      }
      const reader = new Sqlite(file)
      reader.exec('begin; select * from person')
      expect(await database.health()).toBe('another process holds the database')
      await expect(database.atomically([newPerson('b', 'ne')])).rejects.toBeInstanceOf(Trouble)
      reader.close()
      expect(await database.health()).toBeUndefined()
      expect(statSync(`${file}-wal`).size).toBeLessThan(100_000)
      release()
      await database.atomically([newPerson('c', 'ne')])
      expect(database.settled()).toBeUndefined()
      await database.close()
    },
  )

  test('closing waits for it', async () => {
    const { file, database, reached, release } = await onSlowDisk()
    const writing = database.atomically([newPerson('a', 'ne')])
    await reached(1)
    const meanwhile = database.atomically([newPerson('b', 'ne')])
    const closing = database.close()
    const closed = outcomeOf(closing)
    await new Promise((go) => setTimeout(go, 20))
    expect(closed.settled).toBe(false)
    release()
    await Promise.all([writing, meanwhile, closing])
    expect(await personOf(await openFile(file), 'b')).toBeDefined()
  })
})

describe('migrations', () => {
  test('are applied once, in order', async () => {
    const database = openSqlite(newFile())
    expect(await migrate(database)).toContain('0000_first.sql')
    expect(await migrate(database)).toEqual([])
  })

  test('bring messages owed before they had a table of their own: they are sent as they were frozen', async () => {
    const home = new URL('../../migrations/', import.meta.url)
    const driver = openSqlite(newFile())
    const before = ['0000_first.sql', '0001_audit_seal.sql']
    for (const name of before) {
      const parts = readFileSync(new URL(name, home), 'utf8').split('--> statement-breakpoint')
      await driver.atomically(parts.map((part) => statement(part.trim())))
    }
    await driver.atomically([
      statement('create table d1_migrations (id integer primary key autoincrement, name text unique, applied_at timestamp)'),
      ...before.map((name) => statement('insert into d1_migrations (name) values (?)', name)),
    ])
    const database = await openStore(driver, [masterKey])
    const insert = `insert into owed (id, seq, partner, service, patient, task, reason, correlation, body, state, created_at, due_at)
      values (?, ?, 'gp', 'ne', 'p', ?, 'new', 'c', ?, ?, '2026-04-02', '2026-04-02')`
    await database.atomically([
      statement(insert, 'm1', 1, 't1', sealed('p', 'owed|m1|message', '[{"ref":"Patient/p"}]\n{"frozen":true}'), 'due'),
      statement(insert, 'm2', 2, 't2', null, 'void'),
    ])

    expect(await migrate(driver)).toContain('0002_owed_text.sql')
    const [taken, ...others] = await claim(database, 'gp', '2026-04-03', '2026-04-04', 4)
    expect(taken).toMatchObject({ id: 'm1', basis: '[{"ref":"Patient/p"}]', body: '{"frozen":true}' })
    expect(others).toEqual([])
    expect((await owedById(database, 'm2'))?.body).toBeUndefined()
  })

  test('say what the tables say: `npm run migrations` would write nothing', async () => {
    const meta = new URL('../../migrations/meta/', import.meta.url)
    const read = (name: string) => JSON.parse(readFileSync(new URL(name, meta), 'utf8'))
    const last = read('_journal.json').entries.at(-1).idx as number
    const snapshot = read(`${String(last).padStart(4, '0')}_snapshot.json`)
    const now = await generateSQLiteDrizzleJson({ ...schema })
    expect(await generateSQLiteMigration(snapshot, now)).toEqual([])
  })
})
