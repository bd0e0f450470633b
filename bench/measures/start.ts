/**
 * How long a start takes, and how much memory it has then.
 */
import { sleep } from '../load.ts'
import type { Measure } from '../stage.ts'

const start: Measure = async ({ gateway, bare, say }) => {
  say({ name: 'start to /health', unit: 'ms', ours: gateway.startMs, bare: bare.startMs, aim: '< 1000' })
  await sleep(1000)
  say({ name: 'memory, idle', unit: 'MiB', ours: gateway.memory(), bare: bare.memory(), aim: '< 130' })
}
export default start
