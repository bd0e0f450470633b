/**
 * The servers the bench measures: the real gateway, and the bare limit. Each its own process, on one core where `taskset` is.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { partnerKinds, service } from './case.ts'
import { sleep } from './load.ts'

export type Server = {
  url: string
  dataDir: string
  /** Milliseconds from the start of the process to a good answer of /health. */
  startMs: number
  /** Resident memory in MiB. */
  memory: () => number
  /** Processor time used so far, all threads, in milliseconds; NaN where /proc is not. */
  cpuMs: () => number
  stop: () => Promise<void>
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
let pinned = false
/** Servers started from now on have the first core, this process the second. @returns how it is, in words */
export function pin(): string {
  pinned = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0
  if (pinned) spawnSync('taskset', ['-a', '-cp', '1', String(process.pid)])
  return pinned ? 'the server on one core, the load on another' : 'the cores not pinned'
}

/** What `npm run serve` tells Node itself; the bare limit is told the same. */
const nodeFlags = (JSON.parse(readFileSync(here('../package.json'), 'utf8')) as { scripts: { serve: string } }).scripts.serve
  .split(' ')
  .filter((word) => word.startsWith('--'))

/** @param file as `npm run` starts it: a file, and what it is told */
async function startServer(
  [file = '', ...told]: string[],
  env: (dataDir: string, port: number) => Record<string, string>,
  kept?: string,
): Promise<Server> {
  const port = await freePort()
  const dataDir = kept ?? newFolder()
  const profile = process.env.BENCH_PROFILE ? ['--cpu-prof', `--cpu-prof-dir=${process.env.BENCH_PROFILE}`] : []
  const [program = '', ...args] = [
    ...(pinned ? ['taskset', '-c', '0'] : []),
    process.execPath,
    ...nodeFlags,
    ...profile,
    here(file),
    ...told,
  ]
  const { CLOCK: _clock, ...around } = process.env
  const began = performance.now()
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...around, ...env(dataDir, port) } })
  // Also when the bench ends by a fault: nothing of it goes on running.
  const killed = () => child.kill()
  process.once('exit', killed)
  child.once('exit', () => process.off('exit', killed))
  const url = `http://127.0.0.1:${port}`
  while (!(await well(url))) {
    if (child.exitCode !== null) throw new Error(`${file} ended before it was ready`)
    await sleep(2)
  }
  const proc = (what: string) => (existsSync('/proc/self/stat') ? readFileSync(`/proc/${child.pid}/${what}`, 'utf8') : '')
  return {
    url,
    dataDir,
    startMs: performance.now() - began,
    memory: () => Number(/VmRSS:\s+(\d+)/.exec(proc('status'))?.[1]) / 1024,
    // utime and stime, in hundredths of a second, twelve and thirteen fields behind the name in brackets.
    cpuMs: () => {
      const [user, system] = proc('stat').split(') ')[1]?.split(' ').slice(11, 13) ?? []
      return (Number(user) + Number(system)) * 10
    },
    stop: async () => {
      await ended(child)
      if (!kept) rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

/** A folder of its own, for whoever removes it again. */
export const newFolder = () => mkdtempSync(join(tmpdir(), 'exchange-bench-'))

const well = (url: string) =>
  fetch(`${url}/health`).then(
    async (response) => (await response.text()) !== '' && response.ok,
    () => false,
  )

async function ended(child: ChildProcess) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise<void>((done) => child.once('exit', () => done()))
  child.kill('SIGTERM')
  await exit
}

const freePort = () =>
  new Promise<number>((done) => {
    const socket = createServer().listen(0, '127.0.0.1', () => {
      const { port } = socket.address() as { port: number }
      socket.close(() => done(port))
    })
  })

export const startBare = () => startServer(['bare.ts'], (dataDir, port) => ({ PORT: String(port), DATA_DIR: dataDir }))

export type Gateway = Server & {
  /** Headers with a fresh token (it lasts five minutes). */
  as: (client: string) => Promise<Record<string, string>>
}

export const caseSystem = 'case-system'
/** What the bench's gateways seal with: of no use to anybody. */
export const masterKey = Buffer.alloc(32, 7)

/**
 * @param urls where each of the four partners listens, by id
 * @param kept a data folder that is there and stays; absent: a fresh one that goes when it stops
 * @param clock where a stopped clock begins; absent: the real one
 */
export async function startGateway(urls: Readonly<Record<string, string>>, kept?: string, clock?: string): Promise<Gateway> {
  const { privateKey, publicKey } = await generateKeyPair('ES384')
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'bench', alg: 'ES384', use: 'sig' }] }
  const ids = Object.keys(partnerKinds)
  const directory = {
    services: [{ id: service, name: 'RECONNECT (bench)', ods: 'RXBENCH', prisons: ['HHI'], homeAreas: ['E06000004'], enhanced: true }],
    partners: ids.map((id, n) => ({
      id,
      kind: partnerKinds[id],
      name: `Bench ${id}`,
      ods: `B8100${n + 1}`,
      channel: { name: 'fhir-message', url: urls[id] },
      deduplicates: true,
    })),
    clients: [
      { id: caseSystem, role: 'service', service, jwks, scope: 'system/*.cruds' },
      ...ids.map((id) => ({ id, role: 'partner', partner: id, jwks, scope: 'system/*.rs system/Task.rus' })),
    ],
  }
  const server = await startServer(
    ['../src/start.ts', './node.ts'],
    (dataDir, port) => {
      const file = join(dataDir, 'directory.json')
      writeFileSync(file, JSON.stringify(directory))
      return {
        PORT: String(port),
        HOST: '127.0.0.1',
        PUBLIC_URL: `http://127.0.0.1:${port}`,
        DATA_DIR: dataDir,
        DIRECTORY: file,
        MASTER_KEY: masterKey.toString('base64'),
        RATE_LIMIT: '1000000',
        LOG_LEVEL: 'error',
        ...(clock ? { CLOCK: `manual:${clock}` } : {}),
      }
    },
    kept,
  )
  const as = async (client: string) => {
    const assertion = await new SignJWT({})
      .setProtectedHeader({ alg: 'ES384', typ: 'JWT', kid: 'bench' })
      .setIssuer(client)
      .setSubject(client)
      .setAudience(`${server.url}/oauth/token`)
      .setIssuedAt()
      .setExpirationTime('4m')
      .setJti(crypto.randomUUID())
      .sign(privateKey)
    const answer = await fetch(`${server.url}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        scope: client === caseSystem ? 'system/*.cruds' : 'system/*.rs system/Task.rus',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      }),
    })
    const { access_token: token } = (await answer.json()) as { access_token?: string }
    if (!token) throw new Error(`no token for ${client}: ${answer.status}`)
    return { authorization: `Bearer ${token}`, accept: 'application/fhir+json' }
  }
  return { ...server, as }
}
