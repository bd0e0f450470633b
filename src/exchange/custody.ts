/**
 * Custody, looked at again with the rest of the plan: what anybody said happened is folded into the custody Observation that partners are
 * told from. What the service changes on that Observation by hand becomes part of the history, and so is not undone by it.
 */
import type { Observation, Patient } from '@medplum/fhirtypes'
import { today } from '../domain/calendar.ts'
import { type Assertion, type CustodyState, custodyOf, type Doubt } from '../domain/custody.ts'
import { entering, leaving, reasonIn } from '../domain/movement-reasons.ts'
import { custodyIn, custodyObservation } from '../domain/read.ts'
import { assertionsIn, asWrittenBy, byHand, custodyObservationAs, eventObservation, isWrittenByUs } from '../fhir/custody.ts'
import { newId } from '../store/random.ts'
import type { Change } from './change.ts'
import { resourcesOf, type Situation, serviceShelf } from './situation.ts'

/** Part of every plan. A record about which nobody but the service said anything is left as the service wrote it. */
export function planCustody(change: Change): void {
  if (!assertionsIn(resourcesOf(change.situation.record)).length) return
  noteWhatWasSaidByHand(change)
  const { situation } = change
  const assertions = assertionsIn(resourcesOf(situation.record))
  const state = custodyOf(assertions, situation.now.toISOString())
  write(change, state, assertions)
  if (state.where === 'died') stopForGood(change)
  if (state.settlesAt) change.wait('custody:settles', state.settlesAt)
  for (const doubt of state.doubts) askOnce(change, `custody:${doubt.assertion}`, `custody-${doubt.reason}`, wordsOf(doubt, assertions))
  const words = state.where && whereWords[state.where]
  if (words) askOnce(change, `custody-${state.where}:${state.whereSince}`, `custody-${state.where}`, words)
}

/** Something more that was said; the plan makes of it what it means. */
export function keepAssertion(change: Change, assertion: Omit<Assertion, 'id'>): string {
  noteWhatWasSaidByHand(change)
  const id = newId()
  keep(change, { id, ...assertion })
  return id
}

/** The custody Observation as somebody wrote it since we last looked, as assertions of the service. */
function noteWhatWasSaidByHand(change: Change): void {
  const { situation } = change
  const observation = currentOf(situation)
  if (!observation) return
  const stored = situation.record.get(`Observation/${observation.id}`)
  if (!stored || isWrittenByUs(observation, stored.version)) return
  const version = `Observation/${observation.id}/_history/${stored.version}`
  const resources = resourcesOf(situation.record)
  const noted = resources.some(
    (one) => one.resourceType === 'Observation' && one.derivedFrom?.some(({ reference }) => reference === version),
  )
  if (noted) return
  const state = custodyOf(assertionsIn(resources), situation.now.toISOString())
  for (const said of byHand(observation, state)) keep(change, { id: newId(), source: 'service', at: stored.lastUpdated, said }, version)
}

function keep(change: Change, assertion: Assertion, derivedFrom?: string): void {
  const { situation } = change
  const observation = eventObservation(assertion, situation.patient, situation.now.toISOString(), derivedFrom)
  const { version } = change.put(serviceShelf(situation.service.id), observation)
  change.audit({
    action: 'create',
    entity: `Observation/${observation.id}/_history/${version}`,
    detail: JSON.stringify({ informant: `custody-source/${assertion.source}` }),
  })
}

const currentOf = (situation: Situation): Observation | undefined => custodyObservation(resourcesOf(situation.record))

function write(change: Change, state: CustodyState, assertions: readonly Assertion[]): void {
  const { situation } = change
  const shelf = serviceShelf(situation.service.id)
  const current = currentOf(situation)
  // Another stay is an Observation of its own; the one before keeps its end.
  const before = current && isAnotherStay(current, state) ? undefined : current
  const after = custodyObservationAs(state, before, before?.id ?? newId(), situation.patient)
  if (after === before) return
  const { version } = change.put(shelf, after)
  change.put(shelf, asWrittenBy(after, version))
  const latest = [...assertions].sort((a, b) => (a.at < b.at ? 1 : -1))[0] as Assertion
  change.audit({
    action: before ? 'update' : 'create',
    entity: `Observation/${after.id}/_history/${version}`,
    detail: JSON.stringify({ informant: `custody-source/${latest.source}` }),
  })
}

function isAnotherStay(current: Observation, { since }: CustodyState): boolean {
  const { left } = custodyIn(current)
  return left !== undefined && since !== undefined && today(new Date(since)) >= left && since !== current.effectivePeriod?.start
}

/** The one code that says that somebody died: everything stops at once, and a person who sees that it is wrong can take it back. */
function stopForGood(change: Change): void {
  const { situation } = change
  const patient = situation.record.get(`Patient/${situation.patient}`)?.body as Patient | undefined
  if (!patient || patient.deceasedBoolean !== undefined || patient.deceasedDateTime) return
  const { version } = change.put(serviceShelf(situation.service.id), { ...patient, deceasedBoolean: true })
  change.audit({ action: 'update', entity: `Patient/${situation.patient}/_history/${version}` })
}

function askOnce(change: Change, about: string, reason: string, words: string): void {
  if (!change.situation.done.has(about)) change.ask({ about, reason, words })
}

const whereWords: Partial<Record<NonNullable<CustodyState['where']>, string>> = {
  'at-large':
    'The prison system says that the person is unlawfully at large. Do not contact them; speak to the community offender manager. What partners were asked is on hold.',
  immigration:
    'The person went to an immigration removal centre or was removed from the country. Find out which: support may go on from a removal centre, and what partners were asked is on hold until it is known when they leave.',
  hospital:
    'The person was moved to a hospital and is still serving. What partners were asked goes on, for the release date that stands. Find out whether that is still right.',
}

function wordsOf({ reason, code, assertion }: Doubt, assertions: readonly Assertion[]): string {
  const said = assertions.find(({ id }) => id === assertion)?.said
  const out = said?.kind === 'movement' && said.way === 'out'
  switch (reason) {
    case 'code-unknown':
      return `The prison system recorded a movement ${out ? 'out of' : 'into'} prison with a reason code we do not know (${code}). ${out ? 'Nobody was told of a release: find' : 'Find'} out what happened and record it.`
    case 'code-unsure':
      return `The person was taken into prison with reason code ${code} (${reasonIn(entering, code)?.words ?? reasonIn(leaving, code)?.words}). Confirm that it is a recall, or correct it.`
    case 'left-unexplained':
      return 'The person is no longer in prison, and nothing says why. Nobody was told of a release: find out what happened and record it.'
    case 'basis-unknown':
      return 'The person is in prison again, and nothing says why: recall, remand or sentence. Find out and record it.'
    case 'hospital-ended':
      return 'The person is no longer a restricted patient. Find out whether they are back in prison or were discharged.'
  }
}
