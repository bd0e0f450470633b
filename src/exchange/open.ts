/**
 * An exchange that is at work: what entry points, tests and the demo start.
 */
import type { Adapter } from '../adapter.ts'
import type { Channel } from '../channel.ts'
import type { HmppsApi } from '../channels/hmpps-api.ts'
import type { Directory } from '../domain/directory.ts'
import type { LookPace } from '../domain/look-pace.ts'
import type { SignOffs } from '../domain/sign-off.ts'
import { sealAudit } from '../store/audit-seal.ts'
import type { Database } from '../store/database.ts'
import type { Steps } from './ask.ts'
import { type Deliverer, startDelivering } from './deliver.ts'
import type { Clock, Exchange, Log } from './exchange.ts'
import { signedNow } from './handovers.ts'
import { lookUp } from './hmpps-look.ts'
import { noticeHorizon } from './horizon.ts'
import { noticeLateness } from './lateness.ts'
import { stepsOf } from './steps.ts'
import { runTimers, turn } from './time.ts'

/** How long rows of the audit wait for their seal: seals are kept for good, and one every five seconds would be many. */
const sealEveryMs = 60_000

export type Open = {
  exchange: Exchange
  steps: Steps
  deliverer: Deliverer
  /** Whatever is due: timers, messages, what has been on its way for too long, then the audit's seal. Called again and again. */
  tick(): Promise<void>
  /** Somebody signed a mapping: what waited for it is looked at now. */
  signed(): Promise<void>
  /** Seals what stands in the audit; before the end, so that nothing is left without. */
  seal(): Promise<void>
  /** Nothing is being looked up any more. */
  looked(): Promise<void>
  /** Turns a stopped clock (see `turn`). */
  turn(to: Date, set: (at: Date) => void): Promise<void>
}

export function openExchange(parts: {
  database: Database
  directory: () => Directory
  adapters: ReadonlyMap<string, Adapter>
  channels: ReadonlyMap<string, Channel>
  now: Clock
  log: Log
  publicUrl: string
  signOffs?: () => SignOffs
  fetch?: typeof globalThis.fetch
  hmpps?: HmppsApi
  lookPace?: LookPace
}): Open {
  const exchange: Exchange = {
    ...parts,
    fetch: parts.fetch ?? globalThis.fetch,
    take: (partner) => deliverer.take(partner),
    wake: (partners) => deliverer.wake(partners),
    look: () => look(),
  }
  const deliverer = startDelivering(exchange)
  /** Beside everything else: an API that does not answer keeps nobody waiting. */
  let looking: Promise<unknown> | undefined
  const look = () => {
    looking ??= lookUp(exchange)
      .catch((error: unknown) => exchange.log('error', 'hmpps.failed', { error: error instanceof Error ? error.name : 'unknown' }))
      .finally(() => {
        looking = undefined
      })
  }
  /** Real time: a stopped clock does not keep rows waiting. */
  let sealAfter = 0
  const seal = async () => {
    const { rows, root, more } = await sealAudit(exchange.database, exchange.now())
    sealAfter = more ? 0 : performance.now() + sealEveryMs
    if (rows > 0) exchange.log('info', 'audit.sealed', { rows, root })
  }
  return {
    exchange,
    steps: stepsOf(exchange),
    deliverer,
    async tick() {
      look()
      await runTimers(exchange)
      deliverer.wake()
      await noticeLateness(exchange)
      await noticeHorizon(exchange)
      if (performance.now() >= sealAfter) await seal()
    },
    async signed() {
      await exchange.database.atomically([signedNow(exchange.now())])
      await runTimers(exchange)
    },
    seal,
    looked: async () => {
      await looking
    },
    turn: (to, set) => turn(exchange, deliverer, to, set),
  }
}
