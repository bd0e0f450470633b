/**
 * What a decision about a person stands on, as it is at this moment: their consents, and the overrides.
 */
import type { Consent } from '@medplum/fhirtypes'
import type { Override } from '../domain/override.ts'
import { isUnsorted } from '../domain/resources.ts'
import type { Database } from '../store/database.ts'
import { overridesOf } from '../store/overrides.ts'
import { consentsOf } from '../store/resources.ts'

export type Grounds = { consents: Consent[]; overrides: Override[] }
export const noGrounds: Grounds = { consents: [], overrides: [] }

export async function groundsOf(database: Database, patients: readonly string[]): Promise<Map<string, Grounds>> {
  const [consents, overrides] = await Promise.all([consentsOf(database, patients), overridesOf(database, patients)])
  const counting = (patient: string) => (consents.get(patient) ?? []).filter((one) => !isUnsorted(one))
  return new Map(patients.map((patient) => [patient, { consents: counting(patient), overrides: overrides.get(patient) ?? [] }]))
}
