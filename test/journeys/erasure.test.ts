/**
 * Holding, erasing, destroying and keeping, by the commands themselves beside a running gateway; and a backup from before that does not
 * bring an erased person back.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Task } from '@medplum/fhirtypes'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openSqlite } from '../../src/store/sqlite.ts'
import { caseBundle, consentOf, wordsIn } from '../fixtures/case-bundle.ts'
import { type Gateway, masterKey, openGateway, says } from '../fixtures/gateway.ts'

// Every command is a process of its own.
vi.setConfig({ testTimeout: 120_000 })

const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
let folder: string
let file: string
let gateway: Gateway
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reconnect-erasure-'))
  file = join(folder, 'exchange.db')
  gateway = await openGateway({ database: openSqlite(file) })
})
afterEach(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

type Said = { exit: number | null; out: string; err: string }
const reconnect = (args: string[], env: Record<string, string> = {}): Promise<Said> =>
  new Promise((done) => {
    const child = spawn(process.execPath, [entry, ...args], {
      env: { DATA_DIR: folder, MASTER_KEY: Buffer.from(masterKey).toString('base64'), ...env },
    })
    const said: Said = { exit: null, out: '', err: '' }
    child.stdout.on('data', (bytes: Buffer) => {
      said.out += bytes
    })
    child.stderr.on('data', (bytes: Buffer) => {
      said.err += bytes
    })
    child.once('close', (exit) => done({ ...said, exit }))
  })
const idOf = (at: Record<string, string>): string => (at.Patient as string).split('/')[1] as string
const asked = ['--by', 'guardian-1', '--reason', 'persons-request']
const erase = (patient: string, env?: Record<string, string>) => reconnect(['erase', patient, ...asked, '--confirm', patient], env)
const withdraw = async (at: Record<string, string>) => {
  const id = at.Consent?.split('/')[1] as string
  const consent = { ...consentOf({ patient: at.Patient as string, agreed: {}, at: '2026-04-02T08:30:00Z' }), id }
  expect((await gateway.service.call('PUT', `/fhir/Consent/${id}`, consent)).status).toBe(200)
  await gateway.deliverer.idle()
}
const asFile = () => [file, `${file}-wal`].filter(existsSync).map((one) => readFileSync(one))

test('withdrawn, told to stop, erased: nothing of the person can be read anywhere, and what happened stays in the audit', async () => {
  const at = await gateway.handIn(caseBundle({ plan: ['recovery', 'probation'] }))
  const other = await gateway.handIn(caseBundle({ plan: ['probation'] }))
  const patient = idOf(at)
  for (const name of ['recovery', 'probation'] as const) {
    const task = await gateway.handover(name)
    expect(
      (await gateway.as(name).call<Task>('PATCH', `/fhir/Task/${task.id}`, says('rejected', 'rejected', 'wrong-recipient'))).status,
    ).toBe(200)
  }
  const sqlite = new Sqlite(file, { readonly: true })
  const wrapped = sqlite.prepare('select wrapped from holder_key where holder = ?').pluck().get(patient) as Buffer
  sqlite.close()
  expect(asFile().some((bytes) => bytes.includes(wrapped))).toBe(true)

  // While partners can read, and without the same id once more, nothing happens.
  expect(await reconnect(['erase', patient, ...asked])).toMatchObject({ exit: 1, err: expect.stringMatching(/--confirm/) })
  await withdraw(at)
  expect(await erase(patient)).toMatchObject({ exit: 0, out: expect.stringMatching(/^Erased\. No trace of the key is left/) })

  expect((await gateway.service.call('GET', `/fhir/${at.Patient}`)).status).toBe(410)
  expect(await gateway.service.find('Consent', `patient=${patient}`)).toEqual([])
  for (const name of ['recovery', 'probation'] as const)
    expect((await gateway.as(name).find('Task')).filter((task) => task.for?.reference === at.Patient)).toEqual([])
  expect((await gateway.service.call('GET', `/fhir/${other.Patient}`)).status).toBe(200)
  expect(asFile().some((bytes) => bytes.includes(wrapped))).toBe(false)
  expect(asFile().flatMap((bytes) => wordsIn(bytes.toString('latin1')))).toEqual([])
  expect(readFileSync(join(folder, 'erased.jsonl'), 'utf8')).toMatch(new RegExp(`^\\{"patient":"${patient}","at":"[^"]+"\\}\\n$`))

  await gateway.tick()
  expect(await reconnect(['audit', 'verify'])).toMatchObject({ exit: 0 })
  const rows = new Sqlite(file, { readonly: true })
  expect(rows.prepare(`select who, basis from audit where action = 'erase'`).all()).toEqual([
    { who: 'guardian-1', basis: 'persons-request' },
  ])
  rows.close()
  expect(await erase(patient)).toMatchObject({ exit: 1, err: expect.stringMatching(/No person has this id, or the person was erased/) })
})

test('an open handover, a message on its way, a hold: each is named, and nothing is erased', async () => {
  gateway.partner('recovery').answers = 'unreachable'
  const at = await gateway.handIn(caseBundle({ plan: ['recovery', 'probation'] }))
  const patient = idOf(at)
  expect(await reconnect(['hold', patient, '--by', 'legal-1', '--reason', 'inquest'])).toMatchObject({ exit: 0 })
  const { exit, err } = await erase(patient)
  expect(exit).toBe(1)
  expect(err.trim().split('\n')).toEqual([
    'Nothing was erased.',
    expect.stringMatching(/legal hold \(inquest\)/),
    expect.stringMatching(/on their way or parked: 1/),
    expect.stringMatching(/Handovers are open: 2/),
    expect.stringMatching(/can still read about this person: tees-probation, wear-recovery/),
  ])
  expect((await gateway.service.call('GET', `/fhir/${at.Patient}`)).status).toBe(200)
  expect(await reconnect(['hold', patient, '--by', 'legal-1', '--release'])).toMatchObject({ exit: 0 })
  expect((await erase(patient)).err).not.toMatch(/hold/)
})

test('a backup from before an erasure: the person does not come back, here or elsewhere, and without the list it says so loudly', async () => {
  const at = await gateway.handIn(caseBundle({ agreed: {}, plan: ['probation'] }))
  const kept = await gateway.handIn(caseBundle({ plan: ['probation'] }))
  const patient = idOf(at)
  const copy = join(folder, 'copy.db')
  // Held when the backup was taken, and released since.
  await reconnect(['hold', patient, '--by', 'legal-1', '--reason', 'claim'])
  expect(await reconnect(['backup', copy])).toMatchObject({ exit: 0 })
  await reconnect(['hold', patient, '--by', 'legal-1', '--release'])
  expect(await erase(patient)).toMatchObject({ exit: 0 })
  await gateway.close()

  const elsewhere = join(folder, 'elsewhere')
  const list = join(folder, 'erased.jsonl')
  const without = await reconnect(['restore', copy], { DATA_DIR: elsewhere })
  expect(without).toMatchObject({ exit: 0, out: expect.stringMatching(/WHOEVER WAS ERASED SINCE THE BACKUP IS BACK/) })
  rmSync(elsewhere, { recursive: true })
  expect(await reconnect(['restore', copy, '--erased', join(folder, 'none')], { DATA_DIR: elsewhere })).toMatchObject({ exit: 1 })
  const withList = await reconnect(['restore', copy, '--erased', list, '--json'], { DATA_DIR: elsewhere })
  expect(JSON.parse(withList.out)).toMatchObject({ erasedAgain: 1 })
  expect(readFileSync(join(elsewhere, 'erased.jsonl'), 'utf8')).toBe(readFileSync(list, 'utf8'))

  rmSync(list) // The database that is replaced knows it as well.
  expect(await reconnect(['restore', copy, '--replace'])).toMatchObject({
    exit: 0,
    out: expect.stringMatching(/erased since the backup and are erased again: 1\./),
  })
  for (const place of [file, join(elsewhere, 'exchange.db')]) {
    const restored = await openGateway({ database: openSqlite(place) })
    expect((await restored.service.call('GET', `/fhir/${at.Patient}`)).status).toBe(410)
    expect((await restored.service.call('GET', `/fhir/${kept.Patient}`)).status).toBe(200)
    await restored.tick()
    await restored.close()
    expect(await reconnect(['audit', 'verify'], { DATA_DIR: join(place, '..') })).toMatchObject({ exit: 0 })
  }
  gateway = await openGateway()
})

test('a record whose time has come is listed, kept, or destroyed; nothing happens by itself', async () => {
  const at = await gateway.handIn(caseBundle({ agreed: {}, plan: ['probation'] }))
  const recent = await gateway.handIn(caseBundle({ agreed: {}, plan: ['probation'] }))
  const patient = idOf(at)
  const sqlite = new Sqlite(file)
  sqlite.prepare(`update resource set last_updated = '2001-03-01T09:00:00.000Z' where patient = ?`).run(patient)
  sqlite.close()
  const due = async () => JSON.parse((await reconnect(['retention', 'due', '--json'])).out) as { patient: string }[]
  expect(await due()).toMatchObject([
    { patient, class: 'mental-health', service: 'tees-valley', why: expect.stringMatching(/20 years from/) },
  ])
  expect((await reconnect(['retention', 'due'])).out).toMatch(new RegExp(`${patient} .*destroy, or keep`))

  expect(await reconnect(['retention', 'keep', patient, '--until', '2020-01-01', ...asked])).toMatchObject({ exit: 2 })
  expect(await reconnect(['retention', 'keep', patient, '--until', '2999-01-01', ...asked])).toMatchObject({ exit: 0 })
  expect(await due()).toEqual([])
  const destroy = (id: string) => reconnect(['retention', 'destroy', id, ...asked, '--confirm', id])
  expect(await destroy(patient)).toMatchObject({ exit: 1, err: expect.stringMatching(/kept until 2999-01-01/) })
  expect(await destroy(idOf(recent))).toMatchObject({ exit: 1, err: expect.stringMatching(/The record is kept until 20/) })

  const again = new Sqlite(file)
  again.prepare('update person set keep_until = null').run()
  again.close()
  expect(await destroy(patient)).toMatchObject({ exit: 0 })
  expect(await due()).toEqual([])
  expect((await gateway.service.call('GET', `/fhir/${recent.Patient}`)).status).toBe(200)
})

test('what is not understood is not done: who, why, a date, an id', async () => {
  for (const args of [
    ['hold', 'p1', '--by', 'legal-1'],
    ['hold', 'p1', '--reason', 'claim'],
    ['hold', 'p1', '--by', 'legal-1', '--reason', 'Claim by Mr Test'],
    ['erase', 'p1', '--by', 'somebody with a name', '--reason', 'x', '--confirm', 'p1'],
    ['retention', 'keep', 'p1', '--by', 'g', '--reason', 'x', '--until', 'soon'],
  ])
    expect(await reconnect(args)).toMatchObject({ exit: 2, out: '' })
  expect(await erase('nobody')).toMatchObject({ exit: 1, err: expect.stringMatching(/No person has this id/) })
  expect(await reconnect(['retention', 'due'], { RETENTION_YEARS: 'adult=1' })).toMatchObject({
    exit: 1,
    err: expect.stringMatching(/RETENTION_YEARS/),
  })
})
