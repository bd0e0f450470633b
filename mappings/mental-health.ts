/**
 * What a community mental health team is told, so that care goes on and somebody meets the person soon after release.
 *
 * Each section says what leaves and why. The category beside a value is what the person must have agreed to share;
 * `may` lists the categories a list may carry: a fact with any other label stays, and so does a fact with no label.
 * Offences, HIV and sexual health, risk to others and therapy notes are never told. Without mental health there is nothing
 * to hand over: if the person does not agree to share it, the handover waits for their worker.
 * Source: domain/closed-loop.md C3, consent.md A3, reconnect.md A22.
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
  riskToSelf: Flag
  findings: Observation
  appointments: Appointment
}

const observation = ours('observation')
const patient = from('person.id', 'identity').reference('Patient')

export default defineMapping<Sections>({
  kind: 'mental-health',
  version: 1,
  purpose: 'Go on with mental health care on release: somebody who knows the person, medicines without a gap, an early appointment.',
  purposeOfUse: ['TREAT', 'COC'],
  legalBasis: 'UK GDPR 6(1)(e) and 9(2)(h); common law confidentiality: the person’s recorded explicit consent.',
  essential: ['mental-health'],
  never: ['offence', 'sexual-health', 'risk-to-others', 'therapy-notes'],
  statement:
    'Please offer a first appointment soon after release, and meet the person before it if you can. Tell us when the person has engaged.',
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
    custody:
      'So that the team knows when to meet the person, before release where it can; prison mental health staff are at the establishment.',
    needs: 'What care is for, and what it has to take into account.',
    medications: 'No gap in medicines that keep the person well.',
    allergies: 'Safe prescribing.',
    flags: 'So that appointments can be kept: what to do differently for this person.',
    riskToSelf: 'Leaving custody is a time of danger: the team has to know what the person may do to themselves.',
    findings: 'What was found about mental health and risk to self, wellbeing scores among it: so that it is not asked again.',
    appointments: 'Which appointments are made or asked for.',
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
    // When the person is released, how sure that is, and from where: the prison mental health team is there. Never why they were held.
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
    // Mental health, and what care has to take into account.
    needs: each(
      'needs',
      { may: ['mental-health', 'physical-health', 'medication', 'neurodiversity', 'substance-misuse', 'adjustments'] },
      (need) => ({
        resourceType: 'Condition',
        id: need.from('ref').id(),
        clinicalStatus: { coding: [{ system: conditionClinical, code: need.maybe('status') }] },
        code: need.from('code'),
        onsetDateTime: need.maybe('onset'),
        subject: patient,
      }),
    ),
    // Medicines with dose and end of supply.
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
    flags: each('flags', { may: ['adjustments', 'neurodiversity', 'physical-health', 'mental-health'] }, (flag) => ({
      resourceType: 'Flag',
      id: flag.from('ref').id(),
      status: flag.from('status').of(flagStatuses),
      code: flag.from('code'),
      subject: patient,
    })),
    // Risk to self: suicide, self-harm.
    riskToSelf: each('flags', { may: ['risk-to-self', 'mental-health'], only: { labelled: ['risk-to-self'] } }, (flag) => ({
      resourceType: 'Flag',
      id: flag.from('ref').id(),
      status: flag.from('status').of(flagStatuses),
      code: flag.from('code'),
      subject: patient,
    })),
    // What was found about mental health and risk to self.
    findings: each('findings', { may: ['mental-health', 'risk-to-self'] }, (finding) => ({
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
    appointments: each('meetings', { may: ['appointments', 'mental-health'] }, (meeting) => ({
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
