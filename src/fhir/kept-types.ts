/**
 * The resource types that have routes of their own: those with a place on a shelf, and the audit. The rest of what is validated
 * carries or answers something (a Bundle, Parameters) or comes with a later step (Subscription).
 */
import { servedTypes } from './validate.ts'

const carriers = new Set(['Binary', 'Bundle', 'MessageHeader', 'OperationOutcome', 'Parameters', 'Subscription'])

export const keptTypes: readonly string[] = servedTypes.filter((type) => !carriers.has(type))

/**
 * Read from the directory (what comes along in a referral is kept, but nobody writes these by themselves), and from the audit, which
 * the exchange alone writes.
 */
export const readOnlyTypes: readonly string[] = ['Organization', 'HealthcareService', 'AuditEvent']
/** For a service's own clients. Everybody else is answered as if there were no such type. */
export const serviceTypes: readonly string[] = ['AuditEvent']
/** Made when they are asked for: one version each, and no history. */
export const renderedTypes: readonly string[] = ['AuditEvent']
