/**
 * What is wrong is refused in one clear sentence that says where, and nothing of it is written.
 */
import type { Bundle, CarePlan, CareTeam, Resource } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { caseBundle, partners, places, words, wordsIn } from '../fixtures/case-bundle.ts'
import { type Gateway, issuesOf, of, openGateway, type Reply, says } from '../fixtures/gateway.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

type Call = [method: string, path: string, body?: unknown, headers?: Record<string, string>]

/** Refused with this status, with one issue of this code at this place; no value repeated, and no row written. */
async function refused(call: Call, status: number, code: string, expression?: string, as = gateway.service): Promise<Reply> {
  const before = await gateway.rows()
  const answer = await as.call(...call)
  const { body, text } = answer
  const said = issuesOf(answer)
  expect([answer.status, (body as Resource).resourceType, said.length, said[0]?.code, said[0]?.expression]).toEqual([
    status,
    'OperationOutcome',
    1,
    code,
    expression,
  ])
  expect(said[0]?.text).toMatch(/^\S.* .*\.$/)
  expect(wordsIn(text)).toEqual([])
  expect(await gateway.rows()).toEqual(before)
  return answer
}
const patient = { resourceType: 'Patient', name: [{ family: words.identity }] }
const nhs = 'https://fhir.nhs.uk/Id/nhs-number'

describe('one resource', () => {
  test('what is no FHIR at all', async () => {
    await refused(['POST', '/fhir/Patient', '{"resourceType":'], 400, 'structure')
    await refused(['POST', '/fhir/Patient', '"Patient"'], 400, 'structure')
    await refused(['POST', '/fhir/Patient', { resourceType: 'Task' }], 400, 'invalid', 'resourceType')
    await refused(['POST', '/fhir/Patient', { name: [] }], 400, 'required', 'resourceType')
  })

  test.each([
    ['a date that does not exist', { birthDate: '1990-02-31' }, 'Patient.birthDate'],
    ['a code that does not exist', { gender: 'manly' }, 'Patient.gender'],
    ['a text where a truth value stands', { active: 'yes' }, 'Patient.active'],
    ['one value where a list stands', { name: { family: words.identity } }, 'Patient.name'],
    ['a list where one value stands', { birthDate: ['1990-02-01'] }, 'Patient.birthDate'],
    ['an element there is not', { nickname: words.identity }, 'Patient'],
    ['an NHS number with a wrong check digit', { identifier: [{ system: nhs, value: '9990004006' }] }, 'Patient.identifier[0].value'],
  ])('%s', async (_, wrong, expression) => {
    const before = await gateway.rows()
    const answer = await gateway.service.call('POST', '/fhir/Patient', { ...patient, ...wrong })
    expect([400, 422]).toContain(answer.status)
    expect(issuesOf(answer)).toEqual([expect.objectContaining({ expression })])
    expect(wordsIn(answer.text)).toEqual([])
    expect(await gateway.rows()).toEqual(before)
  })

  test('two faults are two issues', async () => {
    const answer = await gateway.service.call('POST', '/fhir/Patient', { ...patient, birthDate: '1990-02-31', gender: 'manly' })
    expect(
      issuesOf(answer)
        .map(({ expression }) => expression)
        .sort(),
    ).toEqual(['Patient.birthDate', 'Patient.gender'])
  })

  test('about nobody of this record', async () => {
    const flag = { resourceType: 'Flag', status: 'active', code: { text: 'x' } }
    await refused(['POST', '/fhir/Flag', { ...flag, subject: { reference: 'Patient/nobody' } }], 422, 'not-found', 'Flag')
    const without = await gateway.service.call('POST', '/fhir/Flag', flag)
    expect([400, 422]).toContain(without.status)
  })

  test('handovers are not made by hand, people are not deleted, ids are not chosen', async () => {
    const at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const task = { resourceType: 'Task', status: 'requested', intent: 'order', for: { reference: at.Patient } }
    await refused(['POST', '/fhir/Task', task], 422, 'business-rule', 'Task')
    await refused(['DELETE', `/fhir/${at.Patient}`], 422, 'business-rule', 'Patient')
    await refused(['DELETE', `/fhir/${at.Consent}`], 422, 'business-rule', 'Consent')
    await refused(['PUT', '/fhir/Patient/mine', { ...patient, id: 'mine' }], 405, 'not-supported', 'Patient')
    await refused(['PUT', `/fhir/${at.Patient}`, { ...patient, id: 'other' }], 400, 'value', 'Patient.id')
    await refused(['PUT', `/fhir/${at.Patient}`, patient], 400, 'required', 'Patient.id')
    await refused(['DELETE', '/fhir/Flag/never'], 404, 'not-found', 'Flag')
    await refused(['PUT', '/fhir/Patient?family=x', patient], 501, 'not-supported')
  })

  test('versions: an If-Match that is none, and one that is old', async () => {
    const at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const [, id] = at.Patient!.split('/')
    const changed = { ...patient, id }
    for (const wrong of ['3', 'W/3', '"*"', 'W/"three"']) {
      const answer = await gateway.service.call('PUT', `/fhir/${at.Patient}`, changed, { 'if-match': wrong })
      expect([wrong, answer.status >= 400, answer.body.resourceType]).toEqual([wrong, true, 'OperationOutcome'])
    }
    await refused(['PUT', `/fhir/${at.Patient}`, changed, { 'if-match': 'W/"99"' }], 412, 'conflict', 'Patient')
  })

  test('create if there is none yet: once, and refused when several match', async () => {
    const header = { 'if-none-exist': `identifier=${nhs}|9990004013` }
    const one = { ...patient, identifier: [{ system: nhs, value: '9990004013' }] }
    const [first, second] = [
      await gateway.service.call('POST', '/fhir/Patient', one, header),
      await gateway.service.call('POST', '/fhir/Patient', one, header),
    ]
    expect([first.status, second.status, second.body.id]).toEqual([201, 200, first.body.id])
    await gateway.service.call('POST', '/fhir/Patient', one)
    await refused(['POST', '/fhir/Patient', one, header], 412, 'duplicate', 'Patient')
  })
})

