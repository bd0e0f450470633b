/**
 * What follows when an agreement is narrowed, widened, replaced, runs out, was a mistake or is under review, when the support ends,
 * and when the person dies: in the same commit, on every shelf, for everybody who holds something.
 */
import type { Consent, Flag, Parameters, Resource } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { consentPhase } from '../../src/domain/who-agreed.ts'
import { actCode } from '../../src/fhir/systems.ts'
import { statement } from '../../src/store/database.ts'
import { caseBundle, consentOf, partners, planOf, usual, words, wordsIn } from '../fixtures/case-bundle.ts'
import { type Gateway, of, openGateway, says, standing, valuesOf } from '../fixtures/gateway.ts'
import { close } from '../fixtures/referral-operations.ts'

let gateway: Gateway
let at: Record<string, string>
beforeEach(async () => {
  gateway = await openGateway()
  at = await gateway.handIn(caseBundle())
})
afterEach(() => gateway.close())

type Name = keyof typeof partners
const told = (name: Name) => gateway.partner(name).received
const id = (ref: string | undefined) => ref?.split('/')[1] as string
const put = async (body: Resource) => {
  const { status, text } = await gateway.service.call('PUT', `/fhir/${body.resourceType}/${body.id}`, body)
  if (status !== 200) throw new Error(text)
  await gateway.deliverer.idle()
}
const agree = (agreed: Partial<typeof usual>, more: { status?: Consent['status']; until?: string; at?: string } = {}) =>
  put(consentOf({ patient: at.Patient!, agreed, at: '2026-04-02T08:30:00Z', id: id(at.Consent), ...more }))
const change = async (type: 'ServiceRequest' | 'CarePlan' | 'Patient', more: object) => {
  const { body } = await gateway.service.call('GET', `/fhir/${at[type]}`)
  await put({ ...body, ...more })
}
const reasons = async () => (await gateway.work()).map(({ reason }) => reason)
/** Everything a partner can still read, old versions and all. */
const everything = async (name: Name): Promise<string> => {
  const rows = await gateway.database.query<{ type: string; id: string }>(
    statement(
      'select distinct type, id from (select type, id, shelf from resource union all select type, id, shelf from resource_version) where shelf = ?',
      `partner:${partners[name]}`,
    ),
  )
  const texts = await Promise.all(
    rows.map(async (row) => (await gateway.as(name).call('GET', `/fhir/${row.type}/${row.id}/_history`)).text),
  )
  return texts.join('\n')
}
const versions = (name: Name, type: string) =>
  gateway.database.query<{ n: number }>(
    statement('select count(*) as n from resource_version where shelf = ? and type = ?', `partner:${partners[name]}`, type),
  )
const lastStatus = (name: Name) => of(told(name).at(-1)!.bundle, 'ServiceRequest')[0]?.status

describe('narrowed', () => {
  test('the partner gets an update with less, and nothing of it is left in old versions, readable or not', async () => {
    const patient = (await gateway.service.call('GET', `/fhir/${at.Patient}`)).body
    await put({ ...patient, telecom: [{ system: 'phone', value: '07700900452' }] } as typeof patient)
    expect(await everything('enhanced')).toContain(words.contact)
    const { upTo } = usual.enhanced
    await agree({ ...usual, enhanced: { upTo, not: [{ system: 'https://reconnect.example/fhir/CodeSystem/category', code: 'contact' }] } })
    const left = await everything('enhanced')
    for (const gone of [words.contact, '07700900452']) expect([left, told('enhanced').at(-1)!.text].join()).not.toContain(gone)
    expect(await versions('enhanced', 'Patient')).toEqual([{ n: 0 }])
    expect(left).toContain(words.identity)
  })

  test('widened again: an update with more', async () => {
    await agree({ ...usual, enhanced: { upTo: 'R', not: [{ system: actCode, code: 'PSY' }] } })
    expect(wordsIn(told('enhanced').at(-1)!.text)).not.toContain('mentalHealth')
    await agree(usual, { at: '2026-04-02T08:40:00Z' })
    expect(told('enhanced')).toHaveLength(3)
    expect(wordsIn(told('enhanced').at(-1)!.text)).toContain('mentalHealth')
  })

  test('by another Consent: the older one is superseded, whatever its status still says', async () => {
    const { probation: _, ...fewer } = usual
    await gateway.service.call('POST', '/fhir/Consent', consentOf({ patient: at.Patient!, agreed: fewer, at: '2026-04-02T08:30:00Z' }))
    await gateway.deliverer.idle()
    expect(lastStatus('probation')).toBe('revoked')
    expect(wordsIn(await everything('probation'))).toEqual([])
  })
})

