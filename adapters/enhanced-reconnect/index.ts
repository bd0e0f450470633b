/**
 * Enhanced RECONNECT team: when it is asked, and what closes the loop. What it is told: `mappings/enhanced-reconnect.ts`. What is odd about it: README.md.
 */
import mapping from '../../mappings/enhanced-reconnect.ts'
import { defineAdapter } from '../../src/adapter.ts'

export default defineAdapter({
  kind: 'enhanced-reconnect',
  name: 'Enhanced RECONNECT team',
  mapping,
  // Days before release are 12 weeks, when RECONNECT itself begins; the other two are ours (service-facts.md 6), no national rule.
  window: { opensDays: 84, dueDays: 14, answerWithinWorkingDays: 2 },
  closesWith: ['engaged'],
  channels: ['fhir-message', 'pull'],
})
