/**
 * The message with typed gaps: what fills, what goes, and what does not compile.
 */
import type { Condition, Patient } from '@medplum/fhirtypes'
import { describe, expect, test } from 'vitest'
import { disclosures } from '../../src/domain/disclosures.ts'
import { defineMapping, each, type Filled, fill, from, type Mapping, maybe, type Scope } from '../../src/mapping.ts'
import { allow, everything, scope } from '../fixtures/case.ts'

const rules = { kind: 'test', version: 1, purpose: 'p', purposeOfUse: [], legalBasis: 'l', essential: [], never: [], statement: 's' }
const yes = allow(everything)
const sections = (filled: Filled) => (filled.outcome === 'ready' ? filled.sections : filled.outcome)
const patientOf = (patient: Mapping<{ patient: Patient }>['message']['patient']) =>
  defineMapping<{ patient: Patient }>({ ...rules, why: { patient: 'r' }, message: { patient } }) as Mapping

describe('a gap', () => {
  test('that is known and allowed is filled', () => {
    const mapping = patientOf({ resourceType: 'Patient', birthDate: from('person.birthDate', 'identity') })
    expect(sections(fill(mapping, scope, yes))).toEqual({ patient: [{ resourceType: 'Patient', birthDate: '1990-05-17' }] })
  })

  test('that must be known and is not makes the message incomplete', () => {
    const mapping = patientOf({ resourceType: 'Patient', birthDate: from('person.birthDate', 'identity') })
    const { birthDate: _unknown, ...person } = scope.person
    expect(fill(mapping, { ...scope, person }, yes)).toMatchObject({ outcome: 'incomplete', missing: ['person.birthDate'] })
  })

  test('that must be told and may not be withholds the message, with the reason', () => {
    const mapping = patientOf({ resourceType: 'Patient', birthDate: from('person.birthDate', 'identity') })
    expect(fill(mapping, scope, allow(new Set()))).toMatchObject({ outcome: 'withheld', because: 'not agreed' })
  })

  test('that stays empty takes its part with it, labels and all', () => {
    const mapping = patientOf({
      resourceType: 'Patient',
      birthDate: maybe('person.birthDate', 'identity'),
      telecom: [{ system: 'phone', use: 'mobile', value: maybe('person.phone', 'contact') }],
    })
    const filled = fill(mapping, scope, allow(new Set(['identity'])))
    expect(sections(filled)).toEqual({ patient: [{ resourceType: 'Patient', birthDate: '1990-05-17' }] })
  })

  test('in a part that goes is not said to have been told', () => {
    const mapping = patientOf({
      resourceType: 'Patient',
      id: maybe('person.id', 'identity').id(),
      telecom: [{ value: maybe('person.phone', 'contact') }],
    })
    const filled = fill(mapping, scope, allow(new Set(['identity'])))
    expect(filled).toMatchObject({ outcome: 'ready', sections: {}, disclosures: [] })
  })

  test('through a code table says the other word', () => {
    const gender = maybe('person.gender', 'identity').as({ male: 'male', female: 'female', other: 'other', unknown: 'unknown' } as const)
    expect(sections(fill(patientOf({ resourceType: 'Patient', gender }), scope, yes))).toEqual({
      patient: [{ resourceType: 'Patient', gender: 'male' }],
    })
  })

  test('whose code is not on the list stays empty', () => {
    const mapping = patientOf({ resourceType: 'Patient', language: maybe('person.language', 'identity').of(['en']) })
    expect(fill(mapping, scope, yes)).toMatchObject({ outcome: 'ready', sections: {}, disclosures: [] })
  })

  test('of a labelled person needs the labels as well', () => {
    const mapping = patientOf({ resourceType: 'Patient', birthDate: from('person.birthDate', 'identity') })
    const restricted: Scope = { ...scope, personSource: { ...scope.personSource, categories: ['abuse'], confidentiality: 'V' } }
    const asked: unknown[] = []
    fill(mapping, restricted, (source) => {
      asked.push(source)
      return { permitted: true, because: '' }
    })
    expect(asked).toEqual([{ ref: 'Patient/person-1', categories: ['identity', 'abuse'], confidentiality: 'V' }])
  })
})

