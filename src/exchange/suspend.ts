/**
 * Back in custody, at large, or gone to an immigration removal centre: what was asked of a partner is put on hold, and goes on as it was
 * when there is a new release date (closed-loop.md C2 rows 19 to 19f; domain/returned.ts, domain/hold.ts). What never left waits as it is.
 * Where each handover stood is kept on it, for the service alone; where the person is other than back, as the reason of the hold.
 */
import type { Extension, Task } from '@medplum/fhirtypes'
import { addWorkingDays, endOfDay, today } from '../domain/calendar.ts'
import type { HandoverState } from '../domain/handover.ts'
import { goesOnAs, heldAs, isUnanswered, mayBeHeld } from '../domain/hold.ts'
import { mayGoOn, type Suspension } from '../domain/returned.ts'
import { ours } from '../fhir/systems.ts'
import type { Change } from './change.ts'
import type { Considered } from './consider.ts'
import { ofType, resourcesOf, type Situation, serviceShelf } from './situation.ts'
import { heldBecause, inState, ownerOf, stateOf, stoodAt } from './task.ts'

const words: Readonly<Record<Suspension, string>> = {
  returned: 'The person is back in custody. This goes on when a new release date is known.',
  'at-large': 'The person is unlawfully at large. This goes on when it is known when they leave custody.',
  immigration: 'The person went to an immigration removal centre or out of the country. This goes on when it is known when they leave.',
}

export const isOnHoldForCustody = (task: Task): boolean => stateOf(task).businessStatus === 'suspended-custody'

/** Where a handover stood when it was put on hold, with what its partner last gave as a reason. Absent: it is not on hold. */
export type Stood = { state: HandoverState; reason?: NonNullable<Task['statusReason']> }

export function stood(task: Task): Stood | undefined {
  if (!isOnHoldForCustody(task)) return undefined
  const parts = task.extension?.find(({ url }) => url === stoodAt)?.extension ?? []
  const part = (name: string) => parts.find(({ url }) => url === name)
  const business = part('businessStatus')?.valueCode
  const reason = part('reason')?.valueCodeableConcept
  const state = { status: part('status')?.valueCode ?? 'requested', ...(business ? { businessStatus: business } : {}) }
  return { state: state as HandoverState, ...(reason ? { reason } : {}) }
}

/** On hold, remembering where it goes on from. */
export function onHold(task: Task, { state, reason }: Stood, why: Suspension, at: string): Task {
  const parts: Extension[] = [
    { url: 'status', valueCode: state.status },
    ...(state.businessStatus ? [{ url: 'businessStatus', valueCode: state.businessStatus }] : []),
    ...(reason ? [{ url: 'reason', valueCodeableConcept: reason }] : []),
  ]
  const elsewhere = why === 'returned' ? {} : { coding: [{ system: ours('custody-status'), code: why }] }
  const held = inState(task, { status: 'on-hold', businessStatus: 'suspended-custody' }, at, { ...elsewhere, text: words[why] })
  return { ...held, extension: [...(held.extension ?? []), { url: stoodAt, extension: parts }] }
}

/** Gives the handover as it stands then; one that is over, or that its partner was asked to stop, stays as it is. */
export function suspend({ situation, put }: Change, task: Task, why: Suspension): Task {
  const state = stateOf(task)
  if (!mayBeHeld(state)) return task
  const { statusReason: reason } = task
  const was = { state: heldAs(state, isBooked(situation, task) === true), ...(reason ? { reason } : {}) }
  const held = onHold(task, was, why, situation.now.toISOString())
  put(serviceShelf(situation.service.id), held)
  return held
}

/** Whoever was at work goes on as they were; whoever had not answered is asked again, with the time they had. */
export function resume(change: Change, { adapter, opens }: Considered, task: Task, custody: Parameters<typeof mayGoOn>[0]): Task {
  const was = stood(task)
  if (!was || (heldBecause(task) !== 'returned' && !mayGoOn(custody))) return task
  if (opens) {
    if (opens !== 'unknown') change.wait(`window:${task.id}`, opens)
    return task
  }
  const { situation } = change
  // Booked while it was on hold, with no day on record: whoever booked it knew.
  const state = goesOnAs(heldAs(was.state, isBooked(situation, task) ?? true))
  const end = endOfDay(addWorkingDays(today(situation.now), adapter.window.answerWithinWorkingDays))
  const going = {
    ...inState(task, state, situation.now.toISOString(), was.reason),
    ...(isUnanswered(state) ? { restriction: { period: { end } } } : {}),
  }
  change.put(serviceShelf(situation.service.id), going)
  return going
}

/** Is an appointment of the person with this partner still to come? Undefined: none is on record. */
function isBooked({ record, now }: Situation, task: Task): boolean | undefined {
  const partner = `Organization/${ownerOf(task)}`
  const known = ofType(resourcesOf(record), 'Appointment').filter(
    ({ status, start, participant }) =>
      start && /^(booked|pending|proposed)$/.test(status) && participant.some(({ actor }) => actor?.reference === partner),
  )
  return known.length ? known.some(({ start }) => Date.parse(start as string) > now.getTime()) : undefined
}
