/**
 * A handover moves as somebody says, exactly as the table of `domain/handover.ts` allows; each move is an audit row that says who, from
 * where and why.
 */
import type { Task } from '@medplum/fhirtypes'
import type { Caller } from '../access/caller.ts'
import { stopConfirmedBy, usualPace } from '../domain/chase.ts'
import { type HandoverState, isOpen, move, rejectionReasons } from '../domain/handover.ts'
import { staysHeld } from '../domain/hold.ts'
import { type Issue, Refusal, refuse } from '../fhir/outcome.ts'
import { ours } from '../fhir/systems.ts'
import type { Change } from './change.ts'
import { serviceShelf } from './situation.ts'
import { onHold, type Stood, stood } from './suspend.ts'
import { heldBecause, inState, isHandover, markByHand, ownerOf, stateOf } from './task.ts'

/** What somebody says of a handover. */
export type Said = { status?: string; businessStatus?: string; reason?: Task['statusReason']; output?: Task['output']; note?: Task['note'] }

/**
 * A partner speaks for itself; a service for its navigator and its supervisor or, by phone, for the partner.
 *
 * @throws Refusal 422 naming the moves that are open, when this one is not
 */
export function moveHandover(change: Change, taskId: string, said: Said, caller: Pick<Caller, 'role' | 'client'>): Task {
  const { situation } = change
  const task = situation.record.get(`Task/${taskId}`)?.body as Task | undefined
  if (!task || !isHandover(task)) throw refuse(404, 'not-found', 'There is no such handover here.', 'Task')
  const partner = situation.directory.partners.get(ownerOf(task))
  const closesWith = (partner && situation.adapters.get(partner.kind)?.closesWith) ?? []
  // What is on hold for custody goes on later; what is said of it meanwhile is said of where it stood.
  const held = stood(task)
  const present = held?.state ?? stateOf(task)
  // What the exchange itself wrote there is nobody's reason.
  const because = held && said.reason?.text === task.statusReason?.text ? undefined : said.reason
  const code = rejectionCode(because)
  const reason = because && { ...(code ? { code } : {}), ...(because.text ? { text: because.text } : {}) }
  const wanted = {
    ...(said.status ? { status: said.status } : {}),
    ...(said.businessStatus ? { businessStatus: said.businessStatus } : {}),
    ...(reason ? { reason: { ...reason, code: reason.code ?? because?.coding?.[0]?.code } } : {}),
  } as Parameters<typeof move>[1]
  const actors = caller.role === 'partner' ? (['recipient'] as const) : (['navigator', 'recipient', 'supervisor'] as const)
  let refused: Issue | undefined
  for (const actor of actors) {
    const result = move(present, wanted, actor, closesWith)
    if ('refused' in result) {
      refused ??= { code: 'business-rule', text: `${result.refused} ${openMoves(result.allowed)}`, expression: 'Task.status' }
      continue
    }
    const { next } = result
    mustHaveWaited(task, next, situation.now)
    const moved: Task = {
      ...standing(task, held, { present, next }, situation.now.toISOString(), because),
      ...(said.output ? { output: said.output } : {}),
      ...(said.note ? { note: said.note } : {}),
    }
    const kept = caller.role !== 'partner' && endsByHand(present, next) ? markByHand(moved) : moved
    change.put(serviceShelf(situation.service.id), withAllNotes(kept, task, caller))
    if (caller.role === 'partner') keepOwnWords(change, { ...moved, ...(because ? { statusReason: because } : {}) })
    const detail = { from: present, to: next, by: actor, partner: ownerOf(task), ...(code ? { because: code } : {}) }
    change.audit({ action: 'answer', entity: `Task/${taskId}`, detail: JSON.stringify(detail) })
    return moved
  }
  throw new Refusal(422, refused as Issue)
}

/** Why a partner says no, as a code of ours. @throws Refusal 422 when it is none */
function rejectionCode(reason: Task['statusReason']): string | undefined {
  const code = reason?.coding?.find(({ system }) => system === ours('rejection-reason'))?.code
  if (code === undefined || Object.hasOwn(rejectionReasons, code)) return code
  const known = Object.keys(rejectionReasons).join(', ')
  throw refuse(422, 'code-invalid', `The codes of rejection-reason are: ${known}.`, 'Task.statusReason')
}

/** Where it stood already, it stands since then: who repeats a word does not begin a new wait. */
function standing(
  task: Task,
  held: Stood | undefined,
  { present, next }: { present: HandoverState; next: HandoverState },
  at: string,
  reason: Task['statusReason'],
): Task {
  if (JSON.stringify(present) === JSON.stringify(next)) return reason && !held ? { ...task, statusReason: reason } : task
  return held && staysHeld(next)
    ? onHold(task, { state: next, ...(reason ? { reason } : {}) }, heldBecause(task), at)
    : inState(task, next, at, reason)
}

/** A person takes it back, or says that it never was: what the plan asks does not begin again by itself. */
const endsByHand = (present: HandoverState, { status, businessStatus }: HandoverState): boolean =>
  status === 'entered-in-error' ||
  businessStatus === 'recalled-message' ||
  (businessStatus === 'cancellation-requested' && present.businessStatus !== 'cancellation-requested')

/** A partner has its five working days to confirm that it stopped (closed-loop.md C2 row 18). */
function mustHaveWaited({ lastModified }: Task, { status, businessStatus }: HandoverState, now: Date): void {
  if (isOpen(status) || businessStatus !== 'cancelled-unconfirmed') return
  const until = stopConfirmedBy(lastModified as string, usualPace)
  if (now.toISOString() < until) {
    const text = `The partner has ${usualPace.confirmStopWorkingDays} working days to confirm that it stopped, until ${until}.`
    throw refuse(422, 'business-rule', text, 'Task.businessStatus')
  }
}

/** A partner sees, and so sends, no notes but its own: those of the service stay. */
function withAllNotes(moved: Task, before: Task, { role }: Pick<Caller, 'role'>): Task {
  if (role !== 'partner' || moved.note === before.note) return moved
  const said = new Set(moved.note?.map((one) => JSON.stringify(one)))
  return { ...moved, note: [...(before.note ?? []).filter((one) => !said.has(JSON.stringify(one))), ...(moved.note ?? [])] }
}

/** What a partner says of its Task it reads back (see `partnersView`). */
function keepOwnWords({ situation, put }: Change, { id, note, output, statusReason }: Task): void {
  const owner = [...situation.told.values()].find(
    ({ shelf, body }) => shelf.startsWith('partner:') && body?.resourceType === 'Task' && body.id === id,
  )
  if (!owner?.body) return
  const { note: _n, output: _o, statusReason: _r, ...rest } = owner.body as Task
  const words = { ...(note ? { note } : {}), ...(output ? { output } : {}), ...(statusReason ? { statusReason } : {}) }
  put(owner.shelf, { ...rest, ...words }, owner.basis)
}

const openMoves = (moves: readonly Partial<HandoverState>[]): string =>
  moves.length
    ? `Open from here: ${moves.map(({ status, businessStatus }) => [status, businessStatus].filter(Boolean).join(' as ')).join(', ')}.`
    : 'It is final.'
