import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, SignJWT, UnsecuredJWT } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import { clientOf, TokenRefusal } from '../../src/access/assertion.ts'
import type { Client } from '../../src/access/directory-file.ts'
import { common, readScope, readScopes, writeScopes } from '../../src/access/scopes.ts'
import { createTokens } from '../../src/access/tokens.ts'
import type { Directory, Partner } from '../../src/domain/directory.ts'
import type { Driver } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import { openSqlite } from '../../src/store/sqlite.ts'

const publicUrl = 'https://exchange.example'
const tokenUrl = `${publicUrl}/oauth/token`
const es = await generateKeyPair('ES384', { extractable: true })
const rs = await generateKeyPair('RS384', { extractable: true })
const other = await generateKeyPair('ES384', { extractable: true })
const jwks = {
  keys: [
    { ...(await exportJWK(es.publicKey)), kty: 'EC' as const, kid: 'es', alg: 'ES384' },
    { ...(await exportJWK(rs.publicKey)), kty: 'RSA' as const, kid: 'rs' },
  ],
}

const client = (more: Partial<Client> = {}): Client => ({
  id: 'gp-a81001',
  role: 'partner',
  partner: 'gp-a81001',
  scope: 'system/*.rs system/Task.ru',
  jwks,
  retired: false,
  ...more,
})
const seconds = () => Math.floor(Date.now() / 1000)

function assertion(claims: Record<string, unknown> = {}, key: CryptoKey = es.privateKey, header: Record<string, string> = {}) {
  const { alg = 'ES384', kid = 'es' } = header
  const all = { iss: 'gp-a81001', sub: 'gp-a81001', aud: tokenUrl, exp: seconds() + 240, jti: crypto.randomUUID(), ...claims }
  return new SignJWT(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))
    .setProtectedHeader({ alg, kid, typ: 'JWT' })
    .sign(key)
}

