/**
 * Erasing records that are one, or were: all of it or none, and nothing of the person is left in the record they were once mistaken for.
 */
import type { Bundle } from '@medplum/fhirtypes'
import { afterEach, expect, test } from 'vitest'
import { usualYears } from '../../src/domain/retention.ts'
import { eraseNow } from '../../src/exchange/erasing.ts'
import { type Database, statement } from '../../src/store/database.ts'
import { columns, readStored } from '../../src/store/resources.ts'
import { consentOf } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway } from '../fixtures/gateway.ts'
import { handInEvent, prisonEvent } from '../fixtures/hmpps.ts'
import { caseFor, everybody, isIn, mergingOn, numbers, ok } from '../fixtures/merging.ts'

let gateway: Gateway
afterEach(() => gateway.close())
const { merge, unmerge, reasons } = mergingOn(() => gateway)

const erase = (patient: string, database: Database = gateway.database) =>
  eraseNow({ database, now: gateway.clock.now, years: usualYears }, patient.slice(8), { by: 'guardian', reason: 'asked' })
const status = async (patient: string) => (await gateway.service.call('GET', `/fhir/${patient}`)).status

/** Everything that is kept of resources and messages, as the store opens it. */
async function everythingKept(): Promise<string> {
  const rows = await readStored(
    gateway.database,
    statement(`select ${columns} from resource r union all select ${columns} from resource_version r`),
  )
  const owed = (await Promise.all((['due', 'delivered', 'parked', 'void'] as const).map(gateway.owed))).flat()
  return [...rows.map(({ kept }) => kept), ...owed.map(({ body }) => body)].join('\n')
}

test('erasing the record erases what was merged into it at any remove, and not the other way round', async () => {
  gateway = await openGateway()
  const at: string[] = []
  for (const who of everybody.slice(0, 3)) at.push((await gateway.handIn(caseFor(who, { agreed: null }))).Patient as string)
  const [a, b, c] = at as [string, string, string]
  ok(await merge(a, b))
  ok(await merge(b, c))
  for (const part of [a, b]) {
    const refused = await erase(part)
    expect(refused).toMatchObject({ outcome: 'refused', because: [expect.stringContaining(c)] })
  }
  expect(await erase(c)).toEqual({ outcome: 'done' })
  for (const one of at) expect(await status(one)).toBe(410)
  const text = await everythingKept()
  expect(everybody.filter((who) => isIn(text, who))).toEqual([])
})

test('somebody changes the whole as it is erased: nothing is, no part of it either, and it can be erased after', async () => {
  gateway = await openGateway()
  const a = (await gateway.handIn(caseFor('Anna', { agreed: null }))).Patient as string
  const b = (await gateway.handIn(caseFor('Berta', { agreed: null }))).Patient as string
  ok(await merge(a, b))
  const { database } = gateway
  const raced: Database = Object.assign(Object.create(database) as Database, {
    atomically: async (unit: Parameters<Database['atomically']>[0]) => {
      await database.atomically([statement('update person set revision = revision + 1 where id = ?', b.slice(8))])
      return database.atomically(unit)
    },
  })
  expect(await erase(b, raced)).toMatchObject({ outcome: 'refused' })
  for (const one of [a, b]) expect(await status(one)).toBe(200)
  expect(await erase(b)).toEqual({ outcome: 'done' })
  for (const one of [a, b]) expect(await status(one)).toBe(410)
})

test.each(['Anna', 'Berta'] as const)(
  '%s is erased after a wrong merge was undone: the other record keeps no word of theirs',
  async (who) => {
    gateway = await openGateway()
    const at = { Anna: '', Berta: '' }
    for (const one of ['Anna', 'Berta'] as const) {
      at[one] = (await gateway.handIn(caseFor(one, { plan: ['recovery'] }))).Patient as string
      await gateway.turn('PT1H')
    }
    const other = who === 'Anna' ? 'Berta' : 'Anna'
    ok(await merge(at.Anna, at.Berta))
    await gateway.settled()
    ok(await handInEvent(gateway, prisonEvent('released', { noms: numbers[who][1], code: 'CR', at: '2026-04-02T10:30:00+01:00' })))
    await gateway.turn('PT1H')
    ok(await unmerge(at.Anna))
    await gateway.settled()
    const before = await everythingKept()
    expect([isIn(before, who), isIn(before, other)]).toEqual([true, true])
    ok(await gateway.service.call('POST', '/fhir/Consent', consentOf({ patient: at[who], agreed: {}, at: '2026-04-02T12:00:00Z' })))
    await gateway.settled()
    expect(await erase(at[who])).toEqual({ outcome: 'done' })
    const after = await everythingKept()
    expect([isIn(after, who), isIn(after, other)]).toEqual([false, true])
    const { body } = ok(await gateway.service.call<Bundle>('GET', `/fhir/${at[other]}/_history`))
    expect(body.entry?.length).toBeGreaterThan(0)
    expect(await status(at[other])).toBe(200)
    // Whom an erased record was one with is not proposed, and can be merged with nobody by mistake.
    expect(await reasons()).not.toContain('duplicate')
    expect((await unmerge(at[other])).status).toBe(409)
  },
)
