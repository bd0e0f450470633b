/**
 * The named worker, exactly one from acceptance to the end (reconnect.md A3, closed-loop.md C7.4): a planned handing over, a stand-in for an
 * absence, two at once, and nobody any more. Partners see who it is on the day, and a navigator is asked the moment there is none.
 */
import type { CareTeam, Practitioner, Resource } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { caseBundle, coded } from '../fixtures/case-bundle.ts'
import { type Gateway, issuesOf, of, openGateway } from '../fixtures/gateway.ts'
import { operate } from '../fixtures/referral-operations.ts'

let gateway: Gateway
let at: Record<string, string>
let first: string
beforeEach(async () => {
  gateway = await openGateway()
  at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
  first = (await team()).participant?.[0]?.member?.reference as string
})
afterEach(() => gateway.close())

const team = async () => (await gateway.service.call<CareTeam>('GET', `/fhir/${at.CareTeam}`)).body
const worker = async (family: string) => {
  const practitioner: Practitioner = { resourceType: 'Practitioner', name: [{ family }] }
  return `Practitioner/${(await gateway.service.call('POST', '/fhir/Practitioner', practitioner)).body.id}`
}
const part = (reference: string, start?: string, end?: string) => ({
  role: [coded('team-role', 'named-worker')],
  member: { reference },
  ...(start || end ? { period: { ...(start ? { start } : {}), ...(end ? { end } : {}) } } : {}),
})
const write = async (participant: CareTeam['participant']) => {
  const answer = await gateway.service.call('PUT', `/fhir/${at.CareTeam}`, { ...(await team()), participant } as Resource)
  await gateway.deliverer.idle()
  return answer
}
const asked = async () => (await gateway.work()).map(({ reason }) => reason)
/** Whom the drug team was last told. */
const told = () => of(gateway.partner('recovery').received.at(-1)?.bundle, 'Practitioner').map(({ name }) => name?.[0]?.family)
const before = () => told()[0] as string

test('a planned handing over: the next one is told of on the day they begin, and nobody is asked', async () => {
  const [old, next] = [before(), await worker('Nexter')]
  expect((await write([part(first, undefined, '2026-04-10'), part(next, '2026-04-11')])).status).toBe(200)
  await gateway.turn('2026-04-10T22:59:00Z')
  expect(told()).toEqual([old])
  await gateway.turn('2026-04-10T23:00:00Z')
  expect(told()).toEqual(['Nexter'])
  expect(await asked()).not.toContain('no-worker')
})

test('an absence: a stand-in for two weeks, and the same worker again afterwards', async () => {
  const [old, standIn] = [before(), await worker('Standin')]
  const parts = [part(first, undefined, '2026-04-10'), part(standIn, '2026-04-11', '2026-04-24'), part(first, '2026-04-25')]
  expect((await write(parts)).status).toBe(200)
  await gateway.turn('2026-04-12T09:00:00Z')
  expect(told()).toEqual(['Standin'])
  await gateway.turn('2026-04-25T09:00:00Z')
  expect(told()).toEqual([old])
  expect(await asked()).not.toContain('no-worker')
})

test('a gap between the two: a navigator is asked for as long as there is nobody', async () => {
  const next = await worker('Nexter')
  await write([part(first, undefined, '2026-04-10'), part(next, '2026-04-14')])
  await gateway.turn('2026-04-11T09:00:00Z')
  expect([await asked(), told()]).toEqual([expect.arrayContaining(['no-worker']), []])
  await gateway.turn('2026-04-14T09:00:00Z')
  expect([await asked(), told()]).toEqual([expect.not.arrayContaining(['no-worker']), ['Nexter']])
})

describe('two at once are refused', () => {
  test.each<[string, (next: string) => CareTeam['participant']]>([
    ['both until further notice', (next) => [part(first), part(next)]],
    ['the next before the first has ended', (next) => [part(first, undefined, '2026-04-20'), part(next, '2026-04-11')]],
    ['both on days to come', (next) => [part(first), part(next, '2026-05-01', '2026-05-10')]],
  ])('%s', async (_, parts) => {
    const answer = await write(parts(await worker('Nexter')))
    expect([answer.status, issuesOf(answer)[0]]).toEqual([
      422,
      expect.objectContaining({ code: 'business-rule', expression: 'CareTeam.participant' }),
    ])
  })

  test('in a second team of the person too; the same worker in both is one', async () => {
    const second = (reference: string) =>
      gateway.service.call('POST', '/fhir/CareTeam', {
        resourceType: 'CareTeam',
        status: 'active',
        subject: { reference: at.Patient },
        participant: [part(reference)],
      })
    expect((await second(await worker('Nexter'))).status).toBe(422)
    expect((await second(first)).status).toBe(201)
  })
})

describe('nobody any more', () => {
  const missed = async () => {
    await gateway.settled()
    const [item] = (await gateway.work()).filter(({ reason }) => reason === 'no-worker')
    expect([item?.words, told()]).toEqual([expect.stringMatching(/No RECONNECT worker is named/), []])
    expect(await asked()).not.toContain('case-incomplete')
    // Named again: nobody is asked, and partners see who.
    const next = await worker('Nexter')
    const { status } = await operate(gateway.service, 'allocate', at.ServiceRequest as string, {
      name: 'worker',
      valueReference: { reference: next },
    })
    await gateway.settled()
    expect([status, await asked(), told()]).toEqual([200, expect.not.arrayContaining(['no-worker']), ['Nexter']])
  }

  test('the team is deleted', async () => {
    expect((await gateway.service.call('DELETE', `/fhir/${at.CareTeam}`)).status).toBe(204)
    await missed()
  })
  test('the team names none', async () => {
    expect((await write(undefined)).status).toBe(200)
    await missed()
  })
  test('the worker leaves the service', async () => {
    const { body } = await gateway.service.call('GET', `/fhir/${at.PractitionerRole}`)
    await gateway.service.call('PUT', `/fhir/${at.PractitionerRole}`, { ...body, active: false } as Resource)
    await missed()
  })
})

test('$allocate is at once, whatever was planned: one part goes on, and what was to begin later does not', async () => {
  const [later, now] = [await worker('Later'), await worker('Nower')]
  await write([part(first, undefined, '2026-04-20'), part(later, '2026-04-21')])
  await operate(gateway.service, 'allocate', at.ServiceRequest as string, { name: 'worker', valueReference: { reference: now } })
  const parts = (await team()).participant?.map(({ member, period }) => [member?.reference, period?.end])
  expect(parts).toEqual([
    [first, gateway.clock.now().toISOString()],
    [now, undefined],
  ])
})
