/**
 * Out of prison and not released: in hospital, at large, in an immigration removal centre. What partners were asked goes on, or waits, by
 * what is right for the person; partners are told no more of it than that it waits.
 */
import type { Observation } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { custodyIn, custodyObservation } from '../../src/domain/read.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, says, standing } from '../fixtures/gateway.ts'
import { type Changes, handInEvent, prisonEvent } from '../fixtures/hmpps.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const custody = async () => custodyIn(custodyObservation(await gateway.service.find('Observation')) as Observation)
/** Said at the instant it happened. */
const hand = async (way: 'released' | 'received', at: string, more: Changes) => {
  await gateway.turn(new Date(at).toISOString())
  await handInEvent(gateway, prisonEvent(way, { at, ...more }))
  await gateway.settled()
}
const work = async () => (await gateway.work()).map(({ reason }) => reason)
const of = async (reason: string) => (await gateway.work()).filter((one) => one.reason === reason)
const accept = async () => {
  const { id } = await gateway.handover('recovery')
  expect((await gateway.as('recovery').call('PATCH', `/fhir/Task/${id}`, says('accepted'))).status).toBe(200)
  await gateway.settled()
}
const told = () => gateway.partner('recovery').received.map(({ text }) => text)

describe('moved to a hospital', () => {
  test('what was asked goes on for the date that stands, nobody outside hears of it, and a navigator is asked whether it is right', async () => {
    await gateway.handIn(caseBundle())
    await accept()
    const before = told().length
    await hand('released', '2026-04-03T10:00:00+01:00', { reason: 'RELEASED_TO_HOSPITAL', code: 'HP' })
    expect(await custody()).toMatchObject({ where: 'hospital', releaseDate: '2026-05-15' })
    expect(standing(await gateway.handover('recovery'))).toBe('accepted accepted')
    expect(told()).toHaveLength(before)
    expect(await of('custody-hospital')).toHaveLength(1)
    // The practice is asked on its day all the same.
    await gateway.turn('2026-04-17T08:00:00Z')
    expect(gateway.partner('practice').received).toHaveLength(1)
    expect(JSON.stringify(gateway.partner('practice').received)).not.toMatch(/hospital/i)
  })

  test('back in prison: the question goes, the stay is the one it was', async () => {
    await gateway.handIn(caseBundle())
    await hand('released', '2026-04-03T10:00:00+01:00', { code: 'HO' })
    await hand('received', '2026-04-20T10:00:00+01:00', { code: 'INT', reason: 'ADMISSION', prison: 'DMI' })
    expect(await custody()).toMatchObject({ where: 'in-prison', releaseDate: '2026-05-15', establishment: { code: 'DMI' } })
    expect(await work()).not.toContain('custody-hospital')
  })
})

describe('unlawfully at large', () => {
  const escaped = async () => {
    await gateway.handIn(caseBundle())
    await accept()
    await hand('released', '2026-04-03T10:00:00+01:00', { code: 'UAL' })
  }

  test('everything waits, and a partner hears that it waits and not why', async () => {
    await escaped()
    expect((await custody()).where).toBe('at-large')
    expect((await custody()).left).toBeUndefined()
    for (const partner of ['recovery', 'probation', 'enhanced'] as const)
      expect(standing(await gateway.handover(partner)), partner).toBe('on-hold suspended-custody')
    const [seen] = await gateway.as('recovery').find('Task')
    expect(seen?.status).toBe('on-hold')
    expect(JSON.stringify([seen, told().at(-1)])).not.toMatch(/at-large|unlawful|suspended|custody-status|UAL/i)
    expect((await work()).sort()).toEqual(expect.arrayContaining(['custody-at-large', 'suspended']))
  })

  test('nobody is asked anything new or chased meanwhile, and the day that was expected passes without a word', async () => {
    await escaped()
    const before = told().length
    await gateway.turn('2026-05-20T08:00:00Z')
    expect(gateway.partner('practice').received).toHaveLength(0)
    expect(told()).toHaveLength(before)
    expect((await work()).filter((reason) => /release-day|contacts|no-outcome|no-answer/.test(reason))).toEqual([])
    expect(await of('suspended')).toHaveLength(1)
  })

  test('recaptured: the same stay and ground, no date until there is a new one, and only then does it go on', async () => {
    await escaped()
    await hand('received', '2026-04-10T10:00:00+01:00', { code: 'RECA', prison: 'DMI' })
    expect(await custody()).toMatchObject({ where: 'in-prison', basis: 'sentenced', establishment: { code: 'DMI' } })
    expect((await custody()).releaseDate).toBeUndefined()
    expect(standing(await gateway.handover('recovery'))).toBe('on-hold suspended-custody')
    expect(await of('suspended')).toMatchObject([{ words: expect.stringContaining('release date') }])
    expect(await work()).not.toContain('custody-at-large')

    const observation = custodyObservation(await gateway.service.find('Observation')) as Observation
    const component = observation.component?.map((one) =>
      one.code.coding?.[0]?.code === 'expected-release-date' ? { code: one.code, valueDateTime: '2026-06-30' } : one,
    )
    const { status } = await gateway.service.call('PUT', `/fhir/Observation/${observation.id}`, { ...observation, component })
    expect(status).toBe(200)
    await gateway.settled()
    expect(standing(await gateway.handover('recovery'))).toBe('accepted accepted')
    expect(told().at(-1)).toContain('2026-06-30')
    expect(await work()).not.toContain('suspended')
  })
})

