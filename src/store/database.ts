/**
 * The one seam to a database: ask, and write several things or none of them.
 *
 * There is no reading inside a transaction. Conditions live in the statements: unique keys, `where version = ?`,
 * `on conflict`, and `mustChange` for a statement that has to touch a row or everything it came with is undone.
 */
export type Value = string | number | null | Uint8Array
export type Statement = {
  /** Fixed text: every text is prepared once and kept. Values go in `params`, never in the text. */
  sql: string
  params: readonly Value[]
  /** Undo the whole unit when this statement changes no row; the unit fails with `Conflict` carrying this word. */
  mustChange?: string
}

/** A statement's fixed text with its values. */
export const statement = (sql: string, ...params: Value[]): Statement => ({ sql, params })

/** This statement must change a row, or the unit it is in fails with `Conflict(what)`. */
export const mustChange = (what: string, one: Statement): Statement => ({ ...one, mustChange: what })

export type Database = {
  query<Row>(one: Statement): Promise<Row[]>
  /** All or nothing, durable when the promise resolves. Gives the rows of each statement that has `returning`. */
  atomically(unit: readonly Statement[]): Promise<unknown[][]>
  /** Why it can not take work now, if it can not. */
  health(): Promise<string | undefined>
  close(): Promise<void>
}

/** Somebody was there first: a stale version, a taken key, a lost lease. Nothing of the unit was written. */
export class Conflict extends Error {
  /** The `mustChange` word, or the unique key that was taken ('inbox.client, inbox.request_id'). */
  readonly what: string
  constructor(what: string) {
    super(`conflict: ${what}`)
    this.what = what
  }
}
