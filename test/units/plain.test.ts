/**
 * What is written for the person is easy to read: measured, so that nobody slips in a hard sentence unnoticed.
 */
import { describe, expect, test } from 'vitest'
import { type Account, accountPage } from '../../src/pages/account.ts'
import { whyKept, yours } from '../../src/pages/plain.ts'

const categories = Object.keys(yours) as (keyof typeof yours)[]
const reasons = Object.keys(whyKept) as (keyof typeof whyKept)[]
const account: Account = {
  person: 'Jo Test',
  service: { name: 'RECONNECT Testham' },
  at: '2026-04-02T08:00:00Z',
  told: [
    {
      name: 'Test Surgery',
      happened: (['sent', 'perhaps', 'waiting', 'read', 'document', 'stopped'] as const).map((how) => ({
        at: '2026-04-01T08:00:00Z',
        how,
        categories: [],
        why: { agreedOn: '2026-03-01' },
      })),
    },
  ],
  kept: [{ name: 'Test Clinic', items: reasons.map((why) => ({ categories: [], why })) }],
}

const texts = (): string[] =>
  accountPage(account).blocks.flatMap((block) =>
    block.kind === 'list' ? block.items : block.kind === 'table' ? block.rows.flat() : [block.text],
  )
const syllables = (word: string): number =>
  Math.max(
    1,
    word
      .toLowerCase()
      .replace(/e$/, '')
      .match(/[aeiouy]+/g)?.length ?? 1,
  )

/** Flesch-Kincaid grade: 5 is about ten years of age. */
function grade(text: string): number {
  const sentences = text.split(/[.!?:\n]+/).filter((one) => /[a-z]/i.test(one))
  const words = text.match(/[a-z’']+/gi) ?? []
  return 0.39 * (words.length / sentences.length) + 11.8 * (words.reduce((sum, word) => sum + syllables(word), 0) / words.length) - 15.59
}

describe('the person’s own page', () => {
  test('reads at the age of about nine to eleven', () => {
    expect(grade(texts().join('\n'))).toBeLessThan(5)
  })

  test('has no long sentence', () => {
    for (const text of texts())
      for (const sentence of text.split(/[.!?]/)) expect(sentence.trim().split(/\s+/).length, sentence).toBeLessThanOrEqual(20)
  })

  test('has words for every category and every reason', () => {
    for (const category of categories) expect(yours[category]).toMatch(/^[a-z][^_;:]+$/)
    for (const reason of reasons) expect(whyKept[reason]).toMatch(/^[A-Z].+\.$/)
  })
})
