/**
 * HMPPS events from a queue: each is taken as if somebody had posted it, and comes off the queue only when that is committed. One that can
 * not be taken stays: it comes again, and after a while the queue itself sets it aside.
 */
import type { Queue } from '../channels/sqs.ts'
import { readEnvelope, readEvent } from '../domain/hmpps-event.ts'
import type { Exchange } from './exchange.ts'
import { takeEvent } from './hmpps.ts'

const pauseMs = [1_000, 5_000, 15_000, 60_000] as const

/** @returns ends it, when the message in hand is done */
export function readQueue(exchange: Exchange, queue: Queue, pauses: readonly number[] = pauseMs): () => Promise<void> {
  const stopping = new AbortController()
  const { signal } = stopping
  const run = async () => {
    for (let failures = 0; !signal.aborted; ) {
      try {
        for (const { id, receipt, body } of await queue.receive(signal)) {
          if (signal.aborted) return
          if (await take(exchange, id, body)) await queue.remove(receipt, signal)
        }
        failures = 0
      } catch (error) {
        if (signal.aborted) return
        const { code, name } = error as { code?: unknown; name?: unknown }
        exchange.log('warn', 'queue.failed', { reason: typeof code === 'string' ? code : String(name) })
        await pause(pauses[Math.min(failures++, pauses.length - 1)] as number, signal)
      }
    }
  }
  const running = run()
  return async () => {
    stopping.abort()
    await running
  }
}

async function take(exchange: Exchange, id: string, body: string): Promise<boolean> {
  const opened = readEnvelope(parse(body), parse)
  const read = 'fault' in opened ? opened : readEvent(opened.message, exchange.now())
  if ('fault' in read || 'fault' in opened) {
    exchange.log('warn', 'queue.message-refused', { message: id })
    return false
  }
  const { event } = read
  const taken = await takeEvent(exchange, { who: 'queue:hmpps' }, event, JSON.stringify(opened.message), opened.messageId ?? `sqs ${id}`)
  exchange.log('info', 'event.taken', { kind: event.known ? event.eventType : 'unknown', outcome: taken.outcome })
  return true
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((done) => {
    const end = () => {
      clearTimeout(timer)
      done()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end, { once: true })
  })
