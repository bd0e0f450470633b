/**
 * The account: every acknowledged request is found again, every partner was told what it was owed, once, in order, and nothing
 * after the person took back their agreement.
 */
import { join } from 'node:path'
import type { Bundle, CarePlan, Consent, Resource } from '@medplum/fhirtypes'
import Sqlite from 'better-sqlite3'
import { nhsNumber } from '../src/fhir/systems.ts'
import type { Client } from './client.ts'
import type { Load } from './load.ts'
import type { Arrival, Partners } from './partners.ts'
import { canDropRepeats, type Person, partnerNames, refOf } from './people.ts'
import type { Server } from './server.ts'

type Given = { server: Server; client: Client; partners: Partners; load: Load; findings: string[] }
type Line = [string, string]

/** Bytes that were on their way when the acknowledgement was; both ends are read by the same process, one after the other. */
const onTheWayMs = 250

/** Adds what is wrong to `findings`. @returns the lines of the table */
export async function account(given: Given): Promise<Line[]> {
  const { load, client, findings } = given
  findings.push(...load.odd)
  const before = findings.length
  const record = await accountOfRecord(given)
  const lost = findings.length - before
  const told = accountOfPartners(given)
  const database = accountOfDatabase(given)
  return [['acknowledged writes', String(client.tally.acknowledged)], ...record, ['lost', String(lost)], ...told, ...database]
}

/** What was acknowledged is there at its version; what was not is there wholly or not at all. */
async function accountOfRecord({ client, load, findings }: Given): Promise<Line[]> {
  const { people, answers } = load
  let [halves, unknown, repeated, read] = [0, 0, 0, 0]
  const get = async <R extends Resource>(who: string, path: string): Promise<R | undefined> => {
    const answer = await client.send(who, { method: 'GET', path: `/fhir/${path}` }, 5)
    read++
    return answer?.status === 200 ? (JSON.parse(answer.text) as R) : undefined
  }
  const lost = (what: string) => findings.push(`LOST ${what}`)

  await together(people, async (person) => {
    const found = await get<Bundle>(person.client, `Patient?identifier=${nhsNumber}|${person.nhsNumber}`)
    const ids = (found?.entry ?? []).map(({ resource }) => resource?.id as string)
    if (ids.length > 1) findings.push(`TWICE person ${person.n} was made ${ids.length} times under one X-Request-Id`)
    if (person.tries > 1) repeated++
    if (person.places) {
      if (ids.length === 0) lost(`person ${person.n}`)
      for (const place of person.places) if (!(await get(person.client, place))) lost(`${place} of person ${person.n}`)
    } else {
      unknown++
      if (ids.length === 0) return
      halves += await isHalf(person, ids[0] as string)
    }
    await accountOfWrites(person)
  })

  /** Handed in, never acknowledged, and there: then all of it. */
  async function isHalf(person: Person, id: string): Promise<number> {
    const expected = new Map<string, number>()
    for (const { resource } of person.bundle.entry ?? []) {
      const type = resource?.resourceType as string
      if (/^(Patient|Practitioner|PractitionerRole)$/.test(type)) continue
      expected.set(type, (expected.get(type) ?? 0) + 1)
    }
    for (const [type, count] of expected) {
      const found = await get<Bundle>(person.client, `${type}?patient=Patient/${id}&_count=200`)
      if ((found?.entry?.length ?? 0) < count) {
        findings.push(`HALF person ${person.n}: ${found?.entry?.length ?? 0} ${type} of ${count}`)
        return 1
      }
    }
    return 0
  }

  /** Each acknowledged version says what was sent. */
  async function accountOfWrites(person: Person) {
    for (const { what, version } of person.plans.slice(1)) {
      if (version === undefined) continue
      const plan = await get<CarePlan>(person.client, `${refOf(person, 'CarePlan')}/_history/${version}`)
      const said = plan?.activity?.map(({ detail }) => detail?.description).join()
      if (said !== partnerNames.map((name) => what[name]).join()) lost(`version ${version} of the plan of person ${person.n}`)
    }
    for (const { what, version } of person.consents) {
      if (version === undefined) continue
      const consent = await get<Consent>(person.client, `${refOf(person, 'Consent')}/_history/${version}`)
      const permits = consent && (consent.provision?.provision ?? []).filter(({ type }) => type === 'permit').length
      if (permits !== what.length) lost(`version ${version} of the agreement of person ${person.n}`)
    }
  }

  const acknowledged = answers.filter(({ version }) => version !== undefined)
  await together(acknowledged, async ({ partner, task, said, version }) => {
    const now = await get(partner, `Task/${task}`)
    if (!(Number(now?.meta?.versionId) >= (version as number)))
      lost(`the answer “${said}” for Task/${task}: it is at ${now?.meta?.versionId}`)
  })

  const writes = people.flatMap(({ plans, consents }) => [...plans.slice(1), ...consents])
  return [
    ['  cases', `${people.length - unknown} (${repeated} sent more than once)`],
    ['  plans changed', String(people.flatMap(({ plans }) => plans.slice(1)).filter(({ version }) => version).length)],
    ['  agreements taken back', String(people.flatMap(({ consents }) => consents).filter(({ version }) => version).length)],
    ["  partners' answers", String(acknowledged.length)],
    ['never acknowledged', `${unknown} cases, ${writes.filter(({ version }) => !version).length} changes`],
    ['read back', String(read)],
    ['half there', String(halves)],
  ]
}

