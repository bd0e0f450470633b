/**
 * What each resource type can be searched by, and the rows a resource is found by.
 *
 * A table with short paths and a walker of a few lines, not a FHIRPath engine: it runs for every resource that is written.
 *
 * @see hl7.org/fhir/R4/searchparameter-registry.html; names and meanings are those of R4 unless marked
 */
import type { Identifier, Resource } from '@medplum/fhirtypes'
import { comparable, identifierRule, standingOf } from '../domain/identifiers.ts'
import { nhsNumber } from './systems.ts'

export type ParameterKind = 'token' | 'string' | 'reference' | 'date' | 'uri'

export type SearchParameter = {
  kind: ParameterKind
  /** Paths from the resource: 'name.family', 'telecom[system=phone].value'. Lists are walked through. */
  paths: readonly string[]
  /** References only: the types they may lead to. Anything else found there is not indexed. */
  targets?: readonly string[]
  /** Tokens only: the element is a FHIR `code` or truth value, which never has a system. */
  plain?: true
  /** Has no rows of its own: it is this other parameter, narrowed to `targets`. */
  as?: string
}

/** One value a resource can be found by: dates have the first and the last instant they cover. */
export type IndexRow = { param: string; value: string; upto?: string }

/**
 * Every value this resource is found by, in clear: search-terms.ts makes of them what the index holds.
 *
 * @param only names of the parameters that are asked about; absent: all
 */
export function indexRows(resource: Resource, only?: ReadonlySet<string>): IndexRow[] {
  const searched = matchable(resource)
  const rows: IndexRow[] = []
  for (const { name, parameter, walks } of walksOf(resource.resourceType)) {
    if (parameter.as || only?.has(name) === false) continue
    for (const walk of walks) {
      for (const found of follow(searched, walk, 0, [])) rowsOf[parameter.kind](name, found, parameter, rows)
    }
  }
  return rows
}

/** A number that can not be anybody's is never matched: it could only find the wrong person (CONTRACT.md 4). */
function matchable(resource: Resource): Resource {
  if (resource.resourceType !== 'Patient' || !resource.identifier) return resource
  const impossible = ({ system, value }: Identifier) =>
    identifierRule(system)?.system === nhsNumber && standingOf(system, value ?? '') === 'wrong'
  return { ...resource, identifier: resource.identifier.filter((one) => !impossible(one)) }
}

/** The references a parameter finds in a resource: ['Patient/12']. */
export function referencesIn(resource: Resource, name: string): string[] {
  const rows: IndexRow[] = []
  const walked = walksOf(resource.resourceType).find((each) => each.name === name)
  for (const walk of walked?.walks ?? []) {
    for (const found of follow(resource, walk, 0, [])) referenceRows(name, found, walked!.parameter, rows)
  }
  return [...new Set(rows.filter(({ param }) => param === name).map(({ value }) => value))]
}

