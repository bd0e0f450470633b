/**
 * Where a person is in their journey: the phases of a referral and who may move it, the table of domain/closed-loop.md C1, row by row.
 *
 * A phase is derived from what is on record each time anything changes; what is stored is only what a person decided
 * (`decisions.ts`) and the phase it came to, so that one that is final is never left.
 */
import type { Closure } from './outcomes.ts'

export type Phase = keyof typeof phases
type Words = { words: string; status: 'active' | 'on-hold' | 'completed' | 'revoked' | 'entered-in-error'; final?: true }

/** Each phase in words, and the `ServiceRequest.status` that goes with it. */
export const phases = {
  submitted: { words: 'referred', status: 'active' },
  triage: { words: 'being looked at', status: 'active' },
  'info-requested': { words: 'waiting for information', status: 'on-hold' },
  'held-early': { words: 'kept until 12 weeks before release', status: 'on-hold' },
  'consent-pending': { words: 'waiting for consent', status: 'active' },
  accepted: { words: 'accepted, no worker named yet', status: 'active' },
  'pre-release': { words: 'before release', status: 'active' },
  'post-release': { words: 'released', status: 'active' },
  suspended: { words: 'back in custody', status: 'on-hold' },
  extended: { words: 'released, support extended', status: 'active' },
  redirected: { words: 'redirected', status: 'revoked', final: true },
  declined: { words: 'declined', status: 'revoked', final: true },
  'consent-refused': { words: 'said no to RECONNECT', status: 'revoked', final: true },
  transferred: { words: 'with another RECONNECT service', status: 'completed', final: true },
  'stepped-up': { words: 'with Enhanced RECONNECT', status: 'completed', final: true },
  closed: { words: 'closed', status: 'completed', final: true },
  withdrawn: { words: 'no longer wants support', status: 'revoked', final: true },
  void: { words: 'made in error', status: 'entered-in-error', final: true },
} as const satisfies Record<string, Words>

export const isPhase = (code: string | undefined): code is Phase => code !== undefined && Object.hasOwn(phases, code)
/** Final: never left, but for `void`. Somebody who needs support again is referred again. */
export const isFinal = (phase: Phase): boolean => 'final' in phases[phase]
export const phaseWords = (phase: Phase): string => phases[phase].words
export const statusOf = (phase: Phase): Words['status'] => phases[phase].status

type Actor = 'referrer' | 'gateway' | 'navigator' | 'supervisor' | 'person'
export type Row = {
  row: string
  event: string
  by: readonly Actor[]
  from: readonly Phase[]
  to: readonly Phase[]
  /** Whoever makes this move says why. */
  reason?: true
}

const early: readonly Phase[] = ['submitted', 'triage', 'info-requested', 'held-early', 'consent-pending']
/** Accepted and not over: there is exactly one named worker (C7.4). */
export const underWay: readonly Phase[] = ['accepted', 'pre-release', 'post-release', 'suspended', 'extended']
const open: readonly Phase[] = [...early, ...underWay]
const all = Object.keys(phases) as Phase[]

/** Rows with a letter are ours: the table says that something happens and not where it leads. */
export const rows: readonly Row[] = [
  { row: '2', event: 'triage begins', by: ['navigator', 'gateway'], from: ['submitted'], to: ['triage'] },
  { row: '2b', event: 'joins a referral that is open already', by: ['gateway', 'navigator'], from: open, to: ['closed'] },
  { row: '3', event: 'information is asked for', by: ['navigator'], from: ['triage'], to: ['info-requested'], reason: true },
  { row: '3b', event: 'no information came', by: ['gateway'], from: ['info-requested'], to: ['declined'], reason: true },
  { row: '4', event: 'information is given', by: ['referrer'], from: ['info-requested'], to: ['triage'] },
  { row: '5', event: 'too early', by: ['gateway'], from: ['triage'], to: ['held-early'] },
  { row: '5b', event: '12 weeks before release, or another date', by: ['gateway'], from: ['held-early'], to: ['triage'] },
  { row: '6', event: 'eligible', by: ['navigator'], from: ['triage'], to: ['consent-pending'] },
  { row: '7', event: 'redirected', by: ['navigator'], from: ['triage'], to: ['redirected'], reason: true },
  { row: '8', event: 'declined', by: ['navigator'], from: ['triage'], to: ['declined'], reason: true },
  { row: '9', event: 'consent is given', by: ['person'], from: ['consent-pending'], to: ['accepted'] },
  { row: '10', event: 'consent is refused', by: ['person'], from: ['consent-pending'], to: ['consent-refused'], reason: true },
  { row: '11', event: 'a worker is named', by: ['navigator'], from: ['accepted'], to: ['pre-release', 'post-release'] },
  { row: '12', event: 'released', by: ['gateway', 'navigator'], from: ['pre-release'], to: ['post-release'] },
  {
    row: '13',
    event: 'the receiving service accepted',
    by: ['navigator'],
    from: ['pre-release', 'post-release'],
    to: ['transferred'],
    reason: true,
  },
  // An extension is the time after release going on.
  { row: '14', event: 'back in custody', by: ['gateway'], from: ['post-release', 'extended'], to: ['suspended'] },
  { row: '15', event: 'a new release date is known', by: ['gateway'], from: ['suspended'], to: ['pre-release'] },
  {
    row: '16',
    event: 'needs are met, or support ends',
    by: ['navigator'],
    from: ['post-release', 'extended'],
    to: ['closed'],
    reason: true,
  },
  // Some things end it before release or in custody: the person moved, is looked after by others, stays in custody for long.
  { row: '16b', event: 'support ends', by: ['navigator'], from: ['accepted', 'pre-release', 'suspended'], to: ['closed'], reason: true },
  // A death is no decision of anybody, and comes at any time.
  { row: '16c', event: 'the person has died', by: ['gateway'], from: open, to: ['closed'] },
  { row: '17', event: 'support is extended', by: ['supervisor'], from: ['post-release', 'extended'], to: ['extended'], reason: true },
  { row: '18', event: 'withdrawn', by: ['person'], from: open, to: ['withdrawn'], reason: true },
  { row: '19', event: 'Enhanced RECONNECT accepted', by: ['navigator', 'gateway'], from: open, to: ['stepped-up'] },
  { row: '20', event: 'made in error', by: ['supervisor'], from: all.filter((one) => one !== 'void'), to: ['void'], reason: true },
]

