/**
 * What a referral is, and when one from outside is complete enough to keep: it names a person and a reason (CONTRACT.md 4). Everything else
 * that is missing is asked for later, never a refusal.
 */
import type { Resource, ServiceRequest } from '@medplum/fhirtypes'
import { messageCategory } from '../fhir/systems.ts'
import { ofType } from './resources.ts'

/** A ServiceRequest that says so: a record may hold requests of other kinds too. */
export const isReferral = ({ category }: ServiceRequest): boolean =>
  category?.some(({ coding }) => coding?.some(({ system, code }) => system === messageCategory && code === 'referral')) === true

export type NotEnough = { what: 'person' | 'reason'; words: string; expression: string }

/** What keeps a referral from being kept. Empty: keep it. */
export function notEnough(resources: readonly Resource[]): NotEnough[] {
  const lacking: NotEnough[] = []
  if (!namesPerson(resources))
    lacking.push({ what: 'person', words: 'A referral names a person: Patient.name is missing.', expression: 'Patient.name' })
  if (!namesReason(resources)) {
    const words = 'A referral names a reason: ServiceRequest.reasonCode or reasonReference, or a Condition or another finding.'
    lacking.push({ what: 'reason', words, expression: 'ServiceRequest.reasonCode' })
  }
  return lacking
}

const namesPerson = (resources: readonly Resource[]): boolean =>
  ofType(resources, 'Patient').some(({ name }) => name?.some(({ family, text }) => family?.trim() || text?.trim()))

/** Resources that say by being there what the matter is. Urgent-care messages often carry nothing else. */
const telling: ReadonlySet<string> = new Set([
  'Condition',
  'Observation',
  'Flag',
  'AllergyIntolerance',
  'MedicationStatement',
  'MedicationRequest',
  'QuestionnaireResponse',
])

const namesReason = (resources: readonly Resource[]): boolean =>
  resources.some(({ resourceType }) => telling.has(resourceType)) ||
  ofType(resources, 'ServiceRequest').some(
    ({ reasonCode, reasonReference }) =>
      reasonCode?.some(({ text, coding }) => text?.trim() || coding?.some(({ code }) => code)) ||
      reasonReference?.some(({ reference, identifier, display }) => reference || identifier || display),
  )
