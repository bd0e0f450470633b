/**
 * `npm run crash`: hundreds of SIGKILLs under load, then an account of every acknowledged request and every partner.
 *
 *   --kills N      how often it is killed (200)
 *   --short        eight times, once at each kind of moment: the form for every change
 *   --seed TEXT    the schedule and the partners' moods of an earlier run
 *   --senders N    how many case systems at once (24, in the short form 12)
 *
 * Ends with 1 when anything is lost, contradictory, out of order or left waiting, and keeps the data folder.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { account } from './account.ts'
import { createClient } from './client.ts'
import { dice } from './dice.ts'
import { drain } from './drain.ts'
import { strike, type Time, times } from './killer.ts'
import { startLoad } from './load.ts'
import { createMoments, sleep } from './moments.ts'
import { openPartners } from './partners.ts'
import { directory, partnerMoods } from './people.ts'
import { createServerIn } from './server.ts'

const { values } = parseArgs({
  options: { kills: { type: 'string' }, short: { type: 'boolean' }, seed: { type: 'string' }, senders: { type: 'string' } },
})
const kills = Number(values.kills ?? (values.short ? Object.keys(times).length : 200))
const seed = values.seed ?? crypto.randomUUID().slice(0, 8)
if (!Number.isInteger(kills) || kills < 1) throw new Error('--kills is a whole number.')
/** However slow the machine, a run ends: this many seconds of killing, whatever is left undone. */
const longestMs = kills * 6_000 + 30_000

const began = performance.now()
const dataDir = mkdtempSync(join(tmpdir(), 'exchange-crash-'))
const chances = dice(seed)
const moments = createMoments()
const partners = await openPartners(partnerMoods, chances.part('moods'), moments)
const server = await createServerIn(dataDir, directory(partners.url))
const client = createClient(server, moments)
const findings: string[] = []
const struck = new Map<Time, number>()
process.stdout.write(`seed ${seed}, ${kills} kills, data in ${dataDir}\n`)

try {
  for (const first of [true, false]) {
    server.spawn()
    await server.ready()
    if (first) await server.stop()
  }
  const load = startLoad(client, partners, chances, Number(values.senders ?? (values.short ? 12 : 24)))
  const schedule = chances.part('kills')
  for (let n = 1; n <= kills && performance.now() - began < longestMs; n++) {
    // First one of each.
    const time = (Object.keys(times) as Time[])[n - 1] ?? schedule.oneOf(Object.keys(times) as Time[])
    await strike(server, moments, schedule, time, () => client.tally.acknowledged)
    struck.set(time, (struck.get(time) ?? 0) + 1)
    if (n % 20 === 0) process.stdout.write(`${n} kills, ${client.tally.acknowledged} acknowledged, ${partners.arrivals.length} arrivals\n`)
  }
  await sleep(300)
  await load.stop()
  const phases = [performance.now()]
  const drained = await drain(server, partners, findings)
  phases.push(performance.now())
  const lines = await account({ server, client, partners, load, findings })
  const killed = [...struck.values()].reduce((sum, one) => sum + one, 0)
  const slowest = Math.round(Math.max(...server.startMs))
  const middle = Math.round([...server.startMs].sort((a, b) => a - b)[Math.floor(server.startMs.length / 2)] ?? 0)
  const table = [
    ['kills', `${killed + (struck.get('starting') ?? 0) + 2 * (struck.get('recovering') ?? 0)}`],
    ...[...struck].map(([time, count]) => [`  ${times[time]}`, String(count)]),
    ['starts', `${server.starts}, ready after ${middle} ms (median), ${slowest} ms (slowest)`],
    ['tries without an answer', String(client.tally.unanswered)],
    ['refused', [...client.tally.refused].map(([what, count]) => `${what}: ${count}`).join(', ') || '0'],
    ...drained,
    ...lines,
    [
      'seconds',
      [began, ...phases, performance.now()]
        .slice(1)
        .map((at, n, all) => ((at - (all[n - 1] ?? began)) / 1000).toFixed(0))
        .join(' + '),
    ],
  ]
  const width = Math.max(...table.map(([name = '']) => name.length)) + 2
  process.stdout.write(`\n${table.map(([name = '', value = '']) => `${name.padEnd(width)}${value}\n`).join('')}`)
} catch (error) {
  findings.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
} finally {
  partners.close()
  client.close()
  await server.stop().catch((error: Error) => findings.push(error.message))
}

for (const finding of findings.slice(0, 40)) process.stdout.write(`FOUND ${finding}\n`)
if (findings.length > 0) {
  process.stdout.write(
    `${findings.length} findings. The data stays in ${dataDir}; the same schedule again: --kills ${kills} --seed ${seed}\n`,
  )
  if (server.said()) process.stdout.write(`its log ends:\n${server.said().slice(-3_000)}\n`)
  process.exit(1)
}
rmSync(dataDir, { recursive: true, force: true })
process.stdout.write('nothing lost, nothing contradictory, nothing out of order\n')
process.exit(0)
