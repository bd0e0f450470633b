/**
 * Somebody is referred again while a referral of theirs is open: one episode at a time. The second joins the one that has come furthest, and
 * whoever sent it is answered as the first one is (closed-loop.md C1 row 2, C5 duplicate).
 */
import type { Bundle, Patient, ServiceRequest, Task } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decisionsOf, phaseOn } from '../../src/domain/decisions.ts'
import { nhsNumber } from '../../src/fhir/systems.ts'
import { caseBundle, coded, custodyOf } from '../fixtures/case-bundle.ts'
import { type Gateway, of, openGateway, standing } from '../fixtures/gateway.ts'
import { code, text } from '../fixtures/override.ts'
import { referral } from '../fixtures/referral.ts'
import { close, operate } from '../fixtures/referral-operations.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

let sent = 0
/** A referral of the one person by one of two referrers. */
async function refer(client: string, releaseDate: string | null) {
  sent++
  const message = referral({
    id: `5c0f1d52-3c0e-4b6e-9a60-0d6b7f3${String(sent).padStart(5, '0')}`,
    known: true,
    more: [custodyOf({ patient: 'x', releaseDate })],
  })
  const { status, body } = await gateway.client(client).call<Bundle>('POST', '/fhir/$process-message', message)
  expect(status).toBe(200)
  return { request: `ServiceRequest/${of(body, 'ServiceRequest')[0]?.id}`, patient: `Patient/${of(body, 'Patient')[0]?.id}`, client }
}
type Referred = Awaited<ReturnType<typeof refer>>

const merge = async (source: string, target: string) => {
  const naming = (name: string, reference: string) => ({ name, valueReference: { reference } })
  const parameter = [naming('source-patient', source), naming('target-patient', target)]
  expect((await gateway.service.call('POST', '/fhir/Patient/$merge', { resourceType: 'Parameters', parameter })).status).toBe(200)
  await gateway.deliverer.idle()
}
const stands = async (request: string) => {
  const { body } = await gateway.service.call<ServiceRequest>('GET', `/fhir/${request}`)
  return [body.status, phaseOn(body)]
}
const answerTo = async ({ client, request }: Referred): Promise<Task> =>
  (await gateway.client(client).find('Task', `focus=${request}`))[0] as Task
const said = (task: Task) => [task.businessStatus?.coding?.[0]?.code, task.statusReason?.coding?.map((one) => one.code)]
const asked = async () => (await gateway.work()).map(({ reason }) => reason).sort()

describe('two referrers, found to be about one person', () => {
  test('until somebody says so they are two, and neither referrer learns of the other', async () => {
    const [one, two] = [await refer('prison-health', '2026-05-15'), await refer('court-team', '2026-05-15')]
    expect(await asked()).toContain('duplicate')
    expect(said(await answerTo(one))).toEqual(said(await answerTo(two)))
    await merge(two.patient, one.patient)
    expect(await asked()).toEqual(['triage'])
    expect([await stands(one.request), await stands(two.request)]).toEqual([
      ['active', 'consent-pending'],
      ['completed', 'closed'],
    ])
    expect(said(await answerTo(one))).toEqual(['accepted', ['eligible']])
    expect(said(await answerTo(two))).toEqual(['accepted', ['eligible', 'joined']])
    const seen = JSON.stringify([
      await gateway.client('court-team').find('Task'),
      await gateway.client('court-team').find('ServiceRequest'),
    ])
    for (const word of [one.request, one.patient, '"prison-health"', 'Referrer prison-health'])
      expect(seen).not.toContain(word.replace('Patient/', ''))
  })

  test('the one that has come furthest goes on, whoever was first: the other waits no more for what is known', async () => {
    const [one, two] = [await refer('prison-health', null), await refer('court-team', '2026-05-15')]
    expect(said(await answerTo(one))[0]).toBe('needs-information')
    await merge(one.patient, two.patient)
    expect([(await stands(one.request))[1], (await stands(two.request))[1]]).toEqual(['closed', 'consent-pending'])
    expect(said(await answerTo(one))).toEqual(['accepted', ['eligible', 'joined']])
    expect(await asked()).toEqual(['triage'])
  })

  test('both wait: what is decided about the one that goes on is told to both', async () => {
    const [one, two] = [await refer('prison-health', null), await refer('court-team', null)]
    await merge(two.patient, one.patient)
    expect([(await stands(one.request))[1], (await stands(two.request))[1]]).toEqual(['info-requested', 'closed'])
    const signpost = text('signpost', 'The learning disability team, on its own number.')
    await operate(gateway.service, 'triage', one.request, code('decision', 'decline'), text('reason', 'Looked after already.'), signpost)
    for (const each of [one, two]) {
      const task = await answerTo(each)
      expect([said(task)[0], task.output?.[0]?.valueString]).toEqual(['declined', signpost.valueString])
    }
    expect(await asked()).toEqual([])
  })

  test('both wait, and nobody tells: both are over at their time', async () => {
    const [one, two] = [await refer('prison-health', null), await refer('court-team', null)]
    await merge(two.patient, one.patient)
    await gateway.turn('2026-05-01T09:00:00Z')
    for (const each of [one, two]) expect(said(await answerTo(each))).toEqual(['declined', expect.arrayContaining(['no-information'])])
    expect(await asked()).toEqual([])
  })

  test('found to be two people after all: the second stands where it stood, and its referrer reads that', async () => {
    const [one, two] = [await refer('prison-health', '2026-05-15'), await refer('court-team', '2026-05-15')]
    await merge(two.patient, one.patient)
    await gateway.service.call('POST', `/fhir/${one.patient}/$unmerge`, { resourceType: 'Parameters', parameter: [] })
    for (const each of [one, two]) {
      expect(await stands(each.request)).toEqual(['active', 'consent-pending'])
      expect(said(await answerTo(each))).toEqual(['accepted', ['eligible']])
    }
  })
})

