/**
 * What an Enhanced RECONNECT team is told: the whole plan, risk included, because it takes on people with the highest needs.
 *
 * Each section says what leaves and why. The category beside a value is what the person must have agreed to share;
 * `may` lists the categories a list may carry: a fact with any other label stays, and so does a fact with no label.
 * Therapy notes are never told. Of offences and supervision only the MAPPA level is told.
 * Source: domain/closed-loop.md C3, service-facts.md 1.2.
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
  crn,
  interpreterRequired,
  medicationStatementId,
  nhsNumber,
  nomsNumber,
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
  findings: Observation
  mappa: Observation
  appointments: Appointment
}

const observation = ours('observation')
/** The whole plan, for each list: everything but offences and therapy notes. */
const wholePlan = [
  'accommodation',
  'adjustments',
  'practical',
  'physical-health',
  'neurodiversity',
  'mental-health',
  'substance-misuse',
  'sexual-health',
  'abuse',
  'risk-to-self',
  'risk-to-others',
  'safeguarding',
] as const
const patient = from('person.id', 'identity').reference('Patient')

export default defineMapping<Sections>({
  kind: 'enhanced-reconnect',
  version: 2,
  purpose: 'Plan care and safety together for a person whose needs or risks are beyond what RECONNECT can hold alone.',
  purposeOfUse: ['TREAT', 'COC'],
  legalBasis:
    'UK GDPR 6(1)(e) and 9(2)(h); common law confidentiality: the person’s recorded explicit consent. MAPPA level: UK GDPR Article 10 with a condition of DPA 2018 Schedule 1.',
  essential: [],
  never: ['therapy-notes'],
  statement: 'Please tell us whether you take this person on. Until you do, RECONNECT stays responsible.',
  why: {
    patient: 'So that the partner knows who the person is.',
    'patient.telecom': 'So that the partner can reach the person, where the person agreed to it.',
    'patient.address': 'Where the person can be found or written to after release.',
    'patient.communication': 'So that nobody is spoken to in a language they do not understand.',
    'patient.extension': 'So that an interpreter is there when one is needed.',
    worker: 'Whom to speak to, instead of asking the person to tell their story again.',
    workerRole: 'How to reach the named worker at work.',
    'patient.identifier': 'Every number a joint plan needs.',
    carePlan: 'What the team is asked to do, in the words of the plan.',
    custody: 'When work with the person has to begin, and where.',
    needs: 'The whole picture: this team takes on people whose needs are beyond what RECONNECT can hold alone.',
    medications: 'What has to go on without a gap, and what keeps the person well.',
    allergies: 'Safe prescribing.',
    flags: 'Adjustments, safeguarding and risks: for a plan that is safe for the person and for those around them.',
    findings: 'What was found, the risk summary among it: so that it is not asked again.',
    mappa: 'The level at which risk is managed together with others: it says who has to be at the table.',
    appointments: 'What is planned and what was, so that plans do not collide.',
  },
  message: {
    // Who is referred, by every number a joint plan needs, and how to reach them.
    patient: {
      resourceType: 'Patient',
      id: from('person.id', 'identity').id(),
      identifier: [
        {
          extension: [{ url: verificationStatus, valueCodeableConcept: { coding: [presentNotTraced] } }],
          system: nhsNumber,
          value: maybe('person.nhsNumber', 'identity'),
        },
        { system: nomsNumber, value: maybe('person.nomsNumber', 'identity') },
        { system: crn, value: maybe('person.crn', 'identity') },
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
    // When the person is released, how sure that is, and from where.
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
    // All needs.
    needs: each('needs', { may: wholePlan }, (need) => ({
      resourceType: 'Condition',
      id: need.from('ref').id(),
      clinicalStatus: { coding: [{ system: conditionClinical, code: need.maybe('status') }] },
      code: need.from('code'),
      onsetDateTime: need.maybe('onset'),
      subject: patient,
    })),
    // All medicines, with dose and end of supply.
    medications: each('medications', { may: [...wholePlan, 'medication'] }, (medicine) => ({
      resourceType: 'MedicationStatement',
      id: medicine.from('ref').id(),
      identifier: [{ system: medicationStatementId, value: medicine.from('ref').id() }],
      status: medicine.from('status').of(medicationStatuses),
      medicationCodeableConcept: medicine.from('medication'),
      dosage: [{ text: medicine.maybe('dosage') }],
      effectivePeriod: { end: medicine.maybe('suppliedUntil') },
      subject: patient,
    })),
    // Allergies, for safe prescribing.
    allergies: each('allergies', { may: ['allergies', 'medication', 'physical-health'] }, (allergy) => ({
      resourceType: 'AllergyIntolerance',
      id: allergy.from('ref').id(),
      clinicalStatus: { coding: [{ system: allergyClinical, code: allergy.maybe('status') }] },
      code: allergy.from('substance'),
      patient,
    })),
    // Adjustments, safeguarding and risks, to self and to others.
    flags: each('flags', { may: wholePlan }, (flag) => ({
      resourceType: 'Flag',
      id: flag.from('ref').id(),
      status: flag.from('status').of(flagStatuses),
      code: flag.from('code'),
      subject: patient,
    })),
    // What was found, the risk summary among it. No offence detail.
    findings: each('findings', { may: [...wholePlan, 'medication'] }, (finding) => ({
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
    // MAPPA level: the one fact about supervision that is told.
    mappa: each(
      'findings',
      {
        may: ['offence', 'risk-to-others'],
        only: { coded: { system: observation, code: 'mappa' }, labelled: ['offence'] },
      },
      (finding) => ({
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
      }),
    ),
    // Appointments, past and to come.
    appointments: each('meetings', { may: [...wholePlan, 'appointments'] }, (meeting) => ({
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
