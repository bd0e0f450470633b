import type { Coding, Resource } from '@medplum/fhirtypes'
import { describe, expect, test } from 'vitest'
import { sourceOf } from '../../src/domain/labels.ts'
import { actCode, actReason, confidentiality, ours } from '../../src/fhir/systems.ts'

const conf = (code: string): Coding => ({ system: confidentiality, code })
const act = (code: string): Coding => ({ system: actCode, code })
const own = (code: string): Coding => ({ system: ours('category'), code })
const coded = (system: string, code: string) => ({ coding: [{ system, code }] })
const condition = (code: object, security?: Coding[]): Resource =>
  ({
    resourceType: 'Condition',
    id: '1',
    code,
    subject: { reference: 'Patient/p' },
    ...(security ? { meta: { security } } : {}),
  }) as Resource
const statement = (rest: object): Resource =>
  ({ resourceType: 'MedicationStatement', id: '1', status: 'active', subject: { reference: 'Patient/p' }, ...rest }) as Resource

describe('what a resource is about', () => {
  test.each([
    ['its label says so', condition({ text: 'x' }, [conf('R'), act('ETH')]), ['substance-misuse'], 'R'],
    ['our own label says so', condition({ text: 'x' }, [conf('N'), own('adjustments')]), ['adjustments'], 'N'],
    ['its need code says so', condition(coded(ours('need'), 'mental-health')), ['mental-health'], 'R'],
    ['its SNOMED code says so', condition(coded('http://snomed.info/sct', '75544000')), ['substance-misuse'], 'R'],
    ['its type says so', { resourceType: 'AllergyIntolerance', id: '1', patient: {} } as Resource, ['allergies'], 'N'],
    ['its type says so, though it is only text', statement({ medicationCodeableConcept: { text: 'Something' } }), ['medication'], 'N'],
    [
      'the category of a BaRS flag says so',
      {
        resourceType: 'Flag',
        id: '1',
        status: 'active',
        code: { text: 'x' },
        subject: {},
        category: [coded('https://fhir.nhs.uk/CodeSystem/flag-categories-bars', 'SG')],
      } as Resource,
      ['safeguarding'],
      'R',
    ],
    [
      'a code deep inside says so',
      {
        resourceType: 'Observation',
        id: '1',
        status: 'final',
        code: { text: 'x' },
        component: [{ code: coded(ours('observation'), 'mappa') }],
      } as Resource,
      ['offence', 'risk-to-others'],
      'R',
    ],
  ] as const)('%s', (_, resource, categories, level) => {
    expect(sourceOf(resource)).toMatchObject({ ref: `${resource.resourceType}/1`, categories, confidentiality: level })
  })

  test('a label and a code that disagree both count', () => {
    const { categories } = sourceOf(condition(coded(ours('need'), 'physical-health'), [conf('R'), act('HIV')]))
    expect(categories).toEqual(['sexual-health', 'physical-health'])
  })
  test.each([
    ['no label and text only', condition({ text: 'Told in confidence' })],
    ['no label and a code we do not know', condition(coded(ours('need'), 'other-vulnerability'))],
    ['only a confidentiality', condition({ text: 'x' }, [conf('N')])],
    ['a code that is the name of a built-in', condition(coded(ours('need'), 'constructor'))],
  ])('%s: it is about nothing we know, so nobody is told', (_, resource) => expect(sourceOf(resource).categories).toEqual([]))

  test('a medicine that treats dependence says so by its name, also when it stands in a resource of its own', () => {
    expect(sourceOf(statement({ medicationCodeableConcept: { text: 'Methadone 1mg/ml oral solution' } })).categories).toEqual([
      'medication',
      'substance-misuse',
    ])
    const medication = { resourceType: 'Medication', id: '2', code: { coding: [{ display: 'Buvidal 96mg' }] } } as Resource
    expect(sourceOf(statement({ medicationReference: { reference: 'Medication/2' } }), { also: [medication] }).categories).toContain(
      'substance-misuse',
    )
  })
  test('what it can not be read without is labelled for it too', () => {
    const medication = { resourceType: 'Medication', id: '2', meta: { security: [conf('R'), act('HIV')] } } as Resource
    expect(sourceOf(statement({}), { also: [medication] })).toMatchObject({
      categories: ['sexual-health', 'medication'],
      confidentiality: 'R',
    })
  })
})

describe('a label we can not read can not be honoured', () => {
  test.each([
    ['a sensitivity code without a category of ours', act('SPI')],
    ['a code our own system does not have', own('secret')],
    ['an instruction we do not carry out', act('NOPAT')],
    ['a retired code in the confidentiality system', conf('ETH')],
    ['a system we do not know', { system: 'https://other.example/labels', code: 'R' }],
    ['no system', { code: 'R' }],
  ])('%s', (_, label) => {
    const source = sourceOf(condition(coded(ours('need'), 'physical-health'), [conf('N'), own('physical-health'), label]))
    expect(source).toMatchObject({ categories: [], confidentiality: 'V' })
  })
  test('it also raises a patient, whose resource needs no label', () => {
    expect(sourceOf({ resourceType: 'Patient', id: '1', meta: { security: [act('SPI')] } } as Resource).confidentiality).toBe('V')
    expect(sourceOf({ resourceType: 'Patient', id: '1' } as Resource)).toMatchObject({ categories: [], confidentiality: 'N' })
  })
  test('an instruction we carry out anyway, and the mark of made-up data, change nothing', () => {
    const labels = [conf('N'), own('medication'), act('NORDSCLCD'), { system: actReason, code: 'HTEST' }]
    expect(sourceOf(statement({ meta: { security: labels } }))).toMatchObject({ categories: ['medication'], confidentiality: 'N' })
  })
})

describe('the high-water mark', () => {
  test.each([
    ['what is stated, when that is higher than what the category implies', [conf('R'), own('medication')], 'R'],
    ['what the category implies, when less is stated', [conf('N'), act('PSY')], 'R'],
    ['the highest of several', [conf('N'), conf('V'), own('medication')], 'V'],
    ['restricted, when it is labelled without saying how much', [own('medication')], 'R'],
  ])('is %s', (_, security, level) => expect(sourceOf(condition({ text: 'x' }, security)).confidentiality).toBe(level))
})

test('the date is the London day it is about, and none when it could be several', () => {
  const observed = (when: object) => sourceOf({ resourceType: 'Observation', id: '1', status: 'final', code: {}, ...when } as Resource).date
  expect(observed({ effectiveDateTime: '2026-06-30T23:30:00Z' })).toBe('2026-07-01')
  expect(observed({ effectivePeriod: { start: '2025-09-01' } })).toBe('2025-09-01')
  expect(observed({ effectiveDateTime: '2025' })).toBeUndefined()
})

test('a consent that names codes, finer labels or authors finds them on the source', () => {
  const resource = {
    ...condition(coded('http://snomed.info/sct', '75544000'), [conf('R'), act('OPIOIDUD'), act('MINEC')]),
    clinicalStatus: coded('http://terminology.hl7.org/CodeSystem/condition-clinical', 'active'),
    recorder: { reference: 'Practitioner/1' },
  } as Resource
  expect(sourceOf(resource)).toMatchObject({
    codes: ['http://snomed.info/sct|75544000'],
    // its code says substance misuse and not of which kind
    labels: ['OPIOIDUD', 'substance-misuse'],
    authors: ['Practitioner/1'],
  })
  expect(sourceOf(condition({ text: 'x' }, [own('medication')]))).not.toHaveProperty('labels')
})
