/**
 * The lane of a partner: a breaker that shuts when attempt after attempt gets no answer, and a pause that a person sets.
 *
 * Messages keep their own times to try again; a shut lane only keeps the rest of a partner's messages from being tried one by
 * one against a door that does not open. When it may open again one message is tried; if that arrives, all go.
 */
import { type Database, type Statement, statement } from './database.ts'

export type Lane = { failures: number; shutUntil?: string; pausedAt?: string; note?: string }

/** Attempts in a row without an answer after which the lane shuts. */
export const shutsAfter = 5
const shutMs = 30_000
export const longestShutMs = 15 * 60_000

export async function laneOf(database: Database, partner: string): Promise<Lane> {
  const [row] = await database.query<Row>(statement(`select ${columns} from lane where partner = ?`, partner))
  return row ? laneIn(row) : { failures: 0 }
}

/** Every lane something ever happened in, by partner. */
export async function lanes(database: Database): Promise<Map<string, Lane>> {
  const rows = await database.query<Row>(statement(`select ${columns} from lane`))
  return new Map(rows.map((row) => [row.partner, laneIn(row)]))
}

const columns = 'partner, failures, shut_until, paused_at, note'
type Row = { partner: string; failures: number; shut_until: string | null; paused_at: string | null; note: string | null }
const laneIn = ({ failures, shut_until, paused_at, note }: Row): Lane => ({
  failures,
  ...(shut_until ? { shutUntil: shut_until } : {}),
  ...(paused_at ? { pausedAt: paused_at } : {}),
  ...(note ? { note } : {}),
})

/** `trying`: it was shut, and one message goes to see whether it opens again. */
export function standingOf(lane: Lane, now: string): 'open' | 'trying' | 'shut' | 'paused' {
  if (lane.pausedAt) return 'paused'
  if (lane.shutUntil && lane.shutUntil > now) return 'shut'
  return lane.failures >= shutsAfter ? 'trying' : 'open'
}

/** How many messages may be in hand: none while it is paused or shut, one to try whether it opens again, else `most`. */
export function roomIn(lane: Lane, now: string, most: number): number {
  const standing = standingOf(lane, now)
  return standing === 'open' ? most : standing === 'trying' ? 1 : 0
}

/** No answer, again. */
export const laneFailed = (partner: string, lane: Lane, now: Date): Statement => {
  const failures = lane.failures + 1
  const over = failures - shutsAfter
  const shutUntil = over < 0 ? null : new Date(now.getTime() + Math.min(shutMs * 2 ** over, longestShutMs)).toISOString()
  return statement(
    `insert into lane (partner, failures, shut_until) values (?, 1, null)
     on conflict do update set failures = failures + 1, shut_until = ?`,
    partner,
    shutUntil,
  )
}

/** It answered: whatever it said, it is there. */
export const laneAnswered = (partner: string): Statement =>
  statement('update lane set failures = 0, shut_until = null where partner = ? and failures > 0', partner)

/** A person says: send this partner nothing for now. */
export const pause = (partner: string, at: string, note?: string): Statement =>
  statement(
    `insert into lane (partner, failures, paused_at, note) values (?, 0, ?, ?)
     on conflict do update set paused_at = excluded.paused_at, note = excluded.note`,
    partner,
    at,
    note ?? null,
  )

/** Open again, as if it had never failed. */
export const resume = (partner: string): Statement =>
  statement('update lane set paused_at = null, note = null, failures = 0, shut_until = null where partner = ?', partner)
