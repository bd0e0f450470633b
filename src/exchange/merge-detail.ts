/**
 * What is kept of a merge, so that it can be undone, and what follows from it for as long as it stands: ids, versions and codes only.
 */
import type { Likeness } from '../domain/alike.ts'
import type { Merge } from '../store/merges.ts'
import type { Situation } from './situation.ts'

/** A resource of the record at a version: ['Condition/12', 3]. */
export type At = [ref: string, version: number]

export type MergeDetail = {
  /** What was moved: the version it had with the source, and the one it was given with the target. */
  moved?: [ref: string, from: number, to: number][]
  /** What the target's record held then. */
  stood?: At[]
  /** The Patients as they were before. */
  patients?: At[]
  /** Both had an agreement in force: what these two do not both permit is told to nobody until the person says it anew. */
  rivals?: At[]
  /** The record that had no agreement while the other one had: what partners are told waits for a new one (unconfirmed.ts). */
  silent?: 'source' | 'target'
  /** Un-merged, and an agreement was recorded or changed meanwhile: nobody knows whose it is. Nothing is told under any of these. */
  unsorted?: At[]
  /** Un-merged: what was moved back says again what it said as this version; and the version that does. */
  back?: [ref: string, from: number, to: number][]
  /** In what two records were alike when a person said that they are of two people. */
  alike?: Likeness[]
}

export const detailOf = ({ detail }: Merge): MergeDetail => JSON.parse(detail) as MergeDetail

/** The versions of a resource that say what this one said: written when it was moved to another record, or back. */
export function onlyMoved(merges: readonly Merge[], ref: string, version: number): ReadonlySet<number> {
  const same = new Set([version])
  const moves = merges.flatMap((row) => [...(detailOf(row).moved ?? []), ...(detailOf(row).back ?? [])]).filter(([one]) => one === ref)
  for (const [, was, now] of moves.sort(([, , a], [, , b]) => a - b)) if (same.has(was)) same.add(now)
  return same
}

/** Is this record part of another one now? Then nothing is written to it. */
export const isMergedAway = ({ merges, patient }: Pick<Situation, 'merges' | 'patient'>): boolean =>
  merges.some(({ state, source }) => state === 'merged' && source === patient)
