/**
 * A release date that moves: HMPPS says only that something changed, the exchange looks it up, and everybody who needs to know is told the
 * same hour.
 */
import type { Observation, Patient } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { custodyIn, custodyObservation } from '../../src/domain/read.ts'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { crn } from '../../src/fhir/systems.ts'
import { timersOf } from '../../src/store/timers.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { type Gateway, of, openGateway } from '../fixtures/gateway.ts'
import { handInEvent, notification, prisonEvent } from '../fixtures/hmpps.ts'
import { hmppsDouble } from '../fixtures/hmpps-api.ts'

let gateway: Gateway
let hmpps: ReturnType<typeof hmppsDouble>
/** A Thursday. */
const thursday = '2026-04-02T09:40:00.000Z'

beforeEach(async () => {
  hmpps = hmppsDouble([
    {
      noms: 'B1357CD',
      dates: { conditionalRelease: { date: '2026-05-15', overrideDate: null } },
      location: { inPrison: true, prisonId: 'HHI', lastMovementType: 'Admission', receptionDate: '2025-11-03' },
    },
  ])
  gateway = await openGateway({ at: thursday, hmpps: hmpps.api })
})
afterEach(() => gateway.close())

const custody = async () => custodyIn(custodyObservation(await gateway.service.find('Observation')) as Observation)
const reasons = async () => (await gateway.work()).map(({ reason }) => reason).filter((reason) => reason.startsWith('hmpps'))
const changed = {
  eventType: 'calculate-release-dates.prisoner.changed',
  version: 1,
  occurredAt: '2026-04-02T10:39:01.339517517+01:00',
  additionalInformation: { prisonerId: 'B1357CD', bookingId: 1202211 },
}
/** Everything that follows from an event at once. */
const hand = async (event: unknown) => {
  const answer = await handInEvent(gateway, event)
  await gateway.looked()
  await gateway.settled()
  return answer.body
}
const person = () => hmpps.double.people[0] as (typeof hmpps.double.people)[number]

test('brought forward by ten days on a Thursday: looked up, told to every partner the same hour, timers moved with it', async () => {
  const at = await gateway.handIn(caseBundle())
  const id = at.Patient?.split('/')[1] as string
  const told = () => Object.fromEntries(['recovery', 'probation', 'enhanced'].map((name) => [name, gateway.partner(name).received.length]))
  expect(told()).toEqual({ recovery: 1, probation: 1, enhanced: 1 })
  // The practice is asked 28 days before release.
  const window = async () => (await timersOf(gateway.database, id)).find(({ about }) => about.startsWith('window:'))?.dueAt
  expect(await window()).toBe('2026-04-16T23:00:00.000Z')

  person().dates = {
    conditionalRelease: { date: '2026-05-15', overrideDate: '2026-05-05' },
    release: { date: '2026-05-05', confirmedDate: '2026-05-05' },
  }
  expect(await hand(changed)).toMatchObject({ outcome: 'unchanged', fetching: true })

  expect(await custody()).toMatchObject({
    releaseDate: '2026-05-05',
    releaseDateType: 'CRD',
    releaseDateConfirmed: true,
    establishment: { code: 'HHI' },
  })
  expect(told()).toEqual({ recovery: 2, probation: 2, enhanced: 2 })
  for (const name of ['recovery', 'probation', 'enhanced']) {
    const { bundle, at: when } = gateway.partner(name).received[1] as { bundle: Parameters<typeof of>[0]; at: string }
    expect(of(bundle, 'MessageHeader')[0]?.reason?.coding?.[0]?.code, name).toBe('update')
    expect(JSON.stringify(bundle), name).toContain('2026-05-05')
    expect(when, name).toBe(thursday)
  }
  expect(await window()).toBe('2026-04-06T23:00:00.000Z')
  await gateway.turn('2026-04-07T08:00:00Z')
  expect(gateway.partner('practice').received).toHaveLength(1)
})

test('a partner whose channel is down for half an hour is told within the hour, and nobody waits for it', async () => {
  await gateway.handIn(caseBundle())
  gateway.partner('recovery').answers = 'unreachable'
  person().dates = { conditionalRelease: { date: '2026-05-15', overrideDate: '2026-05-05' } }
  await hand(changed)
  const told = (name: string) => gateway.partner(name).received.filter(({ text }) => text.includes('2026-05-05'))
  expect(['probation', 'enhanced'].map((name) => told(name)[0]?.at)).toEqual([thursday, thursday])
  await gateway.turn('PT30M')
  expect(told('recovery')).toHaveLength(0)
  gateway.partner('recovery').answers = 200
  await gateway.turn('PT29M')
  expect(told('recovery')).toHaveLength(1)
  expect(Date.parse(told('recovery')[0]?.at as string) - Date.parse(thursday)).toBeLessThan(60 * 60_000)
  expect((await gateway.work()).map(({ reason }) => reason)).not.toContain('parked')
})

