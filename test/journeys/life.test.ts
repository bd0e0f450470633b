/**
 * The life of a case, each told over its whole span with the stopped clock: straightforward; referred on day 28 and on day 29 after
 * release; released on 31 August; over the weekends the clocks change; under 18.
 */
import type {
  Bundle,
  CarePlan,
  CareTeam,
  Encounter,
  Goal,
  Parameters,
  ParametersParameter,
  Patient,
  Resource,
  ServiceRequest,
  Task,
} from '@medplum/fhirtypes'
import { afterEach, describe, expect, test } from 'vitest'
import { addDays } from '../../src/domain/calendar.ts'
import { phaseOn } from '../../src/domain/decisions.ts'
import { ours } from '../../src/fhir/systems.ts'
import { statement } from '../../src/store/database.ts'
import { caseBundle, coded, consentOf, custodyOf, type Given, places, planOf, usual } from '../fixtures/case-bundle.ts'
import { type Gateway, issuesOf, of, openGateway, placesIn, says, standing } from '../fixtures/gateway.ts'
import { code, someone, text } from '../fixtures/override.ts'
import { referral } from '../fixtures/referral.ts'

let gateway: Gateway
afterEach(() => gateway.close())
const begin = async (at: string, given?: Given): Promise<Record<string, string>> => {
  gateway = await openGateway({ at })
  return given ? gateway.handIn(caseBundle(given)) : {}
}

const by = someone('by', 'Nav Igator', 'care navigator')
const parameters = (...parameter: ParametersParameter[]): Parameters => ({ resourceType: 'Parameters', parameter: [...parameter, by] })
const operate = (name: string, referral: string, ...parameter: ParametersParameter[]) =>
  gateway.service.call<ServiceRequest>('POST', `/fhir/${referral}/$${name}`, parameters(...parameter))
/** The referral of a person, not the requests of their handovers. */
const referralOf = async (reference: string) => (await gateway.service.call<ServiceRequest>('GET', `/fhir/${reference}`)).body
const phase = async (reference: string) => phaseOn(await referralOf(reference))
const asked = async () => (await gateway.work()).map(({ reason }) => reason)
const wordsOf = async (reason: string) => (await gateway.work()).find((one) => one.reason === reason)?.words
const custody = async (patient: string, releaseDate: string, left?: string) => {
  const [found] = await gateway.service.find('Observation', 'code=custody')
  const changed = custodyOf({ patient, releaseDate, id: found?.id as string, ...(left ? { left } : {}) })
  expect((await gateway.service.call('PUT', `/fhir/Observation/${found?.id}`, changed)).status).toBe(200)
  await gateway.deliverer.idle()
}
const contact = (patient: string, on: string, status: Encounter['status'] = 'finished', how = 'face-to-face', why?: string) =>
  gateway.service.call('POST', '/fhir/Encounter', {
    resourceType: 'Encounter',
    status,
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
    type: [coded('contact-modality', how)],
    subject: { reference: patient },
    period: { start: on },
    ...(why ? { reasonCode: [{ text: why }] } : {}),
  })
