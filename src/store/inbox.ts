/**
 * What was asked under which request id, and the answer it got; and which message Bundles were taken.
 */
import { type Database, type Statement, statement } from './database.ts'

/** `fingerprint` is of method, path and body; `answer` JSON of the headers worth repeating and the body. */
export type Received = { client: string; requestId: string; fingerprint: string; at: string; status: number; answer: string }

export async function findReceived(database: Database, client: string, requestId: string): Promise<Received | undefined> {
  const [row] = await database.query<Received>(
    statement(
      'select client, request_id as requestId, fingerprint, at, status, answer from inbox where client = ? and request_id = ?',
      client,
      requestId,
    ),
  )
  return row
}

/** Taken already: `Conflict('inbox.client, inbox.request_id')`. */
export const keepReceived = ({ client, requestId, fingerprint, at, status, answer }: Received): Statement =>
  statement(
    'insert into inbox (client, request_id, fingerprint, at, status, answer) values (?, ?, ?, ?, ?, ?)',
    client,
    requestId,
    fingerprint,
    at,
    status,
    answer,
  )

/** Forgets what is older than any sender repeats. */
export const purgeReceived = (before: string): Statement => statement('delete from inbox where at < ?', before)

/** Taken already: `Conflict('message_taken.client, message_taken.bundle')`. */
export const takeMessage = (client: string, bundle: string, at: string): Statement =>
  statement('insert into message_taken (client, bundle, at) values (?, ?, ?)', client, bundle, at)

/** When this client's message Bundle was taken. */
export async function messageTakenAt(database: Database, client: string, bundle: string): Promise<string | undefined> {
  const [row] = await database.query<{ at: string }>(
    statement('select at from message_taken where client = ? and bundle = ?', client, bundle),
  )
  return row?.at
}
