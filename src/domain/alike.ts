/**
 * Are two records of the same person? What each is recognised by, and what two have in common. A proposal for a person to decide, never a
 * decision: a shared number may be mistyped, and two people may have one name and birthday.
 */
import type { HumanName, Patient } from '@medplum/fhirtypes'
import { identifierRule, identifierRules, type NumberKind } from './identifiers.ts'

/** Why two records may be of one person. */
export type Likeness = NumberKind | 'name-and-birth-date'

/** All a record is recognised by, each with what it is: old numbers and every name the person ever went by count too. */
export function marksOf(patient: Patient): { kind: Likeness; value: string }[] {
  const numbers = (patient.identifier ?? []).flatMap(({ system, value }) => {
    const rule = identifierRule(system)
    const canonical = value === undefined ? undefined : rule?.canonical(value)
    return rule && canonical !== undefined ? [{ kind: rule.kind as Likeness, value: canonical }] : []
  })
  const names = namesOf(patient.name ?? []).map((name) => ({
    kind: 'name-and-birth-date' as const,
    value: `${patient.birthDate} ${name}`,
  }))
  // A year or a month is shared by too many.
  return /^\d{4}-\d{2}-\d{2}$/.test(patient.birthDate ?? '') ? [...numbers, ...names] : numbers
}

/** What two records have in common, the surest first. Empty: nothing says that they are of one person. */
export function likenessOf(one: Patient, other: Patient): Likeness[] {
  const marks = new Set(marksOf(one).map(({ kind, value }) => `${kind} ${value}`))
  const shared = new Set(marksOf(other).flatMap(({ kind, value }) => (marks.has(`${kind} ${value}`) ? [kind] : [])))
  return order.filter((kind) => shared.has(kind))
}

const order: readonly Likeness[] = [...identifierRules.map(({ kind }) => kind), 'name-and-birth-date']

/** 'the same NHS number, and the same name and date of birth' */
export const likenessWords = (some: readonly Likeness[]): string =>
  some
    .map((kind) =>
      kind === 'name-and-birth-date'
        ? 'the same name and date of birth'
        : `the same ${identifierRules.find((rule) => rule.kind === kind)?.words}`,
    )
    .join(', and ')

/** Names looked at of one record: every family with every first given name, in no order, so that swapped parts are the same name. */
const mostNames = 16

function namesOf(names: readonly HumanName[]): string[] {
  const told = names.map(partsOf)
  const families = [...new Set(told.flatMap(({ family }) => family || []))]
  const givens = [...new Set(told.flatMap(({ given }) => given || []))]
  const pairs = families.flatMap((family) => givens.map((given) => [family, given].sort().join(' ')))
  return [...new Set(pairs)].slice(0, mostNames)
}

/** A name that came as one text has its family name last. */
function partsOf({ family, given, text }: HumanName): { family: string; given: string } {
  const words = family || given?.length ? [] : (text?.trim().split(/\s+/) ?? [])
  return { family: plain(family ?? (words.length > 1 ? words.at(-1) : undefined)), given: plain(given?.[0] ?? words[0]) }
}

/** Case, accents, hyphens and spaces do not matter. */
const plain = (text: string | undefined): string =>
  (text ?? '')
    .slice(0, 200)
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '')
