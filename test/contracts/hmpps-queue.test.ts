/**
 * Events from a queue: off it only when they are committed, and what is no event stays on it.
 */
import type { Observation } from '@medplum/fhirtypes'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Queue, readCredentials, sign, sqsQueue } from '../../src/channels/sqs.ts'
import { custodyIn, custodyObservation } from '../../src/domain/read.ts'
import { readQueue } from '../../src/exchange/hmpps-queue.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway } from '../fixtures/gateway.ts'
import { envelope, prisonEvent } from '../fixtures/hmpps.ts'

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }

test('a request is signed as the published example has it', () => {
  const signed = sign({
    ...credentials,
    method: 'GET',
    url: new URL('https://example.amazonaws.com/'),
    headers: {},
    body: '',
    region: 'us-east-1',
    service: 'service',
    at: new Date('2015-08-30T12:36:00Z'),
  })
  expect(signed.authorization).toBe(
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  )
})

test('credentials are read as AWS tools write them', () => {
  const said = { AccessKeyId: 'A', SecretAccessKey: 'B', SessionToken: 'C', Expiration: '2026-04-02T10:00:00Z' }
  const read = { accessKeyId: 'A', secretAccessKey: 'B', sessionToken: 'C' }
  expect([readCredentials(JSON.stringify(said)), readCredentials(JSON.stringify({ Credentials: said }))]).toEqual([read, read])
  for (const bad of ['', '{', '{}', '{"AccessKeyId":"A"}']) expect(readCredentials(bad)).toBeUndefined()
})

test('what goes to the queue: one address, the action in a header, the token of the session, and refusals as codes', async () => {
  const asked: { url: string; init: RequestInit }[] = []
  const answers = [
    Response.json({ Messages: [{ MessageId: 'm', ReceiptHandle: 'r', Body: '{}' }] }),
    new Response('{}'),
    Response.json({ __type: 'com.amazonaws.sqs#QueueDoesNotExist', message: 'secret words' }, { status: 400 }),
  ]
  const url = 'https://sqs.eu-west-2.amazonaws.com/1/queue'
  const queue = sqsQueue(
    { url, region: 'eu-west-2' },
    () => ({ ...credentials, sessionToken: 'session' }),
    async (to, init) => {
      asked.push({ url: String(to), init: init ?? {} })
      return answers.shift() as Response
    },
  )
  const { signal } = new AbortController()
  expect(await queue.receive(signal)).toEqual([{ id: 'm', receipt: 'r', body: '{}' }])
  await queue.remove('r', signal)
  await expect(queue.receive(signal)).rejects.toMatchObject({ code: 'QueueDoesNotExist', message: 'the queue refused' })
  expect(
    asked.map(({ url: to, init }) => [
      to,
      new Headers(init.headers).get('x-amz-target'),
      new Headers(init.headers).get('x-amz-security-token'),
    ]),
  ).toEqual([
    ['https://sqs.eu-west-2.amazonaws.com/', 'AmazonSQS.ReceiveMessage', 'session'],
    ['https://sqs.eu-west-2.amazonaws.com/', 'AmazonSQS.DeleteMessage', 'session'],
    ['https://sqs.eu-west-2.amazonaws.com/', 'AmazonSQS.ReceiveMessage', 'session'],
  ])
  expect(JSON.parse(String(asked[1]?.init.body))).toEqual({ QueueUrl: url, ReceiptHandle: 'r' })
})

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

/** A queue in memory: what is not taken off comes again; when it is empty it waits until somebody stops. */
function queueOf(...bodies: string[]) {
  const there = bodies.map((body, n) => ({ id: `m${n}`, receipt: `r${n}`, body }))
  let rounds = 0
  let drained: () => void = () => undefined
  const idle = new Promise<void>((done) => {
    drained = done
  })
  const queue: Queue = {
    async receive(signal) {
      if (rounds++ < 2) return [...there]
      drained()
      return new Promise((_, failed) => signal.addEventListener('abort', () => failed(new Error('aborted'))))
    },
    async remove(receipt) {
      // Only now: what it said is in the record already.
      taken.push(`${receipt} ${(await gateway.rows()).event}`)
      there.splice(
        there.findIndex((one) => one.receipt === receipt),
        1,
      )
    },
  }
  const taken: string[] = []
  return { queue, there, taken, idle }
}

test('each is taken once it is committed; the same twice is once; what is no event stays', async () => {
  await gateway.handIn(caseBundle())
  const event = prisonEvent('released', { code: 'CR' })
  const { queue, there, taken, idle } = queueOf(
    JSON.stringify(envelope(event, 'a')),
    JSON.stringify(envelope(event, 'b')),
    'no json',
    '{"Type":"Notification"}',
  )
  const stop = readQueue(gateway.exchange, queue)
  await idle
  await stop()
  expect(taken).toEqual(['r0 1', 'r1 1'])
  expect(there.map(({ receipt }) => receipt)).toEqual(['r2', 'r3'])
  expect(custodyIn(custodyObservation(await gateway.service.find('Observation')) as Observation)).toMatchObject({ left: '2026-04-02' })
  expect(gateway.logged.join()).not.toContain('B1357CD')
})

test('a queue that fails is asked again, and stopping does not wait for it', async () => {
  let asked = 0
  let tried: () => void = () => undefined
  const thrice = new Promise<void>((done) => {
    tried = done
  })
  const queue: Queue = {
    async receive() {
      if (++asked === 3) tried()
      throw Object.assign(new Error('B1357CD'), { code: 'ECONNREFUSED' })
    },
    remove: async () => undefined,
  }
  const stop = readQueue(gateway.exchange, queue, [1, 1, 60_000])
  await thrice
  await stop()
  expect(asked).toBe(3)
  expect(gateway.logged.filter((line) => line.includes('queue.failed')).join()).toMatch(/ECONNREFUSED/)
  expect(gateway.logged.join()).not.toContain('B1357CD')
})
