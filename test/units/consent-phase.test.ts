/**
 * Where an agreement stands, and when the person is asked whether it is to go on.
 */
import { describe, expect, test } from 'vitest'
import { consentPhase, renewal } from '../../src/domain/consent-phase.ts'
import { consentPhase as extension } from '../../src/domain/who-agreed.ts'
import { consentOf } from '../fixtures/case-bundle.ts'

const agreement = (more: Partial<Parameters<typeof consentOf>[0]> = {}) =>
  consentOf({ patient: 'Patient/p1', agreed: {}, id: 'c1', ...more })
const at = (time: string) => new Date(`${time}Z`)

describe('an agreement', () => {
  const later = agreement({ id: 'c2', at: '2026-04-05T09:00:00Z' })
  test.each([
    ['is being explained', agreement({ status: 'draft' }), {}, 'explaining'],
    ['waits for the person', agreement({ status: 'proposed' }), {}, 'awaiting-decision'],
    ['was refused', agreement({ status: 'rejected' }), {}, 'refused'],
    ['holds', agreement(), {}, 'agreed'],
    ['begins later', agreement(), { now: '2026-03-20T00:00:00' }, 'not-yet'],
    ['has run out, with the last day in London', agreement({ until: '2026-06-30' }), { now: '2026-06-30T23:00:00' }, 'expired'],
    ['holds to the end of its last day', agreement({ until: '2026-06-30' }), { now: '2026-06-30T22:59:59' }, 'agreed'],
    ['was withdrawn', agreement({ status: 'inactive' }), {}, 'withdrawn'],
    ['was replaced', agreement(), { others: [later] }, 'superseded'],
    ['ends with the episode', agreement(), { ended: true }, 'episode-ended'],
    ['was a mistake', agreement({ status: 'entered-in-error' }), { others: [later] }, 'in-error'],
    ['is under review', { ...agreement(), extension: [{ url: extension, valueCode: 'capacity-review' }] }, {}, 'capacity-review'],
  ] as const)(
    '%s',
    (_, consent, {
      now = '2026-04-10T12:00:00',
      others = [],
      ended = false,
    }: { now?: string; others?: readonly (typeof later)[]; ended?: boolean }, phase) => {
      expect(consentPhase(consent as typeof later, [consent as typeof later, ...others], at(now), ended)).toBe(phase)
    },
  )
})

test.each([
  ['fourteen days before its last day, from the first minute in London', '2026-12-31', '2026-12-17T00:00:00.000Z'],
  ['across the change of the clocks', '2026-04-05', '2026-03-22T00:00:00.000Z'],
  ['in summer time', '2026-06-30', '2026-06-15T23:00:00.000Z'],
])('renewal is asked %s', (_, until, askFrom) => {
  expect(renewal(agreement({ until }))).toEqual({ askFrom, lastDay: until })
})

test('one without an end is never asked about', () => {
  const consent = agreement()
  expect(renewal({ ...consent, provision: { ...consent.provision, period: { start: '2026-04-01' } } })).toBeUndefined()
})
