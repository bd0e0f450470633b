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

/** Why what partners were asked for can not go on for now; see `suspensionOf`. */
export type Suspension = 'returned' | 'at-large' | 'immigration'

/**
 * Whether, and why, everything that is open waits (closed-loop.md C2 row 19). The table has a return to custody; the other two are ours:
 *
 * - unlawfully at large: nobody is to seek the person out or expect them (hmpps.md 5), and the date partners were told no longer holds;
 * - to an immigration removal centre, or out of the country: nobody knows which, and the date partners were told no longer holds.
 *
 * In hospital the sentence runs on and its end comes all the same, so release is prepared for; at court, on temporary licence, between
 * prisons and where nothing says why somebody is out, what was asked stands.
 */
export function suspensionOf(
  custody: { returned?: string; releaseDate?: string; left?: string; where?: string } | undefined,
): Suspension | undefined {
  if (custody?.where === 'at-large') return 'at-large'
  if (custody?.where === 'immigration' && custody.releaseDate === undefined && custody.left === undefined) return 'immigration'
  return isSuspended(custody) ? 'returned' : undefined
}

/** What is on hold goes on when it is known when the person leaves, or when they have left: not because they were found. */
export const mayGoOn = (custody: { releaseDate?: string; left?: string } | undefined): boolean =>
  custody?.releaseDate !== undefined || custody?.left !== undefined
