/**
 * A FHIR Consent read once: whether it counts at all, when it was given, and its rules in a form that is asked in no time.
 *
 * Two shapes are read: IHE PCF's, whose root says `deny`, and R4's, whose root says nothing and means the same. Whatever can not be
 * read is written down as such in its rule, so that `consent.ts` can treat a permit and a deny each in its own strict way. Total:
 * a Consent that no validator would pass reads as one that permits nothing.
 *
 * @see domain/consent.md B1, B2
 */
import type { Coding, Consent, ConsentProvision, Period } from '@medplum/fhirtypes'
import { actCode, actReason, BASE, confidentiality, consentCategoriesBars, consentScope, ours } from '../fhir/systems.ts'
import { type Actor, actorOf } from './agreement-actor.ts'
import { daysOf, stretchOf } from './calendar.ts'
import { confidentialities } from './categories.ts'
import type { Decided, Part, Reason } from './reasons.ts'
import { type CategorySet, type Covered, coveredBy, mayMean } from './sensitivity.ts'
import { phaseOf, whoAgreed } from './who-agreed.ts'

export type Span = { from: number; until: number }

export type Agreement = {
  id: string
  version: string
  date?: string
  /** Drafts, errors, other scopes and the direct-care consent of BaRS messages never count. */
  counts: boolean
  given: Span
  recorded: number | undefined
  versionNumber: number
  superseded: boolean
  /** Why it permits nothing to anybody at any time. */
  refusal?: Reason
  paused?: Reason
  span: Span | undefined
  rules: readonly Rule[]
  /** Every instant at which a period begins or ends, the nearest first. */
  boundaries: readonly { at: number; iso: string }[]
}

export type Rule = {
  /** FHIRPath of the provision. */
  at: string
  permits: boolean
  /** What of it can not be read: a permit then does not count, and a deny holds back everything. */
  unreadable?: Part
  /** What of a permit can not be read, so that it may have meant more than it is taken for. */
  doubt?: Part
  /** Absent: it names nobody, which is everybody for a deny and nobody for a permit. */
  actors?: readonly Actor[]
  purposes?: readonly (string | undefined)[]
  telling: Match
  span: Span | undefined
  /** Index in `confidentialities`, the highest it names. */
  level: number | undefined
  levelUnreadable: boolean
  /** It names kinds of information: for a permit what is certainly covered, for a deny what may be meant. */
  covered?: Covered
  held?: CategorySet
  types?: ReadonlySet<string>
  data?: Data
  codes?: Codes
  /** Calendar dates, both included. */
  dataPeriod?: { first?: string; last?: string; unreadable: boolean }
  /** What it says, once said: by reason and what it is about. */
  verdicts: Map<number, Decided>
}
export type Match = 'yes' | 'no' | 'unclear'
type Data = { instances: ReadonlySet<string>; authors: ReadonlySet<string>; everything: boolean; beyond: boolean }
type Codes = { wanted: ReadonlySet<string>; systems: readonly string[]; beyond: boolean }

/** Nobody changes a resource once it is read; so what a Consent says is read once as well. */
const read = new WeakMap<Consent, Agreement>()

export function agreementOf(consent: Consent): Agreement {
  const known = read.get(consent)
  if (known) return known
  const agreement = reading(consent)
  read.set(consent, agreement)
  return agreement
}

function reading(consent: Consent): Agreement {
  const { id = 'unstored', meta, status, dateTime, provision: root } = consent
  const { refusal, paused } = status === 'active' ? standing(consent) : { refusal: ended(status), paused: undefined }
  const rules = refusal ? [] : list(root?.provision).map((each, index) => ruleOf(each, index, consent))
  const span = spanOf(root?.period)
  return {
    id,
    version: meta?.versionId ?? 'unstored',
    ...(typeof dateTime === 'string' ? { date: dateTime } : {}),
    counts: counts(consent),
    given: givenAt(consent),
    recorded: stretchOf(meta?.lastUpdated)?.from,
    versionNumber: Number(meta?.versionId),
    superseded: status === 'inactive' && phaseOf(consent) === 'superseded',
    ...(refusal ? { refusal } : {}),
    ...(paused ? { paused } : {}),
    span,
    rules,
    boundaries: boundariesOf([span, ...rules.map((rule) => rule.span)]),
  }
}

const ended = (status: Consent['status']): Reason => ({ code: status === 'rejected' ? 'refused' : 'withdrawn' })

/** FHIR has no empty lists: one is as good as none. Nor has it holes in them. */
const list = <T>(some: readonly T[] | undefined): readonly T[] => (Array.isArray(some) ? some.filter((each) => each) : [])

const understood = new Set(['id', 'extension', 'type', 'period', 'provision'])

