/**
 * What the simulated world will do, and when, on the demo's clock: partners answer, prisons change their minds.
 */
export type Planned = {
  /** Instant. */
  at: string
  /** What will happen, for the page: 'Elvet Riverside Surgery answers'. */
  words: string
  run: () => Promise<void>
}

export type Agenda = {
  /** Puts something on the agenda; what was there under the same key goes. */
  put(key: string, planned: Planned): void
  drop(key: string): void
  /** What comes next, and how much else is planned for the same moment. @param about only what names this person */
  next(about?: string): { at: string; words: string; others: number } | undefined
  /** Does what is planned up to this instant, in order; what that plans in turn is done too when it falls before. */
  runUpTo(at: string): Promise<void>
}

export function openAgenda(): Agenda {
  const planned = new Map<string, Planned>()
  const first = (about = '') =>
    [...planned].filter(([, { words }]) => words.includes(about)).sort(([, a], [, b]) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))[0]
  return {
    put: (key, one) => planned.set(key, one),
    drop: (key) => planned.delete(key),
    next: (about) => {
      const one = first(about)?.[1]
      return one && { at: one.at, words: one.words, others: [...planned.values()].filter(({ at }) => at === one.at).length - 1 }
    },
    async runUpTo(at) {
      for (let one = first(); one && one[1].at <= at; one = first()) {
        planned.delete(one[0])
        await one[1].run()
      }
    },
  }
}
