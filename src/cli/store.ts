/**
 * The database of the gateway on this machine, opened beside it.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from '../store/database.ts'
import { migrate } from '../store/migrate.ts'
import { openSqlite } from '../store/sqlite.ts'
import { Fault, type Terminal } from './terminal.ts'

const folderOf = ({ env }: Terminal): string => env.DATA_DIR?.trim() || '.data'

/**
 * @param make also when there is no database yet
 * @throws Fault when there is none, or none can be made
 */
export async function withDatabase<Result>(
  terminal: Terminal,
  work: (database: Database) => Promise<Result>,
  make = false,
): Promise<Result> {
  const folder = folderOf(terminal)
  const file = join(folder, 'exchange.db')
  if (!make && !existsSync(file)) throw new Fault(`There is no database in ${folder}: set DATA_DIR to the folder the gateway uses.`)
  let database: Database
  try {
    if (make) mkdirSync(folder, { recursive: true })
    database = openSqlite(file)
  } catch {
    throw new Fault(`The database in ${folder} can not be opened.`)
  }
  try {
    await migrate(database)
    return await work(database)
  } finally {
    await database.close()
  }
}
