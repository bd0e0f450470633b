/**
 * People whom custody takes back, or lets go without notice, told over the whole span with the clock stopped.
 */
import type { Observation, ServiceRequest } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { caseBundle, category, custodyOf, type partners, usual } from '../fixtures/case-bundle.ts'
import { type Gateway, of, openGateway, says, standing } from '../fixtures/gateway.ts'

let gateway: Gateway
let patient: string
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const custody = async (): Promise<Observation> => (await gateway.service.find('Observation', 'code=custody'))[0] as Observation
const say = async (given: Omit<Parameters<typeof custodyOf>[0], 'patient'>) => {
  const observation = custodyOf({ patient, ...given })
  const { status, text } = given.id
    ? await gateway.service.call('PUT', `/fhir/Observation/${given.id}`, observation)
    : await gateway.service.call('POST', '/fhir/Observation', observation)
  if (status > 201) throw new Error(text)
  await gateway.settled()
}
const referral = async () =>
  (await gateway.service.find('ServiceRequest')).find(({ code }) => code?.coding?.[0]?.code === 'reconnect') as ServiceRequest
const answer = async (name: 'practice' | 'recovery' | 'probation', ...said: [string, string?]) => {
  const [task] = await gateway.as(name).find('Task')
  const { status, text } = await gateway.as(name).call('PATCH', `/fhir/Task/${task?.id}`, says(...said))
  if (status !== 200) throw new Error(text)
}
const received = (name: keyof typeof partners) => gateway.partner(name).received
const lastTo = (name: keyof typeof partners) => of(received(name).at(-1)?.bundle, 'Task')[0]
const abouts = async () => (await gateway.work()).map(({ reason }) => reason).sort()

describe('recalled in week three', () => {
  beforeEach(async () => {
    const at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20', plan: ['practice', 'recovery', 'probation'] }))
    patient = at.Patient as string
    await answer('practice', 'accepted')
    await answer('practice', 'in-progress')
    await answer('practice', 'completed', 'registered')
    await answer('recovery', 'accepted')
    await answer('recovery', 'in-progress', 'appointment-booked')
    await gateway.turn('2026-04-20T09:30:00Z')
    await say({ releaseDate: '2026-04-20', left: '2026-04-20', id: (await custody()).id as string })
    await gateway.turn('2026-05-06T10:00:00Z')
  })

  test('what is open is put on hold, what is done stays done, each partner is told once, and one person is asked for the new date', async () => {
    const before = { recovery: received('recovery').length, probation: received('probation').length, practice: received('practice').length }
    await say({ releaseDate: null, basis: 'recall', since: '2026-05-06' })
    expect((await referral()).status).toBe('on-hold')
    expect(standing(await gateway.handover('practice'))).toBe('completed registered')
    expect(standing(await gateway.handover('recovery'))).toBe('on-hold suspended-custody')
    expect(standing(await gateway.handover('probation'))).toBe('on-hold suspended-custody')
    for (const name of ['recovery', 'probation'] as const) {
      expect(received(name)).toHaveLength(before[name] + 1)
      expect(lastTo(name)?.status).toBe('on-hold')
    }
    expect(await abouts()).toEqual(['suspended'])
    expect(await reconcile(gateway.exchange)).toMatchObject({ repaired: 0, unwatched: 0, unexplained: 0, failed: 0 })

    // Weeks pass: nobody chases a partner that can do nothing, and nobody is told again.
    await gateway.turn('P21D')
    expect(received('recovery')).toHaveLength(before.recovery + 1)
    expect(await abouts()).toEqual(['suspended'])
  })

  test('a new release date: whoever was at work goes on, whoever had not answered is asked again, and both know the date', async () => {
    await say({ releaseDate: null, basis: 'recall', since: '2026-05-06' })
    const told = { recovery: received('recovery').length, probation: received('probation').length }
    await gateway.turn('P7D')
    const back = (await gateway.service.find('Observation', 'code=custody')).find(
      ({ effectivePeriod }) => effectivePeriod?.start === '2026-05-06',
    )
    await say({ releaseDate: '2026-06-03', basis: 'recall', since: '2026-05-06', id: back?.id as string })
    expect((await referral()).status).toBe('active')
    expect(standing(await gateway.handover('recovery'))).toBe('in-progress appointment-cancelled')
    expect(standing(await gateway.handover('probation'))).toBe('requested delivered')
    for (const name of ['recovery', 'probation'] as const) {
      expect(received(name)).toHaveLength(told[name] + 1)
      expect(received(name).at(-1)?.text).toContain('2026-06-03')
    }
    expect(await abouts()).toEqual(['appointment-cancelled'])
    // The whole way to an outcome after the second release.
    await gateway.turn('2026-06-03T09:00:00Z')
    await say({ releaseDate: '2026-06-03', left: '2026-06-03', basis: 'recall', since: '2026-05-06', id: back?.id as string })
    await answer('recovery', 'completed', 'engaged')
    expect(standing(await gateway.handover('recovery'))).toBe('completed engaged')
  })
})

test('a partner that may not know where the person is learns that it is on hold, and not why', async () => {
  const agreed = { ...usual, recovery: { upTo: 'R' as const, not: [category('release')] } }
  const at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20', plan: ['recovery'], agreed }))
  patient = at.Patient as string
  await answer('recovery', 'accepted')
  await gateway.turn('2026-04-20T09:30:00Z')
  await say({ releaseDate: '2026-04-20', left: '2026-04-20', id: (await custody()).id as string })
  const before = received('recovery').length
  await gateway.turn('2026-05-06T10:00:00Z')
  await say({ releaseDate: null, basis: 'recall', since: '2026-05-06' })
  expect(received('recovery')).toHaveLength(before + 1)
  expect(lastTo('recovery')?.status).toBe('on-hold')
  expect(received('recovery').at(-1)?.text).not.toMatch(/custody|recall|prison|HHI/i)
  expect(JSON.stringify((await gateway.as('recovery').find('Task'))[0])).not.toMatch(/custody/)
})

