/**
 * domain/consent.md B1 to B5, rule by rule, where `consent.test.ts` has not said it yet: each test is named as the rule it shows.
 */
import type { Coding, Consent, ConsentProvision, Extension } from '@medplum/fhirtypes'
import { array, assert, constantFrom, property, record, uniqueArray } from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Source } from '../../src/domain/case.ts'
import { allCategories, type Category, categories } from '../../src/domain/categories.ts'
import { decide } from '../../src/domain/consent.ts'
import { reasonWords, remedyWords } from '../../src/domain/reasons.ts'
import { consentAgreedBy, consentCapacity, consentPhase } from '../../src/domain/who-agreed.ts'
import { type Choice, consentFrom } from '../../src/fhir/consent-from.ts'
import { actCode, actReason, BASE, ours } from '../../src/fhir/systems.ts'
import { validate } from '../../src/fhir/validate.ts'

const act = (code: string): Coding => ({ system: actCode, code })
const own = (code: Category): Coding => ({ system: ours('category'), code })
const consentOf = (choices: Choice[], more: Partial<Consent> = {}): Consent => ({
  ...consentFrom({
    patient: 'Patient/p',
    organization: 'Organization/service',
    choices,
    dateTime: '2026-03-01T10:15:00Z',
    source: { display: 'spoken' },
  }),
  ...more,
})
const gp = { partner: 'gp' } as const
const open: Choice = { to: gp, upTo: 'V' }
/** The GP's permit with more to it, or a permit of everything and one more deny. */
const permitting = (rest: Partial<ConsentProvision>): Consent => withRules((permit) => [{ ...permit, ...rest }])
const denying = (rest: Partial<ConsentProvision>): Consent =>
  withRules((permit) => [permit, { type: 'deny', actor: permit.actor!, ...rest } as ConsentProvision])
const withRules = (rules: (permit: ConsentProvision) => ConsentProvision[]): Consent => {
  const consent = consentOf([open])
  return { ...consent, provision: { ...consent.provision, provision: rules(consent.provision!.provision![0]!) } }
}
const source = (category: Category, rest: Partial<Source> = {}): Source => ({
  ref: 'Condition/1',
  categories: [category],
  confidentiality: categories[category].confidentiality,
  ...rest,
})
const ask = (consent: Consent, more: { alreadyTold?: boolean; purposeOfUse?: string[]; partner?: string; kind?: string } = {}) => {
  const { partner = 'gp', kind = 'gp-registration', purposeOfUse = ['TREAT', 'COC'], alreadyTold = false } = more
  return decide({ consents: [consent], recipient: { partner, kind }, purposeOfUse, now: new Date('2026-03-02T09:00:00Z'), alreadyTold })
}
const may = (consent: Consent, what: Source) => ask(consent).permit(what).permitted

