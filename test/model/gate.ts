/**
 * Two ways to stand a gateway so that it can die: in memory, at any call to its database or to a partner; and as the real process on a
 * file, by SIGKILL. What happens to it, and what is asked of it, is the same either way.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Resource } from '@medplum/fhirtypes'
import Sqlite from 'better-sqlite3'
import { createServerIn } from '../../crash/server.ts'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { type Driver, statement } from '../../src/store/database.ts'
import { releaseLeases } from '../../src/store/owed.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { directoryFile, openGateway, type TestDirectory } from '../fixtures/gateway.ts'
import { bodyFor, cannotDropRepeats, idOf, type Partners, recipientOf } from './partners.ts'

export type Reply<Body = Resource> = { status: number; body: Body; text: string }
export type Death = { calls: number; after: boolean } | 'partner'
export type Gate = {
  call<Body = Resource>(
    client: string,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Reply<Body>>
  now(): string
  /** Turns the clock; whatever falls due on the way happens. */
  turn(to: string): Promise<void>
  /** The hands move and nobody is woken: as when the timekeeper is late. `deliver`: only the outbox is looked at. */
  oversleep(to: string, deliver: boolean): Promise<void>
  settled(): Promise<void>
  /** What is in hand is done; nobody is woken. */
  idle(): Promise<void>
  /** Rows of the file as it lies there: only what is not sealed. */
  rows<Row>(sql: string): Promise<Row[]>
  /** It is to die soon. @returns when it has */
  dying(how: Death): Promise<'died'>
  /** Dead now, whatever it was at, and another begins on what was committed. `late`: before anything that is due is looked at. */
  crash(late: boolean): Promise<void>
  /** What the night finds that nobody can explain or would wake. */
  night(): Promise<string[]>
  close(): Promise<void>
}

/** Two services, six partners: one that can not tell a repeat, one that only reads, one that is the other service. */
function directoryWith(file: TestDirectory, url: (id: string) => string): void {
  for (const partner of file.partners) {
    partner.channel = { name: 'fhir-message', url: url(partner.id) }
    partner.deduplicates = !cannotDropRepeats.some((one) => idOf[one] === partner.id)
  }
  const more = (id: string, kind: string, ods: string, channel: { name: string; [setting: string]: unknown }) =>
    file.partners.push({ id, kind, name: `Partner ${id}`, ods, channel, deduplicates: true, retired: false })
  more(idOf.wellbeing, 'mental-health', 'B8207', { name: 'pull' })
  more(idOf.elsewhere, 'reconnect-service', 'RXEW', { name: 'here', service: 'other-service' })
  more('reconnect-tees', 'reconnect-service', 'RXTV', { name: 'here', service: 'tees-valley' })
  const { jwks } = file.clients[0] as { jwks: unknown }
  for (const id of [idOf.wellbeing, idOf.elsewhere])
    file.clients.push({ id, role: 'partner', partner: id, jwks, scope: 'system/*.rs system/Task.rus' })
}

const kindOf = (body: unknown, path: string): Record<string, string> =>
  body === undefined
    ? {}
    : {
        'content-type': Array.isArray(body)
          ? 'application/json-patch+json'
          : path.startsWith('/fhir')
            ? 'application/fhir+json'
            : 'application/json',
      }

/** A database that dies at a call: what was asked of it since never comes back. */
function mortal(driver: Driver) {
  let left = Number.POSITIVE_INFINITY
  let [after, dead] = [false, false]
  let die = () => {}
  const died = new Promise<'died'>((done) => {
    die = () => {
      dead = true
      done('died')
    }
  })
  const never = new Promise<never>(() => {})
  const held =
    <Given extends unknown[], Result>(run: (...given: Given) => Promise<Result>) =>
    async (...given: Given): Promise<Result> => {
      if (dead) return never
      left--
      if (left > 0) return run(...given).then((result) => (dead ? never : result))
      dead = true
      if (after) await run(...given).catch(() => undefined)
      die()
      return never
    }
  return {
    died,
    die: () => die(),
    isDead: () => dead,
    dieIn(calls: number, afterIt: boolean) {
      left = calls
      after = afterIt
    },
    driver: { ...driver, query: held(driver.query), atomically: held(driver.atomically), close: async () => undefined } as Driver,
  }
}

