/**
 * From sending a case to a partner's socket having its whole message, at a steady rate.
 */
import { steadily, type Timed, timed } from './load.ts'
import type { Partners } from './partner.ts'
import { arrivals, messagesOfCase } from './stage.ts'

/**
 * @param but a partner that does not count: it may be dead
 * @returns milliseconds
 */
export async function delivery(
  partners: Partners,
  { count, perSecond, but }: { count: number; perSecond: number; but?: string },
  send: (n: number) => Promise<unknown>,
): Promise<Timed> {
  partners.forget()
  const sent: number[] = []
  const began = performance.now()
  await steadily(count, perSecond, async (n) => {
    sent[n] = performance.now()
    await send(n)
  })
  const counting = () => partners.arrived.filter(({ partner }) => partner !== but)
  await arrivals({ count: () => new Set(counting().map(({ key }) => key)).size }, count * (but ? messagesOfCase - 1 : messagesOfCase))
  // Messages of one partner arrive in the order of their cases, or nearly: the nth arrival is the nth case's.
  const places = Map.groupBy(counting(), ({ partner }) => partner)
  const times = [...places.values()].flatMap((arrived) => arrived.map(({ at }, n) => at - (sent[n] ?? at)))
  return timed(times, performance.now() - began)
}
