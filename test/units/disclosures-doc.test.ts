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
  expect(page.match(/\| (always|if known) \|/g)).toHaveLength(items.length)
})
