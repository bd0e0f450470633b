/**
 * The numbers of a Patient on their way in: a wrong form, or an NHS number with a wrong check digit, is refused when a record is
 * written, and kept as told in a referral from outside; there such an NHS number is marked as not traced (CONTRACT.md 4).
 */
import type { Identifier, Patient, Resource } from '@medplum/fhirtypes'
import { identifierRule, standingOf } from '../domain/identifiers.ts'
import type { Issue } from '../fhir/outcome.ts'
import { nhsNumber, verificationStatus, verificationStatusEngland } from '../fhir/systems.ts'
import type { Change } from './change.ts'
import { resourcesOf, type Situation } from './situation.ts'

const numbersOf = (resource: Resource): Identifier[] => (resource.resourceType === 'Patient' ? (resource.identifier ?? []) : [])
const stands = ({ system, value }: Identifier) => standingOf(system, value ?? '')
const isWrong = (identifier: Identifier): boolean =>
  identifierRule(identifier.system)?.system === nhsNumber && stands(identifier) === 'wrong'

/** One issue for each number that can not be one of its kind. */
export const wrongNumbers = (resource: Resource, at: string): Issue[] =>
  numbersOf(resource).flatMap((identifier, index) =>
    stands(identifier) === 'wrong'
      ? [
          {
            code: 'value',
            text: identifierRule(identifier.system)?.wrong as string,
            expression: `${at}.identifier[${index}].value`,
          } as const,
        ]
      : [],
  )

/** What is worth another look and no reason to refuse: a check letter that does not fit. */
export const doubtfulNumbers = (resource: Resource, at: string): Issue[] =>
  numbersOf(resource).flatMap((identifier, index) =>
    stands(identifier) === 'doubtful'
      ? [
          {
            code: 'informational',
            severity: 'information',
            text: `The check letter of the ${identifierRule(identifier.system)?.words} does not fit: it may be mistyped. It is kept as it is.`,
            expression: `${at}.identifier[${index}].value`,
          } as const,
        ]
      : [],
  )

/** A person compares the number with where it came from. Part of the plan step. */
export function askAboutNumbers(change: Change): void {
  const { situation } = change
  const patient = situation.record.get(`Patient/${situation.patient}`)?.body
  const some = patient ? numbersOf(patient).filter((one) => stands(one) === 'doubtful') : []
  if (!some.length) return
  const which = [...new Set(some.map(({ system }) => identifierRule(system)?.words))].sort().join(' and ')
  const words = `The check letter of the ${which} does not fit: it may be mistyped. Compare it with where it came from. Nothing waits for it.`
  change.ask({ about: `number-doubtful:${situation.patient}`, reason: 'number-doubtful', words })
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
