/**
 * Consent: none, given, limited, withdrawn, run out; and information nobody labelled. What is told follows it at once.
 */
import type { Flag, Parameters } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lookAgain } from '../../src/exchange/amend.ts'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { caseBundle, coded, consentOf, partners, usual, words, wordsIn } from '../fixtures/case-bundle.ts'
import { type Gateway, of, openGateway, says, standing, valuesOf } from '../fixtures/gateway.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const told = (name: keyof typeof partners) => gateway.partner(name).received
/** The person's agreement as it is from now on. */
const agree = async (at: Record<string, string>, agreed: Partial<typeof usual>, more: { until?: string; at?: string } = {}) => {
  const consent = consentOf({ patient: at.Patient!, agreed, at: '2026-04-02T08:30:00Z', ...more })
  const id = at.Consent?.split('/')[1]
  const { status, text } = id
    ? await gateway.service.call('PUT', `/fhir/Consent/${id}`, { ...consent, id })
    : await gateway.service.call('POST', '/fhir/Consent', consent)
  if (status > 201) throw new Error(text)
}
const { probation: _, ...withoutProbation } = usual
const { recovery: __, ...withoutRecovery } = usual

describe('no consent', () => {
  test('on record at all: nobody is asked for anything, and a work item says what is missing', async () => {
    await gateway.handIn(caseBundle({ agreed: null }))
    expect(await gateway.service.find('Task')).toHaveLength(0)
    expect(await gateway.work()).toMatchObject([{ reason: 'case-incomplete', words: expect.stringMatching(/no agreement/) }])
    for (const name of Object.keys(partners) as (keyof typeof partners)[]) {
      expect(told(name)).toHaveLength(0)
      expect(await gateway.as(name).find('Patient')).toHaveLength(0)
    }
  })

  test('a consent that names nobody: handovers wait as drafts, each with a work item, and the shelves are empty', async () => {
    await gateway.handIn(caseBundle({ agreed: {} }))
    const work = await gateway.work()
    for (const name of Object.keys(partners) as (keyof typeof partners)[]) {
      expect(told(name)).toHaveLength(0)
      const task = await gateway.handover(name)
      expect(standing(task)).toBe('draft consent-blocked')
      expect(work).toEqual(expect.arrayContaining([expect.objectContaining({ task: task.id, reason: 'consent-blocked' })]))
      for (const type of ['Patient', 'Task', 'ServiceRequest', 'CarePlan', 'Condition'] as const)
        expect(await gateway.as(name).find(type)).toHaveLength(0)
    }
    const why = await gateway.service.call<Parameters>('GET', `/fhir/Task/${(await gateway.handover('recovery')).id}/$why`)
    expect(valuesOf(why.body, 'decision')[0]).toMatch(/told nothing: the person has not agreed/)
  })

  test('given later, everybody named is told, and the work items are done', async () => {
    const at = await gateway.handIn(caseBundle({ agreed: null, releaseDate: '2026-04-20' }))
    await agree(at, withoutProbation)
    await gateway.deliverer.idle()
    expect([told('practice').length, told('recovery').length, told('enhanced').length, told('probation').length]).toEqual([1, 1, 1, 0])
    expect((await gateway.work()).map(({ reason }) => reason)).toEqual(['consent-blocked'])
    expect(standing(await gateway.handover('probation'))).toBe('draft consent-blocked')
  })
})

