/**
 * Community substance misuse team: when it is asked, and what closes the loop. What it is told: `mappings/substance-misuse.ts`. What is odd about it: README.md.
 */
import mapping from '../../mappings/substance-misuse.ts'
import { defineAdapter } from '../../src/adapter.ts'

export default defineAdapter({
  kind: 'substance-misuse',
  name: 'Community substance misuse team',
  mapping,
  // Days before release are 12 weeks, when RECONNECT itself begins; the other two are ours (service-facts.md 6), no national rule.
  window: { opensDays: 84, dueDays: 14, answerWithinWorkingDays: 2 },
  // It sees people by appointment, and the first is to be known a week before release. On day 21 the exchange asks by itself (watch.ts): the
  // team is reminded before, and asked how it ended a week after. Ours [INF], no national rule.
  chase: { readyDaysBeforeRelease: 7, outcomeDaysAfterRelease: 28, outcomeReminderWorkingDays: 7 },
  closesWith: ['engaged'],
  channels: ['fhir-message', 'pull'],
})
