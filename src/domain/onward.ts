/**
 * Where a referral that is redirected goes on to (closed-loop.md C1 row 7; IIRMS: service-facts.md 1, an exclusion of one service that sends people
 * there instead).
 */
export const destinations = {
  'enhanced-reconnect': { words: 'Enhanced RECONNECT' },
  iirms: { words: 'an integrated risk management service (IIRMS)' },
  'out-of-area': { words: 'the RECONNECT service of another area' },
  'under-18': { words: 'services for people under 18' },
  other: { words: 'another service' },
} as const

export type Destination = keyof typeof destinations
export const isDestination = (code: string | undefined): code is Destination => code !== undefined && Object.hasOwn(destinations, code)

/** A person sees it through: it arrived, or it did not and they say why. */
export const onwardMoves: Readonly<Record<string, readonly string[]>> = {
  requested: ['in-progress', 'completed', 'failed', 'cancelled'],
  'in-progress': ['completed', 'failed', 'cancelled'],
}
export const onwardNeedsReason: ReadonlySet<string> = new Set(['failed', 'cancelled'])
