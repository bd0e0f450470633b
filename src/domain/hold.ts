/**
 * A handover on hold because the person is back in custody: where it stood, and where it goes on from when there is a new release date
 * (closed-loop.md C2 row 19, C1 rows 14 and 15). What its partner says meanwhile counts, and moves where it will go on from.
 */
import { type HandoverState, isOpen } from './handover.ts'

/** What can be put on hold: what was asked and has not ended, and nobody was asked to stop. */
export const mayBeHeld = ({ status, businessStatus }: HandoverState): boolean =>
  isOpen(status) && status !== 'draft' && businessStatus !== 'cancellation-requested' && businessStatus !== 'suspended-custody'

/** @param booked an appointment with this partner is still to come: one that nobody knows more of does not outlast a stay in custody */
export const heldAs = (state: HandoverState, booked: boolean): HandoverState =>
  state.businessStatus === 'appointment-booked' && !booked ? { ...state, businessStatus: 'appointment-cancelled' } : state

/** As it stood; but nobody has been chased yet since then, and whoever has not opened it is asked anew. */
export function goesOnAs(was: HandoverState): HandoverState {
  if (was.status === 'requested') return { status: 'requested', businessStatus: 'queued' }
  if (was.status === 'received') return { status: 'received', businessStatus: 'acknowledged' }
  return was
}

/** Not answered yet: it has the time to answer that it had. */
export const isUnanswered = ({ status }: HandoverState): boolean => status === 'requested' || status === 'received'

/** Where an answer that came meanwhile leaves it: on hold, unless it ended with it or its partner is asked to stop. */
export const staysHeld = ({ status, businessStatus }: HandoverState): boolean =>
  isOpen(status) && businessStatus !== 'cancellation-requested'
