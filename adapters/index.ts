/**
 * Every kind of partner the exchange can speak to, by kind. A new folder is added here; a test compares the two.
 */
import type { Adapter } from '../src/adapter.ts'
import enhancedReconnect from './enhanced-reconnect/index.ts'
import gpRegistration from './gp-registration/index.ts'
import probation from './probation/index.ts'
import substanceMisuse from './substance-misuse/index.ts'

export const adapters: ReadonlyMap<string, Adapter> = new Map(
  [gpRegistration, substanceMisuse, probation, enhancedReconnect].map((adapter) => [adapter.kind, adapter]),
)
