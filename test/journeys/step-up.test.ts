/**
 * Enhanced RECONNECT, proposed by either trigger and taken on by its team.
 */
import type { Appointment, CarePlan, Observation, Parameters, Patient, ServiceRequest, Task } from '@medplum/fhirtypes'
import { afterEach, expect, test } from 'vitest'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { resolveWorkItemBy } from '../../src/store/work-items.ts'
import { caseBundle, category, coded, custodyOf, label, partners, planOf } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, says, standing, type TestDirectory, valuesOf } from '../fixtures/gateway.ts'

let gateway: Gateway
afterEach(() => gateway.close())

const open = async (directory?: (file: TestDirectory) => void) => {
  gateway = await openGateway(directory ? { directory } : {})
}
const risk = (given: Partial<Observation> = {}): Observation => ({
  resourceType: 'Observation',
  meta: label('R', category('risk-to-others')),
  status: 'final',
  code: coded('observation', 'risk-of-serious-harm'),
  valueString: 'HIGH ',
  effectiveDateTime: '2026-03-20',
  performer: [{ reference: 'Organization/tees-probation' }],
  ...given,
})
const asked = async () => (await gateway.work()).filter(({ about }) => about.startsWith('enhanced:'))
const referral = async () =>
  (await gateway.service.find('ServiceRequest')).find(({ code }) => code?.coding?.[0]?.code === 'reconnect') as ServiceRequest
const triggerOn = ({ input }: Task) => input?.[0]?.valueCode
const addToPlan = async (patient: string, team: string) => {
  const [plan] = (await gateway.service.find('CarePlan')) as [CarePlan]
  const next = planOf({ patient, team, plan: ['recovery', 'enhanced'], id: plan.id as string })
  expect((await gateway.service.call('PUT', `/fhir/CarePlan/${plan.id}`, next)).status).toBe(200)
  await gateway.settled()
}
const answer = async (...said: [status: string, businessStatus?: string, reason?: string]) => {
  const [task] = await gateway.as('enhanced').find('Task')
  const { status, text } = await gateway.as('enhanced').call('PATCH', `/fhir/Task/${task?.id}`, says(...said))
  if (status !== 200) throw new Error(text)
}

test('high risk stepping up at month six: asked at the review, told what was agreed, and on acceptance the referral is theirs', async () => {
  await open()
  const at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20', plan: ['recovery'] }))
  const patient = at.Patient as string
  await gateway.turn('2026-04-20T09:00:00Z')
  const [custody] = await gateway.service.find('Observation', 'code=custody')
  await gateway.service.call(
    'PUT',
    `/fhir/Observation/${custody?.id}`,
    custodyOf({ patient, releaseDate: '2026-04-20', left: '2026-04-20', id: custody?.id as string }),
  )
  await gateway.turn('2026-10-05T09:00:00Z')
  expect(await asked()).toEqual([])
  await gateway.service.call('POST', '/fhir/Observation', {
    resourceType: 'Observation',
    meta: label('N', category('practical')),
    status: 'final',
    code: coded('observation', 'ready-for-discharge'),
    effectiveDateTime: '2026-10-05',
    valueBoolean: false,
    subject: { reference: patient },
  })
  expect(await asked()).toMatchObject([{ reason: 'enhanced-reconnect', words: expect.stringContaining('not ready to be discharged') }])
  expect(gateway.partner('enhanced').received).toHaveLength(0)

  await addToPlan(patient, at.CareTeam as string)
  expect(await asked()).toEqual([])
  expect(triggerOn(await gateway.handover('enhanced'))).toBe('not-ready')
  const [sent] = gateway.partner('enhanced').received
  expect(sent?.text).not.toMatch(/not-ready|enhanced-trigger/)
  expect((await referral()).status).toBe('active')

  await answer('accepted')
  expect((await referral()).status).toBe('completed')
  expect(JSON.stringify((await referral()).extension)).toContain('stepped-up')
  // What the drug team is at goes on.
  expect(standing(await gateway.handover('recovery'))).toMatch(/^requested/)
  await answer('in-progress')
  await answer('completed', 'engaged')
  expect(standing(await gateway.handover('enhanced'))).toBe('completed engaged')
})

