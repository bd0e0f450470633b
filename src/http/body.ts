/**
 * What came in, with its limits (CONTRACT.md 9): 1 MiB, not compressed, JSON nested at most 64 deep and of one meaning only, Bundles
 * of at most 200 entries.
 */
import type { HonoRequest } from 'hono'
import { Refusal, refuse } from '../fhir/outcome.ts'

const mostBytes = 1024 * 1024
const deepest = 64
const mostEntries = 200

/**
 * The body's bytes, read no further than the limit. Nothing is unpacked: a few kilobytes can hide gigabytes.
 *
 * @throws Refusal 413, 415 when it is compressed
 */
export async function bytesOf(request: HonoRequest, most = mostBytes): Promise<Uint8Array> {
  if (!['', 'identity'].includes((request.header('content-encoding') ?? '').trim().toLowerCase()))
    throw new Refusal(415, { code: 'not-supported', text: 'The body must not be compressed.' }, { 'Accept-Encoding': 'identity' })
  const said = request.header('content-length')
  if (said !== undefined && Number(said) > most) throw tooLong(most)
  // A stated length is kept by the server itself; without one, count.
  if (said !== undefined || !request.raw.body) return new Uint8Array(await request.arrayBuffer())
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of request.raw.body as unknown as AsyncIterable<Uint8Array>) {
    length += part.length
    if (length > most) throw tooLong(most)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

const tooLong = (most: number) => refuse(413, 'too-long', `The body is larger than ${most} bytes.`)

/**
 * @returns the parsed body, or undefined when there is none
 * @throws Refusal 400 (not JSON, nested too deep, a property named twice, half a character), 413, 415
 */
export async function jsonOf(request: HonoRequest, types: readonly string[] = jsonTypes): Promise<unknown> {
  const bytes = await bytesOf(request)
  if (bytes.length === 0) return undefined
  mustBeOfType(request, types)
  return jsonIn(bytes)
}

/** @throws Refusal 400 (not JSON, nested too deep, a property named twice, half a character) */
export function jsonIn(bytes: Uint8Array): unknown {
  const colons = colonsOf(bytes)
  if (colons === undefined) throw refuse(400, 'structure', `The JSON is nested more than ${deepest} deep.`)
  let text: string
  let json: unknown
  try {
    text = utf8.decode(bytes)
    json = JSON.parse(text)
  } catch {
    throw refuse(400, 'structure', 'The body is not JSON in UTF-8.')
  }
  const properties = propertiesIn(json, text.includes('\\u'))
  if (properties === undefined)
    throw refuse(400, 'structure', 'The JSON holds half a character (a lone surrogate), or a property that is never data (__proto__).')
  // Each reader would believe another one of the two.
  if (properties !== colons) throw refuse(400, 'structure', 'An object of the JSON names a property twice.')
  return json
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

export const jsonTypes = ['application/fhir+json', 'application/json']
export const patchTypes = ['application/json-patch+json']
export const formTypes = ['application/x-www-form-urlencoded']

/** @throws Refusal 415 */
export function mustBeOfType(request: HonoRequest, types: readonly string[]) {
  const type = request.header('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (!type || !types.includes(type)) throw refuse(415, 'not-supported', `Content-Type must be ${types.join(' or ')}.`)
}

/**
 * Looked at before parsing, so that depth costs nothing. Brackets and colons inside texts do not count.
 *
 * @returns how many properties are written, each with its colon; undefined when it is nested too deep
 */
function colonsOf(bytes: Uint8Array): number | undefined {
  let depth = 0
  let colons = 0
  let inText = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (inText) {
      if (byte === 0x5c) i++
      else if (byte === 0x22) inText = false
    } else if (byte === 0x22) inText = true
    else if (byte === 0x3a) colons++
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > deepest) return undefined
    } else if (byte === 0x7d || byte === 0x5d) depth--
  }
  return colons
}

/**
 * How many properties came of it: fewer than were written when one was written twice.
 *
 * @param escaped some text was written with an escape: only then can it hold half a character
 * @returns undefined when a text or a name can not be kept
 */
function propertiesIn(value: unknown, escaped: boolean): number | undefined {
  if (typeof value === 'string') return !escaped || value.isWellFormed() ? 0 : undefined
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const below = propertiesIn(value[i], escaped)
      if (below === undefined) return undefined
      count += below
    }
    return count
  }
  for (const key in value) {
    if (key === '__proto__' || (escaped && !key.isWellFormed())) return undefined
    const item = (value as Record<string, unknown>)[key]
    const below = escaped || typeof item === 'object' ? propertiesIn(item, escaped) : 0
    if (below === undefined) return undefined
    count += below + 1
  }
  return count
}

/** The parameters of a search: of the URL, and of the form a `_search` was posted with. */
export async function formOf(request: HonoRequest): Promise<URLSearchParams> {
  const bytes = await bytesOf(request)
  if (bytes.length > 0) mustBeOfType(request, formTypes)
  return new URLSearchParams(new TextDecoder().decode(bytes))
}

type Json = Readonly<Record<string, unknown>>
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The body as a resource of this type.
 *
 * @throws Refusal 400
 */
export function mustBeResource(body: unknown, type: string): Json {
  if (body === undefined) throw refuse(400, 'required', `The body must be a ${type}.`)
  if (!isObject(body)) throw refuse(400, 'structure', 'The body is not a JSON object.')
  if (typeof body.resourceType !== 'string') throw refuse(400, 'required', 'resourceType is missing.', 'resourceType')
  if (body.resourceType !== type) throw refuse(400, 'invalid', `resourceType must be ${type}.`, 'resourceType')
  return body
}

export type Entry = { resource?: Json; request?: { method?: unknown; url?: unknown } }

/**
 * The body as a Bundle, and its entries.
 *
 * @throws Refusal 400 when it is none, or holds more than 200 entries
 */
export function mustBeBundle(body: unknown): { type: unknown; entries: readonly Entry[] } {
  const bundle = mustBeResource(body, 'Bundle')
  const { entry } = bundle
  if (entry !== undefined && !Array.isArray(entry)) throw refuse(400, 'structure', 'Bundle.entry must be a list.', 'Bundle.entry')
  const list: readonly unknown[] = entry ?? []
  if (list.length > mostEntries) throw refuse(400, 'too-costly', `A Bundle may have at most ${mostEntries} entries.`, 'Bundle.entry')
  for (const [i, one] of list.entries()) {
    if (
      !isObject(one) ||
      (one.resource !== undefined && !isObject(one.resource)) ||
      (one.request !== undefined && !isObject(one.request))
    ) {
      throw refuse(400, 'structure', 'An entry must be an object.', `Bundle.entry[${i}]`)
    }
  }
  return { type: bundle.type, entries: list as readonly Entry[] }
}
