/**
 * What time it is: real, or stopped and turned by hand (CONTRACT.md 1). Tokens and signatures keep real time either way.
 */
import { Temporal } from 'temporal-polyfill'
import * as z from 'zod'
import type { Clock } from './exchange/exchange.ts'
import { refuse } from './fhir/outcome.ts'

export const realClock: Clock = () => new Date()

export type ManualClock = {
  now: Clock
  /** Puts the hands forward. The past does not come back: an earlier time is ignored. */
  set: (to: Date) => void
}

export function manualClock(start: Date): ManualClock {
  let at = start.getTime()
  return {
    now: () => new Date(at),
    set: (to) => {
      at = Math.max(at, to.getTime())
    },
  }
}

/** What `POST /clock` is asked. */
const move = z.union([z.strictObject({ advance: z.string() }), z.strictObject({ to: z.string() })])

/**
 * The instant a move leads to: `{advance: 'P7D'}` (days and months counted in UTC) or `{to: '2026-03-09T09:00:00Z'}`.
 *
 * @throws Refusal 400 when it is neither, or leads backwards
 */
export function destination(now: Date, body: unknown): Date {
  const asked = move.safeParse(body)
  if (!asked.success) throw refuse(400, 'invalid', 'Send {"advance": "<ISO 8601 duration>"} or {"to": "<instant>"}.')
  const to = reach(now, asked.data)
  if (!to) throw refuse(400, 'value', 'That is no ISO 8601 duration or instant.')
  if (to < now) throw refuse(400, 'value', 'The clock is never turned backwards.')
  return to
}

function reach(now: Date, asked: z.infer<typeof move>): Date | undefined {
  try {
    const at = Temporal.Instant.fromEpochMilliseconds(now.getTime())
    const to = 'to' in asked ? Temporal.Instant.from(asked.to) : at.toZonedDateTimeISO('UTC').add(asked.advance).toInstant()
    return new Date(to.epochMilliseconds)
  } catch {
    return undefined
  }
}
