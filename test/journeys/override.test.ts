/**
 * Telling somebody without the person's agreement: by whom, what exactly, for how long, and who looks at it.
 */
import type { Bundle, Parameters, ParametersParameter } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { caseBundle, consentOf, partners, usual, wordsIn } from '../fixtures/case-bundle.ts'
import { type Gateway, issuesOf, of, openGateway, standing, valuesOf } from '../fixtures/gateway.ts'
import { code, overriding, someone, text, toPartner, toPolice } from '../fixtures/override.ts'

let gateway: Gateway
let at: Record<string, string>
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const told = (name: keyof typeof partners) => gateway.partner(name).received
const desk = () => gateway.client('safeguarding-desk')
const ask = (body: unknown, headers = {}) => desk().call<Parameters>('POST', `/fhir/${at.Patient}/$override`, body, headers)
const look = (override: string, approved: boolean, ...more: ParametersParameter[]) =>
  desk().call<Parameters>('POST', `/fhir/${at.Patient}/$override-review`, {
    resourceType: 'Parameters',
    parameter: [
      text('override', override),
      { name: 'approved', valueBoolean: approved },
      text('note', 'Said in supervision.'),
      ...(more.length ? more : [someone('by', 'Gar Dian', 'Caldicott Guardian')]),
    ],
  })
const part = ({ body }: { body: Parameters }, name: string) => body.parameter?.find((one) => one.name === name)
const idOf = (reply: { body: Parameters }) => part(reply, 'override')?.valueString as string
const reviews = async () => (await gateway.work()).filter(({ reason }) => reason === 'override-review')
const audited = async () => (await import('../../src/store/audit.ts')).auditOf(gateway.database, at.Patient!.split('/')[1]!)

describe('a partner that is never told of risk', () => {
  beforeEach(async () => {
    at = await gateway.handIn(caseBundle())
  })

  test('is told the listed item and nothing else more, in an update of the same handover, by override and not by agreement', async () => {
    const reply = await ask(overriding())
    expect([reply.status, part(reply, 'state')?.valueCode]).toEqual([200, 'open'])
    await gateway.deliverer.idle()
    const [first, update, ...rest] = told('probation')
    expect(rest).toHaveLength(0)
    expect(wordsIn(update!.text).filter((word) => !wordsIn(first!.text).includes(word))).toEqual(['risk'])
    expect(of(update!.bundle, 'Task')[0]?.id).toBe(of(first!.bundle, 'Task')[0]?.id)
    expect(wordsIn((await gateway.as('probation').call('GET', '/fhir/Flag')).text)).toContain('risk')
    for (const name of ['recovery', 'enhanced'] as const) expect(told(name)).toHaveLength(1)
    const owed = (await audited()).filter(({ action, recipient }) => action === 'owe' && recipient === partners.probation)
    expect(owed[0]).toMatchObject({ basis: `Override/${idOf(reply)}`, detail: expect.stringContaining('"purposeOfUse":"THREAT"') })
  })

  test('loses it when the hours are over, by the clock alone, with no old version left', async () => {
    await ask(overriding())
    const [flag] = (await gateway.as('probation').find('Flag')).filter(({ code }) => wordsIn(JSON.stringify(code)).includes('risk'))
    await gateway.turn('PT7H59M')
    expect(wordsIn((await gateway.as('probation').call('GET', '/fhir/Flag')).text)).toContain('risk')
    await gateway.turn('PT2M')
    for (const path of ['', '/_history', '/_history/1'])
      expect((await gateway.as('probation').call('GET', `/fhir/Flag/${flag?.id}${path}`)).status).toBe(404)
    const last = told('probation').at(-1)!
    expect(wordsIn(last.text)).not.toContain('risk')
    expect(wordsIn(last.text)).toContain('identity')
  })

  test('who reads after the hours, before any timer ran, sees nothing of it', async () => {
    await ask(overriding())
    gateway.clock.set(new Date('2026-04-02T16:00:00Z'))
    expect(wordsIn((await gateway.as('probation').call('GET', '/fhir/Flag')).text)).not.toContain('risk')
  })

  test('a message that waited past the hours is not sent, although the agreement would cover it', async () => {
    await gateway.service.call('PUT', `/fhir/${at.Consent}`, {
      ...consentOf({ patient: at.Patient!, agreed: { ...usual, probation: { upTo: 'R' } }, at: '2026-04-02T07:59:00Z' }),
      id: at.Consent?.split('/')[1],
    })
    await gateway.deliverer.idle()
    gateway.partner('probation').answers = 'unreachable'
    await ask(overriding())
    await gateway.deliverer.idle()
    gateway.partner('probation').answers = 200
    // No timer has run: it is the deliverer that asks again.
    gateway.clock.set(new Date('2026-04-02T16:00:00Z'))
    await gateway.settled()
    expect((await gateway.owed('void')).map(({ partner }) => partner)).toContain(partners.probation)
    for (const { text: sent } of told('probation')) expect(wordsIn(sent)).not.toContain('risk')
  })

  test('withdrawing the agreement leaves what the override lists, and no more; its end takes the rest back', async () => {
    await ask(overriding())
    const { probation: _, ...without } = usual
    await gateway.service.call('PUT', `/fhir/${at.Consent}`, {
      ...consentOf({ patient: at.Patient!, agreed: without, at: '2026-04-02T08:30:00Z' }),
      id: at.Consent?.split('/')[1],
    })
    const probation = gateway.as('probation')
    const shelf = async () =>
      (await Promise.all((['Patient', 'Flag', 'Observation', 'Consent'] as const).map((type) => probation.call('GET', `/fhir/${type}`))))
        .map(({ text: all }) => all)
        .join()
    expect(wordsIn(await shelf())).toEqual(['identity', 'risk'])
    expect(await probation.find('Consent')).toHaveLength(0)
    await gateway.turn('PT9H')
    expect(wordsIn(await shelf())).toEqual([])
    expect(of(told('probation').at(-1)!.bundle, 'ServiceRequest')[0]?.status).toBe('revoked')
  })
})

