/**
 * The message of an override: a place for everything a record can say, so that whatever an override lists can be told, and nothing
 * else. It allows every category; what leaves is for the override alone to permit (domain/override.ts). Goes through `fill` like any other.
 */
import type {
  AllergyIntolerance,
  Appointment,
  CarePlan,
  Condition,
  Flag,
  MedicationStatement,
  Observation,
  Patient,
  Practitioner,
  PractitionerRole,
} from '@medplum/fhirtypes'
import { allCategories } from '../domain/categories.ts'
import { activityStatuses, appointmentStatuses, flagStatuses, medicationStatuses, observationStatuses } from '../fhir/codes.ts'
import { allergyClinical, conditionClinical, nhsNumber, ours, presentNotTraced, verificationStatus } from '../fhir/systems.ts'
import { defineMapping, each, from, maybe } from '../mapping.ts'

type Sections = {
  patient: Patient
  carePlan: CarePlan
  worker: Practitioner
  workerRole: PractitionerRole
  custody: Observation
  needs: Condition
  medications: MedicationStatement
  allergies: AllergyIntolerance
  flags: Flag
  findings: Observation
  appointments: Appointment
}

const may = allCategories
const listed = 'The override lists it, and says why.'
const patient = from('person.id', 'identity').reference('Patient')

export const overrideMapping = defineMapping<Sections>({
  kind: 'override',
  version: 1,
  purpose: 'Tell one recipient what a recorded override lists, without the person’s agreement.',
  purposeOfUse: ['BTG', 'THREAT', 'HLEGAL'],
  legalBasis: 'The one recorded with the override.',
  essential: [],
  never: [],
  statement: 'This was disclosed without the person’s agreement, for a recorded reason. Use it for that reason only.',
  why: {
    patient: listed,
    carePlan: listed,
    worker: listed,
    workerRole: listed,
    custody: listed,
    needs: listed,
    medications: listed,
    allergies: listed,
    flags: listed,
    findings: listed,
    appointments: listed,
  },
  message: {
    patient: {
      resourceType: 'Patient',
      id: from('person.id', 'identity').id(),
      identifier: [
        {
          extension: [{ url: verificationStatus, valueCodeableConcept: { coding: [presentNotTraced] } }],
          system: nhsNumber,
          value: maybe('person.nhsNumber', 'identity'),
        },
      ],
      name: [{ use: 'official', family: from('person.family', 'identity'), given: maybe('person.given', 'identity') }],
      birthDate: maybe('person.birthDate', 'identity'),
      gender: maybe('person.gender', 'identity'),
      telecom: [
        { system: 'phone', value: maybe('person.phone', 'contact') },
        { system: 'email', value: maybe('person.email', 'contact') },
      ],
      address: [
        {
          use: 'home',
          line: maybe('person.address.line', 'address'),
          city: maybe('person.address.city', 'address'),
          district: maybe('person.address.district', 'address'),
          postalCode: maybe('person.address.postalCode', 'address'),
          text: maybe('person.address.text', 'address'),
        },
      ],
    },
    carePlan: {
      resourceType: 'CarePlan',
      id: maybe('plan.id', 'activity').id(),
      status: 'active',
      intent: 'plan',
      subject: patient,
      activity: [
        each('activities', { may: ['activity'] }, (activity) => ({
          detail: {
            kind: 'ServiceRequest',
            code: activity.maybe('code'),
            status: activity.from('status').of(activityStatuses),
            description: activity.maybe('description'),
          },
        })),
      ],
    },
    worker: {
      resourceType: 'Practitioner',
      id: maybe('worker.practitionerId', 'worker').id(),
      name: [{ family: maybe('worker.family', 'worker'), given: maybe('worker.given', 'worker') }],
    },
    workerRole: {
      resourceType: 'PractitionerRole',
      id: maybe('worker.roleId', 'worker').id(),
      active: true,
      practitioner: maybe('worker.practitionerId', 'worker').reference('Practitioner'),
      organization: maybe('worker.service', 'worker').reference('Organization'),
      telecom: [
        { system: 'phone', value: maybe('worker.phone', 'worker') },
        { system: 'email', value: maybe('worker.email', 'worker') },
      ],
    },
    custody: {
      resourceType: 'Observation',
      id: maybe('custody.ref', 'release').id(),
      status: 'final',
      code: { coding: [{ system: ours('observation'), code: 'custody' }], text: 'Release from custody' },
      subject: patient,
      effectivePeriod: { end: maybe('custody.left', 'release') },
      component: [
        {
          code: { coding: [{ system: ours('observation'), code: 'expected-release-date' }] },
          valueDateTime: maybe('custody.releaseDate', 'release'),
        },
        {
          code: { coding: [{ system: ours('observation'), code: 'establishment' }] },
          valueCodeableConcept: { text: maybe('custody.establishment.name', 'release') },
        },
      ],
    },
    needs: each('needs', { may }, (need) => ({
      resourceType: 'Condition',
      id: need.from('ref').id(),
      clinicalStatus: { coding: [{ system: conditionClinical, code: need.maybe('status') }] },
      code: need.from('code'),
      onsetDateTime: need.maybe('onset'),
      subject: patient,
    })),
    medications: each('medications', { may }, (medicine) => ({
      resourceType: 'MedicationStatement',
      id: medicine.from('ref').id(),
      status: medicine.from('status').of(medicationStatuses),
      medicationCodeableConcept: medicine.from('medication'),
      dosage: [{ text: medicine.maybe('dosage') }],
      effectivePeriod: { end: medicine.maybe('suppliedUntil') },
      subject: patient,
    })),
    allergies: each('allergies', { may }, (allergy) => ({
      resourceType: 'AllergyIntolerance',
      id: allergy.from('ref').id(),
      clinicalStatus: { coding: [{ system: allergyClinical, code: allergy.maybe('status') }] },
      code: allergy.from('substance'),
      patient,
    })),
    flags: each('flags', { may }, (flag) => ({
      resourceType: 'Flag',
      id: flag.from('ref').id(),
      status: flag.from('status').of(flagStatuses),
      code: flag.from('code'),
      subject: patient,
    })),
    findings: each('findings', { may }, (finding) => ({
      resourceType: 'Observation',
      id: finding.from('ref').id(),
      status: finding.from('status').of(observationStatuses),
      code: finding.from('code'),
      effectiveDateTime: finding.maybe('effective'),
      valueString: finding.maybe('value.text'),
      valueCodeableConcept: finding.maybe('value.coded'),
      valueBoolean: finding.maybe('value.truth'),
      valueDateTime: finding.maybe('value.date'),
      valueQuantity: { value: finding.maybe('value.quantity.value'), unit: finding.maybe('value.quantity.unit') },
      subject: patient,
    })),
    appointments: each('meetings', { may }, (meeting) => ({
      resourceType: 'Appointment',
      id: meeting.from('ref').id(),
      status: meeting.from('status').of(appointmentStatuses),
      appointmentType: meeting.maybe('kind'),
      description: meeting.maybe('description'),
      start: meeting.maybe('start'),
      end: meeting.maybe('end'),
      participant: [{ actor: patient, status: 'accepted' }],
    })),
  },
})
