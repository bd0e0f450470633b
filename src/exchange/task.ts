/**
 * The FHIR Tasks of the journey: the handover to a partner and the answer to a referrer. How they are told apart, built and moved.
 *
 * A handover's identifier names what it is for (plan, partner, activity), so that looking again finds it again.
 */
import type { ServiceRequest, Task } from '@medplum/fhirtypes'
import type { HandoverState } from '../domain/handover.ts'
import { type BusinessStatus, type HandoverStatus, isBookkeeping } from '../domain/handover-words.ts'
import { codeIn } from '../domain/resources.ts'
import type { Suspension } from '../domain/returned.ts'
import { BASE, ours, taskCode, ukCore } from '../fhir/systems.ts'
import { withoutTrigger } from './enhanced.ts'

export const handoverId = `${BASE}/Id/handover`
export const referralId = `${BASE}/Id/referral`
/** Extension of a handover on hold for custody: where it stood (`status`, `businessStatus`, `reason`). The service's own. */
export const stoodAt = `${BASE}/StructureDefinition/handover-stood-at`
/** Extension: a person ended it though the plan still asks for it, so that it does not begin again by itself. The service's own. */
const byHand = `${BASE}/StructureDefinition/handover-by-hand`

/** A referral that was redirected, until a person has seen that it arrived. */
export const onwardId = `${BASE}/Id/onward`

export const isHandover = (task: Task): boolean => hasIdentifier(task, handoverId)
export const isReferralAnswer = (task: Task): boolean => hasIdentifier(task, referralId)
export const isOnward = (task: Task): boolean => hasIdentifier(task, onwardId)
const hasIdentifier = (task: Task, system: string) => task.identifier?.some((one) => one.system === system) === true

/** Id of the partner a handover is for. */
export const ownerOf = (task: Task): string => task.owner?.reference?.replace('Organization/', '') as string

/** A ServiceRequest that belongs to a handover, not the referral of the case. */
export const isHandoverRequest = (request: ServiceRequest): boolean => request.identifier?.some((one) => one.system === handoverId) === true

export const handoverKey = (task: Task): string | undefined => task.identifier?.find((one) => one.system === handoverId)?.value

/** What a handover is for, so that looking again finds it again. */
export const handoverKeyFor = (plan: string, partner: string, activity: string): string => `${plan}:${partner}:${activity}`

/** Where a Task stands, in the two words its moves are made of. */
export function stateOf(task: Task): HandoverState {
  const business = task.businessStatus?.coding?.find((coding) => coding.system === ours('handover-status'))?.code
  return { status: task.status as HandoverStatus, ...(business ? { businessStatus: business as BusinessStatus } : {}) }
}

/** The Task in another state. `reason` is a code and text a person gave; absent: the last reason goes. */
export function inState(task: Task, state: HandoverState, at: string, reason?: Task['statusReason']): Task {
  const { statusReason: _old, businessStatus: _was, ...rest } = withoutStood(task)
  return {
    ...rest,
    status: state.status,
    ...(state.businessStatus ? { businessStatus: { coding: [{ system: ours('handover-status'), code: state.businessStatus }] } } : {}),
    ...(reason ? { statusReason: reason } : {}),
    lastModified: at,
  }
}

const withoutStood = (task: Task): Task => without(task, stoodAt)

function without(task: Task, ...urls: string[]): Task {
  const { extension, ...rest } = task
  const left = extension?.filter(({ url }) => !urls.includes(url))
  return left?.length === extension?.length ? task : { ...rest, ...(left?.length ? { extension: left } : {}) }
}

export const isByHand = ({ extension }: Task): boolean => extension?.some(({ url }) => url === byHand) === true
export const markByHand = (task: Task): Task =>
  isByHand(task) ? task : { ...task, extension: [...(task.extension ?? []), { url: byHand, valueBoolean: true }] }
export const unmarkByHand = (task: Task): Task => without(task, byHand)

/** Its partner said no or could not, or a person ended it though the plan asks for it: somebody else has to be found, by a person. */
export const cameToNothing = (task: Task): boolean =>
  /^(rejected|failed)$/.test(task.status) || (isByHand(task) && /^(cancelled|entered-in-error)$/.test(task.status))

/**
 * The Task as it stands on its partner's shelf. What staff write to it (a reason, a note, a result) is free text that no mapping knows
 * and stays with the service.
 *
 * @param own what the partner itself said of it before; `release`: it may know where the person is
 */
export function partnersView(kept: Task, own: OwnWords | undefined, { release }: { release: boolean } = { release: true }): Task {
  const task = withoutTrigger(without(kept, stoodAt, byHand))
  const { businessStatus } = stateOf(task)
  const { note, output, statusReason, ...silent } = task
  const said = (one: unknown) => JSON.stringify(one)
  const mine = <T>(some: readonly T[] | undefined, theirs: readonly T[] | undefined) =>
    some?.filter((one) => theirs?.some((other) => said(other) === said(one)))
  const [notes, outputs] = [mine(note, own?.note), mine(output, own?.output)]
  const seen: Task = {
    ...silent,
    ...(statusReason && said(statusReason) === said(own?.statusReason) ? { statusReason } : {}),
    ...(notes?.length ? { note: notes } : {}),
    ...(outputs?.length ? { output: outputs } : {}),
  }
  if (businessStatus === 'suspended-custody') {
    // Where the person is, is for those who may know it, in the exchange's own words. Where the handover stood is ours. That somebody is
    // at large, or perhaps deported, is for no partner to hear from us.
    const { businessStatus: why, statusReason: _theirs, ...rest } = seen
    return release && why && heldBecause(kept) === 'returned'
      ? { ...rest, businessStatus: why, statusReason: { text: statusReason?.text as string } }
      : rest
  }
  if (!isBookkeeping(businessStatus)) return seen
  const { businessStatus: _ours, lastModified: _when, ...rest } = seen
  return { ...rest, lastModified: task.authoredOn as string }
}
/** Why a handover is on hold that is on hold for custody. */
export const heldBecause = ({ statusReason }: Task): Suspension =>
  (codeIn(statusReason, ours('custody-status')) as Suspension | undefined) ?? 'returned'

export type OwnWords = Pick<Task, 'note' | 'output' | 'statusReason'>

/** Only ids and states: what stays with a partner when the content was taken back. Its identifier of ours says what was asked. */
export function bare(task: Task): Task {
  const {
    identifier: _key,
    reasonCode: _why,
    description: _what,
    note: _note,
    statusReason: _reason,
    restriction: _by,
    input: _in,
    output: _out,
    ...rest
  } = without(task, stoodAt, byHand)
  return rest
}

export function newHandover(from: {
  id: string
  request: string
  key: string
  patient: string
  plan: string
  service: string
  partner: string
  reason: Task['reasonCode']
  at: string
}): Task {
  return {
    resourceType: 'Task',
    id: from.id,
    meta: { profile: [ukCore('UKCore-Task')] },
    identifier: [{ system: handoverId, value: from.key }],
    basedOn: [{ reference: `CarePlan/${from.plan}` }],
    status: 'draft',
    businessStatus: { coding: [{ system: ours('handover-status'), code: 'preparing' }] },
    intent: 'order',
    code: { coding: [{ system: taskCode, code: 'fulfill' }] },
    focus: { reference: `ServiceRequest/${from.request}` },
    for: { reference: `Patient/${from.patient}` },
    authoredOn: from.at,
    lastModified: from.at,
    requester: { reference: `Organization/${from.service}` },
    owner: { reference: `Organization/${from.partner}` },
    ...(from.reason ? { reasonCode: from.reason } : {}),
  }
}
