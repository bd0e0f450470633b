/**
 * Step 9 of the journey: a filled message on the partner's shelf and in the outbox, its disclosures in the audit.
 *
 * A partner's shelf and what it is sent are made here from one filled message, so pull and push give the same content.
 */
import type { Consent, Resource, ServiceRequest, Task } from '@medplum/fhirtypes'
import { heldUnsigned } from '../domain/sign-off.ts'
import { authorityOf } from '../domain/who-agreed.ts'
import { contentOf, message, revocation, shelfOf, type Written, withMeta, written } from '../fhir/messages.ts'
import type { ConsentSeen } from '../fhir/parts.ts'
import type { Disclosure } from '../mapping.ts'
import { newId } from '../store/random.ts'
import type { Stored } from '../store/resources.ts'
import { lacks } from './basis.ts'
import type { Change } from './change.ts'
import type { Considered } from './consider.ts'
import { basisOf as groundOf } from './overriding.ts'
import { partnerShelf, refOf, type Situation, serviceShelf } from './situation.ts'
import { bare, handoverKey, isHandoverRequest, ownerOf, partnersView, stateOf } from './task.ts'

/** Of the consent it rests on, what its partner sees. */
function consentSeen({ situation }: Change, { id }: { id: string }): ConsentSeen {
  return { id, authority: authorityOf(situation.record.get(`Consent/${id}`)?.body as Consent) }
}

/**
 * Puts a filled message on the partner's shelf and owes it what is new to it.
 *
 * @param remind handovers whose partner is told the same again (CONTRACT.md 5: an update under its own key)
 */
export function tell(change: Change, considered: Considered, live: readonly Task[], remind: ReadonlySet<string> = new Set()): void {
  const { situation } = change
  const { filled, partner, adapter, decision } = considered
  if (filled.outcome !== 'ready') return
  const shelf = partnerShelf(partner.id)
  // What is left there of a handover that was taken back, ids and states, is nothing that is told now.
  const asked = new Set(live.map(({ focus }) => focus?.reference))
  const before = onShelf(change, shelf).filter(({ type, id }) => type !== 'ServiceRequest' || asked.has(`ServiceRequest/${id}`))
  const at = situation.now.toISOString()
  const release = filled.disclosures.some((one) => one.categories.includes('release'))
  const parts = live.map((task) => ({
    task,
    // Said even where nothing else is new: it was put on hold, or goes on.
    turned:
      onHold(situation.told.get(`${shelf} ${refOf(task as { resourceType: 'Task'; id: string })}`)?.body as Task | undefined) !==
      onHold(task),
    shelf: shelfOf({
      filled,
      adapter,
      service: situation.service,
      partner,
      task: partnersView(task, situation.told.get(`${shelf} Task/${task.id}`)?.body as Task | undefined, { release }),
      serviceRequestId: task.focus?.reference?.split('/')[1] as string,
      consent: decision.agreed && decision.consent ? consentSeen(change, decision.consent) : undefined,
      patient: situation.patient,
      now: at,
    }).map(written),
  }))
  const everything = parts.flatMap((part) => part.shelf)
  const changed = before.length === 0 || !saysTheSame(before, everything)
  const basis = basisOf(filled.disclosures)
  const told = new Set<string>()
  for (const { resource, text } of everything) {
    const ref = refOf(resource as { resourceType: string; id: string })
    if (/^(Organization|HealthcareService)$/.test(resource.resourceType)) continue
    told.add(ref)
    // A Task moves by itself; everything else stands still unless its content changed.
    if (changed || resource.resourceType === 'Task' || !situation.told.has(`${shelf} ${ref}`))
      change.put(shelf, resource, basis.of(resource), text)
  }
  for (const row of onShelf(change, shelf)) {
    const ref = `${row.type}/${row.id}`
    if (!told.has(ref) && row.type !== 'Task' && row.type !== 'ServiceRequest') change.takeOff(shelf, ref)
  }
  for (const { task, turned, shelf: resources } of parts) {
    const history = situation.owed.filter((row) => row.task === task.id)
    const last = history.reduce<(typeof history)[number] | undefined>((one, other) => (one && one.id > other.id ? one : other), undefined)
    // A last one that is void was held back as it was about to leave: its partner never had it. Where there is none of what the record
    // says arrived, somebody is asked (reconcile.ts): it is not sent a second time.
    const fresh = last === undefined ? stateOf(task).businessStatus === 'queued' : last.state === 'void'
    const reminder = !fresh && remind.has(task.id as string)
    if (!fresh && !changed && !turned && !reminder) continue
    const waiting = history.filter((row) => row.state === 'due' && row.attempts === 0)
    for (const row of waiting) change.void(row, 'replaced by a newer version before it left')
    // Tried before, so that it may have arrived; but it is not tried again with what may have been found not to be for them.
    for (const row of history)
      if (/^(due|parked)$/.test(row.state) && lacks(basis.all, row.basis ?? '[]')) change.void(row, 'the newer version holds less')
    // What was held back because nobody had signed never left.
    const held = (row: (typeof history)[number]) => row.state === 'void' && row.note === heldUnsigned
    const reason = history.some((row) => row.state === 'delivered' || (row.attempts > 0 && !held(row))) ? 'update' : 'new'
    const kept = reminder ? 'reminder' : reason
    const id = newId()
    const body = message({
      shelf: resources,
      reason,
      messageId: id,
      publicUrl: situation.publicUrl,
      service: situation.service,
      partner,
      now: at,
    })
    const entity = `Task/${task.id}`
    change.owe({
      id,
      partner: partner.id,
      task: task.id as string,
      reason: kept,
      correlation: correlationOf(change),
      body,
      basis: basis.all,
    })
    const decided = groundOf(decision, filled.disclosures, situation.overrides)
    change.audit({
      action: 'owe',
      entity,
      recipient: partner.id,
      basis: decided.basis ?? adapter.mapping.legalBasis,
      detail: JSON.stringify({
        message: id,
        reason: kept,
        ...decided.detail,
        mapping: `${adapter.kind} v${adapter.mapping.version}`,
        told: filled.disclosures.map(({ ref, path }) => [ref, path]),
        withheld: filled.withheld.map(({ ref, path, because }) => [ref, path, because]),
      }),
    })
  }
}

