/**
 * Telling somebody without the person's agreement: break glass, or one lawful disclosure to the police, a court or MAPPA. Pure.
 *
 * An override is a record of its own and never changes a consent. It is for one recipient, for the items it lists, for hours. A
 * second person looks at it: before anything is told, or in an emergency afterwards.
 *
 * @see domain/consent.md A3, A4, A5, B5.1; closed-loop.md C4
 */
import type { Source } from './case.ts'
import type { Category } from './categories.ts'

/** Ours, no rule of the NHS: how long one override may let things out, and how soon a second person must have looked. */
export const mostHours = 72
export const reviewWithinHours = 72

type Basis = { words: string; purpose: 'BTG' | 'THREAT' | 'HLEGAL' }

/**
 * On what law it rests (consent.md A3), and the v3-ActReason code the audit carries. The deploying organisation's Caldicott Guardian
 * and data protection officer confirm this table.
 */
export const legalBases = {
  'vital-interests': { words: 'a life is in danger: UK GDPR 6(1)(d) and 9(2)(c)', purpose: 'BTG' },
  'safeguarding-adult': { words: 'an adult has to be protected: Care Act 2014 s.42 to 45', purpose: 'BTG' },
  'best-interests': { words: 'the person lacks capacity and it is in their best interests: Mental Capacity Act 2005', purpose: 'BTG' },
  'public-interest': { words: 'the public interest outweighs confidentiality, weighed for this case', purpose: 'THREAT' },
  mappa: { words: 'the duty to co-operate with MAPPA: Criminal Justice Act 2003 s.325', purpose: 'THREAT' },
  'crime-and-disorder': { words: 'the power to disclose of the Crime and Disorder Act 1998 s.115', purpose: 'THREAT' },
  'legal-duty': { words: 'a legal duty to disclose', purpose: 'HLEGAL' },
  'court-order': { words: 'an order of a court', purpose: 'HLEGAL' },
} as const satisfies Record<string, Basis>
export type LegalBasis = keyof typeof legalBases

export const consentSought = ['yes', 'not-practicable', 'unsafe', 'refused'] as const

/** A person by name and role, as they say it. */
export type Someone = { name: string; role: string }

export type Override = {
  id: string
  patient: string
  service: string
  /** A partner of the directory, told through its handover; or somebody outside, handed a document once. */
  recipient: { partner: string } | { organisation: string; officer?: string; how: string }
  items: { refs: readonly string[]; categories: readonly Category[] }
  basis: LegalBasis
  reason: string
  atRisk: string
  consentSought: (typeof consentSought)[number]
  /** Absent: not yet, and `informedNote` says why or when. */
  informed?: true
  informedNote?: string
  proportionality: string
  hours: number
  decidedBy: Someone
  secondApprover: Someone
  /** Acts at once; looked at afterwards. */
  emergency: boolean
  /** May the person see it in their own statement? The guardian always does. */
  safeToShow: boolean
  /** Instant. */
  recordedAt: string
  review?: { at: string; by: Someone; approved: boolean; note?: string }
}

export type OverrideState =
  | 'awaiting-approval'
  | 'open'
  | 'approved'
  | 'rejected'
  | 'approved-retrospectively'
  | 'rejected-retrospectively'
  | 'expired'

/** The instants between which it lets things out; undefined: never, or not yet. */
export function span({ emergency, recordedAt, review, hours }: Override): { from: string; until: string } | undefined {
  const from = emergency ? recordedAt : review?.approved ? review.at : undefined
  if (from === undefined) return undefined
  const end = later(from, hours)
  return { from, until: review && !review.approved && review.at < end ? review.at : end }
}

/** When a second person must have looked. */
export const reviewBy = ({ recordedAt }: Override): string => later(recordedAt, reviewWithinHours)

export function acts(override: Override, now: Date): boolean {
  const when = span(override)
  const at = now.toISOString()
  return when !== undefined && when.from <= at && at < when.until
}

/** Where it stands (C4). Ours: without "retrospectively" where a second person looked before anything could be told. */
export function standing(override: Override, now: Date): OverrideState {
  const { emergency, review } = override
  if (review) return `${review.approved ? 'approved' : 'rejected'}${emergency ? '-retrospectively' : ''}`
  const ends = emergency ? span(override)?.until : reviewBy(override)
  if (ends !== undefined && ends <= now.toISOString()) return 'expired'
  return emergency ? 'open' : 'awaiting-approval'
}

/** Somebody still has to look: whatever acted, however long ago; and what waits to act, until it is too late. */
export const needsReview = (override: Override, now: Date): boolean =>
  !override.review && (override.emergency || standing(override, now) === 'awaiting-approval')

/** What nobody can act on without: who it is about, whom to speak to, what is asked. It goes with any item (CONTRACT.md 5). */
const always: readonly Category[] = ['identity', 'worker', 'activity']

/** Is this among what it lists? A category covers what is about nothing beyond the listed ones; a reference covers a whole resource. */
export function covers({ items }: Override, { ref, categories }: Source): boolean {
  if (ref !== '' && items.refs.includes(ref.split('#')[0] as string)) return true
  return categories.length > 0 && categories.every((each) => always.includes(each) || items.categories.includes(each))
}

/** Those that act now for a partner. */
export const actingFor = (overrides: readonly Override[], partner: string, now: Date): Override[] =>
  overrides.filter((one) => 'partner' in one.recipient && one.recipient.partner === partner && acts(one, now))

/** The second person is another one: not whoever decided, however the name is written. */
export const isAnother = (one: Someone, other: Someone): boolean => plainly(one.name) !== plainly(other.name)

const plainly = (name: string): string =>
  name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '')

const later = (from: string, hours: number): string => new Date(Date.parse(from) + hours * 3_600_000).toISOString()
