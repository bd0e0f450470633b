/**
 * What happens in the course of a run, for those who wait for a moment to strike.
 */
export type Moment = 'sent' | 'acknowledged' | 'arrived' | 'answered'

export function createMoments() {
  const waiting = new Map<Moment, Set<() => void>>()
  return {
    /** Whoever waits for it is called before this comes back. */
    now(moment: Moment): void {
      const those = waiting.get(moment)
      waiting.delete(moment)
      for (const wake of those ?? []) wake()
    },
    /** Calls `then` in the very turn in which it happens; after `mostMs` without, all the same. */
    next(moment: Moment, mostMs: number, then: () => void): Promise<void> {
      return new Promise((done) => {
        let over = false
        const wake = () => {
          if (over) return
          over = true
          clearTimeout(late)
          then()
          done()
        }
        const late = setTimeout(wake, mostMs)
        const those = waiting.get(moment) ?? new Set()
        waiting.set(moment, those.add(wake))
      })
    },
  }
}
export type Moments = ReturnType<typeof createMoments>

export const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))
