/**
 * What a resource is about and how confidential it is: its own security labels, and what its codes give away.
 *
 * Labels and codes only ever add. A label we can not read can not be honoured, so such a resource is about nothing we know and
 * as confidential as can be: told to nobody. The tables below are the whole of what codes are taken to mean.
 *
 * @see CONTRACT.md 4 (labels), domain/consent.md B3, C7.9
 */
import type { Coding, Resource } from '@medplum/fhirtypes'
import { actCode, actReason, confidentiality as confidentialitySystem, ours } from '../fhir/systems.ts'
import { londonDate } from './calendar.ts'
import type { Source } from './case.ts'
import { type Category, type Confidentiality, categories, categoryOfLabel, confidentialities, higher } from './categories.ts'

/**
 * Where a resource stands in the record and how it is labelled.
 *
 * @param more `also`: resources it can not be read without (the Medication of a statement), `categories`: what the reader knows it is
 */
export function sourceOf(resource: Resource, more: { also?: readonly Resource[]; categories?: readonly Category[] } = {}): Source {
  const all = [resource, ...(more.also ?? [])]
  const labels = all.flatMap(({ meta }) => meta?.security ?? [])
  const ref = `${resource.resourceType}/${resource.id}`
  const date = dateOf(resource)
  const codings = all.flatMap((each) => [...codingsIn(each)])
  const known = { ...(date ? { date } : {}), ...listed('codes', codings.flatMap(codeOf)), ...listed('authors', authorsOf(resource)) }
  if (labels.some(unreadable)) return { ref, categories: [], confidentiality: 'V', ...known }

  const said = labels.flatMap((label) => categoryOfLabel(label) ?? [])
  const otherwise: Category[] = [
    ...(more.categories ?? []),
    ...(typeCategories[resource.resourceType] ?? []),
    ...codings.flatMap(impliedBy),
    ...(resource.resourceType.startsWith('Medication') ? all.flatMap(substitution) : []),
  ]
  const found = new Set<Category>([...said, ...otherwise])
  const levels = [
    stated(labels) ?? (found.size ? 'U' : unlabelled(resource)),
    ...[...found].map((category) => categories[category].confidentiality),
  ]
  const hl7 = labels.flatMap((label) => (label.system === actCode && categoryOfLabel(label) ? [label.code as string] : []))
  const own = labels.flatMap((label) => (label.system === actCode ? [] : (categoryOfLabel(label) ?? [])))
  const finer = hl7.length ? listed('labels', [...hl7, ...own, ...otherwise]) : {}
  return { ref, categories: [...found], confidentiality: levels.reduce(higher), ...known, ...finer }
}

const listed = <K extends string>(name: K, values: readonly string[]) =>
  (values.length ? { [name]: [...new Set(values)] } : {}) as { [P in K]?: string[] }

const codeOf = ({ system, code }: Coding): string[] =>
  system && code && !system.startsWith('http://terminology.hl7.org/') ? [`${system}|${code}`] : []

/** Who recorded it, asserted it or found it out. */
function authorsOf(resource: Resource): string[] {
  const { recorder, asserter, author, performer, informationSource, requester } = resource as unknown as { [name: string]: unknown }
  return [recorder, asserter, author, performer, informationSource, requester].flat().flatMap((one) => {
    const reference = (one as { reference?: unknown } | undefined)?.reference
    return typeof reference === 'string' ? [reference] : []
  })
}

/** Nothing says what it is: restricted. A Patient or CarePlan needs no label (CONTRACT.md 4). */
const unlabelled = ({ resourceType }: Resource): Confidentiality => (resourceType === 'Patient' || resourceType === 'CarePlan' ? 'N' : 'R')

/** The highest confidentiality the labels state. Sensitive without saying how much: restricted. No label: nothing is stated. */
function stated(labels: readonly Coding[]): Confidentiality | undefined {
  const levels = labels.flatMap(({ system, code }) => (system === confidentialitySystem ? [code as Confidentiality] : []))
  if (levels.length) return levels.reduce(higher)
  return labels.some((label) => categoryOfLabel(label)) ? 'R' : undefined
}

/** Handling instructions that what the exchange does anyway fulfils: consent first, the least needed, audited, encrypted. */
const honoured = new Set(['CPLYCD', 'CPLYCC', 'CPLYPOL', 'MINEC', 'AUDIT', 'AUDTR', 'ENCRYPT', 'ENCRYPTT', 'NODSCLCD', 'NORDSCLCD'])

function unreadable(label: Coding): boolean {
  const { system, code } = label
  if (system === confidentialitySystem) return !confidentialities.includes(code as Confidentiality)
  if (system === actReason) return false // HTEST: says that the data is made up
  if (system === actCode && honoured.has(code ?? '')) return false
  return categoryOfLabel(label) === undefined
}

/** What a resource is about because of its type alone. A Condition, Observation or Flag can be about anything: nothing. */
const typeCategories: Partial<Record<Resource['resourceType'], readonly Category[]>> = {
  AllergyIntolerance: ['allergies'],
  MedicationStatement: ['medication'],
  MedicationRequest: ['medication'],
  Appointment: ['appointments'],
}

const sct = 'http://snomed.info/sct'
const snomed = (category: Category, ...codes: string[]): [string, readonly Category[]][] => codes.map((code) => [code, [category]])

