/**
 * POST /fhir: a transaction stands or falls together; in a batch each entry is its own request.
 */
import type { Bundle, BundleEntry, OperationOutcome, Resource } from '@medplum/fhirtypes'
import type { Request } from '../access/caller.ts'
import { outcome, Refusal, refuse } from '../fhir/outcome.ts'
import type { Answer, Exchange } from './exchange.ts'
import { fingerprintOf, once } from './once.ts'
import type { Interaction } from './prepare.ts'
import { readHistory, readOne, readOneVersion, searchFor } from './reading.ts'
import { type Done, keep, placeOf, write } from './receive.ts'

export async function transact(exchange: Exchange, request: Request, body: unknown): Promise<Answer> {
  const bundle = bundleOf(body)
  if (bundle.type === 'batch') return batch(exchange, request, bundle)
  if (request.caller.role !== 'service')
    throw refuse(403, 'forbidden', 'Only a service writes to its record. Send a referral or an answer to $process-message.')
  const interactions = interactionsOf(bundle)
  return once(
    exchange,
    request,
    () => fingerprintOf('transaction', body),
    async (inbox) => {
      const done = await keep(exchange, request, interactions, (results) => inbox(response(exchange, results)))
      return response(exchange, done)
    },
  )
}

function bundleOf(body: unknown): Bundle {
  const type = (body as Bundle | undefined)?.type
  if ((body as Bundle | undefined)?.resourceType !== 'Bundle')
    throw refuse(400, 'invalid', 'A Bundle of type transaction or batch is posted here.', 'Bundle')
  if (type === 'message') throw refuse(400, 'not-supported', 'Messages are posted to $process-message.', 'Bundle.type')
  if (type !== 'transaction' && type !== 'batch')
    throw refuse(400, 'not-supported', 'Only transaction and batch are taken here.', 'Bundle.type')
  return body as Bundle
}

const methods = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/** Every entry as an interaction, or every entry that is none. */
function interactionsOf(bundle: Bundle): Interaction[] {
  const entries = Array.isArray(bundle.entry) ? bundle.entry : []
  if (!entries.length) throw refuse(400, 'required', 'The Bundle has no entry.', 'Bundle.entry')
  const urls = new Set<string>()
  const interactions = entries.map((entry, index) => {
    const at = `Bundle.entry[${index}]`
    const url = typeof entry?.fullUrl === 'string' ? entry.fullUrl : undefined
    if (url && urls.has(url)) throw refuse(400, 'invariant', 'Two entries have the same fullUrl.', `${at}.fullUrl`)
    if (url) urls.add(url)
    return interactionOf(entry, index)
  })
  const places = interactions.filter(({ id }) => id).map(({ type, id }) => `${type}/${id}`)
  if (new Set(places).size < places.length) throw refuse(400, 'invariant', 'Two entries change the same resource.', 'Bundle.entry')
  return interactions
}

function interactionOf(entry: BundleEntry, index: number): Interaction {
  const at = `Bundle.entry[${index}]`
  const { method, url, ifMatch, ifNoneExist } = entry?.request ?? {}
  if (typeof method !== 'string' || typeof url !== 'string')
    throw refuse(400, 'required', 'An entry of a transaction says what is to be done with it.', `${at}.request`)
  if (!methods.has(method))
    throw refuse(
      method === 'GET' ? 501 : 400,
      'not-supported',
      'A transaction here takes POST, PUT, PATCH and DELETE.',
      `${at}.request.method`,
    )
  const place = url.match(/^([A-Z][A-Za-z]+)(?:\/([A-Za-z0-9.-]{1,64}))?$/)
  if (!place || (method === 'POST') !== (place[2] === undefined))
    throw refuse(400, 'invalid', 'This address does not fit the method. Conditional addresses are not supported.', `${at}.request.url`)
  const version = ifMatch?.match(/^W\/"(\d+)"$/)?.[1]
  if (ifMatch !== undefined && version === undefined) throw refuse(400, 'value', 'ifMatch is written as W/"3".', `${at}.request.ifMatch`)
  return {
    method: method as Interaction['method'],
    type: place[1] as string,
    ...(place[2] ? { id: place[2] } : {}),
    ...(method === 'DELETE' ? {} : { body: method === 'PATCH' ? patchIn(entry.resource, at) : entry.resource }),
    ...(version ? { ifMatch: version } : {}),
    ...(ifNoneExist ? { ifNoneExist } : {}),
    ...(entry.fullUrl ? { fullUrl: entry.fullUrl } : {}),
    at: `${at}.resource`,
  }
}

