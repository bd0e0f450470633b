import { describe, expect, test } from 'vitest'
import type { Case, Finding } from '../../src/domain/case.ts'
import { enhancedFor } from '../../src/domain/enhanced.ts'

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
  test('without a source or a date it is a question, not a trigger', () => {
    const { effective: _, ...undated } = risk('HIGH')
    for (const one of [undated, risk('HIGH', { authors: [] })])
      expect(enhancedFor(person({ findings: [one] }), '2026-04-01')).toHaveProperty('unsourced')
  })
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
