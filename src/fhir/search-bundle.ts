/**
 * A page of search results as the Bundle a FHIR client expects.
 */
import type { Bundle, BundleEntry, BundleLink, Resource } from '@medplum/fhirtypes'
import type { SearchQuery } from './search.ts'

export type Page = {
  matches: readonly Resource[]
  included: readonly Resource[]
  next?: string
  total?: number
}

/**
 * @param publicUrl where the gateway is reached, without '/fhir'
 * @param at instant of the answer
 */
export function searchBundle(publicUrl: string, query: SearchQuery, { matches, included, next, total }: Page, at: string): Bundle {
  const link = (relation: string, page?: string): BundleLink => {
    const asked = new URLSearchParams(query.asked)
    if (page) asked.set('_page', page)
    const text = asked.toString()
    return { relation, url: `${publicUrl}/fhir/${query.type}${text ? `?${text}` : ''}` }
  }
  const entry = (resource: Resource, mode: 'match' | 'include'): BundleEntry => ({
    fullUrl: `${publicUrl}/fhir/${resource.resourceType}/${resource.id}`,
    resource: mode === 'match' && query.elements ? only(resource, query.elements) : resource,
    search: { mode },
  })
  const entries = [...matches.map((each) => entry(each, 'match')), ...included.map((each) => entry(each, 'include'))]
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    timestamp: at,
    ...(total === undefined ? {} : { total }),
    link: [link('self', query.here), ...(next ? [link('next', next)] : [])],
    ...(entries.length ? { entry: entries } : {}),
  }
}

/** `_elements`: these and what identifies the resource, marked as a part. */
function only(resource: Resource, elements: readonly string[]): Resource {
  const kept = new Set(['resourceType', 'id', 'meta', ...elements])
  const part = Object.fromEntries(Object.entries(resource).filter(([key]) => kept.has(key))) as unknown as Resource
  const subsetted = { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' }
  return { ...part, meta: { ...resource.meta, tag: [...(resource.meta?.tag ?? []), subsetted] } } as Resource
}
