/**
 * The answer to a referrer as a Task: on the service's shelf and, the same, on the referrer's. It tells the outcome and nothing else about
 * the person than the referrer said.
 */
import type { ServiceRequest, Task } from '@medplum/fhirtypes'
import { latestOf } from '../domain/decisions.ts'
import type { Triage } from '../domain/eligibility.ts'
import { given } from '../domain/resources.ts'
import { ours } from '../fhir/systems.ts'
import type { Change } from './change.ts'
import { type Situation, serviceShelf, tasksOf } from './situation.ts'
import { isReferralAnswer } from './task.ts'

/** How each outcome stands as a Task. */
const statuses = {
  accepted: 'accepted',
  held: 'on-hold',
  'needs-information': 'on-hold',
  redirected: 'rejected',
  declined: 'rejected',
} as const satisfies Record<Triage['outcome'], Task['status']>

/** The Task with a triage outcome: reasons and signpost as text, each thing asked for as an input. @param period since when and until when it is asked */
export function answered(task: Task, verdict: Triage, at: string, period?: { start: string; end: string }): Task {
  const { input: _was, output: _out, restriction: _by, statusReason: _why, ...rest } = task
  const said = [...verdict.reasons.map((reason) => reason.words), ...(verdict.signpost ? [verdict.signpost] : [])].join(' ')
  return {
    ...rest,
    status: statuses[verdict.outcome],
    businessStatus: { coding: [{ system: ours('referral-outcome'), code: verdict.outcome }] },
    ...(said
      ? { statusReason: { coding: verdict.reasons.map(({ code }) => ({ system: ours('referral-reason'), code })), text: said } }
      : {}),
    lastModified: at,
    ...(period ? { restriction: { period } } : {}),
    ...(verdict.asks.length
      ? {
          input: verdict.asks.map((ask) => ({
            type: { coding: [{ system: ours('referral-ask'), code: ask.code }], text: 'Please tell us' },
            valueString: ask.words,
          })),
        }
      : {}),
    ...(verdict.signpost ? { output: [{ type: { text: 'Where to turn instead' }, valueString: verdict.signpost }] } : {}),
  }
}

/** What was asked has come, and nobody has decided yet. */
export function lookedAt(task: Task, at: string): Task {
  const { businessStatus: _outcome, input: _asks, output: _signpost, restriction: _by, ...rest } = task
  const text = 'Thank you. What you told us is being looked at.'
  return {
    ...rest,
    status: 'received',
    statusReason: { coding: [{ system: ours('referral-reason'), code: 'supplied' }], text },
    lastModified: at,
  }
}

/** It is over, and why is between the person and the service. */
export function cancelled(task: Task, code: string, text: string, at: string): Task {
  const { businessStatus: _outcome, input: _asks, output: _signpost, restriction: _by, ...rest } = task
  return { ...rest, status: 'cancelled', statusReason: { coding: [{ system: ours('referral-reason'), code }], text }, lastModified: at }
}

/** On both shelves. */
export function putAnswer(change: Change, task: Task): void {
  change.put(serviceShelf(change.situation.service.id), task)
  change.put(`referrer:${referrerOf(task)}`, asReferred(change, task), '[]')
}

/** The referrer's copy is about whom it always was, also when the record became part of another one. */
export function asReferred({ situation }: Change, task: Task): Task {
  const told = situation.told.get(`referrer:${referrerOf(task)} Task/${task.id}`)?.body as Task | undefined
  return { ...task, ...given('for', told?.for) }
}

/**
 * The referrer's own copy of its referral, changed: what the exchange and the service wrote on theirs is not for it.
 *
 * @returns the copy as it stands then, about whom the referrer told us, also when that record became part of another one
 */
export function ownCopy(
  change: Change,
  shelf: string,
  id: string,
  work: (copy: ServiceRequest) => ServiceRequest,
): ServiceRequest | undefined {
  const copy = change.situation.told.get(`${shelf} ServiceRequest/${id}`)?.body as ServiceRequest | undefined
  return copy && (change.put(shelf, work(copy), '[]').body as ServiceRequest)
}

/** A referral that ended some other way than by triage, which says its own word to the referrer. */
export const isOver = (request: ServiceRequest): boolean =>
  latestOf(request, 'closure') !== undefined || /^(completed|revoked|entered-in-error)$/.test(request.status)

export const answerTo = (situation: Situation, request: string): Task | undefined =>
  tasksOf(situation).find((task) => isReferralAnswer(task) && task.focus?.reference === `ServiceRequest/${request}`)

export const outcomeOf = (task: Task): string | undefined =>
  task.businessStatus?.coding?.find((coding) => coding.system === ours('referral-outcome'))?.code

/** Why, as codes. */
export const reasonsOf = (task: Task): string[] =>
  task.statusReason?.coding?.flatMap(({ system, code }) => (system === ours('referral-reason') && code ? [code] : [])) ?? []
/** Was this among the reasons it was given? */
export const givesReason = (task: Task, code: string): boolean => reasonsOf(task).includes(code)
export const signpostOf = (task: Task): string | undefined => task.output?.find(({ valueString }) => valueString)?.valueString

/** What the referrer reads of it. */
export const wordsOf = (task: Task): string => JSON.stringify([task.statusReason, task.input, task.output, task.restriction])

export const referrerOf = (task: Task): string | undefined => task.requester?.identifier?.value
/** Nothing more is said to the referrer. */
export const isFinalAnswer = ({ status }: Task): boolean => /^(completed|rejected|cancelled)$/.test(status)
