/**
 * The demo's time: turning the clock stops at each moment at which a timer, a message, a partner or a prison is due, and lets
 * them act before it goes on.
 */
import type { ManualClock } from '../clock.ts'
import type { Open } from '../exchange/open.ts'
import { nextDue } from '../store/owed.ts'
import { nextTimer } from '../store/timers.ts'
import type { Agenda } from './agenda.ts'

export type Moment = { at: string; words: string }

export const turning =
  (open: Open, clock: ManualClock, agenda: Agenda) =>
  async (to: Date): Promise<void> => {
    for (;;) {
      const next = await nextMoment(open, agenda)
      if (next === undefined || next.at > to.toISOString()) break
      await open.turn(new Date(next.at), clock.set)
      await agenda.runUpTo(clock.now().toISOString())
      await open.deliverer.idle()
    }
    await open.turn(to, clock.set)
  }

/** What is next to happen, in the exchange or around it. */
export async function nextMoment({ exchange }: Open, agenda: Agenda): Promise<Moment | undefined> {
  const [timer, message] = await Promise.all([nextTimer(exchange.database), nextDue(exchange.database)])
  const own = agenda.next()
  const moments: Moment[] = [
    ...(own ? [{ at: own.at, words: own.others ? `${own.words}, and ${own.others} more` : own.words }] : []),
    ...(message ? [{ at: message, words: 'The exchange tries a message again' }] : []),
    ...(timer ? [{ at: timer, words: 'The exchange looks again at somebody who is waiting' }] : []),
  ]
  return moments.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))[0]
}
