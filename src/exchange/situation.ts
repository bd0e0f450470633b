/**
 * Everything a decision about one person needs to be made from: their record, what each partner has been told, what is
 * still owed, what is waited for. Read once, changed in memory, written in one commit (`commit.ts`).
 */
import type { CareTeam, Consent, PractitionerRole, Resource, Task } from '@medplum/fhirtypes'
import type { Adapter } from '../adapter.ts'
import type { Likeness } from '../domain/alike.ts'
import type { Directory, Service } from '../domain/directory.ts'
import { type LookPace, usualLookPace } from '../domain/look-pace.ts'
import type { Override } from '../domain/override.ts'
import type { Left } from '../domain/settling.ts'
import { nobodyAsks, type SignOffs } from '../domain/sign-off.ts'
import type { Database } from '../store/database.ts'
import { everJoined, type Merge, mergesOf } from '../store/merges.ts'
import { overridesOf } from '../store/overrides.ts'
import { type Standing, standingOf } from '../store/owed.ts'
import { personOf } from '../store/people.ts'
import { byRefs, type Stored, shelvesOf, storedOf } from '../store/resources.ts'
import { type Timer, timersOf } from '../store/timers.ts'
import { type WorkItem, workOf } from '../store/work-items.ts'
import type { Exchange } from './exchange.ts'
import { learnAsMerged } from './unconfirmed.ts'

export type Alike = { patient: string; why: readonly Likeness[] }

export type Situation = {
  patient: string
  service: Service
  /** Revision the rest was read at; undefined: a person who is new here. */
  revision: number | undefined
  /** The person's resources on the service's shelf, and the workers their care team names. */
  record: Map<string, Stored>
  /** What other readers have: partner and referrer shelves, by 'shelf Type/id'. */
  told: Map<string, Stored>
  owed: Standing[]
  timers: Timer[]
  work: WorkItem[]
  /** What work items were about that are done. */
  done: ReadonlySet<string>
  /** What somebody decided to leave as it is, by what it is about. */
  left: ReadonlyMap<string, Left>
  /** Partners told under a consent that was a mistake, by its reference; read only when there is one nobody was asked about yet. */
  toldInError?: ReadonlyMap<string, readonly string[]>
  /** What was decided about this record and others that may be of the same person. */
  merges: Merge[]
  /** Records that may be of the same person; looked for only when something about who the person is was written. */
  alike?: readonly Alike[]
  /** They are looked for in this change, whatever is written. */
  seekAlike?: true
  /** Events that counted for nobody before, and count here from this change on; by id. */
  heard?: Set<string>
  /** The versions a merge found, where only one of the records had an agreement (unconfirmed.ts); by 'Patient/12/3'. */
  asMerged?: ReadonlyMap<string, Resource>
  /** Every override there ever was about this person. */
  overrides: Override[]
  directory: Directory
  adapters: ReadonlyMap<string, Adapter>
  signOffs: SignOffs
  /** How often HMPPS is asked about somebody; absent: there is nobody to ask. */
  looks?: LookPace
  now: Date
  publicUrl: string
}

export const serviceShelf = (service: string): string => `service:${service}`
export const partnerShelf = (partner: string): string => `partner:${partner}`
export const refOf = (resource: { resourceType: string; id?: string }): string => `${resource.resourceType}/${resource.id}`

/** A person nobody has heard of yet. */
export function newSituation(exchange: Exchange, service: Service, patient: string): Situation {
  return {
    ...surroundings(exchange),
    patient,
    service,
    revision: undefined,
    record: new Map(),
    told: new Map(),
    owed: [],
    timers: [],
    work: [],
    done: new Set(),
    left: new Map(),
    merges: [],
    overrides: [],
  }
}

