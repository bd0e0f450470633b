/**
 * What a database knows of itself: short values in clear, by name.
 */
import { type Database, type Statement, statement } from './database.ts'

export async function markOf(database: Pick<Database, 'query'>, name: string): Promise<string | undefined> {
  const [row] = await database.query<{ value: string }>(statement('select value from mark where name = ?', name))
  return row?.value
}

export const setMark = (name: string, value: string): Statement =>
  statement('insert into mark (name, value) values (?, ?) on conflict do update set value = excluded.value', name, value)
