/**
 * Random bytes and ids. Asking the system for a few bytes costs more than the bytes, and one case needs some two hundred such.
 */
import { randomBytes } from 'node:crypto'
import { v7 } from 'uuid'

const atOnce = 512

/** Gives this many random bytes, others each time. The system is asked at first use: a Worker has none before its first request. */
export function randomly(bytes: number): () => Buffer {
  let pool: Buffer = Buffer.alloc(0)
  let used = 0
  return () => {
    if (used === pool.length) {
      pool = randomBytes(bytes * atOnce)
      used = 0
    }
    used += bytes
    return pool.subarray(used - bytes, used)
  }
}

const next = randomly(16)
let at = 0
let seq = 0

/** A UUID that sorts behind every one this process made before (RFC 9562, version 7: the time, a counter, random bytes). */
export function newId(): string {
  const random = next()
  const now = Date.now()
  if (now > at) {
    at = now
    // Half of the room is left to count up in.
    seq = random.readUInt32BE(0) >>> 1
  } else if (++seq > 0xff_ff_ff_ff) {
    at++
    seq = 0
  }
  return v7({ random, msecs: at, seq })
}
