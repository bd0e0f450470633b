/**
 * The database of one machine: better-sqlite3, with group commit.
 *
 * All units that wait go in one transaction, each in its own savepoint, and the -wal is flushed to the disk behind it (wal.ts): durable
 * at a fraction of a flush each. What comes while the disk works is the next transaction. A unit that fails takes nobody with it;
 * promises settle when the disk has it. A query may see what is committed and not yet on disk; `settled` waits for that.
 */
import { rmSync, writeFileSync } from 'node:fs'
import Sqlite from 'better-sqlite3'
import { Refusal } from '../fhir/outcome.ts'
import { Conflict, type Driver, type Plain as PlainValue, type StatementOf } from './database.ts'
import { type Trouble, troubleOf } from './trouble.ts'
import { type Wal, walOf } from './wal.ts'

type Statement = StatementOf<PlainValue>

export type SqliteDatabase = Driver & {
  /**
   * A consistent copy in another file, while the gateway works on.
   *
   * @param atOnce in one step. From beside the gateway it has to be: whatever another process writes makes a copy that is taken
   *   page by page begin anew. It holds up this process alone, not the writers.
   */
  backup(file: string, atOnce?: boolean): Promise<void>
  /**
   * Gives pages that are free back to the disk, at most so many at a time: a moment's work, between writes. 0: only counts them.
   *
   * @returns how many are still free; undefined when this file was made before files could shrink (`compact` makes it one that can)
   */
  giveBack(pages: number): Promise<number | undefined>
  /** Everything written into the file and nothing left in the -wal; false when somebody was reading and some is left there. */
  checkpoint(): Promise<boolean>
  /** Writes the whole file anew, without what was free in it, so that it can shrink from then on. Nobody else may have it open. */
  compact(): Promise<void>
}

/** Units that may wait; more than this and the caller is asked to come back. */
const mostWaiting = 10_000
/** One transaction holds the event loop at most about this long; what is left goes in the next. */
const longestTransactionMs = 40
/** Another process that writes is waited for, at most; and one that reads, when the -wal has to be emptied, which is tried again. */
const busyMs = 5_000
const readerMs = 100
const everyPage = 0x7f_ff_ff_ff
/** A case is a quarter of a megabyte in rows of one to twenty kilobytes: pages of twice the usual size are half as many to write. */
const pageBytes = 8_192
/** `pragma auto_vacuum` as a number. */
const incremental = 2
/** Prepared texts kept; hot SQL is fixed text, only searches vary. */
const mostPrepared = 1_000

type Waiting = { unit: readonly Statement[]; resolve: (rows: unknown[][]) => void; reject: (error: unknown) => void }

/**
 * @param file path of the database file (its folder must exist), or ':memory:'
 * @param flushing what brings its -wal to the disk
 * @throws Trouble when the file can not be opened, read or written
 */
