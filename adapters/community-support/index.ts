/**
 * Community support service: when it is asked, and what closes the loop. What it is told: `mappings/community-support.ts`. What is odd about it: README.md.
 */
import mapping from '../../mappings/community-support.ts'
import { defineAdapter } from '../../src/adapter.ts'

export default defineAdapter({
  kind: 'community-support',
  name: 'Community support service',
  mapping,
  // Days before release are 12 weeks, when RECONNECT itself begins; the other two are ours (service-facts.md 6), no national rule.
  window: { opensDays: 84, dueDays: 14, answerWithinWorkingDays: 5 },
  closesWith: ['supported'],
  channels: ['fhir-message', 'pull'],
})
