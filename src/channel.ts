/**
 * How bytes reach a partner. One attempt, never a retry: the outbox decides about those.
 */
import type { ZodType } from 'zod'

/** A frozen message: the same bytes and headers at every attempt. */
export type Parcel = {
  /** The message's key, a UUID; the same at every attempt, so that a receiver can drop a repeat. */
  key: string
  /** One UUID for everything about one case. */
  correlation: string
  body: string
  contentType: string
  /** Who sends and who is meant, for channels that say so in headers. */
  from: { name: string; ods?: string }
  to: { id: string; name: string; ods?: string }
}

/** `fetch`, told what the directory allows this partner: an address that is not public, a way without encryption. */
export type Fetch = (input: RequestInfo | URL, init?: RequestInit & { allowPrivate?: boolean; allowHttp?: boolean }) => Promise<Response>

export type Context<S> = { settings: S; fetch: Fetch; signal: AbortSignal }

export type Delivery =
  /** Theirs now; their reference. */
  | { outcome: 'accepted'; receipt: string }
  /** Repeating would not help: a person looks. Issues are codes and short texts, never their reply in full. `unsent`: it was us, not they. */
  | { outcome: 'rejected'; issues: string[]; unsent?: true }
  /** The outbox tries again. `unanswered`: the partner may have it all the same. */
  | { outcome: 'unavailable'; reason: string; unanswered: boolean; retryAfterSeconds?: number }

export type Channel<S = unknown> = {
  name: string
  settings: ZodType<S>
  send(parcel: Parcel, context: Context<S>): Promise<Delivery>
}

export const defineChannel = <S>(channel: Channel<S>): Channel => channel as Channel