const goal = (patient: string, achieved?: string): Goal => ({
  resourceType: 'Goal',
  lifecycleStatus: 'active',
  description: { text: 'Go on with treatment' },
  subject: { reference: patient },
  ...(achieved
    ? { achievementStatus: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/goal-achievement', code: achieved }] } }
    : {}),
})
const answers = async (name: 'practice' | 'recovery' | 'probation', ...steps: [string, string?][]) => {
  const { id } = await gateway.handover(name)
  for (const step of steps) expect((await gateway.as(name).call('PATCH', `/fhir/Task/${id}`, says(...step))).status).toBe(200)
}

test('straightforward: referred, agreed, met twice, released, engaged within three weeks, reviewed, and closed by a person', async () => {
  const at = await begin('2026-04-02T08:00:00Z', { releaseDate: '2026-05-13', plan: ['practice', 'recovery'] })
  const [patient, request] = [at.Patient as string, await theReferral()]
  expect(await phase(request)).toBe('pre-release')
  expect((await referralOf(request)).status).toBe('active')

  // Two contacts are offered: nobody is asked before two weeks ahead of release, and nobody when both were.
  expect(await asked()).not.toContain('contacts')
  await gateway.turn('2026-04-29T08:00:00Z')
  expect(await wordsOf('contacts')).toMatch(/No contact before release was offered/)
  expect((await contact(patient, '2026-04-30')).status).toBe(201)
  expect(await wordsOf('contacts')).toMatch(/One contact before release/)
  await contact(patient, '2026-05-06', 'cancelled')
  expect(await asked()).not.toContain('contacts')

  await answers('practice', ['accepted'], ['in-progress'], ['completed', 'registered'])
  await answers('recovery', ['accepted'])
  const [team] = await gateway.service.find('CareTeam')
  expect(membersOf(team)).toEqual(expect.arrayContaining(['Organization/dene-surgery', 'Organization/wear-recovery']))

  // The day comes, and nobody has said that the person is out.
  await gateway.turn('2026-05-13T08:00:00Z')
  expect(await wordsOf('release-day')).toMatch(/Release was expected on Wednesday 13 May 2026/)
  await custody(patient, '2026-05-13', '2026-05-13')
  expect(await phase(request)).toBe('post-release')
  expect(await asked()).not.toContain('release-day')

  await gateway.turn('2026-05-14T08:00:00Z')
  expect(await wordsOf('review')).toMatch(/Released yesterday/)
  await contact(patient, '2026-05-14', 'finished', 'telephone', 'No phone credit to come in')
  expect(await asked()).not.toContain('review')

  await gateway.turn('2026-06-02T22:59:00Z')
  expect(await asked()).not.toContain('check-21')
  await gateway.turn('2026-06-02T23:00:00Z') // midnight in London: 3 June, three weeks after release
  expect(await wordsOf('check-21')).toMatch(/Partner recovery within three weeks/)
  await answers('recovery', ['in-progress'], ['completed', 'engaged'])
  expect(await asked()).not.toContain('check-21')

  // Everything came to something: a rule proposes, a person decides.
  expect(await asked()).toContain('closure-proposed')
  expect(await phase(request)).toBe('post-release')
  const { id } = (await gateway.service.call<Goal>('POST', '/fhir/Goal', goal(patient))).body
  expect(await asked()).not.toContain('closure-proposed')
  const early = await operate('close', request, code('outcome', 'needs-met'), text('reason', 'All is well'))
  expect([early.status, issuesOf(early)[0]?.expression]).toEqual([422, 'Goal.achievementStatus'])
  await gateway.service.call('PUT', `/fhir/Goal/${id}`, { ...goal(patient, 'achieved'), id })
  const closed = await operate('close', request, code('outcome', 'needs-met'), text('reason', 'All is well'))
  expect([closed.status, closed.body.status, phaseOn(closed.body)]).toEqual([200, 'completed', 'closed'])
  expect((await gateway.service.find('CarePlan'))[0]?.status).toBe('completed')
  expect(await asked()).toEqual([])
  expect((await timers()).filter((about) => !about.startsWith('consent:'))).toEqual([])

  // It is final: whatever comes, it is not begun again.
  const again = await gateway.service.call('PUT', `/fhir/${request}`, { ...closed.body, status: 'active' })
  expect([again.status, issuesOf(again)[0]?.expression]).toEqual([422, 'ServiceRequest.status'])
  const second = await operate('close', request, code('outcome', 'needs-met'), text('reason', 'Twice'))
  expect([second.status, issuesOf(second)[0]?.text]).toEqual([422, expect.stringContaining('It is final')])
  await gateway.turn('2027-06-01T09:00:00Z')
  expect(await phase(request)).toBe('closed')
})

describe('referred after release', () => {
  const refer = async (at: string, left: string) => {
    await begin(at)
    const message = referral({ known: true, more: [custodyOf({ patient: 'x', releaseDate: left, left })] })
    const { status, body } = await gateway.client('prison-health').call<Bundle>('POST', '/fhir/$process-message', message)
    expect(status).toBe(200)
    const [task] = of(body, 'Task')
    return { task, request: task?.focus?.reference as string, patient: task?.for?.reference as string }
  }

  test('on day 28: taken, agreed, looked after until six months are over, and never told that contacts before release were missed', async () => {
    const { task, request, patient } = await refer('2026-04-30T21:59:00Z', '2026-04-02')
    expect(outcomeOf(task)).toBe('accepted')
    expect(await phase(request)).toBe('consent-pending')
    await takeOn(patient, ['recovery'])
    expect(await phase(request)).toBe('post-release')
    expect((await referralOf(request)).intent).toBe('order')
    expect(await asked()).not.toContain('contacts')
    // Three weeks had passed before anybody asked: the check is due at once, and reviews go on from where they are.
    expect(await asked()).toContain('check-21')
    expect(await wordsOf('review')).toMatch(/Three weeks after release/)
    await gateway.turn('2026-09-03T23:00:00Z')
    expect(await wordsOf('plan-end')).toMatch(/Support ends on Friday 2 October 2026/)
    await gateway.turn('2026-10-02T23:00:00Z')
    expect(await wordsOf('plan-overdue')).toMatch(/A supervisor decides now/)
    expect(await asked()).not.toContain('plan-end')
    expect((await referralOf(request)).status).toBe('active')
  })

  test('on day 29: declined with where to turn instead, and the referral is over', async () => {
    const { task, request } = await refer('2026-04-30T23:00:00Z', '2026-04-02') // midnight in London: 1 May
    expect(outcomeOf(task)).toBe('declined')
    expect(task?.output?.[0]?.valueString).toMatch(/GP practice/)
    expect([(await referralOf(request)).status, await phase(request)]).toEqual(['revoked', 'declined'])
    const taken = await operate('triage', request, code('decision', 'accept'))
    expect([taken.status, issuesOf(taken)[0]?.text]).toEqual([422, expect.stringContaining('It is final')])
    expect(await timers()).toEqual([])
  })
})

test('released on 31 August: support ends on the last day of February, looked at four weeks ahead, and is extended twice, each time before its end', async () => {
  const at = await begin('2026-08-03T08:00:00Z', { releaseDate: '2026-08-31', plan: ['recovery'], agreedUntil: '2027-12-31' })
  const [patient, request] = [at.Patient as string, await theReferral()]
  // The Monday is a bank holiday: whoever is due then may leave on the working day before, or up to two before that.
  await gateway.turn('2026-08-20T08:00:00Z')
  expect(await wordsOf('release-early')).toMatch(/may come as early as Wednesday 26 August 2026/)
  await custody(patient, '2026-08-31', '2026-08-31')
  const extend = (until: string, ...more: ParametersParameter[]) =>
    operate(
      'extend',
      request,
      { name: 'until', valueDate: until },
      text('exceptional', 'Moved twice since release.'),
      text('detriment', 'Would be without treatment for weeks.'),
      ...(more.length ? more : [someone('approver', 'Sue Pervisor', 'supervisor')]),
    )
  await gateway.turn('2027-01-30T23:59:00Z')
  expect(await asked()).not.toContain('plan-end')
  await gateway.turn('2027-01-31T00:00:00Z')
  expect(await wordsOf('plan-end')).toMatch(/Support ends on Sunday 28 February 2027/)

  const same = await extend('2027-05-31', someone('approver', 'nav igator', 'supervisor'))
  expect([same.status, issuesOf(same)[0]?.expression]).toEqual([422, "Parameters.parameter.where(name='approver')"])
  expect((await extend('2027-02-28')).status).toBe(422)
  const once = await extend('2027-05-31')
  expect([once.status, phaseOn(once.body)]).toEqual([200, 'extended'])
  expect(await asked()).not.toContain('plan-end')
  await gateway.turn('2027-05-03T08:00:00Z')
  expect(await wordsOf('plan-end')).toMatch(/Support ends on Monday 31 May 2027/)
  expect((await extend('2027-08-31')).status).toBe(200)

  // Nobody looks, and support is not silently over: a supervisor is asked. What has ended is not extended any more.
  await gateway.turn('2027-08-31T22:59:00Z')
  expect(await asked()).not.toContain('plan-overdue')
  await gateway.turn('2027-08-31T23:00:00Z')
  expect(await wordsOf('plan-overdue')).toMatch(/Support was to end on Tuesday 31 August 2027/)
  const late = await extend('2027-12-31')
  expect([late.status, issuesOf(late)[0]?.text]).toEqual([422, expect.stringContaining('before its end, never after')])

  // A handover that is open or was refused keeps it from being closed, until somebody says why.
  const { id } = await gateway.handover('recovery')
  const open = await operate('close', request, code('outcome', 'extended-then-closed'), text('reason', 'Time is up'))
  expect(issuesOf(open).map(({ text }) => text)).toEqual([expect.stringContaining(`Task/${id}`)])
  expect((await gateway.as('recovery').call('PATCH', `/fhir/Task/${id}`, says('rejected', 'rejected', 'Not known here'))).status).toBe(200)
  const refused = await operate('close', request, code('outcome', 'extended-then-closed'), text('reason', 'Time is up'))
  expect(issuesOf(refused)[0]?.text).toMatch(/neither another in its place nor a reason/)
  const why: ParametersParameter = {
    name: 'handover',
    part: [{ name: 'task', valueReference: { reference: `Task/${id}` } }, text('reason', 'No other team serves the area')],
  }
  const closed = await operate('close', request, code('outcome', 'extended-then-closed'), text('reason', 'Time is up'), why)
  expect([closed.status, phaseOn(closed.body)]).toEqual([200, 'closed'])
})

test.each([
  ['nobody said since when', undefined, true],
  ['28 days', '2026-04-17', true],
  ['27 days', '2026-04-18', false],
])('due on a Friday, a sentence served for: %s', async (_, since, early) => {
  const at = await begin('2026-04-02T08:00:00Z', { releaseDate: '2026-05-15', plan: ['practice'] })
  const [found] = await gateway.service.find('Observation', 'code=custody')
  const served = since ? [{ code: coded('observation', 'sentence-start-date'), valueDateTime: since }] : []
  const said = custodyOf({ patient: at.Patient as string, releaseDate: '2026-05-15', id: found?.id as string })
  const { status } = await gateway.service.call('PUT', `/fhir/Observation/${found?.id}`, {
    ...said,
    component: [...(said.component ?? []), ...served],
  })
  expect(status).toBe(200)
  await gateway.turn('2026-05-12T08:00:00Z')
  expect((await asked()).includes('release-early')).toBe(early)
})

test.each([
  ['forward', '2027-03-28', '2027-03-27T23:59:00Z', '2027-03-28T00:00:00Z', '2027-03-28T22:59:00Z', '2027-03-28T23:00:00Z'],
  ['back', '2026-10-25', '2026-10-24T22:59:00Z', '2026-10-24T23:00:00Z', '2026-10-25T23:59:00Z', '2026-10-26T00:00:00Z'],
])('released on the Sunday the clocks go %s: every day begins at London midnight', async (_, release, before, day, evening, next) => {
  const at = await begin(`${addDays(release, -60)}T09:00:00Z`, { releaseDate: release, plan: ['practice'], agreedUntil: '2027-12-31' })
  const request = await theReferral()
  expect(standing(await gateway.handover('practice'))).toBe('draft preparing')
  await gateway.turn(`${addDays(release, -28)}T09:00:00Z`)
  expect(standing(await gateway.handover('practice'))).toBe('requested delivered')
  await gateway.turn(before)
  expect(await asked()).not.toContain('release-day')
  await gateway.turn(day)
  expect(await asked()).toContain('release-day')
  await custody(at.Patient as string, release, release)
  expect(await phase(request)).toBe('post-release')
  await gateway.turn(evening)
  expect(await asked()).not.toContain('review')
  await gateway.turn(next)
  expect(await wordsOf('review')).toMatch(/Released yesterday/)
})

test('under 18 now and on release: redirected with where to turn; eighteen by release: kept, woken 12 weeks ahead, and never forgotten', async () => {
  await begin('2026-04-02T08:00:00Z')
  const refer = async (birthDate: string, releaseDate: string, id: string) => {
    const message = referral({ known: true, id, more: [custodyOf({ patient: 'x', releaseDate })] })
    for (const { resource } of message.entry ?? []) if (resource?.resourceType === 'Patient') (resource as Patient).birthDate = birthDate
    const { body } = await gateway.client('prison-health').call<Bundle>('POST', '/fhir/$process-message', message)
    return of(body, 'Task')[0]
  }
  const minor = await refer('2009-01-10', '2026-12-01', '5c0f1d52-3c0e-4b6e-9a60-0d6b7f1f0011')
  expect(outcomeOf(minor)).toBe('redirected')
  expect(minor?.output?.[0]?.valueString).toMatch(/youth offending team/)
  expect(await phase(minor?.focus?.reference as string)).toBe('redirected')

  const adult = await refer('2008-11-30', '2026-12-01', '5c0f1d52-3c0e-4b6e-9a60-0d6b7f1f0012')
  const request = adult?.focus?.reference as string
  expect(outcomeOf(adult)).toBe('held')
  expect([(await referralOf(request)).status, await phase(request)]).toEqual(['on-hold', 'held-early'])
  await gateway.turn('2026-09-07T22:59:00Z')
  expect(await phase(request)).toBe('held-early')
  await gateway.turn('2026-09-07T23:00:00Z') // midnight in London: 8 September, 84 days before
  expect([(await referralOf(request)).status, await phase(request)]).toEqual(['active', 'consent-pending'])
  expect(await asked()).toContain('triage')
})

const outcomeOf = (task: Task | undefined) => task?.businessStatus?.coding?.find(({ system }) => system === ours('referral-outcome'))?.code
const membersOf = (team: CareTeam | undefined) =>
  (team?.participant ?? []).filter(({ period }) => !period?.end).map(({ member }) => member?.reference)
const timers = async () => (await gateway.database.query<{ about: string }>(statement('select about from timer'))).map(({ about }) => about)

/** The one referral there is. */
async function theReferral(): Promise<string> {
  const [request] = (await gateway.service.find('ServiceRequest')).filter(({ identifier }) => !identifier)
  return `ServiceRequest/${request?.id}`
}

/** The service meets somebody who was referred: a worker, a plan, their agreement. */
async function takeOn(patient: string, plan: ('practice' | 'recovery')[]) {
  const { entry = [] } = caseBundle({ plan })
  const wanted = new Set<string | undefined>([places.worker, places.role, places.team])
  const workers = entry.filter(({ fullUrl }) => wanted.has(fullUrl))
  const about = (resource: Resource | undefined) =>
    resource?.resourceType === 'CareTeam' ? { ...resource, subject: { reference: patient } } : resource
  const post = (resource: Resource) => ({ resource, request: { method: 'POST' as const, url: resource.resourceType } })
  const bundle: Bundle = {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      ...workers.map((one) => ({ ...one, resource: about(one.resource) as Resource })),
      { fullUrl: places.plan, ...post(planOf({ patient, team: places.team, plan }) as CarePlan) },
      post(consentOf({ patient, agreed: usual })),
    ],
  }
  const { status, body, text } = await gateway.service.call<Bundle>('POST', '/fhir', bundle)
  if (status !== 200) throw new Error(text)
  await gateway.deliverer.idle()
  return placesIn(body)
}
