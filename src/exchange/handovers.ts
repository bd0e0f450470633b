/**
 * The handovers of one person to one partner: begun, waiting, told, changed, taken back. Part of the plan step.
 */
import type { Task } from '@medplum/fhirtypes'
import { addWorkingDays, endOfDay, stretchOf, today } from '../domain/calendar.ts'
import type { Case } from '../domain/case.ts'
import { consentRef } from '../domain/consent.ts'
import { isOpen } from '../domain/handover.ts'
import { closures } from '../domain/outcomes.ts'
import { type Reason, reasonWords, remedyWords } from '../domain/reasons.ts'
import { suspensionOf } from '../domain/returned.ts'
import { handoverRequest } from '../fhir/messages.ts'
import type { Statement } from '../store/database.ts'
import { newId } from '../store/random.ts'
import { bringForward } from '../store/timers.ts'
import type { Change } from './change.ts'
import type { Considered, Understanding, Wanted } from './consider.ts'
import { isAvailable, withTrigger } from './enhanced.ts'
import { followHand, type Over, recall, sendNothingMore } from './recall.ts'
import { referralInError, refOf, type Situation, serviceShelf } from './situation.ts'
import { resume, suspend } from './suspend.ts'
import { handedOn, mayTakeOver } from './taken-over.ts'
import { cameToNothing, handoverKey, handoverKeyFor, inState, isByHand, newHandover, stateOf } from './task.ts'
import { handoversOf, requestFor, stripTasks, takeContentOff, tell } from './tell.ts'
import { asChased, ask, moveTo, stepFor, waitFor, waitToAsk } from './wait.ts'

/** Handovers under these states hold content on the partner's shelf. */
const holds = new Set(['requested', 'received', 'accepted', 'in-progress', 'on-hold', 'completed'])

export function planPartner(
  change: Change,
  known: Understanding,
  partner: string,
  considered: Considered | undefined,
  tasks: Task[],
): void {
  const found = known.case
  const over = whyOver(known, change.situation)
  // An override stands in for the agreement, and for nothing else.
  const missing = known.missing.filter(({ what }) => what !== 'consent' || !considered?.decision.overridden)
  // Where the person is now is for whoever took over: what partners are at goes on.
  const held = over?.handedOn ? undefined : suspensionOf(found?.custody)
  const available = !considered || isAvailable(change.situation, considered.adapter.kind)
  const mayStart =
    missing.length === 0 && available && !over && !held && found?.referral?.status === 'active' && found.plan?.status === 'active'
  const live: Task[] = []
  const notAsked = new Map<Wanted, Task | undefined>()

  for (const wanted of over && !over.handedOn ? [] : (considered?.wanted ?? [])) {
    const key = keyOf(found as Case, wanted)
    const under = current(change.situation, tasks, key, found?.referral?.authoredOn)
    // It was done, and then taken back: nothing is missing, and nobody is asked again until they may be told again.
    const isDone = !under && considered?.filled.outcome !== 'ready' && tasks.some((one) => handoverKey(one) === key && wasDone(one))
    if (isDone) continue
    const task = under ?? (mayStart ? begin(change, found as Case, wanted) : undefined)
    if (!task || task.status === 'draft') notAsked.set(wanted, task)
    if (!task) continue
    // What was not asked yet is for whoever took over.
    if (over && stateOf(task).status === 'draft') {
      recall(change, task, over)
      continue
    }
    const settled = settle(change, considered as Considered, wanted, task, mayStart)
    if (settled) {
      const stands = held ? suspend(change, settled, held) : resume(change, considered as Considered, settled, found?.custody)
      live.push(asChased(change, known, stands))
      notAsked.delete(wanted)
    }
    // Taken back just now and still asked for by the plan: it begins again and waits, so that a person sees it; where it can not begin, it
    // is waited for all the same.
    else if (!cameToNothing(task) && isTakenBack(change, task)) {
      const again = mayStart ? begin(change, found as Case, wanted) : undefined
      if (again) settle(change, considered as Considered, wanted, again, mayStart)
      notAsked.set(wanted, again)
    }
  }
  const kept = new Set(live.map(({ id }) => id))
  const planned = new Set((over && !over.handedOn ? [] : (considered?.wanted ?? [])).map((wanted) => keyOf(found as Case, wanted)))
  for (const task of tasks) {
    if (kept.has(task.id)) continue
    const wantedStill = planned.has(handoverKey(task) as string)
    if (!wantedStill) recall(change, task, over ?? { why: 'it is no longer part of the plan' })
    followHand(change, task, wantedStill)
    if (!isOpen(task.status) && task.status !== 'completed') sendNothingMore(change, task, 'its handover has ended')
  }
  if (considered?.unsigned && live.length) for (const task of live) awaitSignature(change, considered, task)
  else if (considered && live.length) tell(change, considered, live, toRemind(change, known, considered, live))
  else takeContentOff(change, partner)
  stripTasks(change, partner, live)
  const handovers = handoversOf(change, partner)
  if (considered && live.length) askWhatWasMeant(change, considered)
  // Whoever had taken the person over and can not go on is asked about by itself.
  const lost = over?.handedOn && mayTakeOver(considered?.adapter.kind)
  for (const task of handovers) waitFor(change, known, task, !lost && planned.has(handoverKey(task) as string))
  if (!held && found?.referral?.status === 'active' && found.plan?.status === 'active')
    for (const [wanted, task] of notAsked) waitToAsk(change, known, wanted, task)
  // A consent that begins or ends by itself: nobody will send us anything that day.
  const changesAt = handovers.length ? considered?.decision.changesAt : undefined
  if (changesAt && changesAt > change.situation.now.toISOString()) change.wait(`consent:${partner}`, changesAt)
}

