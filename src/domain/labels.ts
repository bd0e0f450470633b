/**
 * What a resource is about and how confidential it is: its own security labels, and what its codes give away.
 *
 * Labels, codes and words only ever add: a high-water mark. A label we can not read can not be honoured, so such a resource is about
 * nothing we know and as confidential as can be: told to nobody. What codes and words are taken to mean is `profiles/ConceptMap-category.json`.
 *
 * @see CONTRACT.md 4 (labels), domain/consent.md B3, C7.9
 */
import type { Coding, Resource } from '@medplum/fhirtypes'
import conceptMap from '../../profiles/ConceptMap-category.json' with { type: 'json' }
import { actCode, actReason, confidentiality as confidentialitySystem, ours } from '../fhir/systems.ts'
import { londonDate } from './calendar.ts'
import type { Source } from './case.ts'
import { type Category, type Confidentiality, categories, categoryOfLabel, confidentialities, higher } from './categories.ts'

/**
 * Where a resource stands in the record and how it is labelled.
 *
 * @param more `also`: what it names (the Medication of a statement, the clinic of an appointment), `categories`: what the reader knows it is
 */
export function sourceOf(resource: Resource, more: { also?: readonly Resource[]; categories?: readonly Category[] } = {}): Source {
  const inside = 'contained' in resource ? (resource.contained ?? []) : []
  const all = [resource, ...inside, ...(more.also ?? [])]
  const labels = all.flatMap(({ meta }) => meta?.security ?? [])
  const ref = `${resource.resourceType}/${resource.id}`
  const date = dateOf(resource)
  const { codings, texts } = lookedThrough(all)
  const known = { ...(date ? { date } : {}), ...listed('codes', codings.flatMap(codeOf)), ...listed('authors', authorsOf(resource)) }
  if (labels.some(unreadable)) return { ref, categories: [], confidentiality: 'V', ...known }

  const said = labels.flatMap((label) => categoryOfLabel(label) ?? [])
  const coded: Category[] = [
    ...(more.categories ?? []),
    ...(unreadableMedicine(all) ? [] : (typeCategories[resource.resourceType] ?? [])),
    ...codings.flatMap(impliedBy),
  ]
  // Words raise what is about something we know; by themselves they do not make free text something to share.
  const otherwise = said.length + coded.length > 0 ? [...coded, ...toldBy(texts)] : []
  const found = new Set<Category>([...said, ...otherwise])
  const levels = [
    stated(labels) ?? (found.size ? 'U' : unlabelled(resource)),
    ...[...found].map((category) => categories[category].confidentiality),
    ...(codings.some(restricted) ? (['R'] as const) : []),
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

/** Did somebody say what it is about? */
export const hasLabel = ({ meta }: Resource): boolean => meta?.security?.some((label) => categoryOfLabel(label) !== undefined) === true

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

/** What a code says a resource is about, by code system: `profiles/ConceptMap-category.json`, the one place where that is written. */
const implications: ReadonlyMap<string, ReadonlyMap<string, readonly Category[]>> = new Map(
  conceptMap.group.map(({ source, element }) => [
    source,
    new Map(element.map(({ code, target }) => [code, target.map((one) => one.code as Category)])),
  ]),
)
/** Restricted, whatever its category: being on the Special Allocation Scheme (closed-loop.md C3). */
const restricted = ({ system, code }: Coding): boolean => system === ours('flag') && code === 'special-allocation-scheme'

const impliedBy = ({ system, code }: Coding): readonly Category[] => implications.get(system ?? '')?.get(code ?? '') ?? []

/** The words that give something away, as one expression, and the categories of each. */
const wordCategories = new Map(
  conceptMap.group
    .filter(({ source }) => source === ours('word'))
    .flatMap(({ element }) => element.map(({ code, target }) => [code.replaceAll('-', ' '), target.map((one) => one.code as Category)])),
)
const telling = new RegExp(` (${[...wordCategories.keys()].sort((a, b) => String(b).length - String(a).length).join('|')})(?=s? )`, 'g')

/** Small letters, no accents, no apostrophes, one space between words and at either end. */
const plain = (text: string): string =>
  ` ${text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f'’]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')} `.replace(/ {2,}/g, ' ')

/** What the words of a text give away: a medicine's brand, a clinic's name, a group. Words only add, they share nothing. */
const toldBy = (texts: readonly string[]): Category[] =>
  texts.flatMap((text) => [...plain(text).matchAll(telling)].flatMap(([, word]) => wordCategories.get(word as string) ?? []))

/** The categories that the codes and words of any part of a resource give away. */
export const givenAway = (part: unknown): Category[] => {
  const { codings, texts } = lookedThrough([part])
  return [...new Set([...codings.flatMap(impliedBy), ...toldBy(texts)])]
}

/** A medicine named by codes alone, none of which we know: nothing says that it is not one of those that give something away. */
function unreadableMedicine(all: readonly Resource[]): boolean {
  const concepts = all.flatMap((each) => [...conceptsIn(each)])
  const codings = concepts.flatMap(({ coding }) => coding ?? [])
  const named = concepts.some(({ text }) => text) || codings.some(({ display }) => display)
  return codings.length > 0 && !named && codings.every((coding) => impliedBy(coding).length === 0)
}

type Concept = { text?: string; coding?: Coding[] }

function* conceptsIn(resource: Resource): Generator<Concept> {
  if (resource.resourceType === 'MedicationStatement' || resource.resourceType === 'MedicationRequest') {
    if (resource.medicationCodeableConcept) yield resource.medicationCodeableConcept
    if (resource.medicationReference?.display) yield { text: resource.medicationReference.display }
  }
  if (resource.resourceType === 'Medication' && resource.code) yield resource.code
}

/** Not looked into: labels are read by themselves, notes and narrative never leave, ids and addresses of systems say nothing. */
const passedOver = new Set(['meta', 'note', 'div', 'id', 'system', 'reference', 'url', 'profile', 'resourceType', 'status', 'data'])

/** Every coding and every text anywhere in these. */
function lookedThrough(nodes: readonly unknown[]): { codings: Coding[]; texts: string[] } {
  const codings: Coding[] = []
  const texts: string[] = []
  const look = (node: unknown): void => {
    if (typeof node === 'string' && /[a-z]{2}/i.test(node)) texts.push(node)
    if (typeof node !== 'object' || node === null) return
    if ('system' in node && 'code' in node) codings.push(node as Coding)
    for (const [name, child] of Object.entries(node)) {
      if (passedOver.has(name) || (name === 'code' && typeof child === 'string')) continue
      look(child)
    }
  }
  for (const node of nodes) look(node)
  return { codings, texts }
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
