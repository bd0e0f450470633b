/**
 * What a community support service is told (housing, work, benefits, clothing, peer groups), so that practical help is there on
 * the day of release. This is not individual care: the least that makes the help possible, and only by explicit consent.
 *
 * Each section says what leaves and why. The category beside a value is what the person must have agreed to share;
 * `may` lists the categories a list may carry: a fact with any other label stays, and so does a fact with no label.
 * No diagnosis, treatment, medicine, risk or offence is ever told, and no number, address or prison.
 * Source: domain/consent.md A2 and A3, reconnect.md 2, service-facts.md 3.3.
 */
import type { CarePlan, Condition, Flag, Observation, Patient, Practitioner, PractitionerRole } from '@medplum/fhirtypes'
import { activityStatuses, flagStatuses, observationStatuses } from '../src/fhir/codes.ts'
import { conditionClinical, interpreterRequired, ours } from '../src/fhir/systems.ts'
import { defineMapping, each, from, maybe } from '../src/mapping.ts'

type Sections = {
  patient: Patient
  carePlan: CarePlan
  worker: Practitioner
  workerRole: PractitionerRole
  custody: Observation
  flags: Flag
  needs: Condition
  findings: Observation
}

const observation = ours('observation')
const patient = from('person.id', 'identity').reference('Patient')

export default defineMapping<Sections>({
  kind: 'community-support',
  version: 1,
  purpose: 'Practical help that is there on the day of release: a place to stay, money, work, clothes, company.',
  purposeOfUse: ['COC'],
  legalBasis:
    'UK GDPR 6(1)(e), and 9(2)(h) or 9(2)(g) for adjustments; common law confidentiality: not individual care, so always the person’s recorded explicit consent.',
  essential: [],
  never: [
    'physical-health',
    'allergies',
    'medication',
    'neurodiversity',
    'mental-health',
    'therapy-notes',
    'substance-misuse',
    'sexual-health',
    'abuse',
    'risk-to-self',
    'risk-to-others',
    'safeguarding',
    'offence',
  ],
  // Housing and practical help are what it is there for: to ask it for them gives nothing away.
  knows: ['accommodation', 'practical'],
  handling: ['NOREUSE'],
  statement: 'Please use this for the help that is asked for and for nothing else. Tell us when the person is supported.',
  why: {
    patient: 'So that the partner knows who the person is.',
    'patient.telecom': 'So that the partner can reach the person, where the person agreed to it.',
    'patient.communication': 'So that nobody is spoken to in a language they do not understand.',
    'patient.extension': 'So that an interpreter is there when one is needed.',
    worker: 'Whom to speak to, instead of asking the person to tell their story again.',
    workerRole: 'How to reach the named worker at work.',
    carePlan: 'What support is asked for, in the words of the plan.',
    custody: 'The day from which the person needs it.',
    needs: 'What the support is for: housing, money, work. No health need.',
    flags: 'How best to speak with and meet the person, without the reason for it.',
    findings: 'Where the person stands with housing, work and money, so that they need not tell it again.',
  },
  message: {
    // Who it is about and how to reach them. No number, no address.
    patient: {
      resourceType: 'Patient',
      id: from('person.id', 'identity').id(),
      name: [{ use: 'official', family: from('person.family', 'identity'), given: maybe('person.given', 'identity') }],
      birthDate: maybe('person.birthDate', 'identity'),
      gender: maybe('person.gender', 'identity'),
      telecom: [
        { system: 'phone', value: maybe('person.phone', 'contact') },
        { system: 'email', value: maybe('person.email', 'contact') },
      ],
      communication: [{ language: { coding: [{ system: 'urn:ietf:bcp:47', code: maybe('person.language', 'adjustments') }] } }],
      extension: [{ url: interpreterRequired, valueBoolean: maybe('person.interpreterNeeded', 'adjustments') }],
    },
    // What the service is asked to do, in the words of the plan. Only its own activity.
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
    // When the person is released: not from where.
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
      ],
    },
    // How to speak with and see the person: adjustments, without the reason for them.
    flags: each('flags', { may: ['adjustments'] }, (flag) => ({
      resourceType: 'Flag',
      id: flag.from('ref').id(),
      status: flag.from('status').of(flagStatuses),
      code: flag.from('code'),
      subject: patient,
    })),
    // Housing, work and money: what the help is for.
    needs: each('needs', { may: ['accommodation', 'practical'] }, (need) => ({
      resourceType: 'Condition',
      id: need.from('ref').id(),
      clinicalStatus: { coding: [{ system: conditionClinical, code: need.maybe('status') }] },
      code: need.from('code'),
      subject: patient,
    })),
    // Where the person stands with housing, work and money.
    findings: each('findings', { may: ['accommodation', 'practical'] }, (finding) => ({
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
