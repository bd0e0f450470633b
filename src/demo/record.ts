/**
 * A person of the demo as the service's own case system would hand them in: FHIR resources as CONTRACT.md 4 has them.
 */
import type {
  Bundle,
  BundleEntry,
  CodeableConcept,
  Coding,
  Consent,
  Observation,
  Practitioner,
  PractitionerRole,
  Resource,
} from '@medplum/fhirtypes'
import { type Category, categories } from '../domain/categories.ts'
import { consentFrom } from '../fhir/consent-from.ts'
import {
  actCode,
  actReason,
  allergyClinical,
  conditionClinical,
  confidentiality,
  crn,
  messageCategory,
  nhsNumber,
  nomsNumber,
  ours,
} from '../fhir/systems.ts'
import { serviceId } from './directory.ts'
import type { DemoPerson, Fact } from './people.ts'

/** The two care navigators everybody in the demo is looked after by. */
export const workers = {
  amira: { given: 'Amira', family: 'Bell', phone: '07700900801', email: 'amira.bell@example.nhs.uk' },
  tom: { given: 'Tom', family: 'Ashworth', phone: '07700900802', email: 'tom.ashworth@example.nhs.uk' },
} as const
export type WorkerKey = keyof typeof workers

/** A transaction that makes one worker known: Practitioner, then PractitionerRole. */
export function workerBundle(key: WorkerKey): Bundle {
  const { given, family, phone, email } = workers[key]
  const practitioner: Practitioner = {
    resourceType: 'Practitioner',
    name: [{ family, given: [given] }],
    telecom: [{ system: 'email', value: email }],
  }
  const role: PractitionerRole = {
    resourceType: 'PractitionerRole',
    active: true,
    practitioner: { reference: urn(1) },
    organization: { reference: `Organization/${serviceId}` },
    telecom: [{ system: 'phone', value: phone }],
  }
  return transaction([practitioner, role])
}

/**
 * The whole case in one transaction. Patient is its first entry and the custody Observation its second.
 *
 * @param role reference of the worker's PractitionerRole
 */
export function caseBundle(person: DemoPerson, role: string): Bundle {
  const subject = { reference: urn(1) }
  const plan = { reference: urn(3) }
  const team = { reference: urn(4) }
  return transaction([
    {
      resourceType: 'Patient',
      active: true,
      identifier: [
        { system: nhsNumber, value: person.nhsNumber },
        { system: nomsNumber, value: person.nomsNumber },
        ...(person.crn ? [{ system: crn, value: person.crn }] : []),
      ],
      name: [{ use: 'official', family: person.family, given: [person.given] }],
      gender: person.gender,
      birthDate: person.born,
      telecom: [{ system: 'phone', value: person.phone, use: 'mobile' }],
      address: [
        {
          use: 'home',
          ...(person.address.line ? { line: [person.address.line] } : {}),
          ...(person.address.city ? { city: person.address.city } : { text: 'No fixed abode' }),
          postalCode: person.address.postalCode,
        },
      ],
    },
    custody(person, subject.reference, person.custody),
    {
      resourceType: 'CarePlan',
      status: 'active',
      intent: 'plan',
      title: 'Plan for release',
      subject,
      period: { start: today },
      careTeam: [team],
      activity: person.plan.map(({ partner, code, words }) => ({
        detail: {
          kind: 'ServiceRequest',
          code: coded('support-activity', code),
          status: 'not-started',
          description: words,
          performer: [{ reference: `Organization/${partner}` }],
        },
      })),
    },
    {
      resourceType: 'CareTeam',
      status: 'active',
      subject,
      participant: [{ role: [coded('team-role', 'named-worker')], member: { reference: role } }],
    },
    {
      resourceType: 'ServiceRequest',
      status: 'active',
      intent: 'order',
      priority: 'routine',
      subject,
      authoredOn: today,
      category: [{ coding: [{ system: messageCategory, code: 'referral', display: 'Transfer of Care' }] }],
      code: coded('support-activity', 'reconnect', 'RECONNECT support'),
      requester: { reference: `Organization/${serviceId}` },
      performer: [{ reference: `Organization/${serviceId}` }],
      reasonCode: person.needs.map(({ code }) => coded('need', code)),
      basedOn: [plan],
    },
    consent(person, subject.reference),
    ...facts(person, subject),
  ])
}

/**
 * Custody as it is known at a moment.
 *
 * @param known `left`: the day the person left custody; `id`: of the Observation as it stands, when it is to be replaced
 */