test('a risk that probation assessed as high, with complex needs: proposed from the first day', async () => {
  await open()
  const at = await gateway.handIn(caseBundle({ plan: ['recovery'], more: [risk()] }))
  expect(await asked()).toMatchObject([
    { reason: 'enhanced-reconnect', words: expect.stringContaining('assessed by probation on Friday 20 March 2026') },
  ])
  await addToPlan(at.Patient as string, at.CareTeam as string)
  expect(triggerOn(await gateway.handover('enhanced'))).toBe('high-risk')
})

test('the team says no: the person stays, and somebody looks for another way', async () => {
  await open()
  await gateway.handIn(caseBundle({ plan: ['recovery', 'enhanced'], more: [risk()] }))
  await answer('rejected', undefined, 'No place before June')
  expect((await referral()).status).toBe('active')
  expect(standing(await gateway.handover('enhanced'))).toBe('rejected rejected')
  expect((await gateway.work()).map(({ reason }) => reason)).toContain('no-alternative')
  expect(standing(await gateway.handover('recovery'))).toMatch(/^requested/)
})

test('the team takes the person over, and then can not go on: nobody is forgotten, and another team’s work is not undone', async () => {
  await open()
  await gateway.handIn(caseBundle({ plan: ['recovery', 'enhanced'], more: [risk()] }))
  await answer('accepted')
  expect((await referral()).status).toBe('completed')
  await answer('rejected', undefined, 'The clinician left')
  expect((await gateway.work()).map(({ reason }) => reason)).toEqual(['handed-back'])
  expect((await referral()).status).toBe('completed')
  expect(standing(await gateway.handover('recovery'))).toMatch(/^requested/)
  expect(await reconcile(gateway.exchange)).toMatchObject({ repaired: 0, unwatched: 0, unexplained: 0, failed: 0 })
  const again = caseBundle({ plan: ['recovery'] }).entry?.find(({ resource }) => resource?.resourceType === 'ServiceRequest')?.resource
  const [{ id }] = (await gateway.service.find('Patient')) as [Patient]
  const { reasonReference: _needs, basedOn: _plan, ...rest } = again as ServiceRequest
  const anew = { ...rest, authoredOn: '2026-04-02T09:00:00Z', subject: { reference: `Patient/${id}` } }
  expect((await gateway.service.call('POST', '/fhir/ServiceRequest', anew)).status).toBe(201)
  expect((await gateway.work()).map(({ reason }) => reason)).not.toContain('handed-back')
})

test('a navigator may ask without a trigger; that is written down as well', async () => {
  await open()
  await gateway.handIn(caseBundle({ plan: ['enhanced'] }))
  expect(triggerOn(await gateway.handover('enhanced'))).toBe('navigator')
})

test('a risk without a source or a date is asked about, and proposes nothing', async () => {
  await open()
  await gateway.handIn(caseBundle({ plan: ['recovery'], more: [risk({ performer: undefined as never })] }))
  expect(await asked()).toMatchObject([{ reason: 'risk-unsourced' }])
})

test('a risk that probation assessed long ago is asked about as well', async () => {
  await open()
  await gateway.handIn(caseBundle({ plan: ['recovery'], more: [risk({ effectiveDateTime: '2025-03-20' })] }))
  expect(await asked()).toMatchObject([{ reason: 'risk-outdated', words: expect.stringContaining('Ask probation') }])
})

test('the trigger that was met is shown to whoever asks why the team was asked', async () => {
  await open()
  await gateway.handIn(caseBundle({ plan: ['enhanced'], more: [risk()] }))
  const { body } = await gateway.service.call<Parameters>('GET', `/fhir/Task/${(await gateway.handover('enhanced')).id}/$why`)
  expect(valuesOf(body, 'asked-because')).toEqual(['a high or very high risk of harm, and complex health needs'])
})

