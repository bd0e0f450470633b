/**
 * A partner that says nothing: reminded, phoned, taken to the supervisor, as release comes nearer. And one that should have been asked.
 */
import type { Bundle, MessageHeader } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { timersOf } from '../../src/store/timers.ts'
import { caseBundle, custodyOf, type PartnerName } from '../fixtures/case-bundle.ts'
import { type Gateway, of, openGateway, says, standing } from '../fixtures/gateway.ts'

let gateway: Gateway
beforeEach(async () => {
  // Thursday before Easter 2026, nine in the morning in London.
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const asks = async (name: PartnerName) => {
  const { id } = await gateway.handover(name)
  return (await gateway.work()).filter(({ task }) => task === id).map(({ reason }) => reason)
}
const reasonOf = (bundle: Bundle) => (of(bundle, 'MessageHeader')[0] as MessageHeader).reason?.coding?.[0]?.code
const moveRelease = async (patient: string, releaseDate: string) => {
  const custody = (await gateway.service.find('Observation', 'code=custody'))[0]
  const body = custodyOf({ patient, releaseDate, id: custody?.id as string })
  expect((await gateway.service.call('PUT', `/fhir/Observation/${custody?.id}`, body)).status).toBe(200)
  await gateway.deliverer.idle()
}

describe('no answer', () => {
  test('a reminder is an update under its own key with the same content; then the worker phones, then the supervisor, on release day', async () => {
    await gateway.handIn(caseBundle({ releaseDate: '2026-04-20', plan: ['recovery'] }))
    await gateway.turn('2026-04-08T22:59:00Z')
    expect(gateway.partner('recovery').received).toHaveLength(1)
    expect(await asks('recovery')).toEqual([])

    await gateway.turn('2026-04-08T23:00:00Z') // two working days: Easter is not counted
    const [first, reminder, ...more] = gateway.partner('recovery').received
    expect(more).toEqual([])
    expect(reasonOf(reminder!.bundle)).toBe('update')
    expect(reminder!.key).not.toBe(first!.key)
    expect(of(reminder!.bundle, 'Task')[0]?.id).toBe(of(first!.bundle, 'Task')[0]?.id)
    expect(standing(await gateway.handover('recovery'))).toBe('requested chasing')
    expect(await asks('recovery')).toEqual([])
    expect((await gateway.owed('delivered')).map(({ reason }) => reason)).toEqual(['new', 'reminder'])

    await gateway.turn('2026-04-10T23:00:00Z')
    expect(await asks('recovery')).toEqual(['no-answer'])
    await gateway.turn('2026-04-19T22:59:00Z')
    expect(await asks('recovery')).toEqual(['no-answer'])
    await gateway.turn('2026-04-19T23:00:00Z')
    expect(await asks('recovery')).toEqual(['escalated'])
    expect(standing(await gateway.handover('recovery'))).toBe('requested escalated')
    // The partner sees nothing of it.
    expect(standing((await gateway.as('recovery').find('Task'))[0]!)).toBe('requested')
    expect(gateway.partner('recovery').received).toHaveLength(2)

    const { id } = await gateway.handover('recovery')
    expect((await gateway.service.call('PATCH', `/fhir/Task/${id}`, says('accepted'))).status).toBe(200)
    expect(await asks('recovery')).toEqual([])
  })

  test('an answer in time: nobody is reminded and nobody asked', async () => {
    await gateway.handIn(caseBundle({ releaseDate: '2026-05-20', plan: ['probation'] }))
    const { id } = await gateway.handover('probation')
    await gateway.service.call('PATCH', `/fhir/Task/${id}`, says('accepted'))
    await gateway.turn('2026-04-15T09:00:00Z')
    expect(gateway.partner('probation').received).toHaveLength(1)
    expect(await asks('probation')).toEqual([])
  })

  test('the agreement ended before the reminder: nobody is reminded', async () => {
    await gateway.handIn(caseBundle({ releaseDate: '2026-05-20', plan: ['recovery'], agreedUntil: '2026-04-07' }))
    await gateway.turn('2026-04-20T09:00:00Z')
    expect((await gateway.owed('delivered')).map(({ reason }) => reason)).toEqual(['new', 'revoke'])
  })

  test('what never arrived is not reminded of, and somebody phones before Easter, since two days before release is a bank holiday', async () => {
    gateway.partner('recovery').answers = 503
    await gateway.handIn(caseBundle({ releaseDate: '2026-04-08', plan: ['recovery'] }))
    await gateway.turn('2026-04-04T00:00:00Z')
    expect(await asks('recovery')).toEqual(['not-arrived'])
    expect(standing(await gateway.handover('recovery'))).toBe('requested queued')
    await gateway.turn('2026-04-08T00:00:00Z')
    expect(await asks('recovery')).toContain('escalated')
  })

  test('a release brought forward brings the phone call forward, in the commit that moves the date', async () => {
    const at = await gateway.handIn(caseBundle({ releaseDate: '2026-06-20', plan: ['recovery'] }))
    await gateway.turn('2026-04-09T09:00:00Z')
    expect(await asks('recovery')).toEqual([])
    const timers = async () =>
      (await timersOf(gateway.database, at.Patient!.split('/')[1]!))
        .filter(({ about }) => about.startsWith('chase:'))
        .map(({ dueAt }) => dueAt)
    expect(await timers()).toEqual(['2026-04-10T23:00:00.000Z'])
    await moveRelease(at.Patient!, '2026-04-14') // two days before is a Sunday: Friday
    expect(await timers()).toEqual(['2026-04-09T23:00:00.000Z'])
    await gateway.turn('2026-04-10T00:00:00Z')
    expect(await asks('recovery')).toEqual(['no-answer'])
  })
})

describe('accepted', () => {
  test('missed appointment: somebody is asked at once, until there is another', async () => {
    await gateway.handIn(caseBundle({ releaseDate: '2026-04-20', plan: ['recovery'] }))
    const recovery = gateway.as('recovery')
    const { id } = await gateway.handover('recovery')
    const say = (...said: [string, string?]) => recovery.call('PATCH', `/fhir/Task/${id}`, says(...said))
    await say('accepted')
    await say('in-progress', 'appointment-booked')
    await say('in-progress', 'did-not-attend')
    expect(await asks('recovery')).toEqual(['did-not-attend'])
    await say('in-progress', 'appointment-booked')
    expect(await asks('recovery')).toEqual([])
  })

  test('no appointment as release comes near: reminded a week before, then the worker, then the supervisor', async () => {
    await gateway.handIn(caseBundle({ releaseDate: '2026-04-30', plan: ['recovery'] }))
    const { id } = await gateway.handover('recovery')
    await gateway.as('recovery').call('PATCH', `/fhir/Task/${id}`, says('accepted'))
    await gateway.turn('2026-04-23T00:00:00Z')
    expect((await gateway.owed('delivered')).map(({ reason }) => reason)).toContain('reminder')
    expect(await asks('recovery')).toEqual([])
    await gateway.turn('2026-04-28T00:00:00Z')
    expect(await asks('recovery')).toEqual(['not-booked'])
    await gateway.turn('2026-04-30T00:00:00Z')
    expect(await asks('recovery')).toEqual(['escalated'])
  })
})

test('a partner that should have been asked by now, and was not: somebody is asked, and the date moves with the release', async () => {
  const at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20', plan: ['recovery'], agreed: {} }))
  expect(await asks('recovery')).toEqual(['consent-blocked'])
  await gateway.turn('2026-04-06T23:00:00Z')
  expect((await asks('recovery')).sort()).toEqual(['consent-blocked', 'not-asked-in-time'])
  await moveRelease(at.Patient!, '2026-06-20')
  expect(await asks('recovery')).toEqual(['consent-blocked'])
})