test('a handover that is taken out of the plan leaves no old version that says what was asked, while the agreement stands', async () => {
  const recovery = gateway.as('recovery')
  const [task] = await recovery.find('Task')
  await recovery.call('PATCH', `/fhir/Task/${task?.id}`, says('accepted'))
  expect(await everything('recovery')).toContain('substance-misuse')
  await put(planOf({ patient: at.Patient!, team: at.CareTeam!, plan: ['practice', 'probation', 'enhanced'], id: id(at.CarePlan) }))
  const left = await everything('recovery')
  expect(left).toContain(task?.id)
  expect(wordsIn(left)).toEqual([])
  // The kind of partner it is stays in the category of the request; what it was asked for does not.
  expect(left).not.toContain('support-activity')
  expect(left).not.toContain(':substance-misuse')
  expect(told('recovery').at(-1)!.text).not.toContain('support-activity')
})

test('what is found out to be sensitive while a message waits: the message that says it is not sent any more', async () => {
  gateway.partner('practice').answers = 503
  await gateway.turn('2026-04-18T08:00:00Z')
  expect(wordsIn(told('practice')[0]!.text)).toContain('medication')
  const [medicine] = await gateway.service.find('MedicationStatement')
  const { security = [] } = medicine?.meta ?? {}
  await put({ ...medicine!, meta: { security: [...security, { system: actCode, code: 'ETH' }] } })
  const before = told('practice').length
  gateway.partner('practice').answers = 200
  await gateway.turn('P1D')
  const after = told('practice').slice(before)
  expect(after.map(({ text }) => wordsIn(text))).toEqual([expect.not.arrayContaining(['medication'])])
  expect(standing(await gateway.handover('practice'))).toBe('requested delivered')
})

describe('an agreement that will run out', () => {
  test('the worker is asked fourteen days before to ask the person; when it runs out everybody is told to stop', async () => {
    await agree(usual, { until: '2026-06-30' })
    await gateway.turn('2026-06-15T22:59:59Z')
    expect(await reasons()).not.toContain('consent-renewal')
    await gateway.turn('2026-06-15T23:00:00Z')
    expect((await gateway.work()).filter(({ reason }) => reason === 'consent-renewal')).toMatchObject([
      { words: expect.stringContaining('30 June 2026') },
    ])
    await gateway.turn('2026-06-30T23:00:00Z')
    expect(await reasons()).not.toContain('consent-renewal')
    for (const name of ['recovery', 'probation', 'enhanced'] as const) {
      expect(lastStatus(name)).toBe('revoked')
      expect(wordsIn(await everything(name))).toEqual([])
    }
  })

  test('given anew in time, nobody is asked any more', async () => {
    await agree(usual, { until: '2026-06-30' })
    await gateway.turn('2026-06-16T12:00:00Z')
    await agree(usual, { until: '2026-12-31', at: '2026-06-16T12:00:00Z' })
    expect(await reasons()).not.toContain('consent-renewal')
  })
})

describe('the support ends', () => {
  test('and whoever might have taken the person over accepts afterwards: nobody is, and nothing comes back to their shelf', async () => {
    const enhanced = gateway.as('enhanced')
    const [task] = await enhanced.find('Task')
    await enhanced.call('PATCH', `/fhir/Task/${task?.id}`, says('received'))
    expect((await close(gateway.service, at.ServiceRequest as string)).status).toBe(200)
    await gateway.settled()
    const sent = told('enhanced').length
    expect((await enhanced.call('PATCH', `/fhir/Task/${task?.id}`, says('completed', 'engaged'))).status).toBe(200)
    await gateway.settled()
    expect(wordsIn(await everything('enhanced'))).toEqual([])
    expect(told('enhanced')).toHaveLength(sent)
  })

  test.each(['ServiceRequest', 'CarePlan'] as const)(
    '%s completed: nothing new, empty shelves, and who holds something hears that it is over',
    async (type) => {
      const recovery = gateway.as('recovery')
      const [task] = await recovery.find('Task')
      for (const said of [says('accepted'), says('in-progress'), says('completed', 'engaged')])
        await recovery.call('PATCH', `/fhir/Task/${task?.id}`, said)
      const waiting = gateway.as('probation')
      await waiting.call('PATCH', `/fhir/Task/${(await waiting.find('Task'))[0]?.id}`, says('accepted'))
      if (type === 'CarePlan') await change(type, { status: 'completed' })
      else expect((await close(gateway.service, at.ServiceRequest as string)).status).toBe(200)
      await gateway.settled()
      // What was done stays done; what was under way is asked to stop; what was never opened is taken back.
      expect(standing(await gateway.handover('recovery'))).toBe('completed engaged')
      expect(lastStatus('recovery')).toBe('completed')
      expect(standing(await gateway.handover('probation'))).toBe('accepted cancellation-requested')
      expect(standing(await gateway.handover('enhanced'))).toBe('cancelled recalled-message')
      for (const name of ['enhanced', 'probation'] as const) expect(lastStatus(name)).toBe('revoked')
      for (const name of ['recovery', 'enhanced', 'probation'] as const) {
        expect(wordsIn(await everything(name))).toEqual([])
        expect(wordsIn(told(name).at(-1)!.text)).toEqual([])
      }
      const sent = told('recovery').length
      await agree(usual, { at: '2026-04-02T09:00:00Z' })
      await gateway.turn('P30D')
      expect(told('recovery')).toHaveLength(sent)
      const who = await gateway.service.call<Parameters>('GET', `/fhir/${at.Patient}/$who-was-told`)
      expect(valuesOf(who.body, 'how')).toContain('was told that the support has ended, without content')
    },
  )
})