describe('B1, A5: who agreed, and whether they could', () => {
  const block = (url: string, ...extension: Extension[]): Extension => ({ url, extension })
  const outcome = (valueCode: string) => block(consentCapacity, { url: 'outcome', valueCode })
  const by = (valueCode: string, ...more: Extension[]) => block(consentAgreedBy, { url: 'basis', valueCode }, ...more)
  const authority: Extension = { url: 'authority', valueString: 'lasting power of attorney, health and welfare' }
  const decided: Extension = { url: 'decided', valueDate: '2026-02-27' }
  const lacks = outcome('lacks-capacity')
  const who = (reference: string) => ({ performer: [{ reference }] })
  test.each([
    ['the person', {}, 'agreed'],
    ['nobody is named: the person, whose capacity is presumed', { performer: [] }, 'agreed'],
    ['the person, found able to', { extension: [outcome('has-capacity')] }, 'agreed'],
    ['the person, found not able to', { extension: [lacks] }, 'no-capacity'],
    ['a relative without authority', who('RelatedPerson/1'), 'authority-unclear'],
    ['another patient', who('Patient/other'), 'authority-unclear'],
    ['an attorney with authority, for who can not', { ...who('RelatedPerson/1'), extension: [lacks, by('attorney', authority)] }, 'agreed'],
    ['a deputy with authority, for who can not', { ...who('Organization/council'), extension: [lacks, by('deputy', authority)] }, 'agreed'],
    ['an attorney, for somebody who can', { ...who('RelatedPerson/1'), extension: [by('attorney', authority)] }, 'authority-unclear'],
    [
      'an attorney whose authority nobody wrote down',
      { ...who('RelatedPerson/1'), extension: [lacks, by('attorney')] },
      'authority-unclear',
    ],
    ['a professional, in best interests', { ...who('Practitioner/1'), extension: [lacks, by('best-interests', decided)] }, 'agreed'],
    [
      'a relative, in best interests',
      { ...who('RelatedPerson/1'), extension: [lacks, by('best-interests', decided)] },
      'authority-unclear',
    ],
    ['best interests, nobody says when', { ...who('Practitioner/1'), extension: [lacks, by('best-interests')] }, 'authority-unclear'],
    ['on a ground nobody knows', { extension: [by('mother')] }, 'unclear'],
    ['capacity in words nobody knows', { extension: [outcome('fluctuating')] }, 'unclear'],
    ['capacity said twice', { extension: [lacks, outcome('has-capacity')] }, 'unclear'],
    ['marked as not verified, which PCF has no place for', { verification: [{ verified: false }] }, 'unclear'],
  ] as [string, Partial<Consent>, string][])('%s: %s', (_, more, code) => {
    const { reason, permitsAnything } = ask(consentOf([open], more))
    expect([reason.code, permitsAnything]).toEqual([code, code === 'agreed'])
  })

  test('C4 capacity-review: nothing new, what was told stays; a best-interests decision lifts it', () => {
    const review = { url: consentPhase, valueCode: 'capacity-review' }
    const flagged = consentOf([open], { extension: [review] })
    expect(ask(flagged).reason).toEqual({ code: 'capacity-review' })
    expect(ask(flagged, { alreadyTold: true }).permitsAnything).toBe(true)
    expect(
      ask(consentOf([open], { ...who('Practitioner/1'), extension: [review, lacks, by('best-interests', decided)] })).permitsAnything,
    ).toBe(true)
  })
})

describe('B2: recipients', () => {
  const IRCP = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', code: 'IRCP' }] }
  const team = (...members: string[]) => ({
    resourceType: 'CareTeam' as const,
    id: 'team',
    participant: members.map((reference) => ({ member: { reference } })),
  })
  test.each([
    ['a team inside the consent that is all of known organisations', 'Organization/gp', 'yes', 'no'],
    ['a team inside the consent with somebody of who knows where', 'Practitioner/1', 'unclear', 'unclear'],
  ] as const)('%s', (_, other, gpMeant, drugsMeant) => {
    const rules = (type: 'permit' | 'deny') => ({ type, actor: [{ role: IRCP, reference: { reference: '#team' } }] })
    const members = gpMeant === 'yes' ? team('Organization/gp', other) : team('Organization/probation', other)
    const permit = { ...permitting(rules('permit')), contained: [members] } as Consent
    expect([ask(permit).permitsAnything, ask(permit, { partner: 'drugs' }).permitsAnything]).toEqual([gpMeant === 'yes', false])
    const deny = { ...denying(rules('deny')), contained: [members] } as Consent
    expect(ask(deny).permitsAnything).toBe(false)
    expect(ask(permit, { partner: 'drugs' }).reason.code).toBe(drugsMeant === 'no' ? 'not-named' : 'permit-unclear')
  })
  test('the service of an organisation has its id; another service may be anybody’s', () => {
    const service = (id: string) => permitting({ actor: [{ role: IRCP, reference: { reference: `HealthcareService/${id}` } }] })
    expect([ask(service('gp')).permitsAnything, ask(service('other')).reason.code]).toEqual([true, 'permit-unclear'])
  })
})

