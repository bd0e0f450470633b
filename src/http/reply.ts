/**
 * A step's answer as an HTTP response: ETag, Last-Modified, Location from the resource itself, and what Prefer asked for.
 */
import type { Resource } from '@medplum/fhirtypes'
import type { ContentfulStatusCode, StatusCode } from 'hono/utils/http-status'
import type { Answer } from '../exchange/exchange.ts'
import { outcome } from '../fhir/outcome.ts'
import type { Asked } from './context.ts'
import { fhirJson } from './errors.ts'
import { namesETag, type Preferences } from './headers.ts'

export function reply(c: Asked, answer: Answer, publicUrl: string): Response {
  const pretty = c.req.query('_pretty') === 'true'
  if (answer.text !== undefined && !pretty) return asItStands(c, answer.text, answer)
  const { status, headers = {}, body } = answer
  const all = { ...derived(status, body, publicUrl), ...headers }
  for (const [name, value] of Object.entries(all)) c.header(name, value)
  const etag = Object.entries(all).find(([name]) => name.toLowerCase() === 'etag')?.[1]
  if (status === 200 && etag && isRead(c) && namesETag(c.req.header('if-none-match'), etag)) return c.body(null, 304)
  if (!body) return c.body(null, status as StatusCode)
  c.header('Content-Type', fhirJson)
  return c.body(JSON.stringify(body, null, pretty ? 2 : undefined), status as ContentfulStatusCode)
}

/** Reads and searches are most of what is asked: one plain record of headers instead of a `Headers` filled one by one. */
function asItStands(c: Asked, text: string, { status, headers = {} }: Answer): Response {
  const all: Record<string, string> = { ...c.get('always')(), ...headers }
  c.set('dressed', true)
  if (status === 200 && headers.etag && isRead(c) && namesETag(c.req.header('if-none-match'), headers.etag))
    return new Response(null, { status: 304, headers: all })
  all['content-type'] = fhirJson
  return new Response(text, { status, headers: all })
}

/** The answer to a write, in the form the caller prefers: the resource unless it said otherwise. */
export function preferred(answer: Answer, { return: wanted }: Preferences, publicUrl: string): Answer {
  const { status, body } = answer
  if (!wanted || status >= 300 || !body || body.resourceType === 'OperationOutcome') return answer
  const headers = { ...derived(status, body, publicUrl), ...answer.headers, 'Preference-Applied': `return=${wanted}` }
  if (wanted === 'representation') return { ...answer, headers }
  if (wanted === 'minimal') return { status, headers }
  return { status, headers, body: outcome(status, [{ code: 'informational', severity: 'information', text: 'Done.' }]) }
}

const isRead = (c: Asked) => c.req.method === 'GET' || c.req.method === 'HEAD'

function derived(status: number, body: Resource | undefined, publicUrl: string): Record<string, string> {
  const { versionId, lastUpdated } = body?.meta ?? {}
  if (!body || !versionId) return {}
  return {
    ETag: `W/"${versionId}"`,
    ...(lastUpdated ? { 'Last-Modified': new Date(lastUpdated).toUTCString() } : {}),
    ...(status === 201 ? { Location: `${publicUrl}/fhir/${body.resourceType}/${body.id}/_history/${versionId}` } : {}),
  }
}