test('a pilot from a day until a day: nobody is asked before it, everybody on it, nobody new after it, each with its reason', async () => {
  await open((file) => {
    Object.assign(file.services[0] as object, { enhanced: { from: '2026-04-10', until: '2026-04-20', team: 'enhanced-tees' } })
  })
  await gateway.handIn(caseBundle({ plan: ['enhanced'] }))
  await gateway.handIn(caseBundle({ plan: ['recovery'], more: [risk()], tag: 'two', nhsNumber: '9990000743', noms: 'B2468CD' }))
  expect(gateway.partner('enhanced').received).toHaveLength(0)
  expect((await asked()).map(({ reason }) => reason)).toEqual(['enhanced-unavailable', 'enhanced-unavailable'])
  expect((await asked()).every(({ words }) => words.includes('begins on 2026-04-10'))).toBe(true)
  await gateway.turn('2026-04-09T23:30:00Z') // half past midnight in London
  expect(gateway.partner('enhanced').received).toHaveLength(1)
  expect(await asked()).toMatchObject([{ reason: 'enhanced-reconnect', words: expect.stringContaining('Partner enhanced') }])

  await gateway.turn('2026-04-20T23:30:00Z')
  expect(await asked()).toMatchObject([
    { reason: 'enhanced-unavailable', words: expect.stringContaining('ended on 2026-04-20, so nobody new') },
    { reason: 'enhanced-unavailable', words: expect.stringContaining('ended on 2026-04-20. The risk') },
  ])
  // Whom the team was asked for goes on.
  await answer('accepted')
  expect(standing(await gateway.handover('enhanced'))).toBe('accepted accepted')
  expect(await reconcile(gateway.exchange)).toMatchObject({ repaired: 0, unwatched: 0, unexplained: 0, failed: 0 })
})

test('looked at and left while there is no team: asked again when there is one, and at the other trigger', async () => {
  await open((file) => {
    Object.assign(file.services[0] as object, { enhanced: { from: '2026-04-10' } })
  })
  await gateway.handIn(caseBundle({ plan: ['recovery'], more: [risk()] }))
  const [item] = await asked()
  const at = gateway.clock.now().toISOString()
  await gateway.database.atomically([resolveWorkItemBy(item?.id as string, at, 'duty-lead')])
  await gateway.turn('2026-04-10T09:00:00Z')
  expect((await asked()).map(({ reason }) => reason)).toEqual(['enhanced-reconnect'])
})

test('out of region: not available, the reason is written down, and nobody is asked though the plan says so', async () => {
  await open((file) => {
    for (const service of file.services) Object.assign(service, { enhanced: false })
  })
  await gateway.handIn(caseBundle({ plan: ['recovery'], more: [risk()] }))
  expect(await asked()).toMatchObject([{ reason: 'enhanced-unavailable', words: expect.stringContaining('does not work in this region') }])
  await gateway.handIn(caseBundle({ plan: ['enhanced'], tag: 'two', nhsNumber: '9990000743', noms: 'B2468CD' }))
  expect(gateway.partner('enhanced').received).toHaveLength(0)
  expect((await asked()).map(({ reason }) => reason)).toEqual(['enhanced-unavailable', 'enhanced-unavailable'])
})

test('a case conference: who takes part stands in the record; each of them is told when it is, and none of them who else comes', async () => {
  await open()
  const at = await gateway.handIn(caseBundle({ plan: ['recovery', 'probation', 'enhanced'], more: [risk()] }))
  const invited = (['recovery', 'probation', 'enhanced'] as const).map((name) => partners[name])
  const conference: Appointment = {
    resourceType: 'Appointment',
    meta: label('N', category('appointments')),
    status: 'booked',
    appointmentType: { text: 'Case conference' },
    start: '2026-04-09T10:00:00Z',
    end: '2026-04-09T11:00:00Z',
    participant: [at.Patient as string, ...invited.map((id) => `Organization/${id}`)].map((reference) => ({
      actor: { reference },
      required: 'required',
      status: 'accepted',
    })),
  }
  const kept = await gateway.service.call<Appointment>('POST', '/fhir/Appointment', conference)
  expect(kept.status).toBe(201)
  await gateway.settled()
  expect(kept.body.participant.map(({ actor }) => actor?.reference)).toEqual(conference.participant.map(({ actor }) => actor?.reference))
  expect(await gateway.service.find('Appointment', `actor=Organization/${partners.enhanced}`)).toHaveLength(1)
  for (const name of ['recovery', 'probation', 'enhanced'] as const) {
    const { text = '' } = gateway.partner(name).received.at(-1) ?? {}
    expect(text).toContain('2026-04-09T10:00:00Z')
    for (const other of invited.filter((id) => id !== partners[name])) expect(text).not.toContain(other)
  }
  // Whoever has accepted is in the care team from then on, for everybody at the service to see.
  await answer('accepted')
  const [team] = await gateway.service.find('CareTeam')
  expect(JSON.stringify(team?.participant)).toContain(`Organization/${partners.enhanced}`)
})
