/**
 * How long a record is kept: each rule a sentence.
 */
import type { Resource } from '@medplum/fhirtypes'
import { describe, expect, test } from 'vitest'
import { heldIn, retentionOf, rules, usualYears } from '../../src/domain/retention.ts'
import { actCode, confidentiality, ours } from '../../src/fhir/systems.ts'

const held = { lastContact: '2026-06-30', mentalHealth: false }

describe('a record is kept', () => {
  test('8 years from the last contact', () => {
    expect(retentionOf(held)).toEqual({
      class: 'adult',
      since: '2026-06-30',
      dueOn: '2034-06-30',
      why: 'adult health record: 8 years from last contact, 2026-06-30',
    })
  })

  test('20 years as soon as it says anything about mental health', () => {
    expect(retentionOf({ ...held, mentalHealth: true })).toMatchObject({ class: 'mental-health', dueOn: '2046-06-30' })
  })

  test('10 years from a death, when that is longer', () => {
    expect(retentionOf({ ...held, died: '2026-08-01' })).toMatchObject({ class: 'after-death', since: '2026-08-01', dueOn: '2036-08-01' })
    expect(retentionOf({ ...held, mentalHealth: true, died: '2026-08-01' })).toMatchObject({ class: 'mental-health', dueOn: '2046-06-30' })
    expect(retentionOf({ ...held, mentalHealth: true, died: '2040-08-01' })).toMatchObject({ class: 'after-death', dueOn: '2050-08-01' })
  })

  test('from 29 February until 28 February, where there is no other', () => {
    expect(retentionOf({ ...held, lastContact: '2028-02-29' }, { ...usualYears, adult: 9 }).dueOn).toBe('2037-02-28')
  })

  test('for reasons that each name their source', () => {
    for (const rule of Object.values(rules)) expect(rule.source).toMatch(/Records Management Code/)
  })
})

describe('what a period hangs on', () => {
  const labelled = (code: string): Resource => ({
    resourceType: 'Flag',
    id: 'f',
    status: 'active',
    code: { text: 'x' },
    subject: { reference: 'Patient/p' },
    meta: {
      security: [
        { system: confidentiality, code: 'R' },
        { system: actCode, code },
      ],
    },
  })
  const subject = { reference: 'Patient/p' }

  test('the last contact is the last thing written, or the end of the plan when that is later', () => {
    const plan: Resource = { resourceType: 'CarePlan', status: 'active', intent: 'plan', subject, period: { end: '2026-11-15' } }
    expect(heldIn([plan], '2026-05-01').lastContact).toBe('2026-11-15')
    expect(heldIn([plan], '2027-05-01').lastContact).toBe('2027-05-01')
    expect(heldIn([{ ...plan, period: { end: '2028' } }], '2026-05-01').lastContact).toBe('2026-05-01')
  })

  test.each(['MH', 'PSY'])('the label %s is about mental health', (code) => {
    expect(heldIn([labelled(code)], '2026-05-01').mentalHealth).toBe(true)
  })

  test('a code is, where there is no label; a label nobody can read may be; another is not', () => {
    const need: Resource = {
      resourceType: 'Condition',
      id: 'c',
      subject,
      code: { coding: [{ system: ours('need'), code: 'mental-health' }] },
    }
    expect(heldIn([need], '2026-05-01').mentalHealth).toBe(true)
    expect(heldIn([labelled('NO-SUCH-CODE')], '2026-05-01').mentalHealth).toBe(true)
    expect(heldIn([labelled('SUD')], '2026-05-01').mentalHealth).toBe(false)
    expect(heldIn([], '2026-05-01').mentalHealth).toBe(false)
  })

  test('a death counts from its date', () => {
    expect(heldIn([{ resourceType: 'Patient', deceasedDateTime: '2026-05-03T10:00:00Z' }], '2026-05-01').died).toBe('2026-05-03')
    expect(heldIn([{ resourceType: 'Patient', deceasedBoolean: true }], '2026-05-01').died).toBeUndefined()
  })
})
