/**
 * `fetch` for requests to the outside world where the platform looks names up by itself (Workers, which reach nobody's private
 * network): the address is judged as it is written. What both kinds share is here too.
 *
 * @see outgoing.ts for Node
 */
import type { Fetch } from '../channel.ts'
import { type Allowed, urlFault } from './address.ts'

/** Of a reply. */
export const mostBytes = 2 ** 20

/** Nothing was sent: where it would have gone is not allowed. The message is for people and names no address. */
export class NotAllowed extends Error {
  override readonly name = 'NotAllowed'
  readonly code = 'NOT_ALLOWED'
}

/** @throws NotAllowed */
export const checkedFetch =
  (allowed: Allowed, fetch: typeof globalThis.fetch): Fetch =>
  async (input, { allowPrivate, allowHttp, ...init } = {}) => {
    mustBeAllowed(String(input), allowed, { allowPrivate, allowHttp })
    const response = await fetch(input, { ...init, redirect: 'manual' })
    const parts = response.body as unknown as AsyncIterable<Uint8Array> | null
    return parts ? new Response(streamOf(capped(parts, mostBytes)), response) : response
  }

type Said = { allowPrivate?: boolean | undefined; allowHttp?: boolean | undefined }

/** @throws NotAllowed */
export function mustBeAllowed(url: string, allowed: Allowed, { allowPrivate = false, allowHttp = false }: Said) {
  const fault = urlFault(url, { ...allowed, private: allowPrivate, http: allowHttp })
  if (fault) throw new NotAllowed(`its address ${fault}`)
}

/** The same bytes; more of them than this is an error. */
export async function* capped(parts: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let length = 0
  for await (const part of parts) {
    length += part.length
    if (length > most) throw named('REPLY_TOO_LONG')
    yield part
  }
}

/** An error that says nothing but its code. */
export const named = (code: string): Error => Object.assign(new Error(code), { code })

export const streamOf = (parts: AsyncGenerator<Uint8Array>) =>
  (ReadableStream as unknown as { from(parts: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array<ArrayBuffer>> }).from(parts)
