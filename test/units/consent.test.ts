import type { Coding, Consent, ConsentProvision } from '@medplum/fhirtypes'
import { assert, constantFrom, property, record, subarray } from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Source } from '../../src/domain/case.ts'
import { allCategories, type Category, type Confidentiality, categories } from '../../src/domain/categories.ts'
import { decide, governing } from '../../src/domain/consent.ts'
import { actCode, actReason, BASE, confidentiality, odsCode, ours } from '../../src/fhir/systems.ts'

const conf = (code: string): Coding => ({ system: confidentiality, code })
const act = (code: string): Coding => ({ system: actCode, code })
const own = (code: string): Coding => ({ system: ours('category'), code })
const why = (code: string): Coding => ({ system: actReason, code })
const IRCP = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', code: 'IRCP' }] }
const to = (partner: string) => ({ role: IRCP, reference: { reference: `Organization/${partner}` } })

const permit = (partner: string, rest: Partial<ConsentProvision> = {}): ConsentProvision => ({
  type: 'permit',
  actor: [to(partner)],
  purpose: [why('TREAT'), why('COC')],
  securityLabel: [conf('R')],
  ...rest,
})
const deny = (partner: string, rest: Partial<ConsentProvision> = {}): ConsentProvision => ({ type: 'deny', actor: [to(partner)], ...rest })

const consent = (provision: ConsentProvision[], rest: Partial<Consent> = {}): Consent => ({
  resourceType: 'Consent',
  id: 'c',
  meta: { versionId: '3' },
  status: 'active',
  scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
  category: [{ coding: [act('IDSCL')] }],
  patient: { reference: 'Patient/p' },
  dateTime: '2026-03-01T10:15:00Z',
  policyRule: { coding: [act('OPTINR')] },
  provision: { type: 'deny', period: { start: '2026-03-01', end: '2026-11-30' }, provision },
  ...rest,
})

/** What one person agreed to with four partners. */
const agreed = consent([
  permit('gp'),
  deny('gp', { securityLabel: [act('ETH')] }),
  permit('drugs'),
  permit('probation', { securityLabel: [conf('N')] }),
  deny('probation', { securityLabel: [act('ETH'), act('PSY')] }),
  permit('enhanced'),
])

const source = (category: Category | Category[], rest: Partial<Source> = {}): Source => {
  const all = [category].flat()
  const level = all.some((each) => categories[each].confidentiality !== 'N') ? 'R' : 'N'
  return { ref: 'Condition/1', categories: all, confidentiality: level, ...rest }
}
const ask = (consents: Consent | Consent[], partner: string, now = '2026-03-02T09:00:00Z', more: { kind?: string; ods?: string } = {}) =>
  decide({
    consents: [consents].flat(),
    recipient: { partner, kind: 'gp-registration', ...more },
    purposeOfUse: ['TREAT', 'COC'],
    now: new Date(now),
  })
const may = (consents: Consent | Consent[], partner: string, what: Source, now?: string) =>
  ask(consents, partner, now).permit(what).permitted

