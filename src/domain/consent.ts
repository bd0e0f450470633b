/**
 * What the person's consent lets one partner be told: the one place that decides. Pure, total and strict: whatever is unclear is not
 * permitted, with the reason as data and in words a care navigator and the person understand (`reasons.ts`).
 *
 * One consent governs: the latest. In it everything is denied by default, a permit opens up to its ceiling, a deny always wins. A permit
 * counts only when everything about it certainly fits; a deny counts unless it certainly does not. Only an override goes past it (B5.1).
 *
 * @see domain/consent.md B2 (the provision tree we accept), B5 (the decision), closed-loop.md C4
 */
import type { Consent } from '@medplum/fhirtypes'
import { type Agreement, agreementOf, type Match, type Rule, type Span } from './agreement.ts'
import { type Actor, means, type Recipient } from './agreement-actor.ts'
import { beyond, held, said } from './agreement-source.ts'
import type { Source } from './case.ts'
import { governing, someCount } from './governing.ts'
import { actingFor, type Override, covers as overrides, span } from './override.ts'
import { type Decided, decided, type Part, type Reason, reasonWords } from './reasons.ts'

export { governing, type Recipient, reasonWords }

export type Decision = {
  /** May this partner be told who the person is, who their worker is and what it is asked to do? Less is no handover. */
  permitsAnything: boolean
  because: string
  reason: Reason
  /** The consent that governs, permitting or not; 'unstored' where it has no id or version yet. */
  consent?: { id: string; version: string }
  /** The next instant at which the end or beginning of a period could change the answer. */
  changesAt?: string
  /** Does the person's agreement permit anything? */
  agreed: boolean
  /** `override`: permitted only because of it; its id. */
  permit: (source: Source) => Decided & { override?: string }
  /** Rules about this partner that can not be read, so that the person may have meant something else: somebody has to ask them. */
  unclear: readonly Reason[]
  /** Absent: no override acts for this recipient. Else the id of the one that lists this, whatever was agreed. */
  overridden?: (source: Source) => string | undefined
}

/** 'Consent/12/_history/3': what an audit row names as its basis. */
export const consentRef = ({ id, version }: NonNullable<Decision['consent']>): string => `Consent/${id}/_history/${version}`

type Asked = {
  consents: readonly Consent[]
  recipient: Recipient
  /** v3-ActReason codes this kind of partner is told for; a permit that names purposes must name one of them. */
  purposeOfUse: readonly string[]
  now: Date
  /** Asked about what this partner has been told before: a review of the person's capacity holds back only what is new. */
  alreadyTold?: boolean
}

/** An override that acts for this recipient permits what it lists (B5.1); everything else is for the person's agreement. */
export function decide(asked: Asked & { overrides?: readonly Override[] }): Decision {
  const byConsent = decideByConsent(asked)
  const agreed = { ...byConsent, agreed: byConsent.permitsAnything }
  const acting = actingFor(asked.overrides ?? [], asked.recipient.partner, asked.now)
  if (!acting.length) return agreed
  const overridden = (source: Source) => acting.find((one) => overrides(one, source))?.id
  const open = decided({ code: 'override' })
  const ends = [...acting.flatMap((one) => span(one)?.until ?? []), ...(agreed.changesAt ? [agreed.changesAt] : [])]
  return {
    ...agreed,
    ...(agreed.permitsAnything ? {} : { permitsAnything: true, because: open.because, reason: open.reason }),
    changesAt: ends.sort()[0] as string,
    overridden,
    permit(source) {
      const verdict = agreed.permit(source)
      const override = verdict.permitted ? undefined : overridden(source)
      return override ? { ...open, override } : verdict
    },
  }
}

function decideByConsent(asked: Asked): Omit<Decision, 'agreed' | 'overridden'> {
  const consent = governing(asked.consents)
  if (!consent) return nothing({ code: someCount(asked.consents) ? 'undecidable' : 'no-consent' })
  const agreement = agreementOf(consent)
  const now = asked.now.getTime()
  const changesAt = agreement.boundaries.find(({ at }) => at > now)?.iso
  const known = { consent: { id: agreement.id, version: agreement.version }, ...(changesAt ? { changesAt } : {}) }
  const refusal = whyNothing(agreement, now, asked.alreadyTold)
  if (refusal) return { ...nothing(refusal), ...known }

  const denies: Rule[] = []
  const permits: Rule[] = []
  for (const rule of agreement.rules) {
    if (rule.permits ? applies(rule, asked, now) : mayApply(rule, asked, now)) (rule.permits ? permits : denies).push(rule)
  }
  const unnamed = permits.length ? undefined : decided(whyNotNamed(agreement.rules, asked, now))
  const permit = (source: Source) => judge(source, denies, permits, unnamed, agreement.date)
  const { permitted, because, reason } = permit(asSuch)
  return { permitsAnything: permitted, because, reason, ...known, permit, unclear: unclearAbout(agreement.rules, asked, denies) }
}

function nothing(reason: Reason): Omit<Decision, 'agreed' | 'overridden'> {
  const verdict = decided(reason)
  return { permitsAnything: false, because: verdict.because, reason, permit: () => verdict, unclear: [] }
}