describe('a list', () => {
  const conditions = (may: Parameters<typeof each>[1]['may'], never: Mapping['never'] = []) =>
    defineMapping<{ needs: Condition }>({
      ...rules,
      never,
      why: { needs: 'r' },
      message: {
        needs: each('needs', { may }, (need) => ({
          resourceType: 'Condition',
          id: need.from('ref').id(),
          code: need.from('code'),
          subject: from('person.id', 'identity').reference('Patient'),
        })),
      },
    }) as Mapping
  const labelled = (filled: Filled) => (filled.outcome === 'ready' ? (filled.sections.needs ?? []).map(({ id }) => id) : [])

  test('takes items whose every label is on its allow-list and allowed', () => {
    const filled = fill(conditions(['medication', 'mental-health']), scope, allow(new Set(['identity', 'medication', 'mental-health'])))
    const wanted = scope.needs.filter(
      ({ categories }) => categories.length && categories.every((one) => one === 'medication' || one === 'mental-health'),
    )
    expect(labelled(filled)).toEqual(wanted.map(({ ref }) => ref.split('/')[1]))
    expect(wanted).toHaveLength(3)
  })

  test('may hold a value of the case inside an item', () => {
    const filled = fill(conditions(['medication']), scope, yes)
    expect(filled).toMatchObject({ sections: { needs: [{ subject: { reference: 'Patient/person-1' } }] } })
  })

  test('leaves an item out that lacks a must-have, and says it did not leave', () => {
    const needs = [{ ref: 'Condition/1', categories: ['medication'] as const, confidentiality: 'N' as const }] as never
    const filled = fill(conditions(['medication']), { ...scope, needs }, yes)
    expect(filled).toMatchObject({ sections: {}, disclosures: [] })
    expect(filled.withheld.map(({ ref }) => ref)).toContain('Condition/1')
  })

  test('says why each item stayed', () => {
    const because = (label: string) => {
      const filled = fill(conditions(['medication'], ['offence']), scope, allow(new Set(['identity'])))
      const at = scope.needs.find(({ categories }) => categories.length === 1 && categories[0] === label)
      return filled.withheld.find(({ ref, path }) => ref === at?.ref && path === 'needs')?.because
    }
    expect(because('medication')).toBe('not agreed')
    expect(because('mental-health')).toBe('this kind of partner is not told about mental health')
    expect(because('offence')).toMatch(/^this kind of partner is never told/)
  })

  test('a list no section takes is withheld too', () => {
    const filled = fill(conditions(['medication']), scope, yes)
    expect(filled.withheld.filter(({ path }) => path === 'flags')).toHaveLength(scope.flags.length)
  })
})

test('the essential category not allowed withholds everything', () => {
  const mapping = {
    ...patientOf({ resourceType: 'Patient', birthDate: from('person.birthDate', 'identity') }),
    essential: ['medication'] as const,
  }
  expect(fill(mapping, scope, allow(new Set(['identity']))).outcome).toBe('withheld')
})

test('the disclosure table names section, element, source, categories and the reason', () => {
  const mapping = patientOf({
    resourceType: 'Patient',
    id: from('person.id', 'identity').id(),
    name: [{ family: from('person.family', 'identity') }],
  })
  expect(disclosures(mapping)).toEqual([
    { section: 'patient', element: 'Patient.name.family', what: 'person.family', categories: ['identity'], must: true, why: 'r' },
  ])
})

test('what is misspelt or not translated does not compile', () => {
  // @ts-expect-error no such path
  from('person.famly', 'identity')
  // @ts-expect-error no such category
  from('person.family', 'identty')
  // @ts-expect-error the table does not know every value
  maybe('person.gender', 'identity').as({ male: 'm', female: 'f' })
  // @ts-expect-error a date is no list of names
  patientOf({ resourceType: 'Patient', name: from('person.birthDate', 'identity') })
  // @ts-expect-error no such element
  patientOf({ resourceType: 'Patient', birthdate: from('person.birthDate', 'identity') })
  // @ts-expect-error not a code this element takes
  patientOf({ resourceType: 'Patient', gender: maybe('person.language', 'identity') })
  // @ts-expect-error an item has no such field
  each('needs', { may: [] }, (need) => ({ resourceType: 'Condition', code: need.from('cod') }))
  expect(true).toBe(true)
})
