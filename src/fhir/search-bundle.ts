/**
 * A page of search results as the Bundle a FHIR client expects.
 */
import type { Bundle, BundleLink, Resource } from '@medplum/fhirtypes'
import type { SearchQuery } from './search.ts'

/** A resource and the JSON it is kept as. */
export type Kept = { type: string; id: string; text: string }

/** Of a resource that was made for this answer. */
export const keptAs = (resource: Resource): Kept => ({
  type: resource.resourceType,
  id: resource.id as string,
  text: JSON.stringify(resource),
})

export type Page = {
  matches: readonly Kept[]
  included: readonly Kept[]
  next?: string
  total?: number
}

/**
 * The Bundle as JSON. Resources stand in the store as they are answered, so their texts go in as they are: a page of twenty is not
 * taken apart to be written again.
 *
 * @param publicUrl where the gateway is reached, without '/fhir'
 * @param at instant of the answer
 */
export function searchBundle(publicUrl: string, query: SearchQuery, { matches, included, next, total }: Page, at: string): string {
  const link = (relation: string, page?: string): BundleLink => {
    const asked = new URLSearchParams(query.asked)
    if (page) asked.set('_page', page)
    const text = asked.toString()
    return { relation, url: `${publicUrl}/fhir/${query.type}${text ? `?${text}` : ''}` }
  }
  const entry = ({ type, id, text }: Kept, mode: 'match' | 'include'): string => {
    const resource = mode === 'match' && query.elements ? JSON.stringify(only(JSON.parse(text) as Resource, query.elements)) : text
    return `{"fullUrl":${JSON.stringify(`${publicUrl}/fhir/${type}/${id}`)},"resource":${resource},"search":{"mode":"${mode}"}}`
  }
  const entries = [...matches.map((each) => entry(each, 'match')), ...included.map((each) => entry(each, 'include'))]
  const head: Bundle = {
    resourceType: 'Bundle',
    type: 'searchset',
    timestamp: at,
    ...(total === undefined ? {} : { total }),
    link: [link('self', query.here), ...(next ? [link('next', next)] : [])],
  }
  const text = JSON.stringify(head)
  return entries.length ? `${text.slice(0, -1)},"entry":[${entries.join(',')}]}` : text
}

/** `_elements`: these and what identifies the resource, marked as a part. */
function only(resource: Resource, elements: readonly string[]): Resource {
  const kept = new Set(['resourceType', 'id', 'meta', ...elements])
  const part = Object.fromEntries(Object.entries(resource).filter(([key]) => kept.has(key))) as unknown as Resource
  const subsetted = { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' }
  return { ...part, meta: { ...resource.meta, tag: [...(resource.meta?.tag ?? []), subsetted] } } as Resource
}
