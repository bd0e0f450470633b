/**
 * A message to a partner with a hand free is leased in the commit that owes it, and leaves at once; everything else waits its turn.
 */
import { expect, test } from 'vitest'
import type { Hand } from '../../src/exchange/exchange.ts'
import { Conflict, type Driver } from '../../src/store/database.ts'
import { pause } from '../../src/store/lanes.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { caseBundle, partners } from '../fixtures/case-bundle.ts'
import { openGateway } from '../fixtures/gateway.ts'

const plan = ['recovery', 'probation'] as const
const take = (gateway: Awaited<ReturnType<typeof openGateway>>) => gateway.exchange.take?.(partners.recovery)

/** A database that tells of every unit before it is written. */
function watched(before: (sql: string) => void): Driver {
  const driver = openSqlite(':memory:')
  return {
    ...driver,
    atomically: async (unit) => {
      before(unit.map(({ sql }) => sql).join('\n'))
      return driver.atomically(unit)
    },
  }
}
const owes = (sql: string) => sql.includes('insert into owed_text')

test('a message leaves after the commit that owes it, with no other commit between them', async () => {
  const units: string[] = []
  const gateway = await openGateway({ database: watched((sql) => units.push(sql)) })
  for (const name of plan) gateway.partner(name).answers = async () => units.push('sent') && 200
  await gateway.handIn(caseBundle({ plan: [...plan] }))
  const from = units.findIndex(owes)
  expect(units.slice(from, from + 3)).toEqual([expect.stringContaining('insert into owed_text'), 'sent', 'sent'])
  expect((await gateway.owed('delivered')).map(({ attempts }) => attempts)).toEqual([1, 1])
  await gateway.close()
})

test('a commit that has to be made again lets go of its hands: one message each, and all hands free', async () => {
  let refusals = 5
  const gateway = await openGateway({
    database: watched((sql) => {
      if (owes(sql) && refusals-- > 0) throw new Conflict('revision')
    }),
  })
  await gateway.handIn(caseBundle({ plan: [...plan] }))
  expect(plan.map((name) => gateway.partner(name).received.length)).toEqual([1, 1])
  const hands = [await take(gateway), await take(gateway), await take(gateway), await take(gateway)] as Hand[]
  expect([hands.every(Boolean), await take(gateway)]).toEqual([true, undefined])
  hands[0]?.letGo()
  await new Promise((go) => setImmediate(go))
  const again = await take(gateway)
  expect(again).toBeDefined()
  for (const hand of [...hands, again as Hand]) hand.letGo()
  await gateway.close()
})

test('there is no hand in a paused lane, nor for a partner that can not drop a repeat', async () => {
  const gateway = await openGateway({ directory: (file) => Object.assign(file.partners[2] as object, { deduplicates: false }) })
  expect(await gateway.exchange.take?.(partners.probation)).toBeUndefined()
  await gateway.database.atomically([pause(partners.recovery, gateway.clock.now().toISOString())])
  expect(await take(gateway)).toBeUndefined()
  await gateway.handIn(caseBundle({ plan: [...plan] }))
  expect((await gateway.owed('due')).map(({ partner, attempts }) => [partner, attempts])).toEqual([[partners.recovery, 0]])
  expect(gateway.partner('probation').received).toHaveLength(1)
  await gateway.close()
})
