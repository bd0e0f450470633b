/**
 * The partners' end: one socket that says when a body has arrived. It can hold its answers back, so that a backlog builds up.
 */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Arrival = { at: number; partner: string; key: string; text: string }

export async function openPartners() {
  const arrived: Arrival[] = []
  const held = new Set<ServerResponse>()
  const keys = new Set<string>()
  let holding = false
  const answer = (response: ServerResponse, key: string) => {
    response.writeHead(200, { 'content-type': 'application/fhir+json', 'x-request-id': key })
    response.end()
  }
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const key = String(request.headers['x-request-id'])
      keys.add(key)
      arrived.push({
        at: performance.now(),
        partner: request.url?.split('/')[1] ?? '',
        key,
        text: partners.keepTexts ? Buffer.concat(parts).toString() : '',
      })
      if (!holding) return answer(response, key)
      held.add(response)
      response.setHeader('x-request-id', key)
    })
  })
  server.keepAliveTimeout = 120_000
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const partners = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrived,
    /** Whether arrivals keep their bodies: they cost memory, and only delivery times need them. */
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
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
  return partners
}
export type Partners = Awaited<ReturnType<typeof openPartners>>
