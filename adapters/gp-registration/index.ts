/**
 * GP practice: when it is asked, and what closes the loop. What it is told: `mappings/gp-registration.ts`. What is odd about it: README.md.
 */
import mapping from '../../mappings/gp-registration.ts'
import { defineAdapter } from '../../src/adapter.ts'

export default defineAdapter({
  kind: 'gp-registration',
  name: 'GP practice',
  mapping,
  // Days before release are four weeks, the rule for practices (gp-registration.md 1); the other two are ours (service-facts.md 6), no national rule.
  window: { opensDays: 28, dueDays: 14, answerWithinWorkingDays: 2 },
  // A practice registers before release (gp-registration.md 1): it is reminded a week ahead. Who was released before it accepted is to be
  // on the list a week after. Ours [INF], no national rule.
  chase: { readyDaysBeforeRelease: 7, outcomeDaysAfterRelease: 7, quietDays: 7 },
  closesWith: ['registered'],
  channels: ['fhir-message', 'pull'],
})
