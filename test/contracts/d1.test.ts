import { applyD1Migrations, env } from 'cloudflare:test'
import { openD1 } from '../../src/store/d1.ts'
import { statement } from '../../src/store/database.ts'
import { openStore } from '../../src/store/sealed.ts'
import { auditSealContract } from './audit-seal-contract.ts'
import { searchContract } from './search-contract.ts'
import { storeContract } from './store-contract.ts'

/** An empty database with every migration applied. Emptied rather than made anew for each test: D1 takes its time over tables. */
async function open() {
  await applyD1Migrations(env.DB, env.MIGRATIONS)
  const driver = openD1(env.DB)
  const tables = await driver.query<{ name: string }>(
    statement(`select name from sqlite_master where type = 'table' and name not in ('guard', 'd1_migrations')
      and name not like 'sqlite\\_%' escape '\\' and name not like '\\_cf\\_%' escape '\\'`),
  )
  await driver.atomically(tables.map(({ name }) => statement(`delete from "${name}"`)))
  return openStore(driver, [new Uint8Array(32).fill(9)])
}

storeContract('D1', open)
searchContract('D1', open)
auditSealContract('D1', open)
