/**
 * The table of closed-loop.md C1 over HTTP: where each decision leads from each phase, and that every other is refused, says what is open
 * instead, and changes nothing. What the clock, custody and partners do is told in `life`, `returned`, `transfer` and `step-up`.
 */
import type { Bundle, CareTeam, ParametersParameter, Patient, Resource, ServiceRequest } from '@medplum/fhirtypes'
import { afterEach, describe, expect, test } from 'vitest'
import { phaseOn } from '../../src/domain/decisions.ts'
import { isFinal, type Phase, statusOf } from '../../src/domain/lifecycle.ts'
import { caseBundle, custodyOf } from '../fixtures/case-bundle.ts'
import { type Gateway, issuesOf, of, openGateway, says } from '../fixtures/gateway.ts'
import { code, someone, text } from '../fixtures/override.ts'
import { referral } from '../fixtures/referral.ts'
import { leave, operate, why } from '../fixtures/referral-operations.ts'

let gateway: Gateway
afterEach(() => gateway.close())

/** A place in the table, and how to get there. Gives the referral. */
type Reach = () => Promise<string>
const begin = async (at?: string) => {
  gateway = await openGateway(at ? { at } : {})
}
let sent = 0
const refer = async (releaseDate: string | null) => {
  sent++
  const id = `5c0f1d52-3c0e-4b6e-9a60-0d6b7f4${String(sent).padStart(5, '0')}`
  const message = referral({ known: true, id, more: [custodyOf({ patient: 'x', releaseDate })] })
  const { body } = await gateway.client('prison-health').call<Bundle>('POST', '/fhir/$process-message', message)
  return `ServiceRequest/${of(body, 'ServiceRequest')[0]?.id}`
}
const put = async (resource: Resource) => {
  expect((await gateway.service.call('PUT', `/fhir/${resource.resourceType}/${resource.id}`, resource)).status).toBe(200)
  await gateway.deliverer.idle()
}
const supported = async (more: { left?: string; without?: 'worker' } = {}): Promise<string> => {
  const bundle = caseBundle({ plan: ['recovery', 'enhanced'], releaseDate: '2026-05-15' })
  for (const { resource } of bundle.entry ?? [])
    if (resource?.resourceType === 'CareTeam' && more.without) delete (resource as CareTeam).participant
  const at = await gateway.handIn(bundle)
  const [custody] = await gateway.service.find('Observation', 'code=custody')
  if (more.left) await put(custodyOf({ patient: at.Patient as string, id: custody?.id as string, releaseDate: more.left, left: more.left }))
  return at.ServiceRequest as string
}
const released = () => supported({ left: '2026-04-01' })
const decide = async (request: string, name: string, ...said: ParametersParameter[]) => {
  const { status, text: answer } = await operate(gateway.service, name, request, ...said)
  if (status !== 200) throw new Error(answer)
  return request
}
const away = [text('reason', 'Not for us'), text('signpost', 'Call the other team.')]

const places: Partial<Record<Phase, Reach>> = {
  submitted: async () => {
    const { body } = await gateway.service.call('POST', '/fhir/Patient', {
      resourceType: 'Patient',
      name: [{ family: 'Draftfield' }],
    } as Patient)
    const draft = { resourceType: 'ServiceRequest', status: 'draft', intent: 'proposal', subject: { reference: `Patient/${body.id}` } }
    return `ServiceRequest/${(await gateway.service.call('POST', '/fhir/ServiceRequest', draft)).body.id}`
  },
  triage: async () => {
    await refer('2026-05-15')
    return refer('2026-05-15')
  },
  'info-requested': () => refer(null),
  'held-early': () => refer('2026-09-01'),
  'consent-pending': () => refer('2026-05-15'),
  accepted: () => supported({ without: 'worker' }),
  'pre-release': () => supported(),
  'post-release': released,
  extended: async () => {
    const until = { name: 'until', valueDate: '2026-12-31' }
    const said = [until, text('exceptional', 'Moved twice'), text('detriment', 'No treatment'), someone('approver', 'Sue', 'supervisor')]
    return decide(await released(), 'extend', ...said)
  },
  suspended: async () => {
    const request = await released()
    const { body } = await gateway.service.call<ServiceRequest>('GET', `/fhir/${request}`)
    const stay = custodyOf({ patient: body.subject.reference as string, releaseDate: null, since: '2026-04-02', basis: 'recall' })
    await gateway.turn('P1D')
    await gateway.service.call('POST', '/fhir/Observation', { ...stay, effectivePeriod: { start: '2026-04-03' } })
    return request
  },
  redirected: async () => decide(await refer('2026-05-15'), 'triage', code('decision', 'redirect'), ...away),
  declined: async () => decide(await refer('2026-05-15'), 'triage', code('decision', 'decline'), ...away),
  'consent-refused': async () => decide(await refer('2026-05-15'), 'close', code('outcome', 'declined-support'), text('reason', 'No')),
  withdrawn: async () => decide(await supported(), 'close', code('outcome', 'declined-support'), text('reason', 'No')),
  void: async () => decide(await supported(), 'close', code('outcome', 'error'), text('reason', 'Another person')),
  closed: async () => decide(await supported(), 'close', code('outcome', 'needs-met-elsewhere'), text('reason', 'Done'), ...(await open())),
  'stepped-up': async () => {
    const request = await supported()
    const { id } = await gateway.handover('enhanced')
    expect((await gateway.as('enhanced').call('PATCH', `/fhir/Task/${id}`, says('accepted'))).status).toBe(200)
    return request
  },
}
const open = async () =>
  (await gateway.service.find('Task'))
    .filter(({ owner }) => owner?.reference !== 'Organization/tees-valley')
    .map(({ id }) => leave(`Task/${id}`))

