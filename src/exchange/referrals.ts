/**
 * Triage of referrals from outside, looked at again whenever something about the person becomes known, and the referrer answered. Part of
 * the plan step.
 */
import type { ServiceRequest, Task } from '@medplum/fhirtypes'
import { type Asking, askingSince } from '../domain/asking.ts'
import { startOfDay, today } from '../domain/calendar.ts'
import { latestOf, phaseOn } from '../domain/decisions.ts'
import { type Triage, triage } from '../domain/eligibility.ts'
import { underWay } from '../domain/lifecycle.ts'
import { codeIn, given } from '../domain/resources.ts'
import { ours, sourceOfServiceRequest } from '../fhir/systems.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import { wholeOf } from './join.ts'
import { coveredBy } from './onward.ts'
import { hasUntracedNhsNumber } from './patient.ts'
import {
  answered,
  answerTo,
  cancelled,
  givesReason,
  isFinalAnswer,
  isOver,
  lookedAt,
  outcomeOf,
  putAnswer,
  wordsOf,
} from './referral-answer.ts'
import { tasksOf } from './situation.ts'
import { isReferralAnswer } from './task.ts'
import { isTransferIn } from './transferred-in.ts'

export function planReferrals(change: Change, known: Understanding): void {
  const { situation } = change
  for (const task of tasksOf(situation).filter(isReferralAnswer)) {
    const request = situation.record.get(task.focus?.reference as string)?.body as ServiceRequest | undefined
    if (isFinalAnswer(task) || !known.case || !request) continue
    const whole = wholeOf(situation, request)
    const joined = whole !== request
    // Once accepted it is the service's: what is learned later changes the case, not the answer; what a person decides does.
    const settled = outcomeOf(task) === 'accepted' && joined === givesReason(task, joinedReason.code)
    if (isOver(whole)) {
      if (outcomeOf(task) !== 'accepted') end(change, task)
      continue
    }
    if (isSupplied(whole) && ruled(change, known, task, whole).outcome !== 'needs-information') {
      decideOnAnswer(change, task)
      continue
    }
    const verdict = settled && !turnsAway(whole) ? undefined : verdictOf(change, known, task, whole, joined)
    if (verdict) tell(change, task, verdict.triage, verdict.asking)
    if (!joined && (verdict?.triage.outcome ?? 'accepted') === 'accepted') askForAgreement(change, task, known)
    if (verdict) wait(change, task, verdict)
  }
}

const turnsAway = (request: ServiceRequest): boolean => {
  const decision = latestOf(request, 'triage')
  return decision !== undefined && decision.code !== 'accept'
}

const isSupplied = (request: ServiceRequest): boolean => latestOf(request, 'triage')?.code === 'supplied'

/** What a person asked has been answered (C1 row 4): a person decides. */
function decideOnAnswer(change: Change, task: Task): void {
  if (!givesReason(task, 'supplied')) putAnswer(change, lookedAt(task, change.situation.now.toISOString()))
  const words = 'The referrer has answered what was asked. Read it, and decide about the referral.'
  change.ask({ about: `triage:${task.id}`, reason: 'triage', words, task: task.id as string })
}

/** A referrer that still waits hears that it is over, and not why: that is between the person and the service. */
function end(change: Change, task: Task): void {
  putAnswer(change, cancelled(task, 'ended', 'This referral is over. Nothing more is needed from you.', change.situation.now.toISOString()))
}

type Verdict = { triage: Triage; asking?: { since: string } & Asking }

/** @param whole the referral that goes on: this one, or the one it joined */
function verdictOf(change: Change, known: Understanding, task: Task, whole: ServiceRequest, joined: boolean): Verdict {
  const said = decidedAbout(whole) ?? ruled(change, known, joined ? answerTo(change.situation, whole.id as string) : task, whole)
  const verdict = joined ? { ...said, reasons: [...said.reasons, joinedReason] } : said
  if (verdict.outcome !== 'needs-information') return { triage: verdict }
  const since = askedAt(change, task, verdict, whole)
  const asking = { since, ...askingSince(since, latestOf(whole, 'triage')?.until, change.situation.now.toISOString()) }
  if (asking.step === 'over') return { triage: unanswered }
  if (asking.step === 'waiting') return { triage: verdict, asking }
  return { triage: { ...verdict, reasons: [...verdict.reasons, remindedReason(asking)] }, asking }
}

const joinedReason = { code: 'joined', words: 'Your referral has joined what is being arranged for the person.' }

