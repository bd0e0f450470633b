/**
 * `new-partner KIND` in a copy of the project: what it writes compiles and runs, and the contract tests then ask for what only a person
 * can say, and for nothing else.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { adapters } from '../../adapters/index.ts'
import { channels } from '../../src/channels/index.ts'
import { run } from '../../src/cli/run.ts'

/** A run of the test runner, on a machine that may be busy. */
const runMs = 120_000

const own = fileURLToPath(new URL('../../', import.meta.url))
const project = mkdtempSync(join(tmpdir(), 'new-partner-'))
for (const folder of ['adapters', 'mappings', 'profiles', 'test/contracts', 'test/fixtures'])
  cpSync(join(own, folder), join(project, folder), { recursive: true })
for (const shared of ['src', 'node_modules', 'package.json']) symlinkSync(join(own, shared), join(project, shared))
afterAll(() => rmSync(project, { recursive: true, force: true }))

const read = (path: string) => readFileSync(join(project, path), 'utf8')

async function newPartner(...args: string[]) {
  let [out, err] = ['', '']
  const exit = await run(['new-partner', ...args, '--project', project], {
    env: {},
    readText: (path) => readFileSync(path, 'utf8'),
    adapters,
    channels,
    now: () => new Date(),
    write: (text) => {
      out += text
    },
    writeError: (text) => {
      err += text
    },
  })
  return { exit, out, err }
}

/** The contract tests of the copy, for one kind: names of those that fail. */
function failing(kind: string, env: Record<string, string> = {}): string[] {
  const tests = ['test/contracts/mappings.test.ts', 'test/contracts/adapters.test.ts']
  spawnSync(
    join(own, 'node_modules/.bin/vitest'),
    ['run', '--root', project, '--reporter=json', '--outputFile=report.json', '-t', kind, ...tests],
    { env: { PATH: process.env.PATH, NODE_ENV: 'test', ...env } },
  )
  const { testResults } = JSON.parse(read('report.json')) as {
    testResults: { assertionResults: { status: string; title: string }[] }[]
  }
  const all = testResults.flatMap(({ assertionResults }) => assertionResults)
  expect(all.filter(({ status }) => status === 'passed').length).toBeGreaterThan(10)
  return all.filter(({ status }) => status === 'failed').map(({ title }) => title)
}

describe('a kind nobody has connected yet', () => {
  test('is written, and put on the list and among the published kinds', async () => {
    const { exit, out } = await newPartner('social-prescribing', '--name', 'Social prescribing team')
    expect(exit).toBe(0)
    expect(out).toMatch(/Written:\n {2}mappings\/social-prescribing\.ts\n/)
    expect(out).toMatch(/1\. Fill in mappings\/social-prescribing\.ts: purpose, legalBasis and statement/)
    expect(read('adapters/index.ts')).toMatch(/reconnectService.*\nimport socialPrescribing.*\nimport substanceMisuse/)
    expect(JSON.parse(read('profiles/CodeSystem-recipient-kind.json'))).toMatchObject({
      count: adapters.size + 1,
      concept: expect.arrayContaining([{ code: 'social-prescribing', display: 'Social prescribing team' }]),
    })
  })

  test(
    'the contract tests ask for the sentences and the example, and for nothing else',
    () => {
      expect(failing('social-prescribing').sort()).toEqual([
        'has an example message that is what it sends today',
        'takes no category into an allow-list that is never told, and says why it is told anything',
      ])
    },
    runMs,
  )

  test(
    'with the sentences filled in and the example written they are content',
    () => {
      const path = join(project, 'mappings/social-prescribing.ts')
      const filled = read('mappings/social-prescribing.ts')
        .replace("purpose: ''", "purpose: 'Company near home.'")
        .replace("legalBasis: ''", "legalBasis: 'UK GDPR 6(1)(e); consent.'")
        .replace("statement: ''", "statement: 'Only for this.'")
      writeFileSync(path, filled)
      expect(failing('social-prescribing', { UPDATE_FIXTURES: '1' })).toEqual([])
      expect(read('adapters/social-prescribing/fixtures/message.json')).toContain('"resourceType": "MessageHeader"')
    },
    runMs,
  )

  test('nothing is written over, and a kind there is already or no kind at all is refused', async () => {
    const before = read('mappings/social-prescribing.ts')
    expect(await newPartner('social-prescribing')).toMatchObject({ exit: 1, err: expect.stringMatching(/not written over/) })
    expect(read('mappings/social-prescribing.ts')).toBe(before)
    expect(await newPartner('probation')).toMatchObject({ exit: 1, err: expect.stringMatching(/a kind probation already/) })
    for (const kind of ['Hostel', '../x', 'a--b']) expect(await newPartner(kind)).toMatchObject({ exit: 2 })
    expect(await newPartner('night-shelter', '--name', 'A\nB')).toMatchObject({ exit: 2 })
  })
})
