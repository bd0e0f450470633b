/**
 * A referrer tells what it was asked for: its referral once more, whole, as an update (closed-loop.md C1 row 4). Only what was asked
 * is taken over what is on record, and what is new is added; then triage looks again, in the same commit.
 */
import type { Bundle, Identifier, Observation, Patient, Resource, ServiceRequest } from '@medplum/fhirtypes'
import type { Request } from '../access/caller.ts'
import { withDecision } from '../domain/decisions.ts'
import { isCustody } from '../domain/facts.ts'
import { isOpen } from '../domain/handover.ts'
import { custodyObservation } from '../domain/read.ts'
import { codeIn } from '../domain/resources.ts'
import { refuse } from '../fhir/outcome.ts'
import { nhsNumber, ours } from '../fhir/systems.ts'
import type { Statement } from '../store/database.ts'
import { newId } from '../store/random.ts'
import { amend } from './amend.ts'
import { actorOf, type Change } from './change.ts'
import type { Answer, Exchange } from './exchange.ts'
import { wholeOf } from './join.ts'
import { asTold, type Contents, contentsOf } from './refer.ts'
import { aboutNobody } from './references.ts'
import { answerTo, asReferred, isOver, outcomeOf, ownCopy } from './referral-answer.ts'
import { replyTo } from './reply.ts'
import { resourcesOf, type Situation, serviceShelf, tasksOf } from './situation.ts'
import { isHandover } from './task.ts'
import { contentOf, keepApart } from './told-more.ts'

/**
 * What it does not wait for is kept apart (`told-more.ts`).
 *
 * @throws Refusal 409 when the referral is over
 */
export async function supply(
  exchange: Exchange,
  request: Request,
  { bundle, said, id, patient }: { bundle: Bundle; said: ServiceRequest; id: string; patient: string },
  alongside: (answer: Answer) => Statement[],
): Promise<Answer> {
  const { caller } = request
  const told = contentsOf(bundle, (one) => (one === said ? id : one.resourceType === 'Patient' ? patient : newId()))
  const answered = await amend(
    exchange,
    patient,
    actorOf(request),
    (change) => {
      if (!isOpenReferral(change.situation, id))
        throw refuse(409, 'conflict', 'This referral is no longer open. Refer the person again, with a new message.')
      const asked = askedFor(change.situation, id)
      const waits = asked && !asked.has('question')
      const changed = waits
        ? told.resources.flatMap((resource) => taken(change, resource, told, request, asked)).length > 0
        : keepApart(change, told, caller, bundle.timestamp)
      if (asked && !waits && changed) noteAnswer(change, id, caller.name)
      const own = ownCopy(change, caller.shelf, id, (copy) => requestWith(copy, told.focus))
      if (changed) change.audit({ action: 'refer', entity: `ServiceRequest/${id}`, detail: JSON.stringify({ changed: true }) })
      // What it said itself and how its referral stands: nothing of the record goes back to whoever refers.
      return (): Answer => {
        const task = answerTo(change.situation, id)
        return { status: 200, body: replyTo(bundle, own ? [own] : [], task && asReferred(change, task)) }
      }
    },
    (answer) => alongside(answer()),
  )
  if (!answered) throw refuse(404, 'not-found', 'There is no such referral here.')
  return answered()
}

/** A person asked in words, so a person reads what came. */
function noteAnswer({ situation, put }: Change, id: string, name: string): void {
  const referral = wholeOf(situation, situation.record.get(`ServiceRequest/${id}`)?.body as ServiceRequest)
  const by = { name, role: 'referrer' }
  const at = situation.now.toISOString()
  put(serviceShelf(situation.service.id), withDecision(referral, { kind: 'triage', code: 'supplied', by, at }))
}

