/**
 * Taken back into custody and let go again: what was under way goes on exactly as it stood, and what a partner says meanwhile counts.
 */
import type { Appointment, Observation, ServiceRequest } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { caseBundle, category, custodyOf, label, type PartnerName } from '../fixtures/case-bundle.ts'
import { type Gateway, of, openGateway, says, standing } from '../fixtures/gateway.ts'

let gateway: Gateway
let patient: string
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const stays = async () => gateway.service.find('Observation', 'code=custody')
/** Says how a stay in custody is: the one that began then, or another. */
const stay = async (given: Omit<Parameters<typeof custodyOf>[0], 'patient'>) => {
  const { since = '2025-11-03' } = given
  const known = (await stays()).find(({ effectivePeriod }: Observation) => effectivePeriod?.start === since)
  const [method, path] = known ? ['PUT', `/${known.id}`] : ['POST', '']
  const said = custodyOf({ patient, ...given, ...(known ? { id: known.id as string } : {}) })
  const { status, text } = await gateway.service.call(method as string, `/fhir/Observation${path}`, said)
  if (status > 201) throw new Error(text)
  await gateway.settled()
}
const referral = async () =>
  (await gateway.service.find('ServiceRequest')).find(({ code }) => code?.coding?.[0]?.code === 'reconnect') as ServiceRequest
const phase = async () => (await referral()).extension?.find(({ valueCoding }) => valueCoding)?.valueCoding?.code
const says_ = async (name: PartnerName, ...said: Parameters<typeof says>) => {
  const [task] = await gateway.as(name).find('Task')
  const { status, text } = await gateway.as(name).call('PATCH', `/fhir/Task/${task?.id}`, says(...said))
  if (status !== 200) throw new Error(text)
  await gateway.settled()
}
const lastTo = (name: PartnerName) => of(gateway.partner(name).received.at(-1)?.bundle, 'Task')[0]
const reasons = async () => (await gateway.work()).map(({ reason }) => reason).sort()
const isAtRest = async () =>
  expect(await reconcile(gateway.exchange)).toMatchObject({ repaired: 0, unwatched: 0, unexplained: 0, failed: 0 })

/** Released in April, with these partners asked. */
async function released(plan: readonly PartnerName[]) {
  const at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20', plan }))
  patient = at.Patient as string
  await gateway.turn('2026-04-20T09:30:00Z')
  await stay({ releaseDate: '2026-04-20', left: '2026-04-20' })
}
const recalled = async (since: string) => {
  await gateway.turn(`${since}T10:00:00Z`)
  await stay({ releaseDate: null, basis: 'recall', since })
}

describe('suspended twice, and each time it goes on as it stood', () => {
  const ways: Record<string, Parameters<typeof says>[]> = {
    'requested delivered': [],
    'received acknowledged': [['received']],
    'accepted accepted': [['accepted']],
    'in-progress in-progress': [['accepted'], ['in-progress']],
    'in-progress attended': [['accepted'], ['in-progress'], ['in-progress', 'attended']],
    'in-progress did-not-attend': [['accepted'], ['in-progress'], ['in-progress', 'did-not-attend']],
    'on-hold awaiting-information': [['accepted'], ['in-progress'], ['on-hold', 'awaiting-information', 'Which pharmacy?']],
  }
  test.each(Object.entries(ways))('%s', async (stood, way) => {
    await released(['recovery'])
    for (const said of way) await says_('recovery', ...said)
    for (const [back, out] of [
      ['2026-05-06', '2026-06-03'],
      ['2026-06-17', '2026-07-15'],
    ] as const) {
      // Whoever has not answered is being chased by then; that begins anew.
      expect((await gateway.handover('recovery')).status).toBe(stood.split(' ')[0])
      await recalled(back)
      expect(await phase()).toBe('suspended')
      expect(standing(await gateway.handover('recovery'))).toBe('on-hold suspended-custody')
      expect(lastTo('recovery')).toMatchObject({ status: 'on-hold' })
      expect(gateway.partner('recovery').received.at(-1)?.text).not.toMatch(/stood-at|Which pharmacy/)
      expect(await reasons()).toEqual(['suspended'])
      await isAtRest()
      await gateway.turn('P7D')
      await stay({ releaseDate: out, basis: 'recall', since: back })
      expect(await phase()).toBe('pre-release')
      const task = await gateway.handover('recovery')
      expect(standing(task)).toBe(stood)
      expect(task.statusReason?.text).toBe(stood === 'on-hold awaiting-information' ? 'Which pharmacy?' : undefined)
      expect(lastTo('recovery')).toMatchObject({ status: stood.split(' ')[0] })
      await gateway.turn(`${out}T09:00:00Z`)
      await stay({ releaseDate: out, left: out, basis: 'recall', since: back })
      expect(await phase()).toBe('post-release')
    }
    await isAtRest()
  })
})

