/**
 * Enhanced RECONNECT, proposed to a navigator when a trigger is met. Whether there is a team is the region's (reconnect.md X4): where there
 * is none, that is written down too.
 */
import type { Task } from '@medplum/fhirtypes'
import { today } from '../domain/calendar.ts'
import type { Case } from '../domain/case.ts'
import { enhancedFor } from '../domain/enhanced.ts'
import { ours } from '../fhir/systems.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import type { Situation } from './situation.ts'

export const enhancedKind = 'enhanced-reconnect'

export function askAboutEnhanced(change: Change, { case: found, partners }: Understanding): void {
  const { situation } = change
  if (!found || found.person.died || found.referral?.status !== 'active') return
  if (partners.some(({ partner }) => partner.kind === enhancedKind)) {
    askWhereNone(change)
    return
  }
  const met = enhancedFor(found, today(situation.now))
  const about = `enhanced:${situation.patient}`
  if (!met || situation.done.has(about)) return
  if ('unsourced' in met) {
    change.ask({ about, reason: 'risk-unsourced', words: `${met.unsourced} Ask probation.` })
    return
  }
  const team = situation.service.enhanced ? teamIn(situation) : undefined
  const words = team
    ? `Enhanced RECONNECT may be right. ${met.trigger.words} Speak with the person; if they agree, add it to the plan for ${team}.`
    : `Enhanced RECONNECT might have been right, and does not work in this region. ${met.trigger.words}`
  if (!situation.work.some((item) => item.about === about))
    change.audit({ action: 'enhanced', detail: JSON.stringify({ trigger: met.trigger.code, available: team !== undefined }) })
  change.ask({ about, reason: team ? 'enhanced-reconnect' : 'enhanced-unavailable', words })
}

/** The plan asks a team for a service that has none. */
function askWhereNone(change: Change): void {
  const { situation } = change
  if (situation.service.enhanced) return
  change.ask({
    about: `enhanced:${situation.patient}`,
    reason: 'enhanced-unavailable',
    words:
      'The plan asks Enhanced RECONNECT, which does not work in this region, so nobody is asked. Change the plan, or correct the directory.',
  })
}

/** Is this kind of partner asked by this service at all? */
export const isAvailable = ({ service }: Situation, kind: string): boolean => kind !== enhancedKind || service.enhanced

const teamIn = ({ directory }: Situation): string | undefined =>
  [...directory.partners.values()].find(({ kind, retired }) => kind === enhancedKind && !retired)?.name

const triggers = ours('enhanced-trigger')

/** Why the team is asked, on the service's own Task: a trigger, or the navigator's judgement. */
export function withTrigger(task: Task, kind: string, found: Case, day: string): Task {
  if (kind !== enhancedKind) return task
  const met = enhancedFor(found, day)
  const code = met && 'trigger' in met ? met.trigger.code : 'navigator'
  return {
    ...task,
    input: [{ type: { coding: [{ system: triggers, code: 'trigger' }], text: 'Why Enhanced RECONNECT is asked' }, valueCode: code }],
  }
}

/** Not for the team itself: what it may know of risks stands in what it is told. */
export function withoutTrigger(task: Task): Task {
  const { input = [], ...rest } = task
  const left = input.filter(({ type }) => !type.coding?.some(({ system }) => system === triggers))
  return left.length === input.length ? task : { ...rest, ...(left.length ? { input: left } : {}) }
}
