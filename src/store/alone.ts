/**
 * A database that nobody else has open, closed and in its one file: to put another in its place.
 */
import Sqlite from 'better-sqlite3'

/**
 * Does `work` while nobody else has this database open. Whoever works on one in WAL mode keeps a shared lock on its file as long
 * as it runs, and the lock goes with the process however it ends: so there is nothing to clean up and nothing out of date.
 *
 * @param work must not wait: it has the database closed, with everything in the one file
 * @returns 'in use' when somebody has it open; nothing was done then
 * @throws when the file is not a database that can be read
 * @see https://www.sqlite.org/pragma.html#pragma_locking_mode
 */
export function aloneWith(file: string, work: () => void): 'done' | 'in use' {
  const sqlite = new Sqlite(file, { timeout: 200 })
  try {
    sqlite.pragma('locking_mode = EXCLUSIVE')
    sqlite.exec('begin exclusive; commit')
    sqlite.pragma('wal_checkpoint(TRUNCATE)')
  } catch (error) {
    if (busy(error)) return 'in use'
    throw error
  } finally {
    sqlite.close()
  }
  work()
  return 'done'
}

const busy = (error: unknown): boolean => error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY')
