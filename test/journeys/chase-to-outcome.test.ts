/**
 * The chase from the first silence to the outcome, over the days before release and after it, with the clock stopped: a reminder to the
 * partner, then the named worker, then the supervisor. The release is on a Friday, so it may come on the Wednesday before.
 */
import type { Observation } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { runTimers } from '../../src/exchange/time.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { caseBundle, custodyOf, type PartnerName } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, says, standing } from '../fixtures/gateway.ts'

const friday = '2026-05-15'
let gateway: Gateway
let patient: string
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const handIn = async (plan: PartnerName[], releaseDate = friday) => {
  patient = (await gateway.handIn(caseBundle({ releaseDate, plan }))).Patient as string
}
const say = async (name: PartnerName, ...said: [string, string?]) => {
  const { id } = await gateway.handover(name)
  const { status, text } = await gateway.as(name).call('PATCH', `/fhir/Task/${id}`, says(...said))
  if (status !== 200) throw new Error(text)
}
const release = async (left: string) => {
  const [custody] = await gateway.service.find('Observation', 'code=custody')
  const body = custodyOf({ patient, releaseDate: left, left, id: (custody as Observation).id as string })
  expect((await gateway.service.call('PUT', `/fhir/Observation/${custody?.id}`, body)).status).toBe(200)
  await gateway.settled()
}
const asks = async (name: PartnerName) => {
  const { id } = await gateway.handover(name)
  return (await gateway.work()).filter(({ task, reason }) => task === id && reason !== 'check-21').map(({ reason }) => reason)
}
const reminders = async () =>
  (await gateway.owed('delivered')).filter(({ reason }) => reason === 'reminder').map(({ createdAt }) => createdAt)
/** What is asked the minute before an instant, and at it. */
const around = async (name: PartnerName, instant: string) => {
  await gateway.turn(new Date(Date.parse(instant) - 60_000).toISOString())
  const before = await asks(name)
  await gateway.turn(instant)
  return [before, await asks(name)]
}

describe('not registered', () => {
  beforeEach(async () => {
    await handIn(['practice'])
    await gateway.turn('2026-04-20T09:00:00Z')
    await say('practice', 'accepted')
  })

  test('before release: reminded a week before the first day on which they may walk out, phoned two days before, then the supervisor', async () => {
    await gateway.turn('2026-05-05T22:59:00Z')
    expect(await reminders()).toEqual([])
    expect(await around('practice', '2026-05-10T23:00:00.000Z')).toEqual([[], ['not-registered']])
    expect(await reminders()).toEqual(['2026-05-05T23:00:00.000Z'])
    expect((await gateway.work()).find(({ reason }) => reason === 'not-registered')?.words).toContain(
      'has not said that the person is registered',
    )
    expect(await around('practice', '2026-05-12T23:00:00.000Z')).toEqual([['not-registered'], ['escalated']])

    // Out on the Friday, and still not on the list: one more reminder, and it stays with the supervisor.
    await gateway.turn('2026-05-15T09:00:00Z')
    await release(friday)
    await gateway.turn('2026-05-25T09:00:00Z')
    expect(await reminders()).toEqual(['2026-05-05T23:00:00.000Z', '2026-05-19T23:00:00.000Z'])
    expect(await asks('practice')).toEqual(['escalated'])
    await say('practice', 'in-progress')
    await say('practice', 'completed', 'registered')
    expect(await asks('practice')).toEqual([])
  })

  test('registered in time: nobody is reminded and nobody asked', async () => {
    await say('practice', 'in-progress')
    await say('practice', 'completed', 'registered')
    await gateway.turn('2026-05-14T09:00:00Z')
    expect([await reminders(), await asks('practice')]).toEqual([[], []])
  })

  test('at work on it is not registered', async () => {
    await say('practice', 'in-progress', 'appointment-booked')
    await gateway.turn('2026-05-10T23:00:00Z')
    expect(await asks('practice')).toEqual(['not-registered'])
  })
})

test('not registered by a practice that was asked after release: a week is left to it', async () => {
  await handIn(['practice'], '2026-04-01')
  await release('2026-04-01')
  await say('practice', 'accepted')
  await gateway.turn('2026-04-06T22:59:00Z')
  expect([await reminders(), await asks('practice')]).toEqual([[], []])
  expect(await around('practice', '2026-04-08T23:00:00.000Z')).toEqual([[], ['not-registered']])
  expect(await reminders()).toHaveLength(1)
  expect(await around('practice', '2026-04-23T23:00:00.000Z')).toEqual([['not-registered'], ['escalated']])
})

