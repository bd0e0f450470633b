/**
 * Whether Enhanced RECONNECT may be right for somebody. Two public pages give two triggers, and both are kept (reconnect.md 3.6): X1, a
 * high risk of harm together with complex health needs; X2, not ready to be discharged after six months. It is a question to a
 * navigator and to the person, never a decision of ours.
 */
import { addDays, windows } from './calendar.ts'
import type { Case, Coded, Finding } from './case.ts'

export type Trigger = {
  code: 'high-risk' | 'not-ready'
  words: string
}
export type Enhanced =
  | { trigger: Trigger }
  /** A risk is named, and nobody can tell who assessed it or when: no ground to act on. */
  | { unsourced: string }

/** Kinds of health need at the same time from which needs count as complex. Ours: no public page says what complex is. */
const complexFrom = 2
const healthNeeds: ReadonlySet<string> = new Set([
  'physical-health',
  'mental-health',
  'substance-misuse',
  'autism',
  'adhd',
  'learning-difficulty',
  'communication-difficulty',
])

/** @param day London date */
export const enhancedFor = (found: Case, day: string): Enhanced | undefined => notReady(found, day) ?? highRisk(found)

/** X1. The risk is probation's: it counts with its source and date (hmpps.md 9). */
function highRisk({ findings, needs }: Case): Enhanced | undefined {
  const risk = latest(findings.filter(({ code, status }) => has(code, 'risk-of-serious-harm') && !/cancelled|entered/.test(status)))
  const level = risk && levelOf(risk.value)
  if (!risk || !level) return undefined
  const kinds = new Set(needs.filter(isOpen).flatMap(({ code }) => codesOf(code).filter((one) => healthNeeds.has(one))))
  if (kinds.size < complexFrom) return undefined
  if (!risk.effective || !risk.authors?.length)
    return { unsourced: `The risk of serious harm is ${level}, and the record does not say who assessed it and when.` }
  const words = `The risk of serious harm is ${level} (assessed ${risk.effective}), and there are health needs of ${kinds.size} kinds.`
  return { trigger: { code: 'high-risk', words } }
}

/** HMPPS writes it in words, in codes of OASys or as a registration; live values end in spaces. */
const levels: Readonly<Record<string, 'high' | 'very high'>> = {
  high: 'high',
  rhrh: 'high',
  'very high': 'very high',
  very_high: 'very high',
  'very-high': 'very high',
  rvrh: 'very high',
}
function levelOf({ text, coded }: Finding['value']): 'high' | 'very high' | undefined {
  const said = [text, coded?.text, ...codesOf(coded ?? {})].map((one) => one?.trim().toLowerCase())
  return said.flatMap((one) => levels[one ?? ''] ?? [])[0]
}

/** X2. Said at the review before support ends, which may be 28 days ahead (ours). */
function notReady({ findings, custody }: Case, day: string): Enhanced | undefined {
  if (!custody?.left || custody.basis === 'rotl') return undefined
  const from = addDays(windows(custody.left).supportEnds, -28)
  if (day < from) return undefined
  const review = latest(
    findings.filter(({ code, effective }) => has(code, 'ready-for-discharge') && effective !== undefined && effective >= from),
  )
  if (review?.value.truth !== false) return undefined
  return {
    trigger: { code: 'not-ready', words: `At the six-month review the person was not ready to be discharged (${review.effective}).` },
  }
}

const latest = (some: readonly Finding[]): Finding | undefined =>
  [...some].sort((a, b) => (b.effective ?? '').localeCompare(a.effective ?? ''))[0]
const isOpen = ({ status }: { status?: string }): boolean => !/^(inactive|resolved|remission)$/.test(status ?? '')
const codesOf = ({ coding }: Coded): string[] => (coding ?? []).flatMap(({ code }) => code ?? [])
const has = (concept: Coded, code: string): boolean => codesOf(concept).includes(code)
