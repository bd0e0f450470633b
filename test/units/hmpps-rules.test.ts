/**
 * What follows from each kind of HMPPS event, row by row of hmpps.md 4 and 7.
 */
import { describe, expect, test } from 'vitest'
import { readEvent } from '../../src/domain/hmpps-event.ts'
import { notification } from '../fixtures/hmpps.ts'

const now = new Date('2026-04-02T12:00:00Z')
const read = (message: unknown) => {
  const got = readEvent(message, now)
  if ('fault' in got) throw new Error(got.fault.text)
  return got.event
}
const domain = (eventType: string, additionalInformation: object = {}) =>
  read({
    eventType,
    version: 1,
    occurredAt: '2026-04-02T10:00:00+01:00',
    personReference: {
      identifiers: [
        { type: 'NOMS', value: 'B1357CD' },
        { type: 'CRN', value: null },
      ],
    },
    additionalInformation,
  })

describe('domain events', () => {
  test.each([
    'prison-offender-events.prisoner.sentence-dates-changed',
    'calculate-release-dates.prisoner.changed',
    'prison-offender-events.prisoner.imprisonment-status-changed',
    'prison-offender-events.prisoner.booking.deleted',
    'restricted-patients.patient.supporting-prison-changed',
    'create-and-vary-a-licence.licence.activated',
    'create-and-vary-a-licence.hdc-licence.activated',
    'create-and-vary-a-licence.prrd-licence.inactivated',
    'create-and-vary-a-licence.hdc-variation.activated',
    'create-and-vary-a-licence.time-served-licence.inactivated',
  ])('%s says that something changed and not what: looked up', (kind) =>
    expect(domain(kind)).toMatchObject({ known: true, fetch: 'needed', person: { noms: ['B1357CD'], crn: [] } }),
  )

  test.each(['SENTENCE', 'STATUS', 'LOCATION', 'RESTRICTED_PATIENT', 'IDENTIFIERS'])('updated, category %s: looked up', (category) =>
    expect(domain('prisoner-offender-search.prisoner.updated', { categoriesChanged: [category] }).fetch).toBe('needed'),
  )
  test.each(['PERSONAL_DETAILS', 'ALERTS', 'INCENTIVE_LEVEL', 'PHYSICAL_DETAILS', 'CONTACT_DETAILS', 'NEW_ONE'])(
    'updated, category %s: nothing',
    (category) => {
      const { known, fetch, says } = domain('prisoner-offender-search.prisoner.updated', { categoriesChanged: [category] })
      expect([known, fetch, says]).toEqual([true, undefined, undefined])
    },
  )

  test.each([
    ['recall.inserted', 'recall'],
    ['prison-offender-events.prisoner.fixed-term-recall.changed', 'recall'],
    ['person.temporary-absence.overdue', 'absence'],
    ['probation-case.exclusion.updated', 'limited'],
    ['probation-case.restriction.updated', 'limited'],
  ])('%s is for a person to find out about, and changes nothing', (kind, about) => {
    const { says, ask } = domain(kind)
    expect([says, ask?.about]).toEqual([undefined, about])
  })

  test.each(['RHRH', 'RVRH', 'MAPP'])('a registration of %s is asked about', (registerTypeCode) =>
    expect(domain('probation-case.registration.added', { registerTypeCode }).ask?.about).toBe('risk'),
  )
  test('any other registration is not', () =>
    expect(domain('probation-case.registration.added', { registerTypeCode: 'WEAP' }).ask).toBeUndefined())

  test('an unmerge names two people: no number is joined, a person looks', () => {
    const { identities, ask } = domain('probation-case.unmerge.completed', { reactivatedCRN: 'X111111', unmergedCRN: 'X222222' })
    expect([identities?.moved, ask?.about]).toEqual([true, 'identity'])
  })

  test.each([
    'prison-recall.recommendation.consideration',
    'person.temporary-absence.scheduled',
    'person.community.manager.allocated',
    'create-and-vary-a-licence.licence.deleted',
    'constructor',
    'toString',
  ])('%s is not one we do anything with', (kind) => expect(domain(kind).known).toBe(false))
})

describe('notifications of the External API', () => {
  const of = (kind: string) => read(notification(kind, 'X688624'))
  test.each([
    'KEY_DATES_AND_ADJUSTMENTS_PRISONER_RELEASE',
    'PRISONER_BASE_LOCATION_CHANGED',
    'PERSON_SENTENCES_CHANGED',
    'PERSON_STATUS_CHANGED',
    'LICENCE_CONDITION_CHANGED',
    'PERSON_ACCESS_LIMITATIONS_CHANGED',
  ])('%s: looked up', (kind) => expect(of(kind)).toMatchObject({ known: true, fetch: 'needed', person: { crn: ['X688624'] } }))
  test.each(['RISK_OF_SERIOUS_HARM_CHANGED', 'MAPPA_DETAIL_CHANGED', 'DYNAMIC_RISKS_CHANGED'])(
    '%s: probation is asked, and the risk itself is not fetched',
    (kind) => {
      const { ask, fetch } = of(kind)
      expect([ask?.about, fetch]).toEqual(['risk', undefined])
    },
  )
  test('PRISONER_MERGED carries the number that is gone: a person looks which it is now', () =>
    expect(of('PRISONER_MERGED').ask?.about).toBe('identity'))
  test.each(['ASSESSMENT_SUMMARY_CHANGE', 'NEEDS_CHANGED', 'PERSON_ADDRESS_CHANGED', 'PERSON_RESPONSIBLE_OFFICER_CHANGED'])(
    '%s is kept',
    (kind) => expect(of(kind).known).toBe(false),
  )
  test('the address in it is nobody’s to follow', () => expect(JSON.stringify(of('PERSON_STATUS_CHANGED'))).not.toContain('https'))
})
