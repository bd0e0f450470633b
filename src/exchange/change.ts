/**
 * A change under way: everything one commit about one person will write, collected in memory.
 *
 * Steps of the journey say what should be so (`put`, `owe`, `wait`, `ask`, ...); saying what is already so writes nothing.
 * `statements` turns the difference into one unit, guarded by the revision the situation was read at.
 */
import type { Resource, Task } from '@medplum/fhirtypes'
import type { Request } from '../access/caller.ts'
import type { HandoverState } from '../domain/handover.ts'
import { isLeft } from '../domain/settling.ts'
import { withMeta } from '../fhir/messages.ts'
import { type AuditRow, recordAuditRows } from '../store/audit.ts'
import { mustChange, type Statement } from '../store/database.ts'
import { lookUpAt } from '../store/events.ts'
import { type NewOwed, type Owed, owe, type Standing, voidOwed } from '../store/owed.ts'
import { newPerson, nextRevision } from '../store/people.ts'
import { newId } from '../store/random.ts'
import { createResource, dropVersions, type Stored, takeOffShelf, updateResource } from '../store/resources.ts'
import { clearTimer, setTimer } from '../store/timers.ts'
import { openWorkItem, resolveWorkItemAbout } from '../store/work-items.ts'
import { lacks } from './basis.ts'
import { type Situation, serviceShelf } from './situation.ts'
import { isHandover, ownerOf, stateOf } from './task.ts'

/** Who does it, under which request, and from where. */
export type Actor = { who: string; requestId?: string; address?: string }
export const actorOf = ({ caller, requestId, address }: Request): Actor => ({
  who: caller.client,
  requestId,
  ...(address ? { address } : {}),
})
export type Message = Pick<NewOwed, 'id' | 'partner' | 'task' | 'reason' | 'correlation' | 'body' | 'basis'>
/** `of`: the resource it is about; when somebody left it as it is, a new version of that is asked about anew. */
export type Question = { about: string; reason: string; words: string; task?: string; of?: string }

export type Change = {
  situation: Situation
  actor: Actor
  /**
   * The resource as it will stand; the same content writes nothing. Gives the stored form, with its version.
   *
   * @param text its JSON with `meta` last, where somebody has written it already
   */
  put(shelf: string, resource: Resource, basis?: string, text?: string): Stored
  /** Was this written in this change? */
  wrote(shelf: string, ref: string): boolean
  /** Takes a resource over from another person's record or shelf, as `resource`: it keeps its place and its versions. */
  adopt(stored: Stored, resource: Resource): Stored
  /** Deletes on the service's shelf: history stays. */
  remove(shelf: string, ref: string): void
  /** Off a partner's shelf, versions and all. */
  takeOff(shelf: string, ref: string): void
  owe(message: Message): void
  void(owed: Standing, note: string): void
  wait(about: string, dueAt: string): void
  /** HMPPS is asked about the person as soon as somebody looks. */
  lookUp(): void
  ask(question: Question): void
  /** Does anything of the plan wait for a time or a person? */
  isAwake(): boolean
  audit(row: Omit<AuditRow, 'id' | 'at' | 'who' | 'service' | 'patient' | 'requestId' | 'address'>): void
  /** What will be owed anew and is due. `first`: nothing owed before holds it back. */
  owing(): { message: Owed; first: boolean }[]
  /** Such a message is sent by whoever commits this, from that moment on. */
  hold(message: Owed, leaseUntil: string): void
  /** Timers and work items that were not said again go: the plan says all that is waited for each time. */
  settleWaiting(): void
  /** How much of what should be so is not: nought of everything when all is as it was. */
  differences(): Differences
  statements(): Statement[]
}

/** Resources on the service's shelf and on others', messages, timers and work items that are written, or go. */
export type Differences = { record: number; shelves: number; messages: number; timers: number; work: number }

