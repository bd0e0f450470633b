/**
 * The same seam on Cloudflare D1: a unit is one `batch()`, which D1 runs as a transaction.
 *
 * A batch can not look at a result half way, so `mustChange` is a second statement: it writes `changes()` into a row whose
 * CHECK refuses 0, which undoes the batch. The name of the check says which statement it was.
 */
import { Conflict, type Driver, type Plain, type StatementOf, statement } from './database.ts'

/** As much of Cloudflare's D1Database as is used here. */
export type D1Binding = {
  prepare(sql: string): D1Statement
  batch(statements: D1Statement[]): Promise<{ results?: unknown[] }[]>
}
type Statement = StatementOf<Plain>
type D1Statement = { bind(...values: Plain[]): D1Statement; all(): Promise<{ results: unknown[] }> }

/** The unit's `mustChange` words, in order, are the steps of the guard. */
export function openD1(binding: D1Binding): Driver {
  const bound = ({ sql, params }: Statement): D1Statement => binding.prepare(sql).bind(...params)

  return {
    query: async <Row>(one: Statement) => rowsOf((await bound(one).all()).results) as Row[],

    atomically: async (unit) => {
      if (unit.length === 0) return []
      const words: string[] = []
      const batch: D1Statement[] = []
      const places: number[] = []
      for (const one of unit) {
        places.push(batch.push(bound(one)) - 1)
        if (one.mustChange !== undefined) batch.push(bound(guard(words.push(one.mustChange))))
      }
      try {
        const answers = await binding.batch(batch)
        return places.map((place) => rowsOf(answers[place]?.results ?? []))
      } catch (error) {
        throw asConflict(error, words)
      }
    },

    settled: () => undefined,

    health: async () => {
      try {
        await bound(statement('select holds from guard')).all()
        return undefined
      } catch {
        return 'the database does not answer'
      }
    },

    close: async () => {},
  }
}

/** D1 gives a BLOB as a list of numbers. */
const rowsOf = (rows: unknown[]): unknown[] =>
  rows.map((row) =>
    Object.fromEntries(Object.entries(row as object).map(([name, value]) => [name, Array.isArray(value) ? Uint8Array.from(value) : value])),
  )

const guard = (step: number): Statement => statement('update guard set step = ?, holds = changes()', step)

/** D1 says 'D1_ERROR: UNIQUE constraint failed: inbox.client, inbox.request_id: SQLITE_CONSTRAINT'. */
function asConflict(error: unknown, words: readonly string[]): unknown {
  const text = error instanceof Error ? error.message : String(error)
  const step = /CHECK constraint failed: step_(\d+|beyond)/.exec(text)?.[1]
  if (step) return new Conflict((step === 'beyond' ? words.at(-1) : words[Number(step) - 1]) ?? 'guard')
  const key = /UNIQUE constraint failed: (.*?)(?:: SQLITE_CONSTRAINT.*)?$/.exec(text)?.[1]
  return key === undefined ? error : new Conflict(key)
}
