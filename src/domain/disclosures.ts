/**
 * Everything a mapping can ever let out, row by row: what an information-governance lead reads and signs.
 */
import { type Each, isEach, isGap, type Mapping, type Only } from '../mapping.ts'
import type { Category } from './categories.ts'

/** One line of the table an information-governance lead signs. */
export type DisclosureRow = {
  section: string
  element: string
  what: string
  categories: readonly Category[]
  must: boolean
  /** An item of a list is told only if it is this as well. */
  only?: Only
  why: string
}

/** Every value a mapping can ever let out: the section and FHIR element it goes to, where it comes from, under which categories. */
export function disclosures(mapping: Mapping): DisclosureRow[] {
  const rows: DisclosureRow[] = []
  const walk = (node: unknown, section: string, element: string, list?: Each): void => {
    if (isGap(node)) {
      const source = node.category
        ? { what: node.path, categories: [node.category] }
        : { what: `${list!.list}.${node.path}`, categories: list!.may, ...(list!.only ? { only: list!.only } : {}) }
      if (!node.link) rows.push({ section, element, ...source, must: node.must, why: reasonFor(mapping, section, element) })
      return
    }
    if (isEach(node)) {
      walk(node.template, section, element, node)
      return
    }
    if (Array.isArray(node)) for (const part of node) walk(part, section, element, list)
    else if (typeof node === 'object' && node !== null) {
      const type = (node as { resourceType?: string }).resourceType
      for (const [key, child] of Object.entries(node)) walk(child, section, type ? `${type}.${key}` : `${element}.${key}`, list)
    }
  }
  for (const [section, template] of Object.entries(mapping.message)) walk(template, section, '')
  return rows
}

/** The nearest reason: of the element or a part it stands in, else of its section. */
function reasonFor({ why }: Mapping, section: string, element: string): string {
  const reasons = why as Readonly<Record<string, string>>
  const parts = [section, ...element.split('.').slice(1)]
  const own = parts.map((_, dropped) => reasons[parts.slice(0, parts.length - dropped).join('.')])
  return own.find((reason) => reason !== undefined) as string
}
