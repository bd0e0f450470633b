import { migrate } from '../../src/store/migrate.ts'
import { openStore } from '../../src/store/sealed.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { keepingContract } from './keeping-contract.ts'

keepingContract('SQLite', async () => {
  const driver = openSqlite(':memory:')
  await migrate(driver)
  return openStore(driver, [new Uint8Array(32).fill(9)])
})
