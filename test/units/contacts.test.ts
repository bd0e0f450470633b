import type { Appointment, Encounter } from '@medplum/fhirtypes'
import { describe, expect, test } from 'vitest'
import { type Contact, contactsOf, offeredBefore } from '../../src/domain/contacts.ts'
import { ours } from '../../src/fhir/systems.ts'

const how = (code: string) => [{ coding: [{ system: ours('contact-modality'), code }] }]
const encounter = (more: Partial<Encounter>): Encounter => ({
  resourceType: 'Encounter',
  status: 'finished',
  class: { code: 'AMB' },
  type: how('face-to-face'),
  period: { start: '2026-05-06T10:00:00Z' },
  ...more,
})
const appointment = (more: Partial<Appointment>): Appointment => ({
  resourceType: 'Appointment',
  id: 'a1',
  status: 'booked',
  participant: [],
  serviceType: how('virtual'),
  start: '2026-05-08T10:00:00Z',
  ...more,
})

describe('what is a contact', () => {
  test('took place is not the same as offered; an appointment that was kept is counted once', () => {
    const kept = encounter({ appointment: [{ reference: 'Appointment/a1' }] })
    expect(contactsOf([kept, appointment({}), appointment({ id: 'a2', status: 'noshow' })])).toEqual([
      { modality: 'face-to-face', tookPlace: true, on: '2026-05-06' },
      { modality: 'virtual', tookPlace: false, on: '2026-05-08' },
    ])
  })
  test('a visit to a clinic is none', () => {
    expect(contactsOf([encounter({ type: [{ text: 'Ward round' }] }), appointment({ serviceType: [{ text: 'Dentist' }] })])).toEqual([])
  })
  test('says why it was not face to face', () => {
    const phoned = encounter({ type: how('telephone'), reasonCode: [{ text: 'Moved to another wing' }] })
    expect(contactsOf([phoned])[0]).toMatchObject({ modality: 'telephone', reason: 'Moved to another wing' })
  })
})

describe('two before release', () => {
  const met: Contact = { modality: 'face-to-face', tookPlace: true, on: '2026-05-06' }
  const offeredOnly: Contact = { ...met, tookPlace: false }
  const phoned: Contact = { modality: 'telephone', tookPlace: true, on: '2026-05-07' }
  const base = { referredOn: '2026-04-01', release: '2026-05-13', expected: '2026-05-13' }
  test.each<[string, Parameters<typeof offeredBefore>[0], { state: string; offered: number; tookPlace: number }]>([
    ['offered, whether they took place or not', { ...base, contacts: [met, offeredOnly] }, { state: 'met', offered: 2, tookPlace: 1 }],
    ['one by phone, without a reason', { ...base, contacts: [met, phoned] }, { state: 'short', offered: 2, tookPlace: 2 }],
    [
      'two by phone with a reason and one without: two are enough',
      { ...base, contacts: [{ ...phoned, reason: 'No room' }, { ...phoned, reason: 'No room' }, phoned] },
      { state: 'met', offered: 3, tookPlace: 3 },
    ],
    ['one by phone, with one', { ...base, contacts: [met, { ...phoned, reason: 'No room' }] }, { state: 'met', offered: 2, tookPlace: 2 }],
    [
      'one after release does not count',
      { ...base, contacts: [met, { ...met, on: '2026-05-14' }] },
      { state: 'short', offered: 1, tookPlace: 1 },
    ],
    [
      'referred after release',
      { ...base, referredOn: '2026-05-20', left: true, contacts: [] },
      { state: 'not-applicable', offered: 0, tookPlace: 0 },
    ],
    [
      'referred four working days before',
      { ...base, referredOn: '2026-05-07', contacts: [] },
      { state: 'not-achievable', offered: 0, tookPlace: 0 },
    ],
    [
      'referred five working days before',
      { ...base, referredOn: '2026-05-06', contacts: [] },
      { state: 'short', offered: 0, tookPlace: 0 },
    ],
    [
      'released before the day',
      { ...base, release: '2026-05-01', left: true, contacts: [] },
      { state: 'not-achievable', offered: 0, tookPlace: 0 },
    ],
    [
      'released with no day known',
      { contacts: [], release: '2026-05-01', left: true, referredOn: '2026-04-01' },
      { state: 'not-achievable', offered: 0, tookPlace: 0 },
    ],
    [
      'back in custody: what was offered before the release before that does not count',
      { ...base, since: '2026-05-01', contacts: [{ ...met, on: '2026-04-20' }, met] },
      { state: 'short', offered: 1, tookPlace: 1 },
    ],
    [
      'back in custody for four working days',
      { ...base, since: '2026-05-07', contacts: [met, met] },
      { state: 'not-achievable', offered: 0, tookPlace: 0 },
    ],
    ['released on the day', { ...base, left: true, contacts: [] }, { state: 'short', offered: 0, tookPlace: 0 }],
  ])('%s', (_, given, offered) => expect(offeredBefore(given)).toMatchObject(offered))
})
