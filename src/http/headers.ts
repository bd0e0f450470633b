/**
 * The headers FHIR gives a meaning: If-Match, Prefer, Accept.
 */
import { refuse } from '../fhir/outcome.ts'

/**
 * `W/"3"` gives '3'.
 *
 * @throws Refusal 400 when it names no single version
 */
export function versionOf(ifMatch: string | undefined): string | undefined {
  if (ifMatch === undefined) return undefined
  const version = /^\s*(?:W\/)?"([A-Za-z0-9.-]{1,64})"\s*$/.exec(ifMatch)?.[1]
  if (version === undefined) throw refuse(400, 'value', 'If-Match must name one version, such as W/"3".')
  return version
}

/** Does If-None-Match name this ETag? Weak comparison, as for every safe request (RFC 9110 13.1.2). */
export const namesETag = (ifNoneMatch: string | undefined, etag: string): boolean =>
  ifNoneMatch !== undefined && (ifNoneMatch.trim() === '*' || ifNoneMatch.split(',').some((one) => bare(one) === bare(etag)))
const bare = (etag: string) => etag.trim().replace(/^W\//, '')

export type Preferences = { return?: 'minimal' | 'representation' | 'OperationOutcome'; lenient: boolean }

/** What is not understood is ignored (RFC 7240). */
export function preferencesOf(prefer: string | undefined): Preferences {
  const words = (prefer ?? '').split(/[,;]/).map((one) => one.trim().replaceAll('"', ''))
  const wanted = (['minimal', 'representation', 'OperationOutcome'] as const).find((one) => words.includes(`return=${one}`))
  return { ...(wanted ? { return: wanted } : {}), lenient: words.includes('handling=lenient') }
}

export type Form = 'json' | 'html' | 'pdf'
const forms: Readonly<Record<string, Form>> = { html: 'html', 'text/html': 'html', pdf: 'pdf', 'application/pdf': 'pdf' }

/** The first that is asked for of those a person can read; JSON where it comes first or nothing is said. `_format` goes before Accept. */
export function formOf(accept: string | undefined, format: string | null): Form {
  if (format !== null) return forms[format.split(';')[0]!.trim().toLowerCase()] ?? 'json'
  for (const range of (accept ?? '').split(',')) {
    const [type = ''] = range.split(';').map((one) => one.trim().toLowerCase())
    if (forms[type]) return forms[type]
    if (jsonRanges.includes(type)) return 'json'
  }
  return 'json'
}

const jsonRanges = ['*/*', 'application/*', 'application/fhir+json', 'application/json', 'text/json']
const jsonFormats = ['json', 'application/json', 'application/fhir+json', 'text/json']

/**
 * We speak JSON, FHIR R4. `_format` goes before Accept.
 *
 * @throws Refusal 406 when neither allows it
 */
export function mustAcceptJson(accept: string | undefined, format: string | null) {
  // A plus sign in a query is a blank.
  if (format !== null) {
    if (jsonFormats.includes(format.split(';')[0]!.trim().replace(' ', '+').toLowerCase())) return
  } else if (!accept || accept.split(',').some(takesJson)) return
  throw refuse(406, 'not-supported', 'Only JSON is spoken here: application/fhir+json.')
}

function takesJson(range: string): boolean {
  const [type = '', ...parameters] = range.split(';').map((one) => one.trim().toLowerCase())
  const q = parameters.find((one) => one.startsWith('q='))
  const version = parameters.find((one) => one.startsWith('fhirversion='))
  return jsonRanges.includes(type) && !(q && Number(q.slice(2)) === 0) && (!version || /^fhirversion="?4\.0(\.1)?"?$/.test(version))
}
