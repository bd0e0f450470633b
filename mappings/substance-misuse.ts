/**
 * What a community drug and alcohol team is told, so that treatment goes on and a first appointment comes within three weeks.
 *
 * Each section says what leaves and why. The category beside a value is what the person must have agreed to share;
 * `may` lists the categories a list may carry: a fact with any other label stays, and so does a fact with no label.
 * Offences, HIV and sexual health, risk to others and therapy notes are never told. Without substance misuse there is nothing
 * to hand over: if the person does not agree to share it, the handover waits for their worker.
 * Source: domain/closed-loop.md C3, substance-misuse.md 4 and 5.
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
import { activityStatuses, appointmentStatuses, flagStatuses, medicationStatuses, observationStatuses } from '../src/fhir/codes.ts'
import {
  allergyClinical,
  conditionClinical,
  interpreterRequired,
  medicationStatementId,
  nhsNumber,
  ours,
  presentNotTraced,
  verificationStatus,
} from '../src/fhir/systems.ts'
import { defineMapping, each, from, maybe } from '../src/mapping.ts'

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
  overdoseRisk: Flag
  treatment: Observation
  appointments: Appointment
}

const observation = ours('observation')
const patient = from('person.id', 'identity').reference('Patient')

export default defineMapping<Sections>({
  kind: 'substance-misuse',
  version: 2,
  purpose: 'Go on with drug or alcohol treatment on release: same medicine, no missed dose, an appointment within three weeks.',
  purposeOfUse: ['TREAT', 'COC'],
  legalBasis: 'UK GDPR 6(1)(e) and 9(2)(h); common law confidentiality: the person’s recorded explicit consent.',
  essential: ['substance-misuse'],
  never: ['offence', 'sexual-health', 'risk-to-others', 'therapy-notes'],
  statement:
    'Please offer a first appointment within three weeks of release, on the day of release if you can, and tell us when the person has engaged.',
  why: {
    patient: 'So that the partner knows who the person is.',
    'patient.telecom': 'So that the partner can reach the person, where the person agreed to it.',
    'patient.address': 'Where the person can be found or written to after release.',
    'patient.communication': 'So that nobody is spoken to in a language they do not understand.',
    'patient.extension': 'So that an interpreter is there when one is needed.',
    worker: 'Whom to speak to, instead of asking the person to tell their story again.',
    workerRole: 'How to reach the named worker at work.',
    'patient.identifier': 'So that the right record is found.',
    carePlan: 'What the team is asked to do, in the words of the plan.',
    custody: 'The first appointment is to be within three weeks of release; the prison treatment team is at the establishment.',
    needs: 'What treatment is for, and what it has to take into account.',
    medications: 'The same medicine, no missed dose.',
    allergies: 'Safe prescribing.',
    flags: 'So that appointments can be kept: what to do differently for this person.',
    overdoseRisk: 'The first weeks after release are the most dangerous: the team has to know who is at risk of overdose.',
    treatment: 'Treatment so far: substitution and how it is dispensed, last dose, naloxone given, overdoses.',
    appointments: 'Which appointments are made or asked for, so that the first one is within three weeks.',
  },
  message: {
    // Who is referred and how to reach them. All but the family name is told only if known. No prison number.
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
      communication: [{ language: { coding: [{ system: 'urn:ietf:bcp:47', code: maybe('person.language', 'adjustments') }] } }],
      extension: [{ url: interpreterRequired, valueBoolean: maybe('person.interpreterNeeded', 'adjustments') }],
    },
    // What the team is asked to do, in the words of the plan. Only its own activity.
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
    // Whom to speak to. A name, a phone number and an e-mail address at work.
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
    // When the person is released, how sure that is, and from where: the prison treatment team is there. Never why they were held.
    custody: {
      resourceType: 'Observation',
      id: maybe('custody.ref', 'release').id(),
      status: 'final',
      code: { coding: [{ system: observation, code: 'custody' }], text: 'Release from custody' },
      subject: patient,
      effectivePeriod: { end: maybe('custody.left', 'release') },
      component: [
        {
          code: { coding: [{ system: observation, code: 'expected-release-date' }] },
          valueDateTime: maybe('custody.releaseDate', 'release'),
        },
        {
          code: { coding: [{ system: observation, code: 'release-date-confirmed' }] },
          valueBoolean: maybe('custody.releaseDateConfirmed', 'release'),
        },
        {
          code: { coding: [{ system: observation, code: 'establishment' }] },
          valueCodeableConcept: {
            coding: [{ system: ours('prison'), code: maybe('custody.establishment.code', 'release') }],
            text: maybe('custody.establishment.name', 'release'),
          },
        },
      ],
    },
    // Substance misuse, and what treatment has to take into account.
    needs: each(
      'needs',
      { may: ['substance-misuse', 'physical-health', 'medication', 'mental-health', 'neurodiversity', 'adjustments'] },
      (need) => ({
        resourceType: 'Condition',
        id: need.from('ref').id(),
        clinicalStatus: { coding: [{ system: conditionClinical, code: need.maybe('status') }] },
        code: need.from('code'),
        onsetDateTime: need.maybe('onset'),
        subject: patient,
      }),
    ),
    // Medicines with dose and end of supply, opioid substitution among them.
    medications: each(
      'medications',
      { may: ['medication', 'substance-misuse', 'physical-health', 'mental-health', 'neurodiversity'] },
      (medicine) => ({
        resourceType: 'MedicationStatement',
        id: medicine.from('ref').id(),
        identifier: [{ system: medicationStatementId, value: medicine.from('ref').id() }],
        status: medicine.from('status').of(medicationStatuses),
        medicationCodeableConcept: medicine.from('medication'),
        dosage: [{ text: medicine.maybe('dosage') }],
        effectivePeriod: { end: medicine.maybe('suppliedUntil') },
        subject: patient,
      }),
    ),
    // Allergies, for safe prescribing.
    allergies: each('allergies', { may: ['allergies', 'medication', 'physical-health'] }, (allergy) => ({
      resourceType: 'AllergyIntolerance',
      id: allergy.from('ref').id(),
      clinicalStatus: { coding: [{ system: allergyClinical, code: allergy.maybe('status') }] },
      code: allergy.from('substance'),
      patient,
    })),
    // What the team should do differently for this person.
    flags: each('flags', { may: ['adjustments', 'neurodiversity', 'physical-health', 'mental-health', 'substance-misuse'] }, (flag) => ({
      resourceType: 'Flag',
      id: flag.from('ref').id(),
      status: flag.from('status').of(flagStatuses),
      code: flag.from('code'),
      subject: patient,
    })),
    // Risk of overdose: a risk to self that is also labelled substance misuse. Other risks to self stay.
    overdoseRisk: each(
      'flags',
      {
        may: ['risk-to-self', 'substance-misuse'],
        only: { labelled: ['risk-to-self', 'substance-misuse'] },
      },
      (flag) => ({
        resourceType: 'Flag',
        id: flag.from('ref').id(),
        status: flag.from('status').of(flagStatuses),
        code: flag.from('code'),
        subject: patient,
      }),
    ),
    // Treatment so far: substitution and how it is dispensed, last dose, naloxone given, overdoses.
    treatment: each('findings', { may: ['substance-misuse', 'medication'] }, (finding) => ({
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
    // Appointments that are made or asked for.
    appointments: each('meetings', { may: ['appointments', 'substance-misuse'] }, (meeting) => ({
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