describe('withdrawn', () => {
  test('from one partner: its shelf is empty at once, one notice without content goes out, nobody else hears', async () => {
    const at = await gateway.handIn(caseBundle())
    await agree(at, withoutProbation)
    for (const type of ['Patient', 'Practitioner', 'CarePlan', 'Flag', 'Consent'] as const)
      expect(await gateway.as('probation').find(type)).toHaveLength(0)
    await gateway.deliverer.idle()
    const [first, notice, ...more] = told('probation')
    expect(more).toHaveLength(0)
    expect(of(notice!.bundle, 'ServiceRequest')[0]).toMatchObject({ status: 'revoked' })
    expect(wordsIn(notice!.text)).toEqual([])
    expect(of(notice!.bundle, 'Task')[0]?.id).toBe(of(first!.bundle, 'Task')[0]?.id)
    expect([told('recovery').length, told('enhanced').length]).toEqual([1, 1])
    // The plan still asks for it: it begins again and waits for a person, who asks or takes it out of the plan.
    expect((await gateway.handovers('probation')).map(standing)).toEqual(['cancelled recalled-message', 'draft consent-blocked'])
    expect((await gateway.work()).map(({ reason }) => reason)).toEqual(['consent-blocked'])
  })

  test('looking again changes nothing', async () => {
    const at = await gateway.handIn(caseBundle())
    await agree(at, withoutProbation)
    await gateway.deliverer.idle()
    const { person: _person, ...before } = await gateway.rows()
    for (let i = 0; i < 3; i++) await lookAgain(gateway.exchange, at.Patient!.split('/')[1]!)
    const { person: __person, ...after } = await gateway.rows()
    expect(after).toEqual(before)
  })

  test('an earlier version does not come back by vread or history', async () => {
    const at = await gateway.handIn(caseBundle())
    await agree(at, withoutProbation)
    const probation = gateway.as('probation')
    for (const path of ['', '/_history', '/_history/1'])
      expect((await probation.call('GET', `/fhir/${at.Patient}${path}`)).status).toBe(404)
  })

  test('while a message is due that never arrived: it is void, and no notice goes to somebody who knows nothing', async () => {
    gateway.partner('probation').answers = 'unreachable'
    const at = await gateway.handIn(caseBundle())
    expect((await gateway.owed('due')).map(({ partner }) => partner)).toEqual([partners.probation])
    await agree(at, withoutProbation)
    gateway.partner('probation').answers = 200
    await gateway.turn('P2D')
    expect((await gateway.owed('void')).map(({ partner, reason }) => [partner, reason])).toContainEqual([partners.probation, 'new'])
    for (const { text } of told('probation')) expect(wordsIn(text)).toEqual([])
  })

  test('while a message is due that a 503 sent back: it is void, and since it may have been seen a notice follows', async () => {
    gateway.partner('probation').answers = 503
    const at = await gateway.handIn(caseBundle())
    await agree(at, withoutProbation)
    gateway.partner('probation').answers = 200
    await gateway.turn('P1D')
    expect((await gateway.owed('void')).map(({ partner, reason }) => [partner, reason])).toEqual([[partners.probation, 'new']])
    const after = told('probation').filter(({ status }) => status === 200)
    expect(after).toHaveLength(1)
    expect(of(after[0]!.bundle, 'ServiceRequest')[0]?.status).toBe('revoked')
    expect(wordsIn(after[0]!.text)).toEqual([])
  })

  test('from a partner at work: it is asked to stop and says that it did', async () => {
    const at = await gateway.handIn(caseBundle())
    const recovery = gateway.as('recovery')
    const [task] = await recovery.find('Task')
    await recovery.call('PATCH', `/fhir/Task/${task?.id}`, says('accepted'))
    await agree(at, withoutRecovery)
    await gateway.deliverer.idle()
    expect(standing(await gateway.handover('recovery'))).toBe('accepted cancellation-requested')
    expect(await recovery.find('Patient')).toHaveLength(0)
    expect((await recovery.call('PATCH', `/fhir/Task/${task?.id}`, says('cancelled'))).status).toBe(200)
    expect((await gateway.handovers('recovery')).map(standing)).toEqual(['cancelled cancelled', 'draft consent-blocked'])
  })

  test('from a partner that is done, and agreed again: what was done stays as it was, and what the plan still asks is a new handover', async () => {
    const at = await gateway.handIn(caseBundle())
    const recovery = gateway.as('recovery')
    const [task] = await recovery.find('Task')
    for (const words of [says('accepted'), says('in-progress'), says('completed', 'engaged')])
      expect((await recovery.call('PATCH', `/fhir/Task/${task?.id}`, words)).status).toBe(200)
    await agree(at, withoutRecovery)
    await gateway.settled()
    expect((await gateway.handovers('recovery')).map(standing)).toEqual(['completed engaged'])
    expect((await gateway.work()).map(({ reason }) => reason)).toEqual([])
    await agree(at, usual, { at: '2026-04-02T08:40:00Z' })
    await gateway.settled()
    expect((await gateway.handovers('recovery')).map(standing).sort()).toEqual(['completed engaged', 'requested delivered'])
    const [first, stop, anew, ...more] = told('recovery').map(({ bundle }) => of(bundle, 'ServiceRequest')[0])
    expect([first?.status, stop?.status, anew?.status, more]).toEqual(['active', 'revoked', 'active', []])
    expect([stop?.id, anew?.id === first?.id]).toEqual([first?.id, false])
    // Nor does its old request come back where it is read.
    expect((await recovery.find('ServiceRequest', `_id=${first?.id}`)).map(({ status }) => status)).toEqual(['revoked'])
    expect(await reconcile(gateway.exchange)).toMatchObject({ repaired: 0 })
  })

  test('agreed again: a new handover, told anew', async () => {
    const at = await gateway.handIn(caseBundle())
    await agree(at, withoutProbation)
    await agree(at, usual, { at: '2026-04-02T08:40:00Z' })
    await gateway.deliverer.idle()
    expect(standing(await gateway.handover('probation'))).toBe('requested delivered')
    expect(told('probation').map(({ bundle }) => of(bundle, 'ServiceRequest')[0]?.status)).toEqual(['active', 'revoked', 'active'])
    // Once: looking again, whoever looks and however often, tells nothing more.
    const before = told('probation').length
    for (let times = 0; times < 2; times++) await lookAgain(gateway.exchange, at.Patient?.split('/')[1] as string)
    await gateway.settled()
    expect(told('probation')).toHaveLength(before)
  })
})

