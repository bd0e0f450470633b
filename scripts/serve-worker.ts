/**
 * `npm run serve:worker`: the Worker of `src/worker.ts` in `wrangler dev`, from the same environment as `npm run serve`. What it
 * keeps is below DATA_DIR, in a local D1; it asks nobody on the network anything.
 *
 * `wrangler dev` is started as a library (`unstable_startWorker` is what its command line calls): one process less to wait for, no
 * secret on a command line or in a file, nothing watched, no inspector. Around it: migrations, the directory, and the cron.
 */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { adapters } from '../adapters/index.ts'
import { readDirectory } from '../src/access/directory-file.ts'
import { allowedFor } from '../src/channels/address.ts'
import { channels } from '../src/channels/index.ts'
import { type Config, readConfig } from '../src/config.ts'
import { directoryFaults, readText } from '../src/gateway.ts'
import { createLog, traceOf } from '../src/log.ts'
import { type D1Binding, openD1 } from '../src/store/d1.ts'
import { applyDirectory, loadDirectory } from '../src/store/directory.ts'
import { migrate } from '../src/store/migrate.ts'

/** As often as `npm run serve` looks for what fell due. Cloudflare's cron turns once a minute. */
const tickMs = 5_000
/** Of the ten seconds we have when asked to stop. */
const stopMs = 9_000

/** What wrangler would otherwise ask of the network, show on the port, or write outside DATA_DIR. Set before it is loaded. */
const quiet = {
  WRANGLER_LOG: 'error', // its own lines name addresses with their queries, and those can name people
  WRANGLER_HIDE_BANNER: 'true', // with it goes the look for a newer version
  WRANGLER_WRITE_LOGS: 'false',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  DO_NOT_TRACK: '1',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  X_LOCAL_EXPLORER: 'false', // would show the database to whoever reaches the port
  X_LOCAL_OBSERVABILITY: 'false',
}

const began = performance.now()
const configPath = fileURLToPath(new URL('../wrangler.toml', import.meta.url))
const config = settings()
const log = createLog(config.logLevel)
const state = resolve(config.dataDir, 'worker')
Object.assign(process.env, quiet)
const { getPlatformProxy, unstable_startWorker: startWorker } = await import('wrangler')

const prepared = await prepareDatabase()
if ('faults' in prepared) refuseToStart(prepared.faults)
const worker = await startWorker({
  config: configPath,
  bindings: bindings(),
  envFiles: [],
  dev: {
    remote: false,
    server: { hostname: config.host, port: config.port },
    persist: state,
    // A saved source file would start the Worker anew, clock and all.
    watch: false,
    inspector: false,
    logLevel: 'error',
    structuredLogsHandler: pass,
  },
})
// `ready` would wait for ever: a port that is taken, a bundle that does not build.
for (const event of ['error', 'buildFailed']) worker.raw.once(event, (fault: unknown) => refuseToStart([wordsOf(fault)]))
await worker.ready
await worker.fetch('http://localhost/health')
for (const event of ['error', 'buildFailed'])
  worker.raw.removeAllListeners(event).on(event, (fault: unknown) => log('error', 'wrangler.failed', traceOf(fault)))
let stopping = false
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  // wrangler's own listeners would end everything in the middle of its work.
  process.removeAllListeners(signal)
  process.on(signal, () => void stop(signal))
}
log('info', 'ready', {
  url: config.publicUrl,
  ms: Math.round(performance.now() - began),
  migrations: prepared.migrations,
  manualClock: config.clock !== undefined,
})

while (!stopping) {
  await turnCron('* * * * *').catch((error: unknown) => log('error', 'tick.failed', traceOf(error)))
  await new Promise((done) => setTimeout(done, tickMs))
}

async function stop(signal: string) {
  if (stopping) return
  stopping = true
  log('info', 'stopping', { signal })
  const late = new Promise((done) => setTimeout(done, stopMs))
  await Promise.race([turnCron('stop').then(() => worker.dispose()), late]).catch(() => undefined)
  log('info', 'stopped')
  process.exit(0)
}

/** @param cron a schedule, or the word that `src/worker.ts` understands in its place */
async function turnCron(cron: string): Promise<void> {
  const { ok } = await worker.fetch(`http://localhost/cdn-cgi/local/scheduled?cron=${encodeURIComponent(cron)}`)
  if (!ok) throw new Error('the Worker did not take its turn')
}

/** The Worker's lines are JSON. What workerd says besides may quote what somebody sent. */
function pass({ message }: { message: string }) {
  if (message.startsWith('{"at":') || config.logLevel === 'debug') process.stdout.write(`${message}\n`)
}

/** The settings, or the end: with every fault of the environment and of the directory file. */
function settings(): Config {
  const read = readConfig(process.env, readText, 'platform')
  const faults = 'faults' in read ? [...read.faults] : folderFaults(read.config)
  const api = Object.keys(process.env).find((name) => name.startsWith('HMPPS_API_') && process.env[name]?.trim())
  if (api)
    faults.push(
      `${api} can not be used by a Worker on this machine: only a deployed one is bound to a certificate. Leave out every HMPPS_API setting.`,
    )
  const file = process.env.DIRECTORY?.trim()
  if (file) faults.push(...directoryFaults(file))
  if ('faults' in read || faults.length > 0) return refuseToStart(faults)
  return read.config
}

function folderFaults({ dataDir }: Config): string[] {
  try {
    mkdirSync(join(dataDir, 'worker'), { recursive: true })
    return []
  } catch {
    return ['DATA_DIR names a folder that can not be made.']
  }
}

/** wrangler throws an Error, or says `{ reason, cause }`. */
function wordsOf(fault: unknown): string {
  const { message, reason, cause } = fault as { message?: string; reason?: string; cause?: { message?: string } }
  return message ?? [reason, cause?.message].filter(Boolean).join(': ')
}

function refuseToStart(faults: readonly string[]): never {
  process.stderr.write(`The exchange can not start:\n${faults.map((fault) => `- ${fault}\n`).join('')}`)
  process.exit(1)
}

/** Migrations and the directory file, written into the local D1 by the code that writes them on Node. */
async function prepareDatabase(): Promise<{ migrations: number } | { faults: readonly string[] }> {
  const platform = await getPlatformProxy<{ DB: D1Binding }>({
    configPath,
    persist: { path: join(state, 'v3') },
    remoteBindings: false,
    envFiles: [],
  })
  try {
    const database = openD1(platform.env.DB)
    const migrations = (await migrate(database)).length
    if (config.directory === undefined) return { migrations }
    const { directory: known } = await loadDirectory(database)
    // A Worker has no files: a secret stands in the environment.
    const secrets = {
      env: process.env,
      readText: () => {
        throw new Error('no files')
      },
    }
    const read = readDirectory(readText(config.directory), { adapters, channels, secrets, reach: allowedFor(config.host), known })
    if ('faults' in read) return read
    log('info', 'directory.applied', await applyDirectory(database, read.directory, new Date()))
    return { migrations }
  } finally {
    await platform.dispose()
  }
}

/** The Worker sees this environment: its settings, and the secrets that the directory names. */
function bindings() {
  const { MASTER_KEY_FILE: _, ...environment } = process.env
  const settings = {
    HOST: config.host,
    PORT: String(config.port),
    PUBLIC_URL: config.publicUrl,
    MASTER_KEY: config.masterKeys.map((key) => Buffer.from(key).toString('base64')).join(','),
  }
  return Object.fromEntries(
    Object.entries({ ...environment, ...settings }).map(([name, value = '']) => [name, { type: 'secret_text' as const, value }]),
  )
}
