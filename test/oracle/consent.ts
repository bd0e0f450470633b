/**
 * The decision once more, from domain/consent.md and not from the code: slow, in another shape, with every "perhaps" spelled out. One
 * question at a time: may this recipient be told this piece of information, by these consents, now?
 *
 * Each provision is a list of conditions, and each condition is yes, no or perhaps. A permit needs yes everywhere. A deny holds unless
 * one condition says no. It shares no rule with `src/domain/consent.ts`: its tables are its own.
 */
import type { Consent, ConsentProvision, Extension } from '@medplum/fhirtypes'

export type Piece = {
  ref: string
  categories: readonly string[]
  confidentiality: string
  date?: string
  codes?: readonly string[]
  labels?: readonly string[]
  authors?: readonly string[]
}
export type Question = {
  consents: readonly Consent[]
  recipient: { partner: string; kind: string; ods?: string }
  purposeOfUse: readonly string[]
  now: Date
  piece: Piece
  alreadyTold?: boolean
}

type Tri = 'yes' | 'no' | 'perhaps'
const all = (...some: Tri[]): Tri => (some.includes('no') ? 'no' : some.includes('perhaps') ? 'perhaps' : 'yes')
const any = (some: Tri[]): Tri => (some.includes('yes') ? 'yes' : some.includes('perhaps') ? 'perhaps' : 'no')

const ours = 'https://reconnect.example/fhir'
const hl7 = 'http://terminology.hl7.org/CodeSystem'

export function mayBeTold(question: Question): boolean {
  const consent = theOneThatCounts(question.consents)
  if (!consent || !permitsAtAll(consent, question)) return false
  const { piece } = question
  if (piece.categories.length === 0) return false
  const rules = consent.provision?.provision ?? []
  const heldBack = rules.some((rule) => rule.type !== 'permit' && denies(rule, consent, question) !== 'no')
  return !heldBack && rules.some((rule) => rule.type === 'permit' && permits(rule, consent, question) === 'yes')
}

// ---- B2: only the latest consent that is no error and no draft counts

export function theOneThatCounts(consents: readonly Consent[]): Consent | undefined {
  const standing = consents.filter(stands)
  const winners = standing.filter((one) => standing.every((other) => one === other || isLater(one, other)))
  return winners.length === 1 ? winners[0] : undefined
}

function stands(consent: Consent): boolean {
  if (!['active', 'rejected', 'inactive'].includes(consent.status)) return false
  const privacy = (consent.scope?.coding ?? []).filter((each) => each.system === `${hl7}/consentscope` && each.code === 'patient-privacy')
  if (privacy.length === 0 || consent.status !== 'active') return privacy.length > 0
  const bars = (consent.category ?? [])
    .flatMap((each) => each.coding ?? [])
    .some((each) => each.system?.endsWith('consent-categories-bars'))
  const implied = (consent.policyRule?.coding ?? []).some((each) => each.system === `${hl7}/v3-ActCode` && each.code === 'IMPLIED')
  return !bars && !implied
}

function isLater(one: Consent, other: Consent): boolean {
  const [a, b] = [moment(one.dateTime), moment(other.dateTime)]
  if (!a || !b) {
    // an undated agreement is the oldest of all; an undated refusal may be of any time
    const oldest = (when: Moment | undefined, { status }: Consent) => !when && status === 'active'
    if (oldest(a, one) && !oldest(b, other)) return false
    if (oldest(b, other) && !oldest(a, one)) return true
  } else {
    const before = order(a, b)
    if (before !== 0) return before > 0
  }
  const sameMoment = !a && !b ? true : a && b && a.first === b.first && a.last === b.last && a.instant === b.instant
  const [oneOver, otherOver] = [replaced(one), replaced(other)]
  if (sameMoment && oneOver !== otherOver) return otherOver
  const [x, y] = [Date.parse(one.meta?.lastUpdated ?? ''), Date.parse(other.meta?.lastUpdated ?? '')]
  if (Number.isNaN(x) || Number.isNaN(y)) return false
  return x > y || (x === y && Number(one.meta?.versionId) > Number(other.meta?.versionId))
}

const replaced = (consent: Consent): boolean => consent.status === 'inactive' && word(extension(consent, 'consent-phase')) === 'superseded'

// ---- dates: a day is a London day

