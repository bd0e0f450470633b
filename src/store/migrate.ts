/**
 * Forward migrations on Node: the files of `migrations/` in order, each once. The same files and the same table of what was
 * applied as `wrangler d1 migrations apply`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { type Driver, statement } from './database.ts'

const home = new URL('../../migrations/', import.meta.url)

/**
 * @param folder where the SQL files are; they run in the order of their names
 * @returns the names of the files applied now
 * @throws NewerDatabase, and what the database says of a statement it refuses; that file is then not applied at all
 */
export async function migrate(database: Driver, folder: URL = home): Promise<string[]> {
  await database.atomically([
    statement(
      'create table if not exists d1_migrations (id integer primary key autoincrement, name text unique, applied_at timestamp default current_timestamp not null)',
    ),
  ])
  const rows = await database.query<{ name: string }>(statement('select name from d1_migrations'))
  const applied = new Set(rows.map(({ name }) => name))
  const known = readdirSync(folder).filter((name) => name.endsWith('.sql'))
  const beyond = [...applied.difference(new Set(known))].sort()
  if (beyond.length > 0) throw new NewerDatabase(beyond.at(-1) as string)
  const fresh = known.filter((name) => !applied.has(name)).sort()
  for (const name of fresh) {
    const parts = readFileSync(new URL(name, folder), 'utf8').split('--> statement-breakpoint')
    await database.atomically([
      ...parts.map((part) => statement(part.trim())),
      statement('insert into d1_migrations (name) values (?)', name),
    ])
  }
  return fresh
}

/** A later version of the exchange has worked on this database: nobody knows what we would do to it. */
export class NewerDatabase extends Error {
  override readonly name = 'NewerDatabase'
  constructor(migration: string) {
    super(
      `The database is of a newer version of the exchange (it has migration ${migration}). Nothing was changed: start that version, or put back a backup from before it.`,
    )
  }
}