describe('B2: a deny for a purpose holds unless the purpose is certainly not care', () => {
  const denied = (code: string) => denying({ purpose: [{ system: actReason, code }] })
  test.each([
    ['TREAT', ['COC'], false], // co-ordination is inside treatment
    ['CAREMGT', ['COC'], false],
    ['NOBODY-KNOWS', ['COC'], false],
    ['HRESCH', ['COC'], true],
    ['PATADMIN', ['TREAT', 'COC'], true],
  ] as [string, string[], boolean][])('%s when told for %s', (code, purposeOfUse, permitted) =>
    expect(ask(denied(code), { purposeOfUse }).permitsAnything).toBe(permitted),
  )
})

describe('B2: codes', () => {
  const need = ours('need')
  const one = (system: string, code: string) => [{ coding: [{ system, code }] }]
  const having = (...codes: string[]) => source('physical-health', { codes })
  test('a permit of a code reaches what carries it', () => {
    const consent = permitting({ code: one(need, 'dental') })
    expect([
      may(consent, having(`${need}|dental`)),
      may(consent, having(`${need}|autism`)),
      may(consent, source('physical-health')),
    ]).toEqual([true, false, false])
  })
  test.each([
    ['it is that code', one(need, 'dental'), [`${need}|dental`], 'excepted'],
    ['it is another of our codes, which is another thing', one(need, 'dental'), [`${need}|autism`], 'agreed'],
    ['it says nothing in our codes', one(need, 'dental'), [], 'exception-unclear'],
    [
      'it is another SNOMED code, which may lie within',
      one('http://snomed.info/sct', '1'),
      ['http://snomed.info/sct|2'],
      'exception-unclear',
    ],
  ] as const)('a deny of a code: %s', (_, code, codes, reason) => {
    const consent = denying({ code: code as never })
    expect(ask(consent).permit(having(...codes)).reason.code).toBe(reason)
    expect(ask(consent).permitsAnything).toBe(true)
  })
})

describe('B2: data by what it has to do with a resource', () => {
  const data = (meaning: string, reference: string) => ({ data: [{ meaning, reference: { reference } }] }) as Partial<ConsentProvision>
  const by = (...authors: string[]) => source('medication', { authors })
  test.each([
    ['instance', permitting(data('instance', 'Condition/1')), source('medication'), true],
    ['related reaches the resource itself', permitting(data('related', `${BASE}/Condition/1/_history/4`)), source('medication'), true],
    ['related, and who knows what else', permitting(data('related', 'Condition/1')), source('medication', { ref: 'Flag/1' }), false],
    ['dependents of the person are the whole record', permitting(data('dependents', 'Patient/p')), source('medication'), true],
    ['authoredby them', permitting(data('authoredby', 'Practitioner/1')), by('Practitioner/1'), true],
    ['authoredby who knows whom', permitting(data('authoredby', 'Practitioner/1')), source('medication'), false],
    ['not by them: another of the same kind wrote it', denying(data('authoredby', 'Practitioner/1')), by('Practitioner/2'), true],
    ['not by them: it may be them in another role', denying(data('authoredby', 'Practitioner/1')), by('PractitionerRole/2'), false],
    ['not by them: nobody is named', denying(data('authoredby', 'Practitioner/1')), source('medication'), false],
    ['not by them: who the person is has no author', denying(data('authoredby', 'Practitioner/1')), source('identity'), true],
    ['not what is related: who knows what that is', denying(data('related', 'CarePlan/1')), source('medication'), false],
  ] as [string, Consent, Source, boolean][])('%s', (_, consent, what, permitted) => expect(may(consent, what)).toBe(permitted))
})