type Moment = { first: string; last: string; instant?: number }

const calendar = new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/London', year: 'numeric', month: '2-digit', day: '2-digit' })
const days = new Map<number, string>()
function london(at: number): string {
  const known = days.get(at) ?? calendar.format(at)
  days.set(at, known)
  return known
}

function moment(text: string | undefined): Moment | undefined {
  if (!text) return undefined
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)) {
    const instant = Date.parse(text)
    if (Number.isNaN(instant)) return undefined
    const day = london(instant)
    return { first: day, last: day, instant }
  }
  const found = /^(\d{4})(?:-(\d\d))?(?:-(\d\d))?$/.exec(text)
  if (!found) return undefined
  const [year, month, day] = [Number(found[1]), Number(found[2] ?? 1), Number(found[3] ?? 1)]
  const first = new Date(Date.UTC(year, month - 1, day))
  if (first.getUTCMonth() !== month - 1 || first.getUTCDate() !== day) return undefined
  const last = found[3] ? first : found[2] ? new Date(Date.UTC(year, month, 0)) : new Date(Date.UTC(year, 12, 0))
  return { first: first.toISOString().slice(0, 10), last: last.toISOString().slice(0, 10) }
}

/** Above nought: `a` is certainly later. Below: earlier. Nought: nobody can say, or the very same. */
function order(a: Moment, b: Moment): number {
  if (a.instant !== undefined && b.instant !== undefined) return a.instant - b.instant
  return a.first > b.last ? 1 : a.last < b.first ? -1 : 0
}

function during(period: { start?: string; end?: string } | undefined, now: Date): Tri {
  const [start, end] = [moment(period?.start), moment(period?.end)]
  if ((period?.start !== undefined && !start) || (period?.end !== undefined && !end)) return 'perhaps'
  const day = london(now.getTime())
  const begun = !start || (start.instant === undefined ? day >= start.first : now.getTime() >= start.instant)
  const over = end && (end.instant === undefined ? day > end.last : now.getTime() > end.instant)
  return begun && !over ? 'yes' : 'no'
}

// ---- B1, B2, A5: does it permit anything to anybody

function permitsAtAll(consent: Consent, { now, alreadyTold }: Question): boolean {
  const root = consent.provision
  if (consent.status !== 'active' || consent.modifierExtension) return false
  if (root?.type !== undefined && root.type !== 'deny') return false
  for (const key of Object.keys(root ?? {})) if (!['id', 'extension', 'type', 'period', 'provision'].includes(key)) return false
  if ((root?.provision ?? []).some((rule) => (rule.provision ?? []).length > 0)) return false
  if (during(root?.period, now) !== 'yes') return false
  return couldAgree(consent, alreadyTold === true)
}

function couldAgree(consent: Consent, alreadyTold: boolean): boolean {
  if ((consent.verification ?? []).some((each) => each.verified === false)) return false
  const [phase, capacity, agreed] = ['consent-phase', 'consent-capacity', 'consent-agreed-by'].map((name) => extension(consent, name))
  if (phase === 'twice' || capacity === 'twice' || agreed === 'twice') return false
  if (phase && !word(phase)) return false
  const outcome = word(inside(capacity, 'outcome'))
  const basis = word(inside(agreed, 'basis'))
  if (capacity && outcome !== 'has-capacity' && outcome !== 'lacks-capacity') return false
  if (agreed && !['person', 'attorney', 'deputy', 'best-interests'].includes(basis ?? '')) return false
  const person = plain(consent.patient?.reference)
  const who = (consent.performer ?? []).map((each) => plain(each.reference))
  const himself = who.length === 0 || (person !== undefined && who.includes(person))
  const lacking = outcome === 'lacks-capacity'
  const reviewed = word(phase) === 'capacity-review'
  const kinds = who.map((each) => each?.split('/')[0])
  switch (basis) {
    case 'best-interests': {
      const professional = kinds.some((kind) => kind === 'Practitioner' || kind === 'PractitionerRole' || kind === 'Organization')
      const decided = inside(agreed, 'decided')
      return lacking && professional && moment(decided?.valueDate) !== undefined
    }
    case 'attorney':
    case 'deputy': {
      const authority = inside(agreed, 'authority')
      const given = Boolean(authority?.valueString?.trim() || authority?.valueReference?.reference)
      return Boolean(lacking && given && kinds.some((kind) => kind && kind !== 'Patient')) && (!reviewed || alreadyTold)
    }
    default:
      return himself && (!lacking || reviewed) && (!reviewed || alreadyTold)
  }
}

