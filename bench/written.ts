/**
 * What the gateway wrote, read from its tables from outside: the bare limit is to write as many rows and bytes.
 */
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'

type Rows = Record<string, { rows: number; bytes: number }>
/** By table: rows for one case, bytes in each. */
export type Written = Record<string, [rows: number, bytes: number]>

export function rowsOf({ dataDir }: { dataDir: string }): Rows {
  const database = new Sqlite(join(dataDir, 'exchange.db'), { readonly: true })
  const tables = database
    .prepare(`select name from sqlite_master where type = 'table' and name not glob '*_migrations' and name not glob 'sqlite_*'`)
    .all()
  const rows = (tables as { name: string }[]).map(({ name }) => {
    const columns = (database.pragma(`table_info("${name}")`) as { name: string }[]).map(
      (column) => `coalesce(length("${column.name}"), 0)`,
    )
    return [name, database.prepare(`select count(*) as rows, coalesce(sum(${columns.join(' + ')}), 0) as bytes from "${name}"`).get()]
  })
  database.close()
  return Object.fromEntries(rows)
}

export function difference(after: Rows, before: Rows, count: number): Written {
  const each = Object.entries(after).map(([name, { rows, bytes }]): [string, [number, number]] => {
    const more = rows - (before[name]?.rows ?? 0)
    return [name, [Math.round(more / count), Math.round((bytes - (before[name]?.bytes ?? 0)) / Math.max(1, more))]]
  })
  return Object.fromEntries(each.filter(([, [rows]]) => rows > 0))
}
