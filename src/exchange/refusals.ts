/**
 * Which partner said no, and why: counted from the answers in the audit, so that a practice that asks for proof of identity or address
 * (it may not, gp-registration.md 1) is seen to.
 */
import type { HandoverState } from '../domain/handover.ts'
import { type AuditRow, answersInAudit } from '../store/audit.ts'
import type { Statement } from '../store/database.ts'
import { markOf, setMark } from '../store/marks.ts'
import type { Exchange } from './exchange.ts'

/** `code`: of `CodeSystem/rejection-reason`, or how it failed; 'not-coded': in words only. */
export type Refusals = { partner: string; kind: string; code: string; count: number }

/** Fewer people than this are not told apart outside the service. */
export const fewestTold = 5

/** @param from, upto instants; the most first */
export async function refusals(
  { database, directory }: Pick<Exchange, 'database' | 'directory'>,
  from: string,
  upto: string,
): Promise<Refusals[]> {
  const counts = new Map<string, Refusals>()
  for (let after: AuditRow | undefined; ; ) {
    const rows = await answersInAudit(database, from, upto, after)
    for (const { detail } of rows) {
      // Of somebody who was erased nothing is left to count.
      const said = detail === undefined ? undefined : (JSON.parse(detail) as { to: HandoverState; partner?: string; because?: string })
      if (!said?.partner || !/^(rejected|failed)$/.test(said.to.status)) continue
      const { partner } = said
      const code = said.because ?? (said.to.status === 'failed' ? (said.to.businessStatus ?? 'failed') : 'not-coded')
      const one = counts.get(`${partner} ${code}`) ?? { partner, kind: directory().partners.get(partner)?.kind ?? '', code, count: 0 }
      one.count++
      counts.set(`${partner} ${code}`, one)
    }
    after = rows.at(-1)
    if (!after) break
  }
  return [...counts.values()].sort((a, b) => b.count - a.count || (`${a.partner} ${a.code}` < `${b.partner} ${b.code}` ? -1 : 1))
}

const mark = 'refusals'
const yearMs = 365 * 86_400_000

/** What is kept for the metrics, once a night: the last year's, without what is too few to be told. */
export async function countRefusals(exchange: Exchange): Promise<Statement> {
  const from = new Date(exchange.now().getTime() - yearMs).toISOString()
  const found = (await refusals(exchange, from, '9999')).filter(({ count }) => count >= fewestTold)
  return setMark(mark, JSON.stringify(found))
}

/** As of last night. */
export async function lastRefusals(database: Exchange['database']): Promise<Refusals[]> {
  return JSON.parse((await markOf(database, mark)) ?? '[]') as Refusals[]
}
