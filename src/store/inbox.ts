/**
 * What was asked under which request id, and the answer it got; and which message Bundles were taken.
 */
import { type Database, type Statement, sealed, statement, unsealed } from './database.ts'

/** `fingerprint` is of method, path and body; `answer` JSON of the headers worth repeating and the body. */
export type Received = { client: string; requestId: string; fingerprint: string; at: string; status: number; answer: string }

export async function findReceived(database: Database, client: string, requestId: string): Promise<Received | undefined> {
  const rows = await database.query<Omit<Received, 'answer'> & { answer: Uint8Array }>(
    statement(
      'select client, request_id as requestId, fingerprint, at, status, answer from inbox where client = ? and request_id = ?',
      client,
      requestId,
    ),
  )
  const [answer] = await unsealed(
    database,
    rows,
    (row) => row.answer,
    () => holder,
    placeOf,
  )
  return rows[0] && answer !== undefined ? { ...rows[0], answer } : undefined
}

/** Taken already: `Conflict('inbox.client, inbox.request_id')`. */
export const keepReceived = (received: Received): Statement =>
  statement(
    'insert into inbox (client, request_id, fingerprint, at, status, answer) values (?, ?, ?, ?, ?, ?)',
    received.client,
    received.requestId,
    received.fingerprint,
    received.at,
    received.status,
    sealed(holder, placeOf(received), received.answer),
  )

const holder = 'inbox'
const placeOf = ({ client, requestId }: { client: string; requestId: string }): string => `inbox|${client}|${requestId}`

/** Forgets what is older than any sender repeats, the oldest first; gives one row for each. */
export const purgeReceived = (before: string, limit = 10_000): Statement =>
  statement('delete from inbox where rowid in (select rowid from inbox where at < ? order by at limit ?) returning 1', before, limit)

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
