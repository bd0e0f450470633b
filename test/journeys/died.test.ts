/**
 * Somebody dies, wherever each partner has got to: everything stops at once and for good; and where it was a mistake, a person begins again.
 */
import type { CarePlan, Patient, Resource, ServiceRequest } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { caseBundle, custodyOf, type PartnerName, partners, wordsIn } from '../fixtures/case-bundle.ts'
import { type Gateway, of, openGateway, says, standing } from '../fixtures/gateway.ts'

let gateway: Gateway
let at: Record<string, string>
const everybody = ['practice', 'recovery', 'probation', 'enhanced'] as const
beforeEach(async () => {
  gateway = await openGateway()
  at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20', plan: ['practice', 'recovery', 'probation'] }))
})
afterEach(() => gateway.close())

const answer = async (name: PartnerName, ...said: Parameters<typeof says>) => {
  const [task] = await gateway.as(name).find('Task')
  const { status, text } = await gateway.as(name).call('PATCH', `/fhir/Task/${task?.id}`, says(...said))
  if (status !== 200) throw new Error(text)
  await gateway.settled()
}
const put = async (resource: Resource) => {
  const { status, text } = await gateway.service.call('PUT', `/fhir/${resource.resourceType}/${resource.id}`, resource)
  if (status !== 200) throw new Error(text)
  await gateway.settled()
}
const patient = async () => (await gateway.service.find('Patient'))[0] as Patient
const dies = async () => put({ ...(await patient()), deceasedDateTime: '2026-04-03' })
const lives = async () => {
  const { deceasedDateTime: _mistake, ...alive } = await patient()
  await put(alive)
}
const sent = (name: PartnerName) => gateway.partner(name).received
const reasons = async () => (await gateway.work()).map(({ reason }) => reason).sort()
const isAtRest = async () =>
  expect(await reconcile(gateway.exchange)).toMatchObject({ repaired: 0, unwatched: 0, unexplained: 0, failed: 0 })

describe.each<[string, Parameters<typeof says>[], string, string]>([
  ['asked', [], 'cancelled recalled-message', 'revoked'],
  ['opened', [['received']], 'received cancellation-requested', 'revoked'],
  ['accepted', [['accepted']], 'accepted cancellation-requested', 'revoked'],
  ['booked', [['accepted'], ['in-progress', 'appointment-booked']], 'in-progress cancellation-requested', 'revoked'],
  [
    'waiting for information',
    [['accepted'], ['in-progress'], ['on-hold', 'awaiting-information', 'Which pharmacy?']],
    'on-hold cancellation-requested',
    'revoked',
  ],
  ['done', [['accepted'], ['in-progress'], ['completed', 'engaged']], 'completed engaged', 'revoked'],
])('a partner that was %s', (_, way, then, notice) => {
  test('gets the notice and nothing else, reads nothing any more, and is left alone for good', async () => {
    for (const said of way) await answer('recovery', ...said)
    const before = sent('recovery').length
    await dies()
    expect(standing(await gateway.handover('recovery'))).toBe(then)
    expect(sent('recovery')).toHaveLength(before + 1)
    expect(of(sent('recovery').at(-1)?.bundle, 'ServiceRequest')[0]?.status).toBe(notice)
    expect(sent('recovery').at(-1)?.text).not.toMatch(/deceased|died/i)
    const recovery = gateway.as('recovery')
    for (const type of ['Patient', 'CarePlan', 'Condition', 'MedicationStatement', 'Consent'] as const)
      expect(await recovery.find(type)).toEqual([])
    const left = JSON.stringify([await recovery.find('Task'), await recovery.find('ServiceRequest')])
    expect(wordsIn(left)).toEqual([])
    expect(left).not.toMatch(/deceased|died/i)
    expect(await reasons()).toEqual(['died'])
    expect(await gateway.rows()).toMatchObject({ timer: 0 })

    const told = everybody.map((name) => sent(name).length)
    await gateway.turn('2026-11-30T09:00:00Z')
    expect(everybody.map((name) => sent(name).length)).toEqual(told)
    expect(await reasons()).toEqual(['died'])
    await isAtRest()
  })
})

