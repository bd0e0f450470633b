/**
 * Random consents, good and broken, and random pieces of information to ask about. Each draws from a few readable parts, so that what
 * fast-check shrinks a disagreement to can be read.
 */
import type { Consent, ConsentProvision, Extension } from '@medplum/fhirtypes'
import { type Arbitrary, array, constantFrom, oneof, record, tuple } from 'fast-check'
import { allCategories } from '../../src/domain/categories.ts'
import type { Piece } from './consent.ts'

const ours = 'https://reconnect.example/fhir'
const hl7 = 'http://terminology.hl7.org/CodeSystem'
const ods = 'https://fhir.nhs.uk/Id/ods-organization-code'
const act = (code: string) => ({ system: `${hl7}/v3-ActCode`, code })
const conf = (code: string) => ({ system: `${hl7}/v3-Confidentiality`, code })
const own = (code: string) => ({ system: `${ours}/CodeSystem/category`, code })
const reason = (code: string) => ({ system: `${hl7}/v3-ActReason`, code })
const action = (...codes: string[]) => ({ coding: codes.map((code) => ({ system: `${hl7}/consentaction`, code })) })
const code = (system: string, value: string) => ({ coding: [{ system, code: value }] })
const [need, sct] = [`${ours}/CodeSystem/need`, 'http://snomed.info/sct']
const type = (value: string) => ({ system: 'http://hl7.org/fhir/resource-types', code: value })
const IRCP = { coding: [{ system: `${hl7}/v3-ParticipationType`, code: 'IRCP' }] }
const to = (reference: object, role: object = IRCP) => ({ role, reference })
const data = (meaning: string, reference?: string) => ({ meaning, reference: reference ? { reference } : {} })

export const recipients = [
  { partner: 'gp', kind: 'gp-registration', ods: 'A81001' },
  { partner: 'gp', kind: 'gp-registration', ods: 'A81001' },
  { partner: 'drugs', kind: 'substance-misuse' },
  { partner: 'probation', kind: 'probation', ods: 'RQ1' },
] as const
export const purposes = [['TREAT', 'COC'], ['COC'], ['TREAT']] as const

/** London midnights and clock changes, to the millisecond; and days between. */
const edges = [
  '2026-03-29T00:00:00',
  '2026-03-29T01:00:00',
  '2026-03-29T23:00:00',
  '2026-10-25T00:00:00',
  '2026-10-25T01:00:00',
  '2026-10-26T00:00:00',
  '2026-06-30T23:00:00',
  '2026-02-28T00:00:00',
  '2026-03-01T00:00:00',
  '2026-03-02T10:15:00',
]
export const moments: Arbitrary<Date> = tuple(constantFrom(...edges), constantFrom(-1, 0, 1, 3_600_000)).map(
  ([edge, by]) => new Date(Date.parse(`${edge}Z`) + by),
)

const dates = [
  undefined,
  '2026',
  '2026-02',
  '2026-03-01',
  '2026-03-29',
  '2026-06-30',
  '2026-10-25',
  '2026-03-02T10:15:00Z',
  '2026-03-29T02:00:00+01:00',
  '2026-10-25T01:00:00Z',
  '2025-12-31',
]
const brokenDates = ['soon', '2026-02-30', '2026-03-02T10:15:00', '']
const periods = tuple(
  constantFrom(undefined, undefined, ...dates),
  constantFrom(undefined, undefined, '2026-12-31', '2027', ...dates, ...brokenDates.slice(0, 2)),
).map(([start, end]) => ({
  ...(start ? { start } : {}),
  ...(end ? { end } : {}),
}))