export function openSqlite(file: string, flushing: (file: string) => Wal = walOf): SqliteDatabase {
  const sqlite = opened(file)
  // Only a database in memory is not in WAL mode, or one where that can not be.
  const wal: Wal | undefined = sqlite.pragma('journal_mode', { simple: true }) === 'wal' ? flushing(file) : undefined
  sqlite.pragma(`synchronous = ${wal ? 'NORMAL' : 'FULL'}`)
  sqlite.pragma('foreign_keys = ON')
  sqlite.pragma('cache_size = -65536')
  sqlite.pragma('wal_autocheckpoint = 4000')
  sqlite.pragma('temp_store = MEMORY')

  const prepared = new Map<string, Sqlite.Statement<unknown[]>>()
  const prepare = (sql: string): Sqlite.Statement<unknown[]> => {
    const known = prepared.get(sql)
    if (known) return known
    const fresh = sqlite.prepare<unknown[]>(sql)
    if (prepared.size >= mostPrepared) prepared.delete(prepared.keys().next().value as string)
    prepared.set(sql, fresh)
    return fresh
  }

  const [begin, commit, rollback, savepoint, release, undo] = [
    'begin immediate',
    'commit',
    'rollback',
    'savepoint unit',
    'release unit',
    'rollback to unit',
  ].map((sql) => sqlite.prepare(sql)) as [Plain, Plain, Plain, Plain, Plain, Plain]

  const run = ({ sql, params, mustChange }: Statement): unknown[] => {
    const one = prepare(sql)
    const rows = one.reader ? one.all(...params) : []
    const changed = one.reader ? rows.length : one.run(...params).changes
    if (mustChange !== undefined && changed === 0) throw new Conflict(mustChange)
    return rows
  }

  /** One unit, whole or not at all. A single statement undoes itself, so it needs no savepoint. */
  const runUnit = (unit: readonly Statement[]): unknown[][] => {
    if (unit.length === 1) return [run(unit[0]!)]
    savepoint.run()
    try {
      const rows = unit.map(run)
      release.run()
      return rows
    } catch (error) {
      if (sqlite.inTransaction) {
        undo.run()
        release.run()
      }
      throw error
    }
  }

  let queue: Waiting[] = []
  let scheduled = false
  let closing = false
  /** The flush under way, if there is one. */
  let landing: Promise<void> | undefined
  /** A flush failed: what was committed before it may be on disk in part. */
  let unsure = false
  /** The last commit failed for a reason of the disk: say so until one succeeds. A damaged file stays damaged. */
  let trouble: Trouble | undefined
  const notice = (error: unknown): unknown => {
    const found = troubleOf(codeOf(error) ?? diskCode(error))
    if (!found) return error
    if (!trouble?.words.stays) trouble = found
    return found
  }

  const schedule = (): void => {
    if (scheduled || landing) return
    scheduled = true
    setImmediate(flush)
  }

  /** One transaction of as many units as fit in the time; gives what to tell each of them once it is durable. */
  const transact = (batch: readonly Waiting[], one: (waiting: Waiting) => () => void): (() => void)[] => {
    const outcomes: (() => void)[] = []
    begin.run()
    const start = performance.now()
    for (const waiting of batch) {
      outcomes.push(one(waiting))
      if (performance.now() - start > longestTransactionMs) break
    }
    commit.run()
    return outcomes
  }

  const hopefully = ({ unit, resolve }: Waiting): (() => void) => {
    const rows = unit.map(run)
    return () => resolve(rows)
  }

  const carefully = ({ unit, resolve, reject }: Waiting): (() => void) => {
    try {
      const rows = runUnit(unit)
      return () => resolve(rows)
    } catch (error) {
      // A full disk or a failed read ends the whole transaction: nothing of this batch is written.
      if (!sqlite.inTransaction) throw error
      return () => reject(asConflict(notice(error)))
    }
  }

  /** Savepoints copy every page a unit touches, and hardly any unit fails: they are for the second try, when one did. */
  const writeTogether = (batch: readonly Waiting[]): (() => void)[] => {
    try {
      return transact(batch, hopefully)
    } catch (error) {
      if (!sqlite.inTransaction) throw error
      rollback.run()
      return transact(batch, carefully)
    }
  }

  function flush(): void {
    scheduled = false
    if (landing || queue.length === 0) return
    const batch = queue
    queue = []
    let outcomes: (() => void)[]
    try {
      makeSure()
      outcomes = writeTogether(batch)
    } catch (error) {
      if (sqlite.inTransaction) rollback.run()
      refuse(batch, error)
      return
    }
    const taken = outcomes.length
    if (taken < batch.length) queue = batch.slice(taken).concat(queue)
    const settle = () => {
      if (!trouble?.words.stays) trouble = undefined
      for (const one of outcomes) one()
    }
    if (wal) landing = land(wal, settle, (error) => refuse(batch.slice(0, taken), error))
    else settle()
    if (queue.length > 0) schedule()
  }

  const refuse = (batch: readonly Waiting[], error: unknown): void => {
    const why = notice(error)
    for (const { reject } of batch) reject(why)
  }

  const land = async (to: Wal, settle: () => void, failed: (error: unknown) => void): Promise<void> => {
    let failure: { error: unknown } | undefined
    try {
      await to.flush()
    } catch (error) {
      failure = { error }
      unsure = true
    }
    landing = undefined
    if (failure) failed(failure.error)
    else settle()
    if (queue.length > 0) schedule()
  }

  /**
   * After a flush that failed: nothing is built on what the disk may not have until all of it stands in the database file, flushed,
   * and the -wal is empty. A flush that works later says nothing about what was to be written before.
   */
  const makeSure = (): void => {
    if (!unsure) return
    sqlite.pragma(`busy_timeout = ${readerMs}`)
    const done = emptied()
    sqlite.pragma(`busy_timeout = ${busyMs}`)
    if (!done) throw new Sqlite.SqliteError('somebody reads', 'SQLITE_BUSY')
    wal?.flushNow()
    unsure = false
  }
  const emptied = (): boolean => {
    const [{ busy: left }] = sqlite.pragma('wal_checkpoint(TRUNCATE)') as [{ busy: number }]
    return left === 0
  }

  return {
    query: async <Row>({ sql, params }: Statement) => {
      try {
        const one = prepare(sql)
        if (!one.readonly) throw new Error('query is for reading: write through atomically')
        return one.all(...params) as Row[]
      } catch (error) {
        throw notice(error)
      }
    },

    atomically: (unit) =>
      new Promise((resolve, reject) => {
        if (closing) reject(new Error('the database is closed'))
        else if (trouble?.words.stays) reject(trouble)
        else if (queue.length >= mostWaiting) reject(comeBack('Too much is waiting to be written.', 2))
        else {
          queue.push({ unit, resolve, reject })
          schedule()
        }
      }),

    settled: () => {
      if (landing === undefined && !unsure) return undefined
      return Promise.resolve(landing).then(() => {
        if (unsure) throw trouble
      })
    },

    health: async () => {
      if (closing) return 'the database is closed'
      if (queue.length >= mostWaiting) return 'too much is waiting to be written'
      if (trouble === undefined || trouble.words.stays) return trouble?.words.reason
      try {
        if (file !== ':memory:') tryRoom(`${file}-room`)
        makeSure()
        prepare('update guard set holds = 1').run()
        trouble = undefined
      } catch (error) {
        notice(error)
      }
      return trouble?.words.reason
    },

    close: async () => {
      if (closing) return
      closing = true
      while (landing || queue.length > 0) {
        await landing
        flush()
      }
      wal?.close()
      sqlite.close()
    },

    giveBack: async (pages) => {
      if (sqlite.pragma('auto_vacuum', { simple: true }) !== incremental) return undefined
      // Not `pragma()`: that takes the first row only, which is one page.
      if (pages > 0) sqlite.exec(`pragma incremental_vacuum(${pages})`)
      return sqlite.pragma('freelist_count', { simple: true }) as number
    },

    checkpoint: async () => emptied(),

    compact: async () => {
      sqlite.pragma('auto_vacuum = INCREMENTAL')
      sqlite.exec('vacuum')
    },

    backup: async (target, atOnce = false) => {
      await sqlite.backup(target, atOnce ? { progress: () => everyPage } : undefined)
    },
  }
}

