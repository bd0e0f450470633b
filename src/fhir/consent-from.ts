/**
 * A person's choices as a FHIR Consent in the shape we write: IHE PCF's. Nobody is told anything (root `deny`), but for one `permit` for
 * each recipient and the `deny` of what it is not to be told; never deeper.
 *
 * Whatever this writes reads back as the choices it was made from (`src/domain/agreement.ts`).
 *
 * @see domain/consent.md B1, B2
 */
import type { Coding, Consent, ConsentProvision, DocumentReference, Extension, Period, Reference } from '@medplum/fhirtypes'
import type { Category, Confidentiality } from '../domain/categories.ts'
import { labelsFor } from '../domain/sensitivity.ts'
import { actCode, actReason, BASE, confidentiality, consentScope, ours, participationType } from './systems.ts'

/** The policy every consent of ours is under. The deploying organisation publishes its own at an address of its own. */
export const sharingPolicy = `${BASE}/policy/reconnect-sharing`

/** What one recipient may be told. */
export type Choice = {
  /** One partner by its id, or every partner of a kind. */
  to: { partner: string } | { kind: string }
  /** The highest confidentiality; absent: up to normal. */
  upTo?: Confidentiality
  /** These kinds of information only; absent: any. */
  only?: readonly Category[]
  /** But not these; a label of HL7 itself where somebody means just that. */
  except?: readonly (Category | Coding)[]
  /** v3-ActReason; absent: care and its co-ordination. */
  purposes?: readonly string[]
  period?: Period
}

export type Choices = {
  patient: string
  /** Who agreed, when it was not the person. */
  performer?: NonNullable<Consent['performer']>[number]
  organization: string
  choices: readonly Choice[]
  /** When the person said so; absent only where nobody wrote it down. */
  dateTime?: string
  period?: Period
  /** How it was said: a document, or a sentence. */
  source: Reference<DocumentReference>
  status?: Consent['status']
  id?: string
  /** Capacity, and who agreed on what authority (`src/domain/who-agreed.ts`). */
  extension?: Extension[]
}

export function consentFrom(given: Choices): Consent {
  const {
    patient,
    performer = { reference: patient },
    organization,
    choices,
    dateTime,
    period,
    source,
    status = 'active',
    id,
    extension,
  } = given
  const provision = choices.flatMap(rulesOf)
  return {
    resourceType: 'Consent',
    ...(id ? { id } : {}),
    ...(extension?.length ? { extension } : {}),
    status,
    scope: { coding: [{ system: consentScope, code: 'patient-privacy' }] },
    category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }, { coding: [{ system: actCode, code: 'IDSCL' }] }],
    patient: { reference: patient },
    ...(dateTime ? { dateTime } : {}),
    performer: [performer],
    organization: [{ reference: organization }],
    sourceReference: source,
    policy: [{ uri: sharingPolicy }],
    policyRule: { coding: [{ system: actCode, code: 'OPTINR' }] },
    provision: { type: 'deny', ...(period ? { period } : {}), ...(provision.length ? { provision } : {}) },
  }
}

function rulesOf({ to, upTo, only, except, purposes = ['TREAT', 'COC'], period }: Choice): ConsentProvision[] {
  const reference =
    'partner' in to ? { reference: `Organization/${to.partner}` } : { identifier: { system: ours('recipient-kind'), value: to.kind } }
  const actor = [{ role: { coding: [{ system: participationType, code: 'IRCP' }] }, reference }]
  const labels = [...(upTo ? [{ system: confidentiality, code: upTo }] : []), ...(only ?? []).flatMap(labelsFor)]
  const permit: ConsentProvision = {
    type: 'permit',
    ...(period ? { period } : {}),
    actor,
    ...(labels.length ? { securityLabel: labels } : {}),
    purpose: purposes.map((code) => ({ system: actReason, code })),
  }
  const kept = (except ?? []).flatMap((one) => (typeof one === 'string' ? labelsFor(one) : one))
  return [permit, ...(kept.length ? [{ type: 'deny' as const, actor, securityLabel: kept }] : [])]
}