test('referred while being supported: the support goes on, nobody is asked for anything twice', async () => {
  const at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
  const two = await refer('court-team', '2026-05-15')
  const { body } = await gateway.service.call<Patient>('GET', `/fhir/${two.patient}`)
  await gateway.service.call('PUT', `/fhir/${two.patient}`, {
    ...body,
    identifier: [{ system: nhsNumber, value: '9990000379' }],
  })
  await merge(two.patient, at.Patient as string)
  expect([await stands(at.ServiceRequest as string), await stands(two.request)]).toEqual([
    ['active', 'pre-release'],
    ['completed', 'closed'],
  ])
  expect(said(await answerTo(two))).toEqual(['accepted', ['eligible', 'joined']])
  expect((await gateway.service.find('CarePlan', 'status=active')).length).toBe(1)
  expect(standing(await gateway.handover('recovery'))).toBe('requested delivered')
  expect(gateway.partner('recovery').received.filter(({ text: message }) => message.includes('revoked'))).toEqual([])
})

describe('the service’s own word', () => {
  const again = async (request: string, more: Partial<ServiceRequest> = {}) => {
    const { body } = await gateway.service.call<ServiceRequest>('GET', `/fhir/${request}`)
    const { id: _i, meta: _m, extension: _e, identifier: _n, ...rest } = body
    const fresh = { ...rest, status: 'active', authoredOn: '2026-04-02T09:00:00Z', ...more }
    const { status, body: kept } = await gateway.service.call<ServiceRequest>('POST', '/fhir/ServiceRequest', fresh)
    expect(status).toBe(201)
    return kept
  }

  test('a second referral of somebody it supports joins, and says which', async () => {
    const at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const kept = await again(at.ServiceRequest as string)
    expect([kept.status, phaseOn(kept), decisionsOf(kept).map(({ kind, code: which }) => [kind, which])]).toEqual([
      'completed',
      'closed',
      [['joined', at.ServiceRequest?.split('/')[1]]],
    ])
    expect(await stands(at.ServiceRequest as string)).toEqual(['active', 'pre-release'])
    expect((await gateway.service.find('CarePlan', 'status=active')).length).toBe(1)
    // Once that is over, it is a new episode.
    await close(gateway.service, at.ServiceRequest as string)
    expect((await again(at.ServiceRequest as string, { authoredOn: '2026-04-02T10:00:00Z' })).status).toBe('active')
  })

  test('of somebody whose referral was too early takes them now: the referrer reads that', async () => {
    const early = await refer('prison-health', '2026-09-01')
    expect(await stands(early.request)).toEqual(['on-hold', 'held-early'])
    const kept = await again(early.request)
    expect([kept.status, phaseOn(kept)]).toEqual(['active', 'consent-pending'])
    expect([await stands(early.request), said(await answerTo(early))]).toEqual([
      ['completed', 'closed'],
      ['accepted', ['eligible', 'joined']],
    ])
  })

  test('a request of another kind in the record is neither joined nor taken for the referral', async () => {
    const at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const scan = { category: [coded('use-case', 'imaging')], authoredOn: '2026-04-02T09:00:00Z' }
    const kept = await again(at.ServiceRequest as string, scan)
    expect([kept.status, phaseOn(kept)]).toEqual(['active', undefined])
    expect(await stands(at.ServiceRequest as string)).toEqual(['active', 'pre-release'])
  })
})
