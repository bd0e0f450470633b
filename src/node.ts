/**
 * The gateway on one machine: `npm run serve`. Reads the settings, opens the database, applies the directory, opens the door.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { adapters } from '../adapters/index.ts'
import { readDirectory } from './access/directory-file.ts'
import { channels } from './channels/index.ts'
import { manualClock, realClock } from './clock.ts'
import { type Config, readConfig } from './config.ts'
import { openExchange } from './exchange/open.ts'
import { searchParameters } from './fhir/search-parameters.ts'
import { servedTypes } from './fhir/validate.ts'
import { createApp } from './http/app.ts'
import { listen, peerOf } from './http/listen.ts'
import { createLog, traceOf } from './log.ts'
import { applyDirectory, directoryState, loadDirectory } from './store/directory.ts'
import { migrate } from './store/migrate.ts'
import { openSqlite } from './store/sqlite.ts'

/** How often what fell due is looked for, and whether another process applied a directory. */
const tickMs = 5_000
const directoryMs = 1_000
/** Of the ten seconds we have when asked to stop. */
const stopMs = 8_000

const readText = (path: string) => readFileSync(path, 'utf8')
const around = { adapters, channels, secrets: { env: process.env, readText } }

await start()

async function start() {
  const began = performance.now()
  const config = settings()
  const log = createLog(config.logLevel)
  for (const fault of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(fault, (error: unknown) => {
      log('error', 'crashed', traceOf(error))
      process.exit(1)
    })
  }

  const database = openSqlite(join(config.dataDir, 'exchange.db'))
  const migrated = await migrate(database)
  if (config.directory !== undefined) {
    const { directory: known } = await loadDirectory(database)
    const read = readDirectory(readText(config.directory), { ...around, known })
    if ('faults' in read) refuseToStart(read.faults)
    // Real time: who may come in does not follow a manual clock.
    log('info', 'directory.applied', await applyDirectory(database, read.directory, new Date()))
  }
  let loaded = await loadDirectory(database, around.secrets)
  if (loaded.faults.length > 0) refuseToStart(loaded.faults)

  const clock = config.clock && manualClock(config.clock)
  const open = openExchange({
    database,
    directory: () => loaded.directory,
    adapters,
    channels,
    now: clock ? clock.now : realClock,
    log,
    publicUrl: config.publicUrl,
  })
  let stopping = false
  const app = createApp({
    exchange: open.exchange,
    steps: open.steps,
    clients: () => loaded.clients,
    settings: {
      masterKey: config.masterKey,
      rateLimit: config.rateLimit,
      types: servedTypes,
      readOnly: ['Organization'],
      searchParameters,
      peer: peerOf(config.trustedProxies),
      stopping: () => stopping,
      ...(clock ? { turn: (to: Date) => open.turn(to, clock.set) } : {}),
    },
  })
  const door = await listen(app, config)
  log('info', 'ready', {
    url: config.publicUrl,
    ms: Math.round(performance.now() - began),
    migrations: migrated.length,
    manualClock: clock !== undefined,
  })

  const stopTicking = every(tickMs, open.tick)
  let state = await directoryState(database)
  const stopReading = every(directoryMs, async () => {
    const now = await directoryState(database)
    if (now === state) return
    state = now
    loaded = await loadDirectory(database, around.secrets)
    log(loaded.faults.length > 0 ? 'warn' : 'info', 'directory.read', {
      partners: loaded.directory.partners.size,
      faults: loaded.faults.length,
    })
  })

  /** Runs at once and then again, never twice at a time; what fails is said and tried again. */
  function every(ms: number, work: () => Promise<void>): () => Promise<void> {
    let running: Promise<void> | undefined
    const run = () => {
      running ??= work()
        .catch((error: unknown) => log('error', 'tick.failed', traceOf(error)))
        .finally(() => {
          running = undefined
        })
    }
    const timer = setInterval(run, ms)
    run()
    return async () => {
      clearInterval(timer)
      await running
    }
  }

  const stop = async (signal: string) => {
    if (stopping) return
    stopping = true
    log('info', 'stopping', { signal })
    const late = new Promise<void>((done) => setTimeout(done, stopMs))
    await Promise.race([Promise.all([door.stop(stopMs), stopTicking(), stopReading(), open.deliverer.stop()]), late])
    await database.close()
    log('info', 'stopped')
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal))
}

/** The settings, or the end: with every fault of the environment and of the directory file. */
function settings(): Config {
  const read = readConfig(process.env, readText)
  const faults = 'faults' in read ? read.faults : folderFaults(read.config)
  const file = process.env.DIRECTORY?.trim()
  if (file) faults.push(...fileFaults(file))
  if ('faults' in read || faults.length > 0) return refuseToStart(faults)
  return read.config
}

function folderFaults({ dataDir }: Config): string[] {
  try {
    mkdirSync(dataDir, { recursive: true })
    return []
  } catch {
    return ['DATA_DIR names a folder that can not be made.']
  }
}

function fileFaults(path: string): string[] {
  let text: string
  try {
    text = readText(path)
  } catch {
    return ['DIRECTORY names a file that can not be read.']
  }
  // Whether a client's partner was applied earlier is seen once the database is open.
  const earlier = { has: () => true }
  const read = readDirectory(text, { ...around, known: { services: earlier, partners: earlier } })
  return 'faults' in read ? read.faults.map((fault) => `DIRECTORY ${fault}`) : []
}

function refuseToStart(faults: readonly string[]): never {
  process.stderr.write(`The exchange can not start:\n${faults.map((fault) => `- ${fault}\n`).join('')}`)
  process.exit(1)
}