describe('B3: sensitivity by subsumption, in both directions', () => {
  const only = (...labels: Coding[]) =>
    permitting({ securityLabel: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: 'V' }, ...labels] })
  const labelled = (category: Category, ...labels: string[]) => source(category, labels.length ? { labels } : {})
  test.each([
    ['ETH permits all of substance misuse', only(act('ETH')), labelled('substance-misuse'), true],
    ['ETH permits what is labelled finer', only(act('ETH')), labelled('substance-misuse', 'OPIOIDUD'), true],
    ['SUD does not permit all of ETH', only(act('SUD')), labelled('substance-misuse'), false],
    ['SUD permits OPIOIDUD', only(act('SUD')), labelled('substance-misuse', 'OPIOIDUD'), true],
    ['OPIOIDUD does not permit ETHUD', only(act('OPIOIDUD')), labelled('substance-misuse', 'ETHUD'), false],
    [
      'OPIOIDUD does not permit what its code says no more of',
      only(act('OPIOIDUD')),
      labelled('substance-misuse', 'OPIOIDUD', 'substance-misuse'),
      false,
    ],
    ...(
      [
        ['ETH', 'substance-misuse'],
        ['PSY', 'mental-health'],
        ['MH', 'mental-health'],
        ['SDV', 'abuse'],
        ['COGN', 'neurodiversity'],
        ['LIVARG', 'accommodation'],
        ['LOCIS', 'address'],
      ] as const
    ).flatMap(([code, category]): [string, Consent, Source, boolean][] => [
      [`${code}, the contract’s code, permits all of ${category}`, only(act(code)), labelled(category), true],
      [
        `${code} without a level permits ${category} as it usually is`,
        permitting({ securityLabel: [act(code)] }),
        labelled(category),
        true,
      ],
    ]),
    [
      'a kind of information without a level permits nothing more confidential than that kind usually is',
      permitting({ securityLabel: [act('PSY'), own('medication')] }),
      source('medication', { confidentiality: 'R' }),
      false,
    ],
    ['PSY permits what is labelled MH: the contract has both for one', only(act('PSY')), labelled('mental-health', 'MH'), true],
    ['PSY does not permit what is labelled otherwise', only(act('PSY')), labelled('mental-health', 'EMOTDIS'), false],
    ['HIV does not permit what says no more than sexual health', only(act('HIV')), labelled('sexual-health'), false],
    ['MH does not permit therapy notes', only(act('MH')), labelled('therapy-notes'), false],
    ['HIV does not permit STD', only(act('HIV')), labelled('sexual-health', 'STD'), false],
    ['HIV and STD together permit sexual health', only(act('HIV'), act('STD')), labelled('sexual-health'), true],
    ['MH does not permit what is behavioural and may be anything', only(act('MH')), labelled('mental-health', 'BH'), false],
    ['no ETH holds back OPIOIDUD', denying({ securityLabel: [act('ETH')] }), labelled('substance-misuse', 'OPIOIDUD'), false],
    [
      'no OPIOIDUD holds back what says no more than substance misuse',
      denying({ securityLabel: [act('OPIOIDUD')] }),
      labelled('substance-misuse'),
      false,
    ],
    ['no BH holds back substance misuse', denying({ securityLabel: [act('BH')] }), labelled('substance-misuse'), false],
    [
      'no ETH holds back what is behavioural and may be it',
      denying({ securityLabel: [act('ETH')] }),
      labelled('mental-health', 'BH'),
      false,
    ],
    ['no MH holds back therapy notes', denying({ securityLabel: [act('MH')] }), labelled('therapy-notes'), false],
    ['no MH holds back nothing of medicines', denying({ securityLabel: [act('MH')] }), labelled('medication'), true],
  ] as [string, Consent, Source, boolean][])('%s', (_, consent, what, permitted) => expect(may(consent, what)).toBe(permitted))
})

