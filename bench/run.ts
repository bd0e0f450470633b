/**
 * `npm run bench`: how much the gateway takes in, hands out and passes on, beside the bare limit measured in the same run.
 *
 *   --small      a few seconds, only to see that it works; docs/performance.md stays as it is
 *   --json FILE  the figures as JSON too
 *
 * The server is the real one, with real tokens, on one core; this process is the case system and the partners.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { cores, startBare, startGateway } from './gateway.ts'
import { measure, sizes } from './measures.ts'
import { openPartners } from './partner.ts'
import { between, type Row, table } from './table.ts'

const { values } = parseArgs({ options: { small: { type: 'boolean' }, json: { type: 'string' } } })
const page = new URL('../docs/performance.md', import.meta.url)

const partners = await openPartners()
const bare = await startBare()
const gateway = await startGateway(partners.url)
const rows: Row[] = []
try {
  await measure({
    size: values.small ? sizes.small : sizes.full,
    gateway,
    bare,
    partners,
    say: (row) => {
      rows.push(row)
      process.stderr.write(`${row.name}\n`)
    },
  })
} finally {
  await Promise.all([gateway.stop(), bare.stop()])
  partners.close()
}

const about = `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${cpus()[0]?.model.trim() ?? 'processor not known'}, ${cores}.`
console.log(`\n${about}\n\n${table(rows)}`)
if (values.json) writeFileSync(values.json, `${JSON.stringify({ about, rows }, null, 2)}\n`)
if (!values.small) writeFileSync(page, between(readFileSync(page, 'utf8'), `${about}\n\n${table(rows)}`))
