/**
 * How a referral ends when a service writes the ending by itself instead of deciding it with `$close`: the same rules hold, whichever way
 * it is written (closed-loop.md C1 rows 16, 18 and 20, C6).
 */
import type { Bundle, CarePlan, Goal, ServiceRequest } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { phaseOn } from '../../src/domain/decisions.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { type Gateway, issuesOf, of, openGateway, says } from '../fixtures/gateway.ts'
import { close, why } from '../fixtures/referral-operations.ts'

let gateway: Gateway
let at: Record<string, string>
beforeEach(async () => {
  gateway = await openGateway()
  at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
})
afterEach(() => gateway.close())

const referral = async () => (await gateway.service.call<ServiceRequest>('GET', `/fhir/${at.ServiceRequest}`)).body
const goal = (): Goal => ({
  resourceType: 'Goal',
  lifecycleStatus: 'active',
  description: { text: 'Go on with treatment' },
  subject: { reference: at.Patient as string },
})
const achieved = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/goal-achievement', code: 'achieved' }] }
const status = (value: string) => [{ op: 'replace', path: '/status', value }]

const ways: [string, (value: ServiceRequest['status'], more?: Partial<ServiceRequest>) => Promise<{ status: number; body: unknown }>][] = [
  [
    'PUT',
    async (value, more) => gateway.service.call('PUT', `/fhir/${at.ServiceRequest}`, { ...(await referral()), status: value, ...more }),
  ],
  [
    'PATCH',
    async (value, more) =>
      gateway.service.call('PATCH', `/fhir/${at.ServiceRequest}`, [
        ...status(value),
        ...(more?.extension?.map((one) => ({ op: 'add', path: '/extension/-', value: one })) ?? []),
      ]),
  ],
  [
    'transaction',
    async (value, more) =>
      gateway.service.call('POST', '/fhir', {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [
          { resource: { ...(await referral()), status: value, ...more }, request: { method: 'PUT', url: at.ServiceRequest as string } },
        ],
      } as Bundle),
  ],
]

describe.each(ways)('written by %s', (_, write) => {
  test('completed: 422 naming each goal and handover that is open, and how support is ended; it goes on', async () => {
    const { body } = await gateway.service.call<Goal>('POST', '/fhir/Goal', goal())
    const { id } = await gateway.handover('recovery')
    const answer = await write('completed')
    const texts = issuesOf(answer as never).map(({ text }) => text)
    expect(answer.status).toBe(422)
    expect(texts).toEqual([
      expect.stringContaining(`Goal/${body.id}`),
      expect.stringContaining(`Task/${id}`),
      expect.stringContaining('$close'),
    ])
    expect((await referral()).status).toBe('active')
  })

  test('completed, with nothing open: still 422, because nothing says how it ended and who says so', async () => {
    const { id } = await gateway.handover('recovery')
    for (const said of [says('accepted'), says('in-progress'), says('completed', 'engaged')])
      await gateway.as('recovery').call('PATCH', `/fhir/Task/${id}`, said)
    const answer = await write('completed')
    expect([answer.status, issuesOf(answer as never).map(({ text }) => text)]).toEqual([422, [expect.stringContaining('$close')]])
    expect((await close(gateway.service, at.ServiceRequest as string)).body.status).toBe('completed')
  })

  test.each([
    ['revoked', 'withdrawn'],
    ['entered-in-error', 'void'],
  ] as const)('%s: with why, it is the person’s word or a mistake and waits for nobody; without, 422', async (value, phase) => {
    const bare = await write(value)
    expect([bare.status, issuesOf(bare as never)[0]?.text]).toEqual([422, expect.stringContaining('Say why')])
    const answer = await write(value, { extension: [...((await referral()).extension ?? []), why('Wants to manage alone')] })
    expect(answer.status).toBe(200)
    await gateway.settled()
    expect([(await referral()).status, phaseOn(await referral())]).toEqual([value, phase])
    expect((await gateway.handover('recovery')).status).toBe('cancelled')
    expect(gateway.partner('recovery').received.at(-1)?.text).toContain('"revoked"')
  })
})

