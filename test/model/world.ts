/**
 * One exchange, everybody around it, and what they know: what was said and acknowledged, what may have been, what partners got.
 */
import type { Bundle, Resource } from '@medplum/fhirtypes'
import { type Agreement, agrees, born, mayBeTold, nobody, type Recipient, type Said, type Standing } from './agreement.ts'
import type { Gate, Reply } from './gate.ts'
import { invariants, type Memory } from './invariants.ts'
import { type Arrival, type Partners, partners } from './partners.ts'
import { caseOf, kinds, names, wordOf } from './people.ts'
import { custodiesOf, decidedAbout, look } from './seen.ts'

/** The exchange said no, so that nothing is different. */
export class Refused extends Error {}

export type Write = { client: string; method: string; path: string; body: unknown; id: string; says?: Said }
type Done = Write & { at: string; status: number; version?: string }
export type Person = { n: number; patient: string; request?: string; service: 'tees-valley' | 'other-service' }

export type World = Awaited<ReturnType<typeof worldOf>>

export async function worldOf(open: (partners: Partners) => Promise<Gate>) {
  const line = partners()
  const gate = await open(line)
  const world = {
    gate,
    line,
    people: [] as Person[],
    /** Every standing that may be so: more than one while something was said and nobody knows whether it was taken. */
    standings: [nobody] as Standing[],
    /** Said, and not answered yet. */
    pending: [] as Write[],
    done: [] as Done[],
    /** Agreements are numbered as they are written. */
    agreements: 0,
    /** Words of facts without a label; and those that were acknowledged. */
    unlabelled: [] as string[],
    noted: [] as string[],
    /** Referrals as they were sent, and what they are known by here. */
    sent: [] as { by: string; message: Bundle; request: string }[],
    found: [] as string[],
    counts: new Map<string, number>(),
    awake: true,
    memory: undefined as unknown as Memory,
  }
  const told = (text: string, to: Recipient, at: string) =>
    world.people.flatMap(({ n }) =>
      kinds
        .filter((kind) => text.includes(wordOf(n, kind)))
        .filter((kind) => !possible(world).some((standing) => mayBeTold(standing, n, to, kind, at)))
        .map((kind) => ({ who: names[n] as string, kind })),
    )
  world.memory = {
    arrivals: line.arrivals,
    asked: { first: 0 },
    ...{
      decided: new Map(),
      over: new Map(),
      owed: new Set(),
      custodies: new Map(),
      joined: new Set<string>(),
      hurried: new Set<string>(),
    },
    mayBeTold: told,
    mayHear: (patient, to, at) => {
      const person = world.people.find((one) => one.patient === `Patient/${patient}`)
      if (!person || !to) return true
      const same = (standing: Standing) => world.people.filter(({ n }) => standing.home[n] === standing.home[person.n])
      return possible(world).some((standing) => same(standing).some(({ n }) => mayBeTold(standing, n, to, 'identity', at)))
    },
    unlabelled: world.unlabelled,
  }
  line.onArrival = ({ to, text, from }: Arrival) => {
    counted(world, `to ${to}`)
    world.found.push(...told(text, to, from).map(({ kind, who }) => `2: ${to} was sent ${kind} of ${who}`))
  }
  return world
}

export const counted = ({ counts }: Pick<World, 'counts'>, what: string, by = 1) => void counts.set(what, (counts.get(what) ?? 0) + by)

/** Each thing said and not answered may have been taken or not. */
const possible = ({ standings, pending }: Pick<World, 'standings' | 'pending'>): Standing[] =>
  pending.reduce((all, { says }) => (says ? all.concat(all.map(says)) : all), standings)

/** @throws Refused when the exchange says no */
export async function write<Body = Resource>(world: World, one: Omit<Write, 'id'>): Promise<Reply<Body>> {
  const said: Write = { ...one, id: crypto.randomUUID() }
  world.pending.push(said)
  return send<Body>(world, said)
}

async function send<Body = Resource>(world: World, said: Write): Promise<Reply<Body>> {
  const { client, method, path, body, id, says } = said
  const answer = await world.gate.call<Body>(client, method, path, body, { 'x-request-id': id })
  const { status, text } = answer
  world.pending = world.pending.filter((one) => one !== said)
  if (status >= 500) throw new Error(`${method} ${path.replaceAll(/[0-9a-f-]{36}/g, '...')} is answered ${status}: ${text}`)
  // A repeat of a message that was taken is a duplicate.
  const taken = status < 300 || (status === 409 && path.endsWith('$process-message') && text.includes('"duplicate"'))
  if (!taken) throw new Refused(`${status} ${text}`)
  if (says) world.standings = unlike(world.standings.map(says))
  world.done.push({ ...said, at: world.gate.now(), status, ...versionIn(answer) })
  return answer
}

const versionIn = ({ body }: Reply<unknown>): { version?: string } => {
  const { resourceType, id, meta } = (body ?? {}) as Resource
  return id && meta?.versionId && resourceType !== 'Bundle' ? { version: `${resourceType}/${id} ${meta.versionId}` } : {}
}

