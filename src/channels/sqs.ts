/**
 * A queue at Amazon SQS, as far as reading it goes: wait for messages, take one off. Its JSON protocol and Signature Version 4 over our own
 * `fetch`: one request shape and one signature, for which the vendor's client would bring forty packages.
 *
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { createHash, createHmac } from 'node:crypto'
import * as z from 'zod'
import type { Fetch } from '../channel.ts'

export type Queue = {
  /** Waits up to 20 s. @throws with a `code` that says what went wrong, and nothing else */
  receive(signal: AbortSignal): Promise<{ id: string; receipt: string; body: string }[]>
  remove(receipt: string, signal: AbortSignal): Promise<void>
}

export type Credentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string }

/** Hidden from other readers for so long; whatever was not taken off by then comes again. */
const hiddenSeconds = 120
const waitSeconds = 20

/** @param credentials asked for before each request: they are good for an hour, and somebody else renews them */
export function sqsQueue(
  { url, region }: { url: string; region: string },
  credentials: () => Credentials,
  fetch: Fetch,
  now: () => Date = () => new Date(),
): Queue {
  const ask = async (action: string, input: object, signal: AbortSignal): Promise<unknown> => {
    const body = JSON.stringify({ QueueUrl: url, ...input })
    const to = new URL('/', url)
    const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `AmazonSQS.${action}` }
    const signed = sign({ method: 'POST', url: to, headers, body, region, service: 'sqs', at: now(), ...credentials() })
    const response = await fetch(to, { method: 'POST', headers: signed, body, redirect: 'manual', signal })
    const text = await response.text()
    if (response.status !== 200) throw Object.assign(new Error('the queue refused'), { code: refusalIn(text) ?? `HTTP_${response.status}` })
    return text ? JSON.parse(text) : {}
  }
  return {
    async receive(signal) {
      const input = { MaxNumberOfMessages: 10, WaitTimeSeconds: waitSeconds, VisibilityTimeout: hiddenSeconds }
      const { Messages } = received.parse(await ask('ReceiveMessage', input, signal))
      return (Messages ?? []).map(({ MessageId, ReceiptHandle, Body }) => ({ id: MessageId, receipt: ReceiptHandle, body: Body }))
    },
    async remove(receipt, signal) {
      await ask('DeleteMessage', { ReceiptHandle: receipt }, signal)
    },
  }
}

const received = z.looseObject({
  Messages: z.array(z.looseObject({ MessageId: z.string(), ReceiptHandle: z.string(), Body: z.string() })).nullish(),
})

/** 'com.amazonaws.sqs#QueueDoesNotExist': the last word of it. */
function refusalIn(text: string): string | undefined {
  try {
    return /([A-Za-z]{3,60})$/.exec(String((JSON.parse(text) as { __type?: unknown }).__type))?.[1]
  } catch {
    return undefined
  }
}

export type Signing = Credentials & {
  method: string
  url: URL
  headers: Readonly<Record<string, string>>
  body: string
  region: string
  service: string
  at: Date
}

/** The headers with which a request is sent, signed (AWS Signature Version 4). The URL has no query. */
export function sign({
  method,
  url,
  headers,
  body,
  region,
  service,
  at,
  accessKeyId,
  secretAccessKey,
  sessionToken,
}: Signing): Record<string, string> {
  const time = at.toISOString().replace(/[-:]|\.\d{3}/g, '')
  const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`
  const sent: Record<string, string> = { ...headers, 'x-amz-date': time, ...(sessionToken ? { 'x-amz-security-token': sessionToken } : {}) }
  const said = Object.entries({ ...sent, host: url.host }).sort(([a], [b]) => (a < b ? -1 : 1))
  const names = said.map(([name]) => name).join(';')
  const canonical = [method, url.pathname, '', ...said.map(([name, value]) => `${name}:${value.trim()}`), '', names, hash(body)].join('\n')
  const key = [time.slice(0, 8), region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`)
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, hash(canonical)].join('\n')).toString('hex')
  return { ...sent, authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}` }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

const written = z.looseObject({
  AccessKeyId: z.string().min(1),
  SecretAccessKey: z.string().min(1),
  SessionToken: z.string().min(1).optional(),
})

/** As AWS tools print temporary credentials; also inside `Credentials`. @returns undefined when it is not that */
export function readCredentials(text: string): Credentials | undefined {
  try {
    const json = JSON.parse(text) as { Credentials?: unknown }
    const { AccessKeyId, SecretAccessKey, SessionToken } = written.parse(json.Credentials ?? json)
    return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, ...(SessionToken ? { sessionToken: SessionToken } : {}) }
  } catch {
    return undefined
  }
}
