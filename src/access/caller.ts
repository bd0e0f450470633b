/**
 * Who is calling, once the token has been believed.
 */
export type Role = 'service' | 'partner' | 'referrer'

export type Caller = {
  /** Client id of the directory. */
  client: string
  role: Role
  /** The one shelf this caller can see: 'service:north-east', 'partner:gp-a81001', 'referrer:durham-health'. */
  shelf: string
  /** Service id, partner id; a referrer has neither. */
  service?: string
  partner?: string
  /** Display name and ODS code of the calling organisation. */
  name: string
  ods?: string
  /** `BASE/CodeSystem/referrer-type`, for a referrer. */
  referrerType?: string
  /** The directory says that this client may record and review overrides. */
  mayOverride?: true
  /** SMART v2 scopes granted, parsed: resource type or '*', and letters of c r u d s. */
  scopes: readonly { type: string; may: string }[]
}

/** One request: who asks, under which ids. */
export type Request = {
  caller: Caller
  requestId: string
  /** The caller chose the request id: the same id again asks for the same answer. */
  requestIdGiven: boolean
  correlationId: string
  /** Where it came from, as far as it is known. */
  address?: string
  /** The service a message is for, where the way it came says so. */
  to?: string
  /** `Prefer: handling=lenient`: unknown search parameters are ignored instead of refused. */
  lenient: boolean
}

/** May this caller do `letter` (c r u d s) on this resource type? */
export const allowed = (caller: Caller, type: string, letter: 'c' | 'r' | 'u' | 'd' | 's'): boolean =>
  caller.scopes.some((scope) => (scope.type === '*' || scope.type === type) && scope.may.includes(letter))
