/**
 * The facts of a record, each with where it stands and how it is labelled. Only these lists carry what a partner may be told about
 * a person's health and life; a fact about nothing we know is kept in its list with no category, and told to nobody.
 */
import type { Appointment, CodeableConcept, MedicationRequest, MedicationStatement, Observation, Resource } from '@medplum/fhirtypes'
import { ours } from '../fhir/systems.ts'
import { londonDate } from './calendar.ts'
import type { Case, FactList, Finding, Medication, Meeting, Source } from './case.ts'
import { hasLabel, sourceOf as labelsOf } from './labels.ts'
import { codeIn, given, type Index, namedIn, ofType } from './resources.ts'

/** @param own resources of one person, none entered in error */
export function factsOf(own: readonly Resource[], index: Index): Pick<Case, FactList> {
  // The clinic of an appointment, whoever prescribed: who they are says as much as the fact itself.
  const sourceOf = (resource: Resource) => labelsOf(resource, { also: namedIn(resource, index) })
  return {
    needs: ofType(own, 'Condition')
      .filter(({ verificationStatus }) => !unfounded(verificationStatus))
      .map((condition) => ({
        ...sourceOf(condition),
        code: condition.code ?? {},
        ...given('status', condition.clinicalStatus?.coding?.[0]?.code),
        ...given('onset', condition.onsetDateTime),
      })),
    medications: [...ofType(own, 'MedicationStatement'), ...ofType(own, 'MedicationRequest')].map((each) => ({
      ...sourceOf(each),
      ...medicationOf(each, index),
    })),
    allergies: ofType(own, 'AllergyIntolerance')
      .filter(({ verificationStatus }) => !unfounded(verificationStatus))
      .map((allergy) => ({
        ...sourceOf(allergy),
        substance: allergy.code ?? allergy.reaction?.[0]?.substance ?? {},
        ...given('status', allergy.clinicalStatus?.coding?.[0]?.code),
      })),
    flags: ofType(own, 'Flag').map((flag) => ({ ...sourceOf(flag), code: flag.code, status: flag.status })),
    findings: ofType(own, 'Observation')
      .filter((observation) => !isCustody(observation) && !isCustodyEvent(observation))
      .map((each) => ({ ...sourceOf(each), ...findingOf(each) })),
    meetings: ofType(own, 'Appointment').map((each) => ({ ...sourceOf(each), ...meetingOf(each) })),
  }
}

/** What a fact says, without where it stands and how it is labelled. */
type Unlabelled<T> = Omit<T, keyof Source>

/** Custody is an Observation of its own kind: the case has a place for it. */
export const isCustody = ({ code }: Observation): boolean => codeIn(code, ours('observation')) === 'custody'

/** What somebody said happened in custody (custody.ts): history, and no fact to tell anybody by itself. */
export const isCustodyEvent = ({ code }: Observation): boolean => codeIn(code, ours('observation')) === 'custody-event'

const unfounded = (verification: CodeableConcept | undefined): boolean =>
  verification?.coding?.some(({ code }) => code === 'entered-in-error' || code === 'refuted') === true

function medicationOf(resource: MedicationStatement | MedicationRequest, index: Index): Unlabelled<Medication> {
  const { medicationCodeableConcept, medicationReference } = resource
  const inside = resource.contained?.find(({ id }) => `#${id}` === medicationReference?.reference)
  const referred = inside ?? index.get(medicationReference?.reference)
  const medication = referred?.resourceType === 'Medication' ? referred : undefined
  const dosage = resource.resourceType === 'MedicationStatement' ? resource.dosage : resource.dosageInstruction
  const until =
    resource.resourceType === 'MedicationStatement' ? resource.effectivePeriod?.end : resource.dispenseRequest?.validityPeriod?.end
  return {
    medication: medicationCodeableConcept ?? medication?.code ?? { ...given('text', medicationReference?.display) },
    status: resource.status ?? 'unknown',
    ...given('dosage', dosage?.[0]?.text),
    ...given('suppliedUntil', londonDate(until)),
  }
}

function findingOf(observation: Observation): Unlabelled<Finding> {
  const { code, status, effectiveDateTime, effectivePeriod } = observation
  const effective = londonDate(effectiveDateTime ?? effectivePeriod?.start)
  return { code, status, ...given('effective', effective), value: foundIn(observation) }
}

/** What was found, in one of its forms; nothing when the code says it all, or the form is none of ours. */
function foundIn({
  valueString,
  valueCodeableConcept,
  valueBoolean,
  valueDateTime,
  valueInteger,
  valueQuantity,
}: Observation): Finding['value'] {
  if (valueString !== undefined) return { text: valueString }
  if (valueCodeableConcept) return { coded: valueCodeableConcept }
  if (valueBoolean !== undefined) return { truth: valueBoolean }
  if (valueDateTime !== undefined) return { date: valueDateTime }
  if (valueInteger !== undefined) return { quantity: { value: valueInteger } }
  const { value, unit, comparator } = valueQuantity ?? {}
  if (value === undefined) return {}
  // "less than 5" without its "less than" would be another finding
  return comparator ? { text: [comparator, value, unit].filter(Boolean).join(' ') } : { quantity: { value, ...given('unit', unit) } }
}

/** Its times are told as an appointment's; its words are free text, and only what somebody labelled. */
function meetingOf(appointment: Appointment): Unlabelled<Meeting> {
  const words = hasLabel(appointment)
  return {
    status: appointment.status,
    ...given('start', appointment.start),
    ...given('end', appointment.end),
    ...given('description', words ? appointment.description : undefined),
    ...given('kind', words ? (appointment.serviceType?.[0] ?? appointment.appointmentType) : undefined),
  }
}
