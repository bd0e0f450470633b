/**
 * The same request twice is once: a row in the inbox, in the same commit as what the request did.
 *
 * The row holds no content: a resource in an answer is read again at the version it had, and a partner is asked about anew, as at
 * every reading: what it may no longer see it is not given by repeating itself.
 */
import { createHash } from 'node:crypto'
import type { Resource } from '@medplum/fhirtypes'
import type { Request } from '../access/caller.ts'
import { outcome, refuse } from '../fhir/outcome.ts'
import { Conflict, type Statement } from '../store/database.ts'
import { findReceived, keepReceived } from '../store/inbox.ts'
import { readVersion } from '../store/resources.ts'
import type { Answer, Exchange } from './exchange.ts'
import { auditRead, viewing } from './viewing.ts'

/** What `work` gives: the answer, once its statements are committed together with the inbox row it is handed. */
export type Work = (inbox: (answer: Answer) => Statement[]) => Promise<Answer>

/** Answers that carry no one's details and so may stand in the inbox as they are. */
const harmless = new Set(['OperationOutcome'])

/**
 * @param fingerprint of what is asked: the same id with other content is a mistake and refused
 * @param again what a repeat is answered with; gives the first answer back unless told otherwise
 */
export async function once(
  exchange: Exchange,
  request: Request,
  fingerprint: () => Promise<string>,
  work: Work,
  again: (first: Answer) => Answer | Promise<Answer> = (first) => first,
): Promise<Answer> {
  if (!request.requestIdGiven) return work(() => [])
  const print = await fingerprint()
  const { database } = exchange
  const { client } = request.caller
  const repeat = async (): Promise<Answer | undefined> => {
    const row = await findReceived(database, client, request.requestId)
    if (!row) return undefined
    if (row.fingerprint !== print) throw refuse(409, 'conflict', 'This X-Request-Id was used before, for something else.')
    const { body, place, headers } = JSON.parse(row.answer) as { body?: Resource; place?: string; headers?: Record<string, string> }
    const kept = place ? await bodyAt(exchange, request, place) : body
    if (place && !kept && request.caller.role === 'partner') return taken(row.status)
    return again({ status: row.status, ...(headers ? { headers } : {}), ...(kept ? { body: kept } : {}) })
  }
  const before = await repeat()
  if (before) return before
  try {
    return await work((answer) => [
      keepReceived({
        client,
        requestId: request.requestId,
        fingerprint: print,
        at: exchange.now().toISOString(),
        status: answer.status,
        answer: JSON.stringify(summary(answer)),
      }),
    ])
  } catch (error) {
    // The same request was under way twice: the other one was faster.
    const first = error instanceof Conflict && error.what.includes('inbox') ? await repeat() : undefined
    if (first) return first
    throw error
  }
}

function summary({ headers, body }: Answer) {
  const kept = headers ? { headers } : {}
  if (!body) return kept
  if (harmless.has(body.resourceType) || (body.resourceType === 'Bundle' && body.type?.endsWith('-response'))) return { ...kept, body }
  return { ...kept, place: `${body.resourceType}/${body.id}/_history/${body.meta?.versionId}` }
}

async function bodyAt(exchange: Exchange, request: Request, place: string): Promise<Resource | undefined> {
  const [type, id, , version] = place.split('/')
  const stored = await readVersion(exchange.database, request.caller.shelf, type as string, id as string, Number(version))
  if (!stored || request.caller.role !== 'partner') return stored?.body
  return viewing(exchange, request, [stored], async (decided, lasting) => {
    await auditRead(exchange, request, 'vread', decided)
    return decided.seen.length ? (await lasting())[0]?.body : undefined
  })
}

/** It was done the first time; what it looked like is not there to be seen any more. */
const taken = (status: number): Answer => ({
  status,
  body: outcome(status, [{ code: 'informational', severity: 'information', text: 'This was taken before.' }]),
})

/** SHA-256 of method, path and body. */
export const fingerprintOf = async (...parts: unknown[]): Promise<string> =>
  createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
