/**
 * A worker belongs to the service and not to a person: when one changes, everybody they look after is looked at again.
 */
import { parseSearch } from '../fhir/search.ts'
import type { Statement } from '../store/database.ts'
import { searchShelf } from '../store/search.ts'
import { setTimer } from '../store/timers.ts'
import type { Exchange } from './exchange.ts'
import { serviceShelf } from './situation.ts'

/** What a partner may have been told about. */
export const isWorker = (type: string): boolean => type === 'PractitionerRole' || type === 'Practitioner'

/** Ids of the people whose care team names one of these workers (`PractitionerRole/1`, `Practitioner/2`). */
export async function lookedAfterBy(exchange: Exchange, service: string, workers: readonly string[]): Promise<string[]> {
  if (workers.length === 0) return []
  const practitioners = workers.filter((ref) => ref.startsWith('Practitioner/'))
  const roles = practitioners.length ? await all(exchange, service, 'PractitionerRole', { practitioner: practitioners.join() }) : []
  const named = [...workers, ...roles.map(({ id }) => `PractitionerRole/${id}`)]
  const teams = await all(exchange, service, 'CareTeam', { participant: named.join() })
  return [...new Set(teams.flatMap(({ patient }) => patient ?? []))]
}

/** In the commit that changes the worker: should we stop before looking, the timers look. The plan clears them. */
export const lookSoon = (service: string, people: readonly string[], at: string): Statement[] =>
  people.map((patient) => setTimer({ patient, about: 'worker', service, dueAt: at }))

async function all(exchange: Exchange, service: string, type: string, wanted: Record<string, string>) {
  const found = []
  for (let page: string | undefined = ''; page !== undefined; ) {
    const params = new URLSearchParams({ ...wanted, _count: '200', ...(page ? { _page: page } : {}) })
    const { matches, next } = await searchShelf(exchange.database, serviceShelf(service), parseSearch(type, params))
    found.push(...matches)
    page = next
  }
  return found
}
