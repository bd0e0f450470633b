/**
 * HMPPS is asked now and then about everybody whose support is under way: some changes raise no event, and some events carry a number that
 * nobody here has yet.
 */
import type { Observation, Patient } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { daysToNextLook, usualLookPace } from '../../src/domain/look-pace.ts'
import { custodyIn, custodyObservation } from '../../src/domain/read.ts'
import { lookUp } from '../../src/exchange/hmpps-look.ts'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { crn } from '../../src/fhir/systems.ts'
import { lookUpAt } from '../../src/store/events.ts'
import { timersOf } from '../../src/store/timers.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway } from '../fixtures/gateway.ts'
import { handInEvent, notification, prisonEvent } from '../fixtures/hmpps.ts'
import { hmppsDouble } from '../fixtures/hmpps-api.ts'

let gateway: Gateway
let hmpps: ReturnType<typeof hmppsDouble>
beforeEach(async () => {
  hmpps = hmppsDouble([
    {
      noms: 'B1357CD',
      dates: { conditionalRelease: { date: '2026-05-15' } },
      location: { inPrison: true, prisonId: 'HHI', lastMovementType: 'Admission', receptionDate: '2025-11-03' },
    },
  ])
  gateway = await openGateway({ at: '2026-04-02T09:00:00.000Z', hmpps: hmpps.api })
})
afterEach(() => gateway.close())

const person = () => hmpps.double.people[0] as (typeof hmpps.double.people)[number]
const custody = async () => custodyIn(custodyObservation(await gateway.service.find('Observation')) as Observation)
const reasons = async () => (await gateway.work()).map(({ reason }) => reason).filter((reason) => reason.startsWith('hmpps'))
/** How often the dates were asked for since. */
const looks = () => {
  const count = hmpps.double.asked.filter((one) => one.endsWith('latest-key-dates-and-adjustments')).length
  hmpps.double.asked.length = 0
  return count
}

test('as soon as a case is taken in, weekly, and daily as release comes near; not once the person has left', async () => {
  await gateway.handIn(caseBundle())
  await gateway.turn('PT1H')
  expect(looks()).toBe(1)
  // 43 days before release: a week on, then on the 28th day before.
  await gateway.turn('2026-04-16T08:00:00Z')
  expect(looks()).toBe(1)
  await gateway.turn('2026-04-17T12:00:00Z')
  expect(looks()).toBe(2)
  await gateway.turn('2026-04-24T12:00:00Z')
  expect(looks()).toBe(7)
  await handInEvent(gateway, prisonEvent('released', { code: 'CR', at: '2026-04-24T10:00:00+01:00' }))
  await gateway.looked()
  looks()
  await gateway.turn('P14D')
  expect(looks()).toBe(0)
})

test('a date that moved without any event is found, and told to every partner within the hour', async () => {
  const at = await gateway.handIn(caseBundle())
  await gateway.turn('PT1H')
  person().dates = { conditionalRelease: { date: '2026-05-15', overrideDate: '2026-05-05' } }
  await gateway.turn('P7D')
  expect((await custody()).releaseDate).toBe('2026-05-05')
  for (const partner of ['recovery', 'probation', 'enhanced']) {
    const told = gateway.partner(partner).received.filter(({ text }) => text.includes('2026-05-05'))
    expect(told[0]?.at, partner).toBe('2026-04-09T09:00:00.000Z')
  }
  const timers = await timersOf(gateway.database, (at.Patient as string).split('/')[1] as string)
  expect(timers.filter(({ about }) => about === 'look-up')).toHaveLength(1)
})

test('a release date that comes near moves the next look with it', async () => {
  person().dates = { conditionalRelease: { date: '2026-06-20' } }
  await gateway.handIn(caseBundle({ releaseDate: '2026-06-20' }))
  await gateway.turn('PT1H')
  person().dates = { conditionalRelease: { date: '2026-04-20' } }
  await handInEvent(gateway, notification('KEY_DATES_AND_ADJUSTMENTS_PRISONER_RELEASE', 'B1357CD'))
  await gateway.looked()
  looks()
  await gateway.turn('P3D')
  expect(looks()).toBe(3)
})

test('somebody whom probation knows by now: the number comes along, and what was said under it counts', async () => {
  await gateway.handIn(caseBundle())
  await gateway.turn('PT1H')
  person().crn = 'X688624'
  // The API tells of the person under a number nobody here has.
  const told = notification('MAPPA_DETAIL_CHANGED', 'X688624', '2026-04-02T11:00:00')
  expect((await handInEvent(gateway, told)).body.outcome).toBe('nobody')
  await gateway.turn('P7D')
  const [patient] = (await gateway.service.find('Patient')) as Patient[]
  expect(patient?.identifier?.find(({ system }) => system === crn)?.value).toBe('X688624')
  expect(await reasons()).toEqual(['hmpps-risk'])
})

describe('when it was only time to look', () => {
  test.each([
    ['hidden', { status: 404 }],
    ['unreachable', 'unreachable'],
  ] as const)('%s is no question for a person: nothing says that anything changed', async (_, trouble) => {
    hmpps.double.trouble.set('*', trouble)
    await gateway.handIn(caseBundle())
    await gateway.turn('P2D')
    expect(await reasons()).toEqual([])
    hmpps.double.trouble.clear()
    person().dates = { conditionalRelease: { date: '2026-05-05' } }
    await gateway.turn('P7D')
    expect((await custody()).releaseDate).toBe('2026-05-05')
  })

  test('what the API limits is said all the same, also where both numbers are known', async () => {
    person().crn = 'X688624'
    await gateway.handIn(caseBundle())
    await gateway.turn('PT1H')
    expect(await reasons()).toEqual([])
    person().limited = true
    await handInEvent(gateway, notification('PERSON_ACCESS_LIMITATIONS_CHANGED', 'X688624'))
    await gateway.looked()
    expect(await reasons()).toEqual(['hmpps-limited'])
  })
})

