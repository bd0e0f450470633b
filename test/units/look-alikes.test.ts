/**
 * For each sensitive category, what says as much as a diagnosis without being one: a clinic's name, a group, a brand, an address.
 * Read as the exchange reads a record, and told to every kind of partner by somebody who agreed to everything but that category.
 */
import type { Resource } from '@medplum/fhirtypes'
import { describe, expect, test } from 'vitest'
import { adapters } from '../../adapters/index.ts'
import { allCategories, type Category } from '../../src/domain/categories.ts'
import { read } from '../../src/domain/read.ts'
import { scopeOf, type Wanted } from '../../src/exchange/consider.ts'
import { confidentiality, ours } from '../../src/fhir/systems.ts'
import { fill } from '../../src/mapping.ts'
import { allow, partnerOf } from '../fixtures/case.ts'

const subject = { reference: 'Patient/p' }
const labelled = (category: Category) => ({
  security: [
    { system: confidentiality, code: 'N' },
    { system: ours('category'), code: category },
  ],
})
/** As a record from outside would have it: labelled as what it is on the face of it, or not at all. */
const appointment = (rest: object, label?: Category) => ({
  resourceType: 'Appointment',
  id: 'a',
  status: 'booked',
  start: '2031-01-02T10:00:00Z',
  ...(label ? { meta: labelled(label) } : {}),
  participant: [{ actor: subject, status: 'accepted' }],
  ...rest,
})
const at = (display: string) =>
  appointment({
    participant: [
      { actor: { display }, status: 'accepted' },
      { actor: subject, status: 'accepted' },
    ],
  })
const takes = (rest: object) => ({
  resourceType: 'MedicationStatement',
  id: 'm',
  status: 'active',
  effectivePeriod: { end: '2031-01-02' },
  subject,
  ...rest,
})
const medicine = (text: string) => takes({ medicationCodeableConcept: { text } })
const adjustment = (text: string) => ({
  resourceType: 'Flag',
  id: 'f',
  status: 'active',
  meta: labelled('adjustments'),
  code: { text },
  subject,
})
const finding = (rest: object, label: Category = 'practical') => ({
  resourceType: 'Observation',
  id: 'o',
  status: 'final',
  meta: labelled(label),
  subject,
  code: { text: 'Seen' },
  ...rest,
})
const need = (text: string, label: Category = 'physical-health') => ({
  resourceType: 'Condition',
  id: 'c',
  meta: labelled(label),
  code: { text },
  subject,
})
const other = (type: string, rest: object) => ({ resourceType: type, id: 'x', status: 'active', subject, ...rest })