/** Those whose partner is to be reminded now; to one that only reads, nothing can be sent. */
const toRemind = (change: Change, known: Understanding, { partner }: Considered, live: readonly Task[]): ReadonlySet<string> =>
  new Set(
    live
      .filter((task) => partner.channel.name !== 'pull' && isOpen(task.status) && stepFor(change, known, task).remind)
      .map(({ id }) => id as string),
  )

/** Told what is certain, and the agreement may have meant more, or less: the person has to be asked. */
function askWhatWasMeant(change: Change, { partner, decision, filled }: Considered): void {
  if (filled.outcome !== 'ready') return
  const first = decision.unclear[0] ?? partOf(decision, filled.withheld)
  if (!first) return
  const words = `${partner.name} is told only what is certain: ${reasonWords(first)}. ${remedyWords(first)}`
  change.ask({ about: `consent-unclear:${change.situation.patient}:${partner.id}`, reason: 'consent-unclear', words })
}

/** A part of a kind of information was agreed to, and nothing says that something this partner could be told is of that part. */
function partOf({ permit }: Considered['decision'], withheld: Considered['filled']['withheld']): Reason | undefined {
  for (const one of withheld) {
    const { because, reason } = permit(one)
    if (reason.code === 'part-unclear' && because === one.because) return reason
  }
  return undefined
}

/** Why nothing more is to be told, if so. */
function whyOver({ case: found }: Understanding, situation: Situation): Over | undefined {
  if (!found) return { why: 'the record was closed' }
  if (found.person.died) return { why: 'the person has died' }
  if (!found.referral && referralInError(situation)) return { why: 'the referral was made in error' }
  const taken = handedOn(situation, found)
  if (taken) return { why: closures[taken].words, handedOn: true }
  if (found.referral && /^(revoked|entered-in-error)$/.test(found.referral.status)) return { why: 'the referral was withdrawn' }
  if (found.plan && /^(revoked|entered-in-error)$/.test(found.plan.status)) return { why: 'the plan was withdrawn' }
  // The agreement was for the episode (closed-loop.md C4, episode-ended).
  if (found.referral?.status === 'completed' || found.plan?.status === 'completed') return { why: 'the support has ended', ended: true }
  return undefined
}

const keyOf = (found: Case, { partner, activity }: Wanted): string => handoverKeyFor(found.plan?.id as string, partner.id, activity.key)

/**
 * The handover that counts for a key: the one under way or done; one that ended otherwise only when a person must replace it. One that was
 * asked under an earlier referral, and whose partner has not confirmed yet that it stopped, does not stand in the way of another; nor does
 * one that was done and whose request was ended afterwards: final is never left (C7.7), so what is agreed anew is asked anew. One stopped by
 * hand that came to its outcome all the same counts (C2 row 17).
 */
function current(situation: Situation, tasks: readonly Task[], key: string, referredOn: string | undefined): Task | undefined {
  const since = stretchOf(referredOn)?.from ?? -Infinity
  const isPast = (task: Task) => stateOf(task).businessStatus === 'cancellation-requested' && Date.parse(task.authoredOn as string) < since
  const isEnded = (task: Task) =>
    wasDone(task) && !isByHand(task) && /^(revoked|completed)$/.test(requestFor(situation, task)?.status ?? '')
  const same = tasks.filter((task) => handoverKey(task) === key && !isPast(task) && !isEnded(task))
  return same.find((task) => holds.has(task.status as string) || task.status === 'draft') ?? same.find(cameToNothing)
}

const wasDone = ({ status }: Task): boolean => status === 'completed'

const isTakenBack = ({ situation }: Change, { id }: Task): boolean =>
  (situation.record.get(`Task/${id}`)?.body as Task | undefined)?.status === 'cancelled'

/** A handover begins as a draft on the service's shelf. */
function begin(change: Change, found: Case, wanted: Wanted): Task {
  const { situation } = change
  const [id, request] = [newId(), newId()]
  const fresh = newHandover({
    id,
    request,
    key: keyOf(found, wanted),
    patient: situation.patient,
    plan: found.plan?.id as string,
    service: situation.service.id,
    partner: wanted.partner.id,
    reason: wanted.activity.code as Task['reasonCode'],
    at: situation.now.toISOString(),
  })
  const task = withTrigger(situation, fresh, wanted.adapter.kind, found)
  const draft = handoverRequest({ ...requestOf(change, task, wanted), status: 'draft' })
  change.put(serviceShelf(situation.service.id), draft)
  change.put(serviceShelf(situation.service.id), task)
  return task
}