test('a practice that had not registered the person is asked again when the new window opens, and not before', async () => {
  const at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20', plan: ['practice'] }))
  patient = at.Patient as string
  await gateway.turn('2026-04-20T09:30:00Z')
  await say({ releaseDate: '2026-04-20', left: '2026-04-20', id: (await custody()).id as string })
  await gateway.turn('2026-05-06T10:00:00Z')
  await say({ releaseDate: null, basis: 'recall', since: '2026-05-06' })
  const back = (await gateway.service.find('Observation', 'code=custody')).find(
    ({ effectivePeriod }) => effectivePeriod?.start === '2026-05-06',
  )
  await say({ releaseDate: '2026-07-15', basis: 'recall', since: '2026-05-06', id: back?.id as string })
  expect(standing(await gateway.handover('practice'))).toBe('on-hold suspended-custody')
  await gateway.turn('2026-06-16T22:59:59Z')
  expect(standing(await gateway.handover('practice'))).toBe('on-hold suspended-custody')
  await gateway.turn('2026-06-16T23:00:00Z') // 17 June in London, 28 days before
  expect(standing(await gateway.handover('practice'))).toBe('requested delivered')
})

test('two days out on temporary licence, and a move to another prison, suspend nothing', async () => {
  const at = await gateway.handIn(caseBundle({ releaseDate: '2026-05-15', plan: ['recovery'] }))
  patient = at.Patient as string
  for (const day of ['2026-04-10', '2026-04-17']) {
    await gateway.turn(`${day}T09:00:00Z`)
    await say({ releaseDate: '2026-05-15', basis: 'rotl', since: day, left: day })
    await say({ releaseDate: null, basis: 'sentenced', since: day })
    expect((await referral()).status).toBe('active')
    expect(standing(await gateway.handover('recovery'))).toMatch(/^requested/)
  }
})

describe('remand released from court', () => {
  test('without notice: the practice is asked at once, everybody is told the same hour, and the clocks after release run', async () => {
    const at = await gateway.handIn(caseBundle({ releaseDate: null, plan: ['practice', 'recovery'] }))
    patient = at.Patient as string
    expect(received('practice')).toHaveLength(0)
    expect(await abouts()).toContain('release-date-unknown')
    await gateway.turn('2026-04-09T14:40:00Z')
    await say({ releaseDate: null, basis: 'remand', left: '2026-04-09', id: (await custody()).id as string })
    expect(received('practice').map(({ at }) => at)).toEqual(['2026-04-09T14:40:00.000Z'])
    expect(received('recovery').at(-1)).toMatchObject({ at: '2026-04-09T14:40:00.000Z' })
    expect(received('recovery').at(-1)?.text).toContain('2026-04-09')
    expect(await abouts()).not.toContain('release-date-unknown')
    expect(standing(await gateway.handover('practice'))).toBe('requested delivered')
    await answer('recovery', 'accepted')
    // Three weeks after release somebody asks whether treatment goes on, and a week later how it ended.
    await gateway.turn('2026-04-30T09:00:00Z')
    expect(await abouts()).toContain('check-21')
    await gateway.turn('2026-05-07T09:00:00Z')
    expect(await abouts()).toContain('no-outcome')
  })
})

describe('died', () => {
  test('everything stops in the same commit: what never arrived is cancelled, notices say nothing, and one thing is left to do', async () => {
    const at = await gateway.handIn(caseBundle({ releaseDate: '2026-05-15' }))
    patient = at.Patient as string
    await answer('recovery', 'accepted')
    gateway.partner('probation').answers = 400 // parked: a person was asked to phone
    await say({ releaseDate: '2026-05-08', id: (await custody()).id as string })
    expect(await abouts()).toContain('parked')
    gateway.partner('probation').answers = 200
    const before = received('recovery').length

    const { body } = await gateway.service.call('GET', `/fhir/${patient}`)
    expect((await gateway.service.call('PUT', `/fhir/${patient}`, { ...body, deceasedDateTime: '2026-04-03' })).status).toBe(200)
    await gateway.settled()

    expect(await referral()).toMatchObject({ status: 'completed' })
    expect(standing(await gateway.handover('practice'))).toBe('cancelled recalled-message')
    expect(standing(await gateway.handover('enhanced'))).toBe('cancelled recalled-message')
    expect(standing(await gateway.handover('recovery'))).toBe('accepted cancellation-requested')
    expect(received('practice')).toHaveLength(0)
    expect(received('recovery')).toHaveLength(before + 1)
    const notice = received('recovery').at(-1)
    expect(of(notice?.bundle, 'ServiceRequest')[0]?.status).toBe('revoked')
    expect(notice?.text).not.toMatch(/deceased|died/i)
    expect(of(notice?.bundle, 'Patient')[0]?.name).toBeUndefined()
    expect(await gateway.as('recovery').find('Condition')).toEqual([])
    expect(await abouts()).toEqual(['died'])
    expect(await gateway.owed('due')).toEqual([])

    expect(await reconcile(gateway.exchange)).toMatchObject({ repaired: 0, unwatched: 0, unexplained: 0, failed: 0 })
    // A year later: nothing woke up, nobody was asked to phone.
    const rows = await gateway.rows()
    await gateway.turn('P365D')
    expect(await abouts()).toEqual(['died'])
    expect(await gateway.rows()).toMatchObject({ owed: rows.owed as number, timer: 0 })
  })
})
