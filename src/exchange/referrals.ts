/**
 * Triage of referrals from outside, looked at again whenever something about the person becomes known. Part of the plan step.
 *
 * The answer to a referrer is a Task on the service's shelf and on the referrer's; it tells the outcome and nothing else about
 * the person than the referrer said.
 */
import type { ServiceRequest, Task } from '@medplum/fhirtypes'
import { addWorkingDays, endOfDay, startOfDay, today } from '../domain/calendar.ts'
import { latestOf } from '../domain/decisions.ts'
import { type Triage, triage } from '../domain/eligibility.ts'
import { codeIn, given } from '../domain/resources.ts'
import { ours, sourceOfServiceRequest } from '../fhir/systems.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import { hasUntracedNhsNumber } from './patient.ts'
import { serviceShelf, tasksOf } from './situation.ts'
import { isReferralAnswer } from './task.ts'
import { isTransferIn } from './transferred-in.ts'

/** How each outcome stands as a Task. */
const statuses = {
  accepted: 'accepted',
  held: 'on-hold',
  'needs-information': 'on-hold',
  redirected: 'rejected',
  declined: 'rejected',
} as const satisfies Record<Triage['outcome'], Task['status']>

export function planReferrals(change: Change, known: Understanding): void {
  const { situation } = change
  for (const task of tasksOf(situation).filter(isReferralAnswer)) {
    if (task.status === 'completed' || task.status === 'rejected' || task.status === 'cancelled' || !known.case) continue
    const decided = decidedAbout(change, task)
    // Once accepted it is the service's: what is learned later changes the case, not the answer; what a person decides does.
    if (outcomeOf(task) === 'accepted' && (!decided || decided.outcome === 'accepted')) {
      askForAgreement(change, task, known)
      continue
    }
    const verdict =
      decided ??
      triage({
        case: known.case,
        service: situation.service,
        today: today(situation.now),
        referredOn: today(new Date(task.authoredOn as string)),
        nhsNumberUntraced: hasUntracedNhsNumber(situation),
        ...given('referrerType', referrerTypeOf(requestOf(change, task))),
        transfer: isTransferIn(task),
      })
    const answered = answer(task, verdict, situation.now.toISOString())
    if (outcomeOf(task) !== verdict.outcome || words(task) !== words(answered)) {
      change.put(serviceShelf(situation.service.id), answered)
      change.put(`referrer:${referrerOf(task)}`, asReferred(change, answered), '[]')
      change.audit({
        action: 'triage',
        entity: `Task/${task.id}`,
        detail: JSON.stringify({ outcome: verdict.outcome, reasons: verdict.reasons.map(({ code }) => code) }),
      })
    }
    wait(change, task, verdict, known)
  }
}

/** What somebody of the service decided (`$triage`) stands, whatever the rules say; its words go to the referrer. */
function decidedAbout(change: Change, task: Task): Triage | undefined {
  const request = requestOf(change, task)
  const decision = request && latestOf(request, 'triage')
  if (!decision) return undefined
  const { code, reason, because = 'other', signpost, question } = decision
  return {
    outcome: outcomes[code],
    reasons: reason ? [{ code: because, words: reason }] : [{ code: 'eligible', words: acceptedWords }],
    asks: question ? [{ code: 'question', words: question }] : [],
    ...(signpost ? { signpost } : {}),
  }
}

const requestOf = ({ situation }: Change, task: Task) =>
  situation.record.get(task.focus?.reference as string)?.body as ServiceRequest | undefined

/** What kind of referrer it came from: the directory’s word, written on the referral when it came; where it has none, the sender’s own. */
const referrerTypeOf = (request: ServiceRequest | undefined): string | undefined =>
  codeIn(request?.extension?.find(({ url }) => url === sourceOfServiceRequest)?.valueCodeableConcept, ours('referrer-type'))

const outcomes = { accept: 'accepted', ask: 'needs-information', redirect: 'redirected', decline: 'declined' } as const
const acceptedWords = 'The person can be supported by RECONNECT. A care navigator will meet them.'

/** The referrer's copy is about whom it always was, also when the record became part of another one. */
export function asReferred({ situation }: Change, task: Task): Task {
  const told = situation.told.get(`referrer:${referrerOf(task)} Task/${task.id}`)?.body as Task | undefined
  return told?.for ? { ...task, for: told.for } : task
}

function wait(change: Change, task: Task, verdict: Triage, known: Understanding): void {
  const { situation } = change
  const about = (reason: string) => `${reason}:${task.id}`
  if (verdict.outcome === 'held' && verdict.wakeOn) change.wait(about('held'), startOfDay(verdict.wakeOn).instant)
  if (verdict.outcome === 'accepted') askForAgreement(change, task, known)
  if (verdict.outcome === 'needs-information') {
    const until = endOfDay(addWorkingDays(today(new Date(task.authoredOn as string)), 5))
    const asks = verdict.asks.map((ask) => ask.words).join(' ')
    const waiting = until > situation.now.toISOString()
    if (waiting) change.wait(about('information'), until)
    const late = 'It has waited for five working days: speak to the referrer, or decline it for want of information ($triage).'
    change.ask({
      about: about('needs-information'),
      reason: 'needs-information',
      words: `A referral waits for information. ${waiting ? '' : `${late} `}${asks}`,
      task: task.id as string,
    })
  }
}

function askForAgreement(change: Change, task: Task, known: Understanding): void {
  if (known.missing.length === 0) return
  const words = 'A referral is eligible. Meet the person, ask for their agreement and name their worker.'
  change.ask({ about: `triage:${task.id}`, reason: 'triage', words, task: task.id as string })
}

/** The Task with a triage outcome: reasons and signpost as text, each thing asked for as an input. */
export function answer(task: Task, verdict: Triage, at: string): Task {
  const { input: _was, output: _out, ...rest } = task
  const said = [...verdict.reasons.map((reason) => reason.words), ...(verdict.signpost ? [verdict.signpost] : [])].join(' ')
  return {
    ...rest,
    status: statuses[verdict.outcome],
    businessStatus: { coding: [{ system: ours('referral-outcome'), code: verdict.outcome }] },
    ...(said
      ? { statusReason: { coding: verdict.reasons.map(({ code }) => ({ system: ours('referral-reason'), code })), text: said } }
      : {}),
    lastModified: at,
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

export const outcomeOf = (task: Task): string | undefined =>
  task.businessStatus?.coding?.find((coding) => coding.system === ours('referral-outcome'))?.code

const words = (task: Task): string => JSON.stringify([task.statusReason, task.input, task.output])

export const referrerOf = (task: Task): string | undefined => task.requester?.identifier?.value
