/**
 * What the person's consent lets one partner be told: the one place that decides. Pure, and strict: whatever is unclear is not
 * permitted, with the reason in words a care navigator and the person understand.
 *
 * One consent governs: the latest. In it everything is denied by default, a permit opens up to its ceiling, a deny always wins.
 *
 * @see domain/consent.md B2 (the provision tree we accept), B5 (the decision)
 */
import type { Consent, ConsentProvision, ConsentProvisionActor, Period } from '@medplum/fhirtypes'
import {
  actCode,
  actReason,
  BASE,
  confidentiality,
  consentCategoriesBars,
  consentScope,
  odsCode,
  ours,
  participationType,
} from '../fhir/systems.ts'
import type { Verdict } from '../mapping.ts'
import { daysOf, stretchOf } from './calendar.ts'
import type { Source } from './case.ts'
import { type Category, type Confidentiality, categoryOfLabel, confidentialities, within } from './categories.ts'
import { actingFor, covers, type Override, span } from './override.ts'
import { type Reason, reasonWords } from './reasons.ts'

export { reasonWords }

/** Who is to be told: a partner's id, its kind, its ODS code if it has one. */
export type Recipient = { partner: string; kind: string; ods?: string }

export type Decision = {
  /** May this partner be told who the person is, who their worker is and what it is asked to do? Less is no handover. */
  permitsAnything: boolean
  because: string
  /** The consent that governs, permitting or not; 'unstored' where it has no id or version yet. */
  consent?: { id: string; version: string }
  /** The next instant at which the end or beginning of a period could change the answer. */
  changesAt?: string
  /** Does the person's agreement permit anything? */
  agreed: boolean
  /** `override`: permitted only because of it; its id. */
  permit: (source: Source) => Verdict & { override?: string }
  /** Absent: no override acts for this recipient. Else the id of the one that lists this, whatever was agreed. */
  overridden?: (source: Source) => string | undefined
}

/**
 * An override that acts for this recipient permits what it lists (B5.1); everything else is for the person's agreement.
 *
 * @param purposeOfUse v3-ActReason codes this kind of partner is told for; a permit that names purposes must name one of them
 */
export function decide(asked: {
  consents: readonly Consent[]
  overrides?: readonly Override[]
  recipient: Recipient
  purposeOfUse: readonly string[]
  now: Date
}): Decision {
  const byConsent = decideByConsent(asked)
  const agreed = { ...byConsent, agreed: byConsent.permitsAnything }
  const acting = actingFor(asked.overrides ?? [], asked.recipient.partner, asked.now)
  if (!acting.length) return agreed
  const overridden = (source: Source) => acting.find((one) => covers(one, source))?.id
  const because = reasonWords({ code: 'override' })
  const ends = [...acting.flatMap((one) => span(one)?.until ?? []), ...(agreed.changesAt ? [agreed.changesAt] : [])]
  return {
    ...agreed,
    permitsAnything: true,
    because: agreed.permitsAnything ? agreed.because : because,
    changesAt: ends.sort()[0] as string,
    overridden,
    permit(source) {
      const verdict = agreed.permit(source)
      const override = verdict.permitted ? undefined : overridden(source)
      return override ? { permitted: true, because, override } : verdict
    },
  }
}

function decideByConsent(asked: {
  consents: readonly Consent[]
  recipient: Recipient
  purposeOfUse: readonly string[]
  now: Date
}): Omit<Decision, 'agreed' | 'overridden'> {
  const consent = governing(asked.consents)
  const changesAt = consent && nextBoundary(consent, asked.now)
  const known = {
    ...(consent ? { consent: { id: consent.id ?? 'unstored', version: consent.meta?.versionId ?? 'unstored' } } : {}),
    ...(changesAt ? { changesAt } : {}),
  }
  const refusal = consent
    ? whyNothing(consent, asked.now)
    : { code: candidates(asked.consents).length ? ('undecidable' as const) : ('no-consent' as const) }
  if (!consent || refusal) {
    const verdict = { permitted: false, because: reasonWords(refusal as Reason) }
    return { permitsAnything: false, because: verdict.because, ...known, permit: () => verdict }
  }
  const provisions = consent.provision?.provision ?? []
  const denies = provisions.filter((each) => each.type !== 'permit' && mayApply(each, asked))
  const permits = provisions.filter((each) => each.type === 'permit' && applies(each, asked))

  const agreed: Verdict = { permitted: true, because: reasonWords({ code: 'agreed', date: consent.dateTime }) }
  const permit = (source: Source): Verdict => {
    const reason = judge(source, denies, permits)
    return reason ? { permitted: false, because: reasonWords(reason) } : agreed
  }
  const { permitted, because } = permit({ ref: '', categories: always, confidentiality: 'N' })
  return { permitsAnything: permitted, because, ...known, permit }
}