/** Why the governing consent permits nothing to anybody now, if so. */
function whyNothing({ refusal, paused, span: when }: Agreement, now: number, alreadyTold = false): Reason | undefined {
  if (refusal) return refusal
  if (timely(when, now) !== 'yes') return { code: 'not-now' }
  return alreadyTold ? undefined : paused
}

const timely = (when: Span | undefined, now: number): Match => (!when ? 'unclear' : when.from <= now && now < when.until ? 'yes' : 'no')

function applies(rule: Rule, { recipient, purposeOfUse }: Asked, now: number): boolean {
  return (
    !rule.unreadable &&
    named(rule.actors, recipient) === 'yes' &&
    serves(rule, purposeOfUse) === 'yes' &&
    rule.telling === 'yes' &&
    timely(rule.span, now) === 'yes'
  )
}

function mayApply(rule: Rule, { recipient, purposeOfUse }: Asked, now: number): boolean {
  return (
    (!rule.actors || rule.actors.some((actor) => means(actor, recipient) !== 'no')) &&
    serves(rule, purposeOfUse) !== 'no' &&
    rule.telling !== 'no' &&
    timely(rule.span, now) !== 'no'
  )
}

/** Does a permit name this recipient, in the role of who is told? */
function named(actors: readonly Actor[] | undefined, recipient: Recipient): Match {
  let answer: Match = 'no'
  for (const actor of actors ?? []) {
    const match = actor.recipient ? means(actor, recipient) : 'no'
    if (match === 'yes') return 'yes'
    if (match === 'unclear') answer = 'unclear'
  }
  return answer
}

/** Purposes that certainly are not care or its co-ordination (consent.md B4). Of any other, a deny may mean ours. */
const otherPurposes = new Set(
  'PATADMIN HOPERAT HPAYMT HPRGRP PERFMSR HQUALIMP HOUTCOMS HSYSADMIN HTEST HMARKT HRESCH HLEGAL LEGAL GOV PATRQT FAMRQT SUPNWK'.split(' '),
)

function serves({ purposes, permits }: Rule, purposeOfUse: readonly string[]): Match {
  if (!purposes || purposes.some((code) => code !== undefined && purposeOfUse.includes(code))) return 'yes'
  if (permits) return purposes.includes(undefined) ? 'unclear' : 'no'
  return purposes.every((code) => code !== undefined && otherPurposes.has(code)) ? 'no' : 'unclear'
}

/** No permit counts for this recipient: the nearest miss says most. */
function whyNotNamed(rules: readonly Rule[], { recipient, purposeOfUse }: Asked, now: number): Reason {
  let answer: Reason = { code: 'not-named' }
  for (const rule of rules) {
    const { at } = rule
    const actor = rule.permits ? named(rule.actors, recipient) : 'no'
    if (actor === 'no') continue
    const unclear = (part: Part): Reason => ({ code: 'permit-unclear', part, at })
    if (actor === 'unclear') answer = unclear('actor')
    else if (rule.unreadable) return unclear(rule.unreadable)
    else if (timely(rule.span, now) !== 'yes') return rule.span ? { code: 'permit-not-now', at } : unclear('period')
    else if (rule.telling !== 'yes') return rule.telling === 'no' ? { code: 'other-action', at } : unclear('action')
    else return serves(rule, purposeOfUse) === 'no' ? { code: 'other-purpose', at } : unclear('purpose')
  }
  return answer
}

/** What somebody has to ask the person about: of this partner's rules, those in force that may mean something else. */
function unclearAbout(rules: readonly Rule[], { recipient }: Asked, denies: readonly Rule[]): Reason[] {
  const found: Reason[] = []
  for (const rule of rules) {
    const { at } = rule
    if (rule.permits) {
      const actor = named(rule.actors, recipient)
      if (actor === 'unclear') found.push({ code: 'permit-unclear', part: 'actor', at })
      else if (actor === 'yes' && (rule.doubt || !rule.span)) found.push({ code: 'permit-unclear', part: rule.doubt ?? 'period', at })
    } else if (rule.unreadable && denies.includes(rule)) found.push({ code: 'exception-unclear', part: rule.unreadable, at })
  }
  return found
}

/** Asked about as such: nothing leaves by that. */
const asSuch: Source = { ref: '', categories: ['identity', 'worker', 'activity'], confidentiality: 'N' }
const unlabelled = decided({ code: 'unlabelled' })

/** No deny holds it back and one permit covers all of it, or the reason why not. Makes nothing new: it is asked for every fact. */
function judge(
  source: Source,
  denies: readonly Rule[],
  permits: readonly Rule[],
  unnamed: Decided | undefined,
  date: string | undefined,
): Decided {
  if (source.categories.length === 0) return unlabelled
  for (const deny of denies) {
    const refused = held(source, deny)
    if (refused) return refused
  }
  if (unnamed) return unnamed
  let first: Decided | undefined
  for (const permit of permits) {
    const refused = beyond(source, permit)
    if (!refused) return said(permit, 'agreed', undefined, date)
    // What somebody can be asked about says more than a plain no.
    if (!first || (refused.reason.code === 'part-unclear' && first.reason.code !== 'part-unclear')) first = refused
  }
  return first as Decided
}