/** What each partner was sent. */
function accountOfPartners({ partners, load, findings }: Given): Line[] {
  const whole = partners.arrivals.filter((one) => one.whole)
  const byKey = groupBy(whole, ({ key }) => key)
  let [contradictory, outOfOrder, untold, late, blind, twice] = [0, 0, 0, 0, 0, 0]
  const find = (kind: string, words: string): 1 => {
    findings.push(`${kind} ${words}`)
    return 1
  }

  for (const [key, same] of byKey) {
    if (new Set(same.map(({ print, partner }) => print + partner)).size > 1) contradictory += find('CONTRADICTORY', `message ${key}`)
    const [first] = same as [Arrival, ...Arrival[]]
    if (canDropRepeats(first.partner)) continue
    const repeat = same.findIndex((one, n) => n > 0 && !same[n - 1]?.refused && one.at < partners.mendedAt)
    if (repeat > 0) blind += find('BLIND', `message ${key} was repeated to ${first.partner}, which can not tell`)
  }

  const firsts = [...byKey.values()].map(([first]) => first as Arrival)
  const byTask = groupBy(firsts, ({ task }) => task)
  for (const [task, messages] of byTask) {
    const keys = messages.map(({ key }) => key)
    const content = messages.filter((one) => one.content)
    const revoked = messages.findIndex((one) => one.revoked)
    // A key is made when the message is owed (UUID version 7): its order is the order in which they were owed.
    if (keys.join() !== [...keys].sort().join()) outOfOrder += find('OUT OF ORDER', `Task/${task}: ${keys.join(', ')}`)
    else if (content.length > 0 && content[0]?.reason !== 'new') outOfOrder += find('OUT OF ORDER', `Task/${task} opens with an update`)
    else if (revoked >= 0 && revoked < messages.length - 1) outOfOrder += find('OUT OF ORDER', `Task/${task} goes on after it was revoked`)
    if (messages.filter(({ reason }) => reason === 'new').length > 1) twice += find('TWICE', `Task/${task} was new twice`)
    for (const [n, one] of content.entries())
      if (n > 0 && one.meaning === content[n - 1]?.meaning)
        twice += find('TWICE', `Task/${task} was told the same under another key: ${one.key}`)
  }

  let latest = 0
  let stopped = 0
  const byPatient = groupBy(firsts, ({ patient }) => patient)
  for (const person of load.people) {
    if (!person.places) continue
    const theirs = byPatient.get(refOf(person, 'Patient').split('/')[1] as string) ?? []
    for (const name of partnerNames) {
      const partner = person.partners[name]
      const messages = theirs.filter((one) => one.partner === partner)
      const content = messages.filter((one) => one.content)
      const takenBack = person.consents.find(({ what }) => !what.includes(name))
      const withdrawal = person.consents.find(({ what, version }) => version !== undefined && !what.includes(name))
      if (withdrawal) {
        const { at, wall } = withdrawal as { at: number; wall: number }
        for (const one of partners.arrivals.filter(
          ({ content, patient, partner: to }) => content && to === partner && patient === theirs[0]?.patient,
        )) {
          const madeAt = Number.parseInt(one.key.replaceAll('-', '').slice(0, 12), 16)
          latest = Math.max(latest, one.at - at)
          if (madeAt > wall) late += find('AFTER WITHDRAWAL', `message ${one.key} to ${partner} about person ${person.n} was made after it`)
          else if (one.at > at + onTheWayMs)
            late += find(
              'AFTER WITHDRAWAL',
              `message ${one.key} to ${partner} about person ${person.n}, ${Math.round(one.at - at)} ms after`,
            )
        }
        if (content.length > 0) {
          stopped++
          if (!messages.at(-1)?.revoked) untold += find('UNTOLD', `${partner} was not told to stop for person ${person.n}`)
        }
      } else if (!takenBack) {
        if (content.length === 0) untold += find('UNTOLD', `${partner} never heard of person ${person.n}`)
        else if (!sayings(person, name).has(content.at(-1)?.asked.join() ?? ''))
          untold += find('UNTOLD', `${partner} holds an older plan of person ${person.n}: ${content.at(-1)?.asked.join()}`)
      }
    }
  }

  return [
    ['arrivals at partners', `${partners.arrivals.length} (${partners.arrivals.length - whole.length} broken off)`],
    ['messages delivered', String(byKey.size)],
    ['repeats under the same key', String(whole.length - byKey.size)],
    ['handovers', String(byTask.size)],
    ['told to stop', String(stopped)],
    ['untold', String(untold)],
    ['contradictory', String(contradictory)],
    ['the same under another key', String(twice)],
    ['blind repeats', String(blind)],
    ['out of order', String(outOfOrder)],
    [
      'content after withdrawal',
      `${late}${latest > 0 ? ` (last bytes ${latest.toFixed(0)} ms after the acknowledgement, on their way)` : ''}`,
    ],
  ]
}

