/**
 * Contacts of the RECONNECT team with a person: two are offered before release, face to face unless there is a reason. What was offered
 * and what took place are counted apart, and what could not be done says why.
 *
 * A contact is an Encounter or an Appointment with a code of `BASE/CodeSystem/contact-modality` (Encounter.type, Appointment.serviceType).
 *
 * @see domain/reconnect.md 3.4 (C1-C3)
 */
import type { Appointment, CodeableConcept, Encounter, Resource } from '@medplum/fhirtypes'
import { ours } from '../fhir/systems.ts'
import { addWorkingDays, londonDate } from './calendar.ts'
import { pace } from './pace.ts'
import { given, ofType } from './resources.ts'

export type Modality = 'face-to-face' | 'virtual' | 'telephone'
export type Contact = {
  modality: Modality
  /** London date, where it has one. */
  on?: string
  tookPlace: boolean
  /** Why it was not face to face. */
  reason?: string
}

/** @param own resources of one person, none entered in error */
export function contactsOf(own: readonly Resource[]): Contact[] {
  const encounters = ofType(own, 'Encounter')
  const kept = new Set(encounters.flatMap(({ appointment = [] }) => appointment.map(({ reference }) => reference)))
  // An appointment that was kept is one contact, not two.
  const appointments = ofType(own, 'Appointment').filter(({ id }) => !kept.has(`Appointment/${id}`))
  return [...encounters.flatMap(encountered), ...appointments.flatMap(appointed)]
}

function encountered({ type, status, period, reasonCode }: Encounter): Contact[] {
  const modality = modalityIn(type)
  if (!modality) return []
  const tookPlace = /^(arrived|triaged|in-progress|onleave|finished)$/.test(status)
  return [{ modality, tookPlace, ...given('on', londonDate(period?.start)), ...given('reason', reasonIn(reasonCode)) }]
}

function appointed({ serviceType, status, start, reasonCode }: Appointment): Contact[] {
  const modality = modalityIn(serviceType)
  if (!modality) return []
  const tookPlace = /^(fulfilled|arrived|checked-in)$/.test(status)
  return [{ modality, tookPlace, ...given('on', londonDate(start)), ...given('reason', reasonIn(reasonCode)) }]
}

function modalityIn(concepts: readonly CodeableConcept[] | undefined): Modality | undefined {
  const codes = (concepts ?? []).flatMap(({ coding = [] }) => coding.filter(({ system }) => system === ours('contact-modality')))
  return codes.map(({ code }) => code).find((code) => code === 'face-to-face' || code === 'virtual' || code === 'telephone')
}

const reasonIn = (concepts: readonly CodeableConcept[] | undefined): string | undefined =>
  concepts?.map(({ text, coding }) => text?.trim() || coding?.[0]?.display || coding?.[0]?.code).find(Boolean)

/** How many are offered before release (C1). */
export const contactsToOffer = 2

export type Offered = {
  /** `not-applicable`: referred after release. `not-achievable`: there was no time, whoever is to blame. */
  state: 'met' | 'short' | 'not-applicable' | 'not-achievable'
  offered: number
  tookPlace: number
  words: string
}

/**
 * @param referredOn London date; `release` the day the person left, else the day that is expected; absent: not known
 * @param expected the day that was expected of somebody who has left
 * @param since the day the person came back into custody: what was offered before an earlier release does not count for this one
 */
export function offeredBefore(given: {
  contacts: readonly Contact[]
  referredOn?: string
  since?: string
  release?: string
  left?: boolean
  expected?: string
}): Offered {
  const { since, release, left, expected } = given
  const referredOn = since ?? given.referredOn
  const before = given.contacts.filter(({ on }) => (on ? (!release || on <= release) && (!since || on >= since) : !since))
  const offered = before.length
  const tookPlace = before.filter((one) => one.tookPlace).length
  const said = (state: Offered['state'], words: string): Offered => ({ state, offered, tookPlace, words })
  // One that was not face to face counts when somebody says why (C2).
  if (before.filter(({ modality, reason }) => modality === 'face-to-face' || reason).length >= contactsToOffer)
    return said('met', 'Two contacts before release were offered.')
  if (referredOn && release && left && referredOn >= release) return said('not-applicable', 'Referred after release.')
  if (referredOn && release && release < addWorkingDays(referredOn, pace.shortNoticeWorkingDays))
    return said('not-achievable', 'Referred less than five working days before release.')
  if (left && (!expected || (release && expected > release))) return said('not-achievable', 'Released at short notice.')
  return offered >= contactsToOffer
    ? said('short', 'Two contacts were offered, one of them not face to face, and nothing says why.')
    : said('short', `${offered === 0 ? 'No contact' : 'One contact'} before release was offered; it should be two.`)
}
