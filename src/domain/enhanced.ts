/**
 * Whether Enhanced RECONNECT may be right for somebody. Two public pages give two triggers, and both are kept (reconnect.md 3.6): X1, a
 * high risk of harm together with complex health needs; X2, not ready to be discharged after six months. It is a question to a
 * navigator and to the person, never a decision of ours.
 */
import { addDays, addMonths, windows } from './calendar.ts'
import type { Case, Coded, Finding } from './case.ts'
import { pace } from './pace.ts'
import { longDate } from './words.ts'

export type Trigger = {
  code: 'high-risk' | 'not-ready'
  words: string
}
export type Enhanced =
  | { trigger: Trigger }
  /** A high risk is named on a ground nobody can act on: by whom or when is not said, or it was long ago. */
  | { unsure: { code: 'risk-unsourced' | 'risk-outdated'; words: string } }

/** Whether there is a team to ask (reconnect.md X4, X5: some regions, and a pilot). London dates, both included. */
export type Offer = boolean | { from?: string; until?: string; team?: string }

export type Availability = { available: true; until?: string } | { available: false; because: 'region' | 'not-yet' | 'over'; on?: string }

/** @param day London date */
export function availabilityOf(offer: Offer, day: string): Availability {
  if (offer === false) return { available: false, because: 'region' }
  const { from, until } = offer === true ? ({} as Exclude<Offer, boolean>) : offer
  if (from && day < from) return { available: false, because: 'not-yet', on: from }
  if (until && day > until) return { available: false, because: 'over', on: until }
  return { available: true, ...(until ? { until } : {}) }
}

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

/** @param day London date; `isProbation` whether a reference to who recorded something is one to probation */
export const enhancedFor = (found: Case, day: string, isProbation: (author: string) => boolean): Enhanced | undefined =>
  notReady(found, day) ?? highRisk(found, day, isProbation)

/** X1. The risk is probation's: it counts with its source and date (hmpps.md 9), and not for ever. */
function highRisk({ findings, needs }: Case, day: string, isProbation: (author: string) => boolean): Enhanced | undefined {
  const risks = findings.filter(({ code, status }) => has(code, 'risk-of-serious-harm') && !/cancelled|entered/.test(status))
  const isSourced = ({ authors, effective }: Finding) => effective !== undefined && effective <= day && authors?.some(isProbation) === true
  const theirs = latest(risks.filter(isSourced))
  // What somebody else says counts for a question, where probation has not spoken since.
  const others = latest(risks.filter((one) => !isSourced(one) && (!theirs || (one.effective ?? '') > (theirs.effective as string))))
  const kinds = new Set(needs.filter(isOpen).flatMap(({ code }) => codesOf(code).filter((one) => healthNeeds.has(one))))
  if (kinds.size < complexFrom) return undefined
  const level = theirs && levelOf(theirs.value)
  if (theirs && level && (theirs.effective as string) >= addMonths(day, -pace.riskCountsMonths)) {
    const words = `The risk of serious harm is ${level} (assessed by probation on ${longDate(theirs.effective as string)}), and there are health needs of ${kinds.size} kinds.`
    return { trigger: { code: 'high-risk', words } }
  }
  const said = others && levelOf(others.value)
  if (said)
    return {
      unsure: {
        code: 'risk-unsourced',
        words: `The risk of serious harm is ${said}, and the record does not say that probation assessed it and when.`,
      },
    }
  if (level) {
    const words = `The risk of serious harm was ${level} when probation assessed it, more than ${pace.riskCountsMonths} months ago (${longDate(theirs.effective as string)}).`
    return { unsure: { code: 'risk-outdated', words } }
  }
  return undefined
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
    trigger: {
      code: 'not-ready',
      words: `At the six-month review the person was not ready to be discharged (${longDate(review.effective as string)}).`,
    },
  }
}

const latest = (some: readonly Finding[]): Finding | undefined =>
  [...some].sort((a, b) => (b.effective ?? '').localeCompare(a.effective ?? ''))[0]
const isOpen = ({ status }: { status?: string }): boolean => !/^(inactive|resolved|remission)$/.test(status ?? '')
const codesOf = ({ coding }: Coded): string[] => (coding ?? []).flatMap(({ code }) => code ?? [])
const has = (concept: Coded, code: string): boolean => codesOf(concept).includes(code)
