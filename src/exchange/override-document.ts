/**
 * One lawful disclosure to somebody outside (police, a court, MAPPA): a document for staff to hand over, through `fill` like every
 * message, with exactly what the override lists; what was given goes into the audit with it.
 */
import type { Bundle } from '@medplum/fhirtypes'
import { v7 as newId } from 'uuid'
import { higher } from '../domain/categories.ts'
import { covers, legalBases, type Override } from '../domain/override.ts'
import { refuse } from '../fhir/outcome.ts'
import { organization } from '../fhir/parts.ts'
import { actCode, confidentiality } from '../fhir/systems.ts'
import { fill } from '../mapping.ts'
import type { Change } from './change.ts'
import { consider, scopeOf } from './consider.ts'
import { overrideMapping } from './override-mapping.ts'
import { pathOf } from './parameters.ts'

/** Stands in the audit where a partner's id would: who it was is in the sealed detail. */
export const outside = 'outside'

/** @throws Refusal 422 when nothing of what is listed can be told */
export function handOver(change: Change, override: Override): Bundle {
  const { situation } = change
  const found = consider(situation).case
  const filled =
    found && fill(overrideMapping, scopeOf(found, []), (source) => ({ permitted: covers(override, source), because: 'it is not listed' }))
  if (filled?.outcome !== 'ready') throw refuse(422, 'business-rule', 'The record does not say who this is about.', pathOf('item'))
  if ('partner' in override.recipient) throw new Error('a partner is told through its handover')
  const { organisation, officer, how } = override.recipient
  const at = situation.now.toISOString()
  const level = filled.disclosures.map((one) => one.confidentiality).reduce(higher, 'N')
  const handling = ['MINEC', 'NORDSCLCD'].map((code) => ({ system: actCode, code }))
  change.audit({
    action: 'disclose',
    entity: `Override/${override.id}`,
    recipient: outside,
    basis: `Override/${override.id}`,
    detail: JSON.stringify({
      organisation,
      ...(officer ? { officer } : {}),
      how,
      purposeOfUse: legalBases[override.basis].purpose,
      safeToShow: override.safeToShow,
      what: filled.disclosures,
    }),
  })
  const resources = [...Object.values(filled.sections).flat(), organization(situation.service)]
  return {
    resourceType: 'Bundle',
    id: newId(),
    meta: { security: [{ system: confidentiality, code: level }, ...handling] },
    type: 'collection',
    timestamp: at,
    entry: resources.map((resource) => {
      const id = resource.id ?? newId()
      return { fullUrl: `${situation.publicUrl}/fhir/${resource.resourceType}/${id}`, resource: { ...resource, id } }
    }),
  }
}
