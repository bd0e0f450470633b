/**
 * Tampering with the audit shows, on every database: run on SQLite (audit-seal.test.ts) and on D1 in workerd (d1.test.ts). Whoever
 * tampers here has the file and not the master key.
 */
import { beforeEach, describe, expect, test } from 'vitest'
import { type AuditRow, recordAudit } from '../../src/store/audit.ts'
import { hashOf, type SignedSeal, sealAudit, sealColumns } from '../../src/store/audit-seal.ts'
import { verifyAudit } from '../../src/store/audit-verify.ts'
import { type Database, statement } from '../../src/store/database.ts'
import { erase } from '../../src/store/keys.ts'
import { newPerson } from '../../src/store/people.ts'
import { signerOf } from '../../src/store/signing.ts'

const now = new Date('2026-03-02T09:00:00.000Z')
const row = (n: number): AuditRow => ({
  id: `row-${String(n).padStart(3, '0')}`,
  at: now.toISOString(),
  action: 'owe',
  who: 'exchange',
  patient: 'p1',
  recipient: 'gp',
  detail: `{"n":${n}}`,
})

export function auditSealContract(name: string, open: () => Promise<Database>): void {
  let database: Database
  beforeEach(async () => {
    database = await open()
  })
  const write = (from: number, to: number) =>
    database.atomically([recordAudit(Array.from({ length: to - from + 1 }, (_, n) => row(from + n)))])
  const tamper = (...sql: readonly string[]) => database.atomically(sql.map((one) => statement(one)))
  const found = async (options?: Parameters<typeof verifyAudit>[1]) =>
    (await verifyAudit(database, options)).findings.map(({ batch, kind, seq, id }) =>
      [batch, kind, seq, id].filter((word) => word !== undefined).join(' '),
    )
  const sealOf = async (batch: number) =>
    (await database.query<SignedSeal>(statement(`select ${sealColumns} from audit_seal where batch = ?`, batch)))[0] as SignedSeal

  describe(`${name}: the sealed audit`, () => {
    test('an empty one is sound, and sealing it makes no seal', async () => {
      expect(await sealAudit(database, now)).toEqual({ rows: 0, batches: 0, more: false })
      expect(await verifyAudit(database)).toMatchObject({ rows: 0, batches: 0, unsealed: 0, found: 0 })
    })

    test('rows are sealed once, in batches, and what comes later is told apart', async () => {
      await write(1, 10)
      expect(await sealAudit(database, now, 4)).toMatchObject({ rows: 10, batches: 3, more: false })
      expect(await sealAudit(database, now, 4)).toEqual({ rows: 0, batches: 0, more: false })
      await write(11, 12)
      expect(await verifyAudit(database)).toMatchObject({ rows: 10, batches: 3, unsealed: 2, found: 0, latest: { batch: 3 } })
      expect(await verifyAudit(database, { since: 3 })).toMatchObject({ rows: 2, batches: 1, unsealed: 2, found: 0 })
    })

    test('more than a thousand rows are more than one batch', async () => {
      await write(1, 1_001)
      expect(await sealAudit(database, now)).toMatchObject({ rows: 1_001, batches: 2 })
      expect(await verifyAudit(database)).toMatchObject({ rows: 1_001, batches: 2, found: 0 })
    })

    test('two who seal at once seal every row once', async () => {
      await write(1, 30)
      await Promise.all([sealAudit(database, now, 3), sealAudit(database, now, 3), sealAudit(database, now, 3)])
      await sealAudit(database, now, 3)
      const counts = await database.query(statement('select sum(count) as n, count(*) as seals from audit_seal'))
      expect(counts).toEqual([{ n: 30, seals: 10 }])
      expect(await verifyAudit(database)).toMatchObject({ rows: 30, batches: 10, unsealed: 0, found: 0 })
    })

    test('erasing a person leaves it as it was', async () => {
      await database.atomically([newPerson('p1', 'ne')])
      await write(1, 4)
      await sealAudit(database, now, 4)
      await erase(database, { patient: 'p1', who: 'staff', at: now.toISOString(), auditId: 'erased' })
      await sealAudit(database, now, 4)
      expect(await verifyAudit(database)).toMatchObject({ rows: 5, batches: 2, found: 0 })
    })

    describe('of twelve rows in three batches', () => {
      beforeEach(async () => {
        await write(1, 12)
        await sealAudit(database, now, 4)
        expect(await found()).toEqual([])
      })

      test.each(['at', 'action', 'who', 'service', 'patient', 'entity', 'recipient', 'request_id', 'basis', 'detail', 'id'])(
        'a changed %s is found, and no other batch is blamed',
        async (column) => {
          await tamper(`update audit set ${column} = 'x' where seq = 6`)
          expect(await found()).toEqual([`2 changed 6 ${column === 'id' ? 'x' : 'row-006'}`])
          expect(await verifyAudit(database)).toMatchObject({ rows: 8, batches: 2 })
        },
      )

      test('what is absent is not what is empty, nor bytes what is text', async () => {
        await tamper(`update audit set service = '' where seq = 1`, `update audit set who = cast('exchange' as blob) where seq = 9`)
        expect(await found()).toEqual(['1 changed 1 row-001', '3 changed 9 row-009'])
      })

      test('one bit of a sealed detail', async () => {
        const [before] = await database.query<{ detail: Uint8Array }>(statement('select detail from audit where seq = 12'))
        const detail = Uint8Array.from(before?.detail as Uint8Array)
        detail[20] = (detail[20] as number) ^ 1
        await database.atomically([statement('update audit set detail = ? where seq = 12', detail)])
        expect(await found()).toEqual(['3 changed 12 row-012'])
      })

      test.each([1, 4, 6, 12])('row %i removed', async (seq) => {
        await tamper(`delete from audit where seq = ${seq}`)
        expect(await found()).toEqual([`${Math.ceil(seq / 4)} removed ${seq}`])
      })

      test('a whole batch removed', async () => {
        await tamper('delete from audit where seq between 5 and 8')
        expect(await found()).toEqual(['2 removed 5', '2 removed 6', '2 removed 7', '2 removed 8'])
      })

      test('a last row removed, and a new one in its number', async () => {
        await tamper('delete from audit where seq = 12')
        await write(13, 13)
        await sealAudit(database, now, 4)
        expect(await found()).toEqual(['3 changed 12 row-013'])
      })

      test('a row added before the first', async () => {
        await tamper(`insert into audit (seq, id, at, action, who) values (0, 'new', '2026', 'read', 'x')`)
        expect(await found()).toEqual(['1 added 0 new'])
      })

      test('a row added in between, those behind it moved up', async () => {
        await tamper(
          'update audit set seq = -seq - 1 where seq > 6',
          'update audit set seq = -seq where seq < 0',
          `insert into audit (seq, id, at, action, who) values (7, 'new', '2026', 'read', 'x')`,
        )
        expect(await found()).toEqual(['2 added 7 new', '2 reordered 8', '3 reordered 9 row-008', '3 removed 12'])
      })

      const exchanged = (a: number, b: number) =>
        tamper(
          `update audit set seq = -1 where seq = ${a}`,
          `update audit set seq = ${a} where seq = ${b}`,
          `update audit set seq = ${b} where seq = -1`,
        )
      test('two rows of a batch in each other’s place', async () => {
        await exchanged(5, 8)
        expect(await found()).toEqual(['2 reordered 5 row-008', '2 reordered 8 row-005'])
      })
      test('two rows of two batches in each other’s place', async () => {
        await exchanged(2, 11)
        expect(await found()).toEqual(['1 reordered 2 row-011', '3 reordered 11 row-002'])
      })

      test('a row removed before it was sealed leaves its number empty', async () => {
        await write(13, 15)
        await tamper('delete from audit where seq = 14')
        expect(await found()).toEqual(['4 removed'])
        await sealAudit(database, now, 4)
        expect(await found()).toEqual(['4 removed'])
      })

      test.each([
        'first_seq = 4',
        'last_seq = 9',
        'count = 5',
        'root = zeroblob(32)',
        'leaves = zeroblob(32)',
        'previous = zeroblob(32)',
        `sealed_at = '2027'`,
        'signature = zeroblob(64)',
      ])('a seal altered: %s', async (set) => {
        await tamper(`update audit_seal set ${set} where batch = 2`)
        expect(await found()).toEqual(['2 seal-altered'])
      })

      test('a seal whose key is no key at all', async () => {
        await tamper('update audit_seal set public_key = 5 where batch = 2')
        expect(await found()).toEqual(['2 signature-not-ours'])
      })

      test('a seal given another number', async () => {
        await tamper('update audit_seal set batch = 9 where batch = 2')
        expect(await found()).toEqual(['3 chain-broken', '9 seal-altered', '9 chain-broken'])
      })

      test('a seal removed', async () => {
        await tamper('delete from audit_seal where batch = 2')
        expect(await found()).toEqual(['3 chain-broken'])
      })

      test('a row changed and its batch sealed anew, with a key that is not ours', async () => {
        await tamper(`update audit set who = 'x' where seq = 6`)
        const { publicKey, sign } = await signerOf(new Uint8Array(32).fill(1))
        const forged = { ...(await sealOf(2)), publicKey }
        await database.atomically([
          statement('update audit_seal set public_key = ?, signature = ? where batch = 2', publicKey, await sign(hashOf(forged))),
        ])
        expect(await found()).toEqual(['2 signature-not-ours'])
      })

      test('with our own key: the next seal names another, and a root kept outside is gone', async () => {
        const kept = hashOf(await sealOf(2)).toString('hex')
        const { sign } = await database.signer()
        const forged = { ...(await sealOf(2)), sealedAt: '2026-03-02T10:00:00.000Z' }
        await database.atomically([
          statement('update audit_seal set sealed_at = ?, signature = ? where batch = 2', forged.sealedAt, await sign(hashOf(forged))),
        ])
        expect(await found()).toEqual(['3 chain-broken'])
        expect(await found({ expect: kept })).toEqual(['3 chain-broken', 'root-not-found'])
      })

      test('the end cut off: only a root kept outside tells', async () => {
        const { latest } = await verifyAudit(database)
        const expect_ = { expect: latest?.root as string }
        expect(await verifyAudit(database, expect_)).toMatchObject({ found: 0, expected: 3 })
        await write(13, 16)
        await sealAudit(database, now, 4)
        expect(await verifyAudit(database, expect_)).toMatchObject({ found: 0, expected: 3 })
        await tamper('delete from audit where seq > 8', 'delete from audit_seal where batch > 2')
        expect(await found()).toEqual([])
        expect(await found(expect_)).toEqual(['root-not-found'])
      })

      test('the signing key altered or gone: nothing there is ours', async () => {
        await tamper(`update holder_key set wrapped = (select wrapped from holder_key where holder = 'p1') where holder = 'audit seal'`)
        expect(await found()).toEqual(['1 signature-not-ours', '2 signature-not-ours', '3 signature-not-ours'])
        await tamper(`update holder_key set wrapped = zeroblob(64) where holder = 'audit seal'`)
        expect(await found()).toEqual(['1 signature-not-ours', '2 signature-not-ours', '3 signature-not-ours'])
        await tamper(`delete from holder_key where holder = 'audit seal'`)
        expect(await found()).toEqual(['1 signature-not-ours', '2 signature-not-ours', '3 signature-not-ours'])
        // Looking makes no new key.
        expect(await database.query(statement(`select holder from holder_key where holder = 'audit seal'`))).toEqual([])
      })
    })
  })
}
