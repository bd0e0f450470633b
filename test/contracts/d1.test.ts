import { applyD1Migrations, env } from 'cloudflare:test'
import { statement } from '../../src/store/database.ts'
import { openD1 } from '../../src/store/d1.ts'
import { searchContract } from './search-contract.ts'
import { storeContract } from './store-contract.ts'

/** An empty database with every migration applied. Emptied rather than made anew for each test: D1 takes its time over tables. */
async function open() {
  await applyD1Migrations(env.DB, env.MIGRATIONS)
  const database = openD1(env.DB)
  const tables = await database.query<{ name: string }>(
    statement(`select name from sqlite_master where type = 'table' and name not like '%\\_%' escape '\\' and name <> 'guard'
      union all select name from sqlite_master where name in ('resource_version', 'work_item', 'message_taken', 'assertion_used')`),
  )
  await database.atomically(tables.map(({ name }) => statement(`delete from "${name}"`)))
  return database
}

storeContract('D1', open)
searchContract('D1', open)
