/**
 * The two words a handover's state is made of, and how they are said to people.
 */
import type { HandoverState } from './handover.ts'

export type HandoverStatus = keyof typeof statusWords
export type BusinessStatus = keyof typeof businessWords

const bookkeeping: ReadonlySet<string> = new Set(['preparing', 'queued', 'delivered', 'consent-blocked', 'chasing', 'escalated'])

/** Business states that are the exchange's own: a partner does not see them. */
export const isBookkeeping = (business: string | undefined): boolean => business !== undefined && bookkeeping.has(business)

/** A state for people. */
export const stateWords = ({ status, businessStatus }: HandoverState): string =>
  (businessStatus && businessWords[businessStatus]) ?? statusWords[status] ?? status

export const statusWords = {
  draft: 'being prepared',
  requested: 'asked',
  received: 'opened by the partner',
  accepted: 'accepted',
  rejected: 'rejected',
  cancelled: 'cancelled',
  'in-progress': 'under way',
  'on-hold': 'on hold',
  failed: 'could not be done',
  completed: 'done',
  'entered-in-error': 'made in error',
} as const

export const businessWords = {
  preparing: 'being prepared',
  'consent-blocked': 'held back: the agreement does not allow it',
  queued: 'waiting to be sent',
  delivered: 'delivered, not yet opened',
  acknowledged: 'opened by the partner',
  accepted: 'accepted, not yet started',
  rejected: 'rejected',
  'in-progress': 'under way',
  'appointment-booked': 'an appointment is booked',
  attended: 'seen at an appointment',
  'did-not-attend': 'did not come to an appointment',
  'appointment-cancelled': 'an appointment was cancelled',
  'awaiting-information': 'the partner waits for information',
  registered: 'registered',
  engaged: 'engaged',
  supported: 'supported',
  'not-engaged': 'the person did not engage',
  'no-contact': 'the person could not be reached',
  'recalled-message': 'taken back before it was opened',
  'cancellation-requested': 'asked to stop, not yet confirmed',
  cancelled: 'stopped as asked',
  'cancelled-unconfirmed': 'stopped, without confirmation from the partner',
  'suspended-custody': 'on hold: back in custody',
  chasing: 'no answer yet: being chased',
  escalated: 'no answer: escalated',
} as const