describe('what one person agreed to', () => {
  test.each([
    ['gp', ['identity', 'medication', 'mental-health', 'adjustments', 'sexual-health'], ['substance-misuse']],
    ['drugs', ['identity', 'substance-misuse', 'mental-health', 'adjustments'], ['therapy-notes']],
    ['probation', ['identity', 'adjustments', 'release', 'medication'], ['substance-misuse', 'mental-health', 'sexual-health', 'offence']],
    ['enhanced', ['identity', 'substance-misuse', 'mental-health', 'risk-to-others'], ['therapy-notes']],
    ['a stranger', [], ['identity', 'worker', 'activity', 'adjustments']],
  ] as [string, Category[], Category[]][])('%s may be told %s and not %s', (partner, told, kept) => {
    const level = (category: Category) => source(category, { confidentiality: categories[category].confidentiality })
    expect(told.filter((category) => may(agreed, partner, level(category)))).toEqual(told)
    expect(kept.filter((category) => may(agreed, partner, level(category)))).toEqual([])
  })
  test('the answer names the consent, its version, the reason and when it will change', () => {
    const decision = ask(agreed, 'gp')
    expect(decision).toMatchObject({ permitsAnything: true, consent: { id: 'c', version: '3' }, changesAt: '2026-12-01T00:00:00.000Z' })
    expect(decision.because).toBe('the person agreed to it (agreement of 2026-03-01)')
    expect(decision.permit(source('substance-misuse')).because).toBe('the person said that this partner is not told about substance misuse')
    expect(ask(agreed, 'probation').permit(source('offence')).because).toMatch(/more confidential than what the person agreed to.*offences/)
    expect(ask(agreed, 'stranger')).toMatchObject({
      permitsAnything: false,
      because: 'the person has not agreed that this partner is told',
    })
  })
  test('something of two categories needs both', () => {
    expect(may(agreed, 'gp', source(['medication', 'substance-misuse']))).toBe(false)
    expect(may(agreed, 'drugs', source(['medication', 'substance-misuse']))).toBe(true)
  })
  test('something nobody labelled is told to nobody', () => expect(may(agreed, 'gp', source([]))).toBe(false))
  test('who says no to one code of a family says no to the family', () => {
    expect(may(consent([permit('gp'), deny('gp', { securityLabel: [act('OPIOIDUD')] })]), 'gp', source('substance-misuse'))).toBe(false)
  })
})

describe('which consent governs', () => {
  const refused = (rest: Partial<Consent>) => consent([], { id: 'no', status: 'rejected', ...rest })
  const old = consent([permit('gp')], { id: 'old', dateTime: '2026-01-01T00:00:00Z' })
  test.each([
    ['the latest by when it was given', [old, refused({ dateTime: '2026-03-01' })], 'no'],
    ['whatever the order', [refused({ dateTime: '2026-03-01' }), old], 'no'],
    [
      'the latest of whatever policy',
      [
        { ...old, policy: [{ uri: 'https://example.test/policy/one' }] },
        refused({ dateTime: '2026-03-01', policy: [{ uri: 'https://example.test/policy/two' }] }),
      ],
      'no',
    ],
    ['a draft does not', [old, refused({ status: 'draft', dateTime: '2026-03-01' })], 'old'],
    ['one proposed does not', [old, refused({ status: 'proposed', dateTime: '2026-03-01' })], 'old'],
    ['one entered in error does not', [old, refused({ status: 'entered-in-error', dateTime: '2026-03-01' })], 'old'],
    ['one of another scope does not', [old, refused({ scope: { coding: [{ code: 'research' }] }, dateTime: '2026-03-01' })], 'old'],
    [
      'among those of one moment the one recorded last',
      [
        { ...old, meta: { lastUpdated: '2026-01-02T00:00:00Z' } },
        refused({ dateTime: old.dateTime as string, meta: { lastUpdated: '2026-01-03T00:00:00Z' } }),
      ],
      'no',
    ],
    [
      'then the one with the higher version',
      [
        { ...old, meta: { lastUpdated: '2026-01-02T00:00:00Z', versionId: '9' } },
        refused({ dateTime: old.dateTime as string, meta: { lastUpdated: '2026-01-02T00:00:00Z', versionId: '10' } }),
      ],
      'no',
    ],
    [
      'an agreement without a date is the oldest',
      [{ ...old, dateTime: undefined } as unknown as Consent, refused({ dateTime: '2020' })],
      'no',
    ],
    ['alone, an agreement without a date does', [{ ...old, dateTime: undefined } as unknown as Consent], 'old'],
  ] as [string, Consent[], string][])('%s', (_, consents, id) => expect(governing(consents)?.id).toBe(id))

  test.each([
    ['two of the same moment with nothing to tell them apart', [old, refused({ dateTime: old.dateTime as string })]],
    ['one of a day and one of a moment in that day', [old, refused({ dateTime: '2026-01-01' })]],
    ['a refusal without a date, that may be the latest', [old, { ...refused({}), dateTime: undefined } as unknown as Consent]],
  ])('%s: nobody is told anything', (_, consents) => {
    expect(governing(consents)).toBeUndefined()
    expect(ask(consents, 'gp')).toMatchObject({ permitsAnything: false, because: expect.stringContaining('two agreements') })
  })
  test('the direct-care consent of a BaRS message neither governs nor permits', () => {
    const implied = consent([permit('gp')], {
      dateTime: '2026-03-02',
      category: [{ coding: [{ system: 'https://fhir.nhs.uk/CodeSystem/consent-categories-bars', code: 'DRC' }] }],
    })
    const byRule = consent([permit('gp')], { policyRule: { coding: [act('IMPLIED')] } })
    expect(governing([implied, byRule, old])?.id).toBe('old')
    expect(ask([implied, byRule], 'gp')).toMatchObject({
      permitsAnything: false,
      because: 'no agreement of the person to share anything is on record',
    })
  })
})