/** Why an active consent permits nothing to anybody, if so. */
function standing(consent: Consent): { refusal?: Reason; paused?: Reason } {
  const root = consent.provision ?? {}
  if (root.type === 'permit') return { refusal: { code: 'open-ended' } }
  const unclear = (part: Part) => ({ refusal: { code: 'unclear', part } as const })
  if (consent.modifierExtension) return unclear('modifier')
  if ((root.type !== undefined && root.type !== 'deny') || Object.keys(root).some((key) => !understood.has(key))) return unclear('root')
  if (list(root.provision).some((nested) => list(nested.provision).length)) return unclear('depth')
  if (!spanOf(root.period)) return unclear('period')
  return whoAgreed(consent)
}

function counts({ status, scope, category, policyRule }: Consent): boolean {
  if (status !== 'active' && status !== 'rejected' && status !== 'inactive') return false
  if (!scope?.coding?.some(({ system, code }) => system === consentScope && code === 'patient-privacy')) return false
  // BaRS's implied consent to direct care says nothing about sharing: it neither governs nor permits. A refusal always counts.
  const directCare =
    list(category).some(({ coding }) => coding?.some(({ system }) => system === consentCategoriesBars)) ||
    policyRule?.coding?.some(({ system, code }) => system === actCode && code === 'IMPLIED') === true
  return !(status === 'active' && directCare)
}

/** When it was given. An agreement without a date is the oldest; a refusal without one may be of any time. */
function givenAt({ dateTime, status }: Consent): Span {
  const when = stretchOf(dateTime)
  if (when) return { from: when.from, until: Math.max(when.until, when.from + 1) }
  return { from: -Infinity, until: status === 'active' ? -Infinity : Infinity }
}

/** Days are London days and count whole; a time counts to the instant. Undefined: it can not be read. */
function spanOf(period: Period | undefined): Span | undefined {
  const start = period?.start === undefined ? { from: -Infinity } : stretchOf(period.start)
  const end = period?.end === undefined ? { from: Infinity, until: Infinity } : stretchOf(period.end)
  return start && end && { from: start.from, until: Math.max(end.until, end.from + 1) }
}

function boundariesOf(spans: readonly (Span | undefined)[]): Agreement['boundaries'] {
  const all = new Set(spans.flatMap((span) => (span ? [span.from, span.until] : [])))
  return [...all]
    .filter(Number.isFinite)
    .sort((a, b) => a - b)
    .map((at) => ({ at, iso: new Date(at).toISOString() }))
}

function ruleOf(provision: ConsentProvision, index: number, consent: Consent): Rule {
  const permits = provision.type === 'permit'
  const labels = list(provision.securityLabel)
  const stated = labels.filter(({ system }) => system === confidentiality)
  const levels = stated.map(({ code }) => confidentialities.indexOf(code as never)).filter((level) => level >= 0)
  const sensitive = labels.filter(({ system }) => system !== confidentiality)
  const [actors, purposes, types] = [list(provision.actor), list(provision.purpose), list(provision.class)]
  const [data, codes] = [list(provision.data), list(provision.code)]
  const rule = {
    at: `Consent.provision.provision[${index}]`,
    permits,
    ...(actors.length ? { actors: actors.map((actor) => actorOf(actor, consent)) } : {}),
    ...(purposes.length ? { purposes: purposes.map(({ system, code }) => (system === actReason ? code : undefined)) } : {}),
    telling: tellingOf(provision.action),
    span: spanOf(provision.period),
    level: levels.length ? Math.max(...levels) : undefined,
    levelUnreadable: levels.length < stated.length,
    ...(sensitive.length && permits ? { covered: coveredBy(sensitive) } : {}),
    ...(sensitive.length && !permits ? { held: heldBy(sensitive) } : {}),
    ...(types.length ? { types: new Set(types.flatMap(({ system, code }) => (system === resourceTypes && code ? [code] : []))) } : {}),
    ...(data.length ? { data: dataOf(data, consent) } : {}),
    ...(codes.length ? { codes: codesOf(codes) } : {}),
    ...(provision.dataPeriod ? { dataPeriod: dataPeriodOf(provision.dataPeriod) } : {}),
    verdicts: new Map<number, Decided>(),
  }
  const unreadable = unreadableIn(provision, sensitive, rule)
  const doubt = permits ? (unreadable ?? doubtIn(provision, sensitive, rule)) : undefined
  return { ...rule, ...(unreadable ? { unreadable } : {}), ...(doubt ? { doubt } : {}) }
}

