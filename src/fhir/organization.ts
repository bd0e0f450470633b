/**
 * A service or partner of the directory as FHIR: readable as `Organization/{id}` (CONTRACT.md 2).
 */
import type { Organization } from '@medplum/fhirtypes'
import type { Partner, Service } from '../domain/directory.ts'
import { odsCode, ukCore } from './systems.ts'

/** UK Core Organization; the ODS code is its identifier where it has one. Nothing of how it is reached. */
export const organizationOf = (one: Service | Partner): Organization => ({
  resourceType: 'Organization',
  id: one.id,
  meta: { profile: [ukCore('UKCore-Organization')] },
  ...(one.ods ? { identifier: [{ system: odsCode, value: one.ods }] } : {}),
  active: !('retired' in one && one.retired),
  name: one.name,
})
