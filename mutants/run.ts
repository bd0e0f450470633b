/**
 * `npm run mutants`: breaks one rule at a time in a copy of this tree and runs the test that has to notice it.
 *
 *   --only TEXT     those whose words hold TEXT
 *   --seconds N     how long the model property may look for each (60)
 *   --by-model      the model property alone, whatever the list says
 *
 * Each test is run on the unbroken tree first: one that fails there notices nothing.
 * Ends with 1 when one was not noticed. It takes ten minutes and more: by hand, after a change to what the model looks at.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { model, mutants } from './list.ts'

const { values } = parseArgs({ options: { only: { type: 'string' }, seconds: { type: 'string' }, 'by-model': { type: 'boolean' } } })
const here = fileURLToPath(new URL('..', import.meta.url))
const copy = mkdtempSync(join(tmpdir(), 'mutants-'))
process.once('exit', () => rmSync(copy, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
cpSync(here, copy, { recursive: true, filter: (path) => !/^(node_modules|\.git|\.data|\.wrangler)$/.test(basename(path)) })
symlinkSync(join(here, 'node_modules'), join(copy, 'node_modules'))

/** Longer than any of them takes; some breakages make a test go round and round. */
const mostMs = (Number(values.seconds ?? 60) + 180) * 1_000

let child: ChildProcess | undefined
/** Its workers too. */
const end = () => {
  try {
    if (child?.pid && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
process.once('exit', end)

type End = { passed: boolean; said: string; seconds: string }
const running = (test: string): Promise<End> =>
  new Promise((done) => {
    const began = performance.now()
    const args = ['run', '--project', 'node', test, ...(test === model ? ['-t', 'ten invariants'] : [])]
    const env = { ...process.env, MODEL_SECONDS: values.seconds ?? '60', MODEL_FIRST: '1', NO_COLOR: '1' }
    let text = ''
    child = spawn(process.execPath, [join(copy, 'node_modules/vitest/vitest.mjs'), ...args], { cwd: copy, env, detached: true })
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (part) => {
        text += part
      })
    const late = setTimeout(end, mostMs)
    child.once('close', (status) => {
      clearTimeout(late)
      const seconds = ((performance.now() - began) / 1_000).toFixed(0)
      const said = /"(\d+: [^"]+)"/.exec(text)?.[1] ?? /(?:AssertionError|Error): (.+)/.exec(text)?.[1]
      done({ passed: status === 0, said: said ?? (status === null ? 'it did not end' : ''), seconds })
    })
  })

/** What a named test answers in seconds comes first. */
const inTurn = mutants
  .filter((one) => one.breaks.includes(values.only ?? ''))
  .toSorted((a, b) => Number(a.noticed === model) - Number(b.noticed === model))
const testFor = (noticed: string) => (values['by-model'] ? model : noticed)
const say = (line: string) => process.stdout.write(`${line}\n`)

for (const test of new Set(inTurn.map(({ noticed }) => testFor(noticed)))) {
  const { passed, said } = await running(test)
  if (passed) continue
  say(`${test} fails with nothing broken: ${said}`)
  process.exit(1)
}
let survived = 0
for (const { breaks, file, from, to, noticed } of inTurn) {
  const path = join(copy, file)
  const whole = readFileSync(path, 'utf8')
  writeFileSync(
    path,
    whole.replace(from, () => to),
  )
  const test = testFor(noticed)
  const { passed, said, seconds } = await running(test)
  writeFileSync(path, whole)
  if (passed) survived++
  say(`${passed ? 'NOT NOTICED' : 'noticed    '}  ${breaks}  (${basename(test)}, ${seconds} s)  ${said.slice(0, 110)}`)
}
say(survived ? `${survived} not noticed` : 'all noticed')
process.exit(survived ? 1 : 0)
