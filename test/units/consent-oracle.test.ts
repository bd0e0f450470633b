/**
 * The decision against a second one, written from the rules and not from the code (`test/oracle/consent.ts`), on random consents.
 *
 * CONSENT_CASES=250000 asks more of it: each case is four consents, each by itself and all of them together.
 */
import { array, assert, boolean, constantFrom, property } from 'fast-check'
import { expect, test } from 'vitest'
import type { Source } from '../../src/domain/case.ts'
import { decide, governing } from '../../src/domain/consent.ts'
import { mayBeTold, theOneThatCounts } from '../oracle/consent.ts'
import { consents, moments, pieces, purposes, recipients } from '../oracle/consents.ts'

const cases = Number(process.env.CONSENT_CASES ?? 25_000)

test('both decide the same about 100,000 random consents, good and broken', { timeout: 600_000 }, () => {
  const answers = { permitted: 0, refused: 0 }
  assert(
    property(
      array(consents, { minLength: 4, maxLength: 4 }),
      array(pieces, { minLength: 2, maxLength: 2 }),
      constantFrom(...recipients),
      constantFrom(...purposes),
      moments,
      boolean(),
      (some, asked, recipient, purposeOfUse, now, alreadyTold) => {
        for (const group of [...some.map((one) => [one]), some]) {
          if (governing(group) !== theOneThatCounts(group)) return false
          const decision = decide({ consents: group, recipient, purposeOfUse, now, alreadyTold })
          for (const piece of asked) {
            const { permitted } = decision.permit(piece as Source)
            answers[permitted ? 'permitted' : 'refused']++
            if (permitted !== mayBeTold({ consents: group, recipient, purposeOfUse, now, piece, alreadyTold })) return false
          }
        }
        return true
      },
    ),
    { numRuns: cases },
  )
  // Two that always say no would agree as well.
  expect(answers.permitted / (answers.permitted + answers.refused)).toBeGreaterThan(0.02)
})
