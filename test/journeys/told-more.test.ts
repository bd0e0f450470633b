/**
 * A referrer tells more of a referral that no longer waits for it: kept apart for a navigator, told to nobody, and answered with nothing but
 * how the referral stands. And one that is sent as new again is the same one.
 */
import type { Bundle, Communication, Observation, Patient, Resource, ServiceRequest, Task } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { phaseOn } from '../../src/domain/decisions.ts'
import { validate } from '../../src/fhir/validate.ts'
import { caseBundle, coded, consentOf, custodyOf, partners, places, planOf, usual } from '../fixtures/case-bundle.ts'
import { type Gateway, issuesOf, of, openGateway } from '../fixtures/gateway.ts'
import { code, text } from '../fixtures/override.ts'
import { referral, toldAgain } from '../fixtures/referral.ts'
import { close, operate } from '../fixtures/referral-operations.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const send = async (bundle: Bundle, client = 'prison-health') => {
  const answer = await gateway.client(client).call<Bundle>('POST', '/fhir/$process-message', bundle)
  await gateway.deliverer.idle()
  return answer
}
const custody = (releaseDate: string | null): Observation => custodyOf({ patient: 'x', releaseDate })
const message = (releaseDate: string | null = '2026-05-15', more: Resource[] = []) =>
  referral({ known: true, more: [custody(releaseDate), ...more] })
const refer = async (bundle = message()) => {
  const { body } = await send(bundle)
  return { request: of(body, 'ServiceRequest')[0]?.id as string, patient: `Patient/${of(body, 'Patient')[0]?.id}` }
}
const outcomeOf = (task: Task | undefined) => task?.businessStatus?.coding?.[0]?.code
const reasonOf = (task: Task | undefined) => task?.statusReason?.coding?.[0]?.code
const apart = async () => (await gateway.service.find('Communication')) as Communication[]
const inside = (one: Communication | undefined) => one?.contained?.map(({ resourceType }) => resourceType)
const work = async (reason: string) => (await gateway.work()).find((one) => one.reason === reason)?.words
const wheelchair: Resource = { resourceType: 'Condition', subject: {}, code: coded('need', 'communication-difficulty') }

describe.each([
  ['held', '2026-09-01'],
  ['accepted', '2026-05-15'],
])('%s', (outcome, releaseDate) => {
  test('what is new is kept apart as it was told; the record and the answer stay, and a navigator is asked to look', async () => {
    const { request, patient } = await refer(message(releaseDate))
    const before = await gateway.service.find('Observation')
    const more = toldAgain(message('2026-05-01', [wheelchair]), request)
    of(more, 'Patient')[0]!.birthDate = '1991-09-19'
    const answer = await send(more)
    expect([answer.status, outcomeOf(of(answer.body, 'Task')[0])]).toEqual([200, outcome])
    expect(await gateway.service.find('Observation')).toEqual(before)
    expect((await gateway.service.call<Patient>('GET', `/fhir/${patient}`)).body.birthDate).toBe('1991-09-09')
    const [kept] = await apart()
    expect(validate(kept)).not.toHaveProperty('issues')
    expect(kept).toMatchObject({
      status: 'in-progress',
      about: [{ reference: `ServiceRequest/${request}` }],
      sender: { display: 'Referrer prison-health' },
      contained: [{ birthDate: '1991-09-19' }, { resourceType: 'Observation' }, { resourceType: 'Condition' }],
    })
    expect(await work('told-more')).toContain(
      `Referrer prison-health told more about a referral that is with you already: Communication/${kept?.id}`,
    )
    // Looked at: nobody is asked any more.
    const done = [{ op: 'replace', path: '/status', value: 'completed' }]
    expect((await gateway.service.call('PATCH', `/fhir/Communication/${kept?.id}`, done)).status).toBe(200)
    expect(await work('told-more')).toBeUndefined()
  })

  test('the same again says nothing new, also what was told more before', async () => {
    const { request } = await refer(message(releaseDate))
    expect((await send(toldAgain(message(releaseDate), request))).status).toBe(200)
    expect(await apart()).toEqual([])
    for (const _ of [1, 2]) await send(toldAgain(message(releaseDate, [wheelchair]), request))
    expect((await apart()).map(inside)).toEqual([['Condition']])
  })

  test('the answer holds nothing of the record: neither what the service wrote nor what it decided', async () => {
    const { request, patient } = await refer(message(releaseDate))
    const { body: person } = await gateway.service.call<Patient>('GET', `/fhir/${patient}`)
    await gateway.service.call('PUT', `/fhir/${patient}`, { ...person, telecom: [{ system: 'phone', value: '07700 900451' }] })
    await operate(gateway.service, 'triage', `ServiceRequest/${request}`, code('decision', 'accept'))
    const { body, text: answer } = await send(toldAgain(message('2026-05-01'), request))
    const own = await gateway.client('prison-health').call<ServiceRequest>('GET', `/fhir/ServiceRequest/${request}`)
    for (const seen of [answer, own.text]) expect(seen).not.toMatch(/900451|Nav Igator|referral-phase|referral-decision/)
    expect((body.entry ?? []).map(({ resource }) => resource?.resourceType)).toEqual(['MessageHeader', 'Task', 'ServiceRequest'])
  })

  test('of another referrer’s referral there is nothing to tell', async () => {
    const { request } = await refer(message(releaseDate))
    expect((await send(toldAgain(message(releaseDate), request), 'court-team')).status).toBe(404)
    expect(await apart()).toEqual([])
  })
})

