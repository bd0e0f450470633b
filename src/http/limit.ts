/**
 * How much one caller may ask for: a token bucket for each, on real time.
 */
import { LRUCache } from 'lru-cache'

/** Seconds to wait, or 0 when the caller may go on. */
export type Limit = (who: string) => number

/**
 * @param perSecond what flows in
 * @param burst what may be asked for at once
 * @param now milliseconds that only go forward
 */
export function createLimit(perSecond: number, burst = perSecond, now: () => number = () => performance.now()): Limit {
  // A caller forgotten among ten thousand others starts with a full bucket again.
  const buckets = new LRUCache<string, { left: number; at: number }>({ max: 10_000 })
  return (who) => {
    const at = now()
    const bucket = buckets.get(who) ?? { left: burst, at }
    bucket.left = Math.min(burst, bucket.left + ((at - bucket.at) / 1000) * perSecond)
    bucket.at = at
    buckets.set(who, bucket)
    if (bucket.left < 1) return Math.max(1, Math.ceil((1 - bucket.left) / perSecond))
    bucket.left -= 1
    return 0
  }
}
