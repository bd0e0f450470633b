/**
 * Is this FHIR R4? A resource, or everything that is wrong with it.
 *
 * Structure, cardinality, formats, required codes and constraints of base R4 for the types we serve; not profiles, and of references
 * only the format. Written as a walk over a table because intake has 22 resources to check in a few milliseconds: Medplum's
 * validator gives the same answers (the tests hold us to it) at a tenth of the speed.
 */
import type { Resource } from '@medplum/fhirtypes'
import type { Issue, IssueCode } from './outcome.ts'
import type { Primitive } from './validate-primitives.ts'
import type { Around, Node, Rule } from './validate-rules.ts'
import { isWordOfFhir, type Shape, type Slot, servedTypes, shapeOf } from './validate-shapes.ts'

export { servedTypes }

export type Validated<T extends Resource = Resource> = { resource: T } | { issues: Issue[] }

/** Levels of JSON objects and lists (CONTRACT.md 9). */
const deepest = 64
/** More are not worth reading, and would let a small request ask for a large answer. */
const mostIssues = 100

/**
 * Checks a resource, with what it contains and, for a Bundle, every entry.
 *
 * @param value anything, as JSON.parse gives it
 * @param at FHIRPath of `value` when it is part of something else: 'Bundle.entry[3].resource'. Otherwise its resource type.
 * @returns the same object, or its first hundred issues; texts and expressions name elements and never hold a value of the input
 */
export function validate(value: unknown, at?: string): Validated {
  const walk = new Walk()
  walk.resource(value, at, 1)
  return walk.issues.length === 0 ? { resource: value as Resource } : { issues: walk.issues }
}

const served = new Set(servedTypes)
const jsonNames = { string: 'text', number: 'a number', boolean: 'true or false' } as const

class Walk {
  readonly issues: Issue[] = []
  /** How often something was not the kind of JSON it should be. Rules are asked only of what has its shape. */
  private misshapen = 0

  resource(value: unknown, at: string | undefined, depth: number, outer?: Around) {
    if (!isNode(value)) return this.shapeless(at ?? 'Resource', 'A resource must be an object')
    const type = value.resourceType
    if (type === undefined) return this.shapeless(at ?? 'Resource', 'resourceType is required', 'required')
    if (typeof type !== 'string') return this.shapeless(at ?? 'Resource', 'resourceType must be text')
    if (!served.has(type)) return this.shapeless(at ?? 'Resource', 'This type of resource is not supported here', 'not-supported')
    this.object(value, type, at ?? type, depth, { resource: value, container: outer?.container ?? value }, true)
  }

  /** One object, its elements, then the rules about it. */
  private object(node: Node, type: string, at: string, depth: number, around: Around, isResource = false) {
    if (depth > deepest) return this.shapeless(at, `There are more than ${deepest} levels of nesting`)
    const shape = shapeOf(type)
    const before = this.misshapen
    let empty = true
    let chosen: Map<string, string> | undefined
    let place = 0
    for (const name of Object.keys(node)) {
      place++
      const value = node[name]
      if (value === undefined || (isResource && name === 'resourceType')) continue
      empty = false
      const slot = shape.slots.get(name)
      const extended = slot ? undefined : extendedSlot(shape, name)
      const known = slot ?? extended
      if (!known) {
        this.stranger(name, place, type, shape, at)
        continue
      }
      const path = `${at}.${known.element}`
      if (known.choice) {
        chosen ??= new Map()
        const other = chosen.get(known.element)
        if (other !== undefined && other !== known.name) this.issue('structure', `Only one type of ${known.element}[x] may be given`, path)
        chosen.set(known.element, known.name)
      }
      if (slot) this.element(value, slot, path, depth, around, node)
      else this.extended(value, known, path, depth, around, node)
    }
    if (empty && !isResource) return this.shapeless(at, 'An object must not be empty')
    for (const { element, names } of shape.required) {
      if (!names.some((name) => node[name] !== undefined)) this.issue('required', `${element} is required`, `${at}.${element}`)
    }
    if (this.misshapen === before) this.rules(shape.rules, node, at, around)
  }

  private element(value: unknown, slot: Slot, at: string, depth: number, around: Around, node: Node) {
    if (!slot.many) {
      if (Array.isArray(value)) return this.shapeless(at, `${slot.name} must not be a list`)
      return this.one(value, slot, at, depth + 1, around)
    }
    if (!Array.isArray(value)) return this.shapeless(at, `${slot.name} must be a list`)
    if (value.length === 0) return this.shapeless(at, `${slot.name} must not be an empty list`)
    const partner = slot.primitive ? node[`_${slot.name}`] : undefined
    for (let index = 0; index < value.length; index++) {
      if (value[index] === null && Array.isArray(partner) && isNode(partner[index])) continue
      this.one(value[index], slot, `${at}[${index}]`, depth + 2, around)
    }
  }

