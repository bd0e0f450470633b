/**
 * `audit verify` beside a gateway that has its database open: a day's audit is sound, and shows when it is not.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AuditEvent } from '@medplum/fhirtypes'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { adapters } from '../../adapters/index.ts'
import { channels } from '../../src/channels/index.ts'
import { run } from '../../src/cli/run.ts'
import { readConfig } from '../../src/config.ts'
import { startGateway } from '../../src/gateway.ts'
import { noLog } from '../../src/log.ts'
import { recordAudit } from '../../src/store/audit.ts'
import { statement } from '../../src/store/database.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { type Gateway, masterKey, morning, openGateway } from '../fixtures/gateway.ts'

let folder: string
let gateway: Gateway
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reconnect-audit-'))
  gateway = await openGateway({ database: openSqlite(join(folder, 'exchange.db')) })
})
afterEach(async () => {
  await gateway.close().catch(() => undefined)
  rmSync(folder, { recursive: true, force: true })
})

const verify = (...args: string[]) => audit('verify', ...args)
async function audit(...args: string[]) {
  let [out, err] = ['', '']
  const exit = await run(['audit', ...args], {
    env: { DATA_DIR: folder, MASTER_KEY: Buffer.from(masterKey).toString('base64') },
    readText: (path) => readFileSync(path, 'utf8'),
    adapters,
    channels,
    now: () => new Date(morning),
    write: (text) => {
      out += text
    },
    writeError: (text) => {
      err += text
    },
  })
  return { exit, out, err }
}

test('before the first seal it says so; after a case every row is as it was written', async () => {
  expect(await verify()).toMatchObject({ exit: 0, out: '0 rows in 0 batches are as they were written.\nNothing is sealed yet.\n' })
  await gateway.handIn(caseBundle())
  expect((await verify()).out).toMatch(/^0 rows in 0 batches are as they were written\.\n\d+ rows not sealed yet\.\n/)
  await gateway.tick()
  const { exit, out } = await verify()
  expect(exit).toBe(0)
  expect(out).toMatch(
    /^[1-9]\d* rows in 1 batch are as they were written\.\nroot [0-9a-f]{64} batch 1 sealed 2026-04-02T08:00:00\.000Z public key [0-9a-f]{64}\n$/,
  )
})

test('a row changed in the file: which batch and row, exit 1, as data too', async () => {
  await gateway.handIn(caseBundle())
  await gateway.tick()
  await gateway.database.atomically([statement(`update audit set recipient = 'somebody-else' where seq = 3`)])
  expect(await verify()).toMatchObject({ exit: 1, out: expect.stringMatching(/^batch 1: changed, row 3 \(\S+\)\n0 rows in 0 batches/) })
  const { exit, out } = await verify('--json')
  expect(exit).toBe(1)
  expect(JSON.parse(out)).toMatchObject({ sound: false, found: 1, findings: [{ batch: 1, kind: 'changed', seq: 3 }], latest: { batch: 1 } })
})

test('a root kept outside is found again, and missed when the past was written anew', async () => {
  await gateway.handIn(caseBundle())
  await gateway.tick()
  const line = (await verify('--root')).out
  const root = /^root ([0-9a-f]{64}) .*\n$/.exec(line)?.[1] as string
  expect(await verify('--expect', root)).toMatchObject({ exit: 0, out: expect.stringMatching(/The expected root is that of batch 1\./) })
  await gateway.database.atomically([statement('delete from audit_seal')])
  expect(await verify('--expect', root.toUpperCase())).toMatchObject({ exit: 1, out: expect.stringMatching(/^root not found/) })
})

test('a gateway that is stopped leaves nothing without a seal', async () => {
  await gateway.close()
  const read = readConfig({ DATA_DIR: folder, MASTER_KEY: Buffer.from(masterKey).toString('base64') }, () => '')
  if ('faults' in read) throw new Error(read.faults.join('\n'))
  const started = await startGateway({ ...read.config, port: 0 }, { log: noLog })
  if ('faults' in started) throw new Error(started.faults.join('\n'))
  const { database } = started.gateway.open.exchange
  const write = (id: string) => database.atomically([recordAudit([{ id, at: morning, action: 'read', who: 'x' }])])
  const standing = async () => JSON.parse((await verify('--json')).out) as { rows: number; unsealed: number }
  try {
    await write('1')
    await started.gateway.open.seal()
    await write('2')
    expect(await standing()).toMatchObject({ rows: 1, unsealed: 1 })
  } finally {
    await started.gateway.stop()
  }
  expect(await standing()).toMatchObject({ rows: 2, unsealed: 0 })
})

test('what is no batch and no root is not understood', async () => {
  expect(await verify('--since', 'monday')).toMatchObject({ exit: 2, err: expect.stringMatching(/number of a batch/) })
  expect(await verify('--expect', 'abc')).toMatchObject({ exit: 2, err: expect.stringMatching(/64 hexadecimal digits/) })
})

test('audit export writes every event as a line of JSON, of one person or from a day on, and stands in the audit itself', async () => {
  const at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20' }))
  const lines = async (...args: string[]) =>
    (await audit('export', ...args)).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditEvent)
  const all = await lines()
  expect(all.length).toBeGreaterThan(20)
  expect(all.every(({ resourceType }) => resourceType === 'AuditEvent')).toBe(true)
  expect(all.map(({ recorded }) => recorded)).toEqual(all.map(({ recorded }) => recorded).sort())
  const exports = async (...args: string[]) => (await lines(...args)).filter(({ subtype }) => subtype?.[0]?.code === 'export').length
  expect(await exports()).toBe(2)
  const patient = at.Patient?.split('/')[1] as string
  const own = await lines('--patient', patient, '--since', '2026-04-02')
  expect(own.length).toBeGreaterThan(20)
  expect(own.every(({ entity }) => entity?.some(({ what }) => what?.reference === `Patient/${patient}`))).toBe(true)
  expect((await audit('export', '--since', 'yesterday')).exit).toBe(2)
})