const actors = constantFrom<unknown>(
  ...Array.from({ length: 16 }, () => [to({ reference: 'Organization/gp' })]),
  [to({ reference: `${ours}/Organization/drugs/_history/3` })],
  [to({ reference: 'Organization/drugs' }), to({ reference: 'Organization/probation' })],
  [to({ identifier: { system: `${ours}/CodeSystem/recipient-kind`, value: 'gp-registration' } })],
  [to({ identifier: { system: ods.toLowerCase(), value: 'a81001' } })],
  [to({ identifier: { system: ods, value: 'RQ1' } }), to({ reference: 'RelatedPerson/1' })],
  [to({ reference: 'Organization/gp', identifier: { system: ods, value: 'RQ1' } })],
  [to({ reference: 'HealthcareService/gp' })],
  [to({ reference: '#team' })],
  [to({ reference: '#mixed' })],
  [to({ reference: '#mixed' })],
  [to({ reference: '#nobody' })],
  [to({ reference: 'CareTeam/1' })],
  [to({ display: 'the surgery' })],
  [to({ reference: 'https://other.example/fhir/Organization/gp' })],
  [to({ reference: 'Organization/gp' }, { coding: [{ code: 'IRCP' }] })],
  [to({ reference: 'Organization/probation' }, { text: 'recipient' })],
  [],
  undefined,
)
const labels = constantFrom<unknown>(
  undefined,
  ...['R', 'R', 'R', 'R', 'V', 'V', 'V', 'V'].map((each) => [conf(each)]),
  [conf('N'), conf('R')],
  [conf('ETH'), conf('R')],
  [conf('ETH')],
  ...['ETH', 'SUD', 'OPIOIDUD', 'SSP', 'MH', 'PSY', 'BH', 'PSYTHPN', 'HIV', 'COGN', 'SPI', 'MINEC'].map((each) => [act(each)]),
  [conf('V'), act('ETH'), own('medication')],
  [conf('R'), act('SUD'), act('PSY')],
  [conf('R'), act('HIV'), act('STD'), act('SEX')],
  [conf('V'), act('COGN'), act('DVD')],
  [conf('V'), own('mental-health'), own('substance-misuse'), own('neurodiversity')],
  [conf('R'), act('BH'), act('MH')],
  ...['medication', 'mental-health', 'worker', 'sexual-health', 'nothing-we-know'].map((each) => [conf('R'), own(each)]),
  [own('offence')],
  [own('identity')],
  [],
)
/** What else a rule may say. Most say nothing else. */
const narrowings = constantFrom<object>(
  ...Array.from({ length: 120 }, () => ({})),
  ...['TREAT', 'COC', 'HRESCH', 'CAREMGT', 'PATADMIN'].map((each) => ({ purpose: [reason(each)] })),
  { purpose: [reason('HRESCH'), reason('TREAT')] },
  { purpose: [{ system: 'https://other.example', code: 'TREAT' }] },
  { purpose: [] },
  { action: [action('disclose')] },
  { action: [action('collect', 'access')] },
  { action: [action('correct')] },
  { action: [action('destroy')] },
  { action: [action('correct'), { text: 'tell' }] },
  { action: [] },
  { class: [type('Condition')] },
  { class: [type('Flag'), type('Patient')] },
  { class: [{ system: 'urn:oid:1', code: 'Condition' }] },
  { class: [] },
  { code: [code(need, 'dental')] },
  { code: [code(need, 'dental'), code(sct, '75544000')] },
  { code: [code(sct, '75544000')] },
  { code: [{ text: 'teeth' }] },
  { code: [{ text: 'teeth' }, code(need, 'dental')] },
  ...['instance', 'related', 'dependents'].map((each) => ({ data: [data(each, 'Condition/1')] })),
  { data: [data('instance', `${ours}/Condition/1/_history/2`), data('authoredby', 'Practitioner/1')] },
  { data: [data('dependents', 'Patient/p')] },
  { data: [data('authoredby', 'Practitioner/1')] },
  { data: [data('instance')] },
  { data: [data('near', 'Condition/1')] },
  { dataPeriod: { start: '2026-01-01' } },
  { dataPeriod: { start: '2025', end: '2026-02' } },
  { dataPeriod: { end: 'soon' } },
  { dataPeriod: {} },
  { modifierExtension: [{ url: 'x' }] },
)

const provisions: Arbitrary<ConsentProvision> = tuple(
  constantFrom<unknown>(...'permit permit permit permit permit permit permit deny deny deny deny permitted'.split(' '), undefined),
  actors,
  labels,
  narrowings,
  narrowings,
  oneof(
    { withCrossShrink: true },
    { arbitrary: constantFrom<object>({}), weight: 9 },
    { arbitrary: periods.map((period) => ({ period })), weight: 2 },
  ),
).map(
  ([kind, actor, securityLabel, one, other, period]) =>
    ({
      ...(kind ? { type: kind } : {}),
      ...(actor ? { actor } : {}),
      ...(securityLabel ? { securityLabel } : {}),
      ...one,
      ...other,
      ...period,
    }) as ConsentProvision,
)