/** Case, accents and runs of spaces do not matter in a string. */
export const fold = (text: string): string => {
  // Only the beginning is kept; taking a whole megabyte of accents apart would cost seconds.
  const start = text.slice(0, 8 * longestString)
  const plain = ascii.test(start) ? start : start.normalize('NFD').replace(/\p{M}/gu, '').replace(/[’‘`]/g, "'")
  return plain.toLowerCase().trim().replace(/\s+/g, ' ').slice(0, longestString)
}
/**
 * How a token stands in the index: 'code|system', so that one row is found by the code alone and by both.
 * A bar inside a part is escaped.
 */
export const tokenValue = (code: string, system?: string): string =>
  `${escapeToken(code)}|${system === undefined ? '' : escapeToken(system)}`
const escapeToken = (text: string): string => (text.includes('|') ? text.replaceAll('|', '\\|') : text)

/**
 * The first and last instant a FHIR date, dateTime or instant covers. A date without a zone is read as UTC.
 *
 * @returns undefined for what is not a date
 */
export function instantsOf(text: string): { from: string; upto: string } | undefined {
  const parts = datePattern.exec(text)
  if (!parts) return undefined
  const [, year, month, day, time, second, fraction, zone] = parts
  const start = new Date(
    `${year}-${month ?? '01'}-${day ?? '01'}T${time ?? '00:00'}:${second ?? '00'}${fraction?.slice(0, 4) ?? ''}${zone ?? 'Z'}`,
  )
  if (Number.isNaN(start.getTime()) || (day && Number(day) > daysIn(Number(year), Number(month)))) return undefined
  const end = new Date(start)
  if (!month) end.setUTCFullYear(end.getUTCFullYear() + 1)
  else if (!day) end.setUTCMonth(end.getUTCMonth() + 1)
  else if (!time) end.setUTCDate(end.getUTCDate() + 1)
  else if (!second) end.setUTCMinutes(end.getUTCMinutes() + 1)
  else if (!fraction) end.setUTCSeconds(end.getUTCSeconds() + 1)
  else end.setUTCMilliseconds(end.getUTCMilliseconds() + 1)
  return { from: start.toISOString(), upto: new Date(end.getTime() - 1).toISOString() }
}

/** Periods without an end or a beginning. */
export const beginning = '0000-01-01T00:00:00.000Z'
export const eternity = '9999-12-31T23:59:59.999Z'

const token = (...paths: string[]): SearchParameter => ({ kind: 'token', paths })
/** Elements of type code or boolean. */
const code = (...paths: string[]): SearchParameter => ({ kind: 'token', paths, plain: true })
const string = (...paths: string[]): SearchParameter => ({ kind: 'string', paths })
const date = (...paths: string[]): SearchParameter => ({ kind: 'date', paths })
const uri = (...paths: string[]): SearchParameter => ({ kind: 'uri', paths })
const reference = (targets: readonly string[], ...paths: string[]): SearchParameter => ({ kind: 'reference', paths, targets })

const patient = ['Patient']
const actors = ['Practitioner', 'PractitionerRole', 'Organization', 'CareTeam', 'HealthcareService', 'Patient', 'RelatedPerson', 'Device']
const anything: readonly string[] = []
const identifier = token('identifier')
const status = code('status')
/** `patient` and the like: another parameter, of one type only. */
const narrowed = (as: string, target: string, ...paths: string[]): SearchParameter => ({ kind: 'reference', paths, targets: [target], as })
/** Most resources: who it is about. `patient` finds only people. */
const about = (path: string) => ({ patient: narrowed('subject', 'Patient', path), subject: reference(['Patient', 'Group'], path) })
const telecom = { phone: code('telecom[system=phone].value'), email: code('telecom[system=email].value') }

/** For every type. `_id` and `_lastUpdated` are columns of the shelf, not rows. */
const common: Readonly<Record<string, SearchParameter>> = { _tag: token('meta.tag') }

/** By type and name. A type that is not here can not be searched. */
export const searchParameters: Readonly<Record<string, Readonly<Record<string, SearchParameter>>>> = {
  Patient: {
    identifier,
    name: string('name'),
    family: string('name.family'),
    given: string('name.given'),
    birthdate: date('birthDate'),
    gender: code('gender'),
    active: code('active'),
    ...telecom,
    'address-postalcode': string('address.postalCode'),
    'death-date': date('deceasedDateTime'),
    'general-practitioner': reference(['Organization', 'Practitioner', 'PractitionerRole'], 'generalPractitioner'),
    organization: reference(['Organization'], 'managingOrganization'),
  },
  ServiceRequest: {
    identifier,
    ...about('subject'),
    status,
    intent: code('intent'),
    category: token('category'),
    code: token('code'),
    priority: code('priority'),
    authored: date('authoredOn'),
    occurrence: date('occurrenceDateTime', 'occurrencePeriod', 'occurrenceTiming'),
    requester: reference(actors, 'requester'),
    performer: reference(actors, 'performer'),
    'based-on': reference(['CarePlan', 'ServiceRequest', 'MedicationRequest'], 'basedOn'),
    replaces: reference(['ServiceRequest'], 'replaces'),
    encounter: reference(['Encounter'], 'encounter'),
    requisition: token('requisition'),
  },
  CarePlan: {
    identifier,
    ...about('subject'),
    status,
    intent: code('intent'),
    category: token('category'),
    date: date('period'),
    'care-team': reference(['CareTeam'], 'careTeam'),
    performer: reference(actors, 'activity.detail.performer'),
    'activity-code': token('activity.detail.code'),
    'activity-reference': reference(anything, 'activity.reference'),
    'based-on': reference(['CarePlan'], 'basedOn'),
    'part-of': reference(['CarePlan'], 'partOf'),
    replaces: reference(['CarePlan'], 'replaces'),
    condition: reference(['Condition'], 'addresses'),
    goal: reference(['Goal'], 'goal'),
    encounter: reference(['Encounter'], 'encounter'),
  },
  Task: {
    identifier,
    patient: narrowed('subject', 'Patient', 'for'),
    subject: reference(anything, 'for'),
    status,
    'business-status': token('businessStatus'),
    intent: code('intent'),
    priority: code('priority'),
    code: token('code'),
    owner: reference(actors, 'owner'),
    requester: reference(actors, 'requester'),
    focus: reference(anything, 'focus'),
    'based-on': reference(anything, 'basedOn'),
    'part-of': reference(['Task'], 'partOf'),
    'group-identifier': token('groupIdentifier'),
    encounter: reference(['Encounter'], 'encounter'),
    performer: token('performerType'),
    period: date('executionPeriod'),
    'authored-on': date('authoredOn'),
    modified: date('lastModified'),
  },
  Consent: {
    identifier,
    patient: reference(patient, 'patient'),
    status,
    scope: token('scope'),
    category: token('category'),
    date: date('dateTime'),
    period: date('provision.period'),
    organization: reference(['Organization'], 'organization'),
    consentor: reference(actors, 'performer'),
    actor: reference(actors, 'provision.actor.reference', 'provision.provision.actor.reference'),
    'security-label': token('provision.securityLabel', 'provision.provision.securityLabel'),
    purpose: token('provision.purpose', 'provision.provision.purpose'),
  },
  Condition: {
    identifier,
    ...about('subject'),
    code: token('code'),
    category: token('category'),
    'clinical-status': token('clinicalStatus'),
    'verification-status': token('verificationStatus'),
    severity: token('severity'),
    'onset-date': date('onsetDateTime', 'onsetPeriod'),
    'recorded-date': date('recordedDate'),
    asserter: reference(actors, 'asserter'),
    encounter: reference(['Encounter'], 'encounter'),
  },
  Observation: {
    identifier,
    ...about('subject'),
    status,
    code: token('code'),
    category: token('category'),
    date: date('effectiveDateTime', 'effectivePeriod', 'effectiveInstant', 'effectiveTiming'),
    'value-concept': token('valueCodeableConcept'),
    'component-code': token('component.code'),
    'component-value-concept': token('component.valueCodeableConcept'),
    performer: reference(actors, 'performer'),
    encounter: reference(['Encounter'], 'encounter'),
    'based-on': reference(anything, 'basedOn'),
  },
  Flag: {
    identifier,
    ...about('subject'),
    /** Ours: R4 has none for Flag's status, category and code. */
    status,
    category: token('category'),
    code: token('code'),
    date: date('period'),
    author: reference(actors, 'author'),
    encounter: reference(['Encounter'], 'encounter'),
  },
  MedicationStatement: {
    identifier,
    ...about('subject'),
    status,
    code: token('medicationCodeableConcept'),
    category: token('category'),
    medication: reference(['Medication'], 'medicationReference'),
    effective: date('effectiveDateTime', 'effectivePeriod'),
    source: reference(actors, 'informationSource'),
  },
  AllergyIntolerance: {
    identifier,
    patient: reference(patient, 'patient'),
    code: token('code', 'reaction.substance'),
    'clinical-status': token('clinicalStatus'),
    'verification-status': token('verificationStatus'),
    type: code('type'),
    category: code('category'),
    criticality: code('criticality'),
    date: date('recordedDate'),
  },
  CareTeam: {
    identifier,
    ...about('subject'),
    status,
    category: token('category'),
    date: date('period'),
    participant: reference(actors, 'participant.member'),
    encounter: reference(['Encounter'], 'encounter'),
  },
  Practitioner: {
    identifier,
    name: string('name'),
    family: string('name.family'),
    given: string('name.given'),
    active: code('active'),
    ...telecom,
  },
  PractitionerRole: {
    identifier,
    practitioner: reference(['Practitioner'], 'practitioner'),
    organization: reference(['Organization'], 'organization'),
    service: reference(['HealthcareService'], 'healthcareService'),
    role: token('code'),
    specialty: token('specialty'),
    active: code('active'),
    ...telecom,
  },
  RelatedPerson: {
    identifier,
    patient: reference(patient, 'patient'),
    name: string('name'),
    relationship: token('relationship'),
    active: code('active'),
    ...telecom,
  },
  Organization: {
    identifier,
    name: string('name', 'alias'),
    type: token('type'),
    active: code('active'),
    partof: reference(['Organization'], 'partOf'),
    'address-postalcode': string('address.postalCode'),
  },
  HealthcareService: {
    identifier,
    name: string('name'),
    active: code('active'),
    organization: reference(['Organization'], 'providedBy'),
    location: reference(['Location'], 'location'),
    'service-category': token('category'),
    'service-type': token('type'),
    specialty: token('specialty'),
  },
  Location: {
    identifier,
    name: string('name', 'alias'),
    status,
    type: token('type'),
    organization: reference(['Organization'], 'managingOrganization'),
    'address-postalcode': string('address.postalCode'),
  },
  Encounter: {
    identifier,
    ...about('subject'),
    status,
    class: token('class'),
    type: token('type'),
    date: date('period'),
    participant: reference(actors, 'participant.individual'),
    'service-provider': reference(['Organization'], 'serviceProvider'),
    'based-on': reference(['ServiceRequest'], 'basedOn'),
    appointment: reference(['Appointment'], 'appointment'),
  },
  Appointment: {
    identifier,
    patient: narrowed('actor', 'Patient', 'participant.actor'),
    actor: reference([...actors, 'Location'], 'participant.actor'),
    practitioner: narrowed('actor', 'Practitioner', 'participant.actor'),
    location: narrowed('actor', 'Location', 'participant.actor'),
    status,
    date: date('start'),
    'service-category': token('serviceCategory'),
    'service-type': token('serviceType'),
    'based-on': reference(['ServiceRequest'], 'basedOn'),
  },
  Goal: {
    identifier,
    ...about('subject'),
    'lifecycle-status': code('lifecycleStatus'),
    'achievement-status': token('achievementStatus'),
    category: token('category'),
    'start-date': date('startDate'),
    'target-date': date('target.dueDate'),
  },
  QuestionnaireResponse: {
    identifier: token('identifier'),
    ...about('subject'),
    status,
    authored: date('authored'),
    author: reference(actors, 'author'),
    questionnaire: uri('questionnaire'),
    'based-on': reference(['CarePlan', 'ServiceRequest'], 'basedOn'),
    encounter: reference(['Encounter'], 'encounter'),
  },
  Communication: {
    identifier,
    ...about('subject'),
    status,
    category: token('category'),
    sent: date('sent'),
    received: date('received'),
    sender: reference(actors, 'sender'),
    recipient: reference(actors, 'recipient'),
    'based-on': reference(anything, 'basedOn'),
    'part-of': reference(anything, 'partOf'),
  },
  DocumentReference: {
    identifier: token('identifier', 'masterIdentifier'),
    ...about('subject'),
    status,
    type: token('type'),
    category: token('category'),
    date: date('date'),
    period: date('context.period'),
    author: reference(actors, 'author'),
    custodian: reference(['Organization'], 'custodian'),
    related: reference(anything, 'context.related'),
    'security-label': token('securityLabel'),
  },
  Provenance: {
    target: reference(anything, 'target'),
    patient: narrowed('target', 'Patient', 'target'),
    recorded: date('recorded'),
    agent: reference(actors, 'agent.who'),
    entity: reference(anything, 'entity.what'),
  },
  AuditEvent: {
    patient: reference(patient, 'agent.who', 'entity.what'),
    agent: reference(actors, 'agent.who'),
    entity: reference(anything, 'entity.what'),
    date: date('recorded'),
    type: token('type'),
    subtype: token('subtype'),
    action: code('action'),
    outcome: code('outcome'),
  },
  Subscription: {
    status,
    criteria: string('criteria'),
    url: uri('channel.endpoint'),
    type: code('channel.type'),
    contact: code('contact.value'),
  },
}

const longestString = 200
// biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII range is the point
const ascii = /^[\x00-\x7f]*$/
const datePattern = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d:\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/
const daysIn = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate()

/** 'telecom[system=phone].value' as steps; compiled once for each type. */
type Step = { key: string; only?: { key: string; value: string } }
type Walked = { name: string; parameter: SearchParameter; walks: Step[][] }
const compiled = new Map<string, Walked[]>()

function walksOf(type: string): Walked[] {
  let walked = compiled.get(type)
  if (!walked) {
    walked = Object.entries({ ...common, ...searchParameters[type] }).map(([name, parameter]) => ({
      name,
      parameter,
      walks: parameter.paths.map((path) => path.split('.').map(stepOf)),
    }))
    compiled.set(type, walked)
  }
  return walked
}

function stepOf(text: string): Step {
  const [, key, only, value] = /^(\w+)(?:\[(\w+)=(\w+)\])?$/.exec(text) as unknown as [string, string, string?, string?]
  return only && value ? { key, only: { key: only, value } } : { key }
}

/** Everything at the end of a path. */
function follow(value: unknown, walk: readonly Step[], at: number, found: unknown[]): unknown[] {
  if (value === undefined || value === null) return found
  if (Array.isArray(value)) for (const each of value) follow(each, walk, at, found)
  else if (at === walk.length) found.push(value)
  else if (typeof value === 'object') {
    const { key, only } = walk[at]!
    const next = (value as Record<string, unknown>)[key]
    follow(only && Array.isArray(next) ? next.filter((each) => each?.[only.key] === only.value) : next, walk, at + 1, found)
  }
  return found
}

type Writer = (param: string, found: unknown, parameter: SearchParameter, rows: IndexRow[]) => void

/** A code, truth value, Coding, CodeableConcept or Identifier. */
function tokenRows(param: string, found: unknown, parameter: SearchParameter, rows: IndexRow[]): void {
  if (typeof found === 'string' || typeof found === 'boolean') {
    rows.push({ param, value: tokenValue(String(found)) })
    return
  }
  const { coding, system, code, value } = found as { coding?: unknown[]; system?: string; code?: string; value?: string }
  if (coding) for (const each of coding) tokenRows(param, each, parameter, rows)
  const word = code ?? value
  if (word === undefined) return
  // A number is found in whatever way it is written.
  rows.push({ param, value: tokenValue(code === undefined ? comparable(system, word) : word, system) })
}

/** A text, or every part of a HumanName or Address. */
function stringRows(param: string, found: unknown, parameter: SearchParameter, rows: IndexRow[]): void {
  if (typeof found === 'string') {
    const value = fold(found)
    if (value) rows.push({ param, value }, { param: `${param}:exact`, value: found.slice(0, longestString) })
    return
  }
  const part = found as Record<string, string | string[] | undefined>
  for (const key of ['text', 'family', 'given', 'prefix', 'suffix', 'line', 'city', 'district', 'state', 'postalCode', 'country']) {
    for (const each of [part[key] ?? []].flat()) stringRows(param, each, parameter, rows)
  }
}

/** 'Patient/12', without a version; and its identifier under '{param}:identifier'. Contained resources are not found by reference. */
function referenceRows(param: string, found: unknown, { targets }: SearchParameter, rows: IndexRow[]): void {
  const { reference, identifier } = found as { reference?: string; identifier?: unknown }
  if (reference && !reference.startsWith('#')) {
    const value = reference.split('/_history/')[0] as string
    if (!targets?.length || targets.includes(value.split('/').at(-2) ?? '')) rows.push({ param, value })
  }
  if (identifier) tokenRows(`${param}:identifier`, identifier, { kind: 'token', paths: [] }, rows)
}

/** A date, dateTime, instant, Period or Timing. */
function dateRows(param: string, found: unknown, parameter: SearchParameter, rows: IndexRow[]): void {
  if (typeof found === 'string') {
    const instants = instantsOf(found)
    if (instants) rows.push({ param, value: instants.from, upto: instants.upto })
    return
  }
  const { start, end, event, repeat } = found as { start?: string; end?: string; event?: string[]; repeat?: { boundsPeriod?: unknown } }
  if (start || end) {
    rows.push({
      param,
      value: (start && instantsOf(start)?.from) ?? beginning,
      upto: (end && instantsOf(end)?.upto) ?? eternity,
    })
  }
  for (const each of event ?? []) dateRows(param, each, parameter, rows)
  if (repeat?.boundsPeriod) dateRows(param, repeat.boundsPeriod, parameter, rows)
}

const rowsOf: Readonly<Record<ParameterKind, Writer>> = {
  token: tokenRows,
  string: stringRows,
  reference: referenceRows,
  date: dateRows,
  uri: (param, found, _parameter, rows) => {
    if (typeof found === 'string') rows.push({ param, value: found })
  },
}

/** What the values of an index row are. `undefined` for those that only an opened resource is tested by (`name:exact`). */
export const kindOfRow = (type: string, param: string): ParameterKind | undefined => {
  const colon = param.indexOf(':')
  if (colon > 0) return param.endsWith(':identifier') ? 'token' : undefined
  return parameterOf(type, param)?.kind
}

/** A parameter of this type, its own or one of every type. */
export const parameterOf = (type: string, name: string): SearchParameter | undefined => {
  const own = searchParameters[type]
  if (!own) return undefined
  return Object.hasOwn(own, name) ? own[name] : Object.hasOwn(common, name) ? common[name] : undefined
}