export function startChange(situation: Situation, actor: Actor): Change {
  const at = situation.now.toISOString()
  const shelf = serviceShelf(situation.service.id)
  const before = new Map<string, Stored | undefined>()
  const after = new Map<string, Stored | 'gone'>()
  const extra: Statement[] = []
  const told: AuditRow[] = []
  const waits = new Map<string, string>()
  const questions = new Map<string, Question>()
  /** What was taken from a resource is not to be found in its older versions either. */
  const reduced = new Set<string>()
  const owing: { row: NewOwed; message: Owed }[] = []
  let settled = false

  const place = (on: string) => (on === shelf ? situation.record : situation.told)
  const keyIn = (on: string, ref: string) => (on === shelf ? ref : `${on} ${ref}`)
  const remember = (on: string, ref: string): Stored | undefined => {
    const current = place(on).get(keyIn(on, ref))
    const key = `${on} ${ref}`
    if (!before.has(key)) before.set(key, current)
    return current
  }

  /** Writes it whatever stood there before. */
  const write = (on: string, ref: string, resource: Resource, basis?: string, text?: string): Stored => {
    const original = before.get(`${on} ${ref}`)
    const version = (original?.version ?? 0) + 1
    const standing = { versionId: String(version), lastUpdated: at }
    const body = { ...resource, meta: { ...resource.meta, ...standing } }
    const stored: Stored = {
      shelf: on,
      type: resource.resourceType,
      id: resource.id as string,
      version,
      lastUpdated: at,
      patient: situation.patient,
      body,
      ...(text === undefined ? {} : { text: withMeta(text, standing) }),
      ...(basis === undefined ? {} : { basis }),
    }
    place(on).set(keyIn(on, ref), stored)
    after.set(`${on} ${ref}`, stored)
    return stored
  }

  const change: Change = {
    situation,
    actor,
    put(on, resource, basis, text) {
      const ref = `${resource.resourceType}/${resource.id}`
      const current = remember(on, ref)
      if (current?.body && current.basis === basis && meaningOf(current.body) === meaningOf(resource)) return current
      if (current?.basis !== undefined && lacks(basis, current.basis)) reduced.add(`${on} ${ref}`)
      return write(on, ref, resource, basis, text)
    },
    wrote: (on, ref) => after.has(`${on} ${ref}`),
    adopt(stored, resource) {
      const ref = `${stored.type}/${stored.id}`
      before.set(`${stored.shelf} ${ref}`, stored)
      return write(stored.shelf, ref, resource, stored.basis)
    },
    remove(on, ref) {
      const current = remember(on, ref)
      if (!current) return
      const { body: _, ...rest } = current
      const stored: Stored = { ...rest, version: (before.get(`${on} ${ref}`)?.version ?? 0) + 1, lastUpdated: at }
      place(on).delete(keyIn(on, ref))
      after.set(`${on} ${ref}`, stored)
    },
    takeOff(on, ref) {
      if (!remember(on, ref)) return
      place(on).delete(keyIn(on, ref))
      after.set(`${on} ${ref}`, 'gone')
    },
    owe(message) {
      const row = { ...message, service: situation.service.id, patient: situation.patient, createdAt: at, dueAt: at }
      const fresh: Owed = { ...row, seq: Number.MAX_SAFE_INTEGER, state: 'due', attempts: 0, unanswered: false }
      owing.push({ row, message: fresh })
      situation.owed.push(fresh)
    },
    void(owed, note) {
      // What is being sent right now is asked about again by whoever sends it; here it counts as possibly arrived.
      if (owed.state === 'sending') return
      extra.push(mustChange('owed', voidOwed(owed, at, note)))
      owed.state = 'void'
    },
    wait(about, dueAt) {
      waits.set(about, dueAt)
    },
    lookUp() {
      extra.push(lookUpAt({ patient: situation.patient, service: situation.service.id }, newId(), at))
    },
    // What a look does not ask again by itself counts no more in the look that asks it first.
    isAwake: () => waits.size > 0 || [...questions.keys()].some((about) => isPlanned(about, {})),
    ask({ of, ...question }) {
      const { about, reason, words } = question
      const changedAt = of === undefined ? undefined : situation.record.get(of)?.lastUpdated
      if (!isLeft(situation.left.get(about), reason, words, changedAt)) questions.set(about, question)
    },
    audit(row) {
      const { who, requestId, address } = actor
      told.push({
        id: newId(),
        at,
        who,
        service: situation.service.id,
        patient: situation.patient,
        ...(requestId ? { requestId } : {}),
        ...(address ? { address } : {}),
        ...row,
      })
    },
    owing: () =>
      owing
        .filter(({ message }) => message.state === 'due')
        .map(({ message }) => ({
          message,
          first: !situation.owed.some(
            (other) => other !== message && other.task === message.task && /^(due|sending|parked)$/.test(other.state),
          ),
        })),
    hold(message, leaseUntil) {
      Object.assign(message, { state: 'sending', attempts: 1, leaseUntil, firstTriedAt: at })
    },
    settleWaiting() {
      settled = true
    },
    differences() {
      const places = [...after.keys()].filter((key) => after.get(key) !== 'gone' || before.get(key))
      const record = places.filter((key) => key.startsWith(`${shelf} `)).length
      const { timers, work } = situation
      const moved = [...waits].filter(([about, dueAt]) => !timers.some((row) => row.about === about && row.dueAt === dueAt))
      const asked = [...questions.values()].filter(({ about, words }) => !work.some((row) => row.about === about && row.words === words))
      return {
        record,
        shelves: places.length - record,
        messages: owing.length,
        timers: moved.length + timers.filter(({ about }) => !waits.has(about)).length,
        work: asked.length + work.filter(({ about }) => isPlanned(about, situation) && !questions.has(about)).length,
      }
    },
    statements() {
      const { patient, service, revision } = situation
      const unit: Statement[] = [revision === undefined ? newPerson(patient, service.id) : nextRevision(patient, revision)]
      for (const [key, now] of after) {
        const was = before.get(key)
        if (now === 'gone') {
          if (was) unit.push(...takeOffShelf(was.shelf, was.type, was.id))
        } else if (was) {
          unit.push(...updateResource(now, was.version))
          if (reduced.has(key)) unit.push(dropVersions(now))
        } else if (now.body) unit.push(...createResource(now))
      }
      for (const { row, message } of owing) unit.push(...owe(row, message.leaseUntil ? { leaseUntil: message.leaseUntil, at } : undefined))
      unit.push(...extra)
      for (const move of movesIn(before, after, told)) change.audit(move)
      if (told.length) unit.push(...recordAuditRows(told))
      if (settled) {
        for (const row of situation.timers)
          if (waits.get(row.about) !== row.dueAt && !waits.has(row.about)) unit.push(clearTimer(patient, row.about))
        for (const [about, dueAt] of waits) {
          if (!situation.timers.some((row) => row.about === about && row.dueAt === dueAt))
            unit.push(setTimer({ patient, about, service: service.id, dueAt }))
        }
        for (const row of situation.work)
          if ((isPlanned(row.about, situation) || isVoid(situation.owed, row.about)) && !questions.has(row.about))
            unit.push(resolveWorkItemAbout(patient, row.about, at))
        for (const question of questions.values()) {
          const open = situation.work.find((row) => row.about === question.about)
          if (open?.words === question.words) continue
          if (open) unit.push(resolveWorkItemAbout(patient, question.about, at))
          unit.push(openWorkItem({ id: newId(), service: service.id, patient, openedAt: at, ...question }))
        }
      }
      return unit
    },
  }
  return change
}

