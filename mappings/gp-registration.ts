/**
 * What a GP practice is told, so that it can register a person up to 28 days before release and go on with their care.
 *
 * Each section says what leaves and why. The category beside a value is what the person must have agreed to share;
 * `may` lists the categories a list may carry: a fact with any other label stays, and so does a fact with no label.
 * Offences, risk to others and therapy notes are never told. Source: domain/closed-loop.md C3, gp-registration.md 1 and 2.
 */
import type {
  AllergyIntolerance,
  CarePlan,
  Condition,
  Flag,
  MedicationStatement,
  Observation,
  Patient,
  Practitioner,
  PractitionerRole,
} from '@medplum/fhirtypes'
import { activityStatuses, flagStatuses, medicationStatuses, observationStatuses } from '../src/fhir/codes.ts'
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
  specialAllocation: Flag
  substitution: Observation
}

const observation = ours('observation')
const specialAllocation = { system: ours('flag'), code: 'special-allocation-scheme' }
const patient = from('person.id', 'identity').reference('Patient')

export default defineMapping<Sections>({
  kind: 'gp-registration',
  version: 2,
  purpose: 'Register the person with a GP practice before release, so that medicines and care go on without a gap.',
  purposeOfUse: ['TREAT', 'COC'],
  legalBasis: 'UK GDPR 6(1)(e) and 9(2)(h); common law confidentiality: the person’s recorded explicit consent.',
  essential: [],
  never: ['offence', 'risk-to-others', 'therapy-notes'],
  statement:
    'Proof of address, proof of identity and an NHS number are not needed to register. Not being able to show them is not a reason to refuse.',
  why: {
    patient: 'So that the partner knows who the person is.',
    'patient.telecom': 'So that the partner can reach the person, where the person agreed to it.',
    'patient.address': 'Where the person can be found or written to after release.',
    'patient.communication': 'So that nobody is spoken to in a language they do not understand.',
    'patient.extension': 'So that an interpreter is there when one is needed.',
    worker: 'Whom to speak to, instead of asking the person to tell their story again.',
    workerRole: 'How to reach the named worker at work.',
    'patient.identifier': 'So that the right record is found. It is not needed to register: it goes if it is known.',
    carePlan: 'What the practice is asked to do, in the words of the plan.',
    custody: 'Registration may begin four weeks before release, and the discharge summary comes from the establishment.',
    needs: 'To go on with care from the first day.',
    medications: 'No gap in medicines: what is taken, and until when it is supplied.',
    allergies: 'Safe prescribing.',
    flags: 'So that the practice can be used: what to do differently for this person.',
    specialAllocation: 'Somebody who was on the Special Allocation Scheme returns to it: the practice has to know where to register.',
    substitution:
      'Who prescribes opioid substitution, and when the prescription ends: so that nobody is without a dose, and none is prescribed twice.',
  },
  message: {
    // Who is to be registered and how to reach them. All but the family name is told only if known. No prison number.
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
    // What the practice is asked to do, in the words of the plan. Only its own activity.
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
    // That the person is leaving custody, when, how sure that is, and from where: the discharge summary comes from there. Never why they were held.
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
    // Known conditions, each only if the person agreed to its kind.
    needs: each(
      'needs',
      { may: ['physical-health', 'medication', 'mental-health', 'neurodiversity', 'substance-misuse', 'sexual-health', 'adjustments'] },
      (need) => ({
        resourceType: 'Condition',
        id: need.from('ref').id(),
        clinicalStatus: { coding: [{ system: conditionClinical, code: need.maybe('status') }] },
        code: need.from('code'),
        onsetDateTime: need.maybe('onset'),
        subject: patient,
      }),
    ),
    // Medicines, and until when they are supplied.
    medications: each(
      'medications',
      { may: ['medication', 'physical-health', 'mental-health', 'neurodiversity', 'substance-misuse', 'sexual-health'] },
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
    // What the practice should do differently for this person: quiet room, longer appointment.
    flags: each('flags', { may: ['adjustments', 'neurodiversity', 'physical-health', 'mental-health'] }, (flag) => ({
      resourceType: 'Flag',
      id: flag.from('ref').id(),
      status: flag.from('status').of(flagStatuses),
      code: flag.from('code'),
      subject: patient,
    })),
    // Someone on the Special Allocation Scheme before custody returns to it. The service labels this flag “practical”; labelled as a risk to others, it stays.
    specialAllocation: each(
      'flags',
      {
        may: ['practical'],
        only: { coded: specialAllocation },
      },
      (flag) => ({
        resourceType: 'Flag',
        id: flag.from('ref').id(),
        status: flag.from('status').of(flagStatuses),
        code: flag.from('code'),
        subject: patient,
      }),
    ),
    // Opioid substitution: who prescribes, last dose, when the prescription ends. Only findings labelled as about medicines.
    substitution: each('findings', { may: ['medication', 'substance-misuse'], only: { labelled: ['medication'] } }, (finding) => ({
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
  },
})
