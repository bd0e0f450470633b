/**
 * What HMPPS says about people nobody here knows: kept for some weeks, found by nobody, and counted when that person is referred. What it
 * says that we do not understand is kept as long, and somebody can see it.
 */
import type { Observation, Patient } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { run } from '../../src/cli/run.ts'
import { custodyIn, custodyObservation } from '../../src/domain/read.ts'
import { usualYears } from '../../src/domain/retention.ts'
import { keepHouse } from '../../src/exchange/housekeeping.ts'
import { crn } from '../../src/fhir/systems.ts'
import { statement } from '../../src/store/database.ts'
import { unknownEvents, unknownKinds } from '../../src/store/unseen-events.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway } from '../fixtures/gateway.ts'
import { handInEvent, notification, prisonEvent } from '../fixtures/hmpps.ts'
import { hmppsDouble } from '../fixtures/hmpps-api.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const custody = async (at = gateway) => custodyIn(custodyObservation(await at.service.find('Observation')) as Observation)
const hand = async (event: unknown) => (await handInEvent(gateway, event)).body
const numbersKept = async () => (await gateway.rows()).event_number
const link = {
  eventType: 'probation-case.prison-identifier.added',
  version: 1,
  occurredAt: '2026-04-01T10:00:00+01:00',
  personReference: {
    identifiers: [
      { type: 'CRN', value: 'X123456' },
      { type: 'NOMS', value: 'B1357CD' },
    ],
  },
}
const tidy = (days: number) => keepHouse(gateway.exchange, { years: usualYears, messagesDays: 90, answersDays: 30, eventsDays: days })

describe('said before the person was referred', () => {
  test('released yesterday: it counts from the commit that takes the person in, and the practice is asked at once', async () => {
    expect((await hand(prisonEvent('released', { code: 'CR', at: '2026-04-01T10:00:00+01:00' }))).outcome).toBe('nobody')
    expect(await gateway.service.find('Observation')).toEqual([])
    await gateway.handIn(caseBundle({ releaseDate: '2026-04-01' }))
    expect(await custody()).toMatchObject({ where: 'released', left: '2026-04-01' })
    expect(gateway.partner('practice').received).toHaveLength(1)
    expect([(await gateway.rows()).event, await numbersKept()]).toEqual([1, 0])
    // It comes again: it is the one that was taken.
    expect((await hand(prisonEvent('released', { code: 'CR', at: '2026-04-01T10:00:00+01:00' }))).outcome).toBe('repeat')
  })

  test('several, crossed: in the order in which they happened', async () => {
    await hand(prisonEvent('received', { reason: 'TRANSFERRED', code: 'INT', prison: 'DMI', at: '2026-03-20T14:00:00+01:00' }))
    await hand(prisonEvent('released', { reason: 'TRANSFERRED', code: 'INT', at: '2026-03-20T10:00:00+01:00' }))
    await hand(prisonEvent('received', { code: 'N', at: '2026-02-01T10:00:00Z' }))
    const { entry, ...bundle } = caseBundle()
    // Whatever the service writes is said later than all of this: here it writes nothing.
    const isCustody = (one: NonNullable<typeof entry>[number]) =>
      one.resource?.resourceType === 'Observation' && one.resource.code.coding?.[0]?.code === 'custody'
    await gateway.handIn({ ...bundle, entry: entry?.filter((one) => !isCustody(one)) ?? [] })
    expect(await custody()).toMatchObject({ where: 'in-prison', basis: 'remand', establishment: { code: 'DMI' } })
  })

  test('under a number that only another of them leads to', async () => {
    await hand(link)
    await hand({ ...notification('MAPPA_DETAIL_CHANGED', 'X123456'), lastModifiedDateTime: '2026-04-01T11:00:00' })
    await gateway.handIn(caseBundle())
    const [patient] = (await gateway.service.find('Patient')) as Patient[]
    expect(patient?.identifier?.some(({ system, value }) => system === crn && value === 'X123456')).toBe(true)
    expect((await gateway.work()).map(({ reason }) => reason)).toContain('hmpps-risk')
    expect(await numbersKept()).toBe(0)
  })

  test('when the number is added to a record that was there without it', async () => {
    await gateway.handIn(caseBundle({ noms: 'B2222CD' }))
    await hand(prisonEvent('released', { code: 'CR' }))
    const [patient] = (await gateway.service.find('Patient')) as Patient[]
    const identifier = patient?.identifier?.map((one) => (one.value === 'B2222CD' ? { ...one, value: 'B1357CD' } : one))
    expect((await gateway.service.call('PUT', `/fhir/Patient/${patient?.id}`, { ...patient, identifier })).status).toBe(200)
    expect((await custody()).left).toBe('2026-04-02')
  })

  test('what is thin is looked up then', async () => {
    const hmpps = hmppsDouble([{ noms: 'B1357CD', dates: { conditionalRelease: { date: '2026-05-01' } } }])
    const asking = await openGateway({ hmpps: hmpps.api })
    try {
      await handInEvent(asking, notification('KEY_DATES_AND_ADJUSTMENTS_PRISONER_RELEASE', 'B1357CD'))
      await asking.looked()
      expect(hmpps.double.asked).toEqual([])
      await asking.handIn(caseBundle())
      await asking.looked()
      expect((await custody(asking)).releaseDate).toBe('2026-05-01')
    } finally {
      await asking.close()
    }
  })

  test('what was said to another service counts at that service only', async () => {
    await handInEvent({ service: gateway.client('other-system') }, prisonEvent('released', { code: 'CR' }))
    await gateway.handIn(caseBundle())
    expect((await custody()).left).toBeUndefined()
    expect(await numbersKept()).toBe(1)
  })

  test('at the same moment as the referral, in either order: once', async () => {
    for (let n = 0; n < 5; n++) {
      const noms = `B10${n}0CD`
      const event = prisonEvent('released', { noms, code: 'CR' })
      await Promise.all([gateway.handIn(caseBundle({ noms, tag: `t${n}` })), hand(event)])
    }
    const stays = (await gateway.service.find('Observation')).filter((one) => one.code.coding?.[0]?.code === 'custody')
    expect(stays.map((one) => custodyIn(one).left)).toEqual(Array(5).fill('2026-04-02'))
    expect(await numbersKept()).toBe(0)
  })
})