/** What of a rule can not be read at all. What can be told only of some sources is left to when they are asked about. */
function unreadableIn(provision: ConsentProvision, sensitive: readonly Coding[], rule: Omit<Rule, 'unreadable'>): Part | undefined {
  if (provision.type !== 'permit' && provision.type !== 'deny') return 'type'
  if (provision.modifierExtension) return 'modifier'
  if (rule.permits) {
    if (rule.levelUnreadable && rule.level === undefined) return 'level'
    // Narrowed to something of which no part can be read: to what, nobody knows.
    if (rule.types?.size === 0) return 'class'
    if (rule.data && !rule.data.everything && !rule.data.instances.size && !rule.data.authors.size) return 'data'
    return rule.codes?.wanted.size === 0 ? 'code' : undefined
  }
  if (sensitive.some((label) => mayMean(label) === undefined)) return 'label'
  // By R4's letter a level means itself and whatever is lower; what is higher is more confidential still. That leaves nothing.
  if (rule.level !== undefined || rule.levelUnreadable) return 'level'
  return narrowingDoubt(provision, rule)
}

function doubtIn(provision: ConsentProvision, sensitive: readonly Coding[], rule: Omit<Rule, 'unreadable'>): Part | undefined {
  if (rule.levelUnreadable) return 'level'
  if (sensitive.some((label) => mayMean(label) === undefined)) return 'label'
  return rule.dataPeriod?.unreadable ? 'period' : narrowingDoubt(provision, rule)
}

function narrowingDoubt(provision: ConsentProvision, { data, codes }: Omit<Rule, 'unreadable'>): Part | undefined {
  if (list(provision.class).some(({ system, code }) => system !== resourceTypes || !code)) return 'class'
  if (data?.beyond) return 'data'
  return codes?.beyond ? 'code' : undefined
}

const heldBy = (sensitive: readonly Coding[]): CategorySet => sensitive.reduce((all, label) => all | (mayMean(label) ?? 0), 0)

const consentAction = 'http://terminology.hl7.org/CodeSystem/consentaction'

/** Telling somebody: to disclose, or what they could not do untold. */
function tellingOf(action: ConsentProvision['action']): Match {
  const actions = list(action)
  if (!actions.length) return 'yes'
  const codes = actions.map(({ coding }) => list(coding).flatMap(({ system, code }) => (system === consentAction && code ? [code] : [])))
  if (codes.some((each) => each.some((code) => code === 'disclose' || code === 'access' || code === 'use'))) return 'yes'
  return codes.every((each) => each.length && each.every((code) => code === 'collect' || code === 'correct')) ? 'no' : 'unclear'
}

const resourceTypes = 'http://hl7.org/fhir/resource-types'

/** `related` and `dependents` reach the resource itself; what else they reach, only a walk through the whole record could tell. */
function dataOf(data: readonly NonNullable<ConsentProvision['data']>[number][], { patient }: Consent): Data {
  const [instances, authors] = [new Set<string>(), new Set<string>()]
  let [everything, beyond] = [false, false]
  for (const { meaning, reference } of data) {
    const ref = localRef(reference?.reference)
    if (!ref) beyond = true
    else if (meaning === 'authoredby') authors.add(ref)
    else {
      if (meaning === 'instance' || meaning === 'related' || meaning === 'dependents') instances.add(ref)
      // All of a record refers to the person it is about.
      if (meaning === 'dependents' && ref === localRef(patient?.reference)) everything = true
      else if (meaning !== 'instance') beyond = true
    }
  }
  return { instances, authors, everything, beyond }
}

/** Codes of ours have nothing below them; of another system's, nobody here knows what is. */
function codesOf(concepts: readonly NonNullable<ConsentProvision['code']>[number][]): Codes {
  const codings = concepts.map(({ coding }) => list(coding).filter(({ system, code }) => system && code))
  const all = codings.flat()
  return {
    wanted: new Set(all.map(({ system, code }) => `${system}|${code}`)),
    systems: [...new Set(all.map(({ system }) => `${system}|`))],
    beyond: codings.some((each) => !each.length),
  }
}

/** True when a system's codes stand side by side, so that another code is certainly another thing. */
export const flat = (system: string): boolean => system.startsWith(ours(''))

function dataPeriodOf({ start, end }: Period): NonNullable<Rule['dataPeriod']> {
  const [from, to] = [daysOf(start), daysOf(end)]
  return {
    ...(from ? { first: from.first } : {}),
    ...(to ? { last: to.last } : {}),
    unreadable: (start !== undefined && !from) || (end !== undefined && !to),
  }
}

/** 'Condition/12', however the reference is written. */
export const localRef = (reference: string | undefined): string | undefined =>
  typeof reference === 'string' ? reference.replace(`${BASE}/`, '').split('/_history/')[0] : undefined
