/**
 * Whose word a record stands on: who agreed, who asked for help for somebody, who said when the person is released.
 *
 * @see domain/consent.md B7
 */
import type { Observation, Resource, ServiceRequest } from '@medplum/fhirtypes'
import { ours } from '../fhir/systems.ts'
import { codeIn } from './resources.ts'

/**
 * @param referrerType how the directory calls whoever handed it in (`BASE/CodeSystem/referrer-type`)
 * @returns a reference of the record; 'prison/DMI' where only the establishment is named, 'referrer-type/friend-family' where only that it
 *   was one of them is; undefined where nobody is
 */
export function informantOf(resource: Resource, referrerType?: string): string | undefined {
  switch (resource.resourceType) {
    case 'Consent':
      return resource.performer?.[0]?.reference ?? resource.patient?.reference
    case 'ServiceRequest':
      return referredBy(resource, referrerType)
    case 'Observation':
      return codeIn(resource.code, ours('observation')) === 'custody' ? saidBy(resource) : undefined
    default:
      return undefined
  }
}

/** The family or the person: a referral from an organisation is that organisation's own word. */
function referredBy({ requester, subject }: ServiceRequest, referrerType: string | undefined): string | undefined {
  const by = requester?.reference
  if (by && /^(RelatedPerson|Patient)\//.test(by)) return by
  if (referrerType === 'self') return subject?.reference
  return referrerType === 'friend-family' ? `referrer-type/${referrerType}` : undefined
}

/** A release date is the word of a prison, of probation or of whoever is named. */
function saidBy({ performer, component }: Observation): string | undefined {
  const named = performer?.find(({ reference }) => reference)?.reference
  if (named) return named
  const establishment = component?.find(({ code }) => codeIn(code, ours('observation')) === 'establishment')?.valueCodeableConcept
  const prison = codeIn(establishment, ours('prison'))
  return prison && `prison/${prison}`
}
