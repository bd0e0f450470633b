/**
 * How the readers of this folder find their way in FHIR resources: what a reference points at, which code a concept has.
 */
import type { CodeableConcept, Resource } from '@medplum/fhirtypes'
import { BASE, odsCode, ours } from '../fhir/systems.ts'

/** Resources by what a reference to them says: relative, with our base in front, versioned, or `urn:uuid:` before they are stored. */
export type Index = { get: (reference: string | undefined) => Resource | undefined }

export function indexOf(resources: readonly Resource[]): Index {
  const byRef = new Map(
    resources.flatMap((resource): [string, Resource][] => [
      [`${resource.resourceType}/${resource.id}`, resource],
      [`urn:uuid:${resource.id}`, resource],
    ]),
  )
  return { get: (reference) => byRef.get(reference?.replace(`${BASE}/`, '').split('/_history/')[0] ?? '') }
}

export const ofType = <T extends Resource['resourceType']>(resources: readonly Resource[], type: T) =>
  resources.filter((resource): resource is Extract<Resource, { resourceType: T }> => resource.resourceType === type)

/** The code a concept has in a system. A coding that names no system is taken for it: old shapes. */
export const codeIn = (concept: CodeableConcept | undefined, system: string): string | undefined =>
  (concept?.coding?.find((coding) => coding.system === system) ?? concept?.coding?.find((coding) => coding.system === undefined))?.code

/** Who and where: what a resource names that says something about the person by being named. */
const telling: ReadonlySet<string> = new Set([
  'Encounter',
  'HealthcareService',
  'Location',
  'Medication',
  'Organization',
  'Practitioner',
  'PractitionerRole',
])

/** The medicines, people, places and services a resource refers to, and those they belong to. */
export function namedIn(resource: Resource, index: Index): Resource[] {
  const found = new Set<Resource>()
  const look = (node: unknown, deeper: number): void => {
    if (typeof node !== 'object' || node === null) return
    const { reference } = node as { reference?: unknown }
    const named = typeof reference === 'string' ? index.get(reference) : undefined
    if (named && telling.has(named.resourceType) && !found.has(named)) {
      found.add(named)
      if (deeper > 0) look(named, deeper - 1)
    }
    for (const child of Object.values(node)) look(child, deeper)
  }
  look(resource, 2)
  return [...found]
}

/** Recorded while two records were one, and nobody has said yet which of the two people it is about. */
export const unsortedTag = { system: ours('record-mark'), code: 'unsorted' }
export const isUnsorted = ({ meta }: Resource): boolean =>
  meta?.tag?.some(({ system, code }) => system === unsortedTag.system && code === unsortedTag.code) === true

type Identifier = { system?: string; value?: string }

/** The value of an identifier; senders differ in the case of the '/Id/' part. */
export const identifierIn = (identifiers: readonly Identifier[] | undefined, system: string): string | undefined =>
  identifiers?.find((each) => each.system?.replace(/\/id\//i, '/Id/') === system)?.value?.trim()

export const odsIn = (identifiers: readonly Identifier[] | undefined): string | undefined =>
  identifierIn(identifiers, odsCode)?.toUpperCase()

/** A property that is there only when its value is. */
export const given = <K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } =>
  value === undefined ? {} : ({ [key]: value } as { [P in K]: V })
