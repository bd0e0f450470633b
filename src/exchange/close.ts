/**
 * `ServiceRequest/{id}/$close`: a person's support ends, with how it ended. Only when each goal and each handover came to something, or
 * somebody says why not; whoever no longer wants support needs to wait for neither.
 *
 * @see domain/closed-loop.md C1 rows 10, 13, 16, 18, 19, 20, C5
 */
import type { Request } from '../access/caller.ts'
import { type Loose, looseEnds } from '../domain/closing.ts'
import { type ReferralDecision, withDecision } from '../domain/decisions.ts'
import { isOpen } from '../domain/handover.ts'
import { type Phase, underWay } from '../domain/lifecycle.ts'
import { type Closure, closures, isClosure } from '../domain/outcomes.ts'
import { type Issue, Refusal, refuse } from '../fhir/outcome.ts'
import type { Change } from './change.ts'
import type { Answer, Exchange } from './exchange.ts'
import type { Life } from './life.ts'
import { mustBeIn, onReferral } from './on-referral.ts'
import { fault, pathOf, reader } from './parameters.ts'
import { serviceShelf, tasksOf } from './situation.ts'
import { hasAccepted, kindFor } from './taken-over.ts'
import { isHandover, ownerOf } from './task.ts'

const early: readonly Phase[] = ['submitted', 'triage', 'info-requested', 'held-early', 'consent-pending']

export function closeReferral(exchange: Exchange, request: Request, id: string, body: unknown): Promise<Answer> {
  const said = closureSaid(body)
  return onReferral(exchange, request, 'close', id, body, (change, life) => {
    mustBeIn(life.phase, fromFor(said.outcome))
    mustBeTakenOver(change, said.outcome)
    mustBeDone(life, said)
    const { situation } = change
    const { by, reason, outcome } = said
    const at = situation.now.toISOString()
    const kept = [...said.reasons].map(([code, why]): ReferralDecision => ({ kind: 'no-alternative', code, reason: why, by, at }))
    const closure: ReferralDecision = { kind: 'closure', code: outcome, reason, by, at }
    const decided = [...kept, closure].reduce(withDecision, life.request)
    change.put(serviceShelf(situation.service.id), decided)
    const detail = { outcome, phase: life.phase, because: closures[outcome].words }
    change.audit({ action: 'close', entity: `ServiceRequest/${id}`, detail: JSON.stringify(detail) })
  })
}

type Said = Omit<Extract<ReferralDecision, { kind: 'closure' }>, 'at' | 'kind' | 'code'> & {
  outcome: Closure
  reason: string
  /** By handover: why it may stay as it is. */
  reasons: Map<string, string>
}

/** @throws Refusal 422 naming everything that is missing */
function closureSaid(body: unknown): Said {
  const { issues, text, code, all, someone } = reader(body)
  const outcome = code('outcome', Object.keys(closures))
  const reason = text('reason', true, 'Say why, in words.') ?? ''
  const reasons = new Map<string, string>()
  for (const [index, { part }] of all('handover').entries()) {
    const parts = Array.isArray(part) ? part : []
    const task = parts.find((one) => one?.name === 'task')?.valueReference?.reference?.match(/^Task\/([A-Za-z0-9.-]{1,64})$/)?.[1]
    const why = parts.find((one) => one?.name === 'reason')?.valueString?.trim()
    if (task && why) reasons.set(task, why)
    else
      issues.push(
        fault('handover', 'Name the handover (task, a reference) and why it has no outcome and no other in its place (reason).', index),
      )
  }
  const by = someone('by')
  if (issues.length || !isClosure(outcome)) throw new Refusal(422, issues)
  return { outcome, reason, reasons, by }
}

/** Some endings come before anything was accepted; the rest end what was. */
const fromFor = (outcome: Closure): readonly Phase[] =>
  outcome === 'declined-support' || outcome === 'error' || outcome === 'stepped-up'
    ? [...early, ...underWay]
    : outcome === 'transferred'
      ? ['pre-release', 'post-release']
      : underWay

/** Whoever hands over stays responsible until the other has accepted (rows 13 and 19). */
function mustBeTakenOver({ situation }: Change, outcome: Closure): void {
  const kind = kindFor(outcome)
  if (!kind) return
  const taken = tasksOf(situation).some(
    (task) => isHandover(task) && situation.directory.partners.get(ownerOf(task))?.kind === kind && hasAccepted(task),
  )
  if (!taken)
    throw refuse(
      422,
      'business-rule',
      'No such service has accepted its handover yet: until it does, this one stays responsible.',
      pathOf('outcome'),
    )
}

const withoutWaiting: ReadonlySet<Closure> = new Set(['declined-support', 'error', 'died'])

/** @throws Refusal 422 naming each goal and handover that hangs loose */
function mustBeDone({ goals, loops, reasons }: Life, said: Said): void {
  if (withoutWaiting.has(said.outcome)) return
  // The one that took over goes on with it: its own handover is what it is closed by.
  const goesOn = said.outcome === 'transferred' || said.outcome === 'stepped-up'
  const relevant = goesOn ? loops.filter(({ status }) => !isOpen(status)) : loops
  const loose = looseEnds(goesOn ? [] : goals, relevant, new Map([...reasons, ...said.reasons]))
  if (loose.length) throw new Refusal(422, loose.map(looseIssue))
}

/** Where a caller mends it: at the goal, or by saying why the handover may stay as it is. */
export const looseIssue = ({ ref, words, what }: Loose): Issue => ({
  code: 'business-rule',
  text: `${ref}: ${words}`,
  expression: what === 'goal' ? 'Goal.achievementStatus' : pathOf('handover'),
})
