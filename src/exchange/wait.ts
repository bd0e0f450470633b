/**
 * Nothing waits without a timer or a work item (promise 6): for each handover, when somebody looks again, or who looks now.
 * When that is, `domain/chase.ts` says; here it becomes a timer, a work item, a state.
 */
import type { Task } from '@medplum/fhirtypes'
import { addWorkingDays, endOfDay, today } from '../domain/calendar.ts'
import { chase, dueBy, type Matter, type Pace, releaseDays, type Step, usualPace } from '../domain/chase.ts'
import { isOpen, rejectionReasons } from '../domain/handover.ts'
import { codeIn } from '../domain/resources.ts'
import { longDate } from '../domain/words.ts'
import { ours } from '../fhir/systems.ts'
import type { Change } from './change.ts'
import type { Understanding, Wanted } from './consider.ts'
import { serviceShelf, tasksOf } from './situation.ts'
import { cameToNothing, inState, ownerOf, stateOf } from './task.ts'

/** @param planned the plan still asks this of this partner */
export function waitFor(change: Change, known: Understanding, task: Task, planned: boolean): void {
  const name = nameOf(change, task)
  const { status } = stateOf(task)
  if (cameToNothing(task)) {
    if (!planned) return
    const { reason, words } = others(change, task)
    ask(change, task, reason, `${whyNot(change, task)} ${words}`)
    return
  }
  if (!isOpen(status) || status === 'draft') return
  const step = stepFor(change, known, task)
  const stands = asChased(change, known, task)
  if (step.next) change.wait(`${timerFor(stands)}:${task.id}`, step.next)
  if (!step.ask) return
  const { matter, of } = step.ask
  if (of === 'worker' || matter === 'cancellation-unconfirmed') ask(change, task, matter, words[matter](name))
  else ask(change, task, 'escalated', `For the supervisor: ${words[matter](name)} It has not moved for too long.`)
}

/** As it stands by now (C2 row 20). Before its partner is shown anything: what is told is how it stands. */
export function asChased(change: Change, known: Understanding, task: Task): Task {
  const { chased } = stepFor(change, known, task)
  return chased && chased !== stateOf(task).businessStatus ? moveTo(change, task, task.status as 'requested', chased) : task
}

/** Why nothing comes of it there, in words a navigator can act on. */
function whyNot(change: Change, task: Task): string {
  const [name, kind] = [nameOf(change, task), change.situation.directory.partners.get(ownerOf(task))?.kind]
  if (!/^(rejected|failed)$/.test(task.status)) return `${name} is no longer asked: it was taken back by hand.`
  const code = codeIn(task.statusReason, ours('rejection-reason'))
  // Neither is needed to register with a practice, and want of them is no reason to refuse (gp-registration.md 1).
  if (code === 'id-or-address-demanded' && kind === 'gp-registration')
    return `${name} asked for proof of identity or address, which nobody needs to register. Tell them so.`
  return code && code !== 'other'
    ? `${name} can not help: ${rejectionReasons[code as keyof typeof rejectionReasons]}.`
    : `${name} can not help.`
}

/** Who else could be asked, by name. Whom the plan names in second place was asked already, as soon as the first said no. */
function others({ situation }: Change, task: Task): { reason: 'replace' | 'no-alternative'; words: string } {
  const { partners } = situation.directory
  const refused = new Set(tasksOf(situation).flatMap((one) => (cameToNothing(one) ? ownerOf(one) : [])))
  const kind = partners.get(ownerOf(task))?.kind
  const left = [...partners.values()].filter((one) => one.kind === kind && !one.retired && !refused.has(one.id)).map(({ name }) => name)
  const names = `${left.slice(0, mostNamed).join(', ')}${left.length > mostNamed ? ` or another of ${left.length}` : ''}`
  return left.length
    ? { reason: 'replace', words: `Name another partner in the plan (${names}), or stop this activity there and say why.` }
    : {
        reason: 'no-alternative',
        words: 'The directory has no other of its kind. Find one, or stop this activity in the plan and say why.',
      }
}
const mostNamed = 5

