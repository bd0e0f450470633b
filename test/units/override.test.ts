/**
 * The rule of an override: when it acts, for whom, for what, and when a second person must have looked.
 */
import { describe, expect, test } from 'vitest'
import { decide } from '../../src/domain/consent.ts'
import { acts, covers, isAnother, needsReview, type Override, reviewBy, standing } from '../../src/domain/override.ts'

const override = (more: Partial<Override> = {}): Override => ({
  id: 'o1',
  patient: 'p1',
  service: 's1',
  recipient: { partner: 'team' },
  items: { refs: ['Condition/1'], categories: ['risk-to-others'] },
  basis: 'vital-interests',
  reason: 'reason',
  atRisk: 'the person',
  consentSought: 'not-practicable',
  informedNote: 'when found',
  proportionality: 'one fact',
  hours: 4,
  decidedBy: { name: 'Dee Cider', role: 'navigator' },
  secondApprover: { name: 'Gar Dian', role: 'Caldicott Guardian' },
  emergency: true,
  safeToShow: true,
  recordedAt: '2026-04-02T08:00:00.000Z',
  ...more,
})
const at = (time: string) => new Date(`2026-04-${time}Z`)
const review = (approved: boolean, time: string) => ({ at: `2026-04-${time}.000Z`, by: { name: 'Gar Dian', role: 'guardian' }, approved })

describe('when it acts', () => {
  test.each([
    ['in an emergency at once', {}, '02T08:00:00', true, 'open'],
    ['until its hours are over', {}, '02T12:00:00', false, 'expired'],
    ['not before a second person agreed, when there is time for that', { emergency: false }, '02T09:00:00', false, 'awaiting-approval'],
    ['from when they agreed', { emergency: false, review: review(true, '03T08:00:00') }, '03T11:59:59', true, 'approved'],
    ['for its hours from then', { emergency: false, review: review(true, '03T08:00:00') }, '03T12:00:00', false, 'approved'],
    ['never when they said no', { emergency: false, review: review(false, '03T08:00:00') }, '03T09:00:00', false, 'rejected'],
    ['no longer when they say no afterwards', { review: review(false, '02T09:00:00') }, '02T09:00:00', false, 'rejected-retrospectively'],
    ['on when they agree afterwards', { review: review(true, '02T09:00:00') }, '02T10:00:00', true, 'approved-retrospectively'],
    ['never when nobody looked in time', { emergency: false }, '05T08:00:00', false, 'expired'],
  ] as const)('%s', (_, more, now, acting, state) => {
    expect([acts(override(more), at(now)), standing(override(more), at(now))]).toEqual([acting, state])
  })

  test('whatever acted is looked at, however late; what never acted is not asked about for ever', () => {
    expect(reviewBy(override())).toBe('2026-04-05T08:00:00.000Z')
    expect(needsReview(override(), at('20T08:00:00'))).toBe(true)
    expect(needsReview(override({ emergency: false }), at('04T08:00:00'))).toBe(true)
    expect(needsReview(override({ emergency: false }), at('20T08:00:00'))).toBe(false)
    expect(needsReview(override({ review: review(false, '02T09:00:00') }), at('02T10:00:00'))).toBe(false)
  })

  test('whoever decided does not look at it again under another spelling', () => {
    expect(isAnother({ name: 'Dee Cider', role: 'a' }, { name: ' dee  CIDER', role: 'b' })).toBe(false)
    expect(isAnother({ name: 'Dee Cider', role: 'a' }, { name: 'Gar Dian', role: 'a' })).toBe(true)
  })
})

describe('what it lets out', () => {
  const source = (ref: string, ...categories: Parameters<typeof covers>[1]['categories']) => ({
    ref,
    categories,
    confidentiality: 'R' as const,
  })
  test.each([
    ['a listed resource, whatever it is about', source('Condition/1', 'sexual-health'), true],
    ['a listed category', source('Flag/2', 'risk-to-others'), true],
    ['who the person is', source('Patient/p1', 'identity'), true],
    ['nothing that is also about something else', source('Flag/3', 'risk-to-others', 'offence'), false],
    ['nothing that is not listed', source('Condition/2', 'mental-health'), false],
    ['nothing without a label', source('Condition/3'), false],
  ])('%s', (_, asked, covered) => {
    expect(covers(override(), asked)).toBe(covered)
  })

  test('to its recipient only, and only while it acts, without any agreement', () => {
    const ask = (partner: string, now: string) =>
      decide({ consents: [], overrides: [override()], recipient: { partner, kind: 'probation' }, purposeOfUse: ['COC'], now: at(now) })
    const risk = source('Flag/2', 'risk-to-others')
    expect(ask('team', '02T09:00:00')).toMatchObject({ permitsAnything: true, changesAt: '2026-04-02T12:00:00.000Z' })
    expect([ask('team', '02T09:00:00').permit(risk).permitted, ask('team', '02T09:00:00').overridden?.(risk)]).toEqual([true, 'o1'])
    expect(ask('team', '02T09:00:00').permit(source('Condition/2', 'mental-health')).permitted).toBe(false)
    for (const decision of [ask('other', '02T09:00:00'), ask('team', '02T12:00:00')]) {
      expect([decision.permitsAnything, decision.permit(risk).permitted, decision.overridden?.(risk)]).toEqual([false, false, undefined])
    }
  })
})
