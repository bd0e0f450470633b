import type { Driver } from '../../src/store/database.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { openGateway } from '../fixtures/gateway.ts'
import { reconcileContract } from './reconcile-contract.ts'

let driver: Driver
reconcileContract('SQLite', (at, beside) => {
  if (!beside) driver = openSqlite(':memory:')
  return openGateway({ database: driver, ...(at ? { at } : {}) })
})