describe('to an immigration removal centre, or out of the country', () => {
  test.each(['DD', 'DE', 'DL', 'DEIRC', 'ETR', 'ECSLIRC'])(
    'code %s: the date is no longer known, everything waits, and somebody finds out which',
    async (code) => {
      await gateway.handIn(caseBundle())
      await accept()
      await hand('released', '2026-04-03T10:00:00+01:00', { code })
      expect(await custody()).toMatchObject({ where: 'immigration', basis: 'immigration-detention' })
      expect([(await custody()).releaseDate, (await custody()).left]).toEqual([undefined, undefined])
      expect(standing(await gateway.handover('recovery'))).toBe('on-hold suspended-custody')
      expect(told().at(-1)).not.toMatch(/2026-05-15|immigration|deport|removal/i)
      expect(await work()).toEqual(expect.arrayContaining(['custody-immigration', 'suspended']))
    },
  )

  test('bailed from there, as the service records it: it goes on the same hour', async () => {
    await gateway.handIn(caseBundle())
    await accept()
    await hand('released', '2026-04-03T10:00:00+01:00', { code: 'DEIRC' })
    await gateway.turn('2026-04-20T09:00:00Z')
    const observation = custodyObservation(await gateway.service.find('Observation')) as Observation
    const left = { ...observation, effectivePeriod: { ...observation.effectivePeriod, end: '2026-04-20' } }
    expect((await gateway.service.call('PUT', `/fhir/Observation/${observation.id}`, left)).status).toBe(200)
    await gateway.settled()
    expect(standing(await gateway.handover('recovery'))).toBe('accepted accepted')
    expect(told().at(-1)).toContain('2026-04-20')
    expect(gateway.partner('practice').received).toHaveLength(1)
  })
})

describe('moved to another prison', () => {
  const moved = async (prison: string, day: string) => {
    await hand('released', `2026-04-${day}T09:00:00+01:00`, { reason: 'TRANSFERRED', code: 'INT' })
    await hand('received', `2026-04-${day}T13:00:00+01:00`, { reason: 'TRANSFERRED', code: 'INT', prison })
  }

  test('each partner that was told where is told where now, once; no handover moves and the worker stays', async () => {
    await gateway.handIn(caseBundle())
    await accept()
    const partners = ['recovery', 'probation', 'enhanced'] as const
    const counts = () => partners.map((name) => gateway.partner(name).received.length)
    const before = counts()
    const stood = await Promise.all(partners.map(async (name) => standing(await gateway.handover(name))))
    await moved('LEI', '03')
    expect(counts()).toEqual(before.map((count) => count + 1))
    for (const name of partners) expect(gateway.partner(name).received.at(-1)?.text, name).toMatch(/"LEI"/)
    expect(await Promise.all(partners.map(async (name) => standing(await gateway.handover(name))))).toEqual(stood)
  })

  test('one that another service covers: a navigator is asked who meets the person, and not once they are back', async () => {
    await gateway.handIn(caseBundle())
    await moved('LEI', '03')
    const [asked] = await of('held-elsewhere')
    expect(asked?.words).toMatch(/^The person is held at LEI, which RECONNECT Elsewhere covers\..*stays responsible\.$/)
    expect(await gateway.client('other-system').find('Patient')).toEqual([])
    await moved('HHI', '07')
    expect(await of('held-elsewhere')).toEqual([])
    expect(await of('not-asked-in-time')).toEqual([])
  })

  test('one that no service of the directory covers: nobody is asked', async () => {
    await gateway.handIn(caseBundle())
    await moved('DMI', '03')
    expect(await of('held-elsewhere')).toEqual([])
  })
})

test('out for no known reason: what was asked stands until somebody finds out', async () => {
  await gateway.handIn(caseBundle())
  await accept()
  await hand('released', '2026-04-03T10:00:00+01:00', { reason: 'UNKNOWN' })
  expect((await custody()).where).toBe('unexplained')
  expect(standing(await gateway.handover('recovery'))).toBe('accepted accepted')
})

test('what only a person can settle is closed by saying so, and what a release depends on is not', async () => {
  await gateway.handIn(caseBundle())
  await hand('received', '2026-04-03T10:00:00+01:00', { code: '24' })
  const [unsure] = await of('custody-code-unsure')
  const { resolveWork } = await import('../../src/exchange/resolve.ts')
  const here = { database: gateway.database, now: gateway.clock.now }
  expect((await resolveWork(here, unsure?.id as string, { by: 'nav', note: 'it is a recall' })).outcome).toBe('closed')
  await gateway.turn('P2D')
  expect(await of('custody-code-unsure')).toEqual([])
  await hand('released', '2026-04-06T10:00:00+01:00', { code: 'ZZ9' })
  const [unknown] = await of('custody-code-unknown')
  expect((await resolveWork(here, unknown?.id as string, { by: 'nav', note: 'never mind' })).outcome).toBe('refused')
})
