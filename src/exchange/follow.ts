/**
 * What follows from where a person stands: the phase on the referral, its status and intent, the plan's status (closed-loop.md C1, C6),
 * and who is in the care team. Part of the plan step; says what should be so, and writes only what is not.
 */
import type { CarePlan, CareTeam, Task } from '@medplum/fhirtypes'
import { today } from '../domain/calendar.ts'
import { phaseOn, withPhase } from '../domain/decisions.ts'
import { isFinal, type Phase, statusOf, underWay } from '../domain/lifecycle.ts'
import { codeIn } from '../domain/resources.ts'
import { ours } from '../fhir/systems.ts'
import type { Change } from './change.ts'
import type { Life } from './life.ts'
import { ofType, resourcesOf, serviceShelf, tasksOf } from './situation.ts'
import { isHandover, ownerOf } from './task.ts'

/** @returns whether the record now says something else than before */
export function followPhase(change: Change, { request, phase, facts }: Life): boolean {
  const { situation } = change
  const was = phaseOn(request)
  // Only a move changes the status: what the service itself says of it meanwhile (a pause of its own) stands.
  const status = statusOf(phase) === statusOf(was ?? 'submitted') && !isFinal(phase) ? request.status : statusOf(phase)
  const ordered = underWay.includes(phase) && /^(proposal|plan)$/.test(request.intent)
  if (was === phase && !ordered) return false
  const shelf = serviceShelf(situation.service.id)
  const stored = change.put(shelf, { ...withPhase(request, phase), status, ...(ordered ? { intent: 'order' as const } : {}) })
  if (was !== phase) {
    const entity = `ServiceRequest/${request.id}/_history/${stored.version}`
    change.audit({ action: 'phase', entity, detail: JSON.stringify({ ...(was ? { from: was } : {}), to: phase }) })
    rollUp(change, was, phase)
  }
  return was !== phase || facts.status !== status
}

/** The plan goes on hold with the referral, on with it, and ends with it. It never ends because its handovers have. */
function rollUp(change: Change, was: Phase | undefined, phase: Phase): void {
  const { situation } = change
  for (const plan of ofType(resourcesOf(situation.record), 'CarePlan')) {
    const status = planStatus(plan.status, was, phase)
    if (status && status !== plan.status) change.put(serviceShelf(situation.service.id), { ...plan, status })
  }
}

function planStatus(status: CarePlan['status'], was: Phase | undefined, phase: Phase): CarePlan['status'] | undefined {
  if (phase === 'suspended') return status === 'active' ? 'on-hold' : undefined
  if (was === 'suspended' && !isFinal(phase)) return status === 'on-hold' ? 'active' : undefined
  if (!isFinal(phase) || !/^(active|on-hold)$/.test(status)) return undefined
  const ended = statusOf(phase)
  return ended === 'completed' || ended === 'revoked' ? ended : undefined
}

const belongs: ReadonlySet<string> = new Set(['accepted', 'in-progress', 'on-hold', 'completed'])
const left: ReadonlySet<string> = new Set(['rejected', 'failed', 'cancelled', 'entered-in-error'])

/** A partner is in the care team from when it accepts until its handover comes to nothing (C6): its part ends, and stays on record. */
export function followTeam(change: Change): void {
  const { situation } = change
  const shelf = serviceShelf(situation.service.id)
  const team = ofType(resourcesOf(situation.record), 'CareTeam').find(({ status }) => status === 'active' || status === undefined)
  if (!team) return
  const tasks = Map.groupBy(tasksOf(situation).filter(isHandover), ownerOf)
  const day = today(situation.now)
  let participant = team.participant ?? []
  for (const [partner, all] of tasks) {
    const reference = `Organization/${partner}`
    const current = participant.some((one) => isPartnerIn(one, reference) && !one.period?.end)
    const staying = all.some(isWithUs)
    if (staying && !current)
      participant = [
        ...participant,
        { role: [{ coding: [{ system: ours('team-role'), code: 'partner' }] }], member: { reference }, period: { start: day } },
      ]
    else if (current && !staying && all.some(({ status }) => left.has(status)))
      participant = participant.map((one) =>
        isPartnerIn(one, reference) && !one.period?.end ? { ...one, period: { ...one.period, end: day } } : one,
      )
  }
  if (participant !== team.participant && participant.length) change.put(shelf, { ...team, participant })
}

const isWithUs = ({ status }: Task): boolean => belongs.has(status)

const isPartnerIn = ({ member, role }: NonNullable<CareTeam['participant']>[number], reference: string): boolean =>
  member?.reference === reference && role?.some((each) => codeIn(each, ours('team-role')) === 'partner') === true