describe('a patch', () => {
  test('of what a partner may not change is refused, and moves nothing', async () => {
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const recovery = gateway.as('recovery')
    const [task] = await recovery.find('Task')
    const path = `/fhir/Task/${task?.id}`
    for (const value of [`Organization/${partners.practice}`, '']) {
      await refused(
        ['PATCH', path, [{ op: 'replace', path: '/owner/reference', value }]],
        422,
        value ? 'business-rule' : 'value',
        value ? 'Task' : 'Task.owner.reference',
        recovery,
      )
    }
    await refused(['PATCH', path, [{ op: 'remove', path: '/nowhere' }]], 422, 'processing', undefined, recovery)
    await refused(
      ['PATCH', path, { status: 'accepted' }, { 'content-type': 'application/json-patch+json' }],
      400,
      'structure',
      undefined,
      recovery,
    )
    await refused(['PATCH', path, says('completed')], 422, 'business-rule', 'Task.status', recovery)
  })
})

describe('a transaction', () => {
  const entry = (bundle: Bundle, type: string) => bundle.entry!.findIndex(({ resource }) => resource?.resourceType === type)

  test('with one bad entry among good ones is refused whole, and says which', async () => {
    const bundle = caseBundle()
    const index = entry(bundle, 'Flag')
    ;(bundle.entry![index]!.resource as { status: string }).status = 'wobbly'
    await refused(['POST', '/fhir', bundle], 422, 'code-invalid', `Bundle.entry[${index}].resource.status`)
  })

  test('that points at what is not in it, and not here', async () => {
    const bundle = caseBundle()
    const index = entry(bundle, 'CareTeam')
    ;(bundle.entry![index]!.resource as { subject: unknown }).subject = { reference: 'urn:uuid:2f6d0c1e-0000-4000-8000-00000000ffff' }
    const before = await gateway.rows()
    const answer = await gateway.service.call('POST', '/fhir', bundle)
    expect([400, 422]).toContain(answer.status)
    expect(issuesOf(answer)).toEqual([expect.objectContaining({ expression: expect.stringContaining(`Bundle.entry[${index}].resource`) })])
    expect(await gateway.rows()).toEqual(before)
  })

  test('with two entries of one fullUrl, with none, without requests', async () => {
    const twice = caseBundle()
    twice.entry!.push({ ...twice.entry![1]! })
    await refused(['POST', '/fhir', twice], 400, 'invariant', `Bundle.entry[${twice.entry!.length - 1}].fullUrl`)
    await refused(['POST', '/fhir', { resourceType: 'Bundle', type: 'transaction', entry: [] }], 400, 'required', 'Bundle.entry')
    await refused(['POST', '/fhir', { resourceType: 'Bundle', type: 'transaction' }], 400, 'required', 'Bundle.entry')
    const bare = caseBundle()
    delete bare.entry![2]!.request
    await refused(['POST', '/fhir', bare], 400, 'required', 'Bundle.entry[2].request')
    await refused(['POST', '/fhir', { ...caseBundle(), type: 'collection' }], 400, 'value', 'Bundle.type')
  })

  test('that reads, that changes one thing twice, that makes a Task', async () => {
    const reads = caseBundle()
    reads.entry!.push({ request: { method: 'GET', url: 'Patient' } })
    await refused(['POST', '/fhir', reads], 501, 'not-supported', `Bundle.entry[${reads.entry!.length - 1}].request.method`)
    const at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const [plan] = await gateway.service.find('CarePlan')
    const put = { resource: plan as CarePlan, request: { method: 'PUT' as const, url: at.CarePlan as string } }
    await refused(['POST', '/fhir', { resourceType: 'Bundle', type: 'transaction', entry: [put, put] }], 400, 'invariant', 'Bundle.entry')
    const task = {
      request: { method: 'POST', url: 'Task' },
      resource: { resourceType: 'Task', status: 'requested', intent: 'order', for: { reference: at.Patient } },
    }
    await refused(
      ['POST', '/fhir', { resourceType: 'Bundle', type: 'transaction', entry: [task] }],
      422,
      'business-rule',
      'Bundle.entry[0].resource',
    )
  })

  test('with an old version of one entry changes nothing of the others', async () => {
    const at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const [flag] = await gateway.service.find('Flag')
    const put = (resource: Resource, ifMatch: string) => ({
      resource,
      request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}`, ifMatch },
    })
    const [plan] = await gateway.service.find('CarePlan')
    const entries = [put({ ...flag!, status: 'inactive' }, 'W/"1"'), put({ ...plan!, title: 'Changed' }, 'W/"7"')]
    await refused(
      ['POST', '/fhir', { resourceType: 'Bundle', type: 'transaction', entry: entries }],
      412,
      'conflict',
      'Bundle.entry[1].resource',
    )
    expect((await gateway.service.call<Resource>('GET', `/fhir/${at.CarePlan}`)).body.meta?.versionId).toBe('1')
  })

  test('from a partner or a referrer: not theirs to write', async () => {
    for (const client of [gateway.as('practice'), gateway.client('prison-health')]) {
      const before = await gateway.rows()
      expect((await client.call('POST', '/fhir', caseBundle())).status).toBe(403)
      expect(await gateway.rows()).toEqual(before)
    }
  })
})

describe('a batch', () => {
  test('keeps what is good and says of each other entry what is wrong', async () => {
    const flag = { resourceType: 'Flag', status: 'active', code: { text: 'x' }, subject: { reference: 'Patient/nobody' } }
    const answer = await gateway.service.call<Bundle>('POST', '/fhir', {
      resourceType: 'Bundle',
      type: 'batch',
      entry: [
        { resource: patient, request: { method: 'POST', url: 'Patient' } },
        { resource: flag, request: { method: 'POST', url: 'Flag' } },
        { request: { method: 'GET', url: 'Patient?colour=red' } },
      ],
    })
    expect(answer.status).toBe(200)
    expect(answer.body.entry?.map(({ response }) => response?.status?.slice(0, 3))).toEqual(['201', '422', '400'])
    expect(answer.body.entry?.slice(1).every(({ response }) => response?.outcome?.resourceType === 'OperationOutcome')).toBe(true)
    expect(await gateway.service.find('Patient')).toHaveLength(1)
  })

  test('reads the version or the history it asks for, and refuses what a batch does not read', async () => {
    const at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const team = (await gateway.service.call<CareTeam>('GET', `/fhir/${at.CareTeam}`)).body
    await gateway.service.call('PUT', `/fhir/${at.CareTeam}`, { ...team, name: 'Renamed' })
    const urls = ['/_history/1', '/_history', '/_history/9', '/$everything', '/_history/1/more', ''].map((end) => `${at.CareTeam}${end}`)
    const { body } = await gateway.service.call<Bundle>('POST', '/fhir', {
      resourceType: 'Bundle',
      type: 'batch',
      entry: urls.map((url) => ({ request: { method: 'GET', url } })),
    })
    expect(body.entry?.map(({ response }) => response?.status?.slice(0, 3))).toEqual(['200', '200', '404', '501', '501', '200'])
    const [first, history, , , , now] = (body.entry ?? []).map(({ resource }) => resource)
    expect(first).toMatchObject({ resourceType: 'CareTeam', meta: { versionId: '1' } })
    expect(first).not.toHaveProperty('name', 'Renamed')
    expect(history).toMatchObject({ resourceType: 'Bundle', type: 'history', total: 2 })
    expect(now).toMatchObject({ name: 'Renamed', meta: { versionId: '2' } })
    for (const { response } of body.entry?.slice(2, 5) ?? []) expect(response?.outcome?.resourceType).toBe('OperationOutcome')
  })
})

describe('what is not here', () => {
  test('operations, types, searches and versions there are not', async () => {
    const at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    for (const [path, statuses] of [
      [`/fhir/${at.Patient}/$graph`, [404, 501]],
      ['/fhir/$export', [404, 501]],
      ['/fhir/Spaceship', [404]],
      ['/fhir/Patient/never', [404]],
      [`/fhir/${at.Patient}/_history/99`, [404]],
      ['/fhir/CarePlan?colour=red', [400]],
      ['/fhir/Patient?birthdate=yesterday', [400]],
    ] as const) {
      const answer = await gateway.service.call('GET', path)
      expect([path, statuses.includes(answer.status as never), answer.body.resourceType]).toEqual([path, true, 'OperationOutcome'])
    }
  })

  test('a case whose plan names a stranger is kept, and asks a person', async () => {
    const bundle = caseBundle({ plan: ['recovery'] })
    const [plan] = of(bundle, 'CarePlan')
    plan!.activity![0]!.detail!.performer = [{ reference: 'Organization/nobody-knows' }]
    await gateway.handIn(bundle)
    expect(await gateway.service.find('Task')).toHaveLength(0)
    expect((await gateway.work()).map(({ reason }) => reason)).toContain('partner-unknown')
    expect(places.plan).toBeTruthy()
  })
})
