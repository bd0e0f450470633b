/**
 * One attempt at one message: decided on again, sent over the partner's channel, and how it ended written down. Whoever has leased the
 * message (deliver.ts) calls it.
 */
import type { Task } from '@medplum/fhirtypes'
import type { Delivery } from '../channel.ts'
import { today } from '../domain/calendar.ts'
import type { Partner } from '../domain/directory.ts'
import { heldUnsigned } from '../domain/sign-off.ts'
import { recordAudit } from '../store/audit.ts'
import { Conflict, type Statement } from '../store/database.ts'
import { laneAnswered, laneFailed, laneOf } from '../store/lanes.ts'
import { type Owed, owedBehind, settle } from '../store/owed.ts'
import { newId } from '../store/random.ts'
import { readResource, type Stored, updateResource } from '../store/resources.ts'
import { openWorkItem } from '../store/work-items.ts'
import { lookAtWhole } from './amend.ts'
import type { Exchange } from './exchange.ts'
import { type Decided, sendIfPermitted } from './send.ts'
import { unsignedNow } from './signed.ts'
import { serviceShelf } from './situation.ts'
import { inState, stateOf } from './task.ts'

/** No answer for three days: a person looks. */
export const giveUpMs = 72 * 3_600_000

export async function attempt(exchange: Exchange, message: Owed): Promise<void> {
  const partner = exchange.directory().partners.get(message.partner)
  const end = await outcomeOf(exchange, message, partner)
  const write = async () => {
    const moved = end.delivered ? await markDelivered(exchange, message) : []
    await exchange.database.atomically([...end.statements, ...moved])
    return moved.length > 0
  }
  let arrived = false
  try {
    arrived = await write()
  } catch (error) {
    if (!(error instanceof Conflict)) throw error
    if (error.what === 'version' && end.delivered) arrived = await write()
    else exchange.log('warn', 'lease-lost', { owed: message.id, attempt: message.attempts })
  }
  const changes = end.lookAgain || (end.delivered ? arrived && isLate(message, exchange.now()) : await isTakenBack(exchange, message))
  if (changes) await lookAtWhole(exchange, message.patient)
  exchange.log(end.delivered ? 'info' : 'warn', 'attempt', {
    owed: message.id,
    partner: message.partner,
    attempt: message.attempts,
    outcome: end.outcome,
    note: end.note,
  })
}

/** Taken back while it was in hand: the notice behind it need not wait for what may not be sent any more. */
const isTakenBack = async ({ database }: Exchange, message: Owed): Promise<boolean> =>
  message.basis !== '[]' && (await owedBehind(database, message)).some(({ basis }) => basis === '[]')

/** Asked for the first time today, nothing of it can be overdue; otherwise what was asked of a person is no longer that it did not arrive. */
const isLate = ({ reason, createdAt }: Owed, now: Date): boolean => reason !== 'new' || today(new Date(createdAt)) !== today(now)

type End = { outcome: string; statements: Statement[]; delivered?: true; lookAgain?: true; note?: string }

async function outcomeOf(exchange: Exchange, message: Owed, partner: Partner | undefined): Promise<End> {
  const { id, attempts: number } = message
  const at = exchange.now().toISOString()
  if (!partner || partner.retired) return parked(exchange, message, 'the partner is no longer in the directory', message.unanswered)
  if (message.unanswered && !partner.deduplicates && number > 1) {
    return parked(exchange, message, 'an attempt had no answer, and this partner can not tell a repeat from a second message', true)
  }
  // A notice to stop says nothing about anybody: it goes.
  const unsigned = message.basis === '[]' ? undefined : unsignedNow(exchange, partner.kind)
  if (unsigned) {
    const statements = settle({ id, patient: message.patient, attempt: number, at, outcome: 'void', note: heldUnsigned })
    return { outcome: 'void', lookAgain: true, note: unsigned, statements }
  }
  const { refused, delivery, ...decided } = await sendIfPermitted(exchange, message, partner)
  if (!delivery) {
    const withheld = { ...auditRow(message, at, { message: id, because: refused, when: 'sent' }, decided), action: 'withhold' }
    return {
      outcome: 'void',
      lookAgain: true,
      note: refused,
      statements: [
        ...settle({ id, patient: message.patient, attempt: number, at, outcome: 'void', note: refused }),
        recordAudit([withheld]),
      ],
    }
  }
  const after = exchange.now()
  const sent = auditSent(message, partner, after.toISOString(), delivery, decided)
  const lane =
    delivery.outcome === 'unavailable'
      ? laneFailed(partner.id, await laneOf(exchange.database, partner.id), after)
      : laneAnswered(partner.id)
  if (delivery.outcome === 'accepted') {
    const { receipt } = delivery
    return {
      outcome: 'delivered',
      delivered: true,
      statements: [
        ...settle({ id, patient: message.patient, attempt: number, at: after.toISOString(), outcome: 'accepted', receipt }),
        lane,
        sent,
      ],
    }
  }
  if (delivery.outcome === 'rejected')
    return parked(exchange, message, `the partner rejected it: ${delivery.issues.join(', ')}`, false, lane, sent)
  const { reason, unanswered, retryAfterSeconds } = delivery
  if (unanswered && !partner.deduplicates)
    return parked(exchange, message, `${reason}; this partner can not tell a repeat from a second message`, true, lane, sent)
  const since = message.firstTriedAt ? new Date(message.firstTriedAt).getTime() : after.getTime()
  if (after.getTime() - since >= giveUpMs) return parked(exchange, message, `${reason}; tried for 72 hours`, unanswered, lane, sent)
  // However late the partner says: by then a person looks.
  const wait = Math.min(Math.max(backoffMs(number), (retryAfterSeconds ?? 0) * 1000), since + giveUpMs - after.getTime())
  const dueAt = new Date(after.getTime() + wait).toISOString()
  return {
    outcome: 'unavailable',
    note: reason,
    statements: [
      ...settle({
        id,
        patient: message.patient,
        attempt: number,
        at: after.toISOString(),
        outcome: 'unavailable',
        dueAt,
        unanswered,
        note: reason,
      }),
      lane,
      // One row for a message that is tried again and again: the first says that it may have been read.
      ...(number === 1 ? [sent] : []),
    ],
  }
}

