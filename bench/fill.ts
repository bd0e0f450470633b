/**
 * Fills a database with people who are as real as one handed in over HTTP, and far faster.
 *
 * One person is handed in to a real gateway. Everything it wrote about them (resources on all five shelves, audit, timers, work items)
 * is written again for each further person, with another's ids, numbers, name and times, through the store: sealed with a key of their
 * own, under terms of their own, in the store's own transactions, and the audit sealed behind it. The outbox is left out unless it is asked
 * for: a message that was delivered is not searched, but it is looked at when the person is.
 */
import { join } from 'node:path'
import { v7 as newId, v5 } from 'uuid'
import { type AuditRow, auditOf, recordAudit } from '../src/store/audit.ts'
import { sealAudit } from '../src/store/audit-seal.ts'
import { type Database, type Statement, statement } from '../src/store/database.ts'
import { type Owed, owe, owedOfPatient } from '../src/store/owed.ts'
import { newPerson } from '../src/store/people.ts'
import { columns, createResource, readStored, type Stored } from '../src/store/resources.ts'
import { openStore } from '../src/store/sealed.ts'
import { openSqlite } from '../src/store/sqlite.ts'
import { setTimer, type Timer } from '../src/store/timers.ts'
import { openWorkItem, type WorkItem, workOf } from '../src/store/work-items.ts'
import { type BenchCase, benchCase, service } from './case.ts'
import { caseSystem, type Gateway, masterKey, startGateway } from './gateway.ts'
import { loader } from './load.ts'
import type { Partners } from './partner.ts'
import { arrivals, intake, messagesOfCase, settled } from './stage.ts'

export type Filled = { people: number; resources: number; seconds: number }

/** All that stands about one person, and who they are. */
type About = { patient: string; resources: Stored[]; audit: AuditRow[]; timers: Timer[]; work: WorkItem[]; owed: Owed[] }
/**
 * The text of one person, cut where another's differs: text, what stands there, text, ...
 *
 * `derived`: an id that is made of the person's and another one, and which; the gateway makes it again whenever it looks.
 */
type Template = {
  parts: readonly string[]
  at: number
  first: BenchCase
  resources: number
  patient: string
  derived: ReadonlyMap<string, string>
}

/**
 * The first person of a fresh database in `folder`, handed in as anybody is.
 *
 * @param then what happens to them before everybody else is made like them, by the partners of this gateway
 */
export async function templateIn(
  folder: string,
  partners: Partners,
  then: { outbox?: true; happens?: (gateway: Gateway) => Promise<unknown> } = {},
): Promise<Template> {
  const first = benchCase(0)
  const gateway = await startGateway(partners.urls, folder)
  const load = loader(gateway.url)
  partners.forget()
  await load.must(intake(first, await gateway.as(caseSystem)) ?? { path: '/' })
  await arrivals(partners, messagesOfCase)
  await settled(gateway)
  await then.happens?.(gateway)
  load.close()
  await gateway.stop()

  const database = await openIn(folder)
  const resources = await readStored(database, statement(`select ${columns} from resource r`))
  const patient = resources.find(({ type }) => type === 'Patient')?.id as string
  const about: About = {
    patient,
    resources,
    audit: (await auditOf(database, patient)).reverse(),
    timers: await database.query<Timer>(statement('select patient, about, service, due_at as dueAt from timer')),
    work: await workOf(database, patient),
    owed: then.outbox ? await owedOfPatient(database, patient) : [],
  }
  await database.close()
  const own = [first.nhsNumber, first.noms, first.family].join('|')
  const differs = new RegExp(
    `(${own}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z)`,
  )
  const at = Date.parse(resources[0]?.lastUpdated as string)
  const parts = JSON.stringify(about).split(differs)
  const derived = new Map([...new Set(parts)].filter(isId).map((id) => [derivedFrom(patient, id), id]))
  return { parts, at, first, resources: resources.length, patient, derived }
}

const isId = (part: string): boolean => part.length === 36 && part.split('-').length === 5
/** As `exchange/consider.ts` makes the ids under which partners are told who the worker is. */
const derivedFrom = (patient: string, id: string): string => v5(`${patient}/${id}`, v5.URL)

const openIn = async (folder: string) => openStore(openSqlite(join(folder, 'exchange.db')), [masterKey])

const dayMs = 86_400_000
/** People come over so many days, the last one now. */
const days = 200
/** Units that wait for the disk together. */
const together = 16

/**
 * @param before what is there already, the template's person included
 * @param wanted resources there are to be at least, and at the last; `spread`: over the days before, not all at the same time
 */
export async function fill(
  folder: string,
  template: Template,
  before: Filled,
  { resources, last, spread = true }: { resources: number; last: number; spread?: boolean },
): Promise<Filled> {
  const began = performance.now()
  const database = await openIn(folder)
  const from = Math.max(1, before.people)
  const upTo = Math.ceil(resources / template.resources)
  const stepMs = (days * dayMs) / Math.ceil(last / template.resources)
  const start = template.at - days * dayMs
  let next = from
  const hand = async () => {
    for (let n = next++; n < upTo; n = next++)
      await database.atomically(unitOf(another(template, n, spread ? start + n * stepMs - template.at : 0)))
  }
  await Promise.all(Array.from({ length: together }, hand))
  await sealAll(database)
  await database.close()
  return { people: upTo, resources: upTo * template.resources, seconds: (performance.now() - began) / 1000 }
}

/** Person `n`, all of whose times are `laterMs` later (earlier, when it is less than nothing). */
function another({ parts, at, first, patient, derived }: Template, n: number, laterMs: number): About {
  const { nhsNumber, noms, family } = benchCase(n)
  const others = new Map([
    [first.nhsNumber, nhsNumber],
    [first.noms, noms],
    [first.family, family],
  ])
  const other = (part: string): string => {
    const known = others.get(part)
    if (known !== undefined) return known
    const from = derived.get(part)
    const fresh = from ? derivedFrom(other(patient), other(from)) : isId(part) ? idLike(part) : timeLike(part, at, laterMs)
    others.set(part, fresh)
    return fresh
  }
  const replaced = parts.map((part, place) => (place % 2 === 0 ? part : other(part)))
  return JSON.parse(replaced.join('')) as About
}

/** Of version 7, in the order they are made, where it was one; otherwise (version 5) of any order. */
const idLike = (id: string): string => (id.charAt(14) === '7' ? newId() : crypto.randomUUID())

/** What happened when the template was handed in moves; what is to come (a timer) stays. */
function timeLike(time: string, at: number, laterMs: number): string {
  const when = Date.parse(time)
  return Math.abs(when - at) < 60_000 ? new Date(when + laterMs).toISOString() : time
}

const unitOf = ({ patient, resources, audit, timers, work, owed }: About): Statement[] => [
  newPerson(patient, service),
  ...resources.flatMap(createResource),
  recordAudit(audit),
  ...timers.map(setTimer),
  ...work.map(openWorkItem),
  ...owed.flatMap(({ body, ...message }) => [
    ...owe({ ...message, body: body as string }),
    statement(`update owed set state = 'delivered', attempts = 1, settled_at = created_at where id = ?`, message.id),
  ]),
]

async function sealAll(database: Database): Promise<void> {
  while ((await sealAudit(database, new Date())).more);
}