test('two moves while it is down: told once, of the last', async () => {
  await gateway.handIn(caseBundle())
  gateway.partner('recovery').answers = 503
  person().dates = { conditionalRelease: { date: '2026-05-10' } }
  await hand(changed)
  await gateway.turn('PT10M')
  person().dates = { conditionalRelease: { date: '2026-05-05' } }
  await hand({ ...changed, occurredAt: '2026-04-02T10:50:00+01:00' })
  gateway.partner('recovery').answers = 200
  await gateway.turn('PT1H')
  const accepted = gateway.partner('recovery').received.filter(({ status }) => status === 200)
  expect(accepted.at(-1)?.text).toContain('2026-05-05')
  const [seen] = await gateway
    .as('recovery')
    .find('Observation', 'code=custody')
    .catch(() => [])
  expect(JSON.stringify(seen ?? (await gateway.as('recovery').find('CarePlan')))).not.toContain('2026-05-10')
})

test('the same date again, or a date nobody reads, is told to nobody', async () => {
  await gateway.handIn(caseBundle())
  await hand(changed)
  const before = await gateway.rows()
  person().dates = {
    ...person().dates,
    licenceExpiry: { date: '2027-01-01' },
    homeDetentionCurfew: { eligibilityDate: '2026-04-10', endDate: '2026-05-15' },
  }
  await hand({ ...changed, occurredAt: '2026-04-02T11:00:00+01:00' })
  const after = await gateway.rows()
  expect([after.owed, after.resource]).toEqual([before.owed, before.resource])
})

test('a notification of the External API does the same, whichever number it carries', async () => {
  await gateway.handIn(caseBundle())
  person().crn = 'X688624'
  person().dates = { automaticRelease: { date: '2026-05-01' } }
  await hand(notification('KEY_DATES_AND_ADJUSTMENTS_PRISONER_RELEASE', 'B1357CD'))
  expect((await custody()).releaseDate).toBe('2026-05-01')
  // Probation knows the person by now: the number came along, and the next notification carries it.
  const [patient] = (await gateway.service.find('Patient')) as Patient[]
  expect(patient?.identifier?.find(({ system }) => system === crn)?.value).toBe('X688624')
  await gateway.turn('PT5M')
  person().dates = { automaticRelease: { date: '2026-04-28' } }
  await hand(notification('KEY_DATES_AND_ADJUSTMENTS_PRISONER_RELEASE', 'X688624', '2026-04-02T11:00:00'))
  expect((await custody()).releaseDate).toBe('2026-04-28')
  expect(new Set(hmpps.double.keys)).toEqual(new Set(['a-key']))
})

test('a date by hand goes the same way: told at once, timers moved', async () => {
  await gateway.handIn(caseBundle())
  await hand(changed)
  await gateway.turn('PT2H')
  const observation = custodyObservation(await gateway.service.find('Observation')) as Observation
  for (const one of observation.component ?? [])
    if (one.code.coding?.[0]?.code === 'expected-release-date') one.valueDateTime = '2026-05-07'
  await gateway.service.call('PUT', `/fhir/Observation/${observation.id}`, observation)
  await gateway.settled()
  expect(JSON.stringify(gateway.partner('probation').received.at(-1)?.bundle)).toContain('2026-05-07')
  // The prison’s older date is looked up once more and does not come back.
  await hand({ ...changed, occurredAt: '2026-04-02T12:00:00+01:00' })
  expect((await custody()).releaseDate).toBe('2026-05-07')
})

describe('what is taken out, masked or limited is not empty', () => {
  test('a part that is missing changes nothing; one that is there without a date takes it back', async () => {
    await gateway.handIn(caseBundle())
    person().dates = { conditionalRelease: { date: '2026-05-15' }, release: { date: '2026-05-10', confirmedDate: '2026-05-10' } }
    await hand(changed)
    expect((await custody()).releaseDate).toBe('2026-05-10')
    person().dates = { licenceExpiry: { date: '2027-01-01' } }
    await hand({ ...changed, occurredAt: '2026-04-02T11:00:00+01:00' })
    expect((await custody()).releaseDate).toBe('2026-05-10')
    await gateway.turn('PT1H')
    person().dates = { conditionalRelease: { date: '2026-05-15' }, release: { date: '2026-05-15', confirmedDate: null } }
    await hand({ ...changed, occurredAt: '2026-04-02T12:00:00+01:00' })
    expect((await custody()).releaseDate).toBe('2026-05-15')
  })

  test.each([
    ['403 without a body', { status: 403 }],
    ['404', { status: 404, body: '{}' }],
    ['no data', { data: null }],
  ] as const)('%s: what is recorded stays, and a person asks', async (_, trouble) => {
    await gateway.handIn(caseBundle())
    hmpps.double.trouble.set('sentences/latest-key-dates-and-adjustments', trouble)
    await hand(changed)
    expect((await custody()).releaseDate).toBe('2026-05-15')
    expect(await reasons()).toEqual(['hmpps-hidden'])
  })

  test('a limited record says so to whoever keeps ours', async () => {
    await gateway.handIn(caseBundle())
    Object.assign(person(), { crn: 'X688624', limited: true })
    await hand(changed)
    expect(await reasons()).toEqual(['hmpps-limited'])
  })
})

