/**
 * `npm run bench`: how much the gateway takes in, hands out and passes on, beside the bare limit measured in the same run.
 *
 *   --small            some seconds, only to see that it works; docs/performance.md stays as it is
 *   --only NAME,NAME   some measures only (bench/measures/); docs/performance.md stays as it is
 *   --sizes N,N        resources in the database for `growth` (10000,100000,1000000)
 *   --open N           open cases whose timers are run for a day in `timers` (100000)
 *   --requests N       requests before memory is looked at again in `lasting` (100000)
 *   --json FILE        the figures as JSON too
 *
 * The server is the real one, with real tokens, on one core; this process is the case system and the partners.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { pin } from './gateway.ts'
import { measures } from './measures/index.ts'
import { openStage, sizes } from './stage.ts'
import { between, type Row, report, table } from './table.ts'

const { values } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    only: { type: 'string' },
    sizes: { type: 'string' },
    requests: { type: 'string' },
    open: { type: 'string' },
    json: { type: 'string' },
  },
})
const page = new URL('../docs/performance.md', import.meta.url)
const names = values.only?.split(',') ?? Object.keys(measures)
const unknown = names.filter((name) => !measures[name])
if (unknown.length > 0) throw new Error(`there is no measure ${unknown.join(', ')}: ${Object.keys(measures).join(', ')}`)
const whole = (text: string): number => {
  if (!/^[1-9]\d*$/.test(text)) throw new Error('--sizes, --requests and --open take whole numbers')
  return Number(text)
}
const size = {
  ...sizes[values.small ? 'small' : 'full'],
  ...(values.sizes ? { resources: values.sizes.split(',').map(whole) } : {}),
  ...(values.open ? { open: whole(values.open) } : {}),
  ...(values.requests ? { requests: whole(values.requests) } : {}),
}

const began = performance.now()
const cores = pin()
const rows: Row[] = []
const { stage, close } = await openStage(size, (row) => {
  rows.push(row)
  process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${row.name}\n`)
})
let failure: unknown
try {
  for (const name of names) await measures[name]?.(stage)
} catch (error) {
  // What was measured before it is shown all the same.
  failure = error
} finally {
  await close()
}

const now = new Date()
const about = `${now.toISOString().slice(0, 10)}, Node ${process.versions.node}, ${cpus()[0]?.model.trim() ?? 'processor not known'}, ${cores}.`
console.log(`\n${about}\n\n${table(rows)}`)
if (values.json) writeFileSync(values.json, `${JSON.stringify(report(rows, about, values.small, now), null, 2)}\n`)
if (failure) throw failure
if (!values.small && !values.only) writeFileSync(page, between(readFileSync(page, 'utf8'), `${about}\n\n${table(rows)}`))
