/**
 * The page an information-governance lead signs says what the mappings say today.
 */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { adapters } from '../../adapters/index.ts'
import { channels } from '../../src/channels/index.ts'
import { run } from '../../src/cli/run.ts'

const print = async (...args: string[]): Promise<string> => {
  let out = ''
  const write = (text: string) => {
    out += text
  }
  const terminal = { env: {}, readText: () => '', adapters, channels, now: () => new Date(0), write, writeError: write }
  expect(await run(['disclosures', ...args], terminal)).toBe(0)
  return out
}

test('docs/disclosures.md is what `npm run --silent reconnect -- disclosures --markdown` prints', async () => {
  expect(readFileSync(new URL('../../docs/disclosures.md', import.meta.url), 'utf8')).toBe(await print('--markdown'))
})

test('Markdown for one kind holds that kind, its version and every line of it', async () => {
  const page = await print('probation', '--markdown')
  const [{ version, items }] = JSON.parse(await print('probation', '--json'))
  expect(page.match(/^## .*/gm)).toEqual(['## Probation'])
  expect(page).toContain(`\`probation\`, version ${version}`)
  expect(page.match(/\| (always|if known)(, only [^|]*)? \|/g)).toHaveLength(items.length)
})

test('a spreadsheet has a row for each line, and no cell a spreadsheet would calculate', async () => {
  const rows = (await print('--csv')).trimEnd().split('\r\n')
  const items = (JSON.parse(await print('--json')) as { items: unknown[] }[]).flatMap((one) => one.items)
  expect(rows).toHaveLength(items.length + 1)
  expect(rows[0]).toBe('"kind","version","what","where it stands in the message","when","shared as","why","purpose","legal basis","hash"')
  expect(rows.filter((row) => /(^|,)"[=+@-]/.test(row))).toEqual([])
})
