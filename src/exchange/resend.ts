/**
 * A person has looked at a parked message and says: send it after all. Its work item is done in the same commit.
 */
import { v7 as newId } from 'uuid'
import { recordAudit } from '../store/audit.ts'
import { Conflict } from '../store/database.ts'
import { type OwedState, owedById, resend } from '../store/owed.ts'
import { resolveWorkItemAbout } from '../store/work-items.ts'
import type { Exchange } from './exchange.ts'

/** What became of it; a message in any other state than parked stays as it is. */
export type Resent =
  | { outcome: 'due'; partner: string; task: string }
  | { outcome: 'not-parked'; state: OwedState }
  | { outcome: 'unknown' }

/**
 * The deliverer takes it at its next turn, and decides again before it sends.
 *
 * @param id the message's key
 * @param who staff, client or 'command line', for the audit
 */
export async function sendAgain({ database, now }: Pick<Exchange, 'database' | 'now'>, id: string, who: string): Promise<Resent> {
  const message = await owedById(database, id)
  if (!message) return { outcome: 'unknown' }
  const at = now().toISOString()
  const { service, patient, partner, task } = message
  const audit = {
    id: newId(),
    at,
    action: 'resend',
    who,
    service,
    patient,
    entity: `Task/${task}`,
    recipient: partner,
    detail: JSON.stringify({ message: id }),
  }
  try {
    // Due since it first was: so it is due for a clock that is not real, too.
    await database.atomically([resend(id, message.dueAt), resolveWorkItemAbout(patient, `parked:${id}`, at), recordAudit([audit])])
  } catch (error) {
    if (error instanceof Conflict) return { outcome: 'not-parked', state: (await owedById(database, id))?.state ?? message.state }
    throw error
  }
  return { outcome: 'due', partner, task }
}
