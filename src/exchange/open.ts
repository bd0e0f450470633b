/**
 * An exchange that is at work: what entry points, tests and the demo start.
 */
import type { Adapter } from '../adapter.ts'
import type { Channel } from '../channel.ts'
import type { Directory } from '../domain/directory.ts'
import type { Database } from '../store/database.ts'
import type { Steps } from './ask.ts'
import { type Deliverer, startDelivering } from './deliver.ts'
import type { Clock, Exchange, Log } from './exchange.ts'
import { noticeLateness } from './lateness.ts'
import { stepsOf } from './steps.ts'
import { runTimers, turn } from './time.ts'

export type Open = {
  exchange: Exchange
  steps: Steps
  deliverer: Deliverer
  /** Whatever is due: timers, then messages, and what has been on its way for too long. Called at start and whenever a minute has passed. */
  tick(): Promise<void>
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
  fetch?: typeof globalThis.fetch
}): Open {
  const exchange: Exchange = {
    ...parts,
    fetch: parts.fetch ?? globalThis.fetch,
    wake: (partners) => deliverer.wake(partners),
  }
  const deliverer = startDelivering(exchange)
  return {
    exchange,
    steps: stepsOf(exchange),
    deliverer,
    async tick() {
      await runTimers(exchange)
      deliverer.wake()
      await noticeLateness(exchange)
    },
    turn: (to, set) => turn(exchange, deliverer, to, set),
  }
}