describe('B5: the reason is data and words', () => {
  test('it names the provision that decided, also of a permit', () => {
    const consent = consentOf([{ to: { partner: 'drugs' } }, { to: gp, upTo: 'R', except: ['substance-misuse'] }])
    const { permit } = ask(consent)
    expect(permit(source('substance-misuse')).reason).toEqual({
      code: 'excepted',
      category: 'substance-misuse',
      at: 'Consent.provision.provision[2]',
    })
    expect(permit(source('medication')).reason).toEqual({
      code: 'agreed',
      date: '2026-03-01T10:15:00Z',
      at: 'Consent.provision.provision[1]',
    })
    expect(permit(source('therapy-notes')).reason).toMatchObject({ code: 'too-confidential', category: 'therapy-notes' })
  })
  test('a permit that names this partner and does not count says what is wrong with it', () => {
    const reasons = (
      [
        { purpose: [{ system: actReason, code: 'HRESCH' }] },
        { period: { end: '2026-02-01' } },
        { action: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentaction', code: 'correct' }] }] },
        { modifierExtension: [{ url: 'x' }] },
        { period: { end: 'soon' } },
      ] as Partial<ConsentProvision>[]
    ).map((rest) => ask(permitting(rest)).reason.code)
    expect(reasons).toEqual(['other-purpose', 'permit-not-now', 'other-action', 'permit-unclear', 'permit-unclear'])
  })
  test('what can not be read is listed, so that somebody asks: for this partner only', () => {
    const consent = denying({ securityLabel: [act('SPI')] })
    expect(ask(consent).unclear).toEqual([{ code: 'exception-unclear', part: 'label', at: 'Consent.provision.provision[1]' }])
    expect(ask(consent, { partner: 'drugs' }).unclear).toEqual([])
    expect(ask(permitting({ securityLabel: [act('SPI')] })).unclear).toMatchObject([{ code: 'permit-unclear', part: 'label' }])
    expect(ask(consentOf([open])).unclear).toEqual([])
  })
  test('every reason is a sentence without codes, and says what would change it', () => {
    const { reason } = ask(denying({ code: [{ text: 'teeth' }] }))
    expect(reasonWords(reason)).toBe(
      'the agreement has an exception that can not be read with certainty, so it holds back everything (a code that can not be followed)',
    )
    expect(remedyWords(reason)).toBe('Ask the person what they meant to keep back, and record the agreement again.')
  })
})

describe('what we write', () => {
  test('is IHE PCF: root deny, permits and denies one deep, role IRCP, policy, OPTINR, who, when, where, how', () => {
    const consent = consentOf([{ to: gp, upTo: 'R', except: ['offence'] }, { to: { kind: 'probation' } }])
    expect(validate(consent)).not.toHaveProperty('issues')
    expect(consent).toMatchObject({
      dateTime: '2026-03-01T10:15:00Z',
      performer: [{ reference: 'Patient/p' }],
      organization: [{ reference: 'Organization/service' }],
      sourceReference: { display: 'spoken' },
      policy: [{ uri: expect.stringMatching(/^https:/) }],
      policyRule: { coding: [{ code: 'OPTINR' }] },
      provision: { type: 'deny', provision: [{ type: 'permit' }, { type: 'deny' }, { type: 'permit' }] },
    })
    for (const one of consent.provision?.provision ?? []) {
      expect(one.provision).toBeUndefined()
      expect(one.actor).toMatchObject([{ role: { coding: [{ code: 'IRCP' }] } }])
    }
    expect(Object.keys(consent.provision!).sort()).toEqual(['provision', 'type'])
    expect(consent).not.toHaveProperty('verification')
  })

  test('reads back as the choices it was made from', () => {
    const some = uniqueArray(constantFrom(...allCategories), { minLength: 1, maxLength: 4 })
    const choice = record(
      { upTo: constantFrom('N' as const, 'R' as const, 'V' as const), only: some, except: some },
      { requiredKeys: ['upTo'] },
    )
    const always: Category[] = ['identity', 'worker', 'activity']
    assert(
      property(array(choice, { minLength: 1, maxLength: 3 }), (choices) => {
        const consent = consentOf(choices.map((one, index) => ({ to: { partner: `p${index}` }, ...one })))
        choices.forEach(({ upTo, only, except = [] }, index) => {
          const { permit } = ask(consent, { partner: `p${index}` })
          for (const category of allCategories) {
            const level = categories[category].confidentiality
            const listed = !only || always.includes(category) || only.includes(category)
            const inside = except.includes('mental-health') ? [...except, 'therapy-notes'] : except
            const expected = 'NRV'.indexOf(level) <= 'NRV'.indexOf(upTo) && listed && !inside.includes(category)
            expect([category, permit(source(category)).permitted]).toEqual([category, expected])
          }
        })
      }),
      { numRuns: 200 },
    )
  })
})
