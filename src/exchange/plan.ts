/**
 * Step 6 of the journey: which partners are to be asked what, and when. Looks at everything again each time anything changes
 * (a resource, an answer, the clock) and says what should be so; what is already so writes nothing.
 *
 * Every open referral and handover ends this step with a timer or a work item (promise 6).
 */
import type { Task } from '@medplum/fhirtypes'
import { isOpen } from '../domain/handover.ts'
import { isFinal, statusOf, underWay } from '../domain/lifecycle.ts'
import { suspensionOf } from '../domain/returned.ts'
import { askAboutConsents } from './agreements.ts'
import { askAboutAlike } from './alike.ts'
import { answerSender } from './answer-sender.ts'
import type { Change } from './change.ts'
import { type Considered, consider, type Understanding } from './consider.ts'
import { planCustody } from './custody.ts'
import { askAboutDoubt } from './doubt.ts'
import { askAboutEnhanced } from './enhanced.ts'
import { askAboutDeath, askAboutMistakenDeath, askAboutReturn, quietly } from './episode.ts'
import { followPhase, followTeam } from './follow.ts'
import { planPartner } from './handovers.ts'
import { askWhoMeets } from './held-elsewhere.ts'
import { joinReferrals } from './join.ts'
import { type Life, lifeOf } from './life.ts'
import { watchDates } from './look-pace.ts'
import { sendOnward } from './onward.ts'
import { askAboutHome } from './out-of-area.ts'
import { waitForReviews } from './overriding.ts'
import { askAboutNumbers } from './patient.ts'
import { answerTo } from './referral-answer.ts'
import { planReferrals } from './referrals.ts'
import { referralInError, tasksOf } from './situation.ts'
import { askAboutHandedBack } from './taken-over.ts'
import { isHandover, ownerOf } from './task.ts'
import { askAboutToldMore } from './told-more.ts'
import { watchLife } from './watch.ts'

export function plan(change: Change): Understanding {
  const { situation } = change
  planCustody(change)
  let known = consider(situation)
  const died = known.case?.person.died === true
  const under = died ? quietly(change) : change
  if (joinReferrals(change, known)) known = consider(situation)
  planReferrals(under, known)
  const life = lifeOf(situation, known)
  if (life && followPhase(change, life)) known = consider(situation)
  answerSender(under, known)
  if (known.case) askAboutRecord(under, known, life)
  if (life) sendOnward(under, known, life)
  for (const group of partnersToPlan(change, known)) planPartner(under, known, group.partner, group.considered, group.tasks)
  followTeam(change)
  if (life && known.case) watchLife(under, life, known.case)
  if (life) askWhoMeets(under, life, known)
  askAboutConsents(under, known)
  askAboutReturn(under, known)
  askAboutHandedBack(under, known)
  askAboutEnhanced(under, known)
  askAboutHome(under, known)
  if (died) askAboutDeath(change)
  askAboutMistakenDeath(change, life, known)
  waitForReviews(change)
  askAboutNumbers(under)
  askAboutToldMore(under)
  askAboutAlike(under)
  askAboutDoubt(under, known)
  if (life) askWhatComesNext(under, life)
  // The next look at HMPPS wakes nothing else: who waits for that alone waits for nothing.
  if (life) watchDates(under, life, known)
  change.settleWaiting()
  return known
}

/** A referral that is open, with nothing open in it and nothing to come: whoever should have said so did not. */
function askWhatComesNext(change: Change, { phase, request }: Life): void {
  if (isFinal(phase) || change.isAwake() || tasksOf(change.situation).some(({ status }) => isOpen(status))) return
  const words =
    'This referral is open, nobody is asked for anything, and no day is known to wait for. Plan with the person, or end the support.'
  change.ask({ about: `nothing-planned:${request.id}`, reason: 'nothing-planned', words })
}

/**
 * Partners the plan names, those it no longer names but that still hold a handover, and those whose shelf holds anything of this record:
 * the handover it was told with may have gone to another one (unmerge.ts).
 */
function partnersToPlan(change: Change, known: Understanding): { partner: string; considered?: Considered; tasks: Task[] }[] {
  const tasks = tasksOf(change.situation).filter(isHandover)
  const holding = [...change.situation.told.values()].flatMap(({ shelf }) => (shelf.startsWith('partner:') ? [shelf.slice(8)] : []))
  const ids = new Set([...known.partners.map(({ partner }) => partner.id), ...tasks.map(ownerOf), ...holding])
  return [...ids].map((partner) => {
    const considered = known.partners.find((one) => one.partner.id === partner)
    return { partner, ...(considered ? { considered } : {}), tasks: tasks.filter((task) => ownerOf(task) === partner) }
  })
}

/** What a person has to look at because of the record itself. */
function askAboutRecord(change: Change, known: Understanding, life: Life | undefined): void {
  const { situation } = change
  const found = known.case as NonNullable<Understanding['case']>
  // A referral from outside asks for what it needs by itself, until the service has made a plan: what a referrer proposes is a draft.
  if (suspensionOf(found.custody)) return
  const started =
    (found.plan !== undefined && found.plan.status !== 'draft') || (found.referral !== undefined && !answerTo(situation, found.referral.id))
  const ended = found.referral ? /^(completed|revoked|entered-in-error)$/.test(found.referral.status) : referralInError(situation)
  if (ended) return
  // On hold because of where the person is in their journey: what is missing is asked about when it goes on.
  const paused = life !== undefined && statusOf(life.phase) === 'on-hold'
  // A worker who has gone is asked about by itself (watch.ts).
  const alone = life !== undefined && underWay.includes(life.phase) && life.phase !== 'accepted'
  const missing = known.missing.filter(({ what }) => what !== 'worker' || !alone)
  if (started && missing.length && !paused) {
    const words = missing.map((one) => one.words).join(' ')
    change.ask({ about: `case:${situation.patient}`, reason: 'case-incomplete', words: `Nobody is asked for anything yet. ${words}` })
  }
  for (const activity of known.strangers) {
    const about = `partner-unknown:${situation.patient}:${activity.key}`
    change.ask({
      about,
      reason: 'partner-unknown',
      words: `The plan gives “${activity.key}” to an organisation that is not in the directory. Name a partner from the directory.`,
    })
  }
  if (!known.partners.length) return
  for (const list of [found.needs, found.medications, found.allergies, found.flags, found.findings, found.meetings]) {
    for (const fact of list) {
      if (fact.categories.length > 0) continue
      const words = `${fact.ref.split('/')[0]} has no label that says what kind of information it is, so no partner is told. Label it, or leave it as it is.`
      change.ask({ about: `unlabelled:${fact.ref}`, reason: 'unlabelled', words, of: fact.ref })
    }
  }
}
