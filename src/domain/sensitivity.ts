/**
 * What a sensitivity label in a consent covers. A permit covers what is certainly within its words; a deny holds back whatever may be.
 *
 * So the two directions differ. Who agrees to OPIOIDUD has not agreed to all of substance misuse, only to what is labelled so. Who
 * says no to it may have meant a fact that says no more than "substance misuse": the whole family is held back. The codes CONTRACT.md
 * gives services for our categories mean the category, in an agreement as on a fact: PSY and MH are both "mental health" here.
 *
 * @see CONTRACT.md 4 (the code of each category), domain/consent.md B3 (all codes), HL7 v3-ActCode (which is narrower than which)
 */
import type { Coding } from '@medplum/fhirtypes'
import { actCode, ours } from '../fhir/systems.ts'
import { allCategories, type Category, categories, categoryOfLabel } from './categories.ts'

/** A set of categories as bits, so that asking about one costs nothing. */
export type CategorySet = number
export const bit = (category: Category): CategorySet => bits[category] as number
const bits = Object.fromEntries(allCategories.map((category, index) => [category, 1 << index])) as Record<string, number>
export const bitsOf = (some: readonly Category[]): CategorySet => {
  let all = 0
  for (const one of some) all |= bit(one)
  return all
}

/** HL7 codes inside another, or used here for the same. Therapy notes are never told because mental health is. */
const inside: Readonly<Record<string, readonly string[]>> = {
  ETH: ['SUD', 'ETHUD', 'OPIOIDUD'],
  SUD: ['ETHUD', 'OPIOIDUD'],
  MH: ['PSY'],
  PSY: ['MH'],
}
/** Codes that stand for our category: what is of the category and says no more is within them. */
const whole: Readonly<Record<string, Category>> = {
  ETH: 'substance-misuse',
  MH: 'mental-health',
  PSY: 'mental-health',
  SDV: 'abuse',
  COGN: 'neurodiversity',
  PSYTHPN: 'therapy-notes',
  LOCIS: 'address',
  LIVARG: 'accommodation',
}
/** The contract has two codes for it, and neither lies in the other: both have to be named. */
const wholeTogether: readonly [codes: readonly string[], category: Category][] = [[['HIV', 'STD'], 'sexual-health']]
/** "Behavioural" can be any of these. */
const behavioural: readonly Category[] = ['mental-health', 'therapy-notes', 'substance-misuse', 'neurodiversity']
const unspecified = 'BH'

/**
 * What the labels of a permit certainly cover: categories as such, and the finer labels a source may carry. `families`: of which at
 * least a part is named.
 */
export type Covered = { categories: CategorySet; labels: ReadonlySet<string>; families: CategorySet }

export function coveredBy(labels: readonly Coding[]): Covered {
  const found = new Set<string>()
  let families = 0
  for (const { system, code = '' } of labels) {
    const category = categoryOfLabel({ ...(system ? { system } : {}), code })
    if (!category) continue
    families |= bit(category)
    if (system === ours('category')) {
      for (const one of [category, ...categories[category].hl7]) if (one !== unspecified) found.add(one)
    } else {
      for (const one of [code, ...(inside[code] ?? [])]) found.add(one)
      if (Object.hasOwn(whole, code)) found.add(whole[code] as Category)
    }
  }
  for (const [codes, category] of wholeTogether) if (codes.every((code) => found.has(code))) found.add(category)
  if (behavioural.every((category) => category === 'therapy-notes' || found.has(category))) found.add(unspecified)
  return { categories: bitsOf(allCategories.filter((category) => found.has(category))), labels: found, families }
}

/** Is a category of a source covered? By its finer labels where it has any of that category, else by the category as such. */
export function covers({ categories: all, labels }: Covered, category: Category, finer: readonly string[] | undefined): boolean {
  let said = false
  for (const label of finer ?? []) {
    if (familyOf(label) !== category) continue
    if (!labels.has(label)) return false
    said = true
  }
  return said || (all & bit(category)) !== 0
}

const familyByLabel = new Map<string, Category>(
  allCategories.flatMap((category) => [
    [category, category],
    ...categories[category].hl7.map((code): [string, Category] => [code, category]),
  ]),
)
const familyOf = (label: string): Category | undefined => familyByLabel.get(label)

/** The categories a label of a deny may mean: its whole family, and what lies inside it. Undefined: nobody knows. */
export function mayMean(label: Coding): CategorySet | undefined {
  const category = categoryOfLabel({ ...(label.system ? { system: label.system } : {}), ...(label.code ? { code: label.code } : {}) })
  if (!category) return undefined
  if (label.system === actCode && label.code === unspecified) return bitsOf(behavioural)
  return category === 'mental-health' ? bitsOf(['mental-health', 'therapy-notes']) : bit(category)
}

/** The categories a source may be about. What is labelled as behavioural and no more can be any of those. */
export const maybeAbout = (all: readonly Category[], finer: readonly string[] | undefined): CategorySet =>
  finer?.includes(unspecified) ? bitsOf(all) | bitsOf(behavioural) : bitsOf(all)

/** The labels that say a category in a consent, neither more nor less: our own, and HL7's for whoever does not know ours. */
export const labelsFor = (category: Category): Coding[] => [
  { system: ours('category'), code: category },
  ...categories[category].hl7.filter((code) => code !== unspecified).map((code) => ({ system: actCode, code })),
]
