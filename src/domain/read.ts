/**
 * A person's record as a `Case`: FHIR resources in, plain typed words out, and what is missing. Tolerant of old shapes and of
 * absent parts; strict about what can not be shared safely: entered in error is not read, another person's is not read.
 */
import type { CarePlan, Consent, Observation, Patient, Reference, Resource, ServiceRequest } from '@medplum/fhirtypes'
import { BASE, ours } from '../fhir/systems.ts'
import { londonDate, stretchOf } from './calendar.ts'
import { type Case, type Custody, type CustodyBasis, type Plan, type Referral, type Whereabouts, whereabouts } from './case.ts'
import { governing } from './consent.ts'
import { factsOf, isCustody } from './facts.ts'
import { givenAway, sourceOf } from './labels.ts'
import { workerIn } from './named-worker.ts'
import { personOf } from './person.ts'
import { isReferral } from './referral.ts'
import { codeIn, given, type Index, indexOf, isUnsorted, odsIn, ofType } from './resources.ts'
import { returnedOn, type Stay } from './returned.ts'

/** Something the record does not say, with the sentence a person reads. */
export type Missing = { what: MissingCode; words: string; expression?: string }
export type MissingCode = keyof typeof sentences

export type Reading = {
  /** Absent only when no Patient with a name is there. */
  case?: Case
  /** What keeps it from being an accepted case (CONTRACT.md 4). Empty: handovers may be planned. */
  missing: Missing[]
  /** What else is not known. Nothing waits for it but what needs it. */
  unknown: Missing[]
}

/**
 * @param resources everything of one person's record, with the PractitionerRoles, Practitioners and Organizations it names
 * @param day today; a named worker whose part ended before it is nobody's worker. Absent: one whose part ended counts only when no other does
 */
export function read(resources: readonly Resource[], patientId: string, day?: string): Reading {
  const index = indexOf(resources)
  const patient = index.get(`Patient/${patientId}`)
  const own = resources.filter((resource) => concerns(resource, patientId) && !inError(resource) && !isUnsorted(resource))
  const consent = governing(ofType(own, 'Consent'))
  const who = patient?.resourceType === 'Patient' ? personOf(patient) : undefined
  if (patient?.resourceType !== 'Patient' || !who) return { missing: [missing('person')], unknown: [] }

  const found: Case = {
    person: who.person,
    personSource: { ...sourceOf(patient), reveals: { 'person.address': givenAway(addresses(patient)) } },
    ...given('referral', referralOf(own)),
    ...given('custody', custodyOf(own, referralOf(own)?.authoredOn)),
    ...given('worker', workerIn(ofType(own, 'CareTeam'), index, day)),
    ...given('plan', planOf(own, index)),
    ...factsOf(own, index),
  }
  return { case: found, missing: keepsWaiting(found, consent), unknown: notKnown(found, who.nhsNumberWrong) }
}

/** Is it an accepted case: referral active, plan active, an agreement in force, a worker by name (CONTRACT.md 4)? */
export function acceptedCase(resources: readonly Resource[], patientId: string, day?: string): { accepted: boolean; missing: Missing[] } {
  const { missing } = read(resources, patientId, day)
  return { accepted: missing.length === 0, missing }
}

/** A refuge, a hostel for people under supervision: an address can say why somebody lives there. */
const addresses = ({ address = [] }: Patient) => address.map(({ line, text, city, district }) => ({ line, text, city, district }))

const sentences = {
  person: 'No person with a name is in the record.',
  referral: 'There is no active referral.',
  plan: 'There is no active plan.',
  consent: 'There is no agreement of the person in force to share anything.',
  worker: 'No RECONNECT worker is named in the care team.',
  'birth-date': 'The date of birth is not known.',
  'nhs-number': 'The NHS number could not be checked: its check digit is wrong.',
  reason: 'No need or reason for the referral is given.',
  establishment: 'It is not known where the person is held.',
  'release-date': 'The release date is not known.',
} as const

const expressions: Partial<Record<MissingCode, string>> = {
  person: 'Patient.name',
  referral: 'ServiceRequest.status',
  plan: 'CarePlan.status',
  consent: 'Consent.status',
  worker: 'CareTeam.participant',
  'birth-date': 'Patient.birthDate',
  'nhs-number': 'Patient.identifier',
  reason: 'ServiceRequest.reasonCode',
  establishment: 'Observation.component',
  'release-date': 'Observation.component',
}

const missing = (what: MissingCode): Missing => ({ what, words: sentences[what], ...given('expression', expressions[what]) })