describe('a consent that permits nothing to anybody', () => {
  const root = (rest: object) => consent([], { provision: { type: 'deny', provision: [permit('gp')], ...rest } })
  test.each([
    ['none', []],
    ['refused', [consent([permit('gp')], { status: 'rejected' })]],
    ['withdrawn', [consent([permit('gp')], { status: 'inactive' })]],
    ['one that starts from “everything may be told”', [root({ type: 'permit' })]],
    ['one whose root names an actor', [root({ actor: [to('gp')] })]],
    ['one whose root has labels', [root({ securityLabel: [conf('R')] })]],
    ['one with a modifier we do not know', [consent([permit('gp')], { modifierExtension: [{ url: 'x' }] })]],
    ['one nested too deep', [root({ provision: [permit('gp', { provision: [deny('gp', { securityLabel: [act('ETH')] })] })] })]],
    ['one not begun', [root({ period: { start: '2026-03-03' } })]],
    ['one that is over', [root({ period: { end: '2026-03-01' } })]],
    ['one whose period can not be read', [root({ period: { end: 'soon' } })]],
    ['one without provisions', [consent([], { provision: undefined } as never)]],
  ] as [string, Consent[]][])('%s', (_, consents) => {
    expect(ask(consents, 'gp').permitsAnything).toBe(false)
    expect(allCategories.filter((category) => may(consents, 'gp', source(category)))).toEqual([])
  })
  test('a root without a type is a deny, as R4 wants it', () => {
    expect(ask(consent([], { provision: { provision: [permit('gp')] } }), 'gp').permitsAnything).toBe(true)
  })
})

describe('periods are London days and count whole', () => {
  const until = (end: string) => consent([permit('gp')], { provision: { type: 'deny', period: { end }, provision: [permit('gp')] } })
  test.each([
    ['the last minute of the last day', '2026-06-30', '2026-06-30T22:59:59Z', true],
    ['London midnight after it', '2026-06-30', '2026-06-30T23:00:00Z', false],
    ['the last day of a month', '2026-02', '2026-02-28T23:59:59Z', true],
    ['the day after the month', '2026-02', '2026-03-01T00:00:00Z', false],
    ['a second after a moment', '2026-06-30T10:00:00Z', '2026-06-30T10:00:01Z', false],
    ['that very moment', '2026-06-30T10:00:00Z', '2026-06-30T10:00:00Z', true],
  ])('%s', (_, end, now, permitted) => expect(ask(until(end), 'gp', now).permitsAnything).toBe(permitted))

  test('the answer changes at the nearest boundary of any period', () => {
    const later = consent([permit('gp', { period: { start: '2026-04-01' } })])
    expect(ask(later, 'gp')).toMatchObject({ permitsAnything: false, changesAt: '2026-03-31T23:00:00.000Z' })
    expect(ask(later, 'gp', '2026-04-01T00:00:00Z')).toMatchObject({ permitsAnything: true, changesAt: '2026-12-01T00:00:00.000Z' })
    expect(ask(later, 'gp', '2027-01-01T00:00:00Z').changesAt).toBeUndefined()
  })
})

