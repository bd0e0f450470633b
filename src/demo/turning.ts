/**
 * The demo's time: turning the clock stops at each moment at which a timer, a message, a partner or a prison is due, and lets
 * them act before it goes on.
 */
import type { ManualClock } from '../clock.ts'
import type { Open } from '../exchange/open.ts'
import { nextDue } from '../store/owed.ts'
import type { Agenda } from './agenda.ts'
import { timerMoment } from './timer-words.ts'

export type Moment = { at: string; words: string }
type NameOf = (patient: string) => string | undefined
/** `before`: the clock is about to be turned; `after`: everything due at one moment has happened. */
export type Around = { before(): void; after(): Promise<void>; nameOf: NameOf }

export const turning =
  (open: Open, clock: ManualClock, agenda: Agenda, around: Around) =>
  async (to: Date): Promise<void> => {
    around.before()
    for (;;) {
      const next = await nextMoment(open, agenda, around.nameOf)
      if (next === undefined || next.at > to.toISOString()) break
      await open.turn(new Date(next.at), clock.set)
      await agenda.runUpTo(clock.now().toISOString())
      await open.deliverer.idle()
      await around.after()
    }
    await open.turn(to, clock.set)
    await around.after()
  }

/** What is next to happen, in the exchange or around it. */
export async function nextMoment({ exchange }: Open, agenda: Agenda, nameOf: NameOf): Promise<Moment | undefined> {
  const [timer, message] = await Promise.all([timerMoment(exchange.database, nameOf), nextDue(exchange.database)])
  const own = agenda.next()
  const moments: Moment[] = [
    ...(own ? [{ at: own.at, words: own.others ? `${own.words}, and ${own.others} more` : own.words }] : []),
    ...(message ? [{ at: message, words: 'The exchange tries a message again' }] : []),
    ...(timer ? [timer] : []),
  ]
  return moments.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))[0]
}