test('told what was asked for, the referrer is given back its own word and nothing the record knows besides', async () => {
  const { request, patient } = await refer(message(null))
  const { body: person } = await gateway.service.call<Patient>('GET', `/fhir/${patient}`)
  await gateway.service.call('PUT', `/fhir/${patient}`, { ...person, telecom: [{ system: 'phone', value: '07700 900451' }] })
  const answer = await send(toldAgain(message('2026-05-15'), request))
  expect(outcomeOf(of(answer.body, 'Task')[0])).toBe('accepted')
  expect(answer.text).not.toContain('900451')
})

test('partners were asked: they are told nothing of it until a navigator writes it', async () => {
  const { request, patient } = await refer()
  const { entry = [] } = caseBundle({ plan: ['recovery'] })
  const wanted = new Set<string | undefined>([places.worker, places.role, places.team])
  const about = (one: Resource | undefined) => (one?.resourceType === 'CareTeam' ? { ...one, subject: { reference: patient } } : one)
  const post = (resource: Resource) => ({ resource, request: { method: 'POST' as const, url: resource.resourceType } })
  await gateway.handIn({
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      ...entry.filter(({ fullUrl }) => wanted.has(fullUrl)).map((one) => ({ ...one, resource: about(one.resource) as Resource })),
      { fullUrl: places.plan, ...post(planOf({ patient, team: places.team, plan: ['recovery'] })) },
      post(consentOf({ patient, agreed: usual })),
    ],
  })
  expect(gateway.partner('recovery').received).toHaveLength(1)
  expect((await send(toldAgain(message('2026-05-01', [wheelchair]), request))).status).toBe(200)
  await gateway.settled()
  for (const name of Object.keys(partners) as (keyof typeof partners)[])
    expect(gateway.partner(name).received).toHaveLength(name === 'recovery' ? 1 : 0)
  expect(inside((await apart())[0])).toEqual(['Observation', 'Condition'])
})

