/**
 * What people decided about a referral (triage, an extension, how it ended), and the phase it came to: extensions of ours on the
 * ServiceRequest. The exchange alone writes them; whatever else changes the resource, they stay.
 */
import type { Extension, ServiceRequest } from '@medplum/fhirtypes'
import { BASE, ours } from '../fhir/systems.ts'
import type { LifeFacts, Phase } from './lifecycle.ts'
import { isPhase, phaseWords } from './lifecycle.ts'
import type { Closure } from './outcomes.ts'
import { isClosure } from './outcomes.ts'
import type { Someone } from './override.ts'

/** `valueCoding` of `BASE/CodeSystem/referral-phase`. */
const referralPhase = `${BASE}/StructureDefinition/referral-phase`
/** Parts: `kind`, `code`, `at`, `by`, `by-role`, and where they apply `reason`, `signpost`, `question`, `until`, `destination`, `to`, `approver`, `approver-role`. */
const referralDecision = `${BASE}/StructureDefinition/referral-decision`
const own: ReadonlySet<string> = new Set([referralPhase, referralDecision])

export type TriageCode = NonNullable<LifeFacts['triage']>
type Decided = { at: string; by: Someone; reason?: string }
export type ReferralDecision = Decided &
  (
    | {
        kind: 'triage'
        code: TriageCode
        because?: string
        signpost?: string
        question?: string
        until?: string
        destination?: string
        to?: string
      }
    | { kind: 'extension'; code: 'extended'; until: string; approver: Someone }
    | { kind: 'closure'; code: Closure }
    | { kind: 'no-alternative'; code: string }
    /** Somebody has an open referral already: by its id. */
    | { kind: 'joined'; code: string }
  )

/** All of them, the oldest first. */
export const decisionsOf = ({ extension }: ServiceRequest): ReferralDecision[] =>
  (extension ?? []).flatMap((one) => (one.url === referralDecision ? (decisionIn(one) ?? []) : []))

export const latestOf = <K extends ReferralDecision['kind']>(request: ServiceRequest, kind: K) =>
  decisionsOf(request).findLast((one): one is Extract<ReferralDecision, { kind: K }> => one.kind === kind)

export function withDecision(request: ServiceRequest, decision: ReferralDecision): ServiceRequest {
  const { by, kind, ...rest } = decision
  const { approver, ...words } = rest as typeof rest & { approver?: Someone }
  const parts = {
    kind,
    ...words,
    by: by.name,
    'by-role': by.role,
    ...(approver ? { approver: approver.name, 'approver-role': approver.role } : {}),
  }
  const extension = Object.entries(parts).map(([url, value]): Extension => ({ url, valueString: value }))
  return { ...request, extension: [...(request.extension ?? []), { url: referralDecision, extension }] }
}

function decisionIn({ extension }: Extension): ReferralDecision | undefined {
  const said: Record<string, string> = Object.fromEntries((extension ?? []).map(({ url, valueString }) => [url, valueString ?? '']))
  const { kind = '', code = '', by = '', 'by-role': role = '', approver, 'approver-role': approverRole = '', ...rest } = said
  const whole = { ...rest, kind, code, by: { name: by, role }, ...(approver ? { approver: { name: approver, role: approverRole } } : {}) }
  if (kind === 'closure' && !isClosure(code)) return undefined
  return /^(triage|extension|closure|no-alternative|joined)$/.test(kind) ? (whole as unknown as ReferralDecision) : undefined
}

/** The phase on record. */
export function phaseOn(request: ServiceRequest): Phase | undefined {
  const code = request.extension?.find(({ url }) => url === referralPhase)?.valueCoding?.code
  return isPhase(code) ? code : undefined
}

export function withPhase(request: ServiceRequest, phase: Phase): ServiceRequest {
  const coding = { system: ours('referral-phase'), code: phase, display: phaseWords(phase) }
  const rest = (request.extension ?? []).filter(({ url }) => url !== referralPhase)
  return { ...request, extension: [...rest, { url: referralPhase, valueCoding: coding }] }
}

/** The resource as somebody hands it in, with what is the exchange's own as it was: nobody else writes it, or loses it. */
export function keepingDecisions(said: ServiceRequest, present: ServiceRequest | undefined): ServiceRequest {
  const theirs = (said.extension ?? []).filter(({ url }) => !own.has(url))
  const { extension: _all, ...rest } = said
  const kept = (present?.extension ?? []).filter(({ url }) => own.has(url))
  return theirs.length || kept.length ? { ...rest, extension: [...theirs, ...kept] } : rest
}