describe('what is kept of people nobody knows', () => {
  test('is sealed, names nobody, and an unknown kind is found under no number', async () => {
    await hand(prisonEvent('released', { code: 'CR' }))
    await hand({ ...link, eventType: 'something.new' })
    const rows = await gateway.database.query<Record<string, unknown>>(statement('select * from event'))
    for (const row of rows)
      for (const value of Object.values(row))
        expect(Buffer.from(value instanceof Uint8Array ? value : String(value)).toString('latin1')).not.toMatch(/B1357CD|X123456|Durham/)
    expect(await numbersKept()).toBe(1)
  })

  test('goes after the days that were set, with its numbers; what became part of a record stays', async () => {
    await gateway.handIn(caseBundle())
    await hand(prisonEvent('received', { code: 'I' }))
    await hand(prisonEvent('released', { noms: 'A9999ZZ', code: 'CR' }))
    await hand({ ...link, eventType: 'something.new' })
    await gateway.turn('P34D')
    await tidy(35)
    expect([(await gateway.rows()).event, await numbersKept()]).toEqual([3, 1])
    await gateway.turn('P2D')
    await tidy(35)
    expect([(await gateway.rows()).event, await numbersKept()]).toEqual([1, 0])
  })
})

describe('what is not understood', () => {
  const unknown = (n: number) => ({ ...link, eventType: 'something.new', occurredAt: `2026-04-01T1${n}:00:00Z` })

  test('is counted by kind, and shown as it came', async () => {
    await hand(unknown(1))
    await hand(unknown(2))
    await hand({ ...link, eventType: 'something.else' })
    expect((await unknownKinds(gateway.database)).map(({ kind, count }) => [kind, count])).toEqual([
      ['something.else', 1],
      ['something.new', 2],
    ])
    const [latest] = await unknownEvents(gateway.database, 'something.new', 1)
    expect(JSON.parse(latest?.body as string)).toMatchObject({ eventType: 'something.new', personReference: link.personReference })
  })

  test('stands in the metrics', async () => {
    await hand(unknown(1))
    const text = await (await gateway.app.request('/metrics')).text()
    expect(text).toContain('hmpps_events_unknown 1')
  })
})

test('the command that shows them says what it is, and who looked is asked for', async () => {
  const said = { out: '', error: '' }
  const terminal = {
    env: {},
    readText: () => '',
    adapters: new Map(),
    channels: new Map(),
    now: () => new Date(),
    write: (text: string) => {
      said.out += text
    },
    writeError: (text: string) => {
      said.error += text
    },
  }
  expect(await run(['events', 'something.new'], terminal)).toBe(2)
  expect(said.error).toContain('--by')
})