describe('a second person', () => {
  beforeEach(async () => {
    at = await gateway.handIn(caseBundle())
  })

  test('is asked until they have looked; agreeing leaves it as it is', async () => {
    const id = idOf(await ask(overriding()))
    expect(await reviews()).toHaveLength(1)
    await gateway.turn('P4D')
    expect((await reviews())[0]?.words).toMatch(/no second person/)
    const reply = await look(id, true)
    expect([reply.status, part(reply, 'state')?.valueCode]).toEqual([200, 'approved-retrospectively'])
    expect(await reviews()).toHaveLength(0)
    expect((await look(id, false)).status).toBe(409)
  })

  test('says no: it ends there and then', async () => {
    const id = idOf(await ask(overriding()))
    await gateway.deliverer.idle()
    expect(part(await look(id, false), 'state')?.valueCode).toBe('rejected-retrospectively')
    expect(wordsIn((await gateway.as('probation').call('GET', '/fhir/Flag')).text)).not.toContain('risk')
    await gateway.deliverer.idle()
    expect(wordsIn(told('probation').at(-1)!.text)).not.toContain('risk')
  })

  test('is not whoever decided', async () => {
    const id = idOf(await ask(overriding()))
    const reply = await look(id, true, someone('by', 'nav  igator', 'manager'))
    expect([reply.status, issuesOf(reply)[0]?.expression]).toEqual([422, `Parameters.parameter.where(name='by')`])
  })

  test('comes first when it is no emergency; after three days without them it never takes effect', async () => {
    const calm = overriding({ name: 'emergency', valueBoolean: false })
    const [first, second] = [idOf(await ask(calm)), idOf(await ask(calm))]
    await gateway.deliverer.idle()
    expect(told('probation')).toHaveLength(1)
    expect(part(await look(first, true), 'state')?.valueCode).toBe('approved')
    await gateway.deliverer.idle()
    expect(wordsIn(told('probation')[1]!.text)).toContain('risk')
    await gateway.turn('P4D')
    expect((await look(second, true)).status).toBe(409)
    expect(await reviews()).toHaveLength(0)
  })
})

test('without any agreement a partner of the plan is told what the override lists, and the handover begins', async () => {
  at = await gateway.handIn(caseBundle({ agreed: null }))
  await ask(overriding(...toPartner('recovery'), code('item', 'medication')))
  await gateway.deliverer.idle()
  expect(wordsIn(told('recovery')[0]!.text)).toEqual(['identity', 'medication'])
  expect(of(told('recovery')[0]!.bundle, 'Consent')).toEqual([])
  expect(standing(await gateway.handover('recovery'))).toBe('requested delivered')
  for (const name of ['probation', 'enhanced', 'practice'] as const) expect(told(name)).toHaveLength(0)
})

