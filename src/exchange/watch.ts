/**
 * What has to happen by when in a person's journey, and who is asked when it has not: contacts before release, the day of release, the
 * check on drug treatment after three weeks, reviews, the end of support. Each is a timer until its day and a work item from then on.
 * Part of the plan step.
 */
import { addDays, addWorkingDays, movedForward, planEnd, reviews, startOfDay, today, windows } from '../domain/calendar.ts'
import type { Case, Custody } from '../domain/case.ts'
import { mayPropose } from '../domain/closing.ts'
import { contactsToOffer, offeredBefore } from '../domain/contacts.ts'
import { isOpen } from '../domain/handover.ts'
import { underWay } from '../domain/lifecycle.ts'
import { nextHandingOver } from '../domain/named-worker.ts'
import { pace } from '../domain/pace.ts'
import { given } from '../domain/resources.ts'
import { longDate } from '../domain/words.ts'
import type { Change } from './change.ts'
import type { Life } from './life.ts'
import { ofType, resourcesOf } from './situation.ts'
import { handoversOf } from './tell.ts'

export function watchLife(change: Change, life: Life, found: Case): void {
  if (!underWay.includes(life.phase)) return
  watchWorker(change, life, found)
  const { custody } = found
  const expected = custody?.where !== 'at-large' && custody?.basis !== 'rotl'
  if (life.phase === 'pre-release' && custody?.releaseDate && expected) beforeRelease(change, life, custody, custody.releaseDate)
  // Somebody expected to leave on a day that is past may be out there with nobody knowing.
  const { released } = life.facts
  if (custody?.left && !released && custody.left > today(change.situation.now))
    change.wait(`release:${life.request.id}`, startOfDay(custody.left).instant)
  if (released && (life.phase === 'post-release' || life.phase === 'extended')) afterRelease(change, life, released)
}

/** There is exactly one (C7.4): whoever begins or stops on a day is looked at then, and a person without one is nobody's. */
function watchWorker(change: Change, { request, phase }: Life, found: Case): void {
  const { situation } = change
  const next = nextHandingOver(ofType(resourcesOf(situation.record), 'CareTeam'), today(situation.now))
  if (next) change.wait(`worker-ends:${request.id}`, next)
  // Whoever has just been accepted is asked about with the rest that is missing.
  if (found.worker || phase === 'accepted') return
  const words =
    'No RECONNECT worker is named for this person any more, and partners see none. Name one: until then nobody new is asked for anything.'
  change.ask({ about: `worker:${request.id}`, reason: 'no-worker', words })
}

/** Waits for a London day, and asks from then on. */
function from(change: Change, about: string, day: string, question: { reason: string; words: string; task?: string }): void {
  const { instant } = startOfDay(day)
  if (instant > change.situation.now.toISOString()) change.wait(about, instant)
  else change.ask({ about, ...question })
}

function beforeRelease(change: Change, { request, contacts, referredOn }: Life, custody: Custody, release: string): void {
  const day = today(change.situation.now)
  const { basis, releaseDateType: type, sentencedOn } = custody
  const about = `release:${request.id}`
  const moved = movedForward({ date: release, ...given('basis', basis), ...given('type', type), ...given('sentencedOn', sentencedOn) })
  const warnFrom = moved.may ? addWorkingDays(moved.earliest, -pace.warnOfEarlyReleaseWorkingDays) : release
  if (day >= release) {
    const words = `Release was expected on ${longDate(release)}. Record that the person has left, or the new date: until then nobody is told that they are out.`
    change.ask({ about, reason: 'release-day', words })
  } else if (moved.may) {
    const words = `Release on ${longDate(release)} may come as early as ${longDate(moved.earliest)}, because services are shut after it. See that everything is ready by then.`
    if (day >= warnFrom) change.wait(`release-day:${request.id}`, startOfDay(release).instant)
    from(change, about, warnFrom, { reason: 'release-early', words })
  } else change.wait(about, startOfDay(release).instant)

  const offered = offeredBefore({ contacts, release, ...given('referredOn', referredOn), ...given('since', custody.returned) })
  if (offered.state !== 'short' || day >= release) return
  const words = `${offered.words} Offer ${contactsToOffer} contacts face to face, or say why another way; record each as an Encounter or Appointment, whether it takes place or not.`
  const by = addDays(moved.may ? moved.earliest : release, -pace.contactsDaysBeforeRelease)
  from(change, `contacts:${request.id}`, by, { reason: 'contacts', words })
}

function afterRelease(change: Change, life: Life, released: string): void {
  const { request, contacts, goals, loops, reasons, facts } = life
  const { situation } = change
  const day = today(situation.now)
  checkTreatment(change, released)

  const all = reviews(released)
  const due = all.findLast(({ on }) => on <= day)
  const seen = due && contacts.some(({ tookPlace, on }) => tookPlace && on && on >= due.on)
  const next = all.find(({ on }) => on > day)
  if (next) change.wait(`review-due:${request.id}`, startOfDay(next.on).instant)
  if (due && !seen) {
    const words = `${reviewWords[due.name]} See how the person is doing and record the contact as an Encounter.`
    change.ask({ about: `review:${request.id}`, reason: 'review', words })
  }

  const end = planEnd(released, facts.extendedUntil)
  const about = `plan-end:${request.id}`
  if (day > end.ends) {
    const words = `Support was to end on ${longDate(end.ends)}, and was neither ended nor extended. A supervisor decides now: end it, or say why it has to go on.`
    change.ask({ about, reason: 'plan-overdue', words })
  } else {
    const words = `Support ends on ${longDate(end.ends)}. Review it with the person: end it, or ask a supervisor for more time where ending it would harm their health.`
    if (day >= end.reviewFrom) change.wait(`plan-over:${request.id}`, startOfDay(end.ends, 1).instant)
    from(change, about, end.reviewFrom, { reason: 'plan-end', words })
  }

  if (day <= end.ends && mayPropose(goals, loops, reasons)) {
    const words = 'Everything that was asked for has come to something. End the support, or say in the plan what is still to be done.'
    change.ask({ about: `closure:${request.id}`, reason: 'closure-proposed', words })
  }
}

const reviewWords = {
  'day-after': 'Released yesterday.',
  week: 'A week after release.',
  'three-weeks': 'Three weeks after release.',
  'six-weeks': 'Six weeks after release.',
  'three-months': 'Three months after release.',
} as const

/** Drug treatment counts as continued when the person is engaged within 21 days of release (service-facts.md 2): on that day somebody asks. */
function checkTreatment(change: Change, released: string): void {
  const { situation } = change
  for (const [id, partner] of situation.directory.partners) {
    if (partner.kind !== 'substance-misuse') continue
    const task = handoversOf(change, id).find(({ status }) => isOpen(status) && status !== 'draft')
    if (!task) continue
    const words = `The person was to be seen by ${partner.name} within three weeks of release, and nothing says that they were. Ask them today, and record the answer.`
    from(change, `check-21:${task.id}`, windows(released).engageBy, { reason: 'check-21', words, task: task.id as string })
  }
}