test('what is on hold for custody stops as well', async () => {
  await answer('recovery', 'accepted')
  const stay = async (given: Omit<Parameters<typeof custodyOf>[0], 'patient'>, id?: string) => {
    const said = custodyOf({ patient: at.Patient as string, ...given, ...(id ? { id } : {}) })
    await gateway.service.call(id ? 'PUT' : 'POST', `/fhir/Observation${id ? `/${id}` : ''}`, said)
    await gateway.settled()
  }
  const [custody] = await gateway.service.find('Observation', 'code=custody')
  await gateway.turn('2026-04-20T09:00:00Z')
  await stay({ releaseDate: '2026-04-20', left: '2026-04-20' }, custody?.id)
  await gateway.turn('2026-04-28T09:00:00Z')
  await stay({ releaseDate: null, basis: 'recall', since: '2026-04-28' })
  expect(standing(await gateway.handover('recovery'))).toBe('on-hold suspended-custody')
  await dies()
  expect(standing(await gateway.handover('recovery'))).toMatch(/cancellation-requested$/)
  expect(of(sent('recovery').at(-1)?.bundle, 'ServiceRequest')[0]?.status).toBe('revoked')
  expect(await reasons()).toEqual(['died'])
  await isAtRest()
})

test('a reminder that waits for a partner that is down is never sent: only the notice, when the partner is there again', async () => {
  await answer('recovery', 'received')
  gateway.partner('recovery').answers = 'unreachable'
  await gateway.turn('2026-04-09T09:00:00Z')
  expect((await gateway.owed('due')).map(({ reason }) => reason)).toContain('reminder')
  const before = sent('recovery').length
  await dies()
  gateway.partner('recovery').answers = 200
  await gateway.turn('P1D')
  expect(
    sent('recovery')
      .slice(before)
      .map(({ bundle }) => of(bundle, 'ServiceRequest')[0]?.status),
  ).toEqual(['revoked'])
})

describe('recorded by mistake', () => {
  const again = async () => {
    const [before] = (await gateway.service.find('ServiceRequest')).filter(({ code }) => code?.coding?.[0]?.code === 'reconnect') as [
      ServiceRequest,
    ]
    const { id: _id, extension: _ours, meta: _meta, ...rest } = before
    const anew = { ...rest, status: 'active', intent: 'order', authoredOn: gateway.clock.now().toISOString() }
    expect((await gateway.service.call('POST', '/fhir/ServiceRequest', anew)).status).toBe(201)
    const [plan] = (await gateway.service.find('CarePlan')) as [CarePlan]
    await put({ ...plan, status: 'active' })
  }

  test('corrected: what was stopped stays stopped, and somebody is asked to begin again', async () => {
    await dies()
    const told = everybody.map((name) => sent(name).length)
    await lives()
    expect(await reasons()).toEqual(['died-in-error'])
    expect(everybody.map((name) => sent(name).length)).toEqual(told)
    expect(standing(await gateway.handover('recovery'))).toBe('cancelled recalled-message')
    await isAtRest()
  })

  test('referred again: every partner is asked anew, also one that has not confirmed that it stopped', async () => {
    await answer('recovery', 'accepted')
    gateway.clock.set(new Date('2026-04-02T10:00:00Z'))
    await dies()
    gateway.clock.set(new Date('2026-04-02T11:00:00Z'))
    await lives()
    gateway.clock.set(new Date('2026-04-02T12:00:00Z'))
    await again()
    expect(await reasons()).not.toContain('died-in-error')
    expect((await gateway.handovers('recovery')).map(standing)).toEqual(['accepted cancellation-requested', 'requested delivered'])
    expect(standing(await gateway.handover('probation'))).toBe('requested delivered')
    for (const name of ['recovery', 'probation'] as const) expect(wordsIn(sent(name).at(-1)?.text as string)).toContain('identity')
    expect(await gateway.as('recovery').find('Patient')).toHaveLength(1)
    await isAtRest()
    // The one that is over may still be confirmed, and changes nothing.
    const [over] = await gateway.handovers('recovery')
    const { status } = await gateway.as('recovery').call('PATCH', `/fhir/Task/${over?.id}`, says('cancelled'))
    expect(status).toBe(200)
    expect((await gateway.handovers('recovery')).map(standing)).toEqual(['cancelled cancelled', 'requested delivered'])
    expect(Object.keys(partners)).toContain('recovery')
    await isAtRest()
  })
})
