import { describe, expect, test } from 'vitest'
import type { Case, Finding } from '../../src/domain/case.ts'
import { availabilityOf, enhancedFor as enhanced, type Offer } from '../../src/domain/enhanced.ts'

const enhancedFor = (found: Case, day: string) => enhanced(found, day, (author) => author === 'Organization/probation')

const source = (ref: string) => ({ ref, categories: [], confidentiality: 'N' as const })
const finding = (code: string, value: Finding['value'], more: Partial<Finding> = {}): Finding => ({
  ...source(`Observation/${code}`),
  code: { coding: [{ code }] },
  status: 'final',
  effective: '2026-03-01',
  authors: ['Organization/probation'],
  value,
  ...more,
})
const need = (code: string, status = 'active') => ({ ...source(`Condition/${code}`), code: { coding: [{ code }] }, status })
const person = (given: Partial<Case>): Case =>
  ({ person: {}, needs: [need('mental-health'), need('physical-health')], findings: [], ...given }) as unknown as Case
const risk = (said: string, more: Partial<Finding> = {}) => finding('risk-of-serious-harm', { text: said }, more)

describe('a high risk of harm together with complex health needs', () => {
  test.each(['HIGH ', 'high', 'VERY_HIGH', 'very high', 'RHRH', 'RVRH'])('%s', (said) => {
    expect(enhancedFor(person({ findings: [risk(said)] }), '2026-04-01')).toMatchObject({ trigger: { code: 'high-risk' } })
    const coded = finding('risk-of-serious-harm', { coded: { coding: [{ code: said }] } })
    expect(enhancedFor(person({ findings: [coded] }), '2026-04-01')).toMatchObject({ trigger: { code: 'high-risk' } })
  })
  test.each(['MEDIUM', 'low', 'RMRH', 'high-rise flat'])('not %s', (said) =>
    expect(enhancedFor(person({ findings: [risk(said)] }), '2026-04-01')).toBeUndefined(),
  )
  test('both, not one of them', () => {
    expect(enhancedFor(person({ findings: [risk('HIGH')], needs: [need('mental-health')] }), '2026-04-01')).toBeUndefined()
    expect(enhancedFor(person({ findings: [risk('HIGH')], needs: [need('adhd'), need('dental')] }), '2026-04-01')).toBeUndefined()
    const healed = [need('mental-health'), need('physical-health', 'resolved')]
    expect(enhancedFor(person({ findings: [risk('HIGH')], needs: healed }), '2026-04-01')).toBeUndefined()
  })
  test('the latest assessment counts', () => {
    const findings = [risk('HIGH', { effective: '2025-01-01' }), risk('MEDIUM')]
    expect(enhancedFor(person({ findings }), '2026-04-01')).toBeUndefined()
  })
  test('without probation as its source, a date, or a date that has come, it is a question and no trigger', () => {
    const { effective: _, ...undated } = risk('HIGH')
    for (const one of [
      undated,
      risk('HIGH', { authors: [] }),
      risk('HIGH', { authors: ['Practitioner/1'] }),
      risk('HIGH', { effective: '2026-04-02' }),
    ])
      expect(enhancedFor(person({ findings: [one] }), '2026-04-01')).toMatchObject({ unsure: { code: 'risk-unsourced' } })
  })
  test('twelve months old, it counts; a day more, and probation is asked whether it still holds', () => {
    const findings = [risk('HIGH', { effective: '2025-04-01' })]
    expect(enhancedFor(person({ findings }), '2026-04-01')).toMatchObject({ trigger: { code: 'high-risk' } })
    expect(enhancedFor(person({ findings }), '2026-04-02')).toMatchObject({ unsure: { code: 'risk-outdated' } })
  })
  test('somebody else’s word neither takes probation’s back nor stands in for it', () => {
    const theirs = (said: string) => risk(said, { effective: '2026-03-01' })
    const ours = (said: string) => risk(said, { effective: '2026-03-20', authors: ['Practitioner/1'] })
    expect(enhancedFor(person({ findings: [theirs('HIGH'), ours('LOW')] }), '2026-04-01')).toMatchObject({ trigger: { code: 'high-risk' } })
    expect(enhancedFor(person({ findings: [theirs('LOW'), ours('HIGH')] }), '2026-04-01')).toMatchObject({
      unsure: { code: 'risk-unsourced' },
    })
    const before = risk('HIGH', { effective: '2026-02-01', authors: ['Practitioner/1'] })
    expect(enhancedFor(person({ findings: [theirs('LOW'), before] }), '2026-04-01')).toBeUndefined()
  })
})

describe('whether there is a team', () => {
  test.each<[string, Offer, string, object]>([
    ['in a region that has one', true, '2026-04-01', { available: true }],
    ['in one that has none', false, '2026-04-01', { available: false, because: 'region' }],
    ['the day before it begins', { from: '2026-04-02' }, '2026-04-01', { available: false, because: 'not-yet', on: '2026-04-02' }],
    ['the day it begins', { from: '2026-04-02' }, '2026-04-02', { available: true }],
    ['its last day', { until: '2026-04-02' }, '2026-04-02', { available: true, until: '2026-04-02' }],
    ['the day after', { until: '2026-04-02' }, '2026-04-03', { available: false, because: 'over', on: '2026-04-02' }],
  ])('%s', (_, offer, day, then) => expect(availabilityOf(offer, day)).toEqual(then))
})

describe('not ready to be discharged after six months', () => {
  const custody = { ...source('Observation/custody'), left: '2026-01-31' }
  const said = (truth: boolean, effective: string) => [finding('ready-for-discharge', { truth }, { effective })]
  test.each<[string, boolean, string, string, boolean]>([
    ['said at the review', false, '2026-07-10', '2026-07-10', true],
    ['ready', true, '2026-07-10', '2026-07-10', false],
    ['said months before', false, '2026-04-01', '2026-07-10', false],
    ['28 days before support ends', false, '2026-07-03', '2026-07-03', true],
    ['29 days before', false, '2026-07-02', '2026-07-03', false],
  ])('%s', (_, truth, on, day, met) => {
    expect(enhancedFor(person({ custody, findings: said(truth, on) }), day) !== undefined).toBe(met)
  })
  test('never while the person has not left custody', () => {
    expect(enhancedFor(person({ findings: said(false, '2026-07-10') }), '2026-07-10')).toBeUndefined()
  })
})
