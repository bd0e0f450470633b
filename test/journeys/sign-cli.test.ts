/**
 * `sign`, as a guardian types it.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { adapters } from '../../adapters/index.ts'
import { channels } from '../../src/channels/index.ts'
import { run } from '../../src/cli/run.ts'

const folder = mkdtempSync(join(tmpdir(), 'sign-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

async function reconnect(...args: string[]) {
  let [out, err] = ['', '']
  const exit = await run(args, {
    env: { DATA_DIR: folder },
    readText: (path) => readFileSync(path, 'utf8'),
    adapters,
    channels,
    now: () => new Date('2026-04-01T08:00:00Z'),
    write: (text) => {
      out += text
    },
    writeError: (text) => {
      err += text
    },
  })
  return { exit, out, err }
}

test('a key the directory names signs; another does not; the status says who signed what, and what nobody has', async () => {
  const key = file('guardian.key', Buffer.alloc(32, 3).toString('base64'))
  const publicKey = (await reconnect('sign', '--public-key', '--key', key)).out.trim()
  const who = ['--by', 'Cal Dicott', '--role', 'Caldicott guardian']
  await reconnect('directory', 'apply', file('empty.json', '{}'))
  expect((await reconnect('sign', 'probation', ...who, '--key', key)).err).toMatch(/names no signer with this key/)

  const signers = [{ name: 'Cal Dicott', role: 'Caldicott guardian', publicKey }]
  expect((await reconnect('directory', 'apply', file('directory.json', JSON.stringify({ signers })))).exit).toBe(0)
  expect((await reconnect('sign', 'probation', '--by', 'Some Body', '--role', 'Nobody', '--key', key)).err).toMatch(/another name or role/)
  expect((await reconnect('sign', 'nonsense', ...who, '--key', key)).exit).toBe(2)
  expect(await reconnect('sign', 'probation', ...who, '--key', key)).toMatchObject({
    exit: 0,
    out: expect.stringMatching(/signed probation, version \d/),
  })

  const status = await reconnect('sign', '--status')
  expect(status.exit).toBe(1)
  expect(status.out).toMatch(/probation +\d +Cal Dicott \(Caldicott guardian\), 2026-04-01/)
  expect(status.out).toMatch(/mental-health +\d +no/)
  const [{ hash }] = JSON.parse((await reconnect('disclosures', 'probation', '--json')).out)
  expect(status.out).toContain(hash)

  // Whoever is no longer named has signed nothing; retired, what they signed stands.
  await reconnect('directory', 'apply', file('retired.json', JSON.stringify({ signers: [{ ...signers[0], retired: true }] })))
  expect((await reconnect('sign', '--status')).out).toContain('Cal Dicott')
  expect((await reconnect('sign', 'probation', ...who, '--key', key)).err).toMatch(/retired/)
  await reconnect('directory', 'apply', file('gone.json', JSON.stringify({ signers: [] })))
  expect((await reconnect('sign', '--status')).out).not.toContain('Cal Dicott')
})