const part = (url: string, value: object): Extension => ({ url, ...value })
const block = (name: string, ...extension: Extension[]): Extension => ({ url: `${ours}/StructureDefinition/${name}`, extension })
const phase = (valueCode: string): Extension => ({ url: `${ours}/StructureDefinition/consent-phase`, valueCode })
const outcome = (valueCode: string) => block('consent-capacity', part('outcome', { valueCode }))
const agreedBy = (basis: string, ...more: Extension[]) => block('consent-agreed-by', part('basis', { valueCode: basis }), ...more)
const authority = part('authority', { valueString: 'LPA registered' })
const decidedOn = part('decided', { valueDate: '2026-02-01' })
const lacks = outcome('lacks-capacity')

const whoAgreed = constantFrom<object>(
  ...Array.from({ length: 60 }, () => ({ performer: [{ reference: 'Patient/p' }] })),
  {},
  { performer: [] },
  { performer: [{ reference: 'Patient/other' }] },
  { performer: [{ reference: 'RelatedPerson/1' }] },
  { performer: [{ reference: 'RelatedPerson/1' }, { reference: `${ours}/Patient/p` }] },
  { performer: [{ display: 'her mother' }] },
  { extension: [lacks] },
  { extension: [lacks, phase('capacity-review')] },
  { extension: [phase('capacity-review')] },
  { extension: [phase('superseded')] },
  { extension: [outcome('has-capacity')] },
  { extension: [outcome('perhaps')] },
  { extension: [lacks, lacks] },
  { extension: [{ url: `${ours}/StructureDefinition/consent-phase` }] },
  { extension: [lacks, agreedBy('attorney', authority)], performer: [{ reference: 'RelatedPerson/1' }] },
  { extension: [lacks, agreedBy('deputy', authority), phase('capacity-review')], performer: [{ reference: 'Organization/council' }] },
  { extension: [lacks, agreedBy('attorney')], performer: [{ reference: 'RelatedPerson/1' }] },
  { extension: [outcome('has-capacity'), agreedBy('attorney', authority)], performer: [{ reference: 'RelatedPerson/1' }] },
  { extension: [lacks, agreedBy('attorney', authority)], performer: [{ reference: 'Patient/p' }] },
  { extension: [lacks, agreedBy('best-interests', decidedOn)], performer: [{ reference: 'Practitioner/1' }] },
  { extension: [lacks, agreedBy('best-interests', decidedOn), phase('capacity-review')], performer: [{ reference: 'PractitionerRole/1' }] },
  { extension: [lacks, agreedBy('best-interests')], performer: [{ reference: 'Practitioner/1' }] },
  { extension: [lacks, agreedBy('best-interests', decidedOn)], performer: [{ reference: 'RelatedPerson/1' }] },
  { extension: [agreedBy('mother')] },
  { verification: [{ verified: false }] },
  { verification: [{ verified: true }] },
)

const scope = { coding: [{ system: `${hl7}/consentscope`, code: 'patient-privacy' }] }
/** What is not as it should be. Most have nothing of it. */
const oddities = constantFrom<object>(
  ...Array.from({ length: 80 }, () => ({})),
  ...['rejected', 'inactive', 'inactive', 'draft', 'proposed', 'entered-in-error', 'unheard-of', undefined].map((status) => ({ status })),
  ...Array.from({ length: 12 }, () => ({ status: 'inactive', extension: [phase('superseded')] })),
  { scope: { coding: [{ code: 'research' }] } },
  { scope: undefined },
  { category: undefined },
  { category: [{ coding: [{ system: 'https://fhir.nhs.uk/CodeSystem/consent-categories-bars', code: 'DRC' }] }] },
  { policyRule: { coding: [act('IMPLIED')] } },
  { modifierExtension: [{ url: 'x' }] },
  { patient: undefined },
  { provision: undefined },
  ...[{ type: 'permit' }, { type: 'perhaps' }, { actor: [] }, { purpose: [reason('TREAT')] }, { securityLabel: [conf('R')] }].map(
    (root) => ({ root }),
  ),
  { root: { provision: [{ type: 'permit', actor: [to({ reference: 'Organization/gp' })], provision: [{ type: 'deny' }] }] } },
  { root: { provision: [] } },
  { root: { period: { end: 'soon' } } },
)

