/**
 * A person's whole record to be read on paper: every resource, every value, and a mark where somebody has to look before it is given.
 */
import type { Resource } from '@medplum/fhirtypes'
import { type Mark, marks } from '../domain/review-marks.ts'
import { type Block, type Document, dayOf, heading, list, paragraph, sentence } from './document.ts'

export type RecordToRead = {
  person: string
  service: string
  at: string
  resources: readonly { resource: Resource; marks: readonly Mark[] }[]
}

export function recordPage({ person, service, at, resources }: RecordToRead): Document {
  const marked = resources.filter((one) => one.marks.length).length
  return {
    title: 'Your record',
    about: [`For ${person}`, `From ${service}, ${dayOf(at)}`],
    blocks: [
      heading('Before this is given to the person'),
      paragraph(
        `Nothing was left out. ${marked} of ${resources.length} entries are marked “To look at”: somebody has to read them and decide what is taken out, and why. Take this page out as well.`,
      ),
      ...list(...Object.values(marks)),
      ...[...Map.groupBy(resources, ({ resource }) => resource.resourceType)].flatMap(([type, some]) => [
        heading(named(type)),
        ...some.flatMap(({ resource, marks: own }, n) => entryBlocks(resource, own, `${named(type)} ${n + 1}`)),
      ]),
    ],
  }
}

function entryBlocks(resource: Resource, own: readonly Mark[], title: string): Block[] {
  return [
    heading(title, 3),
    ...[...Map.groupBy(own, ({ code }) => code)].map(
      ([code, some]): Block => ({
        kind: 'mark',
        text: `${marks[code]} (${[...new Set(some.map(({ path }) => path.replace(/\[\d+\]/g, '')))].join(', ')})`,
      }),
    ),
    {
      kind: 'table',
      caption: `What ${title} says.`,
      head: ['What', 'Says'],
      rows: valuesOf(resource as unknown as Json).map(([path, value]) => [words(path), value]),
    },
  ]
}

type Json = { readonly [name: string]: unknown }

/** Every value, with the way to it. What only machines need (ids, versions, profiles, systems of codes) is in the Bundle beside it. */
function valuesOf(node: Json, path = ''): [path: string, value: string][] {
  return Object.entries(node).flatMap(([name, value]): [string, string][] => {
    if (/^(resourceType|id|meta|system|profile|versionId|url)$/.test(name)) return []
    // 'code coding code' is the code.
    const here = /^(coding|reference)$/.test(name) || path.endsWith(` ${name}`) || path === name ? path : path ? `${path} ${name}` : name
    const each = Array.isArray(value) ? value : [value]
    const plain = each.filter((one) => typeof one !== 'object').map(String)
    const nested = each.flatMap((one) => (typeof one === 'object' && one !== null ? valuesOf(one as Json, here) : []))
    return [...(plain.length ? [[here, plain.join(', ').replace(/<[^>]+>/g, ' ')] as [string, string]] : []), ...nested]
  })
}

/** 'birthDate' is 'Birth date'. */
const words = (path: string): string => sentence(path.replace(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`))
const named = (type: string): string => words(type.charAt(0).toLowerCase() + type.slice(1))
