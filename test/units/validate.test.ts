/**
 * What is refused, under which code and where it is said to be; what is taken; and that nothing hostile gets further.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { nhsNumberValid } from '../../src/domain/nhs-number.ts'
import type { Issue } from '../../src/fhir/outcome.ts'
import { servedTypes, validate } from '../../src/fhir/validate.ts'

const issuesOf = (value: unknown, at?: string): Issue[] => {
  const result = validate(value, at)
  return 'issues' in result ? result.issues : []
}
const found = (value: unknown, at?: string) => issuesOf(value, at).map(({ code, expression }) => `${code} ${expression}`)
const json = (text: string): unknown => JSON.parse(text)

const patient = { resourceType: 'Patient' }
const subject = { reference: 'Patient/1' }
const code = { coding: [{ system: 'https://example.org/codes', code: 'a' }] }
const observation = { resourceType: 'Observation', status: 'final', code, subject }
const consent = { resourceType: 'Consent', status: 'active', scope: code, category: [code], policyRule: code }
const plan = { resourceType: 'CarePlan', status: 'active', intent: 'plan', subject }
const condition = { resourceType: 'Condition', subject }
const conditionStatus = (status: string) => ({
  coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: status }],
})
const questionnaire = { resourceType: 'Questionnaire', status: 'active' }
const div = (inner: string) => ({
  ...patient,
  text: { status: 'generated', div: `<div xmlns="http://www.w3.org/1999/xhtml">${inner}</div>` },
})
const message = (entry: unknown[]) => ({ resourceType: 'Bundle', type: 'message', entry })

describe('what is refused, and where it is said to be', () => {
  test.each<[string, unknown, string[]]>([
    ['an element FHIR does not have', { ...patient, surname: 'x' }, ['structure Patient']],
    ['an element of another type', { ...patient, status: 'x' }, ['structure Patient.status']],
    ['an element in the wrong case', { ...patient, birthdate: 'x' }, ['structure Patient.birthDate']],
    [
      'an unknown element deeper down',
      { ...patient, name: [{}, { last: 'x' }] },
      ['structure Patient.name[0]', 'structure Patient.name[1]'],
    ],
    ['an element of another version of FHIR', { ...patient, meta: { project: 'x' } }, ['structure Patient.meta']],
    ['one value where a list belongs', { ...patient, name: { family: 'x' } }, ['structure Patient.name']],
    ['a list where one value belongs', { ...patient, birthDate: ['1990-05-17'] }, ['structure Patient.birthDate']],
    ['a number where text belongs', { ...patient, name: [{ family: 7 }] }, ['structure Patient.name[0].family']],
    ['text where true or false belongs', { ...patient, active: 'true' }, ['structure Patient.active']],
    ['text where a number belongs', { ...observation, valueInteger: '1' }, ['structure Observation.value']],
    ['text where an object belongs', { ...patient, maritalStatus: 'single' }, ['structure Patient.maritalStatus']],
    ['null', { ...patient, gender: null }, ['structure Patient.gender']],
    ['null in a list', { ...patient, name: [{ given: ['a', null] }] }, ['structure Patient.name[0].given[1]']],
    ['an empty list', { ...patient, name: [] }, ['structure Patient.name']],
    ['an empty object', { ...patient, maritalStatus: {} }, ['structure Patient.maritalStatus']],
    ['an empty text', { ...patient, name: [{ family: '' }] }, ['value Patient.name[0].family']],
    ['a blank text', { ...patient, name: [{ family: ' \t' }] }, ['value Patient.name[0].family']],
    ['a control character', { ...patient, name: [{ family: 'a\u0000' }] }, ['value Patient.name[0].family']],
    ['half a character', { ...patient, name: [{ family: 'a\ud800' }] }, ['value Patient.name[0].family']],
    ['what is required', { resourceType: 'Observation' }, ['required Observation.status', 'required Observation.code']],
    ['a required choice', { resourceType: 'MedicationStatement', status: 'active', subject }, ['required MedicationStatement.medication']],
    ['what is required deeper down', { ...patient, link: [{ type: 'refer' }] }, ['required Patient.link[0].other']],
    ['two types of one choice', { ...observation, valueString: 'a', valueBoolean: true }, ['structure Observation.value']],
    ['a choice FHIR does not offer', { ...observation, valueUri: 'a:b' }, ['structure Observation.valueUri']],
    ['a day that does not exist', { ...patient, birthDate: '1990-02-31' }, ['value Patient.birthDate']],
    ['a leap day in a common year', { ...patient, birthDate: '1900-02-29' }, ['value Patient.birthDate']],
    ['a month that does not exist', { ...patient, birthDate: '1990-13' }, ['value Patient.birthDate']],
    ['a date the English way', { ...patient, birthDate: '17/05/1990' }, ['value Patient.birthDate']],
    ['a date with a time', { ...patient, birthDate: '1990-05-17T00:00:00Z' }, ['value Patient.birthDate']],
    ['a time without a zone', { ...observation, effectiveDateTime: '2026-03-01T10:00:00' }, ['value Observation.effective']],
    ['an hour that does not exist', { ...observation, effectiveDateTime: '2026-03-01T24:00:00Z' }, ['value Observation.effective']],
    ['an instant without a zone', { ...observation, issued: '2026-03-01T10:00:00' }, ['value Observation.issued']],
    ['an instant that is a date', { ...observation, issued: '2026-03-01' }, ['value Observation.issued']],
    ['an instant on a day that does not exist', { ...observation, issued: '2026-04-31T10:00:00Z' }, ['value Observation.issued']],
    ['an id with a blank', { ...patient, id: 'a b' }, ['value Patient.id']],
    ['an id that is too long', { ...patient, id: 'a'.repeat(65) }, ['value Patient.id']],
    ['a URI with a blank', { ...patient, implicitRules: ' https://example.org' }, ['value Patient.implicitRules']],
    ['a code with a blank at its end', { ...patient, language: 'en ' }, ['value Patient.language']],
    ['a whole number that is not', { ...observation, valueInteger: 1.5 }, ['value Observation.value']],
    ['a whole number that is too large', { ...observation, valueInteger: 2 ** 31 }, ['value Observation.value']],
    ['a positive number that is not', { ...patient, telecom: [{ rank: 0 }] }, ['value Patient.telecom[0].rank']],
    [
      'a number beyond all numbers',
      json('{"resourceType":"Observation","status":"final","code":{"text":"a"},"valueQuantity":{"value":1e999}}'),
      ['value Observation.value.value'],
    ],
    ['base64 that is not', { ...patient, photo: [{ contentType: 'image/png', data: 'abc' }] }, ['value Patient.photo[0].data']],
    ['a reference that is none', { ...condition, subject: { reference: 'patient one' } }, ['value Condition.subject.reference']],
    ['a required code', { ...patient, gender: 'M' }, ['code-invalid Patient.gender']],
    [
      'a required code in a nested element',
      { ...consent, provision: { provision: [{ type: 'maybe' }] } },
      ['code-invalid Consent.provision.provision[0].type'],
    ],
    ['a required code in a data type', { ...patient, name: [{ use: 'stage' }] }, ['code-invalid Patient.name[0].use']],
    [
      'a required code in a CodeableConcept',
      { ...condition, clinicalStatus: conditionStatus('gone') },
      ['code-invalid Condition.clinicalStatus'],
    ],
    [
      'an unknown element in the extension of a primitive',
      { ...patient, _birthDate: { value: 'x' } },
      ['structure Patient.birthDate.value'],
    ],
    ['an extension of a primitive that is a list', { ...patient, _birthDate: [{ id: 'a' }] }, ['structure Patient.birthDate']],
    ['a primitive extension of something that is none', { ...patient, _maritalStatus: { id: 'a' } }, ['structure Patient._maritalStatus']],
    ['an extension without a url', { ...patient, extension: [{ valueString: 'a' }] }, ['required Patient.extension[0].url']],
    ['a type we do not serve', { resourceType: 'Claim' }, ['not-supported Resource']],
    ['a type there is not', { resourceType: 'constructor' }, ['not-supported Resource']],
    ['a type that is no text', { resourceType: ['Patient'] }, ['structure Resource']],
    ['no type', { id: 'a' }, ['required Resource']],
    ['no object', 'Patient', ['structure Resource']],
    ['no resource', null, ['structure Resource']],
    ['a list of resources', [patient], ['structure Resource']],
    [
      'a contained resource that is wrong',
      { ...condition, subject: { reference: '#p' }, contained: [{ ...patient, id: 'p', gender: 'M' }] },
      ['code-invalid Condition.contained[0].gender'],
    ],
  ])('%s', (_what, value, expected) => {
    expect(found(value)).toEqual(expected)
  })
})

describe('the constraints of FHIR, by their key', () => {
  test.each<[string, string, unknown]>([
    ['pat-1', 'Patient.contact[0]', { ...patient, contact: [{ gender: 'male' }] }],
    ['ppc-1', 'Consent', { ...consent, policyRule: undefined }],
    [
      'cpl-3',
      'CarePlan.activity[1]',
      { ...plan, activity: [{ reference: subject }, { reference: subject, detail: { status: 'scheduled' } }] },
    ],
    ['obs-6', 'Observation', { ...observation, valueString: 'a', dataAbsentReason: code }],
    ['obs-7', 'Observation', { ...observation, valueString: 'a', component: [{ code, valueString: 'b' }] }],
    ['obs-3', 'Observation.referenceRange[0]', { ...observation, referenceRange: [{ appliesTo: [code] }] }],
    ['con-4', 'Condition', { ...condition, clinicalStatus: conditionStatus('active'), abatementDateTime: '2026' }],
    [
      'con-5',
      'Condition',
      {
        ...condition,
        clinicalStatus: conditionStatus('active'),
        verificationStatus: {
          coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-ver-status', code: 'entered-in-error' }],
        },
      },
    ],
    ['att-1', 'Patient.photo[0]', { ...patient, photo: [{ data: 'UkVDT05ORUNU' }] }],
    ['cpt-2', 'Patient.telecom[0]', { ...patient, telecom: [{ value: '07700900123' }] }],
    ['per-1', 'CarePlan.period', { ...plan, period: { start: '2026-03-02', end: '2026-03-01' } }],
    ['per-1', 'CarePlan.period', { ...plan, period: { start: '2026-03-01T00:30:00Z', end: '2026-03-01T01:00:00+01:00' } }],
    [
      'rng-2',
      'Goal.target[0].detail',
      {
        resourceType: 'Goal',
        lifecycleStatus: 'active',
        description: code,
        subject,
        target: [{ measure: code, detailRange: { low: { value: 2 }, high: { value: 1 } } }],
      },
    ],
    ['qty-3', 'Observation.value', { ...observation, valueQuantity: { value: 1, code: 'mg' } }],
    ['ext-1', 'Patient.extension[0]', { ...patient, extension: [{ url: 'https://example.org/e' }] }],
    ['ref-1', 'Condition.subject', { ...condition, subject: { reference: '#nobody' } }],
    [
      'dom-2',
      'Condition',
      {
        ...condition,
        subject: { reference: '#p' },
        contained: [{ ...patient, id: 'p', contained: [{ ...patient, id: 'q', link: [{ type: 'refer', other: { reference: '#' } }] }] }],
      },
    ],
    ['dom-3', 'Condition', { ...condition, contained: [{ ...patient, id: 'p' }] }],
    ['dom-4', 'Condition', { ...condition, subject: { reference: '#p' }, contained: [{ ...patient, id: 'p', meta: { versionId: '1' } }] }],
    [
      'dom-5',
      'Condition',
      { ...condition, subject: { reference: '#p' }, contained: [{ ...patient, id: 'p', meta: { security: [{ code: 'R' }] } }] },
    ],
    ['txt-1', 'Patient.text.div', div('<script>x</script>')],
    ['txt-1', 'Patient.text.div', div('<p onclick="x">a</p>')],
    ['txt-1', 'Patient.text.div', div('<a href="javascript:x">a</a>')],
    ['txt-1', 'Patient.text.div', { ...patient, text: { status: 'generated', div: 'just words' } }],
    ['txt-2', 'Patient.text.div', div('<p> </p>')],
    ['que-2', 'Questionnaire', { ...questionnaire, item: [{ linkId: '1', type: 'group', item: [{ linkId: '1', type: 'string' }] }] }],
    ['org-1', 'Organization', { resourceType: 'Organization', active: true }],
    ['org-3', 'Organization.telecom[0]', { resourceType: 'Organization', name: 'A', telecom: [{ use: 'home' }] }],
    ['inv-1', 'Parameters.parameter[0]', { resourceType: 'Parameters', parameter: [{ name: 'a' }] }],
    [
      'inv-1',
      'Task',
      { resourceType: 'Task', status: 'requested', intent: 'order', authoredOn: '2026-03-02', lastModified: '2026-03-01T09:00:00Z' },
    ],
    ['bdl-1', 'Bundle', { resourceType: 'Bundle', type: 'collection', total: 1 }],
    ['bdl-3', 'Bundle', { resourceType: 'Bundle', type: 'transaction', entry: [{ resource: patient }] }],
    ['bdl-5', 'Bundle.entry[0]', { resourceType: 'Bundle', type: 'collection', entry: [{ fullUrl: 'https://example.org/Patient/1' }] }],
    [
      'bdl-7',
      'Bundle',
      {
        resourceType: 'Bundle',
        type: 'collection',
        entry: [1, 2].map(() => ({ fullUrl: 'https://example.org/Patient/1', resource: patient })),
      },
    ],
    ['bdl-12', 'Bundle', message([{ resource: patient }])],
  ])('%s at %s', (key, expression, value) => {
    expect(issuesOf(value)).toEqual([
      { code: 'invariant', text: expect.stringMatching(new RegExp(`^[A-Z].*\\(${key}\\)\\.$`)), expression },
    ])
  })
})

describe('what is taken', () => {
  test.each<[string, unknown]>([
    ['a leap day', { ...patient, birthDate: '2024-02-29' }],
    ['a year and month', { ...patient, birthDate: '1990-05' }],
    ['a period that ends in the month it starts in', { ...plan, period: { start: '2026-03-20', end: '2026-03' } }],
    ['a period that ends on the day it starts', { ...plan, period: { start: '2026-03-20T10:00:00Z', end: '2026-03-20' } }],
    [
      'a primitive with only an extension',
      { ...patient, _birthDate: { extension: [{ url: 'https://example.org/why', valueCode: 'unknown' }] } },
    ],
    [
      'a required element with only an extension',
      { ...observation, status: undefined, _status: { extension: [{ url: 'https://example.org/why', valueCode: 'unknown' }] } },
    ],
    ['a list of primitives where one has only an extension', { ...patient, name: [{ given: ['a', null], _given: [null, { id: 'b' }] }] }],
    ['a choice with its extension', { ...observation, valueString: 'a', _valueString: { id: 'b' } }],
    ['a contained resource that is referred to', { ...condition, subject: { reference: '#p' }, contained: [{ ...patient, id: 'p' }] }],
    [
      'references of every form',
      {
        ...plan,
        supportingInfo: [
          'Patient/1/_history/2',
          'urn:uuid:00000000-0000-4000-8000-000000000001',
          'https://example.org/fhir/Patient/1',
          'Patient?identifier=a|b',
        ].map((reference) => ({ reference })),
      },
    ],
    ['base64 in lines', { ...patient, photo: [{ contentType: 'image/png', data: 'UkVD\nT05O' }] }],
    ['formatted narrative', div('<!-- a --><p class="x">5 &lt; 6 <br/><a href="https://example.org/?a=b">on = off</a></p>')],
  ])('%s', (_what, value) => {
    expect(validate(value)).toEqual({ resource: value })
  })

  test('the resource comes back as the very object that went in', () => {
    expect('resource' in validate(patient) && (validate(patient) as { resource: unknown }).resource).toBe(patient)
  })
})

describe('how it is said', () => {
  test('all that is wrong is said at once, with the place in a Bundle', () => {
    const entry = [
      { resource: { resourceType: 'MessageHeader', eventCoding: { code: 'a' }, source: { endpoint: 'https://example.org' } } },
      { resource: { ...patient, gender: 'M', birthDate: '1990-02-31', identifier: [{ value: 5 }] } },
    ]
    expect(found(message(entry))).toEqual([
      'code-invalid Bundle.entry[1].resource.gender',
      'value Bundle.entry[1].resource.birthDate',
      'structure Bundle.entry[1].resource.identifier[0].value',
    ])
  })

  test('a resource that is part of something else is placed there', () => {
    expect(found({ ...patient, gender: 'M' }, 'Bundle.entry[3].resource')).toEqual(['code-invalid Bundle.entry[3].resource.gender'])
    expect(found({}, 'Bundle.entry[3].resource')).toEqual(['required Bundle.entry[3].resource'])
  })

  test('a type not supported inside a Bundle is said there', () => {
    expect(found({ resourceType: 'Bundle', type: 'collection', entry: [{ resource: { resourceType: 'Claim' } }] })).toEqual([
      'not-supported Bundle.entry[0].resource',
    ])
  })

  test('nothing of the input is repeated', () => {
    const secret = 'Secretive Person'
    const wrong = {
      ...patient,
      id: secret,
      gender: secret,
      birthDate: secret,
      [secret]: secret,
      name: secret,
      contact: [{ relationship: secret, [secret]: 1 }],
      active: secret,
    }
    const said = JSON.stringify([...issuesOf(wrong), ...issuesOf({ resourceType: secret })])
    expect(issuesOf(wrong)).toHaveLength(8)
    expect(said).not.toContain('Secretive')
  })

  test('a required code says what it may be', () => {
    expect(issuesOf({ ...patient, gender: 'M' })[0]!.text).toBe('gender must be one of male, female, other, unknown.')
  })
})

describe('hostile input', () => {
  test('an element there is not is named by its place: its name may be somebody’s', () => {
    expect(issuesOf({ resourceType: 'Patient', active: true, Wrenfield: 1 })).toEqual([
      { code: 'structure', text: 'Patient has no such element (property 3 of the object).', expression: 'Patient' },
    ])
  })

  test('the names of prototypes are unknown elements', () => {
    expect(found(json('{"resourceType":"Patient","__proto__":{"gender":"M"},"constructor":{"a":1},"toString":1}'))).toEqual([
      'structure Patient',
      'structure Patient',
      'structure Patient',
    ])
    expect(({} as Record<string, unknown>).gender).toBeUndefined()
  })

  test('64 levels of nesting are taken, more are not followed', () => {
    const nested = (levels: number): unknown => {
      let extension: unknown = { url: 'https://example.org/e', valueString: 'a' }
      for (let level = 1; level < levels; level++) extension = { url: 'https://example.org/e', extension: [extension] }
      return { ...patient, extension: [extension] }
    }
    expect(found(nested(31))).toEqual([])
    expect(issuesOf(nested(32))).toEqual([
      { code: 'structure', text: expect.stringContaining('64 levels'), expression: `Patient${'.extension[0]'.repeat(32)}` },
    ])
    expect(found(nested(100_000))).toHaveLength(1)
    const round: Record<string, unknown> = { url: 'https://example.org/e' }
    round.extension = [round]
    expect(found({ ...patient, extension: [round] })).toHaveLength(1)
  })

  test('a thousand mistakes give a hundred issues', () => {
    expect(issuesOf({ ...patient, name: Array.from({ length: 1000 }, () => ({ family: 1 })) })).toHaveLength(100)
  })

  test('long texts made to be slow are not', () => {
    const start = performance.now()
    for (const text of ['<a "\''.repeat(100_000), 'a '.repeat(250_000), '<'.repeat(500_000), ' '.repeat(500_000)]) {
      issuesOf({ ...patient, id: text, language: text, birthDate: text, implicitRules: text, text: { status: 'generated', div: text } })
      issuesOf({ ...div(text), managingOrganization: { reference: text }, photo: [{ data: text, contentType: 'a' }] })
    }
    expect(performance.now() - start).toBeLessThan(2000)
  })
})

describe('public examples and the acceptance case', () => {
  const shared = new URL('../../../shared/', import.meta.url)
  const folder = new URL('examples/bars/', shared)
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => /^(REFREQ|REFRESP|SERVREQ|CONS|FLA)/.test(file)) : []
  test.skipIf(files.length === 0)(`NHS examples are taken${files.length ? '' : ' (skipped: they are not here)'}`, () => {
    for (const file of files)
      expect({ file, issues: issuesOf(json(readFileSync(new URL(file, folder), 'utf8'))) }).toEqual({ file, issues: [] })
  })

  const acceptance = new URL('acceptance/case.mjs', shared)
  test.skipIf(!existsSync(acceptance))(
    `the acceptance case is taken${existsSync(acceptance) ? '' : ' (skipped: it is not here)'}`,
    async () => {
      const { sam } = await import(acceptance.href)
      expect(issuesOf(sam({ service: 's', partners: { gp: 'a', drugs: 'b', probation: 'c', enhanced: 'd' } }))).toEqual([])
    },
  )
})

test('every type served can be asked for', () => {
  for (const resourceType of servedTypes)
    expect(found({ resourceType }).filter((issue) => !/^(required|invariant) /.test(issue))).toEqual([])
})

describe('NHS numbers', () => {
  test.each(['9990000379', '9434765919'])('%s has the right check digit', (number) => expect(nhsNumberValid(number)).toBe(true))
  // The last: nine digits whose check digit would be 10, which no number has.
  test.each(['9990000378', '999 000 0379', '999000037', '99900003790', '', 'abcdefghij', '٩٩٩٠٠٠٠٣٧٩', '9990000000'])(
    '%s is none',
    (number) => expect(nhsNumberValid(number)).toBe(false),
  )
})