describe('what a partner says while it is on hold', () => {
  test('accepted, and then booked: remembered, and what it goes on from', async () => {
    await released(['recovery'])
    await recalled('2026-05-06')
    await says_('recovery', 'accepted')
    expect(standing(await gateway.handover('recovery'))).toBe('on-hold suspended-custody')
    await says_('recovery', 'in-progress', 'appointment-booked')
    await isAtRest()
    await stay({ releaseDate: '2026-06-03', basis: 'recall', since: '2026-05-06' })
    expect(standing(await gateway.handover('recovery'))).toBe('in-progress appointment-booked')
  })

  test('a no is a no at once, and somebody looks for another when it goes on', async () => {
    await released(['recovery'])
    await recalled('2026-05-06')
    await says_('recovery', 'rejected', undefined, 'Closed to people in custody')
    expect(standing(await gateway.handover('recovery'))).toBe('rejected rejected')
    await isAtRest()
    await stay({ releaseDate: '2026-06-03', basis: 'recall', since: '2026-05-06' })
    expect(standing(await gateway.handover('recovery'))).toBe('rejected rejected')
    expect(await reasons()).toContain('no-alternative')
  })

  test('an outcome is an outcome', async () => {
    await released(['practice'])
    await says_('practice', 'accepted')
    await says_('practice', 'in-progress')
    await recalled('2026-05-06')
    await says_('practice', 'completed', 'registered')
    expect(standing(await gateway.handover('practice'))).toBe('completed registered')
    await isAtRest()
  })

  test('what could not be said before can not be said now', async () => {
    await released(['recovery'])
    await recalled('2026-05-06')
    await expect(says_('recovery', 'completed', 'engaged')).rejects.toThrow(
      /can not be moved there from .* Open from here: received as acknowledged, accepted as accepted/,
    )
  })
})

describe('an appointment that was booked', () => {
  const booked = (day: string): Appointment => ({
    resourceType: 'Appointment',
    meta: label('N', category('appointments')),
    status: 'booked',
    start: `${day}T10:00:00Z`,
    end: `${day}T11:00:00Z`,
    participant: [patient, 'Organization/wear-recovery'].map((reference) => ({ actor: { reference }, status: 'accepted' })),
  })
  test.each([
    ['no day is on record: another one is asked for', undefined, 'appointment-cancelled'],
    ['its day passed in custody: another one is asked for', '2026-05-08', 'appointment-cancelled'],
    ['its day is still to come: it stands', '2026-06-10', 'appointment-booked'],
  ])('%s', async (_, day, then) => {
    await released(['recovery'])
    if (day) expect((await gateway.service.call('POST', '/fhir/Appointment', booked(day))).status).toBe(201)
    await says_('recovery', 'accepted')
    await says_('recovery', 'in-progress', 'appointment-booked')
    await recalled('2026-05-06')
    await gateway.turn('P7D')
    await stay({ releaseDate: '2026-06-03', basis: 'recall', since: '2026-05-06' })
    expect(standing(await gateway.handover('recovery'))).toBe(`in-progress ${then}`)
    expect(await reasons()).toEqual(then === 'appointment-cancelled' ? ['appointment-cancelled'] : [])
  })
})

