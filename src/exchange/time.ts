/**
 * Time passing: timers that fall due make the exchange look at a person again, messages that fall due are attempted.
 *
 * node-cron, a Worker's cron trigger and the manual clock all end here; a late, repeated or skipped call changes nothing,
 * because what is due stands in the database.
 */
import { nextEventDue } from '../store/events.ts'
import { nextDue } from '../store/owed.ts'
import { clearTimersOf, nextTimer, setTimer, type Timer, timersDue } from '../store/timers.ts'
import { lookAgain } from './amend.ts'
import type { Deliverer } from './deliver.ts'
import type { Exchange } from './exchange.ts'
import { lookUp } from './hmpps-look.ts'
import { noticeHorizon } from './horizon.ts'
import { nextLateness, noticeLateness } from './lateness.ts'

const batch = 200
/** People looked at side by side: what they commit goes to the disk together, and between two commits requests have their turn. */
const together = 16

/** The run that is last in line, for each exchange at work. */
const runs = new WeakMap<Exchange, Promise<unknown>>()

/** Runs every timer that is due now. Whoever comes while one runs waits for it, and then for what is left: nobody is looked at by two. */
export function runTimers(exchange: Exchange): Promise<number> {
  const run = Promise.resolve(runs.get(exchange)).then(
    () => runDue(exchange),
    () => runDue(exchange),
  )
  runs.set(exchange, run)
  return run
}

async function runDue(exchange: Exchange): Promise<number> {
  for (let ran = 0; ; ) {
    const due = await timersDue(exchange.database, exchange.now().toISOString(), batch)
    const people = new Set(due.map((timer) => timer.patient)).values()
    const hand = async () => {
      for (const patient of people) await lookAt(exchange, patient, due)
    }
    await Promise.all(Array.from({ length: together }, hand))
    ran += due.length
    if (due.length < batch) return ran
  }
}

/** Looking again rewrites or clears the person's timers. Where it fails, everyone else's still run, and this one is tried again. */
async function lookAt(exchange: Exchange, patient: string, due: readonly Timer[]): Promise<void> {
  const later = new Date(exchange.now().getTime() + 15 * 60_000).toISOString()
  try {
    if (await lookAgain(exchange, patient)) return
    await exchange.database.atomically([clearTimersOf(patient)])
  } catch (error) {
    exchange.log('error', 'timer-failed', { error: error instanceof Error ? error.name : 'unknown' })
    const again = due.filter((timer) => timer.patient === patient).map((timer) => setTimer({ ...timer, dueAt: later }))
    await exchange.database.atomically(again)
  }
}

/**
 * Turns a stopped clock to `to`, stopping at each moment something falls due on the way and letting it happen.
 *
 * @param set puts the hands forward
 */
export async function turn(exchange: Exchange, deliverer: Deliverer, to: Date, set: (at: Date) => void): Promise<void> {
  for (;;) {
    const { database } = exchange
    const moments = [await nextTimer(database), await nextDue(database), await nextLateness(exchange), await nextEventDue(database)]
    const next = moments.filter((at) => at !== undefined).sort()[0]
    if (next === undefined || next > to.toISOString()) break
    if (next > exchange.now().toISOString()) set(new Date(next))
    await runTimers(exchange)
    await lookUp(exchange)
    deliverer.wake()
    await deliverer.idle()
    await noticeLateness(exchange)
  }
  set(to)
  await noticeHorizon(exchange)
}