/** What a code says a resource is about, by code system. */
const implications: Readonly<Record<string, Readonly<Record<string, readonly Category[]>>>> = {
  [ours('need')]: {
    'physical-health': ['physical-health'],
    'mental-health': ['mental-health'],
    'substance-misuse': ['substance-misuse'],
    autism: ['neurodiversity'],
    adhd: ['neurodiversity'],
    'learning-difficulty': ['neurodiversity'],
    // what a person needs to be understood, and not a diagnosis
    'communication-difficulty': ['adjustments'],
    'medication-continuity': ['medication'],
    dental: ['physical-health'],
    'gp-access': ['practical'],
    // 'other-vulnerability' says nothing about what it is
  },
  [ours('flag')]: {
    'reasonable-adjustment': ['adjustments'],
    'risk-to-others': ['risk-to-others'],
    'risk-to-self': ['risk-to-self'],
    safeguarding: ['safeguarding'],
    // 'special-allocation-scheme' is left to its label: a practice must be able to know of it (closed-loop.md C3), and is never
    // told about risk to others
  },
  [ours('observation')]: {
    custody: ['release'],
    offence: ['offence'],
    sentence: ['offence'],
    licence: ['offence'],
    mappa: ['offence', 'risk-to-others'],
    'risk-of-serious-harm': ['risk-to-others'],
    'risk-to-self': ['risk-to-self'],
    accommodation: ['accommodation'],
    employment: ['practical'],
    benefits: ['practical'],
    wellbeing: ['mental-health'],
    naloxone: ['substance-misuse'],
    'opioid-substitution': ['substance-misuse', 'medication'],
  },
  [ours('support-activity')]: {
    'substance-misuse': ['substance-misuse'],
    'mental-health': ['mental-health'],
    prescription: ['medication'],
    housing: ['accommodation'],
  },
  // bars-ukcore.md 3.10. An infection risk may be a blood-borne virus. The other categories say nothing we could share under.
  'https://fhir.nhs.uk/CodeSystem/flag-categories-bars': {
    RA: ['adjustments'],
    SG: ['safeguarding'],
    SS: ['risk-to-others'],
    IR: ['physical-health', 'sexual-health'],
  },
  // Codes seen in public sources (substance-misuse.md 6); not a classification of SNOMED CT.
  [sct]: Object.fromEntries([
    ...snomed('substance-misuse', '75544000', '66590003', '310653000', '266707007', '60112009', '827094004', '720176005', '23915005'),
    ...snomed('substance-misuse', '226034001', '777651000000101', '105542008', '361055000', '371422002'),
    ...snomed('substance-misuse', '417096006', '390857005', '431260004', '38670004', '401266006'),
    ...snomed('substance-misuse', '109201000000109', '788125002', '23941000087103', '23951000087100'),
    ...snomed('substance-misuse', '494041000000102', '700187009', '313104000'),
    ...snomed('mental-health', '390866009', '401277000', '89301000000108', '948211000000107'),
    ...snomed('physical-health', '310144008', '722176000', '306186000', '306735003', '103697008'),
    ...snomed('accommodation', '32911000'),
    ...snomed('release', '105568001'),
    ...snomed('risk-to-others', '129707006'),
  ]),
}

const impliedBy = ({ system, code }: Coding): readonly Category[] => {
  const table = system ? implications[system] : undefined
  return table && code && Object.hasOwn(table, code) ? (table[code] as readonly Category[]) : []
}

/** Medicines that say by their name that somebody is treated for dependence, as the British National Formulary lists them. */
const substitutes =
  /methadone|physeptone|buprenorphine|subutex|suboxone|espranor|buvidal|lofexidine|naltrexone|naloxone|nalmefene|acamprosate|disulfiram/i

function substitution(resource: Resource): Category[] {
  const names = [...conceptsIn(resource)].flatMap(({ text, coding }) => [text, ...(coding ?? []).map(({ display }) => display)])
  return names.some((name) => name !== undefined && substitutes.test(name)) ? ['substance-misuse'] : []
}

type Concept = { text?: string; coding?: Coding[] }

/** The medicine itself: not what somebody is allergic to, nor why it is taken. */
function* conceptsIn(resource: Resource): Generator<Concept> {
  if (resource.resourceType === 'MedicationStatement' || resource.resourceType === 'MedicationRequest') {
    if (resource.medicationCodeableConcept) yield resource.medicationCodeableConcept
    if (resource.medicationReference?.display) yield { text: resource.medicationReference.display }
    for (const inside of resource.contained ?? []) yield* conceptsIn(inside as Resource)
  }
  if (resource.resourceType === 'Medication') {
    if (resource.code) yield resource.code
    for (const { itemCodeableConcept } of resource.ingredient ?? []) if (itemCodeableConcept) yield itemCodeableConcept
  }
}

/** Every coding anywhere in a resource but in its own meta. */
function* codingsIn(node: unknown, key = ''): Generator<Coding> {
  if (key === 'meta' || typeof node !== 'object' || node === null) return
  if ('system' in node && 'code' in node) yield node as Coding
  for (const [name, child] of Object.entries(node)) yield* codingsIn(child, Array.isArray(node) ? key : name)
}

/** The day a resource is about or else was written down. A date that means more than one day is none. */
function dateOf(resource: Resource): string | undefined {
  const { effectiveDateTime, effectivePeriod, onsetDateTime, period, start, recordedDate, issued, dateAsserted, authoredOn } =
    resource as Dated
  const candidates = [
    effectiveDateTime,
    effectivePeriod?.start,
    onsetDateTime,
    period?.start,
    start,
    recordedDate,
    issued,
    dateAsserted,
    authoredOn,
  ]
  return londonDate(candidates.find((each) => each !== undefined))
}
type Dated = {
  [name in 'effectiveDateTime' | 'onsetDateTime' | 'start' | 'recordedDate' | 'issued' | 'dateAsserted' | 'authoredOn']?: string
} & { effectivePeriod?: { start?: string }; period?: { start?: string } }