test('the person dies: what nobody received is cancelled, and who holds something gets a notice without content only', async () => {
  const recovery = gateway.as('recovery')
  await recovery.call('PATCH', `/fhir/Task/${(await recovery.find('Task'))[0]?.id}`, says('received'))
  await change('Patient', { deceasedBoolean: true })
  expect(
    (await Promise.all((['practice', 'probation', 'enhanced'] as const).map((name) => gateway.handover(name)))).map(({ status }) => status),
  ).toEqual(['cancelled', 'cancelled', 'cancelled'])
  expect(standing(await gateway.handover('recovery'))).toBe('received cancellation-requested')
  expect(told('practice')).toHaveLength(0)
  for (const name of ['recovery', 'probation', 'enhanced'] as const) {
    expect(told(name)).toHaveLength(2)
    expect(wordsIn(told(name)[1]!.text)).toEqual([])
    expect(wordsIn(await everything(name))).toEqual([])
  }
})

describe('an agreement recorded in error', () => {
  test('takes everything back, and asks once for a look at who was told under it', async () => {
    await agree(usual, { status: 'entered-in-error' })
    const asked = async () => (await gateway.work()).filter(({ reason }) => reason === 'consent-in-error')
    expect((await asked())[0]?.words).toMatch(/Partner enhanced, Partner probation, Partner recovery/)
    for (const name of ['recovery', 'probation', 'enhanced'] as const) expect(wordsIn(await everything(name))).toEqual([])
    await gateway.turn('P1D')
    expect(await asked()).toHaveLength(1)
    await gateway.database.atomically([
      statement(`update work_item set resolved_at = ? where reason = 'consent-in-error'`, '2026-04-03T08:00:00.000Z'),
    ])
    await gateway.turn('P30D')
    expect(await asked()).toHaveLength(0)
  })
})

describe('capacity under review', () => {
  const review = [{ url: consentPhase, valueCode: 'capacity-review' }]

  test('what partners hold stays, nothing new is told, and a person is asked to settle it', async () => {
    const consent = (await gateway.service.call<Consent>('GET', `/fhir/${at.Consent}`)).body
    await put({ ...consent, extension: review } as Consent)
    await put({ ...(await gateway.service.find('Flag'))[0]!, code: { text: 'A new word: Unheardof' } } as Flag)
    for (const name of ['recovery', 'probation', 'enhanced'] as const) {
      expect(told(name)).toHaveLength(1)
      expect(await everything(name)).not.toContain('Unheardof')
      expect(wordsIn((await gateway.as(name).call('GET', '/fhir/Patient')).text)).toContain('identity')
    }
    expect(await reasons()).toContain('capacity-review')
    // A partner that was not told before is not told now.
    await gateway.turn('2026-05-01T08:00:00Z')
    expect(told('practice')).toHaveLength(0)
    const { extension: _, ...settled } = (await gateway.service.call<Consent>('GET', `/fhir/${at.Consent}`)).body as Consent & {
      extension: unknown
    }
    await put(settled as Consent)
    expect(told('enhanced').at(-1)!.text).toContain('Unheardof')
    expect(told('practice')).toHaveLength(1)
  })
})
