/**
 * `fetch` for requests to the outside world, on Node. A name is looked up here and the address that was judged is the one connected
 * to, so that a name which changes its mind (DNS rebinding) gains nothing. Redirects are not followed, nothing is decompressed, a
 * reply is at most 1 MiB, and connecting, the head of the answer and its body each have their time.
 *
 * @see checked.ts for Workers
 */
import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns'
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { setTimeout as startTimer } from 'node:timers'
import type { Fetch } from '../channel.ts'
import { type Allowed, reachFault, reachOf } from './address.ts'
import { capped, mustBeAllowed, NotAllowed, named, streamOf, mostBytes as usualBytes } from './checked.ts'

export type Limits = { connectMs: number; headMs: number; bodyMs: number; mostBytes: number }
const usual: Limits = { connectMs: 5_000, headMs: 20_000, bodyMs: 10_000, mostBytes: usualBytes }

/** What we show who we are with (mutual TLS), both as PEM. */
export type Certificate = { cert: string; certKey: string }

type Lookup = (
  name: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void,
) => void

/**
 * @param allowed what every request may reach; a channel adds what its partner's settings allow
 * @throws NotAllowed; otherwise an error whose `code` says what went wrong (`CONNECT_TIMEOUT` and `ENOTFOUND`: nothing was sent)
 */
export function outgoing(allowed: Allowed, limits: Partial<Limits> = {}, lookup: Lookup = systemLookup, certificate?: Certificate): Fetch {
  const most: Limits = { ...usual, ...limits }
  // A connection made for a partner that may be private must not be used again for one that may not.
  const ways = new Map<boolean, ReturnType<typeof wayTo>>()
  const wayFor = (mayBePrivate: boolean) => {
    const way = ways.get(mayBePrivate) ?? wayTo({ ...allowed, private: mayBePrivate }, lookup, certificate)
    ways.set(mayBePrivate, way)
    return way
  }
  return async (input, init = {}) => {
    const url = new URL(String(input))
    const mayBePrivate = init.allowPrivate ?? false
    mustBeAllowed(url.href, allowed, init)
    return send(url, init, wayFor(mayBePrivate), most)
  }
}

/** How connections are made, and kept a few seconds for the next message. */
function wayTo(allowed: Allowed, lookup: Lookup, certificate: Certificate | undefined) {
  const judged = (
    name: string,
    options: LookupOptions,
    done: (error: Error | null, found: LookupAddress[] | string, family?: number) => void,
  ) =>
    lookup(name, { ...options, all: true }, (error, found) => {
      if (error) return done(error, [])
      const [first] = found
      if (!first) return done(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), [])
      // One bad address among good ones is no accident.
      const fault = found.map(({ address }) => reachFault(reachOf(address), allowed)).find((each) => each !== undefined)
      if (fault) return done(new NotAllowed(`the name in its address ${fault}`), [])
      if (options.all) done(null, found)
      else done(null, first.address, first.family)
    })
  const settings = { keepAlive: true, timeout: 4_000, lookup: judged as never }
  return {
    'http:': new HttpAgent(settings),
    'https:': new HttpsAgent({ ...settings, ...(certificate ? { cert: certificate.cert, key: certificate.certKey } : {}) }),
  }
}

function send(
  url: URL,
  init: RequestInit,
  way: ReturnType<typeof wayTo>,
  { connectMs, headMs, bodyMs, mostBytes }: Limits,
): Promise<Response> {
  const { method = 'GET', body, signal } = init
  if (body !== undefined && body !== null && typeof body !== 'string') throw new TypeError('only a text can be sent')
  const secure = url.protocol === 'https:'
  const headers = Object.fromEntries(new Headers(init.headers))
  headers['accept-encoding'] = 'identity'
  if (typeof body === 'string') headers['content-length'] = String(Buffer.byteLength(body))
  const options = { method, headers, agent: way[url.protocol as 'http:' | 'https:'], ...(signal ? { signal } : {}) }

  return new Promise((done, failed) => {
    const asked: ClientRequest = secure ? httpsRequest(url, options) : httpRequest(url, options)
    let timer = startTimer(() => asked.destroy(named('CONNECT_TIMEOUT')), connectMs)
    const next = (ms: number, stop: () => void) => {
      clearTimeout(timer)
      timer = startTimer(stop, ms)
    }
    const connected = () => next(headMs, () => asked.destroy(named('HEAD_TIMEOUT')))
    asked.once('socket', (socket) => {
      if (!socket.connecting && !(secure && !asked.reusedSocket)) connected()
      else socket.once(secure ? 'secureConnect' : 'connect', connected)
    })
    asked.on('error', (error) => {
      clearTimeout(timer)
      failed(signal?.aborted ? signal.reason : error)
    })
    asked.once('response', (answer) => {
      next(bodyMs, () => answer.destroy(named('BODY_TIMEOUT')))
      answer.once('close', () => clearTimeout(timer))
      // Whoever reads the body is told; when nobody does, nobody minds.
      answer.on('error', () => undefined)
      try {
        done(responseOf(answer, mostBytes))
      } catch (error) {
        answer.destroy()
        failed(error)
      }
    })
    asked.end(body ?? undefined)
  })
}

/** @throws RangeError for a status that is none */
function responseOf(answer: IncomingMessage, mostBytes: number): Response {
  const headers = new Headers()
  for (const [name, values] of Object.entries(answer.headersDistinct)) for (const value of values ?? []) headers.append(name, value)
  const status = answer.statusCode ?? 0
  if (status === 204 || status === 205 || status === 304) {
    answer.resume()
    return new Response(null, { status, headers })
  }
  return new Response(streamOf(capped(answer, mostBytes)), { status, headers })
}
