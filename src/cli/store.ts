/**
 * The database of the gateway on this machine, opened beside it.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { readJudgement, readMasterKeys } from '../config-part.ts'
import { hashesOf } from '../domain/sign-off.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { Database } from '../store/database.ts'
import { loadDirectory } from '../store/directory.ts'
import { KeyUnknown } from '../store/keyring.ts'
import { lookThrough } from '../store/look.ts'
import { migrate } from '../store/migrate.ts'
import { openStore } from '../store/sealed.ts'
import { openSqlite, type SqliteDatabase } from '../store/sqlite.ts'
import { Trouble } from '../store/trouble.ts'
import { Fault, type Terminal } from './terminal.ts'

export const folderOf = ({ env }: Terminal): string => env.DATA_DIR?.trim() || '.data'
export const databaseIn = (folder: string): string => join(folder, 'exchange.db')
/** Where `serve:worker` keeps its D1. */
export const d1In = (folder: string): string => join(folder, 'worker')

/**
 * The store, with what is sealed in it open to the master keys of this environment.
 *
 * @throws Fault when there is no database, or another master key sealed it
 */
export function withDatabase<Result>(
  terminal: Terminal,
  work: (database: Database, driver: SqliteDatabase) => Promise<Result>,
): Promise<Result> {
  return withDriver(terminal, async (driver) => work(await openStore(driver, masterKeysOf(terminal)).catch(say), driver))
}

/**
 * The database without its keys: for what is not sealed.
 *
 * @param make also when there is no database yet
 * @throws Fault when there is none, or none can be made
 */
export async function withDriver<Result>(
  terminal: Terminal,
  work: (driver: SqliteDatabase) => Promise<Result>,
  make = false,
): Promise<Result> {
  const folder = folderOf(terminal)
  const file = databaseIn(folder)
  if (!make && !existsSync(file)) throw new Fault(noDatabaseIn(folder))
  let driver: SqliteDatabase
  try {
    if (make) mkdirSync(folder, { recursive: true })
    driver = openSqlite(file)
  } catch (error) {
    throw error instanceof Trouble ? error : new Fault(`The database in ${folder} can not be opened.`)
  }
  try {
    await lookThrough(driver, file)
    await migrate(driver)
    return await work(driver)
  } finally {
    await driver.close()
  }
}

export const noDatabaseIn = (folder: string): string => `There is no database in ${folder}: set DATA_DIR to the folder the gateway uses.`

/** What the journey's questions need, without a journey: it decides as the gateway of this environment does, sends nothing and wakes nobody. */
export async function exchangeOver(terminal: Terminal, database: Database): Promise<Exchange> {
  const { directory, signatures } = await loadDirectory(database)
  const { adapters, channels, now, env } = terminal
  const hashes = await hashesOf([...adapters.values()].map(({ mapping }) => mapping))
  const said = readJudgement(env)
  if ('fault' in said) throw new Fault(said.fault)
  const { requireSignedMappings: required, pace } = said
  const none = () => undefined
  return {
    database,
    directory: () => directory,
    adapters,
    channels,
    now,
    publicUrl: publicUrlOf(terminal),
    signOffs: () => ({ required, hashes, signatures }),
    ...(pace ? { hmpps: { person: sendsNothing }, lookPace: pace } : {}),
    fetch: sendsNothing,
    log: none,
    wake: none,
  }
}

const sendsNothing = () => Promise.reject(new Error('a command sends nothing'))

/** Where this gateway says it is reached. */
export const publicUrlOf = ({ env }: Terminal): string =>
  env.PUBLIC_URL?.trim().replace(/\/+$/, '') || `http://127.0.0.1:${env.PORT || 8080}`

/** @throws Fault when there is none in this environment */
export function masterKeysOf({ env, readText }: Terminal): Uint8Array[] {
  const read = readMasterKeys(env, readText)
  if ('fault' in read) throw new Fault(read.fault)
  return read.keys
}

function say(error: unknown): never {
  throw error instanceof KeyUnknown ? new Fault('MASTER_KEY is not the one this database was sealed with.') : error
}
