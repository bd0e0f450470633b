/**
 * The NHS number of a Patient on its way in: refused with a wrong check digit when a record is written, kept as told but marked
 * as not traced in a referral from outside (CONTRACT.md 4).
 */
import type { Identifier, Patient, Resource } from '@medplum/fhirtypes'
import { nhsNumberValid } from '../domain/nhs-number.ts'
import type { Issue } from '../fhir/outcome.ts'
import { nhsNumber, verificationStatus, verificationStatusEngland } from '../fhir/systems.ts'
import { resourcesOf, type Situation } from './situation.ts'

const isWrong = (identifier: Identifier): boolean => identifier.system === nhsNumber && !nhsNumberValid(identifier.value ?? '')

/** One issue for each NHS number whose check digit is wrong. */
export function wrongNhsNumbers(resource: Resource, at: string): Issue[] {
  if (resource.resourceType !== 'Patient') return []
  return (resource.identifier ?? []).flatMap((identifier, index) =>
    isWrong(identifier)
      ? [
          {
            code: 'value',
            text: 'This is not an NHS number: the check digit is wrong.',
            expression: `${at}.identifier[${index}].value`,
          } as const,
        ]
      : [],
  )
}

/** 03: trace required (UK Core, England). */
const notTraced = {
  url: verificationStatus,
  valueCodeableConcept: { coding: [{ system: verificationStatusEngland, code: '03', display: 'Trace required' }] },
}

/** A Patient as a referrer told it: a number that can not be right is marked, never matched and never told on. */
export function markUntraced(patient: Patient): Patient {
  if (!patient.identifier?.some(isWrong)) return patient
  return {
    ...patient,
    identifier: patient.identifier.map((identifier) => (isWrong(identifier) ? { ...identifier, extension: [notTraced] } : identifier)),
  }
}

export const hasUntracedNhsNumber = (situation: Situation): boolean =>
  resourcesOf(situation.record).some((resource) => resource.resourceType === 'Patient' && resource.identifier?.some(isWrong))