/** What each category is given away by. Every one of them is told to somebody when the category is agreed too, or to nobody at all. */
const lookAlikes: Partial<Record<Category, Record<string, object | object[]>>> = {
  'substance-misuse': {
    'a drug clinic as the place of an appointment': at('Elm Street Drug and Alcohol Service'),
    'a drug clinic that an appointment only refers to': [
      appointment({
        participant: [
          { actor: { reference: 'Location/l' }, status: 'accepted' },
          { actor: subject, status: 'accepted' },
        ],
      }),
      { resourceType: 'Location', id: 'l', name: 'Wear Recovery Clinic' },
    ],
    'an appointment with somebody whose service is a drug team': [
      appointment({ participant: [{ actor: { reference: 'PractitionerRole/r' }, status: 'accepted' }] }),
      { resourceType: 'PractitionerRole', id: 'r', organization: { reference: 'Organization/dt' } },
      { resourceType: 'Organization', id: 'dt', type: [{ coding: [{ system: 'http://snomed.info/sct', code: '109201000000109' }] }] },
    ],
    'a group’s name in a labelled appointment': appointment({ description: 'NA group, St Oswald’s hall' }, 'appointments'),
    'a peer group as kind of appointment': appointment({ appointmentType: { text: 'Alcoholics Anonymous' } }, 'appointments'),
    'who performed a finding': finding({ performer: [{ display: 'Needle exchange, Claypath' }] }),
    'who prescribes': takes({
      medicationCodeableConcept: { text: 'Omeprazole' },
      informationSource: { display: 'Dr Test, Drug Recovery Team' },
    }),
    'a pharmacy with supervised consumption': takes({
      medicationCodeableConcept: { text: 'As charted' },
      dosage: [{ text: 'Supervised consumption at the pharmacy' }],
    }),
    'a brand': medicine('Espranor 8 mg'),
    'a brand in capitals with a mark': medicine('BUVIDAL® weekly'),
    'a code without words': takes({ medicationCodeableConcept: { coding: [{ system: 'http://snomed.info/sct', code: '387173000' }] } }),
    'a medicine in a resource of its own': [
      takes({ medicationReference: { reference: 'Medication/k' } }),
      { resourceType: 'Medication', id: 'k', code: { text: 'Physeptone' } },
    ],
    'a medicine contained': takes({
      contained: [{ resourceType: 'Medication', id: 'k', code: { text: 'Antabuse' } }],
      medicationReference: { reference: '#k' },
    }),
    'an adjustment’s reason': adjustment('Not before noon: collects methadone in the morning'),
    'a housing finding': finding({ valueString: 'Left the recovery hostel after a detox' }, 'accommodation'),
    'the encounter a need was found in': [
      { ...need('Leg ulcer'), encounter: { reference: 'Encounter/e' } },
      other('Encounter', { id: 'e', class: {}, type: [{ coding: [{ system: 'http://snomed.info/sct', code: '700187009' }] }] }),
    ],
  },
  'mental-health': {
    'a team as place': at('Crisis Team, Lanchester Road'),
    'a forensic team': at('Community Forensic Team'),
    'a psychiatrist': at('Dr Test, consultant psychiatrist'),
    'a brand': medicine('Zyprexa 10 mg'),
    'an adjustment’s reason': adjustment('Hears voices in crowded rooms'),
    'a code in a finding': finding({ code: { coding: [{ system: ours('observation'), code: 'wellbeing' }] }, valueInteger: 21 }),
  },
  'sexual-health': {
    'a clinic': at('GUM Clinic, ward 3'),
    'an HIV nurse': at('HIV specialist nurse'),
    'a brand': medicine('Biktarvy'),
    'a cure for hepatitis C': medicine('Epclusa tablets'),
    'a need labelled only as physical': need('Blood-borne virus, stable'),
    'a code labelled only as physical': { ...need(''), code: { coding: [{ system: 'http://snomed.info/sct', code: '86406008' }] } },
  },
  abuse: {
    'a refuge as place': at('Women’s Refuge, Durham'),
    'a worker': at('IDVA service'),
    'an adjustment’s reason': adjustment('Female staff only: domestic violence'),
    'a housing finding': finding({ valueString: 'Will live in a refuge' }, 'accommodation'),
    'an address': {
      resourceType: 'Patient',
      id: 'p',
      name: [{ family: 'Testcase' }],
      address: [{ line: ['Larkspur Refuge', '1 Test Row'], city: 'Durham' }],
    },
  },
  offence: {
    'approved premises as address': {
      resourceType: 'Patient',
      id: 'p',
      name: [{ family: 'Testcase' }],
      address: [{ line: ['Test House Approved Premises'], city: 'Durham' }],
    },
    'a probation officer as contact in an adjustment': adjustment('Write through the probation officer'),
    'an appointment with an offender manager': at('A Test, Community Offender Manager'),
    'a forensic clinic': at('Forensic outpatients'),
    'a housing finding': finding({ valueString: 'CAS3 room until June' }, 'accommodation'),
  },
  'risk-to-self': {
    'an adjustment’s reason': adjustment('On an ACCT in custody'),
    'a finding': finding({ valueString: 'Self-harm in January' }),
  },
  'risk-to-others': {
    'a finding': finding({ valueString: 'Risk to staff: see alone never' }),
    'an adjustment': adjustment('Two workers: risk to others'),
  },
  safeguarding: { 'an appointment': at('Safeguarding Hub'), 'an adjustment': adjustment('Child protection conference first') },
  neurodiversity: {
    'a brand': medicine('Elvanse 30 mg'),
    'a clinic': at('Adult ADHD Service'),
    'an adjustment’s reason': adjustment('Autistic: no phone calls'),
  },
  accommodation: { 'an adjustment’s reason': adjustment('Homeless: no letters'), 'an appointment': at('Night shelter, Claypath') },
}

const plan = {
  resourceType: 'CarePlan',
  id: 'plan',
  status: 'active',
  intent: 'plan',
  subject,
  activity: [{ detail: { status: 'not-started', description: 'Help', performer: [{ reference: 'Organization/partner-1' }] } }],
}
const person = { resourceType: 'Patient', id: 'p', name: [{ family: 'Testcase' }] }

const toldOf = (
  given: object | object[],
  kind: string,
  allowed: ReadonlySet<Category>,
  activities: readonly object[] = plan.activity,
): string => {
  const own = [given].flat() as Resource[]
  const rest = own.some(({ resourceType }) => resourceType === 'Patient') ? [] : [person as Resource]
  const { case: found } = read([...rest, ...own, { ...plan, activity: activities } as Resource], 'p')
  const adapter = adapters.get(kind)!
  const wanted = found!.plan!.activities.map((activity): Wanted => ({ activity, partner: partnerOf(kind), adapter }))
  const filled = fill(adapter.mapping, scopeOf(found!, wanted), allow(allowed))
  return filled.outcome === 'ready' ? JSON.stringify(filled.sections) : ''
}
/** Anything of the facts: their words, their times and their ids. */
const traces = /2031|"(a|m|f|o|c|k|l|e|x)"|Larkspur|Approved|Test Row/

