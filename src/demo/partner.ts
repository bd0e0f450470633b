/**
 * A simulated partner that is sent messages: a small FHIR server on this machine, with people behind it (`office.ts`).
 *
 * It does what CONTRACT.md 5 and 6 expect of a partner: looks at the shape of what comes, drops a repeat by its X-Request-Id, and
 * answers later with a `servicerequest-response`.
 */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Bundle, ServiceRequest } from '@medplum/fhirtypes'
import type { HandoverState } from '../domain/handover.ts'
import { messageEvents, ours } from '../fhir/systems.ts'
import type { Client } from './client.ts'
import { type Arrived, headerIn, taskIn } from './office.ts'

export type Listening = { url: string; close(): void }

/**
 * @param take given each message that is new and well-formed
 * @param now the demo's time
 */
export async function listenForMessages(take: (letter: Arrived) => void, now: () => Date): Promise<Listening> {
  const seen = new Set<string>()
  const server = createServer((request, response) => {
    const key = String(request.headers['x-request-id'] ?? '')
    const reply = (status: number, body: unknown) => {
      response.writeHead(status, {
        'content-type': 'application/fhir+json',
        'x-request-id': key,
        'x-correlation-id': String(request.headers['x-correlation-id'] ?? ''),
      })
      response.end(JSON.stringify(body))
    }
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      if (request.method !== 'POST' || !request.url?.endsWith('/$process-message')) return reply(404, outcome('not-found'))
      if (!key) return reply(400, outcome('required'))
      if (seen.has(key)) return reply(409, outcome('duplicate'))
      const letter = letterOf(Buffer.concat(parts).toString(), now().toISOString())
      if (!letter) return reply(400, outcome('structure'))
      seen.add(key)
      take(letter)
      reply(200, letter.bundle)
    })
  })
  // Longer than anybody looks at a demo: it is never the partner who hangs up while a message is on its way.
  server.keepAliveTimeout = 3_600_000
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/fhir`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** The message as a letter, or undefined when it is none this partner understands. */
function letterOf(text: string, at: string): Arrived | undefined {
  let bundle: Bundle
  try {
    bundle = JSON.parse(text) as Bundle
  } catch {
    return undefined
  }
  const header = bundle.type === 'message' ? headerIn(bundle) : undefined
  const task = taskIn(bundle)
  const request = bundle.entry?.map(({ resource }) => resource).find((one): one is ServiceRequest => one?.resourceType === 'ServiceRequest')
  if (header?.eventCoding?.code !== 'servicerequest-request' || !task?.id || !request || !bundle.id) return undefined
  return { id: bundle.id, at, task: task.id, bundle }
}

const outcome = (code: string) => ({ resourceType: 'OperationOutcome', issue: [{ severity: 'error', code }] })

/** Answers a message as BaRS has it: the Task of the handover in its new state. */
export async function answerByMessage(client: Client, { bundle }: Arrived, say: HandoverState): Promise<void> {
  const task = taskIn(bundle)
  const id = randomUUID()
  await client.call('POST', '/fhir/$process-message', {
    resourceType: 'Bundle',
    id: randomUUID(),
    type: 'message',
    timestamp: new Date().toISOString(),
    entry: [
      {
        fullUrl: `urn:uuid:${id}`,
        resource: {
          resourceType: 'MessageHeader',
          id,
          eventCoding: { system: messageEvents, code: 'servicerequest-response' },
          source: { name: client.id, endpoint: `urn:x-partner:${client.id}` },
          response: { identifier: bundle.id, code: 'ok' },
          focus: [{ reference: `urn:uuid:${task?.id}` }],
        },
      },
      { fullUrl: `urn:uuid:${task?.id}`, resource: { ...task, ...stateParts(say) } },
    ],
  })
}

/** A state as the parts of a Task. */
export const stateParts = ({ status, businessStatus }: HandoverState) => ({
  status,
  ...(businessStatus ? { businessStatus: { coding: [{ system: ours('handover-status'), code: businessStatus }] } } : {}),
})