test('unanswered: reminded after two working days, phoned two later, the supervisor on the first day on which they may walk out', async () => {
  await handIn(['recovery'], '2026-04-17')
  expect(await around('recovery', '2026-04-10T23:00:00.000Z')).toEqual([[], ['no-answer']])
  expect(await reminders()).toEqual(['2026-04-08T23:00:00.000Z'])
  expect(await around('recovery', '2026-04-14T23:00:00.000Z')).toEqual([['no-answer'], ['escalated']])
})

test('unaccepted: opened, and neither yes nor no', async () => {
  await handIn(['practice'])
  await gateway.turn('2026-04-17T09:00:00Z')
  await say('practice', 'received')
  expect(await around('practice', '2026-04-23T23:00:00.000Z')).toEqual([[], ['not-accepted']])
  expect(await reminders()).toEqual(['2026-04-21T23:00:00.000Z'])
  // Early May is a bank holiday.
  expect(await around('practice', '2026-05-11T23:00:00.000Z')).toEqual([['not-accepted'], ['escalated']])
  expect(standing(await gateway.handover('practice'))).toBe('received escalated')
})

test('unbooked: reminded a week before, phoned two days before, then the supervisor', async () => {
  await handIn(['recovery'])
  await say('recovery', 'accepted')
  expect(await around('recovery', '2026-05-10T23:00:00.000Z')).toEqual([[], ['not-booked']])
  expect(await reminders()).toEqual(['2026-05-05T23:00:00.000Z'])
  expect(await around('recovery', '2026-05-12T23:00:00.000Z')).toEqual([['not-booked'], ['escalated']])
  await say('recovery', 'in-progress', 'appointment-booked')
  expect(await asks('recovery')).toEqual([])
})

test('did not attend: the worker at once, the partner is reminded to book another, the supervisor after five working days', async () => {
  await handIn(['recovery'])
  await say('recovery', 'accepted')
  await say('recovery', 'in-progress', 'appointment-booked')
  await say('recovery', 'in-progress', 'did-not-attend')
  expect(await asks('recovery')).toEqual(['did-not-attend'])
  await gateway.turn('2026-04-08T23:00:00Z')
  expect(await reminders()).toEqual(['2026-04-08T23:00:00.000Z'])
  expect(await around('recovery', '2026-04-13T23:00:00.000Z')).toEqual([['did-not-attend'], ['escalated']])
})

describe('nothing happens twice', () => {
  const kept = ({ owed, work_item, timer, resource, resource_version, audit }: Record<string, number>) => [
    ...[owed, work_item, timer],
    ...[resource, resource_version, audit],
  ]

  test('nobody looked for three weeks: only the newest step is taken, and neither another wake-up, a restart nor the night repeats it', async () => {
    const driver = openSqlite(':memory:')
    const before = await openGateway({ database: driver })
    await before.handIn(caseBundle({ releaseDate: '2026-06-19', plan: ['recovery'] }))
    await before.settled()
    const later = new Date('2026-04-29T09:00:00Z')
    before.clock.set(later)
    await Promise.all([runTimers(before.exchange), runTimers(before.exchange)])
    await before.settled()
    expect((await before.work()).map(({ reason }) => reason)).toEqual(['escalated'])
    expect(before.partner('recovery').received).toHaveLength(1)
    const rows = kept(await before.rows())

    const after = await openGateway({ database: driver, at: later.toISOString() })
    for (let n = 0; n < 3; n++) await after.tick()
    await reconcile(after.exchange)
    await after.settled()
    expect(kept(await after.rows())).toEqual(rows)
    expect(after.partner('recovery').received).toHaveLength(0)
    await after.close()
  })

  test('reminded, and the clock is set back and comes to the same time again: not reminded again', async () => {
    const driver = openSqlite(':memory:')
    const before = await openGateway({ database: driver })
    await before.handIn(caseBundle({ releaseDate: '2026-06-19', plan: ['recovery'] }))
    await before.turn('2026-04-09T09:00:00Z')
    expect(before.partner('recovery').received).toHaveLength(2)
    const after = await openGateway({ database: driver, at: '2026-04-03T09:00:00Z' })
    await runTimers(after.exchange)
    await reconcile(after.exchange)
    await after.turn('2026-04-10T09:00:00Z')
    expect(after.partner('recovery').received).toEqual([])
    expect((await after.owed('delivered')).map(({ reason }) => reason)).toEqual(['new', 'reminder'])
    await after.close()
  })
})
