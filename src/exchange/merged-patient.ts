/**
 * The Patient of two records that are one: who the target is stays, what the source is known by is added.
 */
import type { Coding, HumanName, Identifier, Patient } from '@medplum/fhirtypes'
import { comparable } from '../domain/identifiers.ts'

export function joined(source: Patient, target: Patient): Patient {
  const identifier = [...(target.identifier ?? []), ...others(source.identifier ?? [], target.identifier ?? [])]
  const name = [...(target.name ?? []), ...(source.name ?? []).filter((one) => !target.name?.some(sameName(one))).map(asAlias)]
  const security = both(target.meta?.security ?? [], source.meta?.security ?? [])
  return {
    // What the target does not say.
    ...only(source, target, [
      'birthDate',
      'gender',
      'telecom',
      'address',
      'communication',
      'contact',
      'generalPractitioner',
      'maritalStatus',
    ]),
    ...target,
    ...diedIn(source, target),
    ...(security.length ? { meta: { ...target.meta, security } } : {}),
    ...(identifier.length ? { identifier } : {}),
    ...(name.length ? { name } : {}),
    link: [...(target.link ?? []), { other: { reference: `Patient/${source.id}` }, type: 'replaces' }],
  }
}

/** One of two records says that the person died: everything stops, and somebody looks. */
const diedIn = ({ deceasedBoolean, deceasedDateTime }: Patient, target: Patient): Partial<Patient> =>
  target.deceasedBoolean === true || target.deceasedDateTime
    ? {}
    : deceasedDateTime
      ? { deceasedBoolean: undefined as never, deceasedDateTime }
      : deceasedBoolean
        ? { deceasedBoolean }
        : {}

/** Labels only ever add. */
const both = (some: readonly Coding[], more: readonly Coding[]): Coding[] => [
  ...some,
  ...more.filter((one) => !some.some(({ system, code }) => system === one.system && code === one.code)),
]

const only = (source: Patient, target: Patient, keys: readonly (keyof Patient)[]): Partial<Patient> =>
  Object.fromEntries(keys.flatMap((key) => (target[key] === undefined && source[key] !== undefined ? [[key, source[key]]] : [])))

/** Numbers the target does not have; of a kind it has one of, as a number of before. */
function others(some: readonly Identifier[], known: readonly Identifier[]): Identifier[] {
  return some
    .filter((one) => !known.some((other) => other.system === one.system && sameValue(one, other)))
    .map((one) => (known.some(({ system, use }) => system === one.system && use !== 'old') ? { ...one, use: 'old' } : one))
}
const sameValue = (one: Identifier, other: Identifier): boolean =>
  comparable(one.system, one.value ?? '') === comparable(other.system, other.value ?? '')

const sameName =
  ({ family, given, text }: HumanName) =>
  (other: HumanName): boolean =>
    family === other.family && text === other.text && JSON.stringify(given) === JSON.stringify(other.given)
const asAlias = (name: HumanName): HumanName => (/^(old|maiden|nickname|anonymous)$/.test(name.use ?? '') ? name : { ...name, use: 'old' })