/** What can be decided, complete enough that only where the referral stands keeps it from being done. */
const decisions: Record<string, (request: string) => Promise<[string, ...ParametersParameter[]]>> = {
  accept: async () => ['triage', code('decision', 'accept')],
  ask: async () => ['triage', code('decision', 'ask'), text('reason', 'Not clear'), text('question', 'Which wing?')],
  redirect: async () => ['triage', code('decision', 'redirect'), ...away],
  decline: async () => ['triage', code('decision', 'decline'), ...away],
  allocate: async () => {
    const { body } = await gateway.service.call('POST', '/fhir/Practitioner', {
      resourceType: 'Practitioner',
      name: [{ family: 'Next' }],
    } as Resource)
    return ['allocate', { name: 'worker', valueReference: { reference: `Practitioner/${body.id}` } }]
  },
  extend: async () => [
    'extend',
    { name: 'until', valueDate: '2027-01-31' },
    text('exceptional', 'Moved'),
    text('detriment', 'No treatment'),
    someone('approver', 'Sue', 'supervisor'),
  ],
  end: async () => ['close', code('outcome', 'lost-contact'), text('reason', 'Not found'), ...(await open())],
  withdraw: async () => ['close', code('outcome', 'declined-support'), text('reason', 'Said no')],
}

const triage = {
  accept: 'consent-pending',
  ask: 'info-requested',
  redirect: 'redirected',
  decline: 'declined',
  withdraw: 'consent-refused',
}
const begun = { end: 'closed', withdraw: 'withdrawn' }
/** Rows 3, 6, 7, 8, 10, 11, 16, 17, 18: from where, by what, to where. Everything that does not stand here is refused. */
const table: Partial<Record<Phase, Record<string, string>>> = {
  submitted: { ...triage, accept: 'submitted', ask: 'submitted', redirect: 'submitted', decline: 'submitted' },
  triage: { ...triage, accept: 'triage', allocate: 'triage' },
  'info-requested': triage,
  'held-early': triage,
  'consent-pending': { ...triage, allocate: 'consent-pending' },
  accepted: { ...begun, allocate: 'pre-release' },
  'pre-release': { ...begun, allocate: 'pre-release' },
  'post-release': { ...begun, allocate: 'post-release', extend: 'extended' },
  extended: { ...begun, allocate: 'extended', extend: 'extended' },
  suspended: { ...begun, allocate: 'suspended' },
}

const stands = async (request: string) => {
  const { body } = await gateway.service.call<ServiceRequest>('GET', `/fhir/${request}`)
  return [phaseOn(body), body.status]
}

describe.each(Object.entries(places) as [Phase, Reach][])('%s', (phase, reach) => {
  const moves = Object.entries(table[phase] ?? {})

  test('is where it says it is, and whatever the table does not have is refused and changes nothing', async () => {
    await begin()
    const request = await reach()
    const here = await stands(request)
    expect(here).toEqual(phase === 'submitted' ? ['submitted', 'draft'] : [phase, statusOf(phase)])
    for (const [name, said] of Object.entries(decisions)) {
      if (table[phase]?.[name]) continue
      const answer = await operate(gateway.service, ...(await said(request).then(([op, ...rest]) => [op, request, ...rest] as const)))
      expect([name, answer.status]).toEqual([name, 422])
      expect(issuesOf(answer)[0]?.text, name).toMatch(isFinal(phase) ? /It is final/ : /Open from here/)
      expect(await stands(request), name).toEqual(here)
    }
    if (!isFinal(phase)) return
    for (const status of ['active', 'on-hold', 'draft'] as const) {
      const { body } = await gateway.service.call<ServiceRequest>('GET', `/fhir/${request}`)
      const written = await gateway.service.call('PUT', `/fhir/${request}`, {
        ...body,
        status,
        extension: [...(body.extension ?? []), why('Again')],
      })
      expect([status, written.status]).toEqual([status, 422])
    }
  })

  test.each(moves)('%s leads to %s', async (name, to) => {
    await begin()
    const request = await reach()
    const [op, ...said] = await (decisions[name] as (typeof decisions)[string])(request)
    const answer = await operate(gateway.service, op, request, ...said)
    expect([answer.status, phaseOn(answer.body)]).toEqual([200, to])
  })
})
