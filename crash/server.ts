/**
 * The gateway as it is run for real (`src/node.ts`), in a process of its own that can be killed and started again on its folder.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { sleep } from './moments.ts'

/** It ended by itself, or did not get ready: that is a finding. */
export class Failed extends Error {}

const root = fileURLToPath(new URL('..', import.meta.url))
const readyWithinMs = 30_000

export type Server = Awaited<ReturnType<typeof createServerIn>>

/**
 * @param directory what it is told of services, partners and clients, given the keys of those who will call
 */
export async function createServerIn(dataDir: string, directory: (jwks: unknown) => { clients: { id: string; scope: string }[] }) {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const { privateKey, publicKey } = await generateKeyPair('ES384')
  const known = directory({ keys: [{ ...(await exportJWK(publicKey)), kid: 'crash', alg: 'ES384', use: 'sig' }] })
  const file = join(dataDir, 'directory.json')
  writeFileSync(file, JSON.stringify(known))
  const { CLOCK: _clock, NODE_ENV: _env, ...around } = process.env
  const env = {
    ...around,
    PORT: String(port),
    HOST: '127.0.0.1',
    PUBLIC_URL: url,
    DATA_DIR: dataDir,
    DIRECTORY: file,
    MASTER_KEY: Buffer.alloc(32, 5).toString('base64'),
    RATE_LIMIT: '1000000',
    LOG_LEVEL: 'error',
    // Most of a start is reading the code: the first start, which ends as it should, keeps it for the others.
    NODE_COMPILE_CACHE: join(dataDir, 'code'),
  }
  let child: ChildProcess | undefined
  let ended: Promise<void> = Promise.resolve()
  let said = ''
  // Whoever ends us leaves nothing running.
  process.once('exit', () => child?.kill('SIGKILL'))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const tokens = new Map<string, { token: Promise<string>; until: number }>()

  const server = {
    url,
    port,
    dataDir,
    /** The database's files, for whoever watches them. */
    files: { wal: join(dataDir, 'exchange.db-wal'), shm: join(dataDir, 'exchange.db-shm') },
    /** Variables of its environment from the next start or command on, in place of what it has anyway. */
    besides: {} as Record<string, string>,
    starts: 0,
    /** Milliseconds each start took that was waited for. */
    startMs: [] as number[],
    up: false,
    /** What it said on its own account: errors of its log. */
    said: () => said,

    /** Starts a process; it may not be ready. @param clock an instant at which a stopped clock begins */
    spawn(clock?: Date) {
      if (child) throw new Error('it runs already')
      server.starts++
      const one = spawn(process.execPath, [join(root, 'src/node.ts')], {
        cwd: root,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...env, ...server.besides, ...(clock ? { CLOCK: `manual:${clock.toISOString()}` } : {}) },
      })
      const hear = (bytes: Buffer) => {
        said = (said + bytes).slice(-200_000)
      }
      one.stdout.on('data', hear)
      one.stderr.on('data', hear)
      child = one
      ended = new Promise((done) => one.once('exit', () => done()))
    },

    /** @throws Failed when it ends, or is not well in half a minute */
    async ready() {
      const began = performance.now()
      const one = child
      while (performance.now() - began < readyWithinMs) {
        if (one?.exitCode !== null) throw new Failed(`it ended while starting:\n${said.slice(-2_000)}`)
        const well = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) }).then(
          async (answer) => (await answer.text()) !== '' && answer.ok,
          () => false,
        )
        if (well) {
          server.up = true
          server.startMs.push(performance.now() - began)
          return
        }
        await sleep(8)
      }
      throw new Failed(`it was not ready in ${readyWithinMs} ms:\n${said.slice(-2_000)}`)
    },

    /** SIGKILL, in this turn of the event loop. @returns when it is gone @throws Failed when it had ended by itself */
    kill(): Promise<void> {
      return end('SIGKILL')
    },
    stop(): Promise<void> {
      return end('SIGTERM')
    },

    /** A command line of the same environment, beside it. @returns what it printed */
    async reconnect(...args: string[]): Promise<string> {
      const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'src/cli.ts'), ...args], {
        cwd: root,
        env: { ...env, ...server.besides },
        maxBuffer: 2 ** 28,
      })
      return stdout
    },

    /** A token of `client`, renewed before its five minutes are over. @throws when it can not be reached */
    token(client: string): Promise<string> {
      const present = tokens.get(client)
      if (present && present.until > Date.now()) return present.token
      const token = fetchToken(client)
      tokens.set(client, { token, until: Date.now() + 180_000 })
      token.catch(() => tokens.delete(client))
      return token
    },
    forgetToken: (client: string) => void tokens.delete(client),
  }
  return server

  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const one = child
    if (!one) return
    const already = one.exitCode !== null
    one.kill(signal)
    server.up = false
    child = undefined
    await ended
    if (already) throw new Failed(`it ended by itself (${one.exitCode}):\n${said.slice(-2_000)}`)
  }

  async function fetchToken(client: string): Promise<string> {
    const assertion = await new SignJWT({})
      .setProtectedHeader({ alg: 'ES384', typ: 'JWT', kid: 'crash' })
      .setIssuer(client)
      .setSubject(client)
      .setAudience(`${url}/oauth/token`)
      .setIssuedAt()
      .setExpirationTime('4m')
      .setJti(crypto.randomUUID())
      .sign(privateKey)
    const answer = await fetch(`${url}/oauth/token`, {
      method: 'POST',
      signal: AbortSignal.timeout(10_000),
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        scope: known.clients.find(({ id }) => id === client)?.scope ?? '',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      }),
    })
    const { access_token: token } = (await answer.json()) as { access_token?: string }
    if (!token) throw new Error(`no token for ${client}: ${answer.status}`)
    return token
  }
}

const freePort = () =>
  new Promise<number>((done) => {
    const socket = createServer().listen(0, '127.0.0.1', () => {
      const { port } = socket.address() as { port: number }
      socket.close(() => done(port))
    })
  })
