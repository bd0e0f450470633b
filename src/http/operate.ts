/**
 * Operations over HTTP: `$name` at the level it lives, with the method and scope it needs, and BaRS messages.
 */

import { allowed } from '../access/caller.ts'
import { type Letter, mustBeAllowed } from '../access/scopes.ts'
import { refuse } from '../fhir/outcome.ts'
import type { Document } from '../pages/document.ts'
import { htmlOf, pagePolicy } from '../pages/html.ts'
import { type Entry, jsonOf, mustBeBundle } from './body.ts'
import { type Asked, type Hall, requestOf } from './context.ts'
import { formOf, preferencesOf } from './headers.ts'
import { type Operation, operations, processMessage } from './operations.ts'
import { reply } from './reply.ts'
import { type Handler, methodNotAllowed } from './route.ts'

type Level = Operation['levels'][number]
type TypeFor = (c: Asked, letter: Letter) => string

/** @param typeFor the type of the address once the caller may do that with it; absent at system level */
export function operationHandler(hall: Hall, level: Level, typeFor?: TypeFor): { GET: Handler; POST: Handler } {
  const handle = async (c: Asked) => {
    const name = (c.req.param('operation') as string).replace(/^(\$|%24)/, '')
    if (level === 'system' && name === processMessage.name) return message(c, hall)
    const operation = Object.hasOwn(operations, name) ? operations[name] : undefined
    const type = c.req.param('type')
    if (!operation?.levels.includes(level) || (type !== undefined && !fits(operation, type)))
      throw refuse(404, 'not-supported', 'There is no such operation here.')

    const method = c.req.method === 'POST' ? 'POST' : 'GET'
    const params = new URL(c.req.url).searchParams
    const form = operation.readable ? formOf(c.req.header('accept'), params.get('_format')) : 'json'
    if (form === 'pdf' && !hall.settings.pdf) throw refuse(406, 'not-supported', 'No PDF is made here: ask for text/html and print it.')
    params.delete('_format')
    params.delete('_pretty')
    const large = params.get('print') === 'large'
    const mayGet = operation.methods.includes('GET') || (operation.dryRun && params.get('dryRun') === 'true')
    if (method === 'GET' && !mayGet) throw methodNotAllowed(operation.methods)
    const body = method === 'POST' ? await jsonOf(c.req) : undefined
    const letter = operation.dryRun && isDry(params, body) ? 'r' : operation.letter
    // Without a letter any token will do; the type must still be one that is served.
    if (letter && typeFor) typeFor(c, letter)
    else if (type !== undefined && !hall.settings.types.includes(type))
      throw refuse(404, 'not-supported', 'This resource type is not served here.')

    const id = c.req.param('id')
    const target = { type: type ?? '', ...(id === undefined ? {} : { id }) }
    const request = requestOf(c, preferencesOf(c.req.header('prefer')).lenient)
    const answer = await hall.steps.operation(request, name, target, { params, ...(body === undefined ? {} : { body }) }, method)
    return form === 'json' || !answer.page ? reply(c, answer, hall.exchange.publicUrl) : page(c, hall, answer.page, form, large)
  }
  return { GET: handle, POST: handle }
}

async function page(c: Asked, { settings, exchange }: Hall, document: Document, form: 'html' | 'pdf', large: boolean): Promise<Response> {
  if (form === 'pdf' && settings.pdf) {
    c.header('Content-Type', 'application/pdf')
    return c.body((await settings.pdf(document, { large, at: exchange.now() })) as Uint8Array<ArrayBuffer>, 200)
  }
  c.header('Content-Type', 'text/html; charset=utf-8')
  c.header('Content-Security-Policy', pagePolicy)
  return c.body(htmlOf(document, { large }), 200)
}

const fits = ({ types }: Operation, type: string) => types.includes('*') || types.includes(type)

type Parameters = { parameter?: { name?: unknown; valueBoolean?: unknown }[] }

/** `dryRun=true` in the address, or as a parameter of the body. */
const isDry = (params: URLSearchParams, body: unknown): boolean => {
  if (params.get('dryRun') === 'true') return true
  const { parameter } = (body ?? {}) as Parameters
  return Array.isArray(parameter) && parameter.some((one) => one?.name === 'dryRun' && one.valueBoolean === true)
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** `POST /fhir/$process-message`: both ids are UUIDs, ours where the sender gave none. */
async function message(c: Asked, { steps, exchange }: Hall): Promise<Response> {
  if (c.req.method !== 'POST') throw methodNotAllowed(['POST'])
  for (const name of ['X-Request-Id', 'X-Correlation-Id']) {
    const given = c.req.header(name)
    if (given !== undefined && !uuid.test(given)) throw refuse(400, 'value', `${name} must be a UUID.`)
  }
  const bundle = await jsonOf(c.req)
  const { entries } = mustBeBundle(bundle)
  mayTell(c, entries)
  return reply(c, await steps.processMessage(requestOf(c, preferencesOf(c.req.header('prefer')).lenient), bundle), exchange.publicUrl)
}

/** A request brings a referral, a response moves a Task. Which event it is is read properly later. */
function mayTell(c: Asked, entries: readonly Entry[]) {
  const caller = c.get('caller')
  const header = entries[0]?.resource as { eventCoding?: { code?: unknown } } | undefined
  if (header?.eventCoding?.code !== 'servicerequest-response') {
    if (!allowed(caller, 'ServiceRequest', 'u')) mustBeAllowed(caller, 'ServiceRequest', 'c')
  } else if (!allowed(caller, 'ServiceRequest', 'u')) mustBeAllowed(caller, 'Task', 'u')
}
