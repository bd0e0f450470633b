/**
 * The gateway on Cloudflare Workers (`wrangler.toml`): the same app over D1, and a cron trigger for what falls due.
 *
 * Here a promise, a timer or a connection belongs to the event (a request, a turn of the cron) that made it. So an isolate keeps
 * only data from one event to the next, and an event that came to owe something delivers it after its own answer, with a
 * deliverer of its own; claims and leases in the database keep them apart. What it has no time for is left to the cron.
 */
import { adapters } from '../adapters/index.ts'
import { allowedFor } from './channels/address.ts'
import { checkedFetch } from './channels/checked.ts'
import { hmppsApi } from './channels/hmpps-api.ts'
import { channels } from './channels/index.ts'
import { manualClock, realClock } from './clock.ts'
import { type Config, isLoopback, readConfig } from './config.ts'
import { hashesOf } from './domain/sign-off.ts'
import type { Exchange } from './exchange/exchange.ts'
import { signedNow } from './exchange/handovers.ts'
import { keepHouse } from './exchange/housekeeping.ts'
import { type Open, openExchange } from './exchange/open.ts'
import { reconcile } from './exchange/reconcile.ts'
import { stepsOf } from './exchange/steps.ts'
import { keptTypes, readOnlyTypes } from './fhir/kept-types.ts'
import { outcome } from './fhir/outcome.ts'
import { searchParameters } from './fhir/search-parameters.ts'
import { createApp } from './http/app.ts'
import type { Asked } from './http/context.ts'
import { fhirJson } from './http/errors.ts'
import { metricsOf } from './http/gauges.ts'
import { createLog, traceOf } from './log.ts'
import { type D1Binding, openD1 } from './store/d1.ts'
import type { Database } from './store/database.ts'
import { directoryState, loadDirectory } from './store/directory.ts'
import { KeyUnknown } from './store/keyring.ts'
import { renewTerms } from './store/renew-terms.ts'
import { openStore } from './store/sealed.ts'

/** After its answer an event has 30 s. It takes on messages for 8 of them, and an attempt may last 20. */
const takingMs = 8_000
const attemptMs = 20_000
/** The cron turns once a minute. */
const cronTakingMs = 50_000
/** Of a night's turn, for looking whether everything is as it should be. */
const reconcilingMs = 30_000
/** When there is least to do, in UTC. A night that the cron skips is made up for by the next. */
const [nightHour, nightMinute] = [2, 17]
/** How old what an isolate knows of the directory may be. */
const directoryMs = 1_000
/** Of the ten seconds that `npm run serve:worker` has when asked to stop; the word it then says in place of a schedule. */
const stopMs = 7_000
const stopWord = 'stop'

const mostDrained = 8 * 1024 * 1024

/** Variables and secrets are named as in CONTRACT.md 1. `HOST` is given by `npm run serve:worker` alone. */
type Env = { readonly DB: D1Binding; readonly [name: string]: unknown }
type After = { waitUntil(work: Promise<unknown>): void }

export default {
  async fetch(request: Request, env: Env, after: After): Promise<Response> {
    const gateway = await gatewayFor(env)
    return 'faults' in gateway ? unavailable(request, gateway.faults) : gateway.answer(request, after)
  },

  async scheduled({ cron }: { cron: string }, env: Env): Promise<void> {
    const gateway = await gatewayFor(env)
    if ('faults' in gateway) throw new Error('not set up: /health says why')
    if (cron === stopWord && isLoopback(String(env.HOST))) await gateway.stop()
    else await gateway.tick()
  },
}

type Gateway = {
  /** Reads the directory again when somebody applied another. */
  refresh(): Promise<void>
  answer(request: Request, after: After): Promise<Response>
  tick(): Promise<void>
  /** Takes no more requests and finishes what is in hand. */
  stop(): Promise<void>
}

let opened: Gateway | undefined

/** This isolate's gateway, opened by the first event that finds everything in place. */
async function gatewayFor(env: Env): Promise<Gateway | { faults: string[] }> {
  try {
    if (!opened) {
      const read = settings(env)
      if ('faults' in read) return read
      const gateway = await open(read.config, env)
      // Two first events at once: the slower one takes what the faster one opened.
      opened ??= gateway
    }
    await opened.refresh()
    return opened
  } catch (error) {
    createLog('error', say)('error', 'database.failed', traceOf(error))
    if (error instanceof KeyUnknown) return { faults: ['MASTER_KEY is not the one this database was sealed with.'] }
    return { faults: ['the database can not be read: was every migration applied?'] }
  }
}

