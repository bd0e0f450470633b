/**
 * The token endpoint of SMART Backend Services, and the page that says where it is (CONTRACT.md 3).
 *
 * @see RFC 6749 sections 4.4 and 5, RFC 7523
 */
import type { Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { clientOf, TokenRefusal } from '../access/assertion.ts'
import { common, readScopes, writeScopes } from '../access/scopes.ts'
import { tokenSeconds } from '../access/tokens.ts'
import { Refusal } from '../fhir/outcome.ts'
import { slowDown } from './authenticate.ts'
import { bytesOf, formTypes, mustBeOfType } from './body.ts'
import type { Asked, Door, Hall } from './context.ts'
import { route } from './route.ts'

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
/** A signed assertion and a few words. */
const mostBytes = 64 * 1024

export function oauthRoutes(app: Hono<Door>, hall: Hall) {
  route(app, '/oauth/token', { POST: (c) => token(c, hall) })
  for (const path of ['/.well-known/smart-configuration', '/fhir/.well-known/smart-configuration'])
    route(app, path, { GET: (c) => c.json(smart(hall.exchange.publicUrl)) })
}

export const tokenUrl = (publicUrl: string) => `${publicUrl}/oauth/token`

async function token(c: Asked, hall: Hall): Promise<Response> {
  slowDown(hall.peerLimit(hall.settings.peer?.(c) ?? 'unknown'))
  c.header('Cache-Control', 'no-store')
  c.header('Pragma', 'no-cache')
  try {
    return c.json(await grant(await fieldsOf(c), hall))
  } catch (error) {
    if (!(error instanceof TokenRefusal)) throw error
    if (error.status === 401) c.header('WWW-Authenticate', 'Bearer realm="reconnect-exchange"')
    return c.json({ error: error.error, error_description: error.message }, error.status as ContentfulStatusCode)
  }
}

async function grant(fields: URLSearchParams, { clients, exchange, tokens, metrics }: Hall) {
  const one = (name: string) => fields.get(name) ?? undefined
  if ([...fields.keys()].some((name) => fields.getAll(name).length > 1))
    throw new TokenRefusal('invalid_request', 'A parameter is given twice.')
  if (one('grant_type') === undefined) throw new TokenRefusal('invalid_request', 'grant_type is missing.')
  if (one('grant_type') !== 'client_credentials') throw new TokenRefusal('unsupported_grant_type', 'grant_type must be client_credentials.')
  if (one('client_assertion_type') !== assertionType)
    throw new TokenRefusal('invalid_request', `client_assertion_type must be ${assertionType}.`)
  const assertion = one('client_assertion')
  if (!assertion) throw new TokenRefusal('invalid_request', 'client_assertion is missing.')
  const client = await clientOf(assertion, {
    clients,
    database: exchange.database,
    tokenUrl: tokenUrl(exchange.publicUrl),
    fetch: exchange.fetch,
  })
  if (one('client_id') !== undefined && one('client_id') !== client.id)
    throw new TokenRefusal('invalid_client', 'client_id is not the client that signed.')
  const granted = readScopes(client.scope)
  const asked = one('scope')?.trim()
  const scopes = asked ? common(readScopes(asked), granted) : granted
  if (scopes.length === 0) throw new TokenRefusal('invalid_scope', 'None of the scopes asked for is granted to this client.')
  metrics.count('tokens_issued_total', 'Access tokens issued.', { role: client.role })
  return { access_token: await tokens.issue(client, scopes), token_type: 'Bearer', expires_in: tokenSeconds, scope: writeScopes(scopes) }
}

async function fieldsOf(c: Asked): Promise<URLSearchParams> {
  try {
    mustBeOfType(c.req, formTypes)
    return new URLSearchParams(new TextDecoder().decode(await bytesOf(c.req, mostBytes)))
  } catch (error) {
    throw error instanceof Refusal ? new TokenRefusal('invalid_request', error.message, error.status === 413 ? 413 : 400) : error
  }
}

/** @see SMART App Launch 2.2, conformance */
const smart = (publicUrl: string) => ({
  issuer: publicUrl,
  token_endpoint: tokenUrl(publicUrl),
  token_endpoint_auth_methods_supported: ['private_key_jwt'],
  token_endpoint_auth_signing_alg_values_supported: ['RS384', 'ES384'],
  grant_types_supported: ['client_credentials'],
  scopes_supported: ['system/*.cruds', 'system/*.rs', 'system/Task.ru', 'system/ServiceRequest.cr', 'system/*.read', 'system/*.write'],
  capabilities: ['client-confidential-asymmetric', 'permission-v1', 'permission-v2'],
})
