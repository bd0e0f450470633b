/**
 * Where one person's referral stands, read from their record: the facts its phase follows from (`domain/lifecycle.ts`), and what the
 * operations and the watch need of it besides.
 */
import type { Goal, ServiceRequest } from '@medplum/fhirtypes'
import { londonDate, today, windows } from '../domain/calendar.ts'
import type { Loop } from '../domain/closing.ts'
import { type Contact, contactsOf } from '../domain/contacts.ts'
import { decisionsOf, latestOf, phaseOn } from '../domain/decisions.ts'
import { governing } from '../domain/governing.ts'
import { type LifeFacts, type Phase, phaseOf } from '../domain/lifecycle.ts'
import { consentCategoriesBars } from '../fhir/systems.ts'
import type { Understanding } from './consider.ts'
import { answerTo, outcomeOf } from './referral-answer.ts'
import { consentsOf, ofType, resourcesOf, type Situation, tasksOf } from './situation.ts'
import { takenOver } from './taken-over.ts'
import { handoverKey, isHandover, isHandoverRequest, ownerOf } from './task.ts'

export type Life = {
  request: ServiceRequest
  facts: LifeFacts
  phase: Phase
  /** London date of the referral. */
  referredOn?: string
  contacts: Contact[]
  goals: Goal[]
  loops: Loop[]
  /** Accepted reasons why a handover has no outcome and no other in its place. */
  reasons: ReadonlyMap<string, string>
}

/** Undefined: there is no referral. @param id of another than the one that counts */
export function lifeOf(situation: Situation, known: Understanding, id?: string): Life | undefined {
  const resources = resourcesOf(situation.record)
  const request = requestOf(situation, known, id)
  if (!request) return undefined
  const day = today(situation.now)
  const { custody, person, worker } = known.case ?? {}
  const released = custody?.left && custody.basis !== 'rotl' && custody.left <= day ? custody.left : undefined
  const answer = answerTo(situation, request.id as string)
  const [was, verdict, triage] = [phaseOn(request), answer && outcomeOf(answer), latestOf(request, 'triage')?.code]
  const [closed, extension] = [
    latestOf(request, 'closure')?.code ??
      (latestOf(request, 'joined') ? 'duplicate' : takenOver(situation, known.case, request.authoredOn)),
    latestOf(request, 'extension'),
  ]
  const facts: LifeFacts = {
    status: request.status,
    agreement: agreementIn(situation, known),
    worker: worker !== undefined,
    ...(was ? { was } : {}),
    ...(person?.died ? { died: true as const } : {}),
    ...(verdict ? { verdict: verdict as NonNullable<LifeFacts['verdict']> } : {}),
    ...(triage ? { triage } : {}),
    ...(answer && mayBeKnown(situation) ? { maybeKnown: true as const } : {}),
    ...(closed ? { closed } : {}),
    // Time given after an earlier release is over with it: another one has its own six months.
    ...(extension && !(released && extension.until <= windows(released).supportEnds) ? { extendedUntil: extension.until } : {}),
    ...(released ? { released } : {}),
    ...(custody?.releaseDate ? { releaseDate: custody.releaseDate } : {}),
    ...(custody?.returned && !custody.left ? { back: true as const } : {}),
  }
  const referredOn = londonDate(answer?.authoredOn ?? request.authoredOn)
  const own = resources.filter((one) => !('status' in one && one.status === 'entered-in-error'))
  return {
    request,
    facts,
    phase: phaseOf(facts),
    contacts: contactsOf(own),
    goals: ofType(resources, 'Goal').filter(({ lifecycleStatus }) => lifecycleStatus !== 'entered-in-error'),
    loops: loopsOf(situation),
    reasons: new Map(decisionsOf(request).flatMap((one) => (one.kind === 'no-alternative' ? [[one.code, one.reason ?? '']] : []))),
    ...(referredOn ? { referredOn } : {}),
  }
}

function requestOf(situation: Situation, known: Understanding, id = known.case?.referral?.id): ServiceRequest | undefined {
  const requests = ofType(resourcesOf(situation.record), 'ServiceRequest').filter((one) => !isHandoverRequest(one))
  if (id) return requests.find((one) => one.id === id)
  // What was made in error is not read, so that the case has no referral then.
  return requests.find(({ status }) => status === 'entered-in-error')
}

/** Somebody has still to say whether this is a person we know (closed-loop.md C1 row 2). */
const mayBeKnown = ({ alike, work }: Situation): boolean => (alike ? alike.length > 0 : work.some(({ reason }) => reason === 'duplicate'))

/** Has the person said yes to RECONNECT? A referrer's word that they did (BaRS) is none, and a consent that gives nobody anything neither. */
function agreementIn(situation: Situation, known: Understanding): LifeFacts['agreement'] {
  const consents = consentsOf(situation)
  const consent = governing(consents)
  if (consent?.category.some(({ coding }) => coding?.some(({ system }) => system === consentCategoriesBars))) return 'none'
  if (consent?.status === 'rejected') return 'refused'
  if (consent?.status === 'inactive') return 'was-given'
  const anybody = known.partners.length === 0 || known.partners.some(({ decision }) => decision.permitsAnything)
  return consent?.status === 'active' && anybody ? 'given' : 'none'
}

const loopsOf = (situation: Situation): Loop[] =>
  tasksOf(situation)
    .filter(isHandover)
    .map((task) => ({
      task: task.id as string,
      partner: ownerOf(task),
      activity: handoverKey(task)?.split(':').slice(2).join(':') ?? '',
      status: task.status,
    }))