/** It, or the one it joined, has not ended. */
export function isOpenReferral(situation: Situation, id: string): boolean {
  const request = situation.record.get(`ServiceRequest/${id}`)?.body as ServiceRequest | undefined
  const task = answerTo(situation, id)
  return request !== undefined && task !== undefined && !isOver(wholeOf(situation, request)) && !/^(rejected|cancelled)$/.test(task.status)
}

/** The codes of what the referrer was asked, if it was; nothing else of its word may change a record the service works with. */
function askedFor(situation: Situation, id: string): ReadonlySet<string> | undefined {
  const told = tasksOf(situation).some((one) => isHandover(one) && one.status !== 'draft' && isOpen(one.status))
  const task = answerTo(situation, id)
  if (!task || told || outcomeOf(task) !== 'needs-information') return undefined
  return new Set(task.input?.flatMap(({ type }) => codeIn(type, ours('referral-ask')) ?? []))
}

/** What becomes of one resource of the update: nothing when it says nothing new. */
function taken(change: Change, resource: Resource, { focus }: Contents, { caller }: Request, asked: ReadonlySet<string>): Resource[] {
  const { record } = change.situation
  const told = aboutNobody.has(resource.resourceType) ? undefined : asTold(resource, focus, caller)
  if (!told) return []
  const keep = (one: Resource): Resource[] => [change.put(serviceShelf(change.situation.service.id), one).body as Resource]
  const present = record.get(`${told.resourceType}/${told.id}`)?.body
  if (told.resourceType === 'Patient') return keep(personWith(present as Patient, told, asked))
  if (told.resourceType === 'ServiceRequest') return keep(requestWith(present as ServiceRequest, told))
  if (told.resourceType === 'Observation' && isCustody(told)) {
    const custody = custodyObservation(resourcesOf(record))
    return keep(custody ? custodyWith(custody, told, asked) : told)
  }
  const before = resourcesOf(record).some((one) => contentOf(one) === contentOf(told))
  return before ? [] : keep(told)
}

function personWith(present: Patient, told: Patient, asked: ReadonlySet<string>): Patient {
  const isNhs = ({ system }: Identifier) => system === nhsNumber
  const said = told.identifier?.filter(isNhs) ?? []
  return {
    ...present,
    ...(asked.has('birth-date') && told.birthDate ? { birthDate: told.birthDate } : {}),
    ...(asked.has('nhs-number') && said.length
      ? { identifier: [...(present.identifier ?? []).filter((one) => !isNhs(one)), ...said.filter(({ value }) => value)] }
      : {}),
  }
}

function requestWith(present: ServiceRequest, told: ServiceRequest): ServiceRequest {
  const known = new Set(present.reasonCode?.map((one) => JSON.stringify(one)))
  const more = told.reasonCode?.filter((one) => !known.has(JSON.stringify(one))) ?? []
  return more.length ? { ...present, reasonCode: [...(present.reasonCode ?? []), ...more] } : present
}

/** Which parts of a custody Observation answer which question. Being on remand is an answer to when the person leaves. */
const parts: Readonly<Record<string, readonly string[]>> = {
  establishment: ['establishment'],
  'release-date': ['custody-basis', 'expected-release-date', 'release-date-type', 'release-date-confirmed'],
}

function custodyWith(present: Observation, told: Observation, asked: ReadonlySet<string>): Observation {
  const open = new Set([...asked].flatMap((one) => parts[one] ?? []))
  const said = (told.component ?? []).filter(({ code }) => open.has(codeIn(code, ours('observation')) as string))
  const names = new Set(said.map(({ code }) => codeIn(code, ours('observation'))))
  const end = asked.has('release-date') ? (told.effectivePeriod?.end ?? present.effectivePeriod?.end) : present.effectivePeriod?.end
  return {
    ...present,
    ...(end ? { effectivePeriod: { ...present.effectivePeriod, end } } : {}),
    component: [...(present.component ?? []).filter(({ code }) => !names.has(codeIn(code, ours('observation')))), ...said],
  }
}
