/**
 * Whether somebody came back into custody while RECONNECT supports them: recalled, or held again after they had left (closed-loop.md C1
 * rows 14 and 15). A day out on temporary licence and a move to another prison are neither (reconnect.md T5).
 */
import type { CustodyBasis } from './case.ts'

/** One stay in custody. London calendar dates. */
export type Stay = { start?: string; end?: string; basis?: CustodyBasis }

/**
 * The day the person came back, when they are in custody now and were not sent back before they were referred.
 *
 * @param stays all there are
 * @param referred the day of the referral; absent: any return counts
 */
export function returnedOn(stays: readonly Stay[], referred: string | undefined): string | undefined {
  const now = [...stays].sort((a, b) => (b.start ?? '').localeCompare(a.start ?? ''))[0]
  if (!now?.start || now.end || now.basis === 'rotl') return undefined
  if (referred !== undefined && now.start <= referred) return undefined
  const before = stays.some(({ end, basis }) => end !== undefined && basis !== 'rotl' && end <= (now.start as string))
  return before || now.basis === 'recall' ? now.start : undefined
}

/** Nothing goes on until it is known when they leave again. */
export const isSuspended = (custody: { returned?: string; releaseDate?: string; left?: string } | undefined): boolean =>
  custody?.returned !== undefined && custody.releaseDate === undefined && custody.left === undefined
