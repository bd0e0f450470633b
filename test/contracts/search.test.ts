import { migrate } from '../../src/store/migrate.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { searchContract } from './search-contract.ts'

searchContract('SQLite', async () => {
  const database = openSqlite(':memory:')
  await migrate(database)
  return database
})