const unlike = (standings: readonly Standing[]): Standing[] => [...new Map(standings.map((one) => [JSON.stringify(one), one])).values()]

/**
 * After a death: whoever got no answer asks again under the same id, or gives up, and then nobody knows.
 *
 * @param again does the sender ask again?
 */
export async function afterDeath(world: World, again: boolean): Promise<void> {
  for (const said of [...world.pending]) {
    if (again || said.path.includes('merge')) {
      counted(world, 'asked again after a crash')
      await send(world, said).catch((error) => {
        if (!(error instanceof Refused)) throw error
      })
    } else {
      world.pending = world.pending.filter((one) => one !== said)
      if (said.says) world.standings = unlike([...world.standings, ...world.standings.map(said.says)])
    }
  }
}

/** The last one again, word for word: nothing is written, and it is answered as before. */
export async function repeat(world: World, which: number): Promise<void> {
  const { gate, done } = world
  const first = done.at(-1 - (which % Math.min(done.length, 5)))
  // Answers are kept for a time, and so is the promise.
  if (!first || Date.parse(gate.now()) - Date.parse(first.at) > 86_400_000) return
  const tables = await gate.rows<{ name: string }>(`select name from sqlite_master where type = 'table' and name not like 'sqlite%'`)
  const count = () =>
    Promise.all(tables.map(async ({ name }) => `${name} ${(await gate.rows<{ n: number }>(`select count(*) as n from "${name}"`))[0]?.n}`))
  const before = await count()
  const { status, text } = await gate.call(first.client, first.method, first.path, first.body, { 'x-request-id': first.id })
  const after = await count()
  // What a partner is shown again is decided anew, and that is in the audit.
  const looks = (line: string) => line.startsWith('audit ') && !first.client.endsWith('-system')
  const different = after.filter((line, n) => line !== before[n] && !looks(line))
  const what = `${first.method} ${first.path.replaceAll(/[0-9a-f-]{36}/g, '...')}`
  if (different.length) world.found.push(`6: a repeat of ${what} wrote ${different.join(', ')}`)
  const asBefore = status === first.status || (first.path.endsWith('$process-message') && status === 409)
  if (!asBefore) world.found.push(`6: a repeat of ${what} was answered ${status}, not ${first.status}: ${text.slice(0, 200)}`)
}

/** Somebody handed in by their service. */
export async function handIn(world: World, given: { releaseDate: string; plan: readonly Recipient[]; to: Agreement['to']; until: string }) {
  const agreement: Agreement = { n: ++world.agreements, at: said(world), until: given.until, to: given.to }
  // Known before they are handed in, so that what is told at once is told about somebody.
  const person = arrives(world, [agreement])
  const answer = await write<{ entry?: { response?: { location?: string } }[] }>(world, {
    client: 'case-system',
    method: 'POST',
    path: '/fhir',
    body: caseOf(person.n, { ...given, agreement }),
  })
  const places = (answer.body.entry ?? []).flatMap(({ response }) => response?.location?.match(/([A-Za-z]+\/[^/]+)\/_history/)?.[1] ?? [])
  const [patient, request] = ['Patient/', 'ServiceRequest/'].map((type) => places.find((place) => place.startsWith(type)))
  Object.assign(person, { patient, request })
}

/** Somebody is going to be on record, whether or not it is acknowledged. @returns their number */
export function arrives(world: World, agreements: Agreement[]): Person {
  const person: Person = { n: world.people.length, patient: '', service: 'tees-valley' }
  world.people.push(person)
  world.standings = world.standings.map(born(agreements))
  return person
}

/** Everything that does not hold now. */
export async function broken(world: World): Promise<string[]> {
  const { gate, memory } = world
  const seen = await look(gate, world.awake)
  const delivered = new Set(seen.outbox.flatMap(({ id, state }) => (state === 'delivered' ? [id] : [])))
  const unclear = memory.arrivals.flatMap(({ key }) => ((memory.decided.get(key) ?? 0) < (delivered.has(key) ? 2 : 1) ? [key] : []))
  if (unclear.length) for (const [key, times] of await decidedAbout(gate, new Set(unclear))) memory.decided.set(key, times)
  const lines = world.found.splice(0)
  for (const { number, broken: check } of invariants) for (const what of new Set(check(seen, memory))) lines.push(`${number}: ${what}`)
  memory.custodies = new Map(
    world.people.map(({ patient }) => [patient.split('/')[1] as string, custodiesOf(seen, patient.split('/')[1] as string)]),
  )
  return lines
}

/** No two at one moment, as in real time: nobody could tell which of them came last. */
const said = ({ gate, agreements }: World): string => new Date(Date.parse(gate.now()) - 1_000 + agreements).toISOString()
export const agree = (world: World, person: number, to: Agreement['to'], until: string, replaces?: number) => {
  const agreement: Agreement = { n: ++world.agreements, at: said(world), until, to }
  return { agreement, says: agrees(person, agreement, replaces) }
}
/** The facts nobody gave a label. */
export const secret = (world: World): string => {
  const word = `Unlabelled${world.unlabelled.length}said`
  world.unlabelled.push(word)
  return word
}