/**
 * The consent that counts: the latest by when it was given, then by when it was recorded. Drafts, errors, other scopes and the
 * direct-care consent of BaRS messages never do. Undefined also when two claim the same moment and nothing tells them apart.
 */
export function governing(consents: readonly Consent[]): Consent | undefined {
  const all = candidates(consents)
  return all.find((one) => all.every((other) => other === one || later(one, other)))
}

const candidates = (consents: readonly Consent[]): Consent[] =>
  consents.filter(
    ({ status, scope, category, policyRule }) =>
      (status === 'active' || status === 'rejected' || status === 'inactive') &&
      scope?.coding?.some((coding) => coding.system === consentScope && coding.code === 'patient-privacy') &&
      !(status === 'active' && directCare(category, policyRule)),
  )

/** BaRS's implied consent to direct care: says nothing about sharing, so it neither governs nor permits. A refusal always counts. */
const directCare = (category: Consent['category'], policyRule: Consent['policyRule']): boolean =>
  category.some(({ coding }) => coding?.some(({ system }) => system === consentCategoriesBars)) ||
  policyRule?.coding?.some(({ system, code }) => system === actCode && code === 'IMPLIED') === true

function later(one: Consent, other: Consent): boolean {
  const [a, b] = [given(one), given(other)]
  if (a.from >= b.until && a.until > b.from) return true
  if (b.from >= a.until && b.until > a.from) return false
  const recorded = (consent: Consent) => stretchOf(consent.meta?.lastUpdated)?.from
  const [x, y] = [recorded(one), recorded(other)]
  if (x === undefined || y === undefined) return false
  return x === y ? Number(one.meta?.versionId) > Number(other.meta?.versionId) : x > y
}

/** When it was given. An agreement without a date is the oldest; a refusal without one may be of any time. */
function given({ dateTime, status }: Consent): { from: number; until: number } {
  const when = stretchOf(dateTime)
  if (when) return { from: when.from, until: Math.max(when.until, when.from + 1) }
  return { from: -Infinity, until: status === 'active' ? -Infinity : Infinity }
}

/** Why a governing consent permits nothing to anybody, if so. */
function whyNothing(consent: Consent, now: Date): Reason | undefined {
  if (consent.status === 'rejected') return { code: 'refused' }
  if (consent.status !== 'active') return { code: 'withdrawn' }
  const root = consent.provision ?? {}
  if (root.type === 'permit') return { code: 'open-ended' }
  const understood = new Set(['id', 'extension', 'type', 'period', 'provision'])
  if (consent.modifierExtension || Object.keys(root).some((key) => !understood.has(key))) return { code: 'unclear' }
  if (root.provision?.some((nested) => nested.provision)) return { code: 'unclear' }
  const when = timely(root.period, now)
  return when === 'yes' ? undefined : { code: when === 'unclear' ? 'unclear' : 'not-now' }
}

type Asked = { recipient: Recipient; purposeOfUse: readonly string[]; now: Date }
type Match = 'yes' | 'no' | 'unclear'

/** A permit counts only when everything about it certainly fits. */
function applies(permit: ConsentProvision, { recipient, purposeOfUse, now }: Asked): boolean {
  return (
    !permit.modifierExtension &&
    !permit.code && // codes we do not evaluate: it narrows to something we can not tell
    permit.actor?.some((actor) => isRecipient(actor) && names(actor, recipient) === 'yes') === true &&
    serves(permit, purposeOfUse) === 'yes' &&
    telling(permit) === 'yes' &&
    timely(permit.period, now) === 'yes'
  )
}

/** A deny counts unless it certainly does not fit. No actor: it means everybody. */
function mayApply(deny: ConsentProvision, { recipient, purposeOfUse, now }: Asked): boolean {
  return (
    (!deny.actor || deny.actor.some((actor) => names(actor, recipient) !== 'no')) &&
    serves(deny, purposeOfUse) !== 'no' &&
    telling(deny) !== 'no' &&
    timely(deny.period, now) !== 'no'
  )
}

