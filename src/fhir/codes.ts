/**
 * The short lists FHIR R4 binds a status to (`required` bindings): for `.of(...)` in a mapping, so that a message is valid.
 *
 * `entered-in-error` is left out of each: what was entered in error is not told to anyone.
 *
 * @see https://hl7.org/fhir/R4/terminologies.html#required
 */
export const activityStatuses = [
  'not-started',
  'scheduled',
  'in-progress',
  'on-hold',
  'completed',
  'cancelled',
  'stopped',
  'unknown',
] as const
export const medicationStatuses = ['active', 'completed', 'intended', 'stopped', 'on-hold', 'unknown', 'not-taken'] as const
export const flagStatuses = ['active', 'inactive'] as const
export const observationStatuses = ['registered', 'preliminary', 'final', 'amended', 'corrected', 'cancelled', 'unknown'] as const
export const appointmentStatuses = [
  'proposed',
  'pending',
  'booked',
  'arrived',
  'fulfilled',
  'cancelled',
  'noshow',
  'checked-in',
  'waitlist',
] as const
