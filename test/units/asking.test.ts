import { describe, expect, test } from 'vitest'
import { askingSince } from '../../src/domain/asking.ts'

/** Thursday before Easter 2026: five working days on is Monday 13 April, ten more is Monday 27 April. */
const asked = '2026-04-02T08:00:00.000Z'
const at = (now: string, heldUntil?: string) => {
  const { step, next } = askingSince(asked, heldUntil, now)
  return [step, next]
}

describe('a referrer that was asked', () => {
  test.each([
    ['has five working days', '2026-04-13T22:59:59.999Z', ['waiting', '2026-04-13T23:00:00.000Z']],
    ['is reminded then, and has ten more', '2026-04-13T23:00:00.000Z', ['reminded', '2026-04-27T23:00:00.000Z']],
    ['has the whole of the last day', '2026-04-27T22:59:59.999Z', ['reminded', '2026-04-27T23:00:00.000Z']],
    ['and then it is over', '2026-04-27T23:00:00.000Z', ['over', undefined]],
    ['whoever looks months late comes to the same', '2026-09-01T00:00:00.000Z', ['over', undefined]],
  ])('%s', (_, now, then) => expect(at(now)).toEqual(then))

  test('a person holds it open until a day of their own, later or sooner', () => {
    expect(at('2026-05-31T22:59:00.000Z', '2026-05-31')).toEqual(['reminded', '2026-05-31T23:00:00.000Z'])
    expect(at('2026-05-31T23:00:00.000Z', '2026-05-31')).toEqual(['over', undefined])
    expect(at('2026-04-02T09:00:00.000Z', '2026-04-07')).toEqual(['waiting', '2026-04-07T23:00:00.000Z'])
  })
})
