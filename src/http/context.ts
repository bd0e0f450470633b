/**
 * What one request carries through the door, and what every route is given.
 */
import type { Context } from 'hono'
import type { Caller, Request } from '../access/caller.ts'
import type { Client } from '../access/directory-file.ts'
import type { Tokens } from '../access/tokens.ts'
import type { WebhookSecrets } from '../access/webhook.ts'
import type { Steps } from '../exchange/ask.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { SearchParameters } from '../fhir/capability.ts'
import type { Document } from '../pages/document.ts'
import type { Limit } from './limit.ts'
import type { Metrics } from './metrics.ts'

export type Variables = {
  requestId: string
  requestIdGiven: boolean
  correlationId: string
  caller: Caller
  address: string | undefined
  /** Headers of every answer (outermost.ts), in lower case; `dressed`: this answer has them already. */
  always: () => Record<string, string>
  dressed?: boolean
}
/** Node's own server hands its socket along; elsewhere nothing is bound. */
export type Door = { Variables: Variables; Bindings: object }
export type Asked = Context<Door>

export type Settings = {
  /** 32 bytes. */
  masterKey: Uint8Array
  /** Requests per client and second. */
  rateLimit: number
  /** Resource types with routes, and what each is searched by. */
  types: readonly string[]
  searchParameters: SearchParameters
  /** Served types that cannot be written: Organization comes from the directory. */
  readOnly?: readonly string[]
  /** Address of whoever is at the other end; undefined: not known, so nobody special. */
  peer?: (c: Asked) => string | undefined
  /** Set when the clock is manual: moves it, running everything that falls due on the way. */
  turn?: (to: Date) => Promise<void>
  /** True once we have been asked to stop. */
  stopping?: () => boolean
  metrics?: Metrics
  /** Who may send events as signed webhooks. */
  webhooks?: WebhookSecrets
  /** Makes a PDF of a page, where that can be done. */
  pdf?: (page: Document, how: { large: boolean; at: Date }) => Promise<Uint8Array>
}

export type Parts = { exchange: Exchange; steps: Steps; clients: () => ReadonlyMap<string, Client>; settings: Settings }

/** What the routes share: the parts, and what `createApp` made of them. */
export type Hall = Parts & { tokens: Tokens; metrics: Metrics; clientLimit: Limit; peerLimit: Limit }

/** What the steps are told about a request. */
export const requestOf = (c: Asked, lenient: boolean): Request => ({
  caller: c.get('caller'),
  requestId: c.get('requestId'),
  requestIdGiven: c.get('requestIdGiven'),
  correlationId: c.get('correlationId'),
  lenient,
  ...(c.get('address') === undefined ? {} : { address: c.get('address') as string }),
})
