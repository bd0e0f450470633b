/**
 * A person has dealt with a work item, or leaves it as it is, and says why. The running gateway looks at the person again at once, so
 * that what has to be asked all the same is asked again.
 */
import { settlingOf } from '../domain/settling.ts'
import { recordAudit } from '../store/audit.ts'
import { Conflict } from '../store/database.ts'
import { newId } from '../store/random.ts'
import { setTimer } from '../store/timers.ts'
import { resolveWorkItemBy, workItem } from '../store/work-items.ts'
import type { Exchange } from './exchange.ts'

export type Resolved =
  | { outcome: 'closed' | 'left'; reason: string }
  | { outcome: 'refused'; reason: string; words: string }
  | { outcome: 'unknown' | 'done-already' }

/** @param note what somebody did or decided: sealed, read in the audit only */
export async function resolveWork(
  { database, now }: Pick<Exchange, 'database' | 'now'>,
  id: string,
  { by, note }: { by: string; note: string },
): Promise<Resolved> {
  const item = await workItem(database, id)
  if (!item) return { outcome: 'unknown' }
  if (item.resolvedAt) return { outcome: 'done-already' }
  const { service, patient, reason, words } = item
  const outcome = settlingOf(reason)
  if (!outcome || !patient) return { outcome: 'refused', reason, words }
  const at = now().toISOString()
  const detail = JSON.stringify({ work: reason, because: note })
  try {
    await database.atomically([
      resolveWorkItemBy(id, at, by),
      setTimer({ patient, about: 'resolved', service, dueAt: at }),
      recordAudit([{ id: newId(), at, action: 'resolve', who: by, service, patient, entity: `work-item/${id}`, detail }]),
    ])
  } catch (error) {
    if (error instanceof Conflict) return { outcome: 'done-already' }
    throw error
  }
  return { outcome, reason }
}
