import { describe, expect, test } from 'vitest'
import { isSuspended, returnedOn, type Stay } from '../../src/domain/returned.ts'

const served: Stay = { start: '2025-11-03', end: '2026-04-20', basis: 'sentenced' }

describe('came back into custody', () => {
  test.each<[string, Stay[], string | undefined]>([
    ['recalled after release', [served, { start: '2026-05-06', basis: 'recall' }], '2026-05-06'],
    ['arrested again on the day of release', [served, { start: '2026-04-20', basis: 'remand' }], '2026-04-20'],
    ['recalled, and nobody said before that they had left', [{ start: '2026-05-06', basis: 'recall' }], '2026-05-06'],
    ['released again', [served, { start: '2026-05-06', end: '2026-06-03', basis: 'recall' }], undefined],
    ['moved to another prison', [{ start: '2026-04-10', basis: 'sentenced' }], undefined],
    ['out for a day on licence', [{ start: '2026-04-10', end: '2026-04-10', basis: 'rotl' }], undefined],
    [
      'back from a day on licence',
      [
        { start: '2026-04-10', end: '2026-04-10', basis: 'rotl' },
        { start: '2026-04-10', basis: 'sentenced' },
      ],
      undefined,
    ],
    ['referred while recalled', [{ start: '2026-03-01', basis: 'recall' }], undefined],
    ['in custody for the first time', [{ start: '2025-11-03', basis: 'sentenced' }], undefined],
    ['nothing known', [], undefined],
  ])('%s', (_, stays, on) => {
    expect(returnedOn(stays, '2026-04-01')).toBe(on)
    expect(returnedOn(stays.toReversed(), '2026-04-01')).toBe(on)
  })
})

test('suspended until a new date is known', () => {
  expect(isSuspended({ returned: '2026-05-06' })).toBe(true)
  expect(isSuspended({ returned: '2026-05-06', releaseDate: '2026-06-03' })).toBe(false)
  expect(isSuspended({ returned: '2026-05-06', left: '2026-06-03' })).toBe(false)
  expect(isSuspended({})).toBe(false)
  expect(isSuspended(undefined)).toBe(false)
})