type Plain = Sqlite.Statement<unknown[]>

/** Open, and seen to be a database that can be read. @throws Trouble */
function opened(file: string): Sqlite.Database {
  let sqlite: Sqlite.Database | undefined
  try {
    sqlite = new Sqlite(file, { timeout: busyMs })
    // Of a new file only; one there is keeps the size it has.
    sqlite.pragma(`page_size = ${pageBytes}`)
    // Only a file that is still empty takes it, and only before it is in WAL mode.
    if (sqlite.pragma('page_count', { simple: true }) === 0) sqlite.pragma('auto_vacuum = INCREMENTAL')
    sqlite.pragma('journal_mode = WAL')
    return sqlite
  } catch (error) {
    sqlite?.close()
    throw troubleOf(codeOf(error)) ?? error
  }
}

/** One row may fit in what the -wal has room for; to be well again takes room for some more. @throws as SQLite would */
function tryRoom(file: string): void {
  try {
    writeFileSync(file, Buffer.alloc(1024 * 1024))
  } catch (error) {
    throw new Sqlite.SqliteError('no room', (error as { code?: string }).code === 'ENOSPC' ? 'SQLITE_FULL' : 'SQLITE_IOERR')
  } finally {
    rmSync(file, { force: true })
  }
}

const codeOf = (error: unknown): string | undefined => (error instanceof Sqlite.SqliteError ? error.code : undefined)
/** Of a flush: as SQLite would call it. */
const diskCode = (error: unknown): string | undefined => {
  const { code, syscall } = error as { code?: string; syscall?: string }
  if (syscall === undefined) return undefined
  return code === 'ENOSPC' ? 'SQLITE_FULL' : 'SQLITE_IOERR'
}

const comeBack = (text: string, seconds: number): Refusal =>
  new Refusal(503, { code: 'transient', text }, { 'Retry-After': String(seconds) })

/** A taken key becomes a `Conflict` with the key's columns; anything else stays what it is. */
function asConflict(error: unknown): unknown {
  const code = codeOf(error)
  if (code !== 'SQLITE_CONSTRAINT_UNIQUE' && code !== 'SQLITE_CONSTRAINT_PRIMARYKEY') return error
  return new Conflict((error as Error).message.replace(/^.*constraint failed: /, ''))
}
