/**
 * The gateway on one machine: database, directory, exchange and door, put together and running. `node.ts` starts it for real
 * use, `demo/start.ts` with synthetic people around it.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hono } from 'hono'
import { adapters } from '../adapters/index.ts'
import { readDirectory } from './access/directory-file.ts'
import type { Channel } from './channel.ts'
import { allowedFor } from './channels/address.ts'
import { channels as allChannels } from './channels/index.ts'
import { outgoing } from './channels/outgoing.ts'
import { type ManualClock, manualClock, realClock } from './clock.ts'
import type { Config } from './config.ts'
import { hashesOf } from './domain/sign-off.ts'
import type { Log } from './exchange/exchange.ts'
import { readQueue } from './exchange/hmpps-queue.ts'
import { keepHouse } from './exchange/housekeeping.ts'
import { type Open, openExchange } from './exchange/open.ts'
import { reconcile } from './exchange/reconcile.ts'
import { keptTypes, readOnlyTypes } from './fhir/kept-types.ts'
import { searchParameters } from './fhir/search-parameters.ts'
import { hmppsFaults, hmppsOf, queueOf } from './hmpps-reach.ts'
import { createApp } from './http/app.ts'
import type { Door } from './http/context.ts'
import { metricsOf } from './http/gauges.ts'
import { listen, peerOf } from './http/listen.ts'
import { traceOf } from './log.ts'
import { wakeUp } from './schedule.ts'
import type { Database, Driver } from './store/database.ts'
import { applyDirectory, directoryState, loadDirectory } from './store/directory.ts'
import { KeyUnknown } from './store/keyring.ts'
import { lookThrough } from './store/look.ts'
import { migrate, NewerDatabase } from './store/migrate.ts'
import { releaseLeases } from './store/owed.ts'
import { renewTerms } from './store/renew-terms.ts'
import { openStore } from './store/sealed.ts'
import { openSqlite, type SqliteDatabase } from './store/sqlite.ts'
import { Trouble } from './store/trouble.ts'

/** How often what fell due is looked for, and whether another process applied a directory. */
const everyFiveSeconds = '*/5 * * * * *'
const everySecond = '* * * * * *'
/** When there is least to do. At a start as well: a night that was missed is made up for. */
const nightly = '0 17 2 * * *'
/** The night looks at everybody: a tenth of the time at most, so that who asks meanwhile is hardly any later. */
const nightRest = 9
/** Pages given back to the disk in one go, and how many are left for what comes next. */
const pagesAtOnce = 200
const pagesLeftFree = 1_000
/** Of the ten seconds we have when asked to stop. */
const stopMs = 8_000

export type Gateway = {
  open: Open
  /** Takes no new work, finishes what is in hand (at most 8 s), closes the database. Asked again: the same ending. */
  stop(): Promise<void>
}

type FileStore = Database & Omit<SqliteDatabase, keyof Driver>

export type Around = {
  log: Log
  /** Absent: every channel there is. */
  channels?: ReadonlyMap<string, Channel>
  /** How a manual clock is turned; absent: as the exchange does it. */
  turning?: (open: Open, clock: ManualClock) => (to: Date) => Promise<void>
  /** Routes for more audiences, behind the same door. */
  routes?: (app: Hono<Door>, open: Open) => void
}

/**
 * @returns the running gateway, or every fault of the directory as a sentence
 * @throws when the port is taken or the database can not be opened
 */