test('what is over is not begun again by any of them, and a pause of the service’s own is', async () => {
  for (const [, write] of ways) {
    expect((await write('on-hold')).status).toBe(200)
    expect((await write('active')).status).toBe(200)
  }
  expect((await close(gateway.service, at.ServiceRequest as string)).status).toBe(200)
  for (const [, write] of ways) expect((await write('active')).status).toBe(422)
})

test('ended while its plan is a draft again: partners hear that it is over and hold nothing, though the plan does not end with it', async () => {
  const { id } = await gateway.handover('recovery')
  for (const said of [says('accepted'), says('in-progress'), says('completed', 'engaged')])
    await gateway.as('recovery').call('PATCH', `/fhir/Task/${id}`, said)
  expect((await gateway.service.call('PATCH', `/fhir/${at.CarePlan}`, status('draft'))).status).toBe(200)
  expect(await gateway.as('recovery').find('Condition')).not.toEqual([])
  expect((await close(gateway.service, at.ServiceRequest as string)).body.status).toBe('completed')
  await gateway.settled()
  expect((await gateway.service.call<CarePlan>('GET', `/fhir/${at.CarePlan}`)).body.status).toBe('draft')
  for (const type of ['Patient', 'Condition', 'MedicationStatement'] as const) expect(await gateway.as('recovery').find(type)).toEqual([])
  expect(gateway.partner('recovery').received.map(({ bundle }) => of(bundle, 'ServiceRequest')[0]?.status)).toEqual(['active', 'completed'])
})

test('a plan is completed once its goals are: also when both are said in one transaction', async () => {
  const { body: kept } = await gateway.service.call<Goal>('POST', '/fhir/Goal', goal())
  const refused = await gateway.service.call('PATCH', `/fhir/${at.CarePlan}`, status('completed'))
  expect([refused.status, issuesOf(refused)[0]]).toEqual([
    422,
    expect.objectContaining({ expression: 'Goal.achievementStatus', text: expect.stringContaining(`Goal/${kept.id}`) }),
  ])
  const { body: plan } = await gateway.service.call<CarePlan>('GET', `/fhir/${at.CarePlan}`)
  const both = await gateway.service.call('POST', '/fhir', {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      { resource: { ...plan, status: 'completed' }, request: { method: 'PUT', url: at.CarePlan } },
      { resource: { ...kept, achievementStatus: achieved }, request: { method: 'PUT', url: `Goal/${kept.id}` } },
    ],
  })
  expect(both.status).toBe(200)
})

test('a goal is completed once each handover it hangs on has an outcome, another in its place, or a reason why there is none', async () => {
  const { body: kept } = await gateway.service.call<Goal>('POST', '/fhir/Goal', goal())
  const { body: other } = await gateway.service.call<Goal>('POST', '/fhir/Goal', goal())
  const linked = [{ op: 'add', path: '/activity/0/detail/goal', value: [{ reference: `Goal/${kept.id}` }] }]
  expect((await gateway.service.call('PATCH', `/fhir/${at.CarePlan}`, linked)).status).toBe(200)
  const { id } = await gateway.handover('recovery')
  expect((await gateway.as('recovery').call('PATCH', `/fhir/Task/${id}`, says('rejected', 'rejected', 'at-capacity'))).status).toBe(200)
  const done = { lifecycleStatus: 'completed' as const, achievementStatus: achieved }

  const refused = await gateway.service.call('PUT', `/fhir/Goal/${kept.id}`, { ...kept, ...done })
  expect([refused.status, issuesOf(refused)]).toEqual([
    422,
    [expect.objectContaining({ expression: 'Goal.statusReason', text: expect.stringContaining(`Task/${id}`) })],
  ])
  const reasoned = { ...kept, ...done, statusReason: 'No other team takes this on' }
  expect((await gateway.service.call('PUT', `/fhir/Goal/${kept.id}`, reasoned)).status).toBe(200)
  expect((await gateway.service.call('PUT', `/fhir/Goal/${other.id}`, { ...other, ...done })).status).toBe(200)
})
