/**
 * The resource types that have a place on a shelf, and so routes of their own. The rest of what is validated carries or answers
 * something (a Bundle, Parameters) or comes with a later step (Subscription, AuditEvent).
 */
import { servedTypes } from './validate.ts'

const carriers = new Set(['Binary', 'Bundle', 'MessageHeader', 'OperationOutcome', 'Parameters', 'Subscription', 'AuditEvent'])

export const keptTypes: readonly string[] = servedTypes.filter((type) => !carriers.has(type))

/** Read from the directory; what comes along in a referral is kept, but nobody writes these by themselves. */
export const directoryTypes: readonly string[] = ['Organization', 'HealthcareService']
