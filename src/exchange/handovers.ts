/**
 * The handovers of one person to one partner: begun, waiting, told, changed, taken back. Part of the plan step.
 *
 * A partner's shelf and what it is sent are made here from one filled message, so pull and push give the same content.
 */
import type { ServiceRequest, Task } from '@medplum/fhirtypes'
import { v7 as newId } from 'uuid'
import { addWorkingDays, endOfDay, startOfDay, today } from '../domain/calendar.ts'
import type { Case } from '../domain/case.ts'
import { isOpen } from '../domain/handover.ts'
import { contentOf, handoverRequest, message, revocation, shelfOf } from '../fhir/messages.ts'
import type { Disclosure } from '../mapping.ts'
import type { Stored } from '../store/resources.ts'
import type { Change } from './change.ts'
import type { Considered, Understanding, Wanted } from './consider.ts'
import { partnerShelf, refOf, serviceShelf } from './situation.ts'
import { bare, handoverKey, inState, newHandover, partnersView, stateOf } from './task.ts'

/** Handovers under these states hold content on the partner's shelf. */
const holds = new Set(['requested', 'received', 'accepted', 'in-progress', 'on-hold', 'completed'])

export function planPartner(change: Change, known: Understanding, partner: string, considered: Considered | undefined, tasks: Task[]): void {
  const found = known.case
  const over = whyOver(known)
  const mayStart = known.missing.length === 0 && !over && found?.referral?.status === 'active' && found.plan?.status === 'active'
  const live: Task[] = []

  for (const wanted of over ? [] : (considered?.wanted ?? [])) {
    const task = current(tasks, keyOf(found as Case, wanted)) ?? (mayStart ? begin(change, found as Case, wanted) : undefined)
    if (!task) continue
    const settled = settle(change, considered as Considered, wanted, task, mayStart)
    if (settled) live.push(settled)
  }
  const kept = new Set(live.map(({ id }) => id))
  const planned = new Set((over ? [] : (considered?.wanted ?? [])).map((wanted) => keyOf(found as Case, wanted)))
  for (const task of tasks) {
    if (kept.has(task.id)) continue
    if (!planned.has(handoverKey(task) as string)) recall(change, task, over ?? 'it is no longer part of the plan')
  }
  if (considered && live.length) tell(change, considered, live)
  else takeContentOff(change, partner)
  stripTasks(change, partner, live)
  for (const task of handoversOf(change, partner)) waitFor(change, known, task)
}

/** Why nothing more is to be told, if so. */
function whyOver({ case: found }: Understanding): string | undefined {
  if (!found) return 'the record was closed'
  if (found.person.died) return 'the person has died'
  if (found.referral && /^(revoked|entered-in-error)$/.test(found.referral.status)) return 'the referral was withdrawn'
  if (found.plan && /^(revoked|entered-in-error)$/.test(found.plan.status)) return 'the plan was withdrawn'
  return undefined
}

const keyOf = (found: Case, { partner, activity }: Wanted): string => `${found.plan?.id}:${partner.id}:${activity.key}`

/** The handover that counts for a key: the one under way or done; one that ended otherwise only when a person must replace it. */
function current(tasks: readonly Task[], key: string): Task | undefined {
  const same = tasks.filter((task) => handoverKey(task) === key)
  return same.find((task) => holds.has(task.status as string) || task.status === 'draft') ?? same.find((task) => task.status === 'rejected' || task.status === 'failed')
}

