/**
 * A sender as senders are: what got no answer is sent again, the same bytes under the same X-Request-Id, until it gets one.
 */
import { Agent, request } from 'node:http'
import { type Moments, sleep } from './moments.ts'
import type { Server } from './server.ts'

export type Call = { method: 'GET' | 'POST' | 'PUT' | 'PATCH'; path: string; body?: unknown; id?: string }
export type Answer = {
  status: number
  etag?: string
  text: string
  /** performance.now() when the last byte was read, and the wall clock. */
  at: number
  wall: number
  tries: number
}

export function createClient(server: Server, moments: Moments) {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const tally = { tries: 0, unanswered: 0, acknowledged: 0, refused: new Map<string, number>() }

  /** One try. @returns undefined when there was no whole answer */
  async function once(client: string, { method, path, body, id }: Call): Promise<Omit<Answer, 'tries'> | undefined> {
    const token = await server.token(client).catch(() => undefined)
    if (!token) return undefined
    const bytes = body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    return new Promise((done) => {
      const asked = request(
        {
          agent,
          host: '127.0.0.1',
          port: server.port,
          method,
          path,
          timeout: 25_000,
          headers: {
            authorization: `Bearer ${token}`,
            accept: 'application/fhir+json',
            ...(id ? { 'x-request-id': id } : {}),
            ...(bytes
              ? {
                  'content-type': method === 'PATCH' ? 'application/json-patch+json' : 'application/fhir+json',
                  'content-length': bytes.length,
                }
              : {}),
          },
        },
        (response) => {
          const parts: Buffer[] = []
          response.on('data', (part: Buffer) => parts.push(part))
          response.on('error', () => done(undefined))
          response.on('close', () => {
            if (!response.complete) return done(undefined)
            const status = response.statusCode as number
            const { etag } = response.headers
            done({
              status,
              ...(etag ? { etag } : {}),
              text: Buffer.concat(parts).toString(),
              at: performance.now(),
              wall: Date.now(),
            })
            if (method !== 'GET' && status < 300) moments.now('acknowledged')
          })
        },
      )
      asked.on('timeout', () => asked.destroy())
      asked.on('error', () => done(undefined))
      asked.end(bytes)
      if (method !== 'GET') moments.now('sent')
    })
  }

  return {
    tally,
    /**
     * @param patience tries before this sender gives up
     * @returns undefined when it gave up: nobody knows whether it was taken
     */
    async send(client: string, call: Call, patience = Number.POSITIVE_INFINITY): Promise<Answer | undefined> {
      for (let tries = 1; tries <= patience; tries++) {
        tally.tries++
        const answer = await once(client, call)
        if (answer?.status === 401) {
          server.forgetToken(client)
        } else if (answer && answer.status !== 429 && answer.status < 500) {
          if (answer.status < 300) tally.acknowledged += call.method === 'GET' ? 0 : 1
          else tally.refused.set(`${call.method} ${answer.status}`, (tally.refused.get(`${call.method} ${answer.status}`) ?? 0) + 1)
          return { ...answer, tries }
        } else if (answer && answer.status >= 500 && answer.status !== 503) {
          tally.refused.set(`${call.method} ${answer.status}`, (tally.refused.get(`${call.method} ${answer.status}`) ?? 0) + 1)
          await sleep(50)
        } else if (!answer) tally.unanswered++
        while (!server.up) await sleep(5)
        await sleep(5)
      }
      return undefined
    },
    close: () => agent.destroy(),
  }
}
export type Client = ReturnType<typeof createClient>