describe('an assertion', () => {
  let database: Driver
  let clients: Map<string, Client>
  beforeEach(async () => {
    database = openSqlite(':memory:')
    await migrate(database)
    clients = new Map([['gp-a81001', client()]])
  })
  const believed = (jwt: string) => clientOf(jwt, { clients: () => clients, database, tokenUrl, fetch: globalThis.fetch })
  const refused = async (jwt: string) => {
    const error = await believed(jwt).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(TokenRefusal)
    expect(error).toMatchObject({ error: 'invalid_client', status: 401 })
    return (error as TokenRefusal).message
  }

  test('signed ES384 or RS384 by the client’s key is believed', async () => {
    expect((await believed(await assertion())).id).toBe('gp-a81001')
    expect((await believed(await assertion({}, rs.privateKey, { alg: 'RS384', kid: 'rs' }))).id).toBe('gp-a81001')
  })

  test('is good once', async () => {
    const jwt = await assertion()
    await believed(jwt)
    expect(await refused(jwt)).toMatch(/used before/)
  })

  test('used twice at the same moment is believed once', async () => {
    const jwt = await assertion()
    const results = await Promise.allSettled([believed(jwt), believed(jwt), believed(jwt)])
    expect(results.filter((one) => one.status === 'fulfilled')).toHaveLength(1)
  })

  test.each([
    ['another audience', { aud: 'https://elsewhere.example/token' }],
    ['an issuer that is not the subject', { iss: 'someone-else' }],
    ['no exp', { exp: undefined }],
    ['no jti', { jti: undefined }],
    ['an empty jti', { jti: '' }],
    ['an exp more than five minutes ahead', { exp: seconds() + 400 }],
    ['an exp that is past', { exp: seconds() - 60 }],
    ['an iat in the future', { iat: seconds() + 120 }],
    ['an nbf in the future', { nbf: seconds() + 120 }],
  ])('with %s is refused', async (_, claims) => {
    await refused(await assertion(claims))
  })

  test('of another key, another algorithm or none is refused', async () => {
    await refused(await assertion({}, other.privateKey))
    const rs256 = (await importJWK(await exportJWK(rs.privateKey), 'RS256')) as CryptoKey
    await refused(await assertion({}, rs256, { alg: 'RS256', kid: 'rs' }))
    await refused(new UnsecuredJWT({ iss: 'gp-a81001', sub: 'gp-a81001', aud: tokenUrl, exp: seconds() + 100, jti: 'x' }).encode())
    await refused('not.a.jwt')
  })

  test('of an unknown client is refused in the same words as a wrong signature', async () => {
    const wrong = await refused(await assertion({}, other.privateKey))
    expect(await refused(await assertion({ iss: 'nobody', sub: 'nobody' }))).toBe(wrong)
  })

  test('a wrong signature does not use up the jti', async () => {
    await refused(await assertion({ jti: 'mine' }, other.privateKey))
    await believed(await assertion({ jti: 'mine' }))
  })

  test('keys may be fetched from the client’s own address', async () => {
    let asked = 0
    const server = createServer((_, response) => {
      asked++
      response.end(JSON.stringify(jwks))
    }).listen(0, '127.0.0.1')
    await new Promise((done) => server.once('listening', done))
    const { jwks: _, ...rest } = client()
    clients.set('gp-a81001', { ...rest, jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks` })
    await believed(await assertion())
    await believed(await assertion())
    expect(asked).toBe(1)
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
    const gone = { ...rest, jwksUrl: 'http://127.0.0.1:9/jwks' }
    clients.set('gp-a81001', gone)
    await refused(await assertion())
  })
})

describe('an access token', () => {
  const partner: Partner = {
    id: 'gp-a81001',
    kind: 'gp-registration',
    name: 'Elvet Surgery',
    ods: 'A81001',
    channel: { name: 'pull' },
    deduplicates: true,
    retired: false,
  }
  let clients: Map<string, Client>
  let directory: Directory
  let now: number
  const make = (masterKey = new Uint8Array(32).fill(7)) =>
    createTokens({ masterKey, publicUrl, clients: () => clients, directory: () => directory, now: () => now })
  beforeEach(() => {
    clients = new Map([['gp-a81001', client()]])
    directory = { services: new Map(), partners: new Map([[partner.id, partner]]) }
    now = Date.now()
  })

  test('says who holds it, and works after a restart', async () => {
    const token = await make().issue(client(), readScopes('system/Task.ru'))
    expect(await make().callerOf(token)).toEqual({
      client: 'gp-a81001',
      role: 'partner',
      shelf: 'partner:gp-a81001',
      partner: 'gp-a81001',
      name: 'Elvet Surgery',
      ods: 'A81001',
      scopes: [{ type: 'Task', may: 'ru' }],
    })
  })

  test('lasts five minutes, remembered or not', async () => {
    const tokens = make()
    const token = await tokens.issue(client(), readScopes('system/*.rs'))
    expect(await tokens.callerOf(token)).toBeDefined()
    now += 299_000
    expect(await tokens.callerOf(token)).toBeDefined()
    now += 2_000
    expect(await tokens.callerOf(token)).toBeUndefined()
    expect(await make().callerOf(token)).toBeUndefined()
  })

  test('of another key, or altered, is nobody’s', async () => {
    const token = await make(new Uint8Array(32).fill(8)).issue(client(), readScopes('system/*.rs'))
    expect(await make().callerOf(token)).toBeUndefined()
    const good = await make().issue(client(), readScopes('system/*.rs'))
    const [head, , signature] = good.split('.')
    const forged = Buffer.from(JSON.stringify({ sub: 'ne-case-system', scope: 'system/*.cruds', exp: seconds() + 100 })).toString(
      'base64url',
    )
    expect(await make().callerOf(`${head}.${forged}.${signature}`)).toBeUndefined()
  })

  test('stops working the moment its client or partner goes, or its scope is taken away', async () => {
    const tokens = make()
    const token = await tokens.issue(client(), readScopes('system/*.rs system/Task.ru'))
    expect(await tokens.callerOf(token)).toBeDefined()
    clients = new Map([['gp-a81001', client({ scope: 'system/Task.r' })]])
    expect((await tokens.callerOf(token))?.scopes).toEqual([{ type: 'Task', may: 'r' }])
    directory = { services: new Map(), partners: new Map([[partner.id, { ...partner, retired: true }]]) }
    expect(await tokens.callerOf(token)).toBeUndefined()
    directory = { services: new Map(), partners: new Map([[partner.id, partner]]) }
    expect(await tokens.callerOf(token)).toBeDefined()
    clients = new Map()
    expect(await tokens.callerOf(token)).toBeUndefined()
  })

  test('once seen costs less than 20 microseconds', async () => {
    const tokens = make()
    const token = await tokens.issue(client(), readScopes('system/*.rs'))
    for (let i = 0; i < 2_000; i++) await tokens.callerOf(token)
    const began = performance.now()
    for (let i = 0; i < 10_000; i++) await tokens.callerOf(token)
    expect(((performance.now() - began) * 1000) / 10_000).toBeLessThan(20)
  })
})

describe('scopes', () => {
  test('of both versions are understood, in letters', () => {
    expect(readScope('system/Task.ru')).toEqual({ type: 'Task', may: 'ru' })
    expect(readScope('system/*.read')).toEqual({ type: '*', may: 'rs' })
    expect(readScope('system/Task.write')).toEqual({ type: 'Task', may: 'cud' })
    expect(readScope('system/*.*')).toEqual({ type: '*', may: 'cruds' })
    for (const text of ['patient/Task.r', 'openid', 'system/Task.', 'system/Task.sr', 'system/Task.r?code=x', 'system/task.r'])
      expect(readScope(text)).toBeUndefined()
  })

  test('granted are those asked for and allowed', () => {
    const granted = readScopes('system/*.rs system/Task.ru')
    const get = (asked: string) => writeScopes(common(readScopes(asked), granted))
    expect(get('system/*.rs system/Task.rus')).toBe('system/*.rs system/Task.rus')
    expect(get('system/*.cruds')).toBe('system/*.rs system/Task.ru')
    expect(get('system/Patient.cruds')).toBe('system/Patient.rs')
    expect(get('system/Patient.c')).toBe('')
  })
})