export async function startGateway(config: Config, around: Around): Promise<{ gateway: Gateway } | { faults: readonly string[] }> {
  const began = performance.now()
  const { log, channels = allChannels } = around
  const known = surroundings(channels, config.host)

  const faults = hmppsFaults(config)
  if (faults.length) return { faults }
  mkdirSync(config.dataDir, { recursive: true })
  const store = await openFile(join(config.dataDir, 'exchange.db'), config.masterKeys)
  if ('faults' in store) return store
  const { database, migrated } = store
  for (let more = true; more; ) {
    const slice = await renewTerms(database)
    if (slice.renewed > 0) log('info', 'index.renewed', { resources: slice.renewed })
    more = slice.more
  }
  if (config.directory !== undefined) {
    const { directory: earlier } = await loadDirectory(database)
    const read = readDirectory(readText(config.directory), { ...known, known: earlier })
    if ('faults' in read) {
      await database.close()
      return read
    }
    // Real time: who may come in does not follow a manual clock.
    log('info', 'directory.applied', await applyDirectory(database, read.directory, new Date()))
  }
  let loaded = await loadDirectory(database, known.secrets)
  if (loaded.faults.length > 0) {
    await database.close()
    return { faults: loaded.faults }
  }

  const hashes = await hashesOf([...adapters.values()].map(({ mapping }) => mapping))
  const clock = config.clock && manualClock(config.clock)
  const open = openExchange({
    database,
    directory: () => loaded.directory,
    adapters,
    channels,
    now: clock ? clock.now : realClock,
    log,
    publicUrl: config.publicUrl,
    signOffs: () => ({ required: config.requireSignedMappings, hashes, signatures: loaded.signatures }),
    fetch: outgoing(known.reach),
    ...hmppsOf(config, known.reach),
  })
  // One gateway works on one database file, so whatever is leased was in the hands of the one before.
  await database.atomically([releaseLeases(open.exchange.now().toISOString())])
  // Somebody may have signed while nothing ran.
  await open.signed()
  let stopping: Promise<void> | undefined
  const app = createApp({
    exchange: open.exchange,
    steps: open.steps,
    clients: () => loaded.clients,
    settings: {
      masterKey: config.masterKey,
      rateLimit: config.rateLimit,
      types: keptTypes,
      readOnly: readOnlyTypes,
      searchParameters,
      peer: peerOf(config.trustedProxies),
      stopping: () => stopping !== undefined,
      metrics: metricsOf(open.exchange),
      ...(config.webhooks ? { webhooks: config.webhooks } : {}),
      pdf: async (page, how) => (await import('./pages/pdf.ts')).pdfOf(page, how),
      ...(clock ? { turn: around.turning?.(open, clock) ?? ((to: Date) => open.turn(to, clock.set)) } : {}),
    },
  })
  around.routes?.(app, open)
  const door = await listen(app, config)
  log('info', 'ready', {
    url: config.publicUrl,
    ms: Math.round(performance.now() - began),
    migrations: migrated.length,
    manualClock: clock !== undefined,
  })

  const stopQueue = config.queue && readQueue(open.exchange, queueOf(config.queue, known.reach))

  const failed = (error: unknown) => log('error', 'tick.failed', traceOf(error))
  const isWell = watching(database.health, log)
  const stopTicking = wakeUp(everyFiveSeconds, async () => ((await isWell()) ? open.tick() : undefined), failed)
  let state = await directoryState(database)
  const stopReading = wakeUp(
    everySecond,
    async () => {
      const now = await directoryState(database)
      if (now === state) return
      state = now
      const signed = loaded.signatures.length
      loaded = await loadDirectory(database, known.secrets)
      if (loaded.signatures.length > signed) await open.signed()
      log(loaded.faults.length > 0 ? 'warn' : 'info', 'directory.read', {
        partners: loaded.directory.partners.size,
        faults: loaded.faults.length,
      })
    },
    failed,
  )

  const ending = new AbortController()
  const stopTidying = wakeUp(
    nightly,
    async () => {
      const { retentionYears: years, keepMessagesDays: messagesDays, keepAnswersDays: answersDays, keepEventsDays: eventsDays } = config
      const tidied = await keepHouse(open.exchange, { years, messagesDays, answersDays, eventsDays })
      const pages = await giveBack(database)
      if (tidied.answers + tidied.messages + tidied.review + pages > 0) log('info', 'house.kept', { ...tidied, pages })
      const found = await reconcile(open.exchange, { rest: nightRest, signal: ending.signal })
      if (!ending.signal.aborted) log('info', 'reconciled', found)
    },
    failed,
  )

  const end = async () => {
    ending.abort()
    const late = new Promise<void>((done) => setTimeout(done, stopMs).unref())
    const finished = Promise.all([
      door.stop(stopMs),
      stopTicking(),
      stopReading(),
      stopTidying(),
      open.deliverer.stop(),
      stopQueue?.(),
      open.looked(),
    ])
    await Promise.race([finished.then(() => open.seal().catch(failed)), late])
    await database.close()
  }
  const stop = () => {
    stopping ??= end()
    return stopping
  }
  return { gateway: { open, stop } }
}

/** The store in a file that is sound and of our schema, or what is wrong with it as a sentence. */
async function openFile(
  path: string,
  masterKeys: readonly Uint8Array[],
): Promise<{ database: FileStore; migrated: string[] } | { faults: readonly string[] }> {
  let file: SqliteDatabase | undefined
  try {
    file = openSqlite(path)
    await lookThrough(file, path)
    const migrated = await migrate(file)
    return { database: await openStore(file, masterKeys), migrated }
  } catch (error) {
    await file?.close()
    if (error instanceof KeyUnknown) return { faults: [otherMasterKey] }
    if (error instanceof Trouble) return { faults: [error.line] }
    if (error instanceof NewerDatabase) return { faults: [error.message] }
    throw error
  }
}

/** Free pages go back to the disk a few at a time, while everybody is served. @returns how many went */
async function giveBack(database: FileStore): Promise<number> {
  const before = (await database.giveBack(0)) ?? 0
  let free = before
  while (free > pagesLeftFree) {
    const left = (await database.giveBack(Math.min(pagesAtOnce, free - pagesLeftFree))) ?? free
    if (left >= free) break
    free = left
    await new Promise((done) => setTimeout(done, 5))
  }
  return before - free
}

/** Says once when the store can not be used, and once when it can again. */
function watching(health: () => Promise<string | undefined>, log: Log): () => Promise<boolean> {
  let before: string | undefined
  return async () => {
    const reason = await health()
    if (reason !== before) log(reason ? 'error' : 'info', reason ? 'store.trouble' : 'store.well', reason ? { reason } : {})
    before = reason
    return reason === undefined
  }
}

/** The faults of a directory file, each as a sentence; whether it names what was applied earlier is seen at the start. */
export function directoryFaults(path: string): string[] {
  let text: string
  try {
    text = readText(path)
  } catch {
    return ['DIRECTORY names a file that can not be read.']
  }
  const earlier = { has: () => true }
  const read = readDirectory(text, { ...surroundings(allChannels, process.env.HOST), known: { services: earlier, partners: earlier } })
  return 'faults' in read ? read.faults.map((fault) => `DIRECTORY ${fault}`) : []
}

const otherMasterKey =
  'MASTER_KEY is not the one this database was sealed with. Add the former one after it, with a comma between, and run `keys rotate`.'

export const readText = (path: string): string => readFileSync(path, 'utf8')
const surroundings = (channels: ReadonlyMap<string, Channel>, host: string | undefined) => ({
  adapters,
  channels,
  secrets: { env: process.env, readText },
  reach: allowedFor(host),
})
