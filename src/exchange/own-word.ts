/**
 * What a service writes by itself (PUT, PATCH, a transaction) instead of saying `$close` or `$allocate`: held to the same rules.
 *
 * Support is ended in one way, `$close`, which says how it ended, why and who says so. What a person says of it (they no longer want it) and
 * a mistake may be written, with why, in the extension FHIR has for that: `request-statusReason`.
 *
 * @see domain/closed-loop.md C1 rows 16, 18 and 20, C2, C6, C7.4
 */
import type { CarePlan, CareTeam, Goal, Resource, ServiceRequest } from '@medplum/fhirtypes'
import { today } from '../domain/calendar.ts'
import { looseEnds } from '../domain/closing.ts'
import { phaseOn } from '../domain/decisions.ts'
import { isFinal, phaseWords } from '../domain/lifecycle.ts'
import { hasTwoWorkers, isOfUse } from '../domain/named-worker.ts'
import { type Issue, Refusal } from '../fhir/outcome.ts'
import { requestStatusReason } from '../fhir/systems.ts'
import type { Change } from './change.ts'
import { looseIssue } from './close.ts'
import { consider } from './consider.ts'
import { lifeOf } from './life.ts'
import { ofType, resourcesOf } from './situation.ts'
import { isHandoverRequest } from './task.ts'

/** One resource as it is written: `at` its FHIRPath in what was sent. */
export type Written = { before: Resource | undefined; after: Resource; at: string }

/**
 * Asked once everything that came along is in the record: a goal may be achieved in the transaction that ends the plan.
 *
 * @throws Refusal 422 naming everything that is still open
 */
export function mustBeProper(change: Change, written: readonly Written[]): void {
  const issues = written.flatMap((one) => wrongIn(change, one))
  if (issues.length) throw new Refusal(422, issues)
}

function wrongIn(change: Change, { before, after, at }: Written): Issue[] {
  if (before?.resourceType === 'ServiceRequest' && after.resourceType === 'ServiceRequest') return ofReferral(change, before, after, at)
  if (before?.resourceType === 'Goal' && after.resourceType === 'Goal') return ofGoal(change, before, after, at)
  if (after.resourceType === 'CareTeam') return ofTeam(change, after, at)
  if (before?.resourceType === 'CarePlan' && after.resourceType === 'CarePlan') return ofPlan(change, before, after, at)
  return []
}

function ofReferral(change: Change, before: ServiceRequest, after: ServiceRequest, at: string): Issue[] {
  if (before.status === after.status || isHandoverRequest(before)) return []
  const phase = phaseOn(before)
  if (phase && isFinal(phase) && after.status !== 'entered-in-error') {
    const text = `This referral is over (${phaseWords(phase)}) and stays so: refer the person again with a new ServiceRequest, or say that it was entered in error.`
    return [{ code: 'business-rule', text, expression: `${at}.status` }]
  }
  if (after.status === 'completed') {
    const life = lifeOf(change.situation, consider(change.situation), after.id)
    const loose = life ? looseEnds(life.goals, life.loops, life.reasons).map(looseIssue) : []
    const text = 'Support is ended with $close, which says how it ended, why, and who says so.'
    return [...loose, { code: 'business-rule', text, expression: `${at}.status` }]
  }
  if ((after.status === 'revoked' || after.status === 'entered-in-error') && !reasonIn(after)) {
    const text = `Say why, in words: extension ${requestStatusReason}, valueCodeableConcept.text. Or use $close.`
    return [{ code: 'required', text, expression: `${at}.extension` }]
  }
  return []
}

const reasonIn = ({ extension }: ServiceRequest): string | undefined =>
  extension?.find(({ url }) => url === requestStatusReason)?.valueCodeableConcept?.text?.trim()

/** One named worker at a time, in whichever of the person's teams. */
function ofTeam({ situation }: Change, after: CareTeam, at: string): Issue[] {
  const teams = ofType(resourcesOf(situation.record), 'CareTeam')
  if (!isOfUse(after) || !hasTwoWorkers(teams, today(situation.now))) return []
  const text =
    'A person has one named worker at a time: end the part of the one before (period.end) by when the next begins (period.start), or use $allocate.'
  return [{ code: 'business-rule', text, expression: `${at}.participant` }]
}

/** A goal is completed when none of the handovers it hangs on was rejected or failed with nobody in its place and no reason (C2). */
function ofGoal(change: Change, before: Goal, after: Goal, at: string): Issue[] {
  if (after.lifecycleStatus !== 'completed' || before.lifecycleStatus === 'completed' || after.statusReason?.trim()) return []
  const known = consider(change.situation)
  const life = lifeOf(change.situation, known)
  const asked = known.case?.plan?.activities.filter(({ goals }) => goals?.includes(after.id as string)).map(({ key }) => key)
  return looseEnds([], life?.loops ?? [], life?.reasons ?? new Map())
    .filter(({ what, activity }) => what === 'unreplaced' && asked?.includes(activity as string))
    .map(({ ref, words }) => ({
      code: 'business-rule',
      text: `${ref}: ${words} Ask another partner, or say in statusReason why there is none.`,
      expression: `${at}.statusReason`,
    }))
}

/** A plan is done when its goals are (C6). */
function ofPlan(change: Change, before: CarePlan, after: CarePlan, at: string): Issue[] {
  if (after.status !== 'completed' || before.status === 'completed') return []
  const goals = lifeOf(change.situation, consider(change.situation))?.goals ?? []
  const loose = looseEnds(goals, [], new Map()).map(looseIssue)
  if (loose.length === 0) return []
  const text = 'A plan is completed when each goal says whether it was achieved.'
  return [...loose, { code: 'business-rule', text, expression: `${at}.status` }]
}
