/**
 * The one seam to a database: ask, and write several things or none of them.
 *
 * There is no reading inside a transaction. Conditions live in the statements: unique keys, `where version = ?`,
 * `on conflict`, and `mustChange` for a statement that has to touch a row or everything it came with is undone.
 *
 * A driver (sqlite.ts, d1.ts) knows plain values only. Around it stands the store (sealed.ts), which seals what is marked
 * as `sealed` and hashes what is marked as `terms`: no driver and no file ever holds a person's details.
 */
export type Plain = string | number | null | Uint8Array

/** Kept so that only who has the holder's key reads it, and only at this place. */
export type Sealed = { seal: string; holder: string; place: string }
/** What can be searched for, as keyed hashes one behind the other (`termBytes` each). */
export type Terms = { terms: readonly string[] }
/** A JSON list of rows for `json_each`; what is sealed in them is in hex. */
export type Rows = { rows: readonly Readonly<Record<string, string | Sealed | undefined>>[] }
export type Value = Plain | Sealed | Terms | Rows

export type StatementOf<V> = {
  /** Fixed text: every text is prepared once and kept. Values go in `params`, never in the text. */
  sql: string
  params: readonly V[]
  /** Undo the whole unit when this statement changes no row; the unit fails with `Conflict` carrying this word. */
  mustChange?: string
}
export type Statement = StatementOf<Value>

/** A statement's fixed text with its values. */
export const statement = <P extends readonly Value[]>(sql: string, ...params: P): StatementOf<P[number]> => ({ sql, params })

/** This statement must change a row, or the unit it is in fails with `Conflict(what)`. */
export const mustChange = <V>(what: string, one: StatementOf<V>): StatementOf<V> => ({ ...one, mustChange: what })

/**
 * @param holder whose key: a person's id, or the shelf of what is about nobody
 * @param place what it is bound to, never two things at once: read anywhere else it does not open
 */
export const sealed = (holder: string, place: string, text: string): Sealed => ({ seal: text, holder, place })
export const terms = (texts: readonly string[]): Terms => ({ terms: texts })

/** What the file holds of one term. */
export const termBytes = 12

type Over<V> = {
  query<Row>(one: StatementOf<V>): Promise<Row[]>
  /** All or nothing, durable when the promise resolves. Gives the rows of each statement that has `returning`. */
  atomically(unit: readonly StatementOf<V>[]): Promise<unknown[][]>
  /**
   * Resolves when whatever a query may have seen is durable; undefined when it is. What somebody is told because of a query alone
   * waits for it.
   *
   * @throws Trouble when that may never be
   */
  settled(): Promise<void> | undefined
  /** Why it can not take work now, if it can not. */
  health(): Promise<string | undefined>
  close(): Promise<void>
}
export type Driver = Over<Plain>
export type Database = Over<Value> & {
  /**
   * What was sealed, in the same order; undefined where the holder's key was destroyed.
   * @throws Altered when bytes were changed, or moved from the place they were sealed for
   */
  unseal(parts: readonly SealedBytes[]): Promise<(string | undefined)[]>
  /** Holds no key of this holder in memory any more. */
  forget(holder: string): void
  /** What signs for this database, made at first use: the same through every rotation of the master key. */
  signer(): Promise<Signer>
  /** Its public key, and nothing made: undefined when nothing signed yet. @throws Altered */
  publicKey(): Promise<Uint8Array | undefined>
}
export type Signer = {
  /** Ed25519, 32 bytes. */
  publicKey: Uint8Array
  sign(bytes: Uint8Array): Promise<Uint8Array>
}
export type SealedBytes = { holder: string; place: string; bytes: Uint8Array }

/** One sealed column of every row, opened; undefined where there is nothing, or nothing any more. */
export async function unsealed<Row>(
  database: Pick<Database, 'unseal'>,
  rows: readonly Row[],
  bytesOf: (row: Row) => Uint8Array | null,
  holderOf: (row: Row) => string,
  placeOf: (row: Row) => string,
): Promise<(string | undefined)[]> {
  const kept = rows.flatMap((row) => {
    const bytes = bytesOf(row)
    return bytes ? [{ holder: holderOf(row), place: placeOf(row), bytes }] : []
  })
  const texts = (await database.unseal(kept)).values()
  return rows.map((row) => (bytesOf(row) ? texts.next().value : undefined))
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
