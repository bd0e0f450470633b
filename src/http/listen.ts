/**
 * The door on a port of this machine: who is at the other end, and how to close without dropping anyone.
 */
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import type { Hono } from 'hono'
import { isLoopback } from '../config.ts'
import type { Asked, Door } from './context.ts'

export type Listening = {
  /** Takes no new connection and resolves when what is in hand is answered, or after `mostMs`. */
  stop(mostMs: number): Promise<void>
}

/** @throws when the port is taken */
export async function listen(app: Hono<Door>, { host, port }: { host: string; port: number }): Promise<Listening> {
  const server = serve({ fetch: app.fetch, hostname: host, port }) as Server
  await new Promise<void>((done, failed) => {
    server.once('listening', done)
    server.once('error', failed)
  })
  // Longer than the idle time of common load balancers, so that it is never us who hang up on a request under way.
  server.keepAliveTimeout = 75_000
  server.requestTimeout = 60_000
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
