/**
 * What is asked of people by what happened to the person: back in custody, or died. What becomes of the referral itself follows from its
 * phase (`follow.ts`).
 */
import { isSuspended } from '../domain/returned.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'

/** One question for everything that is on hold. */
export function askAboutReturn(change: Change, { case: found }: Understanding): void {
  if (!isSuspended(found?.custody) || found?.referral?.status !== 'on-hold') return
  change.ask({
    about: `suspended:${change.situation.patient}`,
    reason: 'suspended',
    words:
      'The person is back in custody. Everything that was open is on hold, and partners know. Record the new release date as soon as there is one.',
  })
}

/**
 * After a death nothing is waited for and nobody is phoned: one thing is left to do.
 *
 * @returns a change that leaves all other timers and questions unsaid
 */
export const quietly = (change: Change): Change => ({ ...change, wait: () => undefined, ask: () => undefined })

export function askAboutDeath(change: Change): void {
  change.ask({
    about: `died:${change.situation.patient}`,
    of: `Patient/${change.situation.patient}`,
    reason: 'died',
    words:
      'The person is recorded as having died. Everything was stopped, and partners were told to stop. Do not phone the person or their family from an old list. If the record is wrong, correct it: nothing begins again by itself.',
  })
}