const isRecipient = ({ role }: ConsentProvisionActor): boolean =>
  role?.coding?.some(({ system, code }) => system === participationType && code === 'IRCP') === true

/** Does an actor mean this recipient? An organisation by id here, by ODS code, or by the kind of partner it is. */
function names({ reference }: ConsentProvisionActor, recipient: Recipient): Match {
  const said: Match[] = []
  if (reference?.reference) {
    const [type, id, history] = reference.reference.replace(`${BASE}/`, '').split('/')
    if (type === 'Organization' && (history === undefined || history === '_history')) said.push(id === recipient.partner ? 'yes' : 'no')
    else said.push(type === 'RelatedPerson' || type === 'Patient' ? 'no' : 'unclear')
  }
  const { system, value } = reference?.identifier ?? {}
  if (system === ours('recipient-kind')) said.push(value === recipient.kind ? 'yes' : 'no')
  else if (system?.toLowerCase() === odsCode.toLowerCase() && value && recipient.ods)
    said.push(value.toUpperCase() === recipient.ods.toUpperCase() ? 'yes' : 'no')
  else if (reference?.identifier) said.push('unclear')
  const [first = 'unclear'] = said
  return said.every((each) => each === first) ? first : 'unclear'
}

function serves({ purpose }: ConsentProvision, purposeOfUse: readonly string[]): Match {
  if (!purpose) return 'yes'
  if (purpose.some(({ system, code }) => system === actReason && purposeOfUse.includes(code ?? ''))) return 'yes'
  return purpose.every(({ system }) => system === actReason) ? 'no' : 'unclear'
}

const consentAction = 'http://terminology.hl7.org/CodeSystem/consentaction'

function telling({ action }: ConsentProvision): Match {
  if (!action) return 'yes'
  const codes = action.flatMap(({ coding }) => coding?.flatMap(({ system, code }) => (system === consentAction ? [code] : [])) ?? [])
  if (codes.some((code) => code === 'disclose' || code === 'access' || code === 'use')) return 'yes'
  return codes.length === action.length && codes.every((code) => code === 'collect' || code === 'correct') ? 'no' : 'unclear'
}

/** Is it now? Days are London days and count whole; a time counts to the instant. */
function timely(period: Period | undefined, now: Date): Match {
  const span = spanOf(period)
  if (!span) return 'unclear'
  return span.from <= now.getTime() && now.getTime() < span.until ? 'yes' : 'no'
}

function spanOf(period: Period | undefined): { from: number; until: number } | undefined {
  const start = period?.start === undefined ? { from: -Infinity } : stretchOf(period.start)
  const end = period?.end === undefined ? { from: Infinity, until: Infinity } : stretchOf(period.end)
  return start && end && { from: start.from, until: Math.max(end.until, end.from + 1) }
}

function nextBoundary({ provision: root }: Consent, now: Date): string | undefined {
  const spans = [root, ...(root?.provision ?? [])].flatMap((each) => (each?.period ? (spanOf(each.period) ?? []) : []))
  const next = Math.min(...spans.flatMap(({ from, until }) => [from, until]).filter((at) => at > now.getTime()))
  return Number.isFinite(next) ? new Date(next).toISOString() : undefined
}

/** What a partner that may be told anything is always told (CONTRACT.md 5): no permit needs to list it. */
const always: readonly Category[] = ['identity', 'worker', 'activity']

/** Why this may not be told, or undefined when it may: no deny holds it back and one permit covers all of it. */
function judge(source: Source, denies: readonly ConsentProvision[], permits: readonly ConsentProvision[]): Reason | undefined {
  if (source.categories.length === 0) return { code: 'unlabelled' }
  for (const deny of denies) {
    const reason = held(source, deny)
    if (reason) return reason
  }
  const [first, ...others] = permits.map((permit) => beyond(source, permit))
  if (permits.length === 0) return { code: 'not-named' }
  return first && others.every(Boolean) ? first : undefined
}