const cases = Object.entries(lookAlikes).flatMap(([category, all]) =>
  Object.entries(all).map(([name, given]) => [category as Category, name, given] as const),
)

describe.each(cases)('%s is given away by %s', (category, _, given) => {
  test.each([...adapters.keys()])('so %s hears nothing of it without that category', (kind) => {
    const allowed = new Set(allCategories)
    allowed.delete(category)
    expect(toldOf(given, kind, allowed)).not.toMatch(traces)
  })
})

test('with everything agreed most of them are told to somebody, so that there is something to hold back', () => {
  const everything = new Set(allCategories)
  const untold = cases.filter(([, , given]) => ![...adapters.keys()].some((kind) => traces.test(toldOf(given, kind, everything))))
  expect(untold.map(([category, name]) => `${category}: ${name}`)).toEqual([])
})

test('what has no place in any message leaves to nobody, whatever it says', () => {
  const everything = new Set(allCategories)
  const nowhere = [
    other('Encounter', { class: { code: 'AMB' }, type: [{ text: 'zqxjdrug' }] }),
    other('Goal', { lifecycleStatus: 'active', description: { text: 'zqxjsober' } }),
    other('QuestionnaireResponse', { item: [{ linkId: '1', text: 'zqxjquestion', answer: [{ valueString: 'zqxjyes' }] }] }),
    other('CareTeam', { participant: [{ member: { display: 'zqxjkeyworker of the drug team' } }] }),
    { ...person, contact: [{ name: { text: 'zqxjofficer' } }], generalPractitioner: [{ display: 'zqxjpractice' }] },
    { ...medicine('Paracetamol'), note: [{ text: 'zqxjnote' }], text: { status: 'generated', div: '<div>zqxjdiv</div>' } },
  ]
  for (const kind of adapters.keys()) for (const given of nowhere) expect(toldOf(given, kind, everything)).not.toContain('zqxj')
})

describe('an activity of the plan', () => {
  const asks = (detail: object) => [{ detail: { status: 'not-started', performer: [{ reference: 'Organization/partner-1' }], ...detail } }]
  const without = (...gone: Category[]) => new Set(allCategories.filter((category) => !gone.includes(category)))

  test('keeps its words when they give away what the partner may not be told, and is still asked', () => {
    const told = toldOf(
      person,
      'gp-registration',
      without('substance-misuse'),
      asks({ description: 'Register, and take over from the drug team' }),
    )
    expect(told).toContain('not-started')
    expect(told).not.toContain('drug team')
    expect(toldOf(person, 'gp-registration', without(), asks({ description: 'Register, and take over from the drug team' }))).toContain(
      'drug team',
    )
  })
  test('keeps a code too', () => {
    const detail = { code: { coding: [{ system: ours('support-activity'), code: 'substance-misuse' }] } }
    expect(toldOf(person, 'gp-registration', without('substance-misuse'), asks(detail))).not.toContain('substance-misuse')
  })
  test('is told to whoever it is about by what they are: supervision to probation, a hostel to housing', () => {
    expect(toldOf(person, 'probation', without(), asks({ description: 'Plan with the probation officer' }))).toContain('probation officer')
    expect(toldOf(person, 'community-support', without('accommodation'), asks({ description: 'A place in a hostel' }))).toContain('hostel')
  })
})

test('an appointment without a label is told by its times alone: its words are free text', () => {
  const told = toldOf(
    appointment({ description: 'Come to the usual place', serviceType: [{ text: 'Usual thing' }] }),
    'reconnect-service',
    new Set(allCategories),
  )
  expect(told).toContain('2031-01-02T10:00:00Z')
  expect(told).not.toMatch(/usual/i)
})

test('words alone make nothing shareable: free text without a label stays', () => {
  const given = { resourceType: 'Condition', id: 'c', code: { text: 'Opioid dependence' }, subject }
  for (const kind of adapters.keys()) expect(toldOf(given, kind, new Set(allCategories))).not.toMatch(traces)
})

test('a medicine named by a code nobody knows stays, until somebody labels it', () => {
  const unknown = takes({ medicationCodeableConcept: { coding: [{ system: 'http://snomed.info/sct', code: '999000000000' }] } })
  for (const kind of adapters.keys()) expect(toldOf(unknown, kind, new Set(allCategories))).not.toMatch(traces)
  expect(toldOf({ ...unknown, meta: labelled('medication') }, 'gp-registration', new Set(allCategories))).toMatch(traces)
})
