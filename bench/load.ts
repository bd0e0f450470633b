/**
 * Load from this process, without a tool: kept-alive connections, a fixed number of requests in hand or a steady rate.
 */
import { Agent, request } from 'node:http'

export type Call = { method?: 'GET' | 'POST' | 'PUT'; path: string; body?: Buffer; headers?: Record<string, string> }
export type Timed = {
  /** Done for each second, and how many in all. */
  perSecond: number
  count: number
  /** Milliseconds. */
  p50: number
  p99: number
}

/** @param url where the server listens: 'http://127.0.0.1:8080' */
export function loader(url: string, connections = 256) {
  const { hostname, port } = new URL(url)
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const call = ({ method = 'GET', path, body, headers = {} }: Call): Promise<{ status: number; body: Buffer }> =>
    new Promise((resolve, reject) => {
      const length = body ? { 'content-type': 'application/fhir+json', 'content-length': body.length } : {}
      const asked = request({ agent, hostname, port, method, path, headers: { ...headers, ...length } }, (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('end', () => resolve({ status: response.statusCode as number, body: Buffer.concat(parts) }))
        response.on('error', reject)
      })
      asked.on('error', reject)
      asked.end(body)
    })
  const must = async (one: Call): Promise<Buffer> => {
    const { status, body } = await call(one)
    if (status !== 200 && status !== 201) throw new Error(`${one.path} answered ${status}: ${body.toString().slice(0, 300)}`)
    return body
  }
  return { call, must, close: () => agent.destroy() }
}
export type Loader = ReturnType<typeof loader>

/**
 * `inHand` requests at any time, until there are no more or time is up.
 *
 * @param next the nth call, or undefined when there are no more
 */
export async function hammer(
  load: Loader,
  next: (n: number) => Call | undefined,
  { inHand = 16, seconds = Number.POSITIVE_INFINITY } = {},
) {
  const times: number[] = []
  const began = performance.now()
  const end = began + seconds * 1000
  let n = 0
  const worker = async () => {
    for (let one = next(n++); one && performance.now() < end; one = next(n++)) {
      const start = performance.now()
      await load.must(one)
      times.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: inHand }, worker))
  return timed(times, performance.now() - began)
}

/** Starts `count` calls evenly at `perSecond`, whether or not those before were answered. */
export async function steadily(count: number, perSecond: number, start: (n: number) => Promise<void>) {
  const began = performance.now()
  const all: Promise<void>[] = []
  for (let n = 0; n < count; n++) {
    const wait = began + (n * 1000) / perSecond - performance.now()
    if (wait > 0) await sleep(wait)
    all.push(start(n))
  }
  await Promise.all(all)
}

/** @param times milliseconds of each; @param ms how long all of it took */
export function timed(times: readonly number[], ms: number): Timed {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { perSecond: (times.length / ms) * 1000, count: times.length, p50: at(0.5), p99: at(0.99) }
}

export const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))
