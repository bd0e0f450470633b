/**
 * Whose agreement is it? While two records are one, both people's agreements (should they be two after all) have to permit what is told;
 * and after they were taken apart again, one that was recorded or changed meanwhile permits nothing until the person says it anew.
 */
import type { Consent } from '@medplum/fhirtypes'
import { governing } from '../domain/consent.ts'
import { isUnsorted } from '../domain/resources.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import { type At, detailOf } from './merge-detail.ts'
import { resourcesOf, type Situation } from './situation.ts'

/** The agreements to decide on: all of them, or none. `doubt`: why none. */
export type Grounds = { consents: readonly Consent[]; doubt?: 'differ' | 'unsorted'; changesAt?: string }

/** @param tells what one partner would be told under these, and when that could change */
export function groundsFor(
  { merges }: Situation,
  consents: readonly Consent[],
  tells: (under: readonly Consent[]) => { told: string; changesAt?: string },
): Grounds {
  const governs = merges.length ? governing(consents) : undefined
  if (!governs) return { consents }
  const names = (some: readonly At[] | undefined) => some?.some(isOf(governs)) === true
  const details = merges.map((one) => ({ state: one.state, ...detailOf(one) }))
  if (details.some(({ unsorted }) => names(unsorted))) return { consents: [], doubt: 'unsorted' }
  const rivals = details.flatMap(({ state, rivals }) => (state === 'merged' && names(rivals) ? (rivals as At[]) : []))
  const others = consents.filter((one) => one !== governs && rivals.some(isOf(one)))
  if (others.length === 0) return { consents }
  const each = [governs, ...others].map((one) => tells([one]))
  if (each.some(({ told }) => told !== each[0]?.told)) return { consents: [], doubt: 'differ' }
  const changesAt = each.flatMap((one) => one.changesAt ?? []).sort()[0]
  return { consents, ...(changesAt ? { changesAt } : {}) }
}

/** Whatever its version: records that are moved again keep their doubts. Only a new agreement ends them. */
const isOf =
  ({ id }: Consent) =>
  ([ref]: At): boolean =>
    ref === `Consent/${id}`

/** Part of the plan step: what a merge, or its undoing, left for a person to say. */
export function askAboutDoubt(change: Change, known: Understanding): void {
  const { situation } = change
  const { patient } = situation
  const doubts = new Set(known.partners.map(({ doubt }) => doubt))
  if (doubts.has('differ')) {
    const words =
      'Two records were merged and what the person agreed to is not the same in both. Partners about whom they differ are told nothing. Ask the person, and record what they say as a new agreement.'
    change.ask({ about: `consents-differ:${patient}`, reason: 'consents-differ', words })
  }
  if (doubts.has('unsorted')) {
    const words =
      'An agreement was recorded or changed while two records were one, and nobody knows whose it was. Nothing is told under any. Ask the person, and record what they say as a new agreement.'
    change.ask({ about: `consents-unsorted:${patient}`, reason: 'consents-unsorted', words })
  }
  const unsorted = resourcesOf(situation.record).filter(isUnsorted).length
  if (unsorted) {
    const words = `Recorded while two records were one, and about one of two people: ${unsorted} (search with _tag). Nobody is told them. Write what is about this person without the tag, record the rest for the other person, and mark it here as entered in error.`
    change.ask({ about: `unsorted:${patient}`, reason: 'unsorted', words })
  }
}
