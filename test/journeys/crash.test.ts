/**
 * Killed while at work, once at each kind of weak moment. `npm run crash` does it for as long as is wanted.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

test('killed at any moment, nothing acknowledged is lost and no partner is told two things under one key', {
  timeout: 180_000,
}, async () => {
  const run = fileURLToPath(new URL('../../crash/run.ts', import.meta.url))
  const { code, said } = await new Promise<{ code: number | null; said: string }>((done) => {
    const child = spawn(process.execPath, [run, '--short'], { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    const hear = (bytes: Buffer) => {
      said += bytes
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('close', (code) => done({ code, said }))
  })
  expect(code, said).toBe(0)
  for (const [what, count] of [
    ['lost', /^0$/],
    ['contradictory', /^0$/],
    ['out of order', /^0$/],
    ['acknowledged writes', /^[1-9]/],
    ['messages delivered', /^[1-9]/],
    ['  while a commit is on its way to the disk', /^1$/],
    ['  while it recovers from the kill before, twice', /^1$/],
  ] as const) {
    expect(
      said
        .split('\n')
        .find((line) => line.startsWith(`${what}  `))
        ?.slice(what.length)
        .trim(),
      said,
    ).toMatch(count)
  }
})
