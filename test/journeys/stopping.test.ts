/**
 * A partner is asked to stop: by a person or by the exchange, before it opened what it was asked or after; it confirms, says how it ended
 * all the same, or nothing (closed-loop.md C2 rows 14 to 18, and 21).
 */
import type { CarePlan, Task } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { type Gateway, of, openGateway, says, standing } from '../fixtures/gateway.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
  await gateway.handIn(caseBundle({ releaseDate: '2026-05-15', plan: ['recovery'] }))
})
afterEach(() => gateway.close())

const why = { op: 'add', path: '/statusReason', value: { text: 'Asked of the wrong team.' } }
const patch = async (by: 'service' | 'recovery', ...operations: unknown[]) => {
  const { id } = await gateway.handover('recovery')
  const client = by === 'service' ? gateway.service : gateway.as('recovery')
  const answer = await client.call<Task>('PATCH', `/fhir/Task/${id}`, operations)
  await gateway.settled()
  return answer
}
const stands = async () => (await gateway.handovers('recovery')).map(standing)
const asks = async () => (await gateway.work()).map(({ reason }) => reason)
const sent = () => gateway.partner('recovery').received.map(({ bundle }) => of(bundle, 'ServiceRequest')[0]?.status)
const askToStop = () => patch('service', ...says('accepted', 'cancellation-requested'), why)

test('taken back by hand before it was opened: the partner is told without content, and it is not asked again by itself', async () => {
  expect((await patch('service', ...says('cancelled'), why)).status).toBe(200)
  expect(await stands()).toEqual(['cancelled recalled-message'])
  expect(sent()).toEqual(['active', 'revoked'])
  expect(await gateway.as('recovery').find('Condition')).toEqual([])
  expect((await gateway.work()).map(({ words }) => words)).toEqual([
    'Partner recovery is no longer asked: it was taken back by hand. The directory has no other of its kind. Find one, or stop this activity in the plan and say why.',
  ])
  await gateway.turn('P30D')
  expect(await stands()).toEqual(['cancelled recalled-message'])
  expect(sent()).toEqual(['active', 'revoked'])
  expect(await reconcile(gateway.exchange)).toMatchObject({ repaired: 0, unwatched: 0, unexplained: 0 })
})

test('taken back by hand, then out of the plan and in again: asked anew', async () => {
  await patch('service', ...says('cancelled'), why)
  const status = async (said: 'stopped' | 'scheduled') => {
    const [plan] = await gateway.service.find('CarePlan')
    const activity = plan!.activity!.map((one) => ({ ...one, detail: { ...one.detail, status: said } }))
    expect((await gateway.service.call('PUT', `/fhir/CarePlan/${plan?.id}`, { ...plan, activity } as CarePlan)).status).toBe(200)
    await gateway.settled()
  }
  await status('stopped')
  expect(await asks()).toEqual([])
  await status('scheduled')
  expect(await stands()).toEqual(['cancelled recalled-message', 'requested delivered'])
  expect(sent()).toEqual(['active', 'revoked', 'active'])
})

test('made in error: the partner is told to stop, and a person decides who is asked instead', async () => {
  await patch('recovery', ...says('accepted'))
  expect((await patch('service', { op: 'replace', path: '/status', value: 'entered-in-error' })).status).toBe(422)
  expect((await patch('service', { op: 'replace', path: '/status', value: 'entered-in-error' }, why)).status).toBe(200)
  expect(await stands()).toEqual(['entered-in-error'])
  expect(sent()).toEqual(['active', 'revoked'])
  expect(await asks()).toEqual(['no-alternative'])
})

describe('asked to stop after it accepted', () => {
  beforeEach(async () => {
    await patch('recovery', ...says('accepted'))
    expect((await askToStop()).status).toBe(200)
    expect(await stands()).toEqual(['accepted cancellation-requested'])
    expect(sent()).toEqual(['active', 'revoked'])
    expect(await gateway.as('recovery').find('Condition')).toEqual([])
    expect(await asks()).toEqual([])
  })

  test('it confirms: cancelled, and a person decides who is asked instead', async () => {
    expect((await patch('recovery', ...says('cancelled'))).status).toBe(200)
    expect(await stands()).toEqual(['cancelled cancelled'])
    expect(await asks()).toEqual(['no-alternative'])
    expect(sent()).toEqual(['active', 'revoked'])
  })

  test('it says how it ended all the same: the outcome counts', async () => {
    expect((await patch('recovery', ...says('in-progress'))).status).toBe(422)
    expect((await patch('recovery', ...says('completed', 'engaged'))).status).toBe(200)
    expect(await stands()).toEqual(['completed engaged'])
    expect(await asks()).toEqual([])
  })

  test('it says nothing for five working days: the supervisor is asked, and ends it without confirmation, not before', async () => {
    // Thursday before Easter: Tuesday to Friday, and the next Monday.
    await gateway.turn('2026-04-13T22:59:00Z')
    expect(await asks()).toEqual([])
    const early = await patch('service', ...says('cancelled', 'cancelled-unconfirmed'))
    expect([early.status, early.text]).toEqual([422, expect.stringContaining('5 working days to confirm')])
    await gateway.turn('2026-04-13T23:00:00Z')
    expect(await asks()).toEqual(['cancellation-unconfirmed'])
    expect((await gateway.work())[0]?.words).toMatch(/^For the supervisor: Partner recovery was asked to stop/)
    expect((await patch('recovery', ...says('cancelled', 'cancelled-unconfirmed'))).status).toBe(422)
    expect((await patch('service', ...says('cancelled', 'cancelled-unconfirmed'))).status).toBe(200)
    expect(await stands()).toEqual(['cancelled cancelled-unconfirmed'])
    expect(await asks()).toEqual(['no-alternative'])
  })

  test('a note of theirs does not begin the five days anew', async () => {
    await gateway.turn('P4D')
    await patch('recovery', { op: 'add', path: '/note', value: [{ text: 'Looking into it' }] })
    await gateway.turn('2026-04-13T23:00:00Z')
    expect(await asks()).toEqual(['cancellation-unconfirmed'])
  })
})
