/**
 * A referrer tells what it was asked for: its referral once more, whole, as an update (closed-loop.md C1 row 4). Only what was asked
 * is taken over what is on record, and what is new is added; then triage looks again, in the same commit.
 */
import type { Bundle, Identifier, Observation, Patient, Resource, ServiceRequest, Task } from '@medplum/fhirtypes'
import type { Request } from '../access/caller.ts'
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
import { asTold, type Contents, contentsOf } from './refer.ts'
import { aboutNobody } from './references.ts'
import { outcomeOf } from './referral-answer.ts'
import { replyTo } from './reply.ts'
import { resourcesOf, serviceShelf, tasksOf } from './situation.ts'
import { isHandover, isReferralAnswer } from './task.ts'

/** @throws Refusal 409 when the referral does not wait for information */
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
      const task = tasksOf(change.situation).find((one) => isReferralAnswer(one) && one.focus?.reference === `ServiceRequest/${id}`)
      const asked = askedFor(change, task)
      const kept = told.resources.flatMap((resource) => taken(change, resource, told, request, asked))
      const own = kept.find((one) => one.resourceType === 'ServiceRequest')
      if (own) change.put(caller.shelf, own, '[]')
      change.audit({ action: 'refer', entity: `ServiceRequest/${id}`, detail: JSON.stringify({ changed: true }) })
      return (): Answer => ({
        status: 200,
        body: replyTo(bundle, kept, change.situation.record.get(`Task/${task?.id}`)?.body as Task),
      })
    },
    (answer) => alongside(answer()),
  )
  if (!answered) throw refuse(404, 'not-found', 'There is no such referral here.')
  return answered()
}

/** The codes of what the referrer was asked; nothing else of its word may change a record the service works with. */
function askedFor({ situation }: Change, task: Task | undefined): ReadonlySet<string> {
  const told = tasksOf(situation).some((one) => isHandover(one) && one.status !== 'draft' && isOpen(one.status))
  if (!task || told || outcomeOf(task) !== 'needs-information')
    throw refuse(409, 'conflict', 'This referral does not wait for information. Tell the service itself what has changed.')
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

/** What a resource says, without its id, its versions and where its references lead: an update repeats what was told before. */
const contentOf = ({ id: _id, meta: _meta, ...rest }: Resource): string =>
  JSON.stringify(rest, (key, value) => (key === 'reference' ? undefined : value))
