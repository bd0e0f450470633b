/**
 * Who is who: the same person twice is noticed and a person decides; nobody is refused for it, and nobody outside learns of it.
 */
import type { Bundle, Patient, Resource } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { crn, nhsNumber, pncNumber } from '../../src/fhir/systems.ts'
import { caseBundle, custodyOf } from '../fixtures/case-bundle.ts'
import { type Gateway, of, openGateway } from '../fixtures/gateway.ts'
import { referral } from '../fixtures/referral.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const born = '1991-09-09'
const patient = (rest: Partial<Patient> = {}): Patient => ({
  resourceType: 'Patient',
  name: [{ use: 'official', family: 'Oxlade', given: ['Chris'] }],
  birthDate: born,
  ...rest,
})
const create = async (resource: Resource): Promise<string> => {
  const { status, body, text } = await gateway.service.call('POST', `/fhir/${resource.resourceType}`, resource)
  if (status !== 201) throw new Error(text)
  return body.id as string
}
const proposals = async () => (await gateway.work()).filter(({ reason }) => reason === 'duplicate')
const parameters = (...parameter: object[]) => ({ resourceType: 'Parameters', parameter })
const naming = (name: string, id: string) => ({ name, valueReference: { reference: `Patient/${id}` } })
const refer = (more: Parameters<typeof referral>[0] = {}, client = 'prison-health') =>
  gateway.client(client).call<Bundle>('POST', '/fhir/$process-message', referral({ known: true, ...more }))

describe('the same person twice', () => {
  test('a number in another form is noticed, said in words, and refused to nobody', async () => {
    const first = await create(patient({ identifier: [{ system: pncNumber, value: '2012/0394773H' }] }))
    const second = await create({
      resourceType: 'Patient',
      name: [{ family: 'Else' }],
      identifier: [{ system: pncNumber, value: '12/394773H' }],
    })
    const [item, ...more] = await proposals()
    expect(more).toEqual([])
    expect(item?.patient).toBe(second)
    expect(item?.words).toContain(`Patient/${first}`)
    expect(item?.words).toContain('the same PNC number')
    expect(item?.words).not.toMatch(/Oxlade|Else|394773/)
  })

  test('the name and birth date, parts swapped; one item for two records, whichever is written again', async () => {
    const first = await create(patient())
    const second = await create(patient({ name: [{ family: 'Chris', given: ['OXLADE'] }] }))
    expect((await proposals()).map((one) => one.patient)).toEqual([second])
    await gateway.service.call('PUT', `/fhir/Patient/${first}`, { ...patient({ gender: 'male' }), id: first })
    await gateway.service.call('PUT', `/fhir/Patient/${second}`, { ...patient({ gender: 'male' }), id: second })
    expect((await proposals()).map((one) => one.patient)).toEqual([second])
  })

  test('two in one transaction are noticed, and what turns out mistyped is no longer proposed', async () => {
    const entry = [1, 2].map(() => ({ resource: patient(), request: { method: 'POST', url: 'Patient' } }))
    expect((await gateway.service.call('POST', '/fhir', { resourceType: 'Bundle', type: 'transaction', entry })).status).toBe(200)
    const [item] = await proposals()
    await gateway.service.call('PUT', `/fhir/Patient/${item?.patient}`, { ...patient({ birthDate: '1991-09-08' }), id: item?.patient })
    expect(await proposals()).toEqual([])
  })

  test('two referrals of one new person at the same moment, which neither could see of the other, are proposed', async () => {
    const told = await Promise.all([refer({}, 'prison-health'), refer({}, 'court-team')])
    expect(told.map(({ status }) => status)).toEqual([200, 200])
    const two = told.map(({ body }) => of(body, 'Patient')[0]?.id as string)
    const items = await proposals()
    expect(items.length).toBeGreaterThan(0)
    for (const { patient: one, words } of items)
      expect([one, two.find((id) => words?.includes(id) && id !== one)].sort()).toEqual(two.sort())
    // Whoever decides about one decides about both.
    const [source, target] = two as [string, string]
    const merged = await gateway.service.call(
      'POST',
      '/fhir/Patient/$merge',
      parameters(naming('source-patient', source), naming('target-patient', target)),
    )
    expect([merged.status, await proposals()]).toEqual([200, []])
  })

  test('two people, somebody says: not proposed again for the same, proposed again for something new', async () => {
    const first = await create(patient())
    const second = await create(patient())
    const said = await gateway.service.call('POST', `/fhir/Patient/${first}/$not-same`, parameters(naming('other-patient', second)))
    expect(said.status).toBe(200)
    expect(await proposals()).toEqual([])
    const again = (id: string, rest: object) => gateway.service.call('PUT', `/fhir/Patient/${id}`, { ...patient(rest), id })
    await again(second, { gender: 'female' })
    expect(await proposals()).toEqual([])
    const number = { identifier: [{ system: crn, value: 'X123456' }] }
    await again(first, number)
    await again(second, number)
    expect((await proposals())[0]?.words).toContain('the same probation number')
  })

  test('another service’s people are not looked through, and it can not say anything about ours', async () => {
    const first = await create(patient())
    const second = await create(patient({ birthDate: '1990-01-01' }))
    await gateway.client('other-system').call('POST', '/fhir/Patient', patient())
    expect(await gateway.work('other-service')).toEqual([])
    const said = await gateway
      .client('other-system')
      .call('POST', `/fhir/Patient/${first}/$not-same`, parameters(naming('other-patient', second)))
    expect(said.status).toBe(404)
  })

  test('nothing that identifies stands in the database in clear', async () => {
    await create(patient({ identifier: [{ system: pncNumber, value: '12/394773H' }] }))
    const rows = await gateway.database.query<object>({ sql: `select hex(term) as term from search`, params: [] })
    expect(JSON.stringify(rows).toLowerCase()).not.toContain(Buffer.from('oxlade').toString('hex'))
    expect(rows.length).toBeGreaterThan(0)
  })

  test('a referrer is answered the same whether the person is known here or not, but for ids', async () => {
    const blank = (text: string) => text.replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'id')
    const custody = custodyOf({ patient: 'set by the bundle', releaseDate: '2026-05-15' })
    const unknown = await refer({ more: [custody] })
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const known = await refer({ id: '5c0f1d52-3c0e-4b6e-9a60-0d6b7f1f0002', more: [custody] })
    expect(await proposals()).toHaveLength(1)
    expect([known.status, blank(known.text)]).toEqual([unknown.status, blank(unknown.text)])
    const headers = (one: typeof known) => [...one.headers.keys()].sort()
    expect(headers(known)).toEqual(headers(unknown))
    expect(await gateway.client('court-team').find('Task')).toEqual([])
  })
})

