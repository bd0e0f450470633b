/**
 * One look settles everything: looking again at the same moment finds nothing to write, and the night nothing to repair. The model asks it
 * after each of any events (`test/model/`); here are the orders in which it once did not.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, says, standing } from '../fixtures/gateway.ts'
import { ok } from '../fixtures/merging.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())
const isSettled = async () =>
  expect(await reconcile(gateway.exchange, { write: false })).toMatchObject({
    repaired: 0,
    record: 0,
    shelves: 0,
    messages: 0,
    timers: 0,
    work: 0,
  })

test('a partner that has opened it and says nothing: its shelf shows at once how the handover stands', async () => {
  await gateway.handIn(caseBundle({ releaseDate: '2026-04-20', plan: ['recovery'] }))
  const recovery = gateway.as('recovery')
  const { id } = await gateway.handover('recovery')
  ok(await recovery.call('PATCH', `/fhir/Task/${id}`, says('received')))
  await isSettled()
  for (const to of ['2026-04-08T23:00:00Z', '2026-04-10T23:00:00Z', '2026-04-19T23:00:00Z']) {
    await gateway.turn(to)
    await isSettled()
  }
  expect(standing(await gateway.handover('recovery'))).toBe('received escalated')
})

test('what arrives after days: nobody is asked any more why it has not arrived', async () => {
  gateway.partner('recovery').answers = 'unreachable'
  await gateway.handIn(caseBundle({ releaseDate: '2026-04-05', plan: ['recovery'] }))
  await gateway.turn('2026-04-03T08:00:00Z')
  const about = async () => (await gateway.work()).map(({ reason }) => reason)
  expect(await about()).toContain('not-arrived')
  gateway.partner('recovery').answers = 200
  await gateway.turn('PT6H')
  expect(standing(await gateway.handover('recovery'))).toMatch(/^requested (chasing|delivered)/)
  expect(await about()).not.toContain('not-arrived')
  await isSettled()
})