function extension(consent: Consent, name: string): Extension | 'twice' | undefined {
  const found = (consent.extension ?? []).filter(({ url }) => url === `${ours}/StructureDefinition/${name}`)
  return found.length > 1 ? 'twice' : found[0]
}
const inside = (block: Extension | 'twice' | undefined, name: string): Extension | undefined =>
  block && block !== 'twice' ? block.extension?.find(({ url }) => url === name) : undefined
const word = (one: Extension | 'twice' | undefined) => (one && one !== 'twice' ? one.valueCode : undefined)
const plain = (reference: string | undefined) => reference?.replace(`${ours}/`, '').replace(/\/_history\/.*$/, '')

// ---- B2: who, what for, what is done, when

function fits(rule: ConsentProvision, consent: Consent, { recipient, purposeOfUse, now }: Question): Tri {
  const permit = rule.type === 'permit'
  const actors = rule.actor ?? []
  const who = actors.length
    ? any(
        actors.map((actor) => {
          const receives = (actor.role?.coding ?? []).some((each) => each.code === 'IRCP' && each.system === `${hl7}/v3-ParticipationType`)
          return permit && !receives ? 'no' : isWho(actor.reference, consent, recipient)
        }),
      )
    : permit
      ? 'no'
      : 'yes'
  return all(who, forWhat(rule, purposeOfUse), doing(rule), during(rule.period, now))
}

function isWho(
  reference: { reference?: string; identifier?: { system?: string; value?: string } } | undefined,
  consent: Consent,
  recipient: Question['recipient'],
): Tri {
  const said: Tri[] = []
  const text = reference?.reference
  if (text?.startsWith('#')) {
    const inside = (consent.contained ?? []).find(({ id }) => `#${id}` === text)
    const members =
      inside?.resourceType === 'HealthcareService'
        ? [inside.providedBy]
        : inside?.resourceType === 'CareTeam'
          ? (inside.participant ?? []).length
            ? (inside.participant ?? []).map(({ member }) => member)
            : (inside.managingOrganization ?? [])
          : []
    const organisations = members.map((each) => plain(each?.reference)).filter((each) => each?.startsWith('Organization/'))
    if (organisations.includes(`Organization/${recipient.partner}`)) said.push('yes')
    else said.push(organisations.length > 0 && organisations.length === members.length ? 'no' : 'perhaps')
  } else if (text) {
    const here = plain(text) as string
    const [type, id] = here.split('/')
    if (/^https?:/.test(here)) said.push('perhaps')
    else if (type === 'Organization') said.push(id === recipient.partner ? 'yes' : 'no')
    else if (type === 'HealthcareService') said.push(id === recipient.partner ? 'yes' : 'perhaps')
    else said.push(type === 'Patient' || type === 'RelatedPerson' ? 'no' : 'perhaps')
  }
  const identifier = reference?.identifier
  if (identifier) {
    const { system, value } = identifier
    if (system === `${ours}/CodeSystem/recipient-kind` && value) said.push(value === recipient.kind ? 'yes' : 'no')
    else if (/^https:\/\/fhir\.nhs\.uk\/id\/ods-organization-code$/i.test(system ?? '') && value && recipient.ods)
      said.push(value.toLowerCase() === recipient.ods.toLowerCase() ? 'yes' : 'no')
    else said.push('perhaps')
  }
  return said.length > 0 && said.every((each) => each === said[0]) ? (said[0] as Tri) : 'perhaps'
}

/** B4, without what is or may be care and its co-ordination. */
const notCare = [
  'PATADMIN',
  'HOPERAT',
  'HPAYMT',
  'HPRGRP',
  'PERFMSR',
  'HQUALIMP',
  'HOUTCOMS',
  'HSYSADMIN',
  'HTEST',
  'HMARKT',
  'HRESCH',
  'HLEGAL',
  'LEGAL',
  'GOV',
  'PATRQT',
  'FAMRQT',
  'SUPNWK',
]