export async function inMemory(partners: Partners, at: string): Promise<Gate> {
  const file = openSqlite(':memory:')
  const never = new Promise<never>(() => {})
  let killAtPartner = false
  const begin = async (from: string) => {
    const life = mortal(file)
    const gateway = await openGateway({
      database: life.driver,
      at: from,
      directory: (said) => directoryWith(said, (id) => `https://${id}.test/fhir`),
    })
    await gateway.database.atomically([releaseLeases(from)])
    gateway.exchange.fetch = (async (url: RequestInfo | URL, init?: RequestInit) => {
      if (life.isDead()) return never
      const key = new Headers(init?.headers).get('x-request-id') as string
      const text = String(init?.body)
      const said = await partners.arrive(new URL(String(url)).hostname.replace('.test', ''), key, text, gateway.clock.now().toISOString())
      if (killAtPartner) {
        killAtPartner = false
        life.die()
      }
      if (life.isDead()) return never
      if (typeof said === 'number') return new Response(bodyFor(said, text), { status: said })
      throw Object.assign(new TypeError('fetch failed'), { cause: { code: said === 'away' ? 'ECONNREFUSED' : 'ECONNRESET' } })
    }) as typeof fetch
    return { life, gateway }
  }
  let one = await begin(at)
  return {
    call: (client, method, path, body, headers = {}) =>
      one.gateway.client(client).call(method, path, body, { ...kindOf(body, path), ...headers }),
    now: () => one.gateway.clock.now().toISOString(),
    turn: (to) => one.gateway.turn(to),
    async oversleep(to, deliver) {
      one.gateway.clock.set(new Date(to))
      if (!deliver) return
      one.gateway.deliverer.wake()
      await one.gateway.deliverer.idle()
    },
    settled: async () => {
      await one.gateway.tick()
      await one.gateway.settled()
    },
    idle: () => one.gateway.deliverer.idle(),
    rows: (sql) => one.gateway.database.query(statement(sql)),
    dying(how) {
      killAtPartner = how === 'partner'
      if (how !== 'partner') one.life.dieIn(how.calls, how.after)
      return one.life.died
    },
    async crash(late) {
      killAtPartner = false
      one.life.die()
      one = await begin(one.gateway.clock.now().toISOString())
      if (late) return
      await one.gateway.tick()
      await one.gateway.settled()
    },
    async night() {
      const found = await reconcile(one.gateway.exchange)
      // What looking again puts right by itself is not asked here.
      const wrong = ['unwatched', 'unexplained', 'toNobody', 'parked', 'strangers', 'failed'] as const
      return wrong.flatMap((what) => (found[what] > 0 ? [`${found[what]} ${what}`] : []))
    },
    async close() {
      one.life.die()
      await file.close()
    },
  }
}

/** The gateway as it is run for real, on a folder of its own. Its partners listen on a socket. */
export async function asProcess(partners: Partners, at: string, dataDir: string): Promise<Gate> {
  let now = at
  // While the clock is turned nobody outside knows what it says. In memory the time of each message is known.
  let turnedFrom = at
  let atPartner: (() => void) | undefined
  const line = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('error', () => undefined)
    request.on('end', async () => {
      const text = Buffer.concat(parts).toString()
      const id = request.url?.split('/')[1] as string
      if (!recipientOf(id)) return void response.writeHead(404).end()
      const said = await partners.arrive(id, String(request.headers['x-request-id']), text, now, turnedFrom)
      atPartner?.()
      if (typeof said !== 'number') return void request.socket.resetAndDestroy()
      response.writeHead(said, { 'content-type': 'application/fhir+json', 'x-request-id': String(request.headers['x-request-id']) })
      response.end(bodyFor(said, text))
    })
  })
  await new Promise<void>((done) => line.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(line.address() as AddressInfo).port}`
  const server = await createServerIn(dataDir, (jwks) => {
    const file = directoryFile()
    file.clients = file.clients.map((client) => ({ ...client, jwks }))
    directoryWith(file, (id) => `${url}/${id}`)
    return file as unknown as { clients: { id: string; scope: string }[] }
  })
  const begin = async () => {
    turnedFrom = now
    server.spawn(new Date(now))
    await server.ready()
  }
  await begin()

  let lives = 0
  let death = Promise.withResolvers<'died'>()
  let soon: ReturnType<typeof setTimeout> | undefined
  const kill = async () => {
    clearTimeout(soon)
    atPartner = undefined
    lives++
    await server.kill()
    death.resolve('died')
  }
  /** Whoever was asking as it died never hears: as in memory. */
  const asked = async <T>(ask: () => Promise<T>): Promise<T> => {
    const life = lives
    try {
      const answer = await ask()
      if (life === lives) return answer
    } catch (error) {
      if (life === lives) throw error
    }
    return new Promise<never>(() => {})
  }
  const call: Gate['call'] = <Body>(client: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    asked(async () => {
      const answer = await fetch(`${server.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${await server.token(client)}`, ...kindOf(body, path), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await answer.text()
      return { status: answer.status, text, body: (text ? JSON.parse(text) : undefined) as Body }
    })
  const turn = (to: string) =>
    asked(async () => {
      now = to
      const answer = await fetch(`${server.url}/clock`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ to }),
      })
      if (answer.status !== 200) throw new Error(`the clock says ${answer.status}`)
      turnedFrom = to
    })
  return {
    call,
    now: () => now,
    turn,
    oversleep: (to) => turn(to),
    settled: () => turn(now),
    idle: () => turn(now),
    async rows<Row>(sql: string) {
      const sqlite = new Sqlite(join(dataDir, 'exchange.db'), { readonly: true })
      try {
        return sqlite.prepare(sql).all() as Row[]
      } finally {
        sqlite.close()
      }
    },
    dying(how) {
      death = Promise.withResolvers<'died'>()
      if (how === 'partner') atPartner = () => void kill()
      else soon = setTimeout(kill, how.calls)
      return death.promise
    },
    async crash() {
      await kill()
      await begin()
    },
    // Beside it, the command line reads another clock.
    night: async () => [],
    async close() {
      clearTimeout(soon)
      await server.stop()
      line.closeAllConnections()
      line.close()
    },
  }
}
