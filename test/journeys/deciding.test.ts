/**
 * What people decide about a referral: triage, the named worker, how it ends. Who may, what they have to say, and what stays on record.
 */
import type { Bundle, CarePlan, CareTeam, ParametersParameter, Provenance, ServiceRequest, Task } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { phaseOn } from '../../src/domain/decisions.ts'
import { caseBundle, coded, custodyOf } from '../fixtures/case-bundle.ts'
import { type Client, type Gateway, issuesOf, of, openGateway, says } from '../fixtures/gateway.ts'
import { code, someone, text } from '../fixtures/override.ts'
import { referral } from '../fixtures/referral.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const by = someone('by', 'Nav Igator', 'care navigator')
const post = (client: Client, name: string, request: string, ...parameter: ParametersParameter[]) =>
  client.call<ServiceRequest>('POST', `/fhir/${request}/$${name}`, { resourceType: 'Parameters', parameter: [...parameter, by] })
const operate = (name: string, request: string, ...parameter: ParametersParameter[]) => post(gateway.service, name, request, ...parameter)
const paths = (reply: Parameters<typeof issuesOf>[0]) => issuesOf(reply).map(({ expression }) => expression?.match(/name='([a-z-]+)'/)?.[1])
const own = async () => `ServiceRequest/${(await gateway.service.find('ServiceRequest')).find(({ identifier }) => !identifier)?.id}`

describe('triage', () => {
  const refer = async () => {
    const message = referral({ known: true, more: [custodyOf({ patient: 'x', releaseDate: '2026-05-13' })] })
    const { body } = await gateway.client('prison-health').call<Bundle>('POST', '/fhir/$process-message', message)
    const [task] = of(body, 'Task')
    return { request: task?.focus?.reference as string, task: async () => (await gateway.client('prison-health').find('Task'))[0] as Task }
  }
  const outcomeOf = (task: Task) => task.businessStatus?.coding?.[0]?.code

  test('nobody is turned away without a reason and a place to turn to; the referrer reads both', async () => {
    const { request, task } = await refer()
    const bare = await operate('triage', request, code('decision', 'decline'))
    expect([bare.status, paths(bare)]).toEqual([422, ['reason', 'signpost']])
    const { status, body } = await operate(
      'triage',
      request,
      code('decision', 'decline'),
      text('reason', 'Already looked after by the learning disability team.'),
      text('signpost', 'Call the team on its own number.'),
    )
    expect([status, body.status, phaseOn(body)]).toEqual([200, 'revoked', 'declined'])
    const told = await task()
    expect([outcomeOf(told), told.statusReason?.text, told.output?.[0]?.valueString]).toEqual([
      'declined',
      expect.stringContaining('learning disability team'),
      'Call the team on its own number.',
    ])
  })

  test('asking puts it on hold with the question; taking it afterwards goes on', async () => {
    const { request, task } = await refer()
    const asked = await operate(
      'triage',
      request,
      code('decision', 'ask'),
      text('reason', 'Not clear who asks'),
      text('question', 'Does the person know?'),
    )
    expect([asked.body.status, phaseOn(asked.body)]).toEqual(['on-hold', 'info-requested'])
    expect([outcomeOf(await task()), (await task()).input?.[0]?.valueString]).toEqual(['needs-information', 'Does the person know?'])
    const words = async () => (await gateway.work()).find(({ reason }) => reason === 'needs-information')?.words
    // Five working days from Maundy Thursday, over Easter: until the end of 13 April.
    await gateway.turn('2026-04-13T22:59:00Z')
    expect(await words()).not.toMatch(/was asked, and reminded/)
    await gateway.turn('2026-04-13T23:00:00Z')
    expect(await words()).toMatch(/was asked, and reminded/)
    const taken = await operate('triage', request, code('decision', 'accept'))
    expect([taken.body.status, phaseOn(taken.body), outcomeOf(await task())]).toEqual(['active', 'consent-pending', 'accepted'])
    const no = await operate('close', request, code('outcome', 'declined-support'), text('reason', 'Said no, twice'))
    expect([no.status, no.body.status, phaseOn(no.body)]).toEqual([200, 'revoked', 'consent-refused'])
  })

  test('is the service’s: a partner, a referrer and another service decide nothing', async () => {
    const { request } = await refer()
    for (const client of [gateway.as('practice'), gateway.client('prison-health'), gateway.client('other-system')])
      expect([403, 404]).toContain((await post(client, 'triage', request, code('decision', 'accept'))).status)
    expect((await operate('triage', request)).status).toBe(422)
  })
})

describe('the named worker', () => {
  test('is one at a time: the next one ends the part of the one before, which stays on record', async () => {
    const at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const request = await own()
    const { body: someoneElse } = await gateway.service.call('POST', '/fhir/Practitioner', {
      resourceType: 'Practitioner',
      name: [{ family: 'Next' }],
    })
    const worker = { name: 'worker', valueReference: { reference: `Practitioner/${someoneElse.id}` } }
    expect((await operate('allocate', request, worker)).status).toBe(200)
    const [team] = (await gateway.service.find('CareTeam')) as [CareTeam]
    const named = team.participant?.map(({ member, period }) => [member?.reference, Boolean(period?.end)])
    expect(named).toEqual([
      [at.PractitionerRole, true],
      [worker.valueReference.reference, false],
    ])
    const two = { ...team, participant: team.participant?.map(({ period: _p, ...rest }) => rest) }
    const refused = await gateway.service.call('PUT', `/fhir/CareTeam/${team.id}`, two)
    expect([refused.status, issuesOf(refused)[0]?.expression]).toEqual([422, 'CareTeam.participant'])
    // In a second care team neither: the first, who was named before.
    const { id: _id, meta: _meta, ...rest } = team
    const another = { ...rest, participant: two.participant?.slice(0, 1) }
    const beside = await gateway.service.call('POST', '/fhir/CareTeam', another)
    expect([beside.status, issuesOf(beside)[0]?.expression]).toEqual([422, 'CareTeam.participant'])
    const stranger = await operate('allocate', request, { name: 'worker', valueReference: { reference: 'Practitioner/nobody' } })
    expect([stranger.status, paths(stranger)]).toEqual([422, ['worker']])
  })
})