function forWhat({ purpose = [], type }: ConsentProvision, purposeOfUse: readonly string[]): Tri {
  if (purpose.length === 0) return 'yes'
  return any(
    purpose.map(({ system, code = '' }) => {
      if (system !== `${hl7}/v3-ActReason`) return 'perhaps'
      if (purposeOfUse.includes(code)) return 'yes'
      return type === 'permit' || notCare.includes(code) ? 'no' : 'perhaps'
    }),
  )
}

function doing({ action = [] }: ConsentProvision): Tri {
  if (action.length === 0) return 'yes'
  return any(
    action.map(({ coding = [] }) => {
      const codes = coding.filter(({ system, code }) => system === `${hl7}/consentaction` && code).map(({ code }) => code as string)
      if (codes.some((code) => ['access', 'use', 'disclose'].includes(code))) return 'yes'
      return codes.length > 0 && codes.every((code) => ['collect', 'correct'].includes(code)) ? 'no' : 'perhaps'
    }),
  )
}

// ---- B2, B3: what it is about

const needNotBeListed = ['identity', 'worker', 'activity']
const levels = ['U', 'L', 'M', 'N', 'R', 'V']
const isLevel = ({ system }: { system?: string }) => system === `${hl7}/v3-Confidentiality`

/** For each HL7 code: our category, what a permit of it covers, what a deny of it may mean beyond its own category. */
const sensitivities: Record<string, { of: string; covers: string[] }> = {
  ETH: { of: 'substance-misuse', covers: ['substance-misuse', 'ETH', 'SUD', 'ETHUD', 'OPIOIDUD'] },
  SUD: { of: 'substance-misuse', covers: ['SUD', 'ETHUD', 'OPIOIDUD'] },
  ETHUD: { of: 'substance-misuse', covers: ['ETHUD'] },
  OPIOIDUD: { of: 'substance-misuse', covers: ['OPIOIDUD'] },
  SSP: { of: 'substance-misuse', covers: ['SSP'] },
  MH: { of: 'mental-health', covers: ['mental-health', 'MH', 'PSY'] },
  PSY: { of: 'mental-health', covers: ['mental-health', 'MH', 'PSY'] },
  EMOTDIS: { of: 'mental-health', covers: ['EMOTDIS'] },
  BH: { of: 'mental-health', covers: ['BH'] },
  PSYTHPN: { of: 'therapy-notes', covers: ['therapy-notes', 'PSYTHPN'] },
  COGN: { of: 'neurodiversity', covers: ['neurodiversity', 'COGN'] },
  DVD: { of: 'neurodiversity', covers: ['DVD'] },
  HIV: { of: 'sexual-health', covers: ['HIV'] },
  STD: { of: 'sexual-health', covers: ['STD'] },
  SEX: { of: 'sexual-health', covers: ['SEX'] },
  SDV: { of: 'abuse', covers: ['abuse', 'SDV'] },
  VIO: { of: 'abuse', covers: ['VIO'] },
  LOCIS: { of: 'address', covers: ['address', 'LOCIS'] },
  LIVARG: { of: 'accommodation', covers: ['accommodation', 'LIVARG'] },
}
const together: [string[], string][] = [[['HIV', 'STD'], 'sexual-health']]
const ownCategories =
  'identity contact address accommodation worker activity release appointments adjustments practical physical-health allergies medication neurodiversity mental-health therapy-notes substance-misuse sexual-health abuse risk-to-self risk-to-others safeguarding offence'.split(
    ' ',
  )
const usuallyRestricted =
  'neurodiversity mental-health substance-misuse sexual-health abuse risk-to-self risk-to-others safeguarding offence'.split(' ')

type Label = { system?: string; code?: string }
const ownOf = ({ system, code = '' }: Label) =>
  system === `${ours}/CodeSystem/category` && ownCategories.includes(code) ? code : undefined
const hl7Of = ({ system, code = '' }: Label) => (system === `${hl7}/v3-ActCode` && code in sensitivities ? code : undefined)

/** What a piece says of one of its categories: its finer labels, or only the category. */
const wordsFor = (piece: Piece, category: string): string[] => {
  const finer = (piece.labels ?? []).filter((label) => label === category || sensitivities[label]?.of === category)
  return finer.length ? finer : [category]
}