describe('once, to somebody outside', () => {
  beforeEach(async () => {
    at = await gateway.handIn(caseBundle())
  })
  const document = (reply: { body: Parameters }) => part(reply, 'document')?.resource as Bundle

  test('a document with what is listed, for staff to hand over; nobody else hears of it', async () => {
    const before = Object.keys(partners).map((name) => gateway.partner(name).received.length)
    const reply = await ask(overriding(...toPolice, code('item', 'offence'), code('basis', 'court-order')))
    expect(document(reply).type).toBe('collection')
    expect(wordsIn(JSON.stringify(document(reply)))).toEqual(['identity', 'offence'])
    await gateway.settled()
    expect(Object.keys(partners).map((name) => gateway.partner(name).received.length)).toEqual(before)
  })

  test('counts among what was told, with its basis, and says when the person is not to see it', async () => {
    const reply = await ask(overriding(...toPolice, { name: 'safe-to-show', valueBoolean: false }))
    const who = await gateway.service.call<Parameters>('GET', `/fhir/${at.Patient}/$who-was-told`)
    const line = who.body.parameter?.find((one) => JSON.stringify(one).includes('Durham Constabulary'))
    expect(valuesOf({ resourceType: 'Parameters', parameter: [line!] }, 'basis')).toEqual([`Override/${idOf(reply)}`])
    expect(valuesOf({ resourceType: 'Parameters', parameter: [line!] }, 'what')).toContain('risk to others')
    expect(line?.part).toContainEqual({ name: 'not-for-person', valueBoolean: true })
  })

  test('comes with the second person’s word when it is no emergency', async () => {
    const asked = await ask(overriding(...toPolice, { name: 'emergency', valueBoolean: false }))
    expect(document(asked)).toBeUndefined()
    expect(wordsIn(JSON.stringify(document(await look(idOf(asked), true))))).toEqual(['identity', 'risk'])
  })

  test('the same request again gives the same document and is one disclosure', async () => {
    const headers = { 'x-request-id': '0e6a2f1e-5a54-4a3f-9a53-2f3b7c0d9a01' }
    const body = overriding(...toPolice)
    const [first, repeat] = [await ask(body, headers), await ask(body, headers)]
    expect(document(repeat)).toEqual(document(first))
    expect((await audited()).filter(({ action }) => action === 'disclose')).toHaveLength(1)
  })
})

describe('what is refused', () => {
  beforeEach(async () => {
    at = await gateway.handIn(caseBundle())
  })

  test.each([
    'recipient',
    'item',
    'basis',
    'reason',
    'at-risk',
    'consent-sought',
    'person-informed',
    'person-informed-note',
    'proportionality',
    'hours',
    'decided-by',
    'second-approver',
  ])('without %s: it is named, and nothing is written', async (name) => {
    const { person: _p, audit: _a, ...before } = await gateway.rows()
    const body = overriding()
    const reply = await ask({ ...body, parameter: body.parameter?.filter((one) => one.name !== name) })
    expect(reply.status).toBe(422)
    expect(issuesOf(reply).some(({ expression }) => expression?.startsWith(`Parameters.parameter.where(name='${name}')`))).toBe(true)
    const { person: _q, audit: _b, ...after } = await gateway.rows()
    expect(after).toEqual(before)
  })

  test('more hours than there may be, an unknown item, a partner the plan does not name', async () => {
    for (const more of [
      { name: 'hours', valueInteger: 73 },
      { name: 'item', valueReference: { reference: 'Condition/not-here' } },
      { name: 'item', valueReference: { reference: `Patient/not-here` } },
      { name: 'recipient', valueReference: { reference: 'Organization/nobody' } },
    ]) {
      const reply = await ask(overriding(more))
      expect([reply.status, issuesOf(reply)[0]?.expression?.slice(0, 30 + more.name.length)]).toEqual([
        422,
        `Parameters.parameter.where(name='${more.name}`.slice(0, 30 + more.name.length),
      ])
    }
    await gateway.deliverer.idle()
    expect(told('probation')).toHaveLength(1)
  })

  test('a client the directory does not name, whatever its scopes; a person of another service', async () => {
    for (const client of [gateway.service, gateway.as('probation'), gateway.client('prison-health')])
      expect((await client.call('POST', `/fhir/${at.Patient}/$override`, overriding())).status).toBe(403)
    expect((await desk().call('POST', '/fhir/Patient/nobody/$override', overriding())).status).toBe(404)
  })
})
