/**
 * RECONNECT service of another area: when it is asked, and what closes the loop. What it is told: `mappings/reconnect-service.ts`. What is odd about it: README.md.
 */
import mapping from '../../mappings/reconnect-service.ts'
import { defineAdapter } from '../../src/adapter.ts'

export default defineAdapter({
  kind: 'reconnect-service',
  name: 'RECONNECT service of another area',
  mapping,
  // Days before release are 12 weeks, when RECONNECT itself begins; the other two are ours (service-facts.md 6), no national rule.
  window: { opensDays: 84, dueDays: 14, answerWithinWorkingDays: 2 },
  closesWith: ['supported'],
  channels: ['fhir-message', 'pull', 'here'],
})
