/**
 * Every kind of partner the exchange can speak to, by kind. A new folder is added here; a test compares the two.
 */
import type { Adapter } from '../src/adapter.ts'
import communitySupport from './community-support/index.ts'
import enhancedReconnect from './enhanced-reconnect/index.ts'
import gpRegistration from './gp-registration/index.ts'
import mentalHealth from './mental-health/index.ts'
import probation from './probation/index.ts'
import reconnectService from './reconnect-service/index.ts'
import substanceMisuse from './substance-misuse/index.ts'

export const adapters: ReadonlyMap<string, Adapter> = new Map(
  [gpRegistration, substanceMisuse, mentalHealth, probation, enhancedReconnect, reconnectService, communitySupport].map((adapter) => [
    adapter.kind,
    adapter,
  ]),
)
