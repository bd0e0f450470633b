/**
 * The nightly look at everybody, in this process, without a rest and without writing: what it takes of the processor, and of memory.
 */
import { join } from 'node:path'
import { adapters } from '../adapters/index.ts'
import { channels } from '../src/channels/index.ts'
import type { Exchange } from '../src/exchange/exchange.ts'
import { type Reconciled, reconcile } from '../src/exchange/reconcile.ts'
import { loadDirectory } from '../src/store/directory.ts'
import { openStore } from '../src/store/sealed.ts'
import { openSqlite } from '../src/store/sqlite.ts'
import { masterKey } from './gateway.ts'

/**
 * @param now where the clock stands
 * @returns `cpu` in seconds; `memory` in MiB, which the process holds more once everybody was looked at than when a tenth were
 */
export async function night(folder: string, now: Date): Promise<{ found: Reconciled; cpu: number; memory: number }> {
  const database = await openStore(openSqlite(join(folder, 'exchange.db')), [masterKey])
  const { directory } = await loadDirectory(database)
  const unused = () => {
    throw new Error('nothing is sent at night')
  }
  const exchange: Exchange = {
    ...{ database, adapters, channels, directory: () => directory, now: () => now },
    ...{ publicUrl: 'http://127.0.0.1', fetch: unused, log: () => undefined, wake: () => undefined },
  }
  const held = () => process.memoryUsage().rss / 2 ** 20
  const cpu = () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6
  await reconcile(exchange, { write: false, withinMs: 5_000 })
  const [warm, began] = [held(), cpu()]
  const found = await reconcile(exchange, { write: false })
  const taken = cpu() - began
  const memory = held() - warm
  await database.close()
  return { found, cpu: taken, memory }
}
