/**
 * FHIR REST: every address below /fhir that needs a token. Each handler checks the scope, reads what came, and asks its step.
 *
 * @see hl7.org/fhir/R4/http.html
 */
import type { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { definitionTypes, profiles } from '../../profiles/index.ts'
import { type Letter, mustBeAllowed } from '../access/scopes.ts'
import type { Write } from '../exchange/ask.ts'
import type { Answer } from '../exchange/exchange.ts'
import { serviceTypes } from '../fhir/kept-types.ts'
import { refuse } from '../fhir/outcome.ts'
import { bytesOf, type Entry, formOf, jsonOf, jsonTypes, mustBeBundle, mustBeResource, patchTypes } from './body.ts'
import { type Asked, type Door, type Hall, requestOf } from './context.ts'
import { formOf as answerFormOf, mustAcceptJson, type Preferences, preferencesOf, versionOf } from './headers.ts'
import { operationHandler } from './operate.ts'
import { operations } from './operations.ts'
import { preferred, reply } from './reply.ts'
import { methodNotAllowed, route } from './route.ts'

const type = ':type{[A-Z][A-Za-z]*}'
const id = ':id{[A-Za-z0-9.-]+}'
/** A client may write the dollar sign as it is or encoded. */
const operation = ':operation{(?:\\$|%24)[a-z-]+}'

/** Our own terminology, for any token: it says nothing about anybody. */
function terminologyRoutes(app: Hono<Door>, answer: (c: Asked, what: Answer) => Response | Promise<Response>) {
  for (const name of definitionTypes) {
    const all = [...profiles.values()].filter((one) => one.resourceType === name)
    route(app, `/fhir/${name}`, {
      GET: (c) => {
        const { url, ...others } = Object.fromEntries(withoutForm(paramsOf(c)))
        if (Object.keys(others).length > 0) throw refuse(400, 'not-supported', 'Terminology is searched by url, or by nothing.')
        const found = url === undefined ? all : all.filter((one) => one.url === url)
        const entry = found.map((resource) => ({ fullUrl: resource.url as string, resource, search: { mode: 'match' as const } }))
        return answer(c, { status: 200, body: { resourceType: 'Bundle', type: 'searchset', total: found.length, entry } })
      },
    })
    route(app, `/fhir/${name}/${id}`, {
      GET: (c) => {
        const one = profiles.get(`${name}/${c.req.param('id')}`)
        if (!one) throw refuse(404, 'not-found', 'There is no such resource here.')
        return answer(c, { status: 200, body: one })
      },
    })
  }
}

export function fhirRoutes(app: Hono<Door>, hall: Hall) {
  const { steps, settings, exchange } = hall
  const served = new Set(settings.types)
  const readOnly = new Set(settings.readOnly)
  const answer = (c: Asked, what: Answer) => reply(c, what, exchange.publicUrl)

  /** The resource type of the address, once this caller may do `letter` on it. */
  const typeFor = (c: Asked, letter: Letter): string => {
    const name = c.req.param('type') as string
    if (!served.has(name) || (serviceTypes.includes(name) && c.get('caller').role !== 'service'))
      throw refuse(404, 'not-supported', 'This resource type is not served here.')
    if ('cud'.includes(letter) && readOnly.has(name)) throw methodNotAllowed(['GET'])
    mustBeAllowed(c.get('caller'), name, letter)
    return name
  }
  const asked = (c: Asked, preferences = preferencesOf(c.req.header('prefer'))) => requestOf(c, preferences.lenient)

  const search = async (c: Asked) => {
    const name = typeFor(c, 's')
    const params = paramsOf(c)
    if (c.req.method === 'POST') for (const [key, value] of await formOf(c.req)) params.append(key, value)
    return answer(c, await steps.search(asked(c), name, withoutForm(params)))
  }

  const write = (method: Write['method'], letter: Letter) => async (c: Asked) => {
    const name = typeFor(c, letter)
    const preferences: Preferences = preferencesOf(c.req.header('prefer'))
    const key = c.req.param('id')
    const ifMatch = versionOf(c.req.header('if-match'))
    const ifNoneExist = method === 'POST' ? c.req.header('if-none-exist')?.replace(/^\?/, '') : undefined
    const body = await bodyOf(c, method, name, key)
    const done = await steps.write(asked(c, preferences), {
      method,
      type: name,
      ...(key === undefined ? {} : { id: longEnough(key) }),
      ...(body === undefined ? {} : { body }),
      ...(ifMatch === undefined ? {} : { ifMatch }),
      ...(ifNoneExist === undefined ? {} : { ifNoneExist }),
    })
    return answer(c, preferred(done, preferences, exchange.publicUrl))
  }
  const unconditional = (c: Asked) => {
    typeFor(c, 'u')
    if (new URL(c.req.url).search)
      throw refuse(501, 'not-supported', 'Conditional update, patch and delete are not supported: name the resource by its id.')
    throw methodNotAllowed(['GET', 'POST'])
  }

  app.use('/fhir/*', acceptable)

  route(app, '/fhir', {
    POST: async (c) => {
      const bundle = await jsonOf(c.req)
      const { type: kind, entries } = mustBeBundle(bundle)
      if (kind !== 'transaction' && kind !== 'batch') throw refuse(400, 'value', 'Bundle.type must be transaction or batch.', 'Bundle.type')
      if (kind === 'transaction')
        for (const [i, entry] of entries.entries()) mayDo(c, entry, `Bundle.entry[${i}].request`, `${exchange.publicUrl}/fhir`)
      return answer(c, await steps.transact(asked(c), bundle))
    },
  })
  route(app, '/fhir/_history', { GET: notSupported('The history of everything') })
  route(app, `/fhir/${operation}`, operationHandler(hall, 'system'))
  terminologyRoutes(app, answer)
  route(app, `/fhir/${type}`, { GET: search, POST: write('POST', 'c'), PUT: unconditional, PATCH: unconditional, DELETE: unconditional })
  route(app, `/fhir/${type}/_search`, { POST: search })
  route(app, `/fhir/${type}/_history`, { GET: notSupported('The history of a type') })
  route(app, `/fhir/${type}/${operation}`, operationHandler(hall, 'type', typeFor))
  route(app, `/fhir/${type}/${id}`, {
    GET: async (c) => answer(c, await steps.read(asked(c), typeFor(c, 'r'), idOf(c))),
    PUT: write('PUT', 'u'),
    PATCH: write('PATCH', 'u'),
    DELETE: write('DELETE', 'd'),
  })
  route(app, `/fhir/${type}/${id}/_history`, {
    GET: async (c) => answer(c, await steps.history(asked(c), typeFor(c, 'r'), idOf(c), withoutForm(paramsOf(c)))),
  })
  route(app, `/fhir/${type}/${id}/_history/:version{[A-Za-z0-9.-]+}`, {
    GET: async (c) => answer(c, await steps.vread(asked(c), typeFor(c, 'r'), idOf(c), c.req.param('version') as string)),
  })
  route(app, `/fhir/${type}/${id}/${operation}`, operationHandler(hall, 'instance', typeFor))
}

/** We answer in JSON, or say so before anything is done; what a person reads has other forms too. */
export const acceptable = createMiddleware<Door>(async (c, next) => {
  const name = /\/(?:\$|%24)([a-z-]+)$/.exec(c.req.path)?.[1]
  const readable = name !== undefined && Object.hasOwn(operations, name) && operations[name]?.readable
  if (!readable || answerFormOf(c.req.header('accept'), c.req.query('_format') ?? null) === 'json')
    mustAcceptJson(c.req.header('accept'), c.req.query('_format') ?? null)
  await next()
})

const idOf = (c: Asked): string => longEnough(c.req.param('id') as string)
const longEnough = (key: string): string => {
  if (key.length > 64) throw refuse(404, 'not-found', 'There is no such resource here.')
  return key
}

export const paramsOf = (c: Asked): URLSearchParams => new URL(c.req.url).searchParams

/** How the answer should look is no question about resources. */
export const withoutForm = (params: URLSearchParams): URLSearchParams => {
  params.delete('_format')
  params.delete('_pretty')
  return params
}

async function bodyOf(c: Asked, method: Write['method'], name: string, key: string | undefined): Promise<unknown> {
  if (method === 'DELETE') {
    await bytesOf(c.req)
    return undefined
  }
  if (method === 'PATCH') {
    const patch = await jsonOf(c.req, patchTypes)
    if (!Array.isArray(patch)) throw refuse(400, 'structure', 'The body must be a JSON Patch: a list of operations.')
    return patch
  }
  const resource = mustBeResource(await jsonOf(c.req, jsonTypes), name)
  if (method === 'PUT' && resource.id === undefined)
    throw refuse(400, 'required', 'The resource must have the id of the address.', `${name}.id`)
  if (method === 'PUT' && resource.id !== key)
    throw refuse(400, 'value', 'The id of the resource is not the id of the address.', `${name}.id`)
  return resource
}

const letters: Readonly<Record<string, Letter>> = { POST: 'c', PUT: 'u', PATCH: 'u', DELETE: 'd' }

/** A transaction is refused whole when its caller may not do one part of it. What is malformed is for the step to say. */
function mayDo(c: Asked, { request }: Entry, expression: string, base: string) {
  const { method, url } = request ?? {}
  if (typeof method !== 'string' || typeof url !== 'string') return
  const [path = ''] = url.replace(base, '').replace(/^\//, '').split('?')
  const [name = '', key] = path.split('/')
  if (!/^[A-Z][A-Za-z]*$/.test(name)) return
  const letter = letters[method] ?? (key && !key.startsWith('_search') ? 'r' : 's')
  mustBeAllowed(c.get('caller'), name, letter, expression)
}

const notSupported = (what: string) => () => {
  throw refuse(501, 'not-supported', `${what} is not supported.`)
}