/** A handover begins as a draft on the service's shelf. */
function begin(change: Change, found: Case, wanted: Wanted): Task {
  const { situation } = change
  const [id, request] = [newId(), newId()]
  const task = newHandover({
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
  const draft = handoverRequest({ ...requestOf(change, task, wanted), status: 'draft' })
  change.put(serviceShelf(situation.service.id), draft)
  change.put(serviceShelf(situation.service.id), task)
  return task
}

/** Moves a wanted handover as far as consent, window and content allow. Gives it back when its partner is to hold content. */
function settle(change: Change, considered: Considered, wanted: Wanted, task: Task, mayStart: boolean): Task | undefined {
  const { filled, opens } = considered
  const { status, businessStatus } = stateOf(task)
  if (status === 'rejected' || status === 'failed' || businessStatus === 'cancellation-requested') return undefined
  if (filled.outcome !== 'ready') {
    if (status === 'draft') block(change, considered, task)
    else if (filled.outcome === 'withheld') recall(change, task, filled.because)
    else {
      ask(change, task, 'incomplete', `${considered.partner.name} holds an older version: ${missingWords(filled.missing)}.`)
      return task
    }
    return undefined
  }
  if (status !== 'draft') return task
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

/** Nothing may or can be said yet: the draft waits for a person, with the reason. */
function block(change: Change, { filled, partner }: Considered, task: Task): void {
  if (filled.outcome === 'withheld') {
    if (stateOf(task).businessStatus !== 'consent-blocked') {
      moveTo(change, task, 'draft', 'consent-blocked')
      change.audit({ action: 'withhold', entity: refOf(task as { resourceType: 'Task' }), recipient: partner.id, detail: JSON.stringify({ because: filled.because }) })
    }
    ask(change, task, 'consent-blocked', `${partner.name} is told nothing: ${filled.because}.`)
  } else if (filled.outcome === 'incomplete') ask(change, task, 'incomplete', `${partner.name} can not be told yet: ${missingWords(filled.missing)}.`)
}

const missingWords = (missing: readonly string[]): string => `the record does not say ${missing.join(', ')}`

/** Takes a handover back: silently when it never left, by a notice without content when it may have arrived. */
function recall(change: Change, task: Task, why: string): void {
  const { situation } = change
  const { status, businessStatus } = stateOf(task)
  const reached = situation.owed.some((row) => row.task === task.id && (row.state === 'delivered' || row.attempts > 0))
  const revoked = situation.owed.some((row) => row.task === task.id && row.reason === 'revoke')
  for (const row of situation.owed) if (row.task === task.id && /^(due|sending|parked)$/.test(row.state) && row.reason !== 'revoke') change.void(row, `taken back: ${why}`)
  let taken = task
  if (status === 'draft' || status === 'requested') taken = moveTo(change, task, 'cancelled', 'recalled-message', why)
  else if (isOpen(status) && businessStatus !== 'cancellation-requested') taken = moveTo(change, task, status, 'cancellation-requested', why)
  if (taken !== task || holds.has(status)) {
    const entity = `Task/${task.id}`
    if (taken !== task) change.audit({ action: 'recall', entity, recipient: partnerOf(task), detail: JSON.stringify({ because: why }) })
  }
  if (!reached || revoked || status === 'draft') return
  const partner = situation.directory.partners.get(partnerOf(task))
  if (!partner) return
  const id = newId()
  const revokedRequest: ServiceRequest = { ...(requestOnRecord(change, task) as ServiceRequest), status: 'revoked' }
  change.put(serviceShelf(situation.service.id), revokedRequest)
  const notice = revocation({ task: bare(taken), serviceRequestId: revokedRequest.id as string, messageId: id, publicUrl: situation.publicUrl, service: situation.service, partner, now: situation.now.toISOString() })
  change.owe({ id, partner: partner.id, task: task.id as string, reason: 'revoke', correlation: correlationOf(change), body: JSON.stringify(notice), basis: '[]' })
}

/** Puts a filled message on the partner's shelf and owes it what is new to it. */
function tell(change: Change, considered: Considered, live: readonly Task[]): void {
  const { situation } = change
  const { filled, partner, adapter, decision } = considered
  if (filled.outcome !== 'ready') return
  const shelf = partnerShelf(partner.id)
  const before = contentOf(onShelf(change, shelf).flatMap((row) => row.body ?? []))
  const at = situation.now.toISOString()
  const parts = live.map((task) => ({
    task,
    shelf: shelfOf({
      filled, adapter, service: situation.service, partner, task: partnersView(task),
      serviceRequestId: task.focus?.reference?.split('/')[1] as string, consent: decision.consent, patient: situation.patient, now: at,
    }),
  }))
  const everything = parts.flatMap((part) => part.shelf)
  const changed = before !== contentOf(everything)
  const told = new Set<string>()
  for (const resource of everything) {
    const ref = refOf(resource as { resourceType: string; id: string })
    if (/^(Organization|HealthcareService)$/.test(resource.resourceType)) continue
    told.add(ref)
    // A Task moves by itself; everything else stands still unless its content changed.
    if (changed || resource.resourceType === 'Task' || !situation.told.has(`${shelf} ${ref}`)) change.put(shelf, resource, basisOf(filled.disclosures, ref))
  }
  for (const row of onShelf(change, shelf)) {
    const ref = `${row.type}/${row.id}`
    if (!told.has(ref) && row.type !== 'Task' && row.type !== 'ServiceRequest') change.takeOff(shelf, ref)
  }
  for (const { task, shelf: resources } of parts) {
    const history = situation.owed.filter((row) => row.task === task.id)
    const fresh = !history.some((row) => row.state !== 'void')
    if (!fresh && !changed) continue
    const waiting = history.filter((row) => row.state === 'due' && row.attempts === 0)
    for (const row of waiting) change.void(row, 'replaced by a newer version before it left')
    const reason = history.some((row) => row.state === 'delivered' || row.attempts > 0) ? 'update' : 'new'
    const id = newId()
    const bundle = message({ shelf: resources, reason, messageId: id, publicUrl: situation.publicUrl, service: situation.service, partner, now: at })
    const entity = `Task/${task.id}`
    change.owe({ id, partner: partner.id, task: task.id as string, reason, correlation: correlationOf(change), body: JSON.stringify(bundle), basis: JSON.stringify(filled.disclosures) })
    const { consent } = decision
    change.audit({
      action: 'owe', entity, recipient: partner.id, basis: consent ? `Consent/${consent.id}/_history/${consent.version}` : adapter.mapping.legalBasis,
      detail: JSON.stringify({ message: id, reason, mapping: `${adapter.kind} v${adapter.mapping.version}`, told: filled.disclosures.map(({ ref, path }) => [ref, path]), withheld: filled.withheld.map(({ ref, path, because }) => [ref, path, because]) }),
    })
  }
}

/** What a resource on a shelf discloses: asked again each time it is read. */
function basisOf(disclosures: readonly Disclosure[], ref: string): string {
  return JSON.stringify(disclosures.filter((one) => one.ref.split('#')[0] === ref))
}

/** Everything about the person goes from a partner's shelf. */
function takeContentOff(change: Change, partner: string): void {
  const shelf = partnerShelf(partner)
  for (const row of onShelf(change, shelf)) if (row.type !== 'Task' && row.type !== 'ServiceRequest') change.takeOff(shelf, `${row.type}/${row.id}`)
}

/** A handover that no longer holds content stays with its partner as ids and states only, so that it can still be answered. */
function stripTasks(change: Change, partner: string, live: readonly Task[]): void {
  const shelf = partnerShelf(partner)
  for (const task of handoversOf(change, partner)) {
    if (!change.situation.told.has(`${shelf} Task/${task.id}`) || live.some(({ id }) => id === task.id)) continue
    change.put(shelf, bare(partnersView(task)), '[]')
    const request = requestOnRecord(change, task)
    if (request) change.put(shelf, bareRequest(request), '[]')
  }
}

const bareRequest = ({ id, subject, identifier, status, category }: ServiceRequest): ServiceRequest => ({
  resourceType: 'ServiceRequest',
  id: id as string,
  ...(identifier ? { identifier } : {}),
  status: status === 'active' ? 'revoked' : status,
  intent: 'plan',
  ...(category ? { category } : {}),
  subject,
})

/** Every open handover has a time at which somebody looks again, or a person looking now. */
function waitFor(change: Change, known: Understanding, task: Task): void {
  const { situation } = change
  const { status, businessStatus } = stateOf(task)
  const name = situation.directory.partners.get(partnerOf(task))?.name ?? partnerOf(task)
  const now = situation.now.toISOString()
  if (status === 'rejected' || status === 'failed') {
    ask(change, task, 'replace', `${name} can not help. Name another partner in the plan, or record why there is no alternative.`)
    return
  }
  if (!isOpen(status) || status === 'draft') return
  const changesAt = known.partners.find(({ partner }) => partner.id === partnerOf(task))?.decision.changesAt
  if (changesAt && changesAt > now) change.wait(`consent:${partnerOf(task)}`, changesAt)
  if (businessStatus === 'cancellation-requested') {
    const until = endOfDay(addWorkingDays(today(new Date(task.lastModified as string)), 5))
    if (until > now) change.wait(`cancel:${task.id}`, until)
    else ask(change, task, 'cancellation-unconfirmed', `${name} was asked to stop five working days ago and has not confirmed. Speak to them.`)
    return
  }
  if (status === 'requested' || status === 'received') {
    const by = task.restriction?.period?.end as string
    if (by > now) change.wait(`answer:${task.id}`, by)
    else {
      if (businessStatus !== 'chasing' && businessStatus !== 'queued') moveTo(change, task, status, 'chasing')
      ask(change, task, 'no-answer', `${name} has not answered. Phone them and record what they say.`)
    }
    return
  }
  if (status === 'on-hold') ask(change, task, 'awaiting-information', `${name} asked for more information before going on.`)
  const release = known.case?.custody?.left ?? known.case?.custody?.releaseDate
  const quiet = startOfDay(today(new Date(task.lastModified as string)), 14).instant
  const until = [quiet, ...(release ? [startOfDay(release, 21).instant] : [])].sort().at(-1) as string
  if (until > now) change.wait(`outcome:${task.id}`, until)
  else ask(change, task, 'no-outcome', `${name} accepted, and has not said how it ended. Ask whether the person was seen.`)
}

function moveTo(change: Change, task: Task, status: Task['status'] & string, businessStatus: string, why?: string): Task {
  const moved = inState(task, { status, businessStatus } as never, change.situation.now.toISOString(), why ? { text: why } : undefined)
  change.put(serviceShelf(change.situation.service.id), moved)
  return moved
}

const ask = (change: Change, task: Task, reason: string, words: string): void =>
  change.ask({ about: `${reason}:${task.id}`, reason, words, task: task.id as string })

const partnerOf = (task: Task): string => task.owner?.reference?.replace('Organization/', '') as string

const onShelf = (change: Change, shelf: string): Stored[] => [...change.situation.told.values()].filter((row) => row.shelf === shelf)

const handoversOf = (change: Change, partner: string): Task[] =>
  [...change.situation.record.values()].flatMap(({ body }) => (body?.resourceType === 'Task' && handoverKey(body) && partnerOf(body) === partner ? [body] : []))

const requestOnRecord = (change: Change, task: Task): ServiceRequest | undefined => change.situation.record.get(task.focus?.reference as string)?.body as ServiceRequest | undefined

/** One correlation for everything about a case: its referral. */
function correlationOf(change: Change): string {
  for (const { body } of change.situation.record.values()) {
    if (body?.resourceType === 'ServiceRequest' && !body.identifier?.some((one) => one.system?.endsWith('/Id/handover'))) return body.id as string
  }
  return change.situation.patient
}

function requestOf(change: Change, task: Task, wanted: Wanted) {
  return {
    id: task.focus?.reference?.split('/')[1] as string, task, service: change.situation.service, partner: wanted.partner, activity: wanted.activity,
    kind: wanted.adapter.kind, patient: change.situation.patient, plan: task.basedOn?.[0]?.reference?.split('/')[1] as string, now: task.authoredOn as string,
  }
}