describe('what whoever is on call sees and the API is spared', () => {
  const gauges = async () => (await (await gateway.app.request('/metrics')).text()).split('\n').filter((line) => /^hmpps_un/.test(line))
  const logged = () => gateway.logged.filter((line) => line.includes('"hmpps.'))

  test('no answer: how many people wait and for how long stands in the metrics, and goes when it answers', async () => {
    expect(await gauges()).toEqual(['hmpps_unanswered 0', 'hmpps_unanswered_oldest_seconds 0'])
    hmpps.double.trouble.set('*', { status: 500 })
    await gateway.handIn(caseBundle())
    await gateway.turn('PT2H')
    const [people, seconds] = await gauges()
    expect(people).toBe('hmpps_unanswered 1')
    expect(Number(seconds?.split(' ')[1])).toBe(7200)
    hmpps.double.trouble.clear()
    await gateway.turn('PT1H')
    expect(await gauges()).toEqual(['hmpps_unanswered 0', 'hmpps_unanswered_oldest_seconds 0'])
  })

  test.each([
    ['half an hour', '1800', 30],
    ['two days: no longer than an hour', '172800', 60],
  ])('Retry-After is kept to: %s', async (_, retryAfter, minutes) => {
    hmpps.double.trouble.set('*', { status: 429, retryAfter })
    await gateway.handIn(caseBundle())
    await gateway.turn('PT1M')
    expect(looks()).toBe(1)
    await gateway.turn(`PT${minutes - 2}M`)
    expect(looks()).toBe(0)
    await gateway.turn('PT2M')
    expect(looks()).toBe(1)
  })

  test('429: the others wait for the next turn', async () => {
    await gateway.handIn(caseBundle())
    await gateway.turn('PT1H')
    const patient = (await gateway.service.find('Patient'))[0]?.id as string
    const rows = [patient, 'a', 'b', 'c', 'd', 'e'].map((one, n) =>
      lookUpAt({ patient: one, service: 'tees-valley' }, `look-${n}`, `2026-04-02T09:0${n}:00.000Z`),
    )
    await gateway.database.atomically(rows)
    hmpps.double.trouble.set('*', { status: 429 })
    expect(await lookUp(gateway.exchange)).toBe(4)
    expect(await lookUp(gateway.exchange)).toBe(2)
  })

  test('what the API does not show is in the log: a key that counts no more looks the same', async () => {
    hmpps.double.trouble.set('*', { status: 403 })
    await gateway.handIn(caseBundle())
    await gateway.turn('PT1H')
    expect(logged()).toEqual([JSON.stringify(['warn', 'hmpps.hidden', { status: 403 }])])
  })
})

test('a number that is somebody else’s: another date of birth, and nothing is taken', async () => {
  Object.assign(person(), { birthDate: '1961-01-01', crn: 'X688624', dates: { conditionalRelease: { date: '2026-04-20' } } })
  await gateway.handIn(caseBundle())
  await gateway.turn('PT1H')
  expect((await custody()).releaseDate).toBe('2026-05-15')
  const [patient] = (await gateway.service.find('Patient')) as Patient[]
  expect(JSON.stringify(patient)).not.toContain('X688624')
  expect(await reasons()).toEqual(['hmpps-other-person'])
})

test('nobody is asked about whom we support no longer', async () => {
  await gateway.handIn(caseBundle())
  await gateway.turn('PT1H')
  await handInEvent(gateway, prisonEvent('released', { code: 'DEC' }))
  await gateway.looked()
  looks()
  await handInEvent(gateway, notification('KEY_DATES_AND_ADJUSTMENTS_PRISONER_RELEASE', 'B1357CD'))
  await gateway.looked()
  await gateway.turn('P30D')
  expect(looks()).toBe(0)
})

test('the night finds nothing to do, and begins it for whoever was there before there was an API', async () => {
  await gateway.handIn(caseBundle())
  await gateway.turn('PT1H')
  expect((await reconcile(gateway.exchange)).repaired).toBe(0)
  const [{ patient }] = (await gateway.database.query({ sql: 'select patient from timer limit 1', params: [] })) as [{ patient: string }]
  await gateway.database.atomically([{ sql: `delete from timer where about = 'look-up'`, params: [] }])
  expect((await reconcile(gateway.exchange)).timers).toBe(1)
  expect((await timersOf(gateway.database, patient)).map(({ about }) => about)).toContain('look-up')
})

describe('how often', () => {
  const days = (custody: Parameters<typeof daysToNextLook>[1], phase: Parameters<typeof daysToNextLook>[0] = 'pre-release') =>
    daysToNextLook(phase, custody, '2026-04-02', usualLookPace)
  test.each([
    ['a date far off', { releaseDate: '2026-07-01' }, 7],
    ['no date', {}, 7],
    ['31 days before', { releaseDate: '2026-05-03' }, 3],
    ['28 days before', { releaseDate: '2026-04-30' }, 1],
    ['the day itself, and after it', { releaseDate: '2026-04-01' }, 1],
    ['on remand, whose date a court makes', { basis: 'remand' as const }, 1],
    ['left', { left: '2026-04-01' }, undefined],
    ['in a removal centre, which the prison system does not know', { where: 'immigration' as const }, undefined],
  ])('%s', (_, custody, expected) => expect(days(custody)).toBe(expected))
  test('held because it is early: yes; not agreed to yet, or over: no', () => {
    expect(days({}, 'held-early')).toBe(7)
    for (const phase of ['submitted', 'consent-pending', 'closed', 'declined'] as const) expect(days({}, phase)).toBeUndefined()
  })
})