function permits(rule: ConsentProvision, consent: Consent, question: Question): Tri {
  const { piece } = question
  const labels = rule.securityLabel ?? []
  const stated = labels.filter(isLevel).map(({ code }) => levels.indexOf(code ?? ''))
  const known = stated.filter((level) => level >= 0)
  const readableLevel: Tri = stated.length > 0 && known.length === 0 ? 'perhaps' : 'yes'
  const named = labels.some((label) => !isLevel(label))
  const usual = named && piece.categories.some((each) => usuallyRestricted.includes(each)) ? 'R' : 'N'
  const byKind = named && piece.categories.includes('therapy-notes') ? 'V' : usual
  const ceiling = known.length ? Math.max(...known) : levels.indexOf(byKind)
  const lowEnough: Tri = levels.indexOf(piece.confidentiality) <= ceiling ? 'yes' : 'no'
  const narrowings = [
    ...(rule.class?.length ? [rule.class.some(isType) ? 'yes' : 'perhaps'] : []),
    ...(rule.data?.length
      ? [
          rule.data.some(
            ({ meaning, reference }) => reference?.reference && /^(instance|related|dependents|authoredby)$/.test(meaning ?? ''),
          )
            ? 'yes'
            : 'perhaps',
        ]
      : []),
    ...(rule.code?.length ? [rule.code.some(({ coding = [] }) => coding.some(isCode)) ? 'yes' : 'perhaps'] : []),
  ] as Tri[]
  const readable = all(rule.modifierExtension ? 'perhaps' : 'yes', readableLevel, ...narrowings)
  const anyway = all(fits(rule, consent, question), readable, lowEnough)
  if (piece.categories.every((each) => needNotBeListed.includes(each))) return anyway
  const sensitive = labels.filter((label) => !isLevel(label))
  const listed: Tri = sensitive.length === 0 || coversAll(sensitive, piece) ? 'yes' : 'no'
  if (piece.ref === '') return all(anyway, listed)
  return all(
    anyway,
    listed,
    rule.class?.length ? any(rule.class.map((each) => (isType(each) && each.code === typeOf(piece) ? 'yes' : 'no'))) : 'yes',
    rule.data?.length ? any(rule.data.map((each) => isAmong(each, piece, consent))) : 'yes',
    rule.code?.length ? hasCode(rule.code, piece) : 'yes',
    rule.dataPeriod ? dated(piece, rule.dataPeriod) : 'yes',
  )
}

function coversAll(labels: readonly Label[], piece: Piece): boolean {
  const covered = new Set<string>()
  for (const label of labels) {
    const [own, code] = [ownOf(label), hl7Of(label)]
    if (own)
      for (const each of [own, ...Object.keys(sensitivities)])
        if (each === own || (each !== 'BH' && sensitivities[each]?.of === own)) covered.add(each)
    if (code) for (const each of sensitivities[code]?.covers ?? []) covered.add(each)
  }
  for (const [parts, whole] of together) if (parts.every((each) => covered.has(each))) covered.add(whole)
  if (['mental-health', 'substance-misuse', 'neurodiversity'].every((each) => covered.has(each))) covered.add('BH')
  return piece.categories
    .filter((category) => !needNotBeListed.includes(category))
    .every((category) => wordsFor(piece, category).every((each) => covered.has(each)))
}

function denies(rule: ConsentProvision, consent: Consent, question: Question): Tri {
  const { piece } = question
  const basics = piece.categories.every((each) => needNotBeListed.includes(each))
  const [labels, types, data, codes] = [rule.securityLabel ?? [], rule.class ?? [], rule.data ?? [], rule.code ?? []]
  const beyondUs =
    rule.type !== 'deny' ||
    rule.modifierExtension !== undefined ||
    labels.some((label) => !ownOf(label) && !hl7Of(label)) || // a level as well: it may mean whatever is lower, or higher
    types.some((each) => !isType(each)) ||
    data.some(({ meaning, reference }) => !reference?.reference || !reaches(meaning, plain(reference.reference) as string, consent)) ||
    codes.some(({ coding = [] }) => !coding.some(isCode))
  const about: Tri[] = [
    ...labels.map((label): Tri => (mayMean(label).some((category) => maybeAbout(piece).includes(category)) ? 'yes' : 'no')),
    ...types.map((each): Tri => (each.code === typeOf(piece) ? 'yes' : 'no')),
    ...data.flatMap((each): Tri[] => (each.meaning === 'authoredby' ? [] : [isAmong(each, piece, consent)])),
  ]
  const authors = data.filter(({ meaning }) => meaning === 'authoredby').map(({ reference }) => plain(reference?.reference) as string)
  if (authors.length) about.push(writtenByOneOf(authors, piece, basics))
  if (codes.length) {
    const has = hasCode(codes, piece)
    about.push(has === 'perhaps' && (basics || piece.ref === '' || saysNothingInCodes(piece)) ? 'no' : has)
  }
  const time = !rule.dataPeriod ? 'yes' : basics ? 'no' : dated(piece, rule.dataPeriod)
  // One that can not be read is as wide as it may be, whatever its time.
  return all(fits(rule, consent, question), beyondUs ? 'perhaps' : all(about.length ? any(about) : 'yes', time))
}

