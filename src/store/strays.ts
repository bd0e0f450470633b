/**
 * Messages that no look at a person would find: about nobody, parked and nobody asked, or waiting for a time that no attempt of ours leads
 * to, as after a clock was set back.
 */
import { type Database, type Statement, statement } from './database.ts'
import type { Owed, Which } from './owed.ts'

/** On its way about somebody who was erased or never was; a row without its person can not be read, and is not sent. */
export const owedToNobody = (database: Database): Promise<Which[]> =>
  database.query(
    statement(`select o.id, o.patient from owed o left join person p on p.id = o.patient
      where o.state in ('due', 'parked') and (p.id is null or p.erased_at is not null) order by o.seq`),
  )

/** Parked, and no work item says so, nor did somebody close one by saying what they did instead. */
export const parkedUnasked = (database: Database): Promise<Pick<Owed, 'id' | 'service' | 'patient' | 'task'>[]> =>
  database.query(
    statement(`select o.id, o.service, o.patient, o.task from owed o join person p on p.id = o.patient and p.erased_at is null
      where o.state = 'parked' and not exists (select 1 from work_item w
        where w.patient = o.patient and w.about = 'parked:' || o.id and (w.resolved_at is null or w.resolved_by is not null)) order by o.seq`),
  )

/** No lease, attempt or shut lane of ours lasts beyond these instants. */
export type Longest = { lease: string; wait: string; shut: string }

/** How much waits for longer than it should. */
export async function waitingTooLong(database: Database, { lease, wait, shut }: Longest): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    statement(
      `select (select count(*) from owed where state = 'sending' and (lease_until is null or lease_until > ?))
         + (select count(*) from owed where state = 'due' and due_at > ?) + (select count(*) from lane where shut_until > ?) as count`,
      ...[lease, wait, shut],
    ),
  )
  return row?.count ?? 0
}

/** All of it is due now: a lease that is taken from somebody counts as possibly arrived, as always. */
export const waitNoLonger = (now: string, { lease, wait, shut }: Longest): Statement[] => [
  statement(`update owed set lease_until = ? where state = 'sending' and (lease_until is null or lease_until > ?)`, now, lease),
  statement(`update owed set due_at = ? where state = 'due' and due_at > ?`, now, wait),
  statement('update lane set shut_until = null where shut_until > ?', shut),
]
