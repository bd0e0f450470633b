/**
 * What of a record a person has to look at before it is given to the one it is about: what others said or what is said about others,
 * what could put somebody in danger, and free text, which can hold anything. Marked, never left out: somebody decides.
 *
 * Ours, and meant to mark too much: the deploying organisation's subject-access procedure decides what is taken out.
 *
 * @see UK GDPR Article 15(4); Data Protection Act 2018 Schedule 2 paragraph 16 (others) and Schedule 3 Part 2 (serious harm)
 */
import type { Resource } from '@medplum/fhirtypes'
import { type Category, categoryOfLabel } from './categories.ts'

export const marks = {
  'third-party': 'It is about somebody else, or names them.',
  'said-by-others': 'Somebody else said it, perhaps in confidence.',
  risk: 'It is about danger to others or about keeping somebody safe. Could showing it do serious harm?',
  therapy: 'Notes from therapy: ask whoever wrote them before they are shown.',
  'free-text': 'Free text: it may name others, or hold anything of the above.',
  document: 'A document or a picture: look at it as a whole.',
} as const
export type MarkCode = keyof typeof marks
/** `path`: where in the resource; its own name for all of it. */
export type Mark = { code: MarkCode; path: string }

const delicate: Readonly<Partial<Record<Category, MarkCode>>> = {
  'risk-to-others': 'risk',
  safeguarding: 'risk',
  abuse: 'risk',
  'therapy-notes': 'therapy',
}

/** Elements whose text somebody typed in. */
const typedIn = new Set([
  'text',
  'description',
  'comment',
  'patientInstruction',
  'valueString',
  'contentString',
  'outcomeText',
  'summary',
  'title',
])

export function marksOf(resource: Resource): Mark[] {
  const type = resource.resourceType
  const found: Mark[] = []
  if (type === 'RelatedPerson') found.push({ code: 'third-party', path: type })
  for (const label of resource.meta?.security ?? []) {
    const category = categoryOfLabel(label)
    const code = category && delicate[category]
    if (code) found.push({ code, path: type })
  }
  walk(resource as unknown as Json, type, (path, name, value) => {
    if (path === 'Patient.contact') found.push({ code: 'third-party', path })
    else if (name === 'reference' && typeof value === 'string' && /^RelatedPerson\//.test(value))
      found.push({ code: 'said-by-others', path })
    else if (name === 'attachment' || name === 'photo' || name === 'contentAttachment') found.push({ code: 'document', path })
    else if (typeof value === 'string' && isTyped(path, name)) found.push({ code: 'free-text', path })
  })
  const seen = new Set<string>()
  return found.filter(({ code, path }) => !seen.has(`${code} ${path}`) && seen.add(`${code} ${path}`))
}

type Json = { readonly [name: string]: unknown }

/** A name's or an address's text is data; a concept's text without a code, and a note's, is somebody's sentence. */
const isTyped = (path: string, name: string): boolean =>
  (typedIn.has(name) || /\.note(\[\d+\])?\.text$/.test(path) || name === 'div') && !/\.(name|address|telecom|meta)(\[\d+\])?\./.test(path)

function walk(node: Json, path: string, see: (path: string, name: string, value: unknown) => void): void {
  for (const [name, value] of Object.entries(node)) {
    if (name === 'meta') continue
    const here = `${path}.${name}`
    see(here, name, value)
    if (Array.isArray(value)) {
      for (const [n, one] of value.entries()) if (typeof one === 'object' && one !== null) walk(one as Json, `${here}[${n}]`, see)
    } else if (typeof value === 'object' && value !== null) walk(value as Json, here, see)
  }
}