/** What a deny holds back of this source, if anything. One it can not read holds everything back. */
function held(source: Source, deny: ConsentProvision): Reason | undefined {
  const { securityLabel, class: types, data, dataPeriod } = deny
  const { levels, listed, unknown } = readLabels(deny)
  const readable =
    deny.type === 'deny' &&
    !deny.modifierExtension &&
    !deny.code &&
    !unknown &&
    (types ?? []).every(isType) &&
    (data ?? []).every(isInstance)
  if (!readable) return { code: 'exception-unclear' }
  if (dataPeriod && (isAlways(source) || inside(source.date, dataPeriod) === 'no')) return undefined
  if (!securityLabel && !types && !data) return { code: 'told-nothing' }
  const category = listed.find((each) => source.categories.includes(each))
  if (category) return { code: 'excepted', category }
  const matches = levels.some((level) => within(level, source.confidentiality)) || hasType(source, types) || isAmong(source, data)
  return matches ? { code: 'excepted', category: source.categories[0] as Category } : undefined
}

/** Why a permit does not reach this source, if so. */
function beyond(source: Source, permit: ConsentProvision): Reason | undefined {
  const { levels, listed, restricts, unreadableLevel } = readLabels(permit)
  const ceiling = levels.reduce<Confidentiality | undefined>((high, level) => (high && within(level, high) ? high : level), undefined)
  const about = source.categories.find((each) => !always.includes(each)) ?? (source.categories[0] as Category)
  if (unreadableLevel && !ceiling) return { code: 'unclear' }
  if (!within(source.confidentiality, ceiling ?? 'N')) return { code: 'too-confidential', category: about }
  if (isAlways(source)) return undefined
  const unlisted = restricts && source.categories.find((each) => !always.includes(each) && !listed.includes(each))
  if (unlisted) return { code: 'not-listed', category: unlisted }
  if (source.ref === '') return undefined // asked about a category as such: nothing leaves by that
  if (permit.class && !hasType(source, permit.class)) return { code: 'not-listed', category: about }
  if (permit.data && !isAmong(source, permit.data)) return { code: 'not-listed', category: about }
  if (permit.dataPeriod && inside(source.date, permit.dataPeriod) !== 'yes') return { code: 'other-time', category: about }
  return undefined
}

const isAlways = (source: Source): boolean => source.categories.every((category) => always.includes(category))

/** The labels of a provision: how confidential, which categories, and whether one is beyond us. */
function readLabels({ securityLabel = [] }: ConsentProvision) {
  const sensitive = securityLabel.filter(({ system }) => system !== confidentiality)
  const levels = securityLabel.flatMap(({ system, code }) => (system === confidentiality ? [code as Confidentiality] : []))
  const listed = sensitive.flatMap((label) => categoryOfLabel(label) ?? [])
  const known = levels.filter((level) => confidentialities.includes(level))
  const unreadableLevel = known.length < levels.length
  return {
    levels: known,
    listed,
    restricts: sensitive.length > 0,
    unreadableLevel,
    unknown: unreadableLevel || listed.length < sensitive.length,
  }
}

const resourceTypes = 'http://hl7.org/fhir/resource-types'
type Types = NonNullable<ConsentProvision['class']>
type Data = NonNullable<ConsentProvision['data']>

const isType = ({ system }: Types[number]): boolean => system === resourceTypes
const isInstance = ({ meaning, reference }: Data[number]): boolean => meaning === 'instance' && reference?.reference !== undefined

/** Values that stand alone in a case, and the resource each is read from. */
const standsFor: Readonly<Record<string, string>> = {
  person: 'Patient',
  referral: 'ServiceRequest',
  worker: 'PractitionerRole',
  plan: 'CarePlan',
}
const typeOf = ({ ref }: Source): string | undefined => (ref.includes('/') ? ref.split('/')[0] : standsFor[ref])

const hasType = (source: Source, types: Types = []): boolean => types.some((type) => isType(type) && type.code === typeOf(source))

const isAmong = ({ ref }: Source, data: Data = []): boolean =>
  data.some((each) => isInstance(each) && each.reference.reference?.replace(`${BASE}/`, '').split('/_history/')[0] === ref.split('#')[0])

function inside(date: string | undefined, period: Period): Match {
  const [from, to] = [daysOf(period.start), daysOf(period.end)]
  if (!date || (period.start && !from) || (period.end && !to)) return 'unclear'
  return (!from || from.first <= date) && (!to || date <= to.last) ? 'yes' : 'no'
}
