/**
 * Step 10 of the journey: what is due is taken and tried, partner by partner (one attempt: attempt.ts).
 *
 * A message moves due -> sending (leased, the attempt number is the fence) -> delivered, or back to due at a later time, or
 * parked for a person, or void when it may not be told any more. Every partner has a lane of its own with a few messages in
 * hand at most, so one that is slow or dead holds up nobody else. A lease that ran out means that the process died between
 * sending and writing down the answer: the message goes again under the same key, unless its partner can not drop a repeat.
 *
 * What is owed while its partner has a hand free is leased in the commit that owes it (`take`), and leaves at once. Not to a partner
 * that can not drop a repeat: a crash between that commit and the sending would leave it parked, though it never left.
 */
import { laneOf, roomIn } from '../store/lanes.ts'
import { claim, type Owed, partnersDue } from '../store/owed.ts'
import { attempt } from './attempt.ts'
import type { Exchange, Hand } from './exchange.ts'
import { attemptMs } from './send.ts'

/** Messages in hand for one partner at a time. */
const inHand = 4
/** Long enough for an attempt and writing down how it went. */
export const leaseMs = 2 * attemptMs

export type Deliverer = {
  /** A hand for a message about to be owed, when the lane is open and nothing else waits in it. */
  take(partner: string): Promise<Hand | undefined>
  /** There may be something to send to these partners (to all that have something due, when none is named). */
  wake(partners?: readonly string[]): void
  /** Resolves when nothing is due and nothing is in hand. */
  idle(): Promise<void>
  /** Takes nothing new; resolves when what is in hand is written down. */
  stop(): Promise<void>
}

export function startDelivering(exchange: Exchange): Deliverer {
  const running = new Map<string, Promise<void>>()
  const again = new Set<string>()
  /** What is in hand for each partner. */
  const inHands = new Map<string, Set<Promise<void>>>()
  let looking: Promise<void> = Promise.resolve()
  let stopped = false

  const run = (partner: string): void => {
    if (stopped) return
    if (running.has(partner)) {
      again.add(partner)
      return
    }
    const work = drain(partner)
      .catch(failed(partner))
      .finally(() => {
        running.delete(partner)
        if (again.delete(partner)) run(partner)
      })
    running.set(partner, work)
  }

  const failed = (partner: string) => (error: unknown) =>
    exchange.log('error', 'lane-failed', { partner, error: error instanceof Error ? error.name : 'unknown' })

  const handsOf = (partner: string): Set<Promise<void>> => {
    const hands = inHands.get(partner) ?? new Set()
    inHands.set(partner, hands)
    return hands
  }
  const handle = (partner: string, work: Promise<void>): void => {
    const hands = handsOf(partner)
    const hand: Promise<void> = work.catch(failed(partner)).finally(() => hands.delete(hand))
    hands.add(hand)
  }
  const leaseFrom = (now: Date): string => new Date(now.getTime() + leaseMs).toISOString()

  /** Sends what is due, a few at a time; a free place is filled as soon as there is one. */
  const drain = async (partner: string): Promise<void> => {
    const hands = handsOf(partner)
    for (;;) {
      again.delete(partner)
      const now = exchange.now()
      const lane = await laneOf(exchange.database, partner)
      const room = stopped ? 0 : roomIn(lane, now.toISOString(), inHand) - hands.size
      const taken = room > 0 ? await claim(exchange.database, partner, now.toISOString(), leaseFrom(now), room) : []
      for (const message of taken) handle(partner, attempt(exchange, message))
      if (hands.size === 0 && !again.has(partner)) return
      if (hands.size) await Promise.race(hands)
    }
  }

  const atWork = () => [...running.values(), ...[...inHands.values()].flatMap((hands) => [...hands])]

  return {
    async take(partner) {
      const now = exchange.now()
      if (stopped || running.has(partner) || !exchange.directory().partners.get(partner)?.deduplicates) return undefined
      const lane = await laneOf(exchange.database, partner)
      // From here to the hand there is nothing to wait for: nobody else takes the last one.
      if (running.has(partner) || roomIn(lane, now.toISOString(), inHand) <= handsOf(partner).size) return undefined
      let begin = (_: Owed | undefined) => {}
      const told = new Promise<Owed | undefined>((resolve) => {
        begin = resolve
      })
      handle(
        partner,
        told.then((message) => message && attempt(exchange, message)),
      )
      return { leaseUntil: leaseFrom(now), send: begin, letGo: () => begin(undefined) }
    },
    wake(partners) {
      if (partners) for (const partner of partners) run(partner)
      else
        looking = looking.then(
          async () => (await partnersDue(exchange.database, exchange.now().toISOString())).forEach(run),
          () => undefined,
        )
    },
    async idle() {
      do {
        await looking
        await Promise.all(atWork())
      } while (atWork().length)
    },
    async stop() {
      stopped = true
      await looking
      await Promise.all(atWork())
    },
  }
}
