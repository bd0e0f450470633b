/**
 * What an HMPPS event does to the record of one person it is about: what it says of custody is kept, numbers that belong together are
 * recorded, and what it may not decide is asked of a person. The same for an event that just came and for one that waited for somebody
 * nobody here knew yet (unseen.ts).
 */
import type { Patient } from '@medplum/fhirtypes'
import type { HmppsEvent } from '../domain/hmpps-event.ts'
import type { PersonNumbers } from '../domain/hmpps-rules.ts'
import { crn, hmppsIdentifier, nomsNumber } from '../fhir/systems.ts'
import type { Statement } from '../store/database.ts'
import { newId } from '../store/random.ts'
import { openWorkItem } from '../store/work-items.ts'
import type { Change } from './change.ts'
import { keepAssertion } from './custody.ts'
import { type Situation, serviceShelf } from './situation.ts'

/** @returns the work items that go with it, for the same commit */
export function follow(change: Change, event: HmppsEvent): Statement[] {
  const { situation } = change
  const asked = questionsOf(event, situation)
  if (event.says) keepAssertion(change, { source: event.says.source, at: event.occurredAt, said: event.says.said })
  if (event.identities && !event.identities.moved) addNumbers(change, event.identities.joined, event.identities.removed)
  const { service, patient, now } = situation
  return asked.map(({ about, words }) =>
    openWorkItem({
      id: newId(),
      service: service.id,
      patient,
      about: `hmpps:${about}`,
      reason: `hmpps-${about}`,
      words,
      openedAt: now.toISOString(),
    }),
  )
}

/** Something is to be looked up. @param asks there is somewhere to ask */
export const wantsLook = ({ fetch }: HmppsEvent, asks: boolean): boolean => fetch === 'needed' || (fetch === 'also' && asks)

/** Every number of whoever it is about, with its system. */
export function numbersOf({ person, identities, hmppsId }: HmppsEvent): string[] {
  const noms = [...person.noms, ...(identities?.joined.noms ?? [])]
  const crns = [...person.crn, ...(identities?.joined.crn ?? [])]
  return [
    ...new Set([...tokensOf({ noms, crn: crns }), ...(hmppsId && !noms.length && !crns.length ? [`${hmppsIdentifier}|${hmppsId}`] : [])]),
  ]
}

const tokensOf = ({ noms, crn: crns }: PersonNumbers): string[] => [
  ...noms.map((value) => `${nomsNumber}|${value}`),
  ...crns.map((value) => `${crn}|${value}`),
]

/** The numbers a record is found by when an event comes; old ones too. */
export const numbersOn = ({ identifier = [] }: Patient): string[] =>
  identifier.flatMap(({ system, value }) =>
    value && (system === nomsNumber || system === crn || system === hmppsIdentifier) ? [`${system}|${value.trim().toUpperCase()}`] : [],
  )

/**
 * Numbers that belong to one person, on the record of whoever has one of them: a number of a kind the record lacks, or the one that took
 * its place. Two records that come to share a number are proposed for merging as any others are (alike.ts), never joined by an event.
 */
export function addNumbers(change: Change, joined: PersonNumbers, removed: string | undefined): void {
  const { situation } = change
  const patient = patientOf(situation)
  if (!patient) return
  const identifier = [...(patient.identifier ?? [])].map((one) =>
    removed !== undefined && one.value === removed && (one.system === nomsNumber || one.system === crn)
      ? { ...one, use: 'old' as const }
      : one,
  )
  for (const [system, values] of kindsOf(joined)) {
    const { has, fresh } = compared(patient, system, values, removed)
    const [value] = fresh
    if (value === undefined || fresh.length > 1) continue
    // Of two records that became one here, a number of before leads on to the one that took its place there.
    const replaces = identifier.some((one) => one.system === system && one.value === removed)
    if (has.every((one) => one === removed)) identifier.unshift({ system, value })
    else if (replaces) identifier.push({ system, value, use: 'old' })
  }
  if (JSON.stringify(identifier) === JSON.stringify(patient.identifier ?? [])) return
  const { version } = change.put(serviceShelf(situation.service.id), { ...patient, identifier })
  change.audit({ action: 'update', entity: `Patient/${situation.patient}/_history/${version}` })
}

const kindsOf = ({ noms, crn: crns }: PersonNumbers) =>
  [
    [nomsNumber, noms],
    [crn, crns],
  ] as const

/** `has`: in use on the record; `fresh`: said now, and neither there nor gone. */
function compared({ identifier = [] }: Patient, system: string, values: readonly string[], removed: string | undefined) {
  const all = identifier.filter((one) => one.system === system)
  const has = all.flatMap(({ value, use }) => (value && use !== 'old' ? [value] : []))
  const fresh = values.filter((value) => value !== removed && !all.some((one) => one.value === value))
  return { has, fresh }
}

const patientOf = ({ record, patient }: Situation): Patient | undefined => record.get(`Patient/${patient}`)?.body as Patient | undefined

function questionsOf({ ask, identities }: HmppsEvent, situation: Situation): { about: string; words: string }[] {
  const asked = ask ? [ask] : []
  const patient = patientOf(situation)
  if (!identities || identities.moved || !patient) return asked
  const contradicts = kindsOf(identities.joined).some(([system, values]) => {
    const { has, fresh } = compared(patient, system, values, identities.removed)
    return fresh.length > 0 && has.some((value) => value !== identities.removed)
  })
  if (!contradicts) return asked
  const words =
    'HMPPS gives this person another prison number or CRN than this record has. Nothing was changed: find out which is right, and whether the record is of one person.'
  return [...asked, { about: 'identity', words }]
}