/** Every handover that stands elsewhere than before, unless the answer that moved it there is told already. */
function movesIn(
  before: ReadonlyMap<string, Stored | undefined>,
  after: ReadonlyMap<string, Stored | 'gone'>,
  told: readonly AuditRow[],
): Parameters<Change['audit']>[0][] {
  return [...after].flatMap(([key, now]) => {
    if (now === 'gone' || now.type !== 'Task' || !now.shelf.startsWith('service:') || !now.body) return []
    const [task, was] = [now.body as Task, before.get(key)?.body as Task | undefined]
    const entity = `Task/${task.id}/_history/${now.version}`
    const answer = told.find((row) => row.action === 'answer' && row.entity === `Task/${task.id}`)
    const from = answer ? (JSON.parse(answer.detail as string) as { to: HandoverState }).to : was && stateOf(was)
    const to = stateOf(task)
    if (!isHandover(task) || JSON.stringify(from) === JSON.stringify(to)) return []
    return [{ action: 'move', entity, recipient: ownerOf(task), detail: JSON.stringify({ ...(from ? { from } : {}), to }) }]
  })
}

/**
 * Work items the plan opens and resolves by itself. A parked message is the deliverer's to ask about and a person's to resolve, what a
 * merge left to be sorted, what HMPPS said and what a service said that handed somebody over a person's; who may be the same person is known
 * only when it was looked for.
 */
const isPlanned = (about: string, { alike }: Pick<Situation, 'alike'>): boolean =>
  !/^(parked|merge|hmpps|reconcile|sender):/.test(about) && (alike !== undefined || !about.startsWith('duplicate:'))

/** A message that waited for a person, and will not be sent any more. */
const isVoid = (owed: readonly Standing[], about: string): boolean =>
  owed.some(({ id, state }) => state === 'void' && about === `parked:${id}`)

/** What a resource says, without its version and time. */
function meaningOf(resource: Resource): string {
  const { versionId: _v, lastUpdated: _l, ...meta } = resource.meta ?? {}
  return JSON.stringify({ ...resource, meta })
}