const team = {
  resourceType: 'CareTeam',
  id: 'team',
  participant: [{ member: { reference: 'Organization/gp' } }, { member: { reference: 'Organization/drugs' } }],
}

/** Nobody knows which organisation the practitioner is of. */
const mixed = {
  resourceType: 'CareTeam',
  id: 'mixed',
  participant: [{ member: { reference: 'Organization/drugs' } }, { member: { reference: 'Practitioner/1' } }],
}

export const consents: Arbitrary<Consent> = record({
  rules: array(provisions, { minLength: 1, maxLength: 4 }),
  root: constantFrom<object>({ type: 'deny' }, {}),
  period: oneof(
    { withCrossShrink: true },
    { arbitrary: constantFrom<object>({}), weight: 9 },
    { arbitrary: periods.map((period) => ({ period })), weight: 2 },
  ),
  who: whoAgreed,
  odd: oddities,
  given: constantFrom(...dates, ...brokenDates, ...Array.from({ length: 12 }, () => '2026-01-01'), '2026-01-02T09:00:00Z'),
  meta: constantFrom<object>(
    {},
    ...['2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z'].flatMap((lastUpdated) =>
      ['1', '2', '10'].map((versionId) => ({ meta: { lastUpdated, versionId } })),
    ),
  ),
}).map(({ rules, root, period, who, odd, given, meta }) => {
  const { root: oddRoot = {}, ...rest } = odd as { root?: object }
  return {
    resourceType: 'Consent',
    status: 'active',
    scope,
    category: [{ coding: [act('IDSCL')] }],
    patient: { reference: 'Patient/p' },
    contained: [team, mixed],
    ...(given === undefined ? {} : { dateTime: given }),
    ...meta,
    provision: { ...root, ...period, ...(rules.length ? { provision: rules } : {}), ...oddRoot },
    ...who,
    ...rest,
  } as unknown as Consent
})

const categories = constantFrom(...allCategories)
export const pieces: Arbitrary<Piece> = tuple(
  constantFrom('Condition/1', 'Condition/1', 'Condition/2', 'Flag/1', 'Patient/p', 'worker', 'referral', 'CarePlan/1#housing', ''),
  oneof(
    { withCrossShrink: true },
    categories.map((one) => [one]),
    array(categories, { maxLength: 3 }).map((some) => [...new Set(some)]),
    constantFrom<(typeof allCategories)[number][]>(
      ['substance-misuse'],
      ['mental-health'],
      ['sexual-health'],
      ['identity'],
      ['identity', 'worker', 'activity'],
    ),
  ),
  constantFrom('N', 'N', 'R', 'R', 'V', 'U'),
  constantFrom<object>(
    ...Array.from({ length: 6 }, () => ({})),
    { labels: ['OPIOIDUD'] },
    { labels: ['OPIOIDUD', 'substance-misuse'] },
    { labels: ['ETHUD', 'PSY'] },
    { labels: ['BH'] },
    { labels: ['HIV'] },
    { labels: ['SSP', 'medication'] },
  ),
  constantFrom<object>(
    {},
    {},
    {},
    { codes: [`${need}|dental`] },
    { codes: [`${need}|autism`] },
    { codes: [`${sct}|75544000`, `${need}|autism`] },
    { codes: [`${sct}|1`] },
  ),
  constantFrom<object>(
    {},
    {},
    { authors: ['Practitioner/1'] },
    { authors: ['Practitioner/2'] },
    { authors: ['PractitionerRole/1', `${ours}/Practitioner/1`] },
  ),
  constantFrom<object>({}, { date: '2026-02-28' }, { date: '2025-06-01' }, { date: '2026-05-01' }),
).map(([ref, of, confidentiality, finer, codes, authors, date]) => ({
  ref,
  categories: of,
  confidentiality,
  ...finer,
  ...codes,
  ...authors,
  ...date,
}))
