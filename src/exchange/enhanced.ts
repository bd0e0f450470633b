/**
 * Enhanced RECONNECT, proposed to a navigator when a trigger is met. Whether there is a team is the region's (reconnect.md X4): where there
 * is none, that is written down too.
 */
import type { PractitionerRole, Task } from '@medplum/fhirtypes'
import { startOfDay, today } from '../domain/calendar.ts'
import type { Case } from '../domain/case.ts'
import { type Availability, availabilityOf, enhancedFor, type Trigger } from '../domain/enhanced.ts'
import { ours } from '../fhir/systems.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import type { Situation } from './situation.ts'

const enhancedKind = 'enhanced-reconnect'

export function askAboutEnhanced(change: Change, { case: found, partners }: Understanding): void {
  const { situation } = change
  if (!found || found.person.died || found.referral?.status !== 'active') return
  const availability = availabilityIn(situation)
  if (partners.some(({ partner }) => partner.kind === enhancedKind)) {
    askWhereNone(change, availability)
    return
  }
  const met = enhancedFor(found, today(situation.now), probationIn(situation))
  if (!met) return
  if ('unsure' in met) {
    change.ask({ about: `enhanced:unsure:${situation.patient}`, reason: met.unsure.code, words: `${met.unsure.words} Ask probation.` })
    return
  }
  waitForChange(change, availability)
  propose(change, met.trigger, availability)
}

function propose(change: Change, { code, words }: Trigger, availability: Availability): void {
  const { situation } = change
  const team = teamIn(situation)
  const { available } = availability
  const about = `enhanced:${available ? code : `unavailable:${code}`}:${situation.patient}`
  if (situation.left.has(about)) return
  if (!situation.work.some((item) => item.about === about))
    change.audit({ action: 'enhanced', detail: JSON.stringify({ trigger: code, ...availability }) })
  if (!available)
    change.ask({
      about,
      reason: 'enhanced-unavailable',
      words: `Enhanced RECONNECT might have been right, and ${unavailable(availability)}. ${words}`,
    })
  else if (team)
    change.ask({
      about,
      reason: enhancedKind,
      words: `Enhanced RECONNECT may be right. ${words} Speak with the person; if they agree, add it to the plan for ${team}.`,
    })
  else
    change.ask({
      about,
      reason: 'enhanced-unavailable',
      words: `Enhanced RECONNECT may be right, and the directory names no team to ask. ${words}`,
    })
}

/** The plan asks a team for a service that has none now. */
function askWhereNone(change: Change, availability: Availability): void {
  const { situation } = change
  waitForChange(change, availability)
  if (availability.available) return
  change.ask({
    about: `enhanced:unavailable:${situation.patient}`,
    reason: 'enhanced-unavailable',
    words: `The plan asks Enhanced RECONNECT, and ${unavailable(availability)}, so nobody new is asked. Change the plan, or correct the directory.`,
  })
}

/** The day it begins or ends, something else is to be said. */
function waitForChange(change: Change, availability: Availability): void {
  const day = availability.available ? availability.until && startOfDay(availability.until, 1) : startOf(availability)
  if (day) change.wait(`enhanced:${change.situation.patient}`, day.instant)
}
const startOf = ({ because, on }: Unavailable) => (because === 'not-yet' && on ? startOfDay(on) : undefined)

type Unavailable = Extract<Availability, { available: false }>
const unavailable = ({ because, on }: Unavailable): string =>
  because === 'region'
    ? 'it does not work in this region'
    : because === 'not-yet'
      ? `in this region it begins on ${on}`
      : `in this region it ended on ${on}`

const availabilityIn = ({ service, now }: Situation): Availability => availabilityOf(service.enhanced, today(now))

/** Is this kind of partner asked by this service at all, today? */
export const isAvailable = (situation: Situation, kind: string): boolean => kind !== enhancedKind || availabilityIn(situation).available

/** Of the region, where the directory says; else every team there is. */
function teamIn({ directory, service }: Situation): string | undefined {
  const named = typeof service.enhanced === 'object' ? service.enhanced.team : undefined
  const teams = [...directory.partners.values()].filter(
    ({ id, kind, retired }) => kind === enhancedKind && !retired && (!named || id === named),
  )
  return teams.map(({ name }) => name).join(' or ') || undefined
}

/** Whether a reference to who recorded something leads to a probation partner of the directory. */
function probationIn({ directory, record }: Situation): (author: string) => boolean {
  const isPartner = (reference: string | undefined) =>
    directory.partners.get(reference?.replace('Organization/', '') ?? '')?.kind === 'probation'
  return (author) => isPartner(author) || isPartner((record.get(author)?.body as PractitionerRole | undefined)?.organization?.reference)
}

const triggers = ours('enhanced-trigger')

/** Why the team is asked, on the service's own Task: a trigger, or the navigator's judgement. */
export function withTrigger(situation: Situation, task: Task, kind: string, found: Case): Task {
  if (kind !== enhancedKind) return task
  const met = enhancedFor(found, today(situation.now), probationIn(situation))
  const code = met && 'trigger' in met ? met.trigger.code : 'navigator'
  return {
    ...task,
    input: [{ type: { coding: [{ system: triggers, code: 'trigger' }], text: 'Why Enhanced RECONNECT is asked' }, valueCode: code }],
  }
}

/** In words, for whoever asks why the team was asked. */
export function triggerWords({ input = [] }: Task): string | undefined {
  const code = input.find(({ type }) => type.coding?.some(({ system }) => system === triggers))?.valueCode
  return code === undefined ? undefined : reasons[code as keyof typeof reasons]
}
const reasons = {
  'high-risk': 'a high or very high risk of harm, and complex health needs',
  'not-ready': 'not ready to be discharged at the six-month review',
  navigator: 'a navigator’s judgement; neither of the two triggers was met',
} as const satisfies Record<Trigger['code'] | 'navigator', string>

/** Not for the team itself: what it may know of risks stands in what it is told. */
export function withoutTrigger(task: Task): Task {
  const { input = [], ...rest } = task
  const left = input.filter(({ type }) => !type.coding?.some(({ system }) => system === triggers))
  return left.length === input.length ? task : { ...rest, ...(left.length ? { input: left } : {}) }
}