/** What the partner may hold at the end: the last acknowledged plan, or one sent later that may or may not have been taken. */
function sayings(person: Person, name: (typeof partnerNames)[number]): Set<string> {
  const last = person.plans.findLastIndex(({ version }) => version !== undefined)
  return new Set(person.plans.slice(last).map(({ what }) => what[name]))
}

/** The file itself. */
function accountOfDatabase({ server, partners, findings }: Given): Line[] {
  const sqlite = new Sqlite(join(server.dataDir, 'exchange.db'), { readonly: true })
  try {
    const integrity = sqlite.pragma('integrity_check', { simple: true }) as string
    if (integrity !== 'ok') findings.push(`DATABASE ${integrity}`)
    const states = sqlite.prepare('select state, count(*) as count from owed group by state').all() as { state: string; count: number }[]
    const waiting = states.filter(({ state }) => state === 'due' || state === 'sending')
    for (const { state, count } of waiting) findings.push(`WAITING ${count} messages are ${state}`)
    const mute = sqlite.prepare(`select id from owed where state in ('void', 'parked') and note is null`).all() as { id: string }[]
    for (const { id } of mute) findings.push(`WAITING message ${id} ended without a reason`)
    const arrived = new Set(partners.arrivals.flatMap(({ whole, key }) => (whole ? [key] : [])))
    const delivered = sqlite.prepare(`select id from owed where state = 'delivered'`).all() as { id: string }[]
    for (const { id } of delivered) if (!arrived.has(id)) findings.push(`LOST message ${id} counts as delivered and never arrived`)
    const known = new Set((sqlite.prepare('select id from owed').all() as { id: string }[]).map(({ id }) => id))
    for (const key of arrived) if (!known.has(key)) findings.push(`LOST message ${key} arrived and is not in the outbox`)
    return [
      ['outbox', states.map(({ state, count }) => `${count} ${state}`).join(', ')],
      ['integrity', integrity],
    ]
  } finally {
    sqlite.close()
  }
}

function groupBy<T>(list: readonly T[], key: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const one of list) {
    const group = groups.get(key(one))
    if (group) group.push(one)
    else groups.set(key(one), [one])
  }
  return groups
}

/** Sixteen at a time. */
async function together<T>(list: readonly T[], work: (one: T) => Promise<void>) {
  let n = 0
  const hand = async () => {
    for (let one = list[n++]; one !== undefined; one = list[n++]) await work(one)
  }
  await Promise.all(Array.from({ length: 16 }, hand))
}
