/**
 * The partners' end: each has a mood, and all of them write down every message they were sent, by key.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Bundle, MessageHeader, ServiceRequest, Task } from '@medplum/fhirtypes'
import { wordsIn } from '../test/fixtures/case-bundle.ts'
import type { Dice } from './dice.ts'
import type { Moments } from './moments.ts'

/** How a partner behaves; each now and then, so that every lane goes on. */
export const moods = {
  steady: 'answers',
  late: 'answers late',
  silent: 'now and then never answers',
  resetting: 'now and then reads, then resets the connection',
  busy: 'says 503 first',
  knowing: 'says 409 duplicate',
  hasty: 'answers and hangs up',
  doubling: 'answers twice',
  forgetful: 'can not tell a repeat, and now and then resets',
} as const
export type Mood = keyof typeof moods

export type Arrival = {
  partner: string
  key: string
  /** performance.now() when its head was here. */
  at: number
  /** False: it broke off. */
  whole: boolean
  print: string
  reason: string
  revoked: boolean
  /** It says something about the person. */
  content: boolean
  task: string
  patient: string
  /** What the plan asks of this partner, as told. */
  asked: string[]
  /** What is told, whatever ids and times it has. */
  meaning: string
  /** The partner said no, completely: sending it again is no blind repeat. */
  refused?: true
}

const nothingRead = { whole: false, print: '', reason: '', revoked: false, content: false, task: '', patient: '', asked: [], meaning: '' }

export async function openPartners(byId: ReadonlyMap<string, Mood>, chances: Dice, moments: Moments) {
  const arrivals: Arrival[] = []
  const seen = new Map<string, number>()
  let mendedAt = Number.POSITIVE_INFINITY
  let told: ((arrival: Arrival) => void) | undefined

  const server = createServer((request, response) => {
    const partner = request.url?.split('/')[1] ?? ''
    const key = String(request.headers['x-request-id'])
    const arrival: Arrival = { partner, key, at: performance.now(), ...nothingRead }
    arrivals.push(arrival)
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('error', () => undefined)
    request.on('end', () => {
      Object.assign(arrival, read(Buffer.concat(parts).toString()))
      const times = (seen.get(key) ?? 0) + 1
      seen.set(key, times)
      moments.now('arrived')
      answer(request, response, arrival, times)
      told?.(arrival)
    })
  })

  function answer(request: IncomingMessage, response: ServerResponse, arrival: Arrival, times: number) {
    const mood = arrival.at > mendedAt ? 'steady' : (byId.get(arrival.partner) ?? 'steady')
    const say = (status: number, body = '{}') => {
      if (response.destroyed) return
      response.writeHead(status, { 'content-type': 'application/fhir+json', 'x-request-id': arrival.key })
      response.end(body, () => moments.now('answered'))
    }
    const luck = chances.chance()
    switch (mood) {
      case 'late':
        return void setTimeout(say, chances.between(30, 1_200), 200)
      case 'silent':
        return luck < 0.12 ? undefined : say(200)
      case 'resetting':
      case 'forgetful':
        return luck < 0.25 ? void request.socket.resetAndDestroy() : say(200)
      case 'busy':
        if (times > 1 || luck < 0.5) return say(200)
        response.once('finish', () => {
          arrival.refused = true
        })
        return say(503)
      case 'knowing':
        return times > 1 || luck < 0.3 ? say(409, duplicate) : say(200)
      case 'hasty':
        response.shouldKeepAlive = false
        response.once('finish', () => request.socket.destroySoon())
        return say(200)
      case 'doubling':
        response.once('finish', () => {
          if (luck < 0.5) request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}')
        })
        return say(200)
      default:
        return say(200)
    }
  }

  server.keepAliveTimeout = 60_000
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrivals,
    /** performance.now() at which all of them began to simply answer. */
    get mendedAt() {
      return mendedAt
    },
    /** Called for each whole message, once its answer is under way. */
    whenTold(hear: (arrival: Arrival) => void) {
      told = hear
    },
    /** From now on all of them simply answer. */
    mend() {
      mendedAt = performance.now()
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
export type Partners = Awaited<ReturnType<typeof openPartners>>

const duplicate = JSON.stringify({ resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'duplicate' }] })

function read(text: string): Omit<Arrival, 'partner' | 'key' | 'at'> {
  const bundle = JSON.parse(text) as Bundle
  const resources = (bundle.entry ?? []).flatMap(({ resource }) => resource ?? [])
  const of = <T>(type: string) => resources.find(({ resourceType }) => resourceType === type) as T | undefined
  const task = of<Task>('Task')
  const plans = resources.flatMap((one) => (one.resourceType === 'CarePlan' ? [one] : []))
  return {
    whole: true,
    print: createHash('sha256').update(text).digest('base64url'),
    reason: of<MessageHeader>('MessageHeader')?.reason?.coding?.[0]?.code ?? '',
    revoked: of<ServiceRequest>('ServiceRequest')?.status === 'revoked',
    content: wordsIn(text).length > 0,
    task: task?.id ?? '',
    patient: task?.for?.reference?.split('/').at(-1)?.replace('urn:uuid:', '') ?? '',
    asked: plans.flatMap(({ activity }) => (activity ?? []).flatMap(({ detail }) => detail?.description ?? [])),
    meaning: createHash('sha256')
      .update(JSON.stringify(resources.flatMap(meaningOf)))
      .digest('base64url'),
  }
}

/** Content without what differs from one message to the next whatever is told: the header, versions, times, the Task's state. */
function meaningOf(resource: { resourceType: string; id?: string }): unknown[] {
  if (/^(MessageHeader|Task|Consent|Organization|HealthcareService)$/.test(resource.resourceType)) return []
  return [JSON.parse(JSON.stringify(resource, (key, value) => (/^(meta|created|authoredOn|date)$/.test(key) ? undefined : value)))]
}
