/**
 * What FHIR R4 says a type looks like in JSON: `definitions.json` made ready, each type when it is first met.
 */
import definitions from './definitions.json' with { type: 'json' }
import { type Primitive, primitives, reference } from './validate-primitives.ts'
import { type Rule, ruleOf } from './validate-rules.ts'

/** What may stand under one JSON name: 'birthDate', 'valueQuantity'. */
export type Slot = {
  name: string
  /** The name in FHIRPath: 'value' for 'valueQuantity'. */
  element: string
  /** Set when it is one of several that may stand for one element. */
  choice: boolean
  many: boolean
  type: string
  /** Absent for objects. */
  primitive?: Primitive
  /** The codes it is bound to, and for a CodeableConcept the system they are of. */
  codes?: ReadonlySet<string>
  system?: string
  rules: readonly Rule[]
}

export type Shape = {
  /** By JSON name; '_birthDate' is not listed. */
  slots: ReadonlyMap<string, Slot>
  required: readonly { element: string; names: readonly string[] }[]
  rules: readonly Rule[]
}

const types = definitions.types as Readonly<Record<string, Readonly<Record<string, string>>>>
const codes = definitions.codes as Readonly<Record<string, string>>
const systems = definitions.systems as Readonly<Record<string, string>>
const invariants = definitions.invariants as Readonly<Record<string, string>>

export const servedTypes: readonly string[] = definitions.served

const elementNames: ReadonlySet<string> = new Set(
  Object.values(types).flatMap((elements) => Object.keys(elements).map((name) => name.replace('[x]', ''))),
)
const typeNames: ReadonlySet<string> = new Set([...Object.keys(types), ...Object.keys(primitives)].map((name) => name.toLowerCase()))

/** Is this a word of FHIR: 'birthDate', '_birthDate', 'valueUri'? Then saying it again tells nothing about anybody. */
export function isWordOfFhir(name: string): boolean {
  const bare = name.replace(/^_/, '')
  if (elementNames.has(bare)) return true
  return bare.length < 60 && [...elementNames].some((each) => bare.startsWith(each) && typeNames.has(bare.slice(each.length).toLowerCase()))
}

const shapes = new Map<string, Shape>()
const sets = new Map<string, ReadonlySet<string>>()

/** The shape of a type of the definitions. */
export function shapeOf(type: string): Shape {
  const known = shapes.get(type)
  if (known) return known
  const slots = new Map<string, Slot>()
  const required: { element: string; names: string[] }[] = []
  for (const [name, says] of Object.entries(types[type]!)) {
    const element = name.replace('[x]', '')
    const slotsOfElement = read(type, element, name !== element, says)
    for (const slot of slotsOfElement) slots.set(slot.name, slot)
    if (/^\S+[!+]/.test(says)) required.push({ element, names: slotsOfElement.flatMap((slot) => [slot.name, `_${slot.name}`]) })
  }
  const shape = { slots, required, rules: rulesOf(type) }
  shapes.set(type, shape)
  return shape
}

function read(type: string, element: string, choice: boolean, says: string): Slot[] {
  const [, may, often, set] = /^([^!*+ ]+)([!*+]?)(?: #(.+))?$/.exec(says)!
  return may!.split('|').map((one) => {
    const primitive = type === 'Reference' && element === 'reference' ? reference : primitives[one]
    const system = set ? systems[set] : undefined
    return {
      name: choice ? element + suffix(one) : element,
      element,
      choice,
      many: often === '*' || often === '+',
      type: one,
      ...(primitive ? { primitive } : {}),
      ...(set ? { codes: setOf(set) } : {}),
      ...(system ? { system } : {}),
      rules: rulesOf(`${type}.${element}`, one),
    }
  })
}

const suffix = (type: string) => (type === 'SimpleQuantity' ? 'Quantity' : type.charAt(0).toUpperCase() + type.slice(1))

/** The rules listed for a path; not again those of an element that is a type of its own. */
const rulesOf = (path: string, type?: string): Rule[] =>
  path === type ? [] : (invariants[path]?.split(' ') ?? []).map((key) => ruleOf(path, key))

function setOf(name: string): ReadonlySet<string> {
  const set = sets.get(name) ?? new Set(codes[name]!.split(' '))
  sets.set(name, set)
  return set
}