const reaches = (meaning: string | undefined, ref: string, consent: Consent): boolean =>
  meaning === 'instance' || meaning === 'authoredby' || (meaning === 'dependents' && ref === plain(consent.patient?.reference))

const mayMean = (label: Label): string[] => {
  const code = hl7Of(label)
  if (code === 'BH') return ['mental-health', 'therapy-notes', 'substance-misuse', 'neurodiversity']
  const category = ownOf(label) ?? (code ? (sensitivities[code]?.of as string) : undefined)
  return category === 'mental-health' ? [category, 'therapy-notes'] : category ? [category] : []
}
const maybeAbout = (piece: Piece): string[] =>
  piece.labels?.includes('BH')
    ? [...piece.categories, 'mental-health', 'therapy-notes', 'substance-misuse', 'neurodiversity']
    : [...piece.categories]

const isType = ({ system, code }: Label) => system === 'http://hl7.org/fhir/resource-types' && Boolean(code)
const isCode = ({ system, code }: Label) => Boolean(system && code)
const typeOf = ({ ref }: Piece): string | undefined =>
  ref.includes('/')
    ? ref.split('/')[0]
    : { person: 'Patient', referral: 'ServiceRequest', worker: 'PractitionerRole', plan: 'CarePlan' }[ref]
const saysNothingInCodes = (piece: Piece) => ['Patient', 'PractitionerRole', 'CarePlan'].includes(typeOf(piece) ?? '')

function isAmong({ meaning, reference }: NonNullable<ConsentProvision['data']>[number], piece: Piece, consent: Consent): Tri {
  const ref = plain(reference?.reference)
  if (!ref) return 'no'
  if (meaning === 'authoredby') return (piece.authors ?? []).some((each) => plain(each) === ref) ? 'yes' : 'no'
  if (meaning !== 'instance' && meaning !== 'related' && meaning !== 'dependents') return 'no'
  if (meaning === 'dependents' && ref === plain(consent.patient?.reference)) return 'yes'
  return ref === piece.ref.split('#')[0] ? 'yes' : 'no'
}

function writtenByOneOf(wanted: string[], piece: Piece, basics: boolean): Tri {
  const authors = (piece.authors ?? []).map((each) => plain(each) as string)
  if (authors.some((each) => wanted.includes(each))) return 'yes'
  if (basics || piece.ref === '') return 'no'
  const kind = (each: string) => each.split('/')[0]
  return authors.length > 0 && authors.every((one) => wanted.every((other) => kind(one) === kind(other))) ? 'no' : 'perhaps'
}

/** Another code of ours is another thing. Of another system's codes, one may lie within another. */
function hasCode(concepts: NonNullable<ConsentProvision['code']>, piece: Piece): Tri {
  const wanted = concepts.flatMap(({ coding = [] }) => coding.filter(isCode))
  const codes = piece.codes ?? []
  if (wanted.some(({ system, code }) => codes.includes(`${system}|${code}`))) return 'yes'
  const another = ({ system = '' }: Label) =>
    system.startsWith(`${ours}/CodeSystem/`) && codes.some((code) => code.split('|')[0] === system)
  return wanted.every(another) ? 'no' : 'perhaps'
}

function dated(piece: Piece, period: { start?: string; end?: string }): Tri {
  const [start, end] = [moment(period.start), moment(period.end)]
  if (!piece.date || (period.start !== undefined && !start) || (period.end !== undefined && !end)) return 'perhaps'
  return (!start || piece.date >= start.first) && (!end || piece.date <= end.last) ? 'yes' : 'no'
}
