/**
 * What was decided about a person does not begin once a change to that person is acknowledged: between deciding and telling there is
 * always some waiting (for the database, for the channel), and a withdrawal may be committed meanwhile.
 *
 * Whoever decides watches the person first and asks `stale()` in the same breath as it tells, with nothing to wait for in between. A
 * commit makes every watch of its people stale before anybody hears of it. This holds within one process; several processes on one
 * database each decide on what is committed when they decide, and what is left is the moment from there to the call.
 */
import type { Database } from '../store/database.ts'

export type Watch = {
  /** Something about one of these people was committed since the watch began. */
  stale(): boolean
  end(): void
}

const watches = new WeakMap<Database, Map<string, Set<{ stale: boolean }>>>()

/** Begin before the decision is read; end it in any case. */
export function watch(database: Database, people: readonly string[]): Watch {
  const all = watches.get(database) ?? new Map<string, Set<{ stale: boolean }>>()
  watches.set(database, all)
  const mark = { stale: false }
  for (const person of people) all.set(person, (all.get(person) ?? new Set()).add(mark))
  return {
    stale: () => mark.stale,
    end() {
      for (const person of people) {
        const marks = all.get(person)
        marks?.delete(mark)
        if (marks?.size === 0) all.delete(person)
      }
    },
  }
}

/** What was committed about these people: before its caller is answered. */
export function changed(database: Database, people: readonly string[]): void {
  const all = watches.get(database)
  for (const person of people) for (const mark of all?.get(person) ?? []) mark.stale = true
}