  /** One value of an element. */
  private one(value: unknown, slot: Slot, at: string, depth: number, around: Around) {
    if (value === null || value === undefined) return this.shapeless(at, `${slot.name} must not be null`)
    const before = this.misshapen
    if (slot.primitive) {
      if (!this.primitive(value, slot, slot.primitive, at)) return
    } else if (slot.type === 'Resource') {
      return this.resource(value, at, depth, slot.element === 'contained' ? around : undefined)
    } else {
      if (!isNode(value)) return this.shapeless(at, `${slot.name} must be an object`)
      this.object(value, slot.type, at, depth, around)
      if (slot.system && this.misshapen === before && !oneOfThem(value, slot.system, slot.codes!)) {
        this.issue('code-invalid', `${slot.name} must have a coding of the system ${slot.system}: ${listed(slot.codes!)}`, at)
      }
    }
    if (this.misshapen === before) this.rules(slot.rules, value as Node, at, around)
  }

  private primitive(value: unknown, slot: Slot, { json, holds, says }: Primitive, at: string): boolean {
    if (typeof value !== json) {
      this.shapeless(at, `${slot.name} must be ${jsonNames[json]}`)
      return false
    }
    if (value === '') this.issue('value', `${slot.name} must not be empty`, at)
    else if (!holds(value as never)) this.issue('value', `${slot.name} must be ${says}`, at)
    else if (slot.codes && !slot.codes.has(value as string)) this.issue('code-invalid', `${slot.name} must be ${listed(slot.codes)}`, at)
    else return true
    return false
  }

  /** '_birthDate': the id and extensions of a primitive, or for a list of primitives a list of those. */
  private extended(value: unknown, slot: Slot, at: string, depth: number, around: Around, node: Node) {
    if (!slot.many) {
      if (!isNode(value)) return this.shapeless(at, `_${slot.name} must be an object`)
      return this.object(value, 'Element', at, depth + 1, around)
    }
    if (!Array.isArray(value) || value.length === 0) return this.shapeless(at, `_${slot.name} must be a list that is not empty`)
    const partner = node[slot.name]
    for (let index = 0; index < value.length; index++) {
      const one: unknown = value[index]
      if (isNode(one)) this.object(one, 'Element', `${at}[${index}]`, depth + 2, around)
      else if (one !== null) this.shapeless(`${at}[${index}]`, `_${slot.name} must hold objects`)
      else if (!Array.isArray(partner) || index >= partner.length) this.shapeless(`${at}[${index}]`, `_${slot.name} must not be null`)
    }
  }

  private rules(rules: readonly Rule[], node: Node, at: string, around: Around) {
    for (const { key, says, holds } of rules) if (!holds(node, around)) this.issue('invariant', `${says} (${key})`, at)
  }

  /** A name that is none of ours may be somebody's: it is named by its place, or by the element that was meant. */
  private stranger(name: string, place: number, type: string, { slots }: Shape, at: string) {
    const meant = [...slots.keys()].find((each) => each.toLowerCase() === name.toLowerCase())
    if (meant) this.issue('structure', `${type} has no such element: did you mean ${meant}`, `${at}.${meant}`)
    else if (isWordOfFhir(name)) this.issue('structure', `${type} has no such element`, `${at}.${name}`)
    else this.issue('structure', `${type} has no such element (property ${place} of the object)`, at)
  }

  private shapeless(at: string, says: string, code: IssueCode = 'structure') {
    this.misshapen++
    this.issue(code, says, at)
  }

  private issue(code: IssueCode, says: string, expression: string) {
    if (this.issues.length < mostIssues) this.issues.push({ code, text: `${says}.`, expression })
  }
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value)

function extendedSlot(shape: Shape, name: string): Slot | undefined {
  const slot = name.startsWith('_') ? shape.slots.get(name.slice(1)) : undefined
  return slot?.primitive ? slot : undefined
}

const oneOfThem = (concept: Node, system: string, codes: ReadonlySet<string>) =>
  ((concept.coding ?? []) as Node[]).some((coding) => coding.system === system && codes.has(coding.code as string))

const listed = (codes: ReadonlySet<string>) => (codes.size > 20 ? 'a code of its value set' : `one of ${[...codes].join(', ')}`)
