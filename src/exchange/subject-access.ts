/**
 * Everything a service holds about a person, for the person: the record, each entry marked where somebody has to look before it is
 * given. Nothing is left out.
 */
import type { Bundle, Patient, Resource } from '@medplum/fhirtypes'
import { allowed, type Request } from '../access/caller.ts'
import { type Mark, marks, marksOf } from '../domain/review-marks.ts'
import { refuse } from '../fhir/outcome.ts'
import { ours } from '../fhir/systems.ts'
import { recordPage } from '../pages/record.ts'
import { recordAudit } from '../store/audit.ts'
import { nameOf } from './account.ts'
import type { Answer, Exchange } from './exchange.ts'
import { handedOut } from './explain.ts'
import { resourcesOf, situationOf } from './situation.ts'

export type Marked = { resource: Resource; marks: Mark[] }
export type Holding = { person: string; service: string; at: string; resources: Marked[] }

/** Patient/{id}/$everything: as a Bundle, and as a page to read. */
export async function everything(exchange: Exchange, request: Request, id: string, params: URLSearchParams): Promise<Answer> {
  const { caller } = request
  const held = caller.role === 'service' ? await heldAbout(exchange, id, caller.service) : undefined
  if (!held) throw refuse(404, 'not-found', 'There is no such Patient here.', 'Patient')
  for (const name of params.keys())
    if (name !== 'print') throw refuse(400, 'not-supported', '$everything takes no parameters: nothing is left out of it.')
  if (!held.resources.every(({ resource }) => allowed(caller, resource.resourceType, 'r')))
    throw refuse(403, 'forbidden', 'The granted scopes do not allow all of this record, and a part of it would be taken for the whole.')
  await exchange.database.atomically([recordAudit([handedOut(exchange, request, 'subject-access', id)])])
  return { status: 200, body: bundleOf(exchange, held, 'searchset'), page: recordPage(held) }
}

/** @returns undefined for somebody this service does not know */
export async function heldAbout(exchange: Exchange, patient: string, service?: string): Promise<Holding | undefined> {
  const situation = await situationOf(exchange, patient)
  const person = situation?.record.get(`Patient/${patient}`)?.body as Patient | undefined
  if (!situation || !person || (service !== undefined && situation.service.id !== service)) return undefined
  return {
    person: nameOf(person),
    service: situation.service.name,
    at: exchange.now().toISOString(),
    resources: resourcesOf(situation.record).map((resource) => ({ resource, marks: marksOf(resource) })),
  }
}

/** Marks are tags of their resource, so that they go where it goes. */
export function bundleOf({ publicUrl }: Pick<Exchange, 'publicUrl'>, { at, resources }: Holding, type: 'searchset' | 'collection'): Bundle {
  return {
    resourceType: 'Bundle',
    type,
    timestamp: at,
    ...(type === 'searchset' ? { total: resources.length } : {}),
    entry: resources.map(({ resource, marks: own }) => ({
      fullUrl: `${publicUrl}/fhir/${resource.resourceType}/${resource.id}`,
      resource: own.length ? { ...resource, meta: { ...resource.meta, tag: [...(resource.meta?.tag ?? []), ...tagsOf(own)] } } : resource,
      ...(type === 'searchset' ? { search: { mode: 'match' as const } } : {}),
    })),
  }
}

const tagsOf = (own: readonly Mark[]) =>
  [...new Set(own.map(({ code }) => code))].map((code) => ({ system: ours('review-mark'), code, display: marks[code] }))