function keepsWaiting({ referral, plan, worker }: Case, consent: Consent | undefined): Missing[] {
  const codes: MissingCode[] = []
  if (referral?.status !== 'active') codes.push('referral')
  if (plan?.status !== 'active') codes.push('plan')
  if (consent?.status !== 'active') codes.push('consent')
  if (!worker) codes.push('worker')
  return codes.map(missing)
}

function notKnown({ person, referral, custody, needs }: Case, nhsNumberWrong: boolean): Missing[] {
  const codes: MissingCode[] = []
  if (!person.birthDate) codes.push('birth-date')
  if (nhsNumberWrong) codes.push('nhs-number')
  if (!referral?.reasons.length && !needs.length) codes.push('reason')
  if (!custody?.establishment) codes.push('establishment')
  if (!custody?.releaseDate && !custody?.left) codes.push('release-date')
  return codes.map(missing)
}

/** Ours: the service's request to a partner, not somebody's request to the service. */
const isHandoverRequest = (request: ServiceRequest): boolean =>
  request.identifier?.some(({ system }) => system === `${BASE}/Id/handover`) === true

/** The referral still open, else the latest. */
function referralOf(own: readonly Resource[]): Referral | undefined {
  const requests = ofType(own, 'ServiceRequest').filter((request) => !isHandoverRequest(request))
  // Where some say that they are referrals, a request of another kind is none.
  const referrals = requests.filter(isReferral)
  const request = latest(
    referrals.length ? referrals : requests,
    ({ status }) => !/^(completed|revoked)$/.test(status),
    ({ authoredOn }) => authoredOn,
  )
  if (!request) return undefined
  return {
    id: String(request.id),
    status: request.status,
    reasons: request.reasonCode ?? [],
    ...given('authoredOn', request.authoredOn),
    ...given('priority', request.priority),
    ...given('requester', request.requester?.reference),
  }
}

const bases: readonly string[] = ['sentenced', 'remand', 'recall', 'rotl', 'immigration-detention'] satisfies CustodyBasis[]

function custodyOf(own: readonly Resource[], referredOn: string | undefined): Custody | undefined {
  const observation = custodyObservation(own)
  const stays = ofType(own, 'Observation').filter(isCustody).map(stayOf)
  return observation && { ...custodyIn(observation), ...given('returned', returnedOn(stays, londonDate(referredOn))) }
}

/** The Observation that says where a person is held and until when: the latest. */
export const custodyObservation = (own: readonly Resource[]): Observation | undefined =>
  latest(
    ofType(own, 'Observation').filter((each) => isCustody(each) && !inError(each) && !isUnsorted(each)),
    () => true,
    ({ effectivePeriod, effectiveDateTime, issued }) => effectivePeriod?.start ?? effectiveDateTime ?? issued,
  )

/** What a custody Observation says. */
export function custodyIn(observation: Observation): Custody {
  const part = (name: string) => observation.component?.find(({ code }) => codeIn(code, ours('observation')) === name)
  const place = part('establishment')
  const [code, name] = [
    codeIn(place?.valueCodeableConcept, ours('prison')),
    place?.valueCodeableConcept?.text ?? place?.valueCodeableConcept?.coding?.[0]?.display ?? place?.valueString,
  ]
  const basis = codeIn(part('custody-basis')?.valueCodeableConcept, ours('custody-basis'))
  const where = codeIn(part('custody-status')?.valueCodeableConcept, ours('custody-status'))
  const release = part('expected-release-date')
  return {
    ...sourceOf(observation, { categories: ['release'] }),
    ...(code || name ? { establishment: { ...given('code', code), ...given('name', name) } } : {}),
    ...(basis && bases.includes(basis) ? { basis: basis as CustodyBasis } : {}),
    ...(where && (whereabouts as readonly string[]).includes(where) ? { where: where as Whereabouts } : {}),
    ...given('releaseDate', londonDate(release?.valueDateTime ?? release?.valuePeriod?.start ?? release?.valueString)),
    ...given('releaseDateType', codeIn(part('release-date-type')?.valueCodeableConcept, ours('release-date-type'))),
    ...given('releaseDateConfirmed', part('release-date-confirmed')?.valueBoolean),
    ...given('sentencedOn', londonDate(part('sentence-start-date')?.valueDateTime)),
    ...given('left', londonDate(observation.effectivePeriod?.end)),
  }
}

function stayOf({ effectivePeriod, component }: Observation): Stay {
  const basis = codeIn(
    component?.find(({ code }) => codeIn(code, ours('observation')) === 'custody-basis')?.valueCodeableConcept,
    ours('custody-basis'),
  )
  return {
    ...given('start', londonDate(effectivePeriod?.start)),
    ...given('end', londonDate(effectivePeriod?.end)),
    ...(basis && bases.includes(basis) ? { basis: basis as CustodyBasis } : {}),
  }
}

