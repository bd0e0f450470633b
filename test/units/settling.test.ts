/**
 * Which work items a person may close by a note: few, and nothing a release depends on.
 */
import { describe, expect, test } from 'vitest'
import { isLeft, settlingOf, whyNot } from '../../src/domain/settling.ts'

describe('what may be closed by a note', () => {
  test.each(['consent-in-error', 'parked', 'unlabelled', 'died', 'no-alternative'])('%s may', (reason) => {
    expect(settlingOf(reason)).toBeDefined()
  })

  test('the refusal says what would settle it: in our words, or in those of the item', () => {
    expect(whyNot('release-date-unknown', 'It has no date.')).toMatch(/Record the release date\.$/)
    expect(whyNot('release-day', 'Phone them.')).toMatch(/Phone them\.$/)
  })

  test.each([
    ...['no-answer', 'not-arrived', 'escalated', 'consent-blocked', 'consent-unclear', 'release-date-unknown', 'case-incomplete'],
    ...['partner-late', 'retention-review', 'not-asked-in-time', 'release-day', 'risk-unsourced', 'capacity-review', 'nothing-waits'],
    ...['shelf-unexplained', 'mapping-unsigned', 'replace', 'override-review', 'code-unknown', 'toString', 'something new'],
  ])('%s may not, and the refusal says so', (reason) => {
    expect(settlingOf(reason)).toBeUndefined()
    expect(whyNot(reason, 'Phone them.')).toMatch(/is not closed by a note.*so\. [A-Z].*\.$/)
  })
})

describe('what somebody left as it is', () => {
  const left = { words: 'Label it.', at: '2026-03-02T09:00:00.000Z' }

  test('stays so while the words and the thing are the same', () => {
    expect(isLeft(left, 'unlabelled', 'Label it.', '2026-03-02T08:00:00.000Z')).toBe(true)
    expect(isLeft(left, 'unlabelled', 'Label it.', undefined)).toBe(true)
  })

  test('is asked about again when the words changed, or the thing, or when nobody decided', () => {
    expect(isLeft(left, 'unlabelled', 'Label it now.', '2026-03-02T08:00:00.000Z')).toBe(false)
    expect(isLeft(left, 'unlabelled', 'Label it.', '2026-03-02T09:00:00.001Z')).toBe(false)
    expect(isLeft(undefined, 'unlabelled', 'Label it.', undefined)).toBe(false)
  })

  test('a question that no note closes is never left', () => {
    expect(isLeft(left, 'no-answer', 'Label it.', undefined)).toBe(false)
  })
})
