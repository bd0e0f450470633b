/**
 * The partners' end: each listens on a socket of its own and says when a body has arrived. All can hold their answers back, so that a
 * backlog builds up; one can be dead or slow.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Arrival = { at: number; partner: string; key: string; text: string }
/** `dead` refuses connections; `slow` takes two seconds to answer. */
export type Health = 'well' | 'dead' | 'slow'
export const slowMs = 2_000

export async function openPartners(ids: readonly string[]) {
  const arrived: Arrival[] = []
  const held = new Set<ServerResponse>()
  const keys = new Set<string>()
  const health = new Map<string, Health>()
  const servers = new Map<string, { server: Server; port: number }>()
  let holding = false

  const answer = (response: ServerResponse, key: string) => {
    response.writeHead(200, { 'content-type': 'application/fhir+json', 'x-request-id': key })
    response.end()
  }
  const receive = (partner: string) => (request: IncomingMessage, response: ServerResponse) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const key = String(request.headers['x-request-id'])
      keys.add(key)
      arrived.push({ at: performance.now(), partner, key, text: partners.keepTexts ? Buffer.concat(parts).toString() : '' })
      if (health.get(partner) === 'slow') return void setTimeout(answer, slowMs, response, key)
      if (!holding) return answer(response, key)
      held.add(response)
      response.setHeader('x-request-id', key)
    })
  }
  const open = async (partner: string, port: number) => {
    const server = createServer(receive(partner))
    server.keepAliveTimeout = 120_000
    await new Promise<void>((done) => server.listen(port, '127.0.0.1', done))
    servers.set(partner, { server, port: (server.address() as AddressInfo).port })
  }
  const shut = ({ server }: { server: Server }) => {
    server.closeAllConnections()
    server.close()
  }
  for (const id of ids) await open(id, 0)

  const partners = {
    /** Where each listens, by id. */
    urls: Object.fromEntries([...servers].map(([id, { port }]) => [id, `http://127.0.0.1:${port}/fhir`])),
    arrived,
    /** Whether arrivals keep their bodies: they cost memory, and only one message is looked at. */
    keepTexts: false,
    /** Messages that arrived, a repeat not counted. */
    count: () => keys.size,
    forget: () => {
      arrived.length = 0
      keys.clear()
    },
    hold: () => {
      holding = true
    },
    letGo: () => {
      holding = false
      for (const response of held) answer(response, String(response.getHeader('x-request-id')))
      held.clear()
    },
    async become(id: string, now: Health) {
      const before = health.get(id) ?? 'well'
      health.set(id, now)
      const known = servers.get(id) as { server: Server; port: number }
      if (now === 'dead') shut(known)
      else if (before === 'dead') await open(id, known.port)
    },
    close: () => {
      for (const [id, known] of servers) if (health.get(id) !== 'dead') shut(known)
    },
  }
  return partners
}
export type Partners = Awaited<ReturnType<typeof openPartners>>
