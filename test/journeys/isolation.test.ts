/**
 * A hundred partners, of which five refuse connections or never answer. `npm run isolation` measures how long the others wait, at full size.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

test('while five of a hundred partners are dead, or never answer, the other 95 get everything they are owed', {
  timeout: 180_000,
}, async () => {
  const run = fileURLToPath(new URL('../../crash/isolation.ts', import.meta.url))
  const { code, said } = await new Promise<{ code: number | null; said: string }>((done) => {
    const child = spawn(process.execPath, [run, '--short'], { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes: Buffer) => {
        said += bytes
      })
    child.once('close', (code) => done({ code, said }))
  })
  expect(code, said).toBe(0)
  expect(said).toMatch(/^200 messages owed over 100 partners/)
  for (const five of ['well', 'dead', 'slow']) expect(said).toMatch(new RegExp(`^${five} +190 `, 'm'))
  expect(said).toContain('the other 95 got everything they were owed')
})