/** Moves a wanted handover as far as consent, window and content allow. Gives it back when its partner is to hold content. */
function settle(change: Change, considered: Considered, wanted: Wanted, task: Task, mayStart: boolean): Task | undefined {
  const { filled, opens } = considered
  const { status, businessStatus } = stateOf(task)
  if (cameToNothing(task) || businessStatus === 'cancellation-requested') return undefined
  if (filled.outcome !== 'ready') {
    if (status === 'draft') block(change, considered, task)
    else if (considered.decision.reason.code === 'capacity-review') {
      // What was told stays told (closed-loop.md C4); a change waits, and is owed when it may be.
      ask(change, task, 'capacity-review', `${considered.partner.name} is told nothing new: ${whyAndWhatNow(considered)}`)
      return task
    } else if (filled.outcome === 'withheld') recall(change, task, { why: filled.because })
    else {
      ask(change, task, 'incomplete', `${considered.partner.name} holds an older version: ${missingWords(filled.missing)}.`)
      return task
    }
    return undefined
  }
  if (status !== 'draft') return task
  if (considered.unsigned) {
    if (businessStatus !== 'preparing') moveTo(change, task, 'draft', 'preparing')
    awaitSignature(change, considered, task)
    return undefined
  }
  if (opens || !mayStart) {
    if (businessStatus !== 'preparing') moveTo(change, task, 'draft', 'preparing')
    if (opens === 'unknown') {
      const words = `${considered.partner.name} can be asked from ${considered.adapter.window.opensDays} days before release, and no release date is known. Record the date.`
      ask(change, task, 'release-date-unknown', words)
    } else if (opens) change.wait(`window:${task.id}`, opens)
    return undefined
  }
  const answerBy = endOfDay(addWorkingDays(today(change.situation.now), considered.adapter.window.answerWithinWorkingDays))
  const sent = {
    ...inState(task, { status: 'requested', businessStatus: 'queued' }, change.situation.now.toISOString()),
    ...(considered.adapter.mapping.statement ? { description: considered.adapter.mapping.statement } : {}),
    restriction: { period: { end: answerBy } },
  }
  change.put(serviceShelf(change.situation.service.id), sent)
  change.put(serviceShelf(change.situation.service.id), handoverRequest({ ...requestOf(change, task, wanted), status: 'active' }))
  return sent
}

/** Looked at again as soon as somebody signs, and now and then in case nobody says so. */
function awaitSignature(change: Change, { partner, unsigned }: Considered, task: Task): void {
  change.wait(`${signatureTimer}${task.id}`, signatureBy(change.situation.now))
  ask(change, task, 'mapping-unsigned', `${partner.name} is told nothing new: ${unsigned}.`)
}
const signatureTimer = 'signature:'
const signatureBy = (now: Date): string => new Date(now.getTime() + 3_600_000).toISOString()
/** Somebody signed: whatever `awaitSignature` set falls due at once. */
export const signedNow = (now: Date): Statement => bringForward(signatureTimer, now.toISOString(), signatureBy(now))

/** Nothing may or can be said yet: the draft waits for a person, with the reason. */
function block(change: Change, considered: Considered, task: Task): void {
  const { filled, partner, decision } = considered
  if (filled.outcome === 'withheld') {
    if (stateOf(task).businessStatus !== 'consent-blocked') {
      moveTo(change, task, 'draft', 'consent-blocked')
      change.audit({
        action: 'withhold',
        entity: refOf(task as { resourceType: 'Task' }),
        recipient: partner.id,
        ...(decision.consent ? { basis: consentRef(decision.consent) } : {}),
        detail: JSON.stringify({ because: filled.because, when: 'planned' }),
      })
    }
    ask(change, task, 'consent-blocked', `${partner.name} is told nothing: ${whyAndWhatNow(considered)}`)
  } else if (filled.outcome === 'incomplete')
    ask(change, task, 'incomplete', `${partner.name} can not be told yet: ${missingWords(filled.missing)}.`)
}

/** The reason, and what somebody can do about it; where all of it depends on the agreement, that is one thing. */
const whyAndWhatNow = ({ filled, decision }: Considered): string =>
  `${filled.outcome === 'withheld' ? filled.because : decision.because}.${decision.permitsAnything ? '' : ` ${remedyWords(decision.reason)}`}`

const missingWords = (missing: readonly string[]): string => `the record does not say ${missing.join(', ')}`

function requestOf(change: Change, task: Task, wanted: Wanted) {
  return {
    id: task.focus?.reference?.split('/')[1] as string,
    task,
    service: change.situation.service,
    partner: wanted.partner,
    activity: wanted.activity,
    kind: wanted.adapter.kind,
    patient: change.situation.patient,
    plan: task.basedOn?.[0]?.reference?.split('/')[1] as string,
    now: task.authoredOn as string,
  }
}