function settings(env: Env): { config: Config } | { faults: string[] } {
  const texts = textsOf(env)
  // Without HOST this is nobody's own machine: what only a loopback address may do is refused.
  const read = readConfig({ HOST: 'workers', ...texts }, noFile, 'platform')
  const missing = [
    ...(texts.PUBLIC_URL ? [] : ['PUBLIC_URL is required.']),
    ...(texts.HMPPS_API_URL && !certificateOf(env) ? [`${certificateName} is required with HMPPS_API_URL: bind an mtls_certificate.`] : []),
  ]
  if ('faults' in read) return { faults: [...read.faults, ...missing] }
  return missing.length > 0 ? { faults: missing } : read
}

/** Cloudflare shows the certificate it holds to whoever is asked through this binding (mtls_certificates in wrangler.toml). */
const certificateName = 'HMPPS_API_CERTIFICATE'
const certificateOf = (env: Env) => env[certificateName] as { fetch: typeof fetch } | undefined

const textsOf = (env: Env) => Object.fromEntries(Object.entries(env).filter((one): one is [string, string] => typeof one[1] === 'string'))
const noFile = (): never => {
  throw new Error('a Worker has no files')
}
const say = (line: string) => console.log(line.trimEnd())

async function open(config: Config, env: Env): Promise<Gateway> {
  const log = createLog(config.logLevel, say)
  const database = await openStore(openD1(env.DB), config.masterKeys)
  const load = async () => {
    const state = await directoryState(database)
    const loaded = await loadDirectory(database, { env: textsOf(env), readText: noFile })
    log(loaded.faults.length > 0 ? 'error' : 'info', 'directory.read', {
      partners: loaded.directory.partners.size,
      faults: loaded.faults.length,
    })
    return { ...loaded, state }
  }
  const hashes = await hashesOf([...adapters.values()].map(({ mapping }) => mapping))
  let known = await load()
  let askedAt = Date.now()
  // In memory, as on Node: the clock can only be manual in `wrangler dev`, which runs one isolate from its start to its end.
  const clock = config.clock && manualClock(config.clock)

  const parts = {
    database,
    directory: () => known.directory,
    adapters,
    channels,
    now: clock ? clock.now : realClock,
    log,
    publicUrl: config.publicUrl,
    signOffs: () => ({ required: config.requireSignedMappings, hashes, signatures: known.signatures }),
    fetch: checkedFetch(
      allowedFor(config.host),
      inTime((...asked) => fetch(...asked)),
    ),
    ...hmppsOf(config, env),
  }
  /** Partners that a commit of some request owes something, until an event takes it on. */
  const owedTo = new Set<string>()
  const wake = (partners: readonly string[]) => {
    for (const partner of partners) owedTo.add(partner)
  }
  const exchange: Exchange = { ...parts, wake }
  const app = createApp({
    exchange,
    steps: stepsOf(exchange),
    clients: () => known.clients,
    settings: {
      masterKey: config.masterKey,
      rateLimit: config.rateLimit,
      types: keptTypes,
      readOnly: readOnlyTypes,
      searchParameters,
      peer: peerOf(config.host),
      metrics: metricsOf(exchange),
      ...(config.webhooks ? { webhooks: config.webhooks } : {}),
      ...(clock ? { turn: (to: Date) => turn(to, clock.set) } : {}),
    },
  })

  let requests = 0
  let working = 0
  let turning = false
  let stopping = false

  /** What one event does with a deliverer of its own, until nothing is due any more or its time is up. */
  async function work(ms: number, start: (own: Open) => Promise<void> | void) {
    await until(() => !turning)
    working++
    const own = openExchange(parts)
    const late = setTimeout(() => void own.deliverer.stop(), ms)
    try {
      await start(own)
      await own.deliverer.idle()
    } catch (error) {
      log('error', 'work.failed', traceOf(error))
    } finally {
      clearTimeout(late)
      working--
    }
  }

  /** Time passes for one hand at a time, and not while messages are in hand: their leases would run out. */
  async function turn(to: Date, set: (at: Date) => void) {
    await until(() => !turning && working === 0)
    turning = true
    try {
      await openExchange(parts).turn(to, set)
    } finally {
      turning = false
    }
  }

  return {
    async refresh() {
      if (Date.now() - askedAt < directoryMs) return
      askedAt = Date.now()
      if ((await directoryState(database)) === known.state) return
      const signed = known.signatures.length
      known = await load()
      // The next turn of the cron looks at what waited for it.
      if (known.signatures.length > signed) await database.atomically([signedNow(parts.now())])
    },
    async answer(request, after) {
      if (stopping) return unavailable(request, ['it is being stopped'])
      requests++
      try {
        const response = await app.fetch(request)
        // Whoever hung up waits for no answer.
        await drain(request).catch(() => undefined)
        return response
      } finally {
        requests--
        const partners = [...owedTo]
        owedTo.clear()
        if (partners.length > 0) after.waitUntil(work(takingMs, ({ deliverer }) => deliverer.wake(partners)))
      }
    },
    async tick() {
      await renewSome(database)
      await work(cronTakingMs, async (own) => {
        await own.tick()
        await own.looked()
      })
      const at = new Date()
      if (at.getUTCHours() !== nightHour || at.getUTCMinutes() !== nightMinute) return
      const { retentionYears: years, keepMessagesDays: messagesDays, keepAnswersDays: answersDays, keepEventsDays: eventsDays } = config
      log('info', 'house.kept', await keepHouse(exchange, { years, messagesDays, answersDays, eventsDays }))
      // As many people as there is time for, from where the night before came to.
      await work(cronTakingMs, async (own) => log('info', 'reconciled', await reconcile(own.exchange, { withinMs: reconcilingMs })))
    },
    async stop() {
      stopping = true
      const end = Date.now() + stopMs
      await until(() => (requests === 0 && working === 0) || Date.now() > end)
      await openExchange(parts).seal()
    },
  }
}

