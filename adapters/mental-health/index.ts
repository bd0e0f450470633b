/**
 * Community mental health team: when it is asked, and what closes the loop. What it is told: `mappings/mental-health.ts`. What is odd about it: README.md.
 */
import mapping from '../../mappings/mental-health.ts'
import { defineAdapter } from '../../src/adapter.ts'

export default defineAdapter({
  kind: 'mental-health',
  name: 'Community mental health team',
  mapping,
  // Days before release are 12 weeks, when RECONNECT itself begins; the other two are ours (service-facts.md 6), no national rule.
  window: { opensDays: 84, dueDays: 14, answerWithinWorkingDays: 2 },
  // It sees people by appointment, and the first is to be known a week before release. Ours [INF], no national rule.
  chase: { readyDaysBeforeRelease: 7 },
  closesWith: ['engaged'],
  channels: ['fhir-message', 'pull'],
})