/** Whatever it answered, a partner that was sent something may have read it. */
function auditSent(message: Owed, partner: Partner, at: string, { outcome }: Delivery, decided: Decided): Statement {
  const address = whereTo(partner)
  return recordAudit([
    {
      ...auditRow(message, at, { message: message.id, attempt: message.attempts, reason: message.reason, outcome }, decided),
      action: outcome === 'accepted' ? 'deliver' : 'attempt',
      ...(address ? { address } : {}),
    },
  ])
}

/** @param decided what it was decided on again just now */
const auditRow = (message: Owed, at: string, detail: object, { basis, detail: more }: Decided) => ({
  id: newId(),
  at,
  who: 'exchange',
  service: message.service,
  patient: message.patient,
  entity: `Task/${message.task}`,
  recipient: message.partner,
  ...(basis ? { basis } : {}),
  detail: JSON.stringify({ ...detail, ...more }),
})

/** A partner's address as an audit may hold it: nothing that opens a door. */
function whereTo({ channel }: Partner): string | undefined {
  const { url, to } = channel as { url?: unknown; to?: unknown }
  if (typeof url === 'string' && URL.canParse(url)) {
    const { origin, pathname } = new URL(url)
    return `${origin}${pathname}`
  }
  return typeof to === 'string' ? to : undefined
}

/** Attempts within about two hours. */
const often = 12
/**
 * Half a minute, doubled at each attempt; no longer than a quarter of an hour in the first two, so that a partner that was away for half of
 * one is told a new release date within it; then doubled again up to four hours. Up to a fifth more or less, so that messages do not march
 * in step.
 */
export function backoffMs(attemptsMade: number, chance = Math.random()): number {
  const quarterMs = 15 * 60_000
  const doubled = 30_000 * 2 ** (attemptsMade - 1)
  const base = attemptsMade <= often ? Math.min(doubled, quarterMs) : Math.min(quarterMs * 2 ** (attemptsMade - often), 4 * 3_600_000)
  return Math.round(base * (0.8 + 0.4 * chance))
}

/** It waits for a person, who sees why and can send it again. */
function parked(exchange: Exchange, message: Owed, why: string, unanswered: boolean, ...more: Statement[]): End {
  const at = exchange.now().toISOString()
  const name = exchange.directory().partners.get(message.partner)?.name ?? message.partner
  return {
    outcome: 'parked',
    note: why,
    statements: [
      ...more,
      ...settle({ id: message.id, patient: message.patient, attempt: message.attempts, at, outcome: 'parked', unanswered, note: why }),
      openWorkItem({
        id: newId(),
        service: message.service,
        patient: message.patient,
        task: message.task,
        about: `parked:${message.id}`,
        reason: 'parked',
        words: `A message to ${name} did not arrive: ${why}. Mend the cause and send it again, or phone.`,
        openedAt: at,
      }),
    ],
  }
}

/** The handover shows that its message arrived; one that has moved on meanwhile stays as it is. */
async function markDelivered(exchange: Exchange, message: Owed): Promise<Statement[]> {
  const stored = await readResource(exchange.database, serviceShelf(message.service), 'Task', message.task)
  const task = stored?.body as Task | undefined
  if (!stored || !task || stateOf(task).businessStatus !== 'queued') return []
  const at = exchange.now().toISOString()
  const version = stored.version + 1
  const body = inState(task, { status: 'requested', businessStatus: 'delivered' }, at)
  const next: Stored = {
    ...stored,
    version,
    lastUpdated: at,
    body: { ...body, meta: { ...body.meta, versionId: String(version), lastUpdated: at } },
  }
  return updateResource(next, stored.version)
}
