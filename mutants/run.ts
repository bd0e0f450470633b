/**
 * `npm run mutants`: breaks one rule at a time in a copy of this tree and runs the test that has to notice it.
 *
 *   --only TEXT     those whose words hold TEXT
 *   --seconds N     how long the model property may look for each (60)
 *   --by-model      the model property alone, whatever the list says
 *
 * Ends with 1 when one was not noticed. It takes an hour: by hand, after a change to what the model looks at.
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

let child: ChildProcess | undefined
process.once('exit', () => child?.kill('SIGKILL'))
const running = (test: string) =>
  new Promise<{ status: number | null; said: string }>((done) => {
    const args = ['run', '--project', 'node', test, ...(test === model ? ['-t', 'ten invariants'] : [])]
    const env = { ...process.env, MODEL_SECONDS: values.seconds ?? '60', MODEL_FIRST: '1', NO_COLOR: '1' }
    let said = ''
    child = spawn(join(copy, 'node_modules/.bin/vitest'), args, { cwd: copy, env, stdio: ['ignore', 'pipe', 'ignore'] })
    child.stdout?.on('data', (part) => {
      said += part
    })
    child.once('close', (status) => done({ status, said }))
  })

let survived = 0
for (const { breaks, file, from, to, noticed } of mutants.filter((one) => one.breaks.includes(values.only ?? ''))) {
  const path = join(copy, file)
  const whole = readFileSync(path, 'utf8')
  writeFileSync(
    path,
    whole.replace(from, () => to),
  )
  const test = values['by-model'] ? model : noticed
  const began = performance.now()
  const { status, said: stdout } = await running(test)
  writeFileSync(path, whole)
  const said = /"(\d+: [^"]+)"/.exec(stdout)?.[1] ?? /(?:AssertionError|Error): (.+)/.exec(stdout)?.[1] ?? ''
  if (status === 0) survived++
  const seconds = ((performance.now() - began) / 1_000).toFixed(0)
  process.stdout.write(
    `${status === 0 ? 'NOT NOTICED' : 'noticed    '}  ${breaks}  (${basename(test)}, ${seconds} s)  ${said.slice(0, 110)}\n`,
  )
}
process.stdout.write(survived ? `${survived} not noticed\n` : 'all noticed\n')
process.exit(survived ? 1 : 0)
