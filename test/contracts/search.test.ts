import { migrate } from '../../src/store/migrate.ts'
import { openStore } from '../../src/store/sealed.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { searchContract } from './search-contract.ts'

searchContract('SQLite', async () => {
  const database = openSqlite(':memory:')
  await migrate(database)
  return openStore(database, [new Uint8Array(32).fill(9)])
})