/** The active plan; without one, the latest that was anything more than a proposal. */
function planOf(own: readonly Resource[], index: Index): Plan | undefined {
  const plans = ofType(own, 'CarePlan').filter(({ intent }) => intent !== 'proposal')
  const plan = latest(
    plans,
    ({ status }) => status === 'active',
    (each) => each.period?.start ?? each.created,
  )
  if (!plan) return undefined
  return {
    id: String(plan.id),
    status: plan.status,
    ...given('title', plan.title),
    ...given('start', londonDate(plan.period?.start)),
    activities: activitiesOf(plan, index),
  }
}

function activitiesOf(plan: CarePlan, index: Index): Plan['activities'] {
  const seen = new Map<string, number>()
  return (plan.activity ?? []).flatMap(({ detail }, choice) => {
    if (!detail || detail.status === 'entered-in-error' || detail.doNotPerform) return []
    const code =
      codeIn(detail.code, ours('support-activity')) ?? slug(detail.code?.text ?? detail.code?.coding?.[0]?.code ?? detail.description)
    const performers = (detail.performer ?? []).flatMap((each) => performerOf(each, index) ?? [])
    return (performers.length ? performers : [undefined]).map((performer) => {
      const mine = `${performer?.partner ?? performer?.ods ?? ''} ${code}`
      const ordinal = (seen.get(mine) ?? 0) + 1
      seen.set(mine, ordinal)
      return {
        key: ordinal === 1 ? code : `${code}-${ordinal}`,
        status: detail.status,
        ...given('code', detail.code),
        ...given('description', detail.description),
        ...given('performer', performer),
        ...given('goals', goalsOf(detail.goal)),
        ...(performers.length > 1 ? { choice } : {}),
      }
    })
  })
}

function goalsOf(references: Reference[] | undefined): string[] | undefined {
  const ids = references?.flatMap(({ reference }) => reference?.match(/(?:^|\/)Goal\/([^/]+)/)?.[1] ?? [])
  return ids?.length ? ids : undefined
}

/** An organisation by id, by ODS code, or by a resource that has one. Staff, the person and their family are no partners. */
function performerOf(
  reference: { reference?: string; identifier?: { system?: string; value?: string } },
  index: Index,
): { partner?: string; ods?: string } | undefined {
  const organization = index.get(reference.reference)
  const partner = reference.reference?.replace(`${BASE}/`, '').match(/^Organization\/([^/]+)/)?.[1]
  const ods =
    odsIn([reference.identifier ?? {}]) ??
    (organization?.resourceType === 'Organization' ? odsIn(organization.identifier ?? []) : undefined)
  return partner || ods ? { ...given('partner', partner), ...given('ods', ods) } : undefined
}

const slug = (text: string | undefined): string =>
  text
    ?.toLowerCase()
    .match(/[a-z0-9]+/g)
    ?.join('-')
    .slice(0, 60) ?? 'activity'

/** The one that counts: of those preferred, else of all, the latest by its own date and then by when it was recorded. */
function latest<T extends Resource>(
  all: readonly T[],
  preferred: (one: T) => boolean,
  when: (one: T) => string | undefined,
): T | undefined {
  const some = all.filter(preferred)
  const time = (text: string | undefined) => stretchOf(text)?.from ?? -Infinity
  const byTime = (a: T, b: T) => compare(time(when(b)), time(when(a))) || compare(time(b.meta?.lastUpdated), time(a.meta?.lastUpdated))
  return [...(some.length ? some : all)].sort(byTime)[0]
}
const compare = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1)

/** Is it about this person? A resource that names nobody is: it came with their record. */
function concerns(resource: Resource, patientId: string): boolean {
  const { subject, patient, participant } = resource as About
  const actors = resource.resourceType === 'Appointment' ? (participant ?? []).map(({ actor }) => actor) : []
  const people = [subject, patient, ...actors].flatMap((each) => each?.reference?.match(/(?:^|\/)Patient\/([^/]+)/)?.[1] ?? [])
  return people.length === 0 || people.includes(patientId)
}
type About = { subject?: Named; patient?: Named; participant?: { actor?: Named }[] }
type Named = { reference?: string }

const inError = (resource: Resource): boolean =>
  'status' in resource &&
  (resource.status === 'entered-in-error' || (resource.resourceType === 'Observation' && resource.status === 'cancelled'))
