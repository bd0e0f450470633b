/**
 * Two records of one person become one, and two again when it was wrong: nothing is lost, partners keep what they are at, and nobody is
 * told about the other person.
 */
import type { Bundle, Patient, Resource } from '@medplum/fhirtypes'
import { afterEach, describe, expect, test } from 'vitest'
import { consentOf, type PartnerName, usual } from '../fixtures/case-bundle.ts'
import { type Gateway, of, openGateway, standing, valuesOf } from '../fixtures/gateway.ts'
import { handInEvent, prisonEvent } from '../fixtures/hmpps.ts'
import { caseFor, isIn, mergingOn, naming, numbers, ok, parameters } from '../fixtures/merging.ts'
import { referral } from '../fixtures/referral.ts'

let gateway: Gateway
afterEach(() => gateway.close())

const { merge, unmerge, reasons, recordOf, shelfOf } = mergingOn(() => gateway)

describe('two records become one', () => {
  test('the handover a partner is at goes on as it is, about the one person; the source leads to the target', async () => {
    gateway = await openGateway()
    const anna = await gateway.handIn(caseFor('Anna', { plan: ['recovery'] }))
    const target = `Patient/${(ok(await gateway.service.call('POST', '/fhir/Patient', { resourceType: 'Patient', name: [{ family: 'Twice', given: ['Jo'] }] })).body as Patient).id}`
    const task = await gateway.handover('recovery')
    ok(await gateway.as('recovery').call('PATCH', `/fhir/Task/${task.id}`, [{ op: 'replace', path: '/status', value: 'accepted' }]))
    const { body } = ok(await merge(anna.Patient as string, target))
    await gateway.settled()
    const kept = body.parameter?.find(({ name }) => name === 'result')?.resource as Patient
    expect([kept.link?.[0], kept.birthDate, kept.name?.map(({ family }) => family)]).toEqual([
      { other: { reference: anna.Patient }, type: 'replaces' },
      '1987-02-11',
      ['Twice', 'FennimarshAnna'],
    ])
    const left = (await gateway.service.call<Patient>('GET', `/fhir/${anna.Patient}`)).body
    expect([left.active, left.link]).toEqual([false, [{ other: { reference: target }, type: 'replaced-by' }]])
    const after = await gateway.handover('recovery')
    expect([after.id, standing(after), after.for?.reference]).toEqual([task.id, 'accepted accepted', target])
    const [told] = await gateway.as('recovery').find('Patient')
    // The name came with a record that had no agreement.
    expect([told?.id, told?.name?.map(({ family }) => family)]).toEqual([target.slice(8), ['FennimarshAnna']])
    expect(await reasons()).toContain('consent-unconfirmed')
    expect(await gateway.as('recovery').find('Task')).toHaveLength(1)
    // The history is whole, under the source's key and the target's.
    const history = ok(await gateway.service.call<Bundle>('GET', `/fhir/${anna.CarePlan}/_history`)).body
    expect(of(history, 'CarePlan').map(({ subject }) => subject.reference)).toEqual([target, anna.Patient])
    // The partner goes on answering, and the service reads it in the one record.
    ok(await gateway.as('recovery').call('PATCH', `/fhir/Task/${task.id}`, [{ op: 'replace', path: '/status', value: 'in-progress' }]))
    const account = ok(await gateway.service.call('GET', `/fhir/${target}/$who-was-told`)).text
    expect(account).toContain('wear-recovery')
  })

  test('a message that had not left is written again from the one record', async () => {
    gateway = await openGateway()
    gateway.partner('recovery').answers = 503
    const anna = await gateway.handIn(caseFor('Anna', { plan: ['recovery'] }))
    const berta = await gateway.handIn(caseFor('Berta', { plan: ['recovery'], agreed: null }))
    ok(await merge(anna.Patient as string, berta.Patient as string))
    gateway.partner('recovery').received.length = 0
    gateway.partner('recovery').answers = 200
    await gateway.turn('P1D')
    const due = await gateway.owed('due')
    expect(due.filter(({ basis }) => basis !== '[]')).toEqual([])
    for (const { patient } of await gateway.owed('delivered')) expect(berta.Patient).toBe(`Patient/${patient}`)
  })

  test('two agreements that are not the same: the partner they differ about is told nothing, until the person says it anew', async () => {
    gateway = await openGateway()
    const anna = await gateway.handIn(caseFor('Anna', { plan: ['recovery', 'probation'] }))
    const berta = await gateway.handIn(caseFor('Berta', { plan: ['recovery', 'probation'], agreed: { recovery: usual.recovery } }))
    const from = gateway.partner('probation').received.length
    ok(await merge(anna.Patient as string, berta.Patient as string))
    await gateway.settled()
    expect(await reasons()).toEqual(expect.arrayContaining(['consents-differ', 'merge-plans']))
    expect(await shelfOf('probation')).not.toMatch(/Anna|Berta/)
    for (const { text } of gateway.partner('probation').received.slice(from)) expect(text).not.toMatch(/Anna|Berta/)
    expect(await shelfOf('recovery')).toContain('FennimarshBerta')
    const agreed = consentOf({ patient: berta.Patient as string, agreed: usual, at: '2026-04-02T09:00:00Z' })
    ok(await gateway.service.call('POST', '/fhir/Consent', agreed))
    await gateway.settled()
    expect(await reasons()).not.toContain('consents-differ')
    expect(await shelfOf('probation')).toContain('FennimarshBerta')
  })

  test('the referral a referrer told stays on its shelf as it told it, and nothing there names the other record', async () => {
    gateway = await openGateway()
    const { body } = await gateway.client('prison-health').call<Bundle>('POST', '/fhir/$process-message', referral({ known: true }))
    const anna = await gateway.handIn(caseFor('Anna', { plan: ['recovery'] }))
    const read = async () => {
      const [tasks, requests] = [
        await gateway.client('prison-health').find('Task'),
        await gateway.client('prison-health').find('ServiceRequest'),
      ]
      return [...tasks, ...requests].map(({ meta: _m, ...rest }) => JSON.stringify(rest))
    }
    const before = await read()
    ok(await merge(`Patient/${of(body, 'Patient')[0]?.id}`, anna.Patient as string))
    expect(await read()).not.toEqual([])
    const after = await read()
    expect(after.join()).not.toContain(anna.Patient as string)
    expect(after[1]).toEqual(before[1])
    // What the record it is part of now says may answer what was asked for; whom it is about does not change.
    expect(JSON.parse(after[0] as string).for).toEqual(JSON.parse(before[0] as string).for)
  })

  test('every number of either finds the one person, what HMPPS says of any of them reaches it, and two again each has their own', async () => {
    gateway = await openGateway()
    const [a, b] = [(await gateway.handIn(caseFor('Anna'))).Patient as string, (await gateway.handIn(caseFor('Berta'))).Patient as string]
    const found = async (value: string) =>
      (await gateway.service.find('Patient', `identifier=${value}&active=true`)).map(({ id }) => `Patient/${id}`)
    ok(await merge(a, b))
    for (const who of ['Anna', 'Berta'] as const) for (const number of numbers[who].slice(0, 2)) expect(await found(number)).toEqual([b])
    await gateway.turn('PT2H')
    let minute = 10
    const place = (noms: string, prison: string) =>
      handInEvent(gateway, prisonEvent('received', { noms, prison, code: 'INT', at: `2026-04-02T10:${minute++}:00+01:00` }))
    for (const [noms, prison] of [
      [numbers.Anna[1], 'LEI'],
      [numbers.Berta[1], 'HHI'],
    ] as const)
      expect((await place(noms, prison)).body.changed.map(({ patient }) => patient)).toEqual([b])
    // HMPPS goes on with another number in place of the one of before.
    const survived = { type: 'NOMS', value: 'B9999ZX' }
    const event = {
      eventType: 'prison-offender-events.prisoner.merged',
      version: 1,
      occurredAt: gateway.clock.now().toISOString(),
      personReference: { identifiers: [survived] },
      additionalInformation: { nomsNumber: survived.value, removedNomsNumber: numbers.Anna[1], reason: 'MERGE', bookingId: '1' },
    }
    ok(await handInEvent(gateway, event))
    expect(await found('B9999ZX')).toEqual([b])
    expect((await place('B9999ZX', 'DMI')).body.changed.map(({ patient }) => patient)).toEqual([b])
    const [told] = await gateway.as('probation').find('Patient')
    expect(JSON.stringify(told)).not.toMatch(/B9999ZX|B1357CD|9990004005/)
    ok(await unmerge(a))
    for (const [who, patient] of [
      ['Anna', a],
      ['Berta', b],
    ] as const)
      for (const number of numbers[who].slice(0, 2)) expect(await found(number)).toEqual([patient])
    // A number that came meanwhile is nobody's until a person has looked.
    expect(await found('B9999ZX')).toEqual([])
    expect((await gateway.work()).find(({ reason }) => reason === 'unmerged')?.words).toContain(b)
  })

  test('a preview says what would become of each partner, what the two do not say alike and whose agreement counts; and so it comes', async () => {
    gateway = await openGateway()
    const anna = await gateway.handIn(caseFor('Anna', { plan: ['recovery', 'probation'] }))
    const berta = await gateway.handIn(caseFor('Berta', { plan: ['recovery', 'enhanced'], agreed: { recovery: usual.recovery } }))
    const [a, b] = [anna.Patient as string, berta.Patient as string]
    const { body } = ok(await merge(a, b, { name: 'preview', valueBoolean: true }))
    expect(valuesOf(body, 'conflict')).toEqual([
      'Each has another NHS number.',
      'Each has another prison number.',
      'They do not have the same date of birth: the one of the record that stays counts.',
      'They do not have the same address: the one of the record that stays counts.',
      'They do not have the same phone or e-mail: the one of the record that stays counts.',
      'Both have a plan: the one of the record that stays goes on, and the partners of the other are told to stop.',
    ])
    expect(valuesOf(body, 'agreement')).toEqual([
      'Both have an agreement: a partner is told only what it would be told under either of them.',
    ])
    const parts = (body.parameter ?? []).filter(({ name }) => name === 'partner')
    const then = Object.fromEntries(parts.map(({ part }) => [part?.[0]?.valueReference?.reference, part?.at(-1)?.valueString]))
    expect(then).toEqual({
      'Organization/wear-recovery': 'It is told to stop with one handover, and told anew with the other.',
      'Organization/tees-probation': 'It is told to stop.',
      'Organization/enhanced-tees': 'It is told nothing.',
    })
    const from = new Map((['recovery', 'probation', 'enhanced'] as const).map((name) => [name, gateway.partner(name).received.length]))
    ok(await merge(a, b))
    await gateway.settled()
    const sent = [...from].map(([name, n]) =>
      gateway
        .partner(name)
        .received.slice(n)
        .map(({ text }) => text.includes('"revoked"'))
        .sort(),
    )
    expect(sent).toEqual([[false, true], [true], []])
  })

  test('what can not be merged says so, a preview changes nothing, and nothing is written to a record that is part of another', async () => {
    gateway = await openGateway()
    const anna = await gateway.handIn(caseFor('Anna', { plan: ['recovery'] }))
    const berta = await gateway.handIn(caseFor('Berta', { plan: ['recovery'] }))
    const [a, b] = [anna.Patient as string, berta.Patient as string]
    expect((await merge(a, a)).status).toBe(422)
    expect((await merge(a, 'Patient/nobody')).status).toBe(404)
    expect(
      (
        await gateway
          .client('other-system')
          .call('POST', '/fhir/Patient/$merge', parameters(naming('source-patient', a), naming('target-patient', b)))
      ).status,
    ).toBe(404)
    expect((await gateway.as('recovery').call('POST', '/fhir/Patient/$merge', parameters())).status).toBe(403)
    const { audit: _before, ...rows } = await gateway.rows()
    expect((await merge(a, b, { name: 'preview', valueBoolean: true })).text).toContain('FennimarshAnna')
    // But that somebody looked.
    const { audit: _after, ...still } = await gateway.rows()
    expect(still).toEqual(rows)
    ok(await merge(a, b))
    expect((await merge(a, b)).status).toBe(409)
    const written = await gateway.service.call('POST', '/fhir/Flag', {
      resourceType: 'Flag',
      status: 'active',
      code: { text: 'x' },
      subject: { reference: a },
    })
    expect([written.status, written.text.includes(b)]).toEqual([409, true])
    expect((await unmerge(a)).status).toBe(200)
    expect((await unmerge(a)).status).toBe(409)
  })
})

