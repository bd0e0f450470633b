/**
 * Who a resource is about, and references that point inside the same Bundle.
 */
import type { Resource } from '@medplum/fhirtypes'

type Referring = { reference?: string }

/** Id of the Patient a resource is about; undefined for workers, organisations and the like. */
export function patientOf(resource: Resource): string | undefined {
  if (resource.resourceType === 'Patient') return resource.id
  if (resource.resourceType === 'Appointment') return resource.participant.map(({ actor }) => patientIn(actor)).find(Boolean)
  const about = resource as { subject?: Referring; patient?: Referring; for?: Referring; target?: Referring[] }
  return patientIn(about.subject) ?? patientIn(about.patient) ?? patientIn(about.for) ?? patientIn(about.target?.[0])
}

const patientIn = (to: Referring | undefined): string | undefined => to?.reference?.match(/^Patient\/([A-Za-z0-9.-]{1,64})$/)?.[1]

/** Types that are about nobody in particular. Everything else has to say whom it is about. */
export const aboutNobody = new Set([
  'Practitioner',
  'PractitionerRole',
  'Organization',
  'HealthcareService',
  'Location',
  'Questionnaire',
  'Medication',
  'Device',
  'Schedule',
  'Slot',
])

/**
 * The same resource with every reference through `to`; references it does not know stay as they were told.
 */
export function rewriteReferences<T>(node: T, to: (reference: string) => string | undefined): T {
  if (Array.isArray(node)) return node.map((part) => rewriteReferences(part, to)) as T
  if (typeof node !== 'object' || node === null) return node
  const copy: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(node)) {
    copy[key] = key === 'reference' && typeof value === 'string' ? (to(value) ?? value) : rewriteReferences(value, to)
  }
  return copy as T
}