describe('a permit counts only when everything about it certainly fits', () => {
  const identifier = (system: string, value: string) => ({ actor: [{ role: IRCP, reference: { identifier: { system, value } } }] })
  test.each([
    ['the partner by id', {}, true],
    ['the partner by its address here', { actor: [{ role: IRCP, reference: { reference: `${BASE}/Organization/gp` } }] }, true],
    ['its ODS code, however it is written', identifier('https://fhir.nhs.uk/id/ods-organization-code', 'a81001'), true],
    ['its kind', identifier(ours('recipient-kind'), 'gp-registration'), true],
    ['another ODS code', identifier(odsCode, 'A81002'), false],
    ['another kind', identifier(ours('recipient-kind'), 'probation'), false],
    ['an id on another server', { actor: [{ role: IRCP, reference: { reference: 'https://other.example/fhir/Organization/gp' } }] }, false],
    [
      'an id and an ODS code that disagree',
      { actor: [{ role: IRCP, reference: { reference: 'Organization/gp', identifier: { system: odsCode, value: 'X' } } }] },
      false,
    ],
    ['the partner in another role', { actor: [{ ...to('gp'), role: { coding: [{ code: 'CST' }] } }] }, false],
    ['nobody', { actor: undefined }, false],
    ['another purpose', { purpose: [why('HRESCH')] }, false],
    ['no purpose: any', { purpose: undefined }, true],
    ['a purpose from elsewhere', { purpose: [{ system: 'https://other.example', code: 'TREAT' }] }, false],
    ['to disclose', { action: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentaction', code: 'disclose' }] }] }, true],
    [
      'only to correct',
      { action: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentaction', code: 'correct' }] }] },
      false,
    ],
    ['only what has a code that is no code', { code: [{ text: 'x' }] }, false],
    ['a modifier', { modifierExtension: [{ url: 'x' }] }, false],
    ['a period that is over', { period: { end: '2026-03-01' } }, false],
  ])('%s', (_, rest, permitted) => {
    expect(ask(consent([permit('gp', rest as Partial<ConsentProvision>)]), 'gp', undefined, { ods: 'A81001' }).permitsAnything).toBe(
      permitted,
    )
  })

  test.each([
    ['no label: up to normal', undefined, ['adjustments'], ['mental-health']],
    ['labels of categories: those only', [conf('R'), act('MH')], ['mental-health', 'identity'], ['substance-misuse', 'adjustments']],
    ['a category without a level: up to normal', [own('medication')], ['medication'], ['mental-health']],
    ['a label we do not know: nothing by it', [conf('R'), act('SPI')], ['identity'], ['mental-health', 'medication']],
    ['a level we do not know: nothing at all', [conf('ETH')], [], ['identity', 'substance-misuse']],
    ['several levels: the highest', [conf('N'), conf('R')], ['mental-health'], []],
  ] as [string, Coding[] | undefined, Category[], Category[]][])('%s', (_, securityLabel, told, kept) => {
    const one = consent([permit('gp', { securityLabel } as Partial<ConsentProvision>)])
    expect(told.filter((category) => may(one, 'gp', source(category)))).toEqual(told)
    expect(kept.filter((category) => may(one, 'gp', source(category)))).toEqual([])
  })

  test('limited to a time, it covers what is dated inside it, and who the person is', () => {
    const one = consent([permit('gp', { dataPeriod: { start: '2025-09-01', end: '2026-03' } })])
    expect(may(one, 'gp', source('medication', { date: '2026-03-31' }))).toBe(true)
    expect(may(one, 'gp', source('medication', { date: '2025-08-31' }))).toBe(false)
    expect(may(one, 'gp', source('medication'))).toBe(false)
    expect(may(one, 'gp', source('identity', { ref: 'Patient/p' }))).toBe(true)
  })
  test('limited to types or to single resources, it covers those', () => {
    const types = consent([permit('gp', { class: [{ system: 'http://hl7.org/fhir/resource-types', code: 'Flag' }] })])
    const one = consent([permit('gp', { data: [{ meaning: 'instance', reference: { reference: 'Condition/1' } }] })])
    const related = consent([permit('gp', { data: [{ meaning: 'related', reference: { reference: 'Condition/1' } }] })])
    expect([may(types, 'gp', source('medication', { ref: 'Flag/1' })), may(types, 'gp', source('medication'))]).toEqual([true, false])
    expect([may(one, 'gp', source('medication')), may(one, 'gp', source('medication', { ref: 'Condition/2' }))]).toEqual([true, false])
    // what it refers to is related as well: which that is, the record would have to be walked for
    expect([may(related, 'gp', source('medication')), may(related, 'gp', source('medication', { ref: 'Condition/2' }))]).toEqual([
      true,
      false,
    ])
  })
})

describe('a deny always wins', () => {
  const but = (rest: Partial<ConsentProvision>) => consent([permit('gp'), deny('gp', rest)])
  test.each([
    ['by label', { securityLabel: [act('MH')] }, ['mental-health'], ['medication', 'identity']],
    ['by level, which can mean lower as well as higher: of everything', { securityLabel: [conf('R')] }, allCategories, []],
    ['by type', { class: [{ system: 'http://hl7.org/fhir/resource-types', code: 'Condition' }] }, ['medication'], []],
    ['by resource', { data: [{ meaning: 'instance', reference: { reference: 'Condition/1' } }] }, ['medication'], []],
    ['of the named worker', { securityLabel: [own('worker')] }, ['worker'], ['identity']],
    ['to everybody', { actor: undefined, securityLabel: [act('MH')] }, ['mental-health'], ['medication']],
    [
      'to its kind',
      {
        actor: [{ role: IRCP, reference: { identifier: { system: ours('recipient-kind'), value: 'gp-registration' } } }],
        securityLabel: [act('MH')],
      },
      ['mental-health'],
      ['medication'],
    ],
    [
      'to somebody we can not make out',
      { actor: [{ role: IRCP, reference: { display: 'the surgery' } }], securityLabel: [act('MH')] },
      ['mental-health'],
      ['medication'],
    ],
    ['of everything', {}, allCategories, []],
    ['with a label we do not know: of everything', { securityLabel: [act('SPI')] }, allCategories, []],
    ['with a code that is no code: of everything', { code: [{ text: 'x' }] }, allCategories, []],
    [
      'with data we can not follow: of everything',
      { data: [{ meaning: 'related', reference: { reference: 'CarePlan/1' } }] },
      allCategories,
      [],
    ],
    ['without a type: of everything', { type: undefined, securityLabel: [act('MH')] }, allCategories, []],
    ['to another partner: of nothing here', { actor: [to('drugs')] }, [], ['identity', 'mental-health']],
    ['to a relative: of nothing here', { actor: [{ role: IRCP, reference: { reference: 'RelatedPerson/1' } }] }, [], ['identity']],
    ['for another purpose: of nothing here', { purpose: [why('HRESCH')] }, [], ['identity', 'mental-health']],
    ['that is over: of nothing any more', { period: { end: '2026-03-01' } }, [], ['identity', 'mental-health']],
    ['of an earlier time: of what may be of it', { dataPeriod: { end: '2025-01-01' } }, ['medication'], ['identity']],
  ] as [string, Partial<ConsentProvision>, Category[], Category[]][])('%s', (_, rest, kept, told) => {
    expect(kept.filter((category) => may(but(rest), 'gp', source(category)))).toEqual([])
    expect(told.filter((category) => may(but(rest), 'gp', source(category)))).toEqual(told)
  })

  test('one more deny never lets more out', () => {
    const label = constantFrom(conf('N'), conf('R'), act('ETH'), act('MH'), act('SPI'), own('medication'), own('worker'))
    const anySource = record({
      categories: subarray(allCategories, { minLength: 1, maxLength: 3 }),
      confidentiality: constantFrom<Confidentiality>('N', 'R', 'V'),
    })
    assert(
      property(label, anySource, constantFrom('gp', 'drugs'), (one, what, partner) => {
        const asked = { ref: 'Condition/1', ...what }
        const after = may(
          {
            ...agreed,
            provision: { ...agreed.provision, provision: [...(agreed.provision?.provision ?? []), deny('gp', { securityLabel: [one] })] },
          },
          partner,
          asked,
        )
        return !after || may(agreed, partner, asked)
      }),
    )
  })
})