describe('and two again', () => {
  test('each has what was theirs, to the letter, and their handovers where those are; partners hold what they held', async () => {
    gateway = await openGateway()
    const anna = await gateway.handIn(caseFor('Anna', { plan: ['recovery', 'probation'] }))
    const berta = await gateway.handIn(caseFor('Berta', { plan: ['enhanced', 'practice'] }))
    const [a, b] = [anna.Patient as string, berta.Patient as string]
    // Versions and times are new, and so is what became of a handover.
    const own = async (patient: string) => (await recordOf(patient)).filter((text) => !/"resourceType":"Task"|Id\/handover/.test(text))
    const before = [await own(a), await own(b)]
    ok(await merge(a, b))
    await gateway.settled()
    ok(await unmerge(b, { name: 'reason', valueString: 'Two cousins' }))
    await gateway.settled()
    expect([await own(a), await own(b)]).toEqual(before)
    for (const name of ['recovery', 'probation'] as const)
      expect([await shelfOf(name)].map((text) => [isIn(text, 'Anna'), isIn(text, 'Berta')])).toEqual([[true, false]])
    const enhanced = await shelfOf('enhanced')
    expect([isIn(enhanced, 'Anna'), isIn(enhanced, 'Berta')]).toEqual([false, true])
    // Not proposed again for what they had in common.
    expect(await reasons()).not.toContain('duplicate')
  })

  test.each([503, 'hangs-up'] as const)(
    'taken apart while a message about the one is on its way, answered %s: what is tried again holds one person',
    async (end) => {
      gateway = await openGateway()
      const anna = await gateway.handIn(caseFor('Anna', { plan: ['recovery'] }))
      await gateway.turn('PT1M')
      const berta = await gateway.handIn(caseFor('Berta', { plan: ['recovery'] }))
      const [a, b] = [anna.Patient as string, berta.Patient as string]
      const recovery = gateway.partner('recovery')
      const both = ({ text }: { text: string }) => isIn(text, 'Anna') && isIn(text, 'Berta')
      let apart: Promise<unknown> | undefined
      recovery.answers = async (text) => {
        if (apart || !both({ text })) return 200
        apart = unmerge(a).then(ok)
        await apart
        recovery.answers = 200
        if (end === 'hangs-up') throw new TypeError('fetch failed')
        return end
      }
      ok(await merge(a, b))
      await gateway.settled()
      await apart
      const from = recovery.received.findIndex(both)
      expect(from).toBeGreaterThan(0)
      await gateway.turn('P1D')
      expect(recovery.received.slice(from + 1).filter(both)).toEqual([])
      const text = await shelfOf('recovery')
      expect([isIn(text, 'Anna'), isIn(text, 'Berta')]).toEqual([true, true])
      for (const task of await gateway.as('recovery').find('Task')) expect([a, b]).toContain(task.for?.reference)
    },
  )

  test('what was recorded meanwhile is told to nobody until a person has said whose it is', async () => {
    gateway = await openGateway()
    const anna = await gateway.handIn(caseFor('Anna', { plan: ['recovery'] }))
    const berta = await gateway.handIn(caseFor('Berta', { plan: ['recovery'] }))
    const [a, b] = [anna.Patient as string, berta.Patient as string]
    ok(await merge(a, b))
    const fact = {
      resourceType: 'Flag',
      status: 'active',
      code: { text: 'Quiet room, Lateword' },
      subject: { reference: b },
      meta: { security: [{ system: 'https://reconnect.example/fhir/CodeSystem/category', code: 'adjustments' }] },
    }
    const late = ok(await gateway.service.call('POST', '/fhir/Flag', fact)).body
    await gateway.settled()
    expect(await shelfOf('recovery')).toContain('Lateword')
    ok(await unmerge(a))
    await gateway.settled()
    expect(await shelfOf('recovery')).not.toContain('Lateword')
    expect(await reasons()).toContain('unsorted')
    const { meta: _m, ...plain } = (await gateway.service.call<Resource & { code: object }>('GET', `/fhir/Flag/${late.id}`)).body
    ok(await gateway.service.call('PUT', `/fhir/Flag/${late.id}`, { ...plain, meta: fact.meta }))
    await gateway.settled()
    expect(await shelfOf('recovery')).toContain('Lateword')
    expect(await reasons()).not.toContain('unsorted')
  })

  test('an agreement changed meanwhile permits nothing to anybody, until each says it anew', async () => {
    gateway = await openGateway()
    const anna = await gateway.handIn(caseFor('Anna', { plan: ['recovery'] }))
    const berta = await gateway.handIn(caseFor('Berta', { plan: ['probation'] }))
    const [a, b] = [anna.Patient as string, berta.Patient as string]
    ok(await merge(a, b))
    ok(await gateway.service.call('POST', '/fhir/Consent', consentOf({ patient: b, agreed: usual, at: '2026-04-02T09:00:00Z' })))
    ok(await unmerge(a))
    await gateway.settled()
    expect(await reasons()).toContain('consents-unsorted')
    for (const name of ['recovery', 'probation'] as const) expect(await shelfOf(name)).not.toMatch(/Anna|Berta/)
    for (const patient of [a, b])
      ok(await gateway.service.call('POST', '/fhir/Consent', consentOf({ patient, agreed: usual, at: '2026-04-02T10:00:00Z' })))
    await gateway.settled()
    expect(await reasons()).not.toContain('consents-unsorted')
    const recovery = await shelfOf('recovery')
    expect([isIn(recovery, 'Anna'), isIn(recovery, 'Berta')]).toEqual([true, false])
  })

  test('two merged into one are undone from the last: nothing of the first comes back with the second', async () => {
    gateway = await openGateway()
    const create = async (family: string, more = {}) =>
      `Patient/${ok(await gateway.service.call('POST', '/fhir/Patient', { resourceType: 'Patient', name: [{ family }], ...more })).body.id}`
    const [one, two, home] = [await create('One', { birthDate: '1990-06-30' }), await create('Two'), await create('Home')]
    const asItWas = ok(await gateway.service.call<Patient>('GET', `/fhir/${home}`)).body
    ok(await merge(one, home))
    ok(await merge(two, home))
    const early = await unmerge(one)
    expect([early.status, early.text.includes(two)]).toEqual([409, true])
    const now = ok(await gateway.service.call<Patient>('GET', `/fhir/${home}`)).body
    ok(await gateway.service.call('PUT', `/fhir/${home}`, { ...now, gender: 'female' }))
    ok(await unmerge(two))
    expect((await gateway.work()).find(({ reason }) => reason === 'unmerged')?.words).toContain(home)
    ok(await unmerge(one))
    const { meta: _m, ...left } = ok(await gateway.service.call<Patient>('GET', `/fhir/${home}`)).body
    expect({ ...left, meta: asItWas.meta }).toEqual(asItWas)
  })

  test.each([[[]], [['recovery']]] as PartnerName[][][])(
    'what was said while they were one, %j, may have been either’s: merged again, the agreement of one does not speak for the other',
    async (said) => {
      for (const who of ['Anna', 'Berta'] as const) {
        await gateway?.close()
        gateway = await openGateway()
        const anna = await gateway.handIn(caseFor('Anna', { plan: ['recovery'], agreed: null }))
        const berta = await gateway.handIn(caseFor('Berta', { plan: ['recovery'], agreed: null }))
        const at = { Anna: anna.Patient as string, Berta: berta.Patient as string }
        const agree = async (patient: string, to: readonly PartnerName[]) => {
          const agreed = Object.fromEntries(to.map((name) => [name, usual[name]]))
          const now = gateway.clock.now().toISOString()
          ok(await gateway.service.call('POST', '/fhir/Consent', consentOf({ patient, agreed, at: now })))
          await gateway.turn('PT1M')
        }
        ok(await merge(at.Anna, at.Berta))
        await agree(at.Berta, said)
        ok(await unmerge(at.Anna))
        await agree(at[who], ['recovery'])
        ok(await merge(at.Anna, at.Berta))
        await gateway.settled()
        expect(isIn(await shelfOf('recovery'), who === 'Anna' ? 'Berta' : 'Anna')).toBe(false)
        expect(await reasons()).toContain('consents-unsorted')
        await agree(at.Berta, ['recovery'])
        expect(await reasons()).not.toContain('consents-unsorted')
        expect(await shelfOf('recovery')).toContain('FennimarshBerta')
      }
    },
  )

  test('three agreements of which one differs: merged one after the other, it still counts', async () => {
    gateway = await openGateway()
    const both = { recovery: usual.recovery, probation: usual.probation }
    const anna = await gateway.handIn(caseFor('Anna', { plan: ['probation'], agreed: { recovery: usual.recovery } }))
    const berta = await gateway.handIn(caseFor('Berta', { plan: ['probation'], agreed: null }))
    const third = `Patient/${ok(await gateway.service.call('POST', '/fhir/Patient', { resourceType: 'Patient', name: [{ family: 'Third' }] })).body.id}`
    const later = { [berta.Patient as string]: '2026-04-02T09:00:00Z', [third]: '2026-04-02T10:00:00Z' }
    for (const [patient, at] of Object.entries(later))
      ok(await gateway.service.call('POST', '/fhir/Consent', consentOf({ patient, agreed: both, at })))
    await gateway.settled()
    // Berta's own agreement permitted it; what Anna did not permit counts from here.
    expect(await shelfOf('probation')).toContain('Berta')
    ok(await merge(anna.Patient as string, berta.Patient as string))
    ok(await merge(berta.Patient as string, third))
    await gateway.settled()
    expect(await reasons()).toContain('consents-differ')
    expect(await shelfOf('probation')).not.toMatch(/Anna|Berta/)
  })

  test('three records, undone in the order that leaves each whole', async () => {
    gateway = await openGateway()
    const create = async (family: string) =>
      `Patient/${ok(await gateway.service.call('POST', '/fhir/Patient', { resourceType: 'Patient', name: [{ family }] })).body.id}`
    const [one, two, three] = [await create('One'), await create('Two'), await create('Three')]
    ok(await merge(one, two))
    ok(await merge(two, three))
    expect((await unmerge(one)).status).toBe(409)
    ok(await unmerge(two))
    ok(await unmerge(one))
    for (const patient of [one, two, three])
      expect((await gateway.service.call<Patient>('GET', `/fhir/${patient}`)).body).toMatchObject({ name: [{}] })
    expect((await gateway.service.find('Patient', 'active=false')).length).toBe(0)
  })
})