/** Where the chase of a handover has come to. */
export function stepFor({ situation }: Change, known: Understanding, task: Task): Step {
  const adapter = situation.adapters.get(situation.directory.partners.get(ownerOf(task))?.kind as string)
  const messages = situation.owed.filter((row) => row.task === task.id)
  const since = task.lastModified as string
  const asked =
    messages
      .filter(({ state }) => state !== 'void')
      .map(({ createdAt }) => createdAt)
      .sort()[0] ?? since
  const answerBy =
    task.restriction?.period?.end ?? endOfDay(addWorkingDays(today(new Date(asked)), adapter?.window.answerWithinWorkingDays ?? 2))
  const reminded = messages.filter(({ reason }) => reason === 'reminder').map(({ createdAt }) => createdAt)
  const pace: Pace = { ...usualPace, ...adapter?.chase }
  return chase(
    { ...stateOf(task), since, asked, answerBy, reminded, closesWith: adapter?.closesWith ?? [] },
    { now: situation.now.toISOString(), ...releaseDays(known.case?.custody) },
    pace,
  )
}

/** What a handover waits for, as its timer is called. */
function timerFor(task: Task): string {
  const { status, businessStatus } = stateOf(task)
  if (businessStatus === 'cancellation-requested') return 'cancel'
  if (businessStatus === 'chasing' || businessStatus === 'escalated') return 'chase'
  return status === 'requested' || status === 'received' ? 'answer' : 'outcome'
}

/** @param task the handover, when there is one; it has not been sent */
export function waitToAsk(change: Change, known: Understanding, { partner, adapter, activity }: Wanted, task: Task | undefined): void {
  const { releaseDate, left } = known.case?.custody ?? {}
  const release = left ?? releaseDate
  if (release === undefined) return
  const { day, overFrom } = dueBy(release, adapter.window.dueDays)
  const about = `due:${task?.id ?? `${partner.id}:${activity.key}`}`
  if (overFrom > change.situation.now.toISOString()) change.wait(about, overFrom)
  else {
    const late = `${partner.name} should have been asked by ${longDate(day)}, ${adapter.window.dueDays} days before release, and has not been.`
    change.ask({
      about,
      reason: 'not-asked-in-time',
      words: `${late} See what it waits for. Phone them about the person only if the person agreed that they are told.`,
      ...(task?.id ? { task: task.id } : {}),
    })
  }
}

const words: Readonly<Record<Matter, (name: string) => string>> = {
  'not-arrived': (name) => `What ${name} is asked has not arrived there. Phone them, and record what they say.`,
  'no-answer': (name) => `${name} has not answered. Phone them and record what they say.`,
  'not-accepted': (name) => `${name} has opened it, and not said yes or no. Phone them and record what they say.`,
  'not-booked': (name) => `${name} accepted, and has booked no appointment. Ask them for one.`,
  'did-not-attend': (name) =>
    `The person did not come to an appointment with ${name}. Find out what stood in the way, and ask ${name} for another.`,
  'appointment-cancelled': (name) => `An appointment with ${name} was cancelled. Ask ${name} for another, and tell the person.`,
  'no-outcome': (name) => `${name} accepted, and has not said how it ended. Ask whether the person was seen.`,
  'not-registered': (name) => `${name} accepted, and has not said that the person is registered. Ask them.`,
  'cancellation-unconfirmed': (name) =>
    `For the supervisor: ${name} was asked to stop five working days ago and has not confirmed. Speak to them and record what they say, or end it without (cancelled-unconfirmed).`,
  'awaiting-information': (name) => `${name} asked for more information before going on.`,
}

const nameOf = ({ situation }: Change, task: Task): string => situation.directory.partners.get(ownerOf(task))?.name ?? ownerOf(task)

/** The exchange's own moves on the service's shelf. */
export function moveTo(change: Change, task: Task, status: Task['status'] & string, businessStatus: string, why?: string): Task {
  const moved = inState(task, { status, businessStatus } as never, change.situation.now.toISOString(), why ? { text: why } : undefined)
  change.put(serviceShelf(change.situation.service.id), moved)
  return moved
}

/** A question about a handover, open until it no longer has to be asked. */
export const ask = (change: Change, task: Task, reason: string, words: string): void =>
  change.ask({ about: `${reason}:${task.id}`, reason, words, task: task.id as string })