export const rowsFrom = (phase: Phase): Row[] => rows.filter(({ from }) => from.includes(phase))

/** Is there a row, or a way of rows, from one to the other? What comes together in one message is one commit. */
export function leadsTo(from: Phase, to: Phase): boolean {
  const reached = new Set<Phase>([from])
  for (const one of reached) for (const row of rowsFrom(one)) for (const next of row.to) reached.add(next)
  return reached.has(to)
}

/** Everything a phase follows from. */
export type LifeFacts = {
  /** FHIR status of the referral. */
  status: string
  /** The phase on record. */
  was?: Phase
  died?: true
  /** What the rules of triage say of a referral from outside. */
  verdict?: 'accepted' | 'held' | 'needs-information' | 'redirected' | 'declined'
  /** What a person decided at triage, the latest; `supplied`: the referrer has answered what a person asked. */
  triage?: 'accept' | 'ask' | 'supplied' | 'redirect' | 'decline'
  /** Might be somebody who is known already: looked at before anything else. */
  maybeKnown?: true
  closed?: Closure
  /** London date until which support was extended. */
  extendedUntil?: string
  /** `was-given`: given once, and no longer in force. */
  agreement: 'none' | 'given' | 'was-given' | 'refused'
  /** A worker is named. */
  worker: boolean
  /** London date of release, when it has come. A day out on licence is none. */
  released?: string
  /** London date of the next release, when known. */
  releaseDate?: string
  /** Back in custody after a release. */
  back?: true
}

/** The phase that follows from the facts. */
export function phaseOf(facts: LifeFacts): Phase {
  const { status, was, closed, died } = facts
  if (status === 'entered-in-error') return 'void'
  if (was && isFinal(was)) return was
  if (closed) return endedAs(closed, facts)
  if (status === 'revoked') return turnedAway(facts)
  if (status === 'completed' || died) return 'closed'
  return isUnderWay(facts) ? along(facts) : before(facts)
}

/** An ending a person recorded, as a phase. */
function endedAs(closed: Closure, { was, agreement }: LifeFacts): Phase {
  if (closed === 'transferred') return 'transferred'
  if (closed === 'stepped-up') return 'stepped-up'
  if (closed === 'error') return 'void'
  if (closed !== 'declined-support') return 'closed'
  return began(was) || /^(given|was-given)$/.test(agreement) ? 'withdrawn' : 'consent-refused'
}

/** From the agreement on, a no takes back what was begun. */
const began = (was: Phase | undefined): boolean => was !== undefined && underWay.includes(was)

function turnedAway({ triage, verdict, agreement, was }: LifeFacts): Phase {
  if (triage === 'redirect' || (!triage && verdict === 'redirected')) return 'redirected'
  if (triage === 'decline' || (!triage && verdict === 'declined')) return 'declined'
  return agreement === 'refused' && !began(was) ? 'consent-refused' : 'withdrawn'
}

const isUnderWay = ({ was, agreement, triage, verdict }: LifeFacts): boolean => {
  if (began(was)) return true
  const through = triage ? triage === 'accept' : verdict === undefined || verdict === 'accepted'
  return through && (agreement === 'given' || agreement === 'was-given')
}

function along({ worker, was, back, released, releaseDate, extendedUntil }: LifeFacts): Phase {
  if (!worker && (was === 'accepted' || !began(was))) return 'accepted'
  if (back) return releaseDate ? 'pre-release' : 'suspended'
  if (!released) return 'pre-release'
  return extendedUntil ? 'extended' : 'post-release'
}

function before({ status, triage, verdict, maybeKnown }: LifeFacts): Phase {
  if (status === 'draft') return 'submitted'
  if (triage === 'redirect') return 'redirected'
  if (triage === 'decline') return 'declined'
  if (triage === 'ask') return verdict === 'declined' ? 'declined' : 'info-requested'
  if (triage === 'supplied') return verdict === 'declined' ? 'declined' : verdict === 'needs-information' ? 'info-requested' : 'triage'
  if (!triage) {
    if (verdict === 'redirected' || verdict === 'declined') return verdict
    if (verdict === 'needs-information') return 'info-requested'
    if (maybeKnown) return 'triage'
    if (verdict === 'held') return 'held-early'
  }
  return maybeKnown ? 'triage' : 'consent-pending'
}