describe('one kind of information withdrawn', () => {
  test('the partner gets an update without it, and cannot tell that anything was withheld', async () => {
    const at = await gateway.handIn(caseBundle())
    expect(wordsIn(told('enhanced')[0]!.text)).toContain('mentalHealth')
    const noMentalHealth = { ...usual, enhanced: { upTo: 'R' as const, not: usual.probation.not!.slice(1) } }
    await agree(at, noMentalHealth)
    const shelf = (await gateway.as('enhanced').call('GET', '/fhir/Condition')).text
    expect(wordsIn(shelf)).not.toContain('mentalHealth')
    await gateway.deliverer.idle()
    const update = told('enhanced')[1]!
    expect(wordsIn(update.text)).toEqual(expect.arrayContaining(['identity', 'substance']))
    expect(wordsIn(update.text)).not.toContain('mentalHealth')
    expect(update.text).not.toMatch(/withheld|redact|masked|PSY/i)
    const denies = of(update.bundle, 'Consent').flatMap(({ provision }) =>
      (provision?.provision ?? []).filter(({ type }) => type === 'deny'),
    )
    expect(denies).toEqual([])
  })
})

describe('time', () => {
  test('an agreement that begins later: the clock alone tells', async () => {
    const bundle = caseBundle({ plan: ['recovery'] })
    const consent = of(bundle, 'Consent')[0]!
    consent.provision!.period = { start: '2026-04-06', end: '2026-12-31' }
    await gateway.handIn(bundle)
    expect(standing(await gateway.handover('recovery'))).toBe('draft consent-blocked')
    await gateway.turn('2026-04-05T22:59:59Z')
    expect(told('recovery')).toHaveLength(0)
    await gateway.turn('2026-04-05T23:00:00Z')
    expect(told('recovery')).toHaveLength(1)
  })

  test('an agreement that ends after the loop was closed still takes the information back', async () => {
    await gateway.handIn(caseBundle({ plan: ['recovery'], agreedUntil: '2026-04-10' }))
    const recovery = gateway.as('recovery')
    const [task] = await recovery.find('Task')
    for (const said of [says('accepted'), says('in-progress'), says('completed', 'engaged')]) {
      expect((await recovery.call('PATCH', `/fhir/Task/${task?.id}`, said)).status).toBe(200)
    }
    expect(await recovery.find('Patient')).toHaveLength(1)
    await gateway.turn('2026-04-11T00:00:00Z')
    expect(
      await gateway.database.query({
        sql: `select type from resource where shelf = ? and type in ('Patient', 'Condition')`,
        params: [`partner:${partners.recovery}`],
      }),
    ).toEqual([])
    expect(standing(await gateway.handover('recovery'))).toBe('completed engaged')
  })

  test('an agreement that ends at midnight: the shelf is emptied by the clock alone', async () => {
    await gateway.handIn(caseBundle({ agreedUntil: '2026-04-10' }))
    await gateway.turn('2026-04-10T22:59:00Z')
    expect(await gateway.as('recovery').find('Patient')).toHaveLength(1)
    await gateway.turn('2026-04-10T23:00:00Z')
    expect(await gateway.as('recovery').find('Patient')).toHaveLength(0)
    const notice = told('recovery').at(-1)!
    expect(of(notice.bundle, 'ServiceRequest')[0]?.status).toBe('revoked')
    expect(wordsIn(notice.text)).toEqual([])
  })

  test('who reads after midnight, before any timer ran, sees nothing', async () => {
    const at = await gateway.handIn(caseBundle({ agreedUntil: '2026-04-10' }))
    gateway.clock.set(new Date('2026-04-10T23:00:01Z'))
    const recovery = gateway.as('recovery')
    expect((await recovery.call('GET', `/fhir/${at.Patient}`)).status).toBe(404)
    const found = await recovery.call('GET', '/fhir/Condition')
    expect(wordsIn(found.text)).toEqual([])
    // Reading was enough to have everything looked at again.
    expect(await recovery.find('Patient')).toHaveLength(0)
    await gateway.settled()
    expect(of(told('recovery').at(-1)!.bundle, 'ServiceRequest')[0]?.status).toBe('revoked')
  })
})

