/**
 * One episode at a time: who is referred again while a referral of theirs is open is not looked after twice. The one that has come
 * furthest goes on, of equals the earlier; the other joins it: it is over as a duplicate, and its referrer is answered as the first one is.
 * Part of the plan step.
 *
 * @see domain/closed-loop.md C1 row 2 ("merge duplicates, never reject"), C5 duplicate
 */
import type { ServiceRequest } from '@medplum/fhirtypes'
import { stretchOf } from '../domain/calendar.ts'
import { latestOf, phaseOn, withDecision, withPhase } from '../domain/decisions.ts'
import { isFinal, type Phase, underWay } from '../domain/lifecycle.ts'
import { isReferral } from '../domain/referral.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import { lifeOf } from './life.ts'
import { answerTo } from './referral-answer.ts'
import { ofType, resourcesOf, type Situation, serviceShelf } from './situation.ts'
import { isHandoverRequest } from './task.ts'

/** @returns whether one joined another */
export function joinReferrals(change: Change, known: Understanding): boolean {
  const { situation } = change
  const open = openReferrals(situation)
  if (open.length < 2) return false
  const ranked = open.map((request) => ({ request, come: comeTo(lifeOf(situation, known, request.id)?.phase) }))
  const [first, ...rest] = ranked.sort((a, b) => b.come - a.come || since(a.request) - since(b.request))
  for (const { request } of rest) join(change, request, first?.request as ServiceRequest)
  return true
}

function openReferrals(situation: Situation): ServiceRequest[] {
  return ofType(resourcesOf(situation.record), 'ServiceRequest').filter((one) => {
    if (isHandoverRequest(one) || !/^(active|on-hold)$/.test(one.status)) return false
    const phase = phaseOn(one)
    return (answerTo(situation, one.id as string) || isReferral(one)) && !(phase && isFinal(phase))
  })
}

const comeTo = (phase: Phase | undefined): number => (!phase ? 0 : underWay.includes(phase) ? 2 : phase === 'consent-pending' ? 1 : 0)

const since = ({ authoredOn, meta }: ServiceRequest): number =>
  stretchOf(authoredOn)?.from ?? stretchOf(meta?.lastUpdated)?.from ?? Number.POSITIVE_INFINITY

function join({ put, audit, situation }: Change, request: ServiceRequest, first: ServiceRequest): void {
  const by = { name: 'RECONNECT Exchange', role: 'gateway' }
  const decided = withDecision(request, { kind: 'joined', code: first.id as string, by, at: situation.now.toISOString() })
  const { version } = put(serviceShelf(situation.service.id), { ...withPhase(decided, 'closed'), status: 'completed' })
  const from = phaseOn(request)
  const detail = { ...(from ? { from } : {}), to: 'closed', joins: `ServiceRequest/${first.id}` }
  audit({ action: 'phase', entity: `ServiceRequest/${request.id}/_history/${version}`, detail: JSON.stringify(detail) })
}

/** The referral this one is part of: itself, unless it joined another. */
export function wholeOf({ record }: Situation, request: ServiceRequest): ServiceRequest {
  const seen = new Set<ServiceRequest>()
  for (let one = request; ; ) {
    seen.add(one)
    const joined = latestOf(one, 'joined')
    const next = joined && (record.get(`ServiceRequest/${joined.code}`)?.body as ServiceRequest | undefined)
    if (!next || seen.has(next)) return one
    one = next
  }
}