export function custody(
  { custody: { prison } }: DemoPerson,
  patient: string,
  known: { basis: string; since: string; release?: string; left?: string; id?: string; confirmed?: boolean },
): Observation {
  const said = (code: string) => ({ code: coded('observation', code) })
  return {
    resourceType: 'Observation',
    ...(known.id ? { id: known.id } : {}),
    meta: labelled(['release']),
    status: 'final',
    code: coded('observation', 'custody'),
    subject: { reference: patient },
    effectivePeriod: { start: known.since, ...(known.left ? { end: known.left } : {}) },
    component: [
      { ...said('establishment'), valueCodeableConcept: coded('prison', ...prison) },
      { ...said('custody-basis'), valueCodeableConcept: coded('custody-basis', known.basis) },
      known.release
        ? { ...said('expected-release-date'), valueDateTime: known.release }
        : {
            ...said('expected-release-date'),
            dataAbsentReason: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/data-absent-reason', code: 'unknown' }] },
          },
      ...(known.release ? [{ ...said('release-date-confirmed'), valueBoolean: known.confirmed ?? true }] : []),
    ],
  }
}

function facts(person: DemoPerson, subject: { reference: string }): Resource[] {
  const active = (system: string) => ({ coding: [{ system, code: 'active' }] })
  return [
    ...person.needs.map(
      ({ code, words, labels }): Resource => ({
        resourceType: 'Condition',
        meta: labelled(labels),
        clinicalStatus: active(conditionClinical),
        code: coded('need', code, words),
        subject,
      }),
    ),
    ...(person.medicines ?? []).map(
      ({ words, more, until, labels }): Resource => ({
        resourceType: 'MedicationStatement',
        meta: labelled(labels),
        status: 'active',
        medicationCodeableConcept: { text: words },
        ...(more ? { dosage: [{ text: more }] } : {}),
        ...(until ? { effectivePeriod: { start: today, end: until } } : {}),
        subject,
      }),
    ),
    ...(person.allergies ?? []).map(
      (words): Resource => ({
        resourceType: 'AllergyIntolerance',
        meta: labelled(['allergies']),
        clinicalStatus: active(allergyClinical),
        code: { text: words },
        patient: subject,
      }),
    ),
    ...(person.flags ?? []).map(
      ({ code, words, labels }): Resource => ({
        resourceType: 'Flag',
        meta: labelled(labels),
        status: 'active',
        code: coded('flag', code, words),
        subject,
      }),
    ),
    ...(person.findings ?? []).map(
      ({ code, words, labels, by, on }: Fact & { code: string }): Resource => ({
        resourceType: 'Observation',
        ...(by ? { performer: [{ reference: `Organization/${by}` }] } : {}),
        ...(on ? { effectiveDateTime: on } : {}),
        meta: labelled(labels),
        status: 'final',
        code: coded('observation', code),
        valueString: words,
        subject,
      }),
    ),
  ]
}

/** Nobody is told anything, except the partners the person named. */
const consent = (person: DemoPerson, patient: string): Consent =>
  consentFrom({
    patient,
    organization: `Organization/${serviceId}`,
    choices: person.agreed.map(({ partner, except }) => ({ to: { partner }, upTo: 'R', ...(except ? { except } : {}) })),
    dateTime: '2026-02-26T14:20:00Z',
    period: { start: '2026-02-26', end: '2027-02-26' },
    source: { display: 'Spoken with the named worker, who wrote it down' },
  })

const today = '2026-03-02'

const coded = (system: string, code: string, text?: string): CodeableConcept => ({
  coding: [{ system: ours(system), code, display: text ?? code }],
  ...(text ? { text } : {}),
})

/** HL7's code where it has one, else ours. */
const labelOf = (category: Category): Coding => {
  const [hl7] = categories[category].hl7
  return hl7 ? { system: actCode, code: hl7 } : { system: ours('category'), code: category }
}

const labelled = (labels: readonly Category[]) => ({
  security: [
    { system: confidentiality, code: labels.some((label) => categories[label].confidentiality === 'R') ? 'R' : 'N' },
    ...labels.map(labelOf),
    { system: actReason, code: 'HTEST' },
  ],
})

const urn = (n: number) => `urn:uuid:00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

/** Entries are known to each other by their place, counted from 1. */
const transaction = (resources: readonly Resource[]): Bundle => ({
  resourceType: 'Bundle',
  type: 'transaction',
  entry: resources.map(
    (resource, index): BundleEntry => ({ fullUrl: urn(index + 1), resource, request: { method: 'POST', url: resource.resourceType } }),
  ),
})