test('a worker whose part ends on a day is missed the day after, though nobody said anything', async () => {
  await gateway.handIn(caseBundle({ plan: ['recovery'] }))
  const [team] = (await gateway.service.find('CareTeam')) as [CareTeam]
  const ends = { ...team, participant: team.participant?.map((one) => ({ ...one, period: { end: '2026-04-10' } })) }
  expect((await gateway.service.call('PUT', `/fhir/CareTeam/${team.id}`, ends)).status).toBe(200)
  const asked = async () => (await gateway.work()).filter(({ reason }) => reason === 'no-worker').map(({ words }) => words)
  await gateway.turn('2026-04-10T22:59:00Z')
  expect(await asked()).toEqual([])
  await gateway.turn('2026-04-10T23:00:00Z')
  expect(await asked()).toEqual([expect.stringContaining('No RECONNECT worker is named')])
  expect(phaseOn((await gateway.service.call<ServiceRequest>('GET', `/fhir/${await own()}`)).body)).toBe('pre-release')
})

test('an open referral with nothing to do and no day to wait for is asked about', async () => {
  const at = await gateway.handIn(caseBundle({ releaseDate: null, agreed: {}, plan: [] }))
  const asked = async () => (await gateway.work()).map(({ reason }) => reason)
  expect(await asked()).toContain('nothing-planned')
  const [custody] = await gateway.service.find('Observation', 'code=custody')
  await gateway.service.call('PUT', `/fhir/Observation/${custody?.id}`, {
    ...custodyOf({ patient: at.Patient as string, releaseDate: '2026-05-15' }),
    id: custody?.id as string,
  })
  expect(await asked()).not.toContain('nothing-planned')
})

test('somebody with Enhanced RECONNECT who is referred again begins anew: what was accepted then ends nothing now', async () => {
  const at = await gateway.handIn(caseBundle({ plan: ['enhanced'] }))
  const first = await own()
  const { id } = await gateway.handover('enhanced')
  await gateway.as('enhanced').call('PATCH', `/fhir/Task/${id}`, says('accepted'))
  const { body: over } = await gateway.service.call<ServiceRequest>('GET', `/fhir/${first}`)
  expect([over.status, phaseOn(over)]).toEqual(['completed', 'stepped-up'])
  await gateway.turn('P30D')
  const { id: _i, meta: _m, extension: _e, identifier: _n, ...again } = over
  const fresh = { ...again, status: 'active' as const, authoredOn: '2026-05-02T08:00:00Z', subject: { reference: at.Patient as string } }
  const { status, body } = await gateway.service.call<ServiceRequest>('POST', '/fhir/ServiceRequest', fresh)
  expect([status, body.status, phaseOn(body)]).toEqual([201, 'active', 'pre-release'])
})

describe('how it ends', () => {
  test('whoever no longer wants support waits for nobody: partners are told to stop, the plan is revoked, and who decided what is on record', async () => {
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const request = await own()
    const bare = await operate('close', request, code('outcome', 'bored'))
    expect([bare.status, paths(bare)]).toEqual([422, ['outcome', 'reason']])
    const closed = await operate('close', request, code('outcome', 'declined-support'), text('reason', 'Wants to manage alone'))
    expect([closed.status, closed.body.status, phaseOn(closed.body)]).toEqual([200, 'revoked', 'withdrawn'])
    expect(((await gateway.service.find('CarePlan')) as CarePlan[])[0]?.status).toBe('revoked')
    expect((await gateway.handover('recovery')).status).toBe('cancelled')
    const words = ((await gateway.service.find('Provenance', `target=${request}`)) as Provenance[]).map(({ activity }) => activity?.text)
    expect(words).toEqual(expect.arrayContaining(['support ends: declined-support', 'before release, then no longer wants support']))
    expect(JSON.stringify(await gateway.service.find('AuditEvent', `entity=${request}`))).not.toContain('Wants to manage alone')
  })

  test('nobody is handed over for good before the other service has accepted; a partner that refuses leaves the care team', async () => {
    await gateway.handIn(caseBundle({ plan: ['recovery', 'enhanced'] }))
    const request = await own()
    const early = await operate('close', request, code('outcome', 'stepped-up'), text('reason', 'Needs more'))
    expect([early.status, paths(early)]).toEqual([422, ['outcome']])
    const { id } = await gateway.handover('recovery')
    const say = (...said: Parameters<typeof says>) => gateway.as('recovery').call('PATCH', `/fhir/Task/${id}`, says(...said))
    const parts = async () =>
      ((await gateway.service.find('CareTeam')) as CareTeam[])[0]?.participant?.filter(
        ({ role }) => JSON.stringify(role) === JSON.stringify([coded('team-role', 'partner')]),
      )
    await say('accepted')
    expect((await parts())?.map(({ period }) => Boolean(period?.end))).toEqual([false])
    await say('rejected', 'rejected', 'Full')
    expect((await parts())?.map(({ period }) => Boolean(period?.end))).toEqual([true])
  })
})
