/**
 * `ServiceRequest/{id}/$triage`: somebody of the service decides about a referral: takes it, asks for more, sends it on, or declines with
 * where to turn instead. The referrer is answered in the same commit. What a person decided, the rules of triage no longer change.
 *
 * @see domain/closed-loop.md C1 rows 3, 6, 7, 8
 */
import type { ServiceRequest } from '@medplum/fhirtypes'
import type { Request } from '../access/caller.ts'
import { londonDate, today } from '../domain/calendar.ts'
import { type ReferralDecision, withDecision } from '../domain/decisions.ts'
import { destinations } from '../domain/onward.ts'
import { Refusal, refuse } from '../fhir/outcome.ts'
import type { Change } from './change.ts'
import type { Answer, Exchange } from './exchange.ts'
import { mustBeIn, onReferral } from './on-referral.ts'
import { fault, pathOf, reader } from './parameters.ts'
import { serviceShelf } from './situation.ts'

const decisions = ['accept', 'ask', 'redirect', 'decline'] as const
/** Why, as a code (`BASE/CodeSystem/referral-reason`). */
const reasons = [
  'not-eligible',
  'no-information',
  'out-of-area',
  'under-18',
  'duplicate',
  'needs-met-elsewhere',
  // What another RECONNECT service is told as a partner's reason (`BASE/CodeSystem/rejection-reason`).
  'at-capacity',
  'wrong-recipient',
  'id-or-address-demanded',
  'unsafe',
  'other',
] as const

export function triageReferral(exchange: Exchange, request: Request, id: string, body: unknown): Promise<Answer> {
  const said = triageSaid(body)
  return onReferral(exchange, request, 'triage', id, body, (change, { request: referral, phase }) => {
    mustBeIn(phase, ['submitted', 'triage', 'info-requested', 'held-early', 'consent-pending'])
    const { situation } = change
    if (said.until && said.until < today(situation.now)) throw refuse(422, 'business-rule', 'That day is past.', pathOf('until'))
    if (said.to) mustBeKnown(change, said.to)
    const decided: ServiceRequest = withDecision(referral, { ...said, at: situation.now.toISOString() })
    change.put(serviceShelf(situation.service.id), decided)
    const detail = { decision: said.code, phase }
    change.audit({ action: 'triage', entity: `ServiceRequest/${id}`, detail: JSON.stringify(detail) })
  })
}

function mustBeKnown({ situation: { directory } }: Change, to: string): void {
  const partner = directory.partners.get(to)
  if (directory.services.has(to) || (partner && !partner.retired)) return
  throw refuse(422, 'not-found', 'The directory has no such service or partner.', pathOf('to'))
}

/** @throws Refusal 422 naming everything that is missing: a reason unless it is taken, a question when asked, where to turn when turned away */
function triageSaid(body: unknown): Omit<Extract<ReferralDecision, { kind: 'triage' }>, 'at'> {
  const { issues, text, code, one, someone } = reader(body)
  const decision = code('decision', decisions) as (typeof decisions)[number]
  const turnsAway = decision === 'redirect' || decision === 'decline'
  const reason = text('reason', decision !== 'accept', 'Say why, in words the referrer can read.')
  const signpost = text('signpost', turnsAway, 'Say where the person can turn instead: nobody is turned away without.')
  const question = text('question', decision === 'ask', 'Say what the referrer is asked.')
  const because = one('code') ? code('code', reasons) : undefined
  const until = londonDate(one('until')?.valueDate)
  if (one('until') && (!until || decision !== 'ask'))
    issues.push(fault('until', 'The last day on which the answer is waited for (valueDate): only when the referrer is asked.'))
  const destination = one('destination') ? code('destination', Object.keys(destinations)) : undefined
  const to = one('to')?.valueReference?.reference?.match(/^Organization\/([A-Za-z0-9.-]{1,64})$/)?.[1]
  if (one('to') && !to) issues.push(fault('to', 'Name the service or partner by a reference: Organization/{id}.'))
  if ((destination || to) && decision !== 'redirect')
    issues.push({
      code: 'business-rule',
      text: 'Only a referral that is redirected goes on somewhere.',
      expression: pathOf(destination ? 'destination' : 'to'),
    })
  const by = someone('by')
  if (issues.length) throw new Refusal(422, issues)
  return {
    kind: 'triage',
    code: decision,
    by,
    ...(reason ? { reason } : {}),
    ...(because ? { because } : {}),
    ...(signpost ? { signpost } : {}),
    ...(question ? { question } : {}),
    ...(until ? { until } : {}),
    ...(destination ? { destination } : {}),
    ...(to ? { to } : {}),
  }
}