describe('when it can not be asked', () => {
  test.each([
    ['nobody there', 'unreachable'],
    ['502 without a body', { status: 502 }],
    ['no JSON', 'not-json'],
    ['too many requests', { status: 429 }],
  ] as const)('%s: asked again later, and what changed is told then', async (_, trouble) => {
    await gateway.handIn(caseBundle())
    person().dates = { conditionalRelease: { date: '2026-05-05' } }
    hmpps.double.trouble.set('*', trouble)
    await hand(changed)
    expect((await custody()).releaseDate).toBe('2026-05-15')
    expect(await reasons()).toEqual([])
    hmpps.double.trouble.clear()
    await gateway.turn('PT2M')
    expect((await custody()).releaseDate).toBe('2026-05-05')
  })

  test('when it lasts, a person is told, and asked no more once it works', async () => {
    await gateway.handIn(caseBundle())
    hmpps.double.trouble.set('*', 'unreachable')
    await hand(changed)
    await gateway.turn('PT1H')
    expect(await reasons()).toEqual(['hmpps-unreachable'])
    hmpps.double.trouble.clear()
    await gateway.turn('PT1H')
    expect(await reasons()).toEqual([])
    expect(hmpps.double.asked.join()).not.toContain('undefined')
  })

  test('nothing of a person stands in the log', () => expect(gateway.logged.join()).not.toMatch(/B1357CD|hmpps\.test/))
})

test('without an API a person is asked to look, once, and movements still count', async () => {
  const alone = await openGateway({ at: thursday })
  try {
    await alone.handIn(caseBundle())
    await handInEvent(alone, changed)
    await handInEvent(alone, { ...changed, occurredAt: '2026-04-02T11:00:00+01:00' })
    await alone.looked()
    await alone.tick()
    await alone.looked()
    expect((await alone.work()).map(({ reason }) => reason).filter((reason) => reason.startsWith('hmpps'))).toEqual(['hmpps-look-up'])
  } finally {
    await alone.close()
  }
})

describe('what is found about the place', () => {
  test('another prison', async () => {
    await gateway.handIn(caseBundle())
    await gateway.turn('PT5M')
    person().location = { inPrison: true, prisonId: 'DMI', lastPrisonId: 'DMI', lastMovementType: 'Transfers', receptionDate: '2025-11-03' }
    await hand(notification('PRISONER_BASE_LOCATION_CHANGED', 'B1357CD'))
    expect((await custody()).establishment?.code).toBe('DMI')
  })

  test('gone, and nothing says why: an hour later a person is asked, and nobody was told of a release', async () => {
    await gateway.handIn(caseBundle())
    await gateway.turn('PT5M')
    const before = gateway.partner('recovery').received.length
    person().location = { inPrison: false, lastPrisonId: 'HHI', lastMovementType: 'Release' }
    await hand(notification('PRISONER_BASE_LOCATION_CHANGED', 'B1357CD'))
    expect((await gateway.work()).map(({ reason }) => reason)).not.toContain('custody-left-unexplained')
    await gateway.turn('PT61M')
    expect((await gateway.work()).map(({ reason }) => reason)).toContain('custody-left-unexplained')
    expect((await custody()).left).toBeUndefined()
    expect(gateway.partner('recovery').received).toHaveLength(before)
  })

  test('gone, and fifty minutes later the event that explains it: nobody is asked', async () => {
    await gateway.handIn(caseBundle())
    await gateway.turn('PT5M')
    person().location = { inPrison: false, lastPrisonId: 'HHI', lastMovementType: 'Release' }
    await hand(notification('PRISONER_BASE_LOCATION_CHANGED', 'B1357CD'))
    await gateway.turn('PT50M')
    await hand(prisonEvent('released', { code: 'CR', at: '2026-04-02T10:44:00+01:00' }))
    await gateway.turn('PT3H')
    expect(await custody()).toMatchObject({ where: 'released', left: '2026-04-02' })
    expect((await gateway.work()).map(({ reason }) => reason)).not.toContain('custody-left-unexplained')
  })
})

test('a referral with nothing planned is asked about though HMPPS is looked at every day: that look wakes nothing', async () => {
  person().dates = {}
  await gateway.handIn(caseBundle({ releaseDate: null, agreed: {}, plan: [] }))
  await gateway.settled()
  expect((await timersOf(gateway.database, (await gateway.service.find('Patient'))[0]?.id as string)).map(({ about }) => about)).toEqual([
    'look-up',
  ])
  expect((await gateway.work()).map(({ reason }) => reason)).toContain('nothing-planned')
  expect(await reconcile(gateway.exchange)).toMatchObject({ repaired: 0, unwatched: 0 })
})