test('a question a navigator asked in words is answered: it waits no more, and a navigator decides', async () => {
  const { request } = await refer()
  const ask = [code('decision', 'ask'), text('reason', 'Not clear'), text('question', 'Does the person know?')]
  await operate(gateway.service, 'triage', `ServiceRequest/${request}`, ...ask)
  const answer = toldAgain(message(), request)
  of(answer, 'ServiceRequest')[0]!.note = [{ text: 'Yes, we talked about it.' }]
  const [task] = of((await send(answer)).body, 'Task')
  expect([task?.status, outcomeOf(task), reasonOf(task), task?.input]).toEqual(['received', undefined, 'supplied', undefined])
  const stands = async () => phaseOn((await gateway.service.call<ServiceRequest>('GET', `/fhir/ServiceRequest/${request}`)).body)
  expect(await stands()).toBe('triage')
  expect([await work('triage'), await work('needs-information')]).toEqual([expect.stringMatching(/has answered/), undefined])
  expect(JSON.stringify((await apart())[0]?.contained)).toContain('Yes, we talked about it.')
  // It does not end for want of what was told.
  await gateway.turn('2026-05-10T09:00:00Z')
  expect(await stands()).toBe('triage')
  await operate(gateway.service, 'triage', `ServiceRequest/${request}`, code('decision', 'accept'))
  expect([await stands(), outcomeOf((await gateway.client('prison-health').find('Task'))[0])]).toEqual(['consent-pending', 'accepted'])
})

test('over, it takes no more: 409, and the person can be referred again', async () => {
  const { request } = await refer()
  await close(gateway.service, `ServiceRequest/${request}`, 'declined-support')
  const answer = await send(toldAgain(message(), request))
  expect([answer.status, issuesOf(answer)[0]]).toEqual([
    409,
    expect.objectContaining({ code: 'conflict', text: expect.stringMatching(/Refer the person again/) }),
  ])
  expect(await apart()).toEqual([])
})

describe('sent as new again under the sender’s own identifier', () => {
  const own = (value: string, id: string, releaseDate: string | null = null) => {
    const bundle = { ...message(releaseDate), id: `5c0f1d52-3c0e-4b6e-9a60-0d6b7f1f${id}` }
    of(bundle, 'ServiceRequest')[0]!.identifier = [{ system: 'https://sender.test/referrals', value }]
    return bundle
  }

  test('is the same referral, told again: one person, one referral, and what was asked is taken', async () => {
    const first = await send(own('R-1,$|2', '1001'))
    expect(outcomeOf(of(first.body, 'Task')[0])).toBe('needs-information')
    const again = await send(own('R-1,$|2', '1002', '2026-05-15'))
    expect([again.status, outcomeOf(of(again.body, 'Task')[0])]).toEqual([200, 'accepted'])
    expect(of(again.body, 'ServiceRequest')[0]?.id).toBe(of(first.body, 'ServiceRequest')[0]?.id)
    expect([(await gateway.service.find('Patient')).length, (await gateway.service.find('ServiceRequest')).length]).toEqual([1, 1])
    expect((await gateway.work()).map(({ reason }) => reason)).not.toContain('duplicate')
  })

  test('another number, another sender, or one that is over is a referral of its own', async () => {
    const first = await send(own('R-1', '1001', '2026-05-15'))
    const request = of(first.body, 'ServiceRequest')[0]?.id as string
    const others = [await send(own('R-2', '1002', '2026-05-15')), await send(own('R-1', '1003', '2026-05-15'), 'court-team')]
    await close(gateway.service, `ServiceRequest/${request}`, 'declined-support')
    others.push(await send(own('R-1', '1004', '2026-05-15')))
    const ids = others.map(({ body }) => of(body, 'ServiceRequest')[0]?.id)
    expect(new Set([request, ...ids]).size).toBe(4)
    expect(others.map(({ body }) => outcomeOf(of(body, 'Task')[0]))).toEqual(['accepted', 'accepted', 'accepted'])
  })

  test('the same Bundle.id with other content is still a mistake', async () => {
    await send(own('R-1', '1001'))
    expect((await send(own('R-1', '1001', '2026-05-15'))).status).toBe(400)
  })
})