/** The situation of a known person, or undefined when this service knows no such person. */
export async function situationOf(exchange: Exchange, patient: string): Promise<Situation | undefined> {
  const { database, directory } = exchange
  const person = await personOf(database, patient)
  const service = person && directory().services.get(person.service)
  if (!person || !service) return undefined
  const shelf = serviceShelf(service.id)
  const merges = person.joined ? await mergesOf(database, patient) : []
  const [own, told, owed, timers, work, overrides] = await Promise.all([
    storedOf(database, shelf, patient),
    shelvesOf(database, patient),
    owedAbout(database, patient, merges),
    timersOf(database, patient),
    workOf(database, patient),
    overridesOf(database, [patient]),
  ])
  const record = new Map(own.map((stored) => [`${stored.type}/${stored.id}`, stored]))
  for (const worker of await workersOf(exchange, shelf, resourcesOf(record))) record.set(`${worker.type}/${worker.id}`, worker)
  const situation: Situation = {
    ...surroundings(exchange),
    patient,
    service,
    revision: person.revision,
    record,
    told: new Map(told.map((row) => [`${row.shelf} ${row.type}/${row.id}`, row])),
    owed,
    timers,
    work: work.filter(({ resolvedAt }) => !resolvedAt),
    done: new Set(work.flatMap(({ about, resolvedAt }) => (resolvedAt ? [about] : []))),
    left: leftIn(work),
    merges,
    overrides: overrides.get(patient) ?? [],
  }
  await learnAsMerged(database, situation)
  return situation
}

/** The latest decision about each; `work` has the newest first. */
const leftIn = (work: readonly WorkItem[]): Map<string, Left> =>
  new Map(
    [...work]
      .reverse()
      .flatMap(({ about, words, resolvedAt, resolvedBy }) =>
        resolvedAt && resolvedBy ? [[about, { words, at: resolvedAt }] as const] : [],
      ),
  )

/** What is owed about a person, and what was owed about the handovers of this record while they were in another one. */
async function owedAbout(database: Database, patient: string, merges: readonly Merge[]): Promise<Standing[]> {
  const others = merges.some(({ state }) => state !== 'not-same') ? await everJoined(database, patient) : []
  const all = await Promise.all([patient, ...others].map((one) => standingOf(database, one)))
  return all.flat()
}

const surroundings = (exchange: Exchange) => ({
  directory: exchange.directory(),
  adapters: exchange.adapters,
  signOffs: exchange.signOffs?.() ?? nobodyAsks,
  ...(exchange.hmpps ? { looks: exchange.lookPace ?? usualLookPace } : {}),
  now: exchange.now(),
  publicUrl: exchange.publicUrl,
})

/** The resources of a record that are not deleted. */
export const resourcesOf = (record: ReadonlyMap<string, Stored>): Resource[] =>
  [...record.values()].flatMap((stored) => (stored.body ? [stored.body] : []))

export const ofType = <T extends Resource['resourceType']>(resources: readonly Resource[], type: T) =>
  resources.filter((resource): resource is Extract<Resource, { resourceType: T }> => resource.resourceType === type)

/** The referral itself was a mistake; what was made in error is not read, so the case has none at all. */
export const referralInError = (situation: Situation): boolean =>
  ofType(resourcesOf(situation.record), 'ServiceRequest').some(({ status }) => status === 'entered-in-error')

export const consentsOf = (situation: Situation): Consent[] => ofType(resourcesOf(situation.record), 'Consent')
export const tasksOf = (situation: Situation): Task[] => ofType(resourcesOf(situation.record), 'Task')

/** PractitionerRoles and Practitioners that the person's care teams name: they belong to the service, not to the person. */
export async function workersOf(exchange: Exchange, shelf: string, resources: readonly Resource[]): Promise<Stored[]> {
  const members = ofType(resources, 'CareTeam').flatMap((team: CareTeam) =>
    (team.participant ?? []).flatMap((one) => one.member?.reference ?? []),
  )
  const named = members.filter((ref) => /^Practitioner(Role)?\//.test(ref))
  if (!named.length) return []
  const found = await byRefs(exchange.database, shelf, named)
  const practitioners = found.flatMap((stored) =>
    stored.type === 'PractitionerRole' ? ((stored.body as PractitionerRole).practitioner?.reference ?? []) : [],
  )
  return practitioners.length ? [...found, ...(await byRefs(exchange.database, shelf, practitioners))] : found
}
