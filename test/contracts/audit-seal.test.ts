import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { auditOf, recordAudit } from '../../src/store/audit.ts'
import { rootOf, sealAudit } from '../../src/store/audit-seal.ts'
import { verifyAudit } from '../../src/store/audit-verify.ts'
import { sealed, statement } from '../../src/store/database.ts'
import { rotateKeys } from '../../src/store/keys.ts'
import { migrate } from '../../src/store/migrate.ts'
import { openStore } from '../../src/store/sealed.ts'
import { checkerOf, signerOf } from '../../src/store/signing.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { openGateway } from '../fixtures/gateway.ts'
import { auditSealContract } from './audit-seal-contract.ts'

const [oldKey, newKey] = [new Uint8Array(32).fill(9), new Uint8Array(32).fill(8)]
const now = new Date('2026-03-02T09:00:00.000Z')
const folder = mkdtempSync(join(tmpdir(), 'audit-seal-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const fresh = async () => {
  const driver = openSqlite(':memory:')
  await migrate(driver)
  return driver
}
const row = (id: string) => ({ id, at: now.toISOString(), action: 'read', who: 'x', patient: 'p1', detail: '{"n":1}' })

auditSealContract('SQLite', async () => openStore(await fresh(), [oldKey]))

test('after the master key was changed the old seals stand, new ones follow, and the public key is the same', async () => {
  const driver = await fresh()
  const before = await openStore(driver, [oldKey])
  await before.atomically([recordAudit([row('1')])])
  await sealAudit(before, now)
  const { publicKey } = await verifyAudit(before)
  await rotateKeys(driver, [newKey, oldKey])
  const after = await openStore(driver, [newKey])
  await after.atomically([recordAudit([row('2')])])
  await sealAudit(after, now)
  expect(await verifyAudit(after)).toMatchObject({ rows: 2, batches: 2, found: 0, publicKey })
})

test('two processes on one file seal every row once', async () => {
  const file = join(folder, 'two.db')
  const drivers = [openSqlite(file), openSqlite(file)] as const
  await migrate(drivers[0])
  const [one, other] = [await openStore(drivers[0], [oldKey]), await openStore(drivers[1], [oldKey])]
  for (let round = 0; round < 10; round++) {
    await one.atomically([recordAudit([row(`a${round}`), row(`b${round}`)])])
    await Promise.all([sealAudit(one, now, 1), sealAudit(other, now, 1)])
  }
  await sealAudit(one, now)
  expect(await verifyAudit(other)).toMatchObject({ rows: 20, unsealed: 0, found: 0 })
})

describe('a database from before there were seals', () => {
  test('its rows are numbered as they were written, and sealed', async () => {
    const home = new URL('../../migrations/', import.meta.url)
    const driver = openSqlite(join(folder, 'old.db'))
    const first = readFileSync(new URL('0000_first.sql', home), 'utf8').split('--> statement-breakpoint')
    await driver.atomically(first.map((part) => statement(part.trim())))
    await driver.atomically([
      statement('create table d1_migrations (id integer primary key autoincrement, name text unique, applied_at timestamp)'),
      statement(`insert into d1_migrations (name) values ('0000_first.sql')`),
    ])
    const old = await openStore(driver, [oldKey])
    for (const id of ['c', 'a', 'b']) {
      const { at, action, who, patient, detail } = row(id)
      const insert = 'insert into audit (id, at, action, who, patient, detail) values (?, ?, ?, ?, ?, ?)'
      await old.atomically([statement(insert, id, at, action, who, patient, sealed(patient, `audit|${id}`, detail))])
    }

    const later = readdirSync(home).filter((name) => name.endsWith('.sql') && name > '0001')
    expect(await migrate(driver)).toEqual(later.sort())
    expect(await driver.query(statement('select seq, id from audit order by seq'))).toEqual([
      { seq: 1, id: 'c' },
      { seq: 2, id: 'a' },
      { seq: 3, id: 'b' },
    ])
    expect((await auditOf(old, 'p1')).map(({ detail }) => detail)).toEqual(Array(3).fill('{"n":1}'))
    await sealAudit(old, now)
    expect(await verifyAudit(old)).toMatchObject({ rows: 3, batches: 1, found: 0 })
  })
})

test('a tick of the exchange seals what it finds, and the next ones wait a minute', async () => {
  const gateway = await openGateway()
  const write = (id: string) => gateway.database.atomically([recordAudit([row(id)])])
  await write('1')
  await gateway.tick()
  expect(await verifyAudit(gateway.database)).toMatchObject({ unsealed: 0, batches: 1, found: 0 })
  await write('2')
  await gateway.tick()
  expect(await verifyAudit(gateway.database)).toMatchObject({ unsealed: 1, batches: 1 })
  await gateway.close()
})

describe('what it is made of', () => {
  test('the tree has the roots RFC 6962 has', () => {
    // Test vectors of certificate transparency: leaf hashes of '', 0x00, 0x10 and their first roots.
    const leaves = [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7',
    ].map((leaf) => Buffer.from(leaf, 'hex'))
    expect(rootOf(leaves.slice(0, 1))).toEqual(leaves[0])
    expect(rootOf(leaves.slice(0, 2)).toString('hex')).toBe('fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125')
    expect(rootOf(leaves).toString('hex')).toBe('aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77')
  })

  test('the signature is Ed25519 as RFC 8032 has it', async () => {
    const { publicKey, sign } = await signerOf(Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex'))
    expect(Buffer.from(publicKey).toString('hex')).toBe('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')
    const signature = await sign(new Uint8Array())
    const isSigned = await checkerOf(publicKey)
    expect(await isSigned(new Uint8Array(), signature)).toBe(true)
    expect(await isSigned(Uint8Array.of(1), signature)).toBe(false)
  })
})
