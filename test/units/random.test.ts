import { describe, expect, test } from 'vitest'
import { newId, randomly } from '../../src/store/random.ts'

describe('ids', () => {
  test('sort in the order they were made, and are all different', () => {
    const made = Array.from({ length: 20_000 }, newId)
    expect(new Set(made).size).toBe(made.length)
    expect([...made].sort()).toEqual(made)
  })

  test('are UUIDs of version 7 with the time they were made at', () => {
    const before = Date.now()
    const id = newId()
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    const at = Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)
    expect(at).toBeGreaterThanOrEqual(before)
    expect(at).toBeLessThanOrEqual(Date.now() + 1)
  })
})

test('random bytes are handed out once, beyond one asking of the system', () => {
  const next = randomly(12)
  const given = Array.from({ length: 2_000 }, () => next().toString('hex'))
  expect(new Set(given).size).toBe(given.length)
})