describe('numbers', () => {
  test('a number is found in whatever way it is written, with its system and without', async () => {
    await create(patient({ identifier: [{ system: pncNumber, value: '12/394773H' }] }))
    for (const asked of [`${pncNumber}|2012/0394773H`, `${pncNumber}|12/394773h`, '2012/0394773H', '12/394773H'])
      expect(await gateway.service.find('Patient', `identifier=${encodeURIComponent(asked)}`)).toHaveLength(1)
    expect(await gateway.service.find('Patient', `identifier=${encodeURIComponent(`${pncNumber}|12/394774H`)}`)).toHaveLength(0)
  })

  test('a wrong form is refused when a record is written, a check letter that does not fit is a question', async () => {
    const refused = await gateway.service.call('POST', '/fhir/Patient', patient({ identifier: [{ system: crn, value: '123' }] }))
    expect(refused.status).toBe(422)
    expect(refused.text).toContain('Patient.identifier[0].value')
    await create(patient({ identifier: [{ system: pncNumber, value: '12/394773W' }] }))
    expect((await gateway.work()).map(({ reason }) => reason)).toContain('number-doubtful')
    const checked = await gateway.service.call(
      'POST',
      '/fhir/Patient/$validate',
      patient({ identifier: [{ system: pncNumber, value: '12/394773W' }] }),
    )
    expect(checked.text).toMatch(/information.*check letter/)
  })

  test('in a referral from outside any number is kept as told, and a wrong one finds nobody', async () => {
    const wrong = [
      { system: crn, value: '123' },
      { system: nhsNumber, value: '9990000378' },
    ]
    await create(patient({ birthDate: '1980-01-01' }))
    const message = referral()
    for (const { resource } of message.entry ?? []) if (resource?.resourceType === 'Patient') resource.identifier = wrong
    const { status, body } = await gateway.client('prison-health').call<Bundle>('POST', '/fhir/$process-message', message)
    expect([status, of(body, 'Patient')[0]?.identifier?.map(({ value }) => value)]).toEqual([200, ['123', '9990000378']])
    expect(await proposals()).toEqual([])
  })
})
