/**
 * Access tokens: made for five minutes, good on any instance and after a restart, worthless the moment their client goes.
 */
import { jwtVerify, SignJWT } from 'jose'
import { LRUCache } from 'lru-cache'
import type { Directory } from '../domain/directory.ts'
import type { Caller } from './caller.ts'
import type { Client } from './directory-file.ts'
import { keyFor } from './keys.ts'
import { common, readScopes, type Scope, writeScopes } from './scopes.ts'

export const tokenSeconds = 300

export type Tokens = {
  issue(client: Client, scopes: readonly Scope[]): Promise<string>
  /** Who holds this token, as the directory sees them now; undefined when it is not, or no longer, good. */
  callerOf(token: string): Promise<Caller | undefined>
}

type Believed = { client: string; scopes: Scope[]; expires: number; caller?: { is: Caller; client: Client; directory: Directory } }

/** @param now real time in milliseconds: tokens do not follow a manual clock */
export function createTokens(from: {
  masterKey: Uint8Array
  publicUrl: string
  clients: () => ReadonlyMap<string, Client>
  directory: () => Directory
  now?: () => number
}): Tokens {
  const { clients, directory, now = Date.now } = from
  const key = keyFor(from.masterKey, 'access token')
  const issuer = from.publicUrl
  const audience = `${from.publicUrl}/fhir`
  const believed = new LRUCache<string, Believed>({ max: 5_000 })

  const believe = async (token: string): Promise<Believed | undefined> => {
    const known = believed.get(token)
    if (known) return known
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: ['HS256'],
        typ: 'at+jwt',
        issuer,
        audience,
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(now()),
      })
      const fresh: Believed = {
        client: payload.sub as string,
        scopes: readScopes(String(payload.scope)),
        expires: (payload.exp as number) * 1000,
      }
      believed.set(token, fresh)
      return fresh
    } catch {
      return undefined
    }
  }

  return {
    issue: (client, scopes) => {
      const seconds = Math.floor(now() / 1000)
      return new SignJWT({ scope: writeScopes(scopes) })
        .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(client.id)
        .setJti(crypto.randomUUID())
        .setIssuedAt(seconds)
        .setExpirationTime(seconds + tokenSeconds)
        .sign(key)
    },

    callerOf: async (token) => {
      const found = await believe(token)
      if (!found || found.expires <= now()) return undefined
      const client = clients().get(found.client)
      const known = directory()
      if (!client) return undefined
      // Built again whenever the directory was: a scope taken away is gone at once.
      if (found.caller?.client !== client || found.caller.directory !== known) {
        const caller = callerFor(client, common(found.scopes, readScopes(client.scope)), known)
        if (!caller) return undefined
        found.caller = { is: caller, client, directory: known }
      }
      return found.caller.is
    },
  }
}

/** The caller a client is, or undefined when the service or partner it belongs to is gone or retired. */
export function callerFor(client: Client, scopes: readonly Scope[], directory: Directory): Caller | undefined {
  const { id, role } = client
  if (client.retired) return undefined
  if (role === 'service') {
    const service = directory.services.get(client.service ?? '')
    return (
      service && {
        client: id,
        role,
        shelf: `service:${service.id}`,
        service: service.id,
        name: service.name,
        ...(service.ods ? { ods: service.ods } : {}),
        ...(client.override ? { mayOverride: true as const } : {}),
        scopes,
      }
    )
  }
  if (role === 'partner') {
    const partner = directory.partners.get(client.partner ?? '')
    if (!partner || partner.retired) return undefined
    return {
      client: id,
      role,
      shelf: `partner:${partner.id}`,
      partner: partner.id,
      name: partner.name,
      ...(partner.ods ? { ods: partner.ods } : {}),
      scopes,
    }
  }
  return {
    client: id,
    role,
    shelf: `referrer:${id}`,
    name: client.name ?? id,
    ...(client.ods ? { ods: client.ods } : {}),
    ...(client.referrerType ? { referrerType: client.referrerType } : {}),
    scopes,
  }
}