/** In a Bundle a JSON Patch travels as a Binary. */
function patchIn(resource: Resource | undefined, at: string): unknown {
  if (resource?.resourceType !== 'Binary' || typeof resource.data !== 'string')
    throw refuse(400, 'required', 'A JSON Patch in a Bundle travels as a Binary with data.', `${at}.resource`)
  try {
    return JSON.parse(Buffer.from(resource.data, 'base64').toString('utf8'))
  } catch {
    throw refuse(400, 'structure', 'The Binary does not hold a JSON Patch.', `${at}.resource.data`)
  }
}

function response(exchange: Exchange, done: readonly Done[]): Answer {
  return {
    status: 200,
    body: {
      resourceType: 'Bundle',
      type: 'transaction-response',
      entry: done.map(({ status, stored }) => ({
        response: {
          status: statusLine(status),
          ...(stored ? { location: placeOf(exchange, stored), etag: `W/"${stored.version}"`, lastModified: stored.lastUpdated } : {}),
        },
      })),
    },
  }
}

async function batch(exchange: Exchange, request: Request, bundle: Bundle): Promise<Answer> {
  const { requestIdGiven: _, ...each } = request
  const entry: BundleEntry[] = []
  for (const [index, one] of (bundle.entry ?? []).entries()) {
    // Each entry is a request of its own; a repeated batch is told apart by its entries, so the inbox is asked for each.
    const own = { ...each, requestIdGiven: request.requestIdGiven, requestId: `${request.requestId}:${index}` } as Request
    entry.push(await alone(exchange, own, one, index))
  }
  return { status: 200, body: { resourceType: 'Bundle', type: 'batch-response', entry } }
}

async function alone(exchange: Exchange, request: Request, entry: BundleEntry, index: number): Promise<BundleEntry> {
  try {
    const answer =
      entry?.request?.method === 'GET'
        ? await get(exchange, request, entry.request.url)
        : await write(exchange, request, interactionOf(entry, index))
    const { location, etag } = answer.headers ?? {}
    return {
      ...(answer.body ? { resource: answer.body } : {}),
      response: { status: statusLine(answer.status), ...(location ? { location } : {}), ...(etag ? { etag } : {}) },
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { response: { status: statusLine(error.status), outcome: outcome(error.status, error.issues) as OperationOutcome } }
  }
}

/** A search, a read, a version or a history. What this is not must never be answered as if it were one of them. */
async function get(exchange: Exchange, request: Request, url: string): Promise<Answer> {
  const [path = '', query] = (typeof url === 'string' ? url : '').split('?')
  const [, type, id, history, version] =
    /^([A-Z][A-Za-z]+)(?:\/([A-Za-z0-9.-]{1,64})(?:(\/_history)(?:\/([A-Za-z0-9.-]+))?)?)?$/.exec(path) ?? []
  if (type === undefined)
    throw refuse(501, 'not-supported', 'A batch here reads resources, versions, histories and searches: ask anything else on its own.')
  if (id === undefined) return searchFor(exchange, request, type, new URLSearchParams(query))
  if (history === undefined) return readOne(exchange, request, type, id)
  return version === undefined ? readHistory(exchange, request, type, id) : readOneVersion(exchange, request, type, id, version)
}

const words: Record<number, string> = {
  200: 'OK',
  201: 'Created',
  204: 'No Content',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  410: 'Gone',
  412: 'Precondition Failed',
  422: 'Unprocessable Entity',
  501: 'Not Implemented',
}
const statusLine = (status: number): string => (words[status] ? `${status} ${words[status]}` : String(status))