/** What the rules say. Who is being supported, or is the service's own, is past them. */
function ruled({ situation }: Change, known: Understanding, task: Task | undefined, request: ServiceRequest): Triage {
  const phase = phaseOn(request)
  if (!task || (phase && underWay.includes(phase))) return acceptedBy()
  const verdict = triage({
    case: known.case as NonNullable<Understanding['case']>,
    service: situation.service,
    today: today(situation.now),
    referredOn: today(new Date(task.authoredOn as string)),
    nhsNumberUntraced: hasUntracedNhsNumber(situation),
    ...given('referrerType', referrerTypeOf(request)),
    transfer: isTransferIn(task),
  })
  const other = verdict.reasons.some(({ code }) => code === 'out-of-area') ? coveredBy(situation, known) : undefined
  return other ? { ...verdict, signpost: `${verdict.signpost} It is ${other.name}.` } : verdict
}

/** What somebody of the service decided (`$triage`) stands, whatever the rules say; its words go to the referrer. */
function decidedAbout(request: ServiceRequest): Triage | undefined {
  const decision = latestOf(request, 'triage')
  if (!decision || decision.code === 'supplied') return undefined
  const { code, reason, because = 'other', signpost, question } = decision
  return {
    outcome: outcomes[code],
    reasons: reason ? [{ code: because, words: reason }] : acceptedBy().reasons,
    asks: question ? [{ code: 'question', words: question }] : [],
    ...(signpost ? { signpost } : {}),
  }
}

const outcomes = { accept: 'accepted', ask: 'needs-information', redirect: 'redirected', decline: 'declined' } as const
const acceptedBy = (): Triage => ({
  outcome: 'accepted',
  reasons: [{ code: 'eligible', words: 'The person can be supported by RECONNECT. A care navigator will meet them.' }],
  asks: [],
})

/** What kind of referrer it came from: the directory’s word, written on the referral when it came; where it has none, the sender’s own. */
const referrerTypeOf = (request: ServiceRequest): string | undefined =>
  codeIn(request.extension?.find(({ url }) => url === sourceOfServiceRequest)?.valueCodeableConcept, ours('referrer-type'))

/** Since when it is asked what it is asked now; a person who asks again begins the time anew. */
function askedAt({ situation }: Change, task: Task, { asks }: Triage, whole: ServiceRequest): string {
  const same = JSON.stringify(task.input?.map(({ valueString }) => valueString)) === JSON.stringify(asks.map(({ words }) => words))
  const before = same ? (task.restriction?.period?.start ?? task.lastModified) : undefined
  const decided = latestOf(whole, 'triage')?.at
  return [before ?? situation.now.toISOString(), decided ?? ''].sort().at(-1) as string
}

const remindedReason = ({ endsAt }: Asking) => ({
  code: 'reminded',
  words: `We asked, and have not heard from you. Please tell us by ${lastDay(endsAt)}: after that the referral ends, and you can send it again.`,
})
const lastDay = (endsAt: string): string => today(new Date(Date.parse(endsAt) - 1))

const unanswered: Triage = {
  outcome: 'declined',
  reasons: [{ code: 'no-information', words: 'What we asked for was not told, and without it we could not go on.' }],
  asks: [],
  signpost: 'Please refer the person again as soon as you can tell us, or phone the RECONNECT service.',
}

function tell(change: Change, task: Task, verdict: Triage, asking: Verdict['asking']): void {
  const { situation } = change
  const period = asking && { start: asking.since, end: asking.endsAt }
  const answer = answered(task, verdict, situation.now.toISOString(), period)
  if (outcomeOf(task) === verdict.outcome && wordsOf(task) === wordsOf(answer)) return
  putAnswer(change, answer)
  const detail = { outcome: verdict.outcome, reasons: verdict.reasons.map(({ code }) => code) }
  change.audit({ action: 'triage', entity: `Task/${task.id}`, detail: JSON.stringify(detail) })
}

function wait(change: Change, task: Task, { triage: verdict, asking }: Verdict): void {
  const about = (reason: string) => `${reason}:${task.id}`
  if (verdict.wakeOn) change.wait(about('held'), startOfDay(verdict.wakeOn).instant)
  if (!asking) return
  if (asking.next) change.wait(about('information'), asking.next)
  const asks = verdict.asks.map((ask) => ask.words).join(' ')
  const late =
    asking.step === 'reminded'
      ? `The referrer was asked, and reminded. Speak to them, or decide without it. On ${lastDay(asking.endsAt)} the referral ends for want of information; to hold it open, ask again with a later day (until). `
      : ''
  const words = `A referral waits for information. ${late}${asks}`
  change.ask({ about: about('needs-information'), reason: 'needs-information', words, task: task.id as string })
}

function askForAgreement(change: Change, task: Task, known: Understanding): void {
  if (known.missing.length === 0) return
  const words = 'A referral is eligible. Meet the person, ask for their agreement and name their worker.'
  change.ask({ about: `triage:${task.id}`, reason: 'triage', words, task: task.id as string })
}
