/**
 * What a probation team is told, so that it knows RECONNECT is there, whom to call and how best to speak with the person.
 *
 * Each section says what leaves and why. The category beside a value is what the person must have agreed to share;
 * `may` lists the categories a list may carry: a fact with any other label stays, and so does a fact with no label.
 * No diagnosis, treatment, medicine, substance or risk detail is ever told. RECONNECT is voluntary, so nothing here says whether
 * the person came: a missed appointment would start enforcement. Source: domain/closed-loop.md C3, hmpps.md 8, service-facts.md 4.3.
 */
import type { Appointment, CarePlan, Flag, Observation, Patient, Practitioner, PractitionerRole } from '@medplum/fhirtypes'
import { activityStatuses, appointmentStatuses, flagStatuses } from '../src/fhir/codes.ts'
import { crn, interpreterRequired, nomsNumber, ours } from '../src/fhir/systems.ts'
import { defineMapping, each, from, maybe } from '../src/mapping.ts'

type Sections = {
  patient: Patient
  carePlan: CarePlan
  worker: Practitioner
  workerRole: PractitionerRole
  custody: Observation
  flags: Flag
  appointments: Appointment
}

const observation = ours('observation')
const planned = ['proposed', 'pending', 'booked']
const patient = from('person.id', 'identity').reference('Patient')

export default defineMapping<Sections>({
  kind: 'probation',
  version: 2,
  purpose: 'Let probation know what support the person is offered, by whom and when, so that plans do not collide.',
  purposeOfUse: ['COC'],
  legalBasis: 'UK GDPR 6(1)(e) and 9(2)(h); common law confidentiality: the person’s recorded explicit consent.',
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
  // Probation and supervision are its own business: to name them to it gives nothing away.
  knows: ['offence'],
  handling: ['NOREUSE'],
  statement: 'RECONNECT is voluntary. Nothing here is a condition of licence or supervision, and none of it may be used for enforcement.',
  why: {
    patient: 'So that the partner knows who the person is.',
    'patient.telecom': 'So that the partner can reach the person, where the person agreed to it.',
    'patient.communication': 'So that nobody is spoken to in a language they do not understand.',
    'patient.extension': 'So that an interpreter is there when one is needed.',
    worker: 'Whom to speak to, instead of asking the person to tell their story again.',
    workerRole: 'How to reach the named worker at work.',
    'patient.identifier': 'The numbers probation itself works with.',
    carePlan: 'What support is offered, as far as probation is asked to do something.',
    custody: 'So that both mean the same release date.',
    flags: 'How best to speak with and meet the person, without the reason for it.',
    appointments: 'When the person is expected elsewhere, so that appointments do not collide: times only, and nothing about who came.',
  },
  message: {
    // Who it is about, by the numbers probation works with, and how to reach them. No NHS number, no address.
    patient: {
      resourceType: 'Patient',
      id: from('person.id', 'identity').id(),
      identifier: [
        { system: crn, value: maybe('person.crn', 'identity') },
        { system: nomsNumber, value: maybe('person.nomsNumber', 'identity') },
      ],
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
    // What probation is asked to do, in the words of the plan. Only its own activity.
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
    // When and from where the person is released, as RECONNECT understands it.
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
    // How to speak with and see the person: adjustments, without the reason for them.
    flags: each('flags', { may: ['adjustments'] }, (flag) => ({
      resourceType: 'Flag',
      id: flag.from('ref').id(),
      status: flag.from('status').of(flagStatuses),
      code: flag.from('code'),
      subject: patient,
    })),
    // When the person is already expected elsewhere: times only, not where or why, and only what is still to come.
    appointments: each('meetings', { may: ['appointments'], only: { status: planned } }, (meeting) => ({
      resourceType: 'Appointment',
      id: meeting.from('ref').id(),
      status: meeting.from('status').of(appointmentStatuses),
      start: meeting.maybe('start'),
      end: meeting.maybe('end'),
      participant: [{ actor: patient, status: 'accepted' }],
    })),
  },
})