/** Reads on what nobody wanted to read: the proxy in `wrangler dev` loses an answer that comes before the end of its request. */
async function drain({ body, bodyUsed }: Request): Promise<void> {
  if (!body || bodyUsed || body.locked) return
  let length = 0
  for await (const part of body as unknown as AsyncIterable<Uint8Array>) {
    length += part.length
    if (length > mostDrained) return
  }
}

/** As much of an index that an upgrade made out of date as one turn of the cron may write (D1: 1,000 statements). */
async function renewSome(database: Database): Promise<void> {
  for (let n = 0, more = true; more && n < 5; n++) ({ more } = await renewTerms(database, 50))
}

/** Asked again and again, because what another event promised can not be waited for here. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((done) => setTimeout(done, 10))
}

const inTime =
  (ask: typeof fetch): typeof fetch =>
  (input, init) => {
    const late = AbortSignal.timeout(attemptMs)
    return ask(input, { ...init, signal: init?.signal ? AbortSignal.any([init.signal, late]) : late })
  }

/** The same look as on Node, through the binding that shows our certificate. */
function hmppsOf({ hmpps, host }: Config, env: Env): Pick<Exchange, 'hmpps' | 'lookPace'> {
  const certificate = certificateOf(env)
  if (!hmpps || !certificate) return {}
  const ask = checkedFetch(
    allowedFor(host),
    inTime((...asked) => certificate.fetch(...asked)),
  )
  return { hmpps: hmppsApi(hmpps, ask), lookPace: hmpps.pace }
}

/**
 * The address at the other end, as Cloudflare's edge saw it. That it is this machine is believed only of a `wrangler dev` that
 * listens nowhere else: there a caller may write any header.
 */
const peerOf =
  (host: string) =>
  (c: Asked): string | undefined => {
    const from = (name: string) => c.req.header(name)
    if (isLoopback(host) && !from('cf-ray')) return from('x-forwarded-for') || from('forwarded') ? undefined : '127.0.0.1'
    const address = from('cf-connecting-ip')
    return address && !isLoopback(address) ? address : undefined
  }

function unavailable(request: Request, reasons: string[]): Response {
  const below = new URL(request.url).pathname.startsWith('/fhir')
  const body = below
    ? outcome(
        503,
        reasons.map((text) => ({ code: 'transient', text })),
      )
    : { status: 'unavailable', reasons }
  return Response.json(body, { status: 503, headers: { 'Retry-After': '10', ...(below ? { 'Content-Type': fhirJson } : {}) } })
}