/** Most stands there letter for letter, and need not be opened; the content of the rest is compared. */
function saysTheSame(before: readonly Stored[], now: readonly Written[]): boolean {
  const standing = new Map(before.map((row) => [`${row.type}/${row.id}`, row]))
  const same = new Set<Stored>()
  const others = now.filter(({ resource, text }) => {
    const row = standing.get(refOf(resource as { resourceType: string; id: string }))
    if (row?.kept === undefined || row.kept !== withMeta(text, { versionId: String(row.version), lastUpdated: row.lastUpdated }))
      return true
    same.add(row)
    return false
  })
  const bodies = (rows: readonly Stored[]) => rows.flatMap((row) => row.body ?? [])
  const resources = (some: readonly Written[]) => some.map(({ resource }) => resource)
  if (contentOf(bodies(before.filter((row) => !same.has(row)))) === contentOf(resources(others))) return true
  // The same said twice is said once: one of the others may say what one of those says that stand as they were.
  return contentOf(bodies(before)) === contentOf(resources(now))
}

/** By us, because the person is back in custody; not by a partner that waits for information. */
const onHold = (task: Task | undefined): boolean => task?.status === 'on-hold' && stateOf(task).businessStatus !== 'awaiting-information'

/** What a message discloses, and each resource of it: asked again when it is sent, and each time one is read. */
function basisOf(disclosures: readonly Disclosure[]) {
  const byRef = Map.groupBy(disclosures, ({ ref }) => ref.split('#')[0] as string)
  const texts = new Map<string, string>()
  const once = (name: string, some: () => readonly Disclosure[]): string => {
    const known = texts.get(name) ?? JSON.stringify(some())
    texts.set(name, known)
    return known
  }
  return {
    get all(): string {
      return once('', () => disclosures)
    },
    of: (resource: Resource): string =>
      // A Task and its request say what is asked for.
      resource.resourceType === 'Task' || resource.resourceType === 'ServiceRequest'
        ? once('Task', () => disclosures.filter(({ categories }) => categories.includes('activity')))
        : once(refOf(resource), () => byRef.get(refOf(resource)) ?? []),
  }
}

/** Tells a partner to stop, or that it is over, without content: for what may have reached it. */
export function tellToStop(change: Change, task: Task, status: 'revoked' | 'completed'): void {
  const { situation } = change
  const partner = situation.directory.partners.get(ownerOf(task))
  const request = requestFor(situation, task)
  if (!partner || !request) return
  change.put(serviceShelf(situation.service.id), { ...request, status })
  const id = newId()
  const notice = revocation({
    task: bare(task),
    serviceRequestId: request.id as string,
    status,
    messageId: id,
    publicUrl: situation.publicUrl,
    service: situation.service,
    partner,
    now: situation.now.toISOString(),
  })
  change.owe({
    id,
    partner: partner.id,
    task: task.id as string,
    reason: status === 'revoked' ? 'revoke' : 'end',
    correlation: correlationOf(change),
    body: notice,
    basis: '[]',
  })
  change.audit({
    action: 'owe',
    entity: `Task/${task.id}`,
    recipient: partner.id,
    basis: 'a notice to stop, without content',
    detail: JSON.stringify({ message: id, reason: 'revoke', told: [], withheld: [] }),
  })
}

/** Everything about the person goes from a partner's shelf. */
export function takeContentOff(change: Change, partner: string): void {
  const shelf = partnerShelf(partner)
  for (const row of onShelf(change, shelf))
    if (row.type !== 'Task' && row.type !== 'ServiceRequest') change.takeOff(shelf, `${row.type}/${row.id}`)
}

/** A handover that no longer holds content stays with its partner as ids and states only, so that it can still be answered. */
export function stripTasks(change: Change, partner: string, live: readonly Task[]): void {
  const shelf = partnerShelf(partner)
  for (const task of handoversOf(change, partner)) {
    if (!change.situation.told.has(`${shelf} Task/${task.id}`) || live.some(({ id }) => id === task.id)) continue
    change.put(shelf, bare(partnersView(task, undefined)), '[]')
    const request = requestFor(change.situation, task)
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

const onShelf = (change: Change, shelf: string): Stored[] => [...change.situation.told.values()].filter((row) => row.shelf === shelf)

/** Every handover of the record that this partner owns. */
export const handoversOf = (change: Change, partner: string): Task[] =>
  [...change.situation.record.values()].flatMap(({ body }) =>
    body?.resourceType === 'Task' && handoverKey(body) && ownerOf(body) === partner ? [body] : [],
  )

/** What a handover asks, as it stands on the record: over once its partner was told to stop, or that it is over. */
export const requestFor = ({ record }: Situation, task: Task): ServiceRequest | undefined =>
  record.get(task.focus?.reference as string)?.body as ServiceRequest | undefined

/** One correlation for everything about a case: its referral. */
function correlationOf(change: Change): string {
  for (const { body } of change.situation.record.values()) {
    if (body?.resourceType === 'ServiceRequest' && !isHandoverRequest(body)) return body.id as string
  }
  return change.situation.patient
}
