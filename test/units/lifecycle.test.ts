import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  isFinal,
  type LifeFacts,
  leadsTo,
  type Phase,
  phaseOf,
  phases,
  rows,
  rowsFrom,
  statusOf,
  underWay,
} from '../../src/domain/lifecycle.ts'
import { closures } from '../../src/domain/outcomes.ts'

const all = Object.keys(phases) as Phase[]
const base: LifeFacts = { status: 'active', agreement: 'none', worker: false }
const agreed: LifeFacts = { ...base, agreement: 'given', worker: true }
const of = (facts: Partial<LifeFacts>, from: LifeFacts = base) => phaseOf({ ...from, ...facts })

describe('before anything is agreed', () => {
  test.each<[string, Partial<LifeFacts>, Phase]>([
    ['a draft', { status: 'draft' }, 'submitted'],
    ['somebody who may be known already', { verdict: 'accepted', maybeKnown: true }, 'triage'],
    ['the rules ask for information', { verdict: 'needs-information' }, 'info-requested'],
    ['a navigator asks, whatever the rules say', { verdict: 'accepted', triage: 'ask' }, 'info-requested'],
    ['too early', { verdict: 'held' }, 'held-early'],
    ['too early, and a navigator takes it all the same', { verdict: 'held', triage: 'accept' }, 'consent-pending'],
    ['eligible', { verdict: 'accepted' }, 'consent-pending'],
    ['the service’s own word', {}, 'consent-pending'],
    ['redirected', { triage: 'redirect' }, 'redirected'],
    ['declined by the rules', { verdict: 'declined' }, 'declined'],
    ['the referral is taken back', { status: 'revoked' }, 'withdrawn'],
    ['it was made in error', { status: 'entered-in-error' }, 'void'],
  ])('%s', (_, facts, phase) => expect(of(facts)).toBe(phase))
})

describe('once agreed', () => {
  test.each<[string, Partial<LifeFacts>, Phase]>([
    ['no worker is named yet', { worker: false }, 'accepted'],
    ['a worker is named', {}, 'pre-release'],
    ['released', { released: '2026-05-15' }, 'post-release'],
    ['referred after release', { released: '2026-03-01' }, 'post-release'],
    ['extended', { released: '2026-05-15', extendedUntil: '2027-01-31' }, 'extended'],
    ['back in custody', { back: true, was: 'post-release' }, 'suspended'],
    ['back in custody while extended', { back: true, was: 'extended', extendedUntil: '2027-01-31' }, 'suspended'],
    ['a new release date is known', { back: true, releaseDate: '2026-08-01', was: 'suspended' }, 'pre-release'],
    ['the agreement is taken back: the referral goes on', { agreement: 'was-given', was: 'pre-release' }, 'pre-release'],
    ['the worker has left: the phase is not lost', { worker: false, was: 'post-release', released: '2026-05-15' }, 'post-release'],
    ['the person has died', { died: true }, 'closed'],
    ['the service says it is over', { status: 'completed' }, 'closed'],
    ['held by the rules of triage', { verdict: 'held' }, 'held-early'],
  ])('%s', (_, facts, phase) => expect(of(facts, agreed)).toBe(phase))
})

test.each<[keyof typeof closures, LifeFacts, Phase]>([
  ['needs-met', agreed, 'closed'],
  ['declined-support', agreed, 'withdrawn'],
  ['declined-support', base, 'consent-refused'],
  ['declined-support', { ...base, was: 'accepted', agreement: 'refused' }, 'withdrawn'],
  ['transferred', agreed, 'transferred'],
  ['stepped-up', agreed, 'stepped-up'],
  ['error', agreed, 'void'],
])('ended as %s', (closed, facts, phase) => expect(of({ closed }, facts)).toBe(phase))

const anyFacts = fc.record(
  {
    status: fc.constantFrom('draft', 'active', 'on-hold', 'completed', 'revoked', 'entered-in-error'),
    died: fc.constant(true as const),
    verdict: fc.constantFrom('accepted', 'held', 'needs-information', 'redirected', 'declined'),
    triage: fc.constantFrom('accept', 'ask', 'redirect', 'decline'),
    maybeKnown: fc.constant(true as const),
    closed: fc.constantFrom(...(Object.keys(closures) as (keyof typeof closures)[])),
    extendedUntil: fc.constant('2027-01-31'),
    agreement: fc.constantFrom('none', 'given', 'was-given', 'refused'),
    worker: fc.boolean(),
    released: fc.constant('2026-05-15'),
    releaseDate: fc.constant('2026-08-01'),
    back: fc.constant(true as const),
  },
  { requiredKeys: ['status', 'agreement', 'worker'] },
) as fc.Arbitrary<LifeFacts>

describe('whatever happens, in whatever order', () => {
  test('every move is one of the table, or a way of them', () => {
    fc.assert(
      fc.property(fc.array(anyFacts, { minLength: 1, maxLength: 12 }), (steps) => {
        let was: Phase | undefined
        for (const facts of steps) {
          const now = phaseOf({ ...facts, ...(was ? { was } : {}) })
          if (was && now !== was) expect([was, now, leadsTo(was, now)]).toEqual([was, now, true])
          was = now
        }
      }),
    )
  })

  test('a final phase is never left, but for a mistake; the same facts again change nothing', () => {
    fc.assert(
      fc.property(anyFacts, fc.constantFrom(...all), (facts, was) => {
        const now = phaseOf({ ...facts, was })
        if (isFinal(was)) expect([was, 'void']).toContain(now)
        expect(phaseOf({ ...facts, was: now })).toBe(now)
      }),
    )
  })
})

test('the table leaves no final phase but for an error, and reaches every phase from a referral', () => {
  for (const phase of all.filter(isFinal)) expect(rowsFrom(phase).flatMap(({ to }) => to)).toEqual(phase === 'void' ? [] : ['void'])
  for (const phase of all) expect([phase, leadsTo('submitted', phase)]).toEqual([phase, true])
  expect(new Set(rows.map(({ row }) => row.replace(/[a-z]/, '')))).toEqual(new Set(Array.from({ length: 19 }, (_, n) => String(n + 2))))
})

test('what is under way is active or on hold; what is final is neither', () => {
  for (const phase of all) expect(/^(active|on-hold)$/.test(statusOf(phase)), phase).toBe(!isFinal(phase))
  expect(underWay.some(isFinal)).toBe(false)
})
