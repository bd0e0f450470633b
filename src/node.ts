/**
 * `npm run serve`: reads the settings, starts the gateway, ends it when asked to.
 */
import { mkdirSync } from 'node:fs'
import { type Config, readConfig } from './config.ts'
import { directoryFaults, readText, startGateway } from './gateway.ts'
import { createLog, traceOf } from './log.ts'
import { Trouble } from './store/trouble.ts'

const config = settings()
const log = createLog(config.logLevel)
for (const fault of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(fault, (error: unknown) => {
    log('error', 'crashed', traceOf(error))
    process.exit(1)
  })
}

const started = await startGateway(config, { log }).catch((error: NodeJS.ErrnoException) => {
  if (error instanceof Trouble) return { faults: [error.line] }
  if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') throw error
  return {
    faults: [
      `PORT ${config.port} can not be opened: ${error.code === 'EADDRINUSE' ? 'something else is listening there' : 'it is not ours to open'}.`,
    ],
  }
})
if ('faults' in started) refuseToStart(started.faults)

let stopping = false
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, async () => {
    if (stopping) return
    stopping = true
    log('info', 'stopping', { signal })
    await started.gateway.stop()
    log('info', 'stopped')
    process.exit(0)
  })
}

/** The settings, or the end: with every fault of the environment and of the directory file. */
function settings(): Config {
  const read = readConfig(process.env, readText)
  const faults = 'faults' in read ? [...read.faults] : folderFaults(read.config)
  const file = process.env.DIRECTORY?.trim()
  if (file) faults.push(...directoryFaults(file))
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

function refuseToStart(faults: readonly string[]): never {
  process.stderr.write(`The exchange can not start:\n${faults.map((fault) => `- ${fault}\n`).join('')}`)
  process.exit(1)
}
