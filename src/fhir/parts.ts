/**
 * The parts of a handover that say nothing of the person's health: the request itself, the partner's view of the consent,
 * the organisations and the service. What they do say (who asks whom, for what) the partner has to know to act at all.
 */
import type { Consent, HealthcareService, Organization, ServiceRequest, Task } from '@medplum/fhirtypes'
import type { Activity } from '../domain/case.ts'
import type { Partner, Service } from '../domain/directory.ts'
import type { Authority } from '../domain/who-agreed.ts'
import { type Choices, consentFrom } from './consent-from.ts'
import { BASE, handoverIdentifier, messageCategory, odsCode, ours, ukCore } from './systems.ts'

/** `ServiceRequest` profile of BaRS: intent plan, one category, authoredOn (bars-ukcore.md 3.3). */
export const referralProfile = 'https://fhir.nhs.uk/StructureDefinition/BARSServiceRequest-request-referral'

export type Request = {
  id: string
  task: Task
  service: Service
  partner: Partner
  kind: string
  /** Ids. */
  patient: string
  plan?: string | undefined
  activity?: Pick<Activity, 'code'> | undefined
  now: string
  status?: 'draft' | 'active'
}

/** The ServiceRequest of one handover: what one partner is asked for, for one person. */
export function handoverRequest({
  id,
  task,
  service,
  partner,
  kind,
  patient,
  plan,
  activity,
  now,
  status = 'active',
}: Request): ServiceRequest {
  const end = task.restriction?.period?.end
  return {
    resourceType: 'ServiceRequest',
    id,
    meta: { profile: [referralProfile] },
    identifier: [{ system: handoverIdentifier, value: task.id as string }],
    ...(plan ? { basedOn: [{ reference: `CarePlan/${plan}` }] } : {}),
    status,
    intent: 'plan',
    category: requestCategory(kind),
    ...(activity?.code ? { code: activity.code } : {}),
    subject: { reference: `Patient/${patient}` },
    ...(end ? { occurrencePeriod: { end } } : {}),
    authoredOn: task.authoredOn ?? now,
    requester: { reference: `Organization/${service.id}` },
    performer: [{ reference: `Organization/${partner.id}` }],
  }
}

/** One category, two codings, as BaRS has it; the use case is ours, since BaRS has none for leaving custody. */
export const requestCategory = (kind: string): NonNullable<ServiceRequest['category']> => [
  {
    coding: [
      { system: messageCategory, code: 'referral', display: 'Transfer of Care' },
      { system: ours('use-case'), code: kind, display: kind },
    ],
  },
]

/** What a partner sees of a consent. `dateTime`: when the person gave it; without one (no consent, another basis) there is no view. */
export type ConsentSeen = { id: string; dateTime?: string | undefined; authority?: Authority | undefined }

/** Who agreed, as a partner sees it: the person, the service in their best interests, or the role of somebody it need not know. */
function agreedAs(authority: Authority | undefined, service: Service): Pick<Choices, 'source'> & Partial<Pick<Choices, 'performer'>> {
  const source = { display: `What ${authority ? 'was agreed for the person' : 'the person agreed to'}, as recorded by the service` }
  if (!authority) return { source }
  return {
    source,
    performer:
      authority === 'best-interests'
        ? { reference: `Organization/${service.id}` }
        : { type: 'RelatedPerson', display: authority === 'attorney' ? 'An attorney of the person' : 'A deputy of the person' },
  }
}

/** The permit for this partner, and neither what was withheld nor who else was named. */
export const consentView = (
  consent: ConsentSeen,
  patient: string,
  service: Service,
  partner: Partner,
  purposes: readonly string[],
): Consent => ({
  ...consentFrom({
    id: consent.id,
    patient: `Patient/${patient}`,
    organization: `Organization/${service.id}`,
    choices: [{ to: { partner: partner.id }, purposes }],
    ...(consent.dateTime ? { dateTime: consent.dateTime } : {}),
    ...agreedAs(consent.authority, service),
  }),
  meta: { profile: [ukCore('UKCore-Consent')] },
})

export const organization = ({ id, name, ods }: Pick<Service, 'id' | 'name' | 'ods'>): Organization => ({
  resourceType: 'Organization',
  id,
  meta: { profile: [ukCore('UKCore-Organization')] },
  ...(ods ? { identifier: [{ system: odsCode, value: ods }] } : {}),
  active: true,
  name,
})

export const healthcareService = ({ id, name }: Service): HealthcareService => ({
  resourceType: 'HealthcareService',
  id,
  meta: { profile: [ukCore('UKCore-HealthcareService')] },
  active: true,
  providedBy: { reference: `Organization/${id}` },
  name,
})

/** Where a service or partner is addressed: its ODS code, or its id here when it has none. */
export const addressOf = ({ id, ods }: { id: string; ods?: string }): string => (ods ? `${odsCode}|${ods}` : `${BASE}/Organization/${id}`)