describe('a fixed term recall of 28 days, with the new date known at once', () => {
  test('nothing is put on hold, each partner knows the date the same hour, and the clocks run from the second release', async () => {
    await released(['recovery'])
    await says_('recovery', 'accepted')
    await gateway.turn('2026-05-06T10:00:00Z')
    await stay({ releaseDate: '2026-06-03', basis: 'recall', since: '2026-05-06' })
    expect(await phase()).toBe('pre-release')
    expect(standing(await gateway.handover('recovery'))).toBe('accepted accepted')
    expect(gateway.partner('recovery').received.at(-1)).toMatchObject({ at: '2026-05-06T10:00:00.000Z' })
    expect(gateway.partner('recovery').received.at(-1)?.text).toContain('2026-06-03')
    // The three weeks and the review of the first release are not asked about.
    await gateway.turn('2026-05-12T09:00:00Z')
    expect(await reasons()).not.toContain('check-21')

    await gateway.turn('2026-06-03T09:00:00Z')
    await stay({ releaseDate: '2026-06-03', left: '2026-06-03', basis: 'recall', since: '2026-05-06' })
    expect(await phase()).toBe('post-release')
    await gateway.turn('2026-06-23T09:00:00Z')
    expect(await reasons()).not.toContain('check-21')
    await gateway.turn('2026-06-24T09:00:00Z')
    expect(await reasons()).toContain('check-21')
    // Six months from the second release, not from the first.
    await gateway.turn('2026-10-21T09:00:00Z')
    expect(await reasons()).not.toContain('plan-overdue')
    await gateway.turn('2026-11-05T09:00:00Z')
    expect(await reasons()).toContain('plan-end')
    await gateway.turn('2026-12-04T09:00:00Z')
    expect(await reasons()).toContain('plan-overdue')
  })
})

test('recalled before anybody met the person: suspended, and two contacts are asked for again before the next release', async () => {
  await released(['recovery'])
  await gateway.turn('2026-04-21T09:00:00Z')
  expect(await reasons()).toContain('review')
  await recalled('2026-04-22')
  expect(await reasons()).toEqual(['suspended'])
  await stay({ releaseDate: '2026-06-10', basis: 'recall', since: '2026-04-22' })
  expect(await reasons()).toEqual([])
  await gateway.turn('2026-05-27T09:00:00Z')
  expect(await reasons()).toContain('contacts')
  await isAtRest()
})

test('more time was given after the first release: after the second one the six months are new', async () => {
  await released(['recovery'])
  await gateway.turn('2026-10-01T09:00:00Z')
  const { status, text } = await gateway.service.call('POST', `/fhir/ServiceRequest/${(await referral()).id}/$extend`, {
    resourceType: 'Parameters',
    parameter: [
      { name: 'until', valueDate: '2026-11-30' },
      { name: 'exceptional', valueString: 'The hostel closed' },
      { name: 'detriment', valueString: 'Treatment would stop with it' },
      {
        name: 'by',
        part: [
          { name: 'name', valueString: 'Pat Quayle' },
          { name: 'role', valueString: 'navigator' },
        ],
      },
      {
        name: 'approver',
        part: [
          { name: 'name', valueString: 'Sam Fell' },
          { name: 'role', valueString: 'supervisor' },
        ],
      },
    ],
  })
  expect([status, text]).toEqual([200, expect.any(String)])
  expect(await phase()).toBe('extended')
  await recalled('2026-10-05')
  await stay({ releaseDate: '2026-11-02', basis: 'recall', since: '2026-10-05' })
  await gateway.turn('2026-11-02T09:00:00Z')
  await stay({ releaseDate: '2026-11-02', left: '2026-11-02', basis: 'recall', since: '2026-10-05' })
  expect(await phase()).toBe('post-release')
})
