/**
 * What somebody has to look at before a record is given to the person it is about.
 */
import type { Resource } from '@medplum/fhirtypes'
import { expect, test } from 'vitest'
import { marksOf } from '../../src/domain/review-marks.ts'
import { category, label } from '../fixtures/case-bundle.ts'

const subject = { reference: 'Patient/p1' }
const codes = (resource: unknown) => [...new Set(marksOf(resource as Resource).map(({ code }) => code))].sort()

test.each<[string, object, string[]]>([
  ['somebody of the family', { resourceType: 'RelatedPerson', patient: subject, name: [{ text: 'A Sister' }] }, ['third-party']],
  ['a contact of the person', { resourceType: 'Patient', contact: [{ name: { text: 'A Friend' } }] }, ['third-party']],
  [
    'what the family asked for',
    { resourceType: 'ServiceRequest', subject, requester: { reference: 'RelatedPerson/r1' } },
    ['said-by-others'],
  ],
  ['a risk to others', { resourceType: 'Flag', subject, meta: label('R', category('risk-to-others')) }, ['risk']],
  ['safeguarding', { resourceType: 'Flag', subject, meta: label('R', category('safeguarding')) }, ['risk']],
  ['notes from therapy', { resourceType: 'Observation', subject, meta: label('R', category('therapy-notes')) }, ['therapy']],
  ['a note', { resourceType: 'Condition', subject, note: [{ text: 'His brother says ...' }] }, ['free-text']],
  ['a goal in words', { resourceType: 'Goal', subject, description: { text: 'See my daughter' } }, ['free-text']],
  ['a letter', { resourceType: 'DocumentReference', subject, content: [{ attachment: { url: 'x' } }] }, ['document']],
  ['a coded need', { resourceType: 'Condition', subject, code: { coding: [{ system: 'http://snomed.info/sct', code: '1' }] } }, []],
  ['the person’s own name and address', { resourceType: 'Patient', name: [{ text: 'Jo Test' }], address: [{ text: '1 Test Street' }] }, []],
])('%s', (_, resource, expected) => {
  expect(codes(resource)).toEqual(expected)
})
