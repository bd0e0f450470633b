/**
 * Whose agreement is it? While two records are one, both people's agreements (should they be two after all) have to permit what is told;
 * and after they were taken apart again, one that was recorded or changed meanwhile permits nothing until the person says it anew.
 */
import type { Consent } from '@medplum/fhirtypes'
import { governing } from '../domain/consent.ts'
import { isUnsorted } from '../domain/resources.ts'
import type { Merge } from '../store/merges.ts'
import type { Change } from './change.ts'
import { askToConfirm } from './confirm.ts'
import type { Understanding } from './consider.ts'
import { type At, detailOf } from './merge-detail.ts'
import { consentsOf, resourcesOf, type Situation } from './situation.ts'

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
  const details = merges.map((one) => ({ state: one.state, ...detailOf(one) }))
  const bound = boundWith(
    `Consent/${governs.id}`,
    details.flatMap(({ state, rivals }) => (state === 'merged' && rivals ? [rivals.map(([ref]) => ref)] : [])),
  )
  if (unsortedIn(merges).some(([ref]) => bound.has(ref))) return { consents: [], doubt: 'unsorted' }
  const others = consents.filter((one) => one !== governs && bound.has(`Consent/${one.id}`))
  if (others.length === 0) return { consents }
  const each = [governs, ...others].map((one) => tells([one]))
  if (each.some(({ told }) => told !== each[0]?.told)) return { consents: [], doubt: 'differ' }
  const changesAt = each.flatMap((one) => one.changesAt ?? []).sort()[0]
  return { consents, ...(changesAt ? { changesAt } : {}) }
}

/** Of three records or more: those that stand against each other at whatever remove. */
function boundWith(ref: string, rivals: readonly (readonly string[])[]): Set<string> {
  const bound = new Set([ref])
  for (let before = 0; before < bound.size; ) {
    before = bound.size
    for (const some of rivals) if (some.some((one) => bound.has(one))) for (const one of some) bound.add(one)
  }
  return bound
}

/**
 * Two agreements that both have to permit, once their records are one. Whatever their versions: records that are moved again keep their
 * doubts, and only a new agreement ends them. A record without one counts for nothing, unless what was said while it was part of another
 * may have been its person's.
 */
export function rivalsOf(both: readonly [Situation, Situation]): At[] | undefined {
  const doubted: At[] = []
  const governs = both.flatMap((situation) => {
    const consent = governing(consentsOf(situation))
    const own = situation.merges.filter(({ source, target }) => source === situation.patient || target === situation.patient)
    const unsorted = unsortedIn(own)
    if (!consent || unsorted.some(([ref]) => ref === `Consent/${consent.id}`)) doubted.push(...unsorted)
    return consent ? [at(consent)] : []
  })
  return governs.length === 2 || doubted.length ? [...governs, ...doubted] : undefined
}

const at = ({ id, meta }: Consent): At => [`Consent/${id}`, Number(meta?.versionId)]
const unsortedIn = (merges: readonly Merge[]): At[] => merges.flatMap((one) => detailOf(one).unsorted ?? [])

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
  askToConfirm(change, known)
  const unsorted = resourcesOf(situation.record).filter(isUnsorted).length
  if (unsorted) {
    const words = `Recorded while two records were one, and about one of two people: ${unsorted} (search with _tag). Nobody is told them. Write what is about this person without the tag, record the rest for the other person, and mark it here as entered in error.`
    change.ask({ about: `unsorted:${patient}`, reason: 'unsorted', words })
  }
}
