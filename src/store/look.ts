/**
 * A look at the database file before it is worked with: is all of it there, and does every table open at both of its ends?
 *
 * `pragma quick_check` reads every page: seconds for each gigabyte, from a cold disk far longer, while nobody is served. This takes
 * milliseconds however large the file is, and finds what happens to files: cut short by a copy or a full disk, overwritten at the
 * beginning, replaced by another. A flipped byte further in shows when it is read (what is sealed does not open, a page does not
 * parse), and every `backup` reads all of its copy with `integrity_check`.
 */
import { statSync } from 'node:fs'
import { type Driver, statement } from './database.ts'
import { damage } from './trouble.ts'

/** @throws Trouble */
export async function lookThrough(driver: Driver, file: string): Promise<void> {
  const [size] = await driver.query<{ pages: number; bytes: number }>(
    statement('select page_count as pages, page_size as bytes from pragma_page_count, pragma_page_size'),
  )
  // Pages that are new may still stand in the -wal alone: those are counted, so only a file that is short without one is cut.
  if (size && sizeOf(`${file}-wal`) === 0 && sizeOf(file) < size.pages * size.bytes) throw damage()
  const tables = await driver.query<{ name: string; rowless: number }>(
    statement(`select name, wr as rowless from pragma_table_list where schema = 'main' and type = 'table'`),
  )
  for (const { name, rowless } of tables) {
    const quoted = `"${name.replaceAll('"', '""')}"`
    await driver.query(statement(`select * from ${quoted} limit 1`))
    if (!rowless) await driver.query(statement(`select * from ${quoted} order by rowid desc limit 1`))
  }
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0
