/**
 * Is this copy of a database whole, and what is in it: asked of the copy itself, never of what it was taken from.
 */
import { closeSync, fsyncSync, openSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { statement } from '../store/database.ts'
import { openSqlite, type SqliteDatabase } from '../store/sqlite.ts'
import { Fault } from './terminal.ts'

export type Contents = { people: number; records: number; unsettled: number; work: number }

/**
 * @param more looked at as well, while it is open
 * @throws Fault when it is not whole, or not a database of an exchange
 */
export async function contentsOf(file: string, more?: (copy: SqliteDatabase) => Promise<void>): Promise<Contents> {
  const copy = opened(file)
  try {
    const faults = await copy
      .query<{ integrity_check: string }>(statement('select integrity_check from pragma_integrity_check'))
      .catch(damaged)
    if (faults[0]?.integrity_check !== 'ok') damaged()
    const tables = await copy.query(
      statement(`select 1 from sqlite_master where type = 'table' and name in ('resource', 'owed', 'holder_key')`),
    )
    if (tables.length < 3) throw new Fault('This is not the database of an exchange.')
    await more?.(copy)
    const [contents] = await copy.query<Contents>(
      statement(`select (select count(*) from person) as people, (select count(*) from resource) as records,
        (select count(*) from owed where state in ('due', 'sending', 'parked')) as unsettled,
        (select count(*) from work_item where resolved_at is null) as work`),
    )
    return contents as Contents
  } finally {
    await copy.close()
  }
}

export const contentsWords = ({ people, records, unsettled, work }: Contents): string =>
  `people: ${people}, records on all shelves: ${records}, messages not settled: ${unsettled}, open work items: ${work}`

/** Under its name only once it is on the disk for good. */
export function putInPlace(file: string, place: string): void {
  flush(file)
  renameSync(file, place)
  flush(dirname(place))
}

function flush(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

function opened(file: string): SqliteDatabase {
  try {
    return openSqlite(file)
  } catch {
    return damaged()
  }
}

function damaged(): never {
  throw new Fault('The copy is damaged, or not a database.')
}
