/**
 * The door on a port of this machine: who is at the other end, and how to close without dropping anyone.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import type { Hono } from 'hono'
import { isLoopback } from '../config.ts'
import type { Asked, Door } from './context.ts'

export type Listening = {
  /** Takes no new connection and resolves when what is in hand is answered, or after `mostMs`. */
  stop(mostMs: number): Promise<void>
}

/** The head of a request, and all of it, must have come after so long; looked at every second. */
const headMs = 10_000
const requestMs = 60_000
/** Nothing moves on a connection: a client that does not read its answer, for one. */
const idleMs = 180_000
/** Longer than the idle time of common load balancers, so that it is never us who hang up on a request under way. */
const keepAliveMs = 75_000
/** A longer head is answered 431. */
const mostHeaderBytes = 16 * 1024
/** Of one address, where no proxy stands in front. */
const mostConnections = 512

export type Times = { headMs: number; requestMs: number }

/** @throws when the port is taken */
export async function listen(
  app: Hono<Door>,
  { host, port, trustedProxies = 0 }: { host: string; port: number; trustedProxies?: number },
  times: Times = { headMs, requestMs },
): Promise<Listening> {
  const serverOptions = {
    headersTimeout: times.headMs,
    requestTimeout: times.requestMs,
    connectionsCheckingInterval: Math.min(1_000, times.headMs),
    keepAliveTimeout: keepAliveMs,
    maxHeaderSize: mostHeaderBytes,
  }
  const server = serve({ fetch: app.fetch, hostname: host, port, serverOptions }) as Server
  server.setTimeout(idleMs)
  if (trustedProxies === 0) server.on('connection', fewOf(mostConnections))
  await new Promise<void>((done, failed) => {
    server.once('listening', done)
    server.once('error', failed)
  })
  return {
    stop: async (mostMs) => {
      const closed = new Promise<void>((done) => server.close(() => done()))
      // Connections become idle one by one as their answers go out.
      const sweep = setInterval(() => server.closeIdleConnections(), 50)
      const late = setTimeout(() => server.closeAllConnections(), mostMs)
      server.closeIdleConnections()
      await closed
      clearInterval(sweep)
      clearTimeout(late)
    },
  }
}

/** Hangs up on an address that has this many connections already. */
function fewOf(most: number): (socket: Socket) => void {
  const open = new Map<string, number>()
  return (socket) => {
    const address = socket.remoteAddress
    if (address === undefined) return
    const count = (open.get(address) ?? 0) + 1
    if (count > most) {
      socket.destroy()
      return
    }
    open.set(address, count)
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1
      if (left > 0) open.set(address, left)
      else open.delete(address)
    })
  }
}

/**
 * The address at the other end. Behind proxies we trust, the one the outermost of them saw; a forwarded request that no
 * trusted proxy vouches for is nobody's, above all not this machine's.
 */
export const peerOf =
  (trustedProxies: number) =>
  (c: Asked): string | undefined => {
    const { address } = getConnInfo(c).remote
    const forwarded = c.req.header('x-forwarded-for')
    if (trustedProxies > 0 && forwarded) return forwarded.split(',').at(-trustedProxies)?.trim() ?? address
    const viaProxy = forwarded !== undefined || c.req.header('forwarded') !== undefined
    return viaProxy && address && isLoopback(address) ? undefined : address
  }