describe('information without a label', () => {
  const flag: Flag = {
    resourceType: 'Flag',
    status: 'active',
    code: coded('flag', 'something-new', words.unlabelled),
    subject: { reference: 'set by the bundle' },
  }

  test('is told to nobody and asks a person to label it; labelled, it goes where it may', async () => {
    await gateway.handIn(caseBundle({ more: [flag] }))
    for (const name of ['recovery', 'probation', 'enhanced'] as const) expect(wordsIn(told(name)[0]!.text)).not.toContain('unlabelled')
    const unlabelled = (await gateway.service.find('Flag')).find(({ code }) => code.text === words.unlabelled)!
    expect(await gateway.work()).toEqual(
      expect.arrayContaining([expect.objectContaining({ reason: 'unlabelled', about: `unlabelled:Flag/${unlabelled.id}` })]),
    )

    const security = [
      { system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: 'N' },
      { system: 'https://reconnect.example/fhir/CodeSystem/category', code: 'adjustments' },
    ]
    await gateway.service.call('PUT', `/fhir/Flag/${unlabelled.id}`, {
      ...unlabelled,
      code: coded('flag', 'reasonable-adjustment', words.unlabelled),
      meta: { security },
    })
    await gateway.deliverer.idle()
    expect(wordsIn(told('recovery')[1]!.text)).toContain('unlabelled')
    expect((await gateway.work()).map(({ reason }) => reason)).not.toContain('unlabelled')
  })
})
