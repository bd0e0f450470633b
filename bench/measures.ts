/**
 * What is measured, ours and right after it the bare limit doing the same work without logic.
 */
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { type BenchCase, cases, partnerKinds, puller } from './case.ts'
import { caseSystem, type Gateway, type Server } from './gateway.ts'
import { type Call, hammer, type Loader, loader, sleep, steadily, type Timed, timed } from './load.ts'
import type { Partners } from './partner.ts'
import type { Row } from './table.ts'

export type Size = { cases: number; seconds: number; rates: readonly number[] }
export const sizes: Record<'small' | 'full', Size> = {
  small: { cases: 40, seconds: 0.3, rates: [20] },
  full: { cases: 600, seconds: 4, rates: [10, 20, 100] },
}

export type Stage = { size: Size; gateway: Gateway; bare: Server; partners: Partners; say: (row: Row) => void }

const mostHeldSeconds = 15
const partnersOfCase = Object.keys(partnerKinds).length

export async function measure({ size, gateway, bare, partners, say }: Stage) {
  const ours = loader(gateway.url)
  const limit = loader(bare.url)
  let person = 0
  const people = (count: number): BenchCase[] => {
    person += count
    return cases(person - count, count)
  }
  const setup = (body: object) => limit.must({ method: 'POST', path: '/setup', body: Buffer.from(JSON.stringify(body)) })

  say({ name: 'start to /health', unit: 'ms', ours: gateway.startMs, bare: bare.startMs, aim: '< 1000' })
  await sleep(1000)
  say({ name: 'memory, idle', unit: 'MiB', ours: gateway.memory(), bare: bare.memory(), aim: '< 130' })

  // What runs for the first time is slower: nobody measures the first people.
  const first = people(Math.ceil(size.cases / 8))
  partners.keepTexts = true
  const service = await gateway.as(caseSystem)
  await hammer(ours, (n) => intake(first[n], service))
  await arrivals(partners, first.length * partnersOfCase)
  const message = partners.arrived[0]?.text ?? ''
  partners.keepTexts = false

  // Intake while the partners hold their answers: taking in alone, and a backlog to drain after it.
  const before = rowsOf(gateway)
  const given = people(size.cases)
  partners.forget()
  partners.hold()
  // An attempt is given up after half a minute: the partners do not hold out longer than this.
  const taken = await withCpu(gateway, () => hammer(ours, (n) => intake(given[n], service), { seconds: mostHeldSeconds }))
  given.length = taken.count
  const wrote = difference(rowsOf(gateway), before, given.length)
  await setup({ tables: wrote, message })
  const bareTaken = await hammer(limit, (n) => intake(given[n]))
  say({ name: 'intake of a whole case', unit: '/s', ...of(taken), bare: bareTaken.perSecond, aim: '200; 0.25', least: 0.25 })

  const waiting = given.length * partnersOfCase - partners.count()
  const drained = await withCpu(gateway, async () => {
    const began = performance.now()
    partners.letGo()
    await arrivals(partners, given.length * partnersOfCase)
    return { perSecond: (waiting / (performance.now() - began)) * 1000, count: waiting }
  })
  const bareDrain = performance.now()
  await limit.must({ method: 'POST', path: '/drain', body: Buffer.from(JSON.stringify({ count: waiting, to: urls(partners) })) })
  say({ name: 'backlog drained, messages', unit: '/s', ...of(drained), bare: (waiting / (performance.now() - bareDrain)) * 1000 })
  await settled(gateway)

  await reading({ size, gateway, partners, ours, limit, setup, say, given })
  say({ name: 'memory, after reading', unit: 'MiB', ours: gateway.memory(), bare: bare.memory() })

  await setup({ tables: wrote, message })
  for (const rate of size.rates) {
    const some = people(Math.max(10, Math.round(rate * size.seconds)))
    const headers = await gateway.as(caseSystem)
    const ourTimes = await delivery(partners, some.length, rate, (n) => ours.must(intake(some[n], headers) as Call))
    await settled(gateway)
    const to = urls(partners).join(',')
    const bareTimes = await delivery(partners, some.length, rate, (n) =>
      limit.must({ ...(intake(some[n]) as Call), path: `/intake?to=${to}` }),
    )
    say({
      name: `request to partner's socket, ${rate} cases/s`,
      unit: 'ms',
      ...of(ourTimes),
      bareP50: bareTimes.p50,
      aim: 'p50 < 10, p99 < 100',
    })
  }

  const rush = people(size.cases)
  const headers = await gateway.as(caseSystem)
  const journey = await withCpu(gateway, () => throughout(partners, rush.length, () => hammer(ours, (n) => intake(rush[n], headers))))
  const to = urls(partners).join(',')
  const bareJourney = await throughout(partners, rush.length, () =>
    hammer(limit, (n) => rush[n] && { ...(intake(rush[n]) as Call), path: `/intake?to=${to}` }),
  )
  say({ name: 'intake to the last partner told, cases', unit: '/s', ...of(journey), bare: bareJourney.perSecond })
  say({ name: 'memory, after all', unit: 'MiB', ours: gateway.memory(), bare: bare.memory() })
  ours.close()
  limit.close()
}

const intake = (one: BenchCase | undefined, headers?: Record<string, string>): Call | undefined =>
  one && { method: 'POST', path: headers ? '/fhir' : '/intake', body: one.body, ...(headers ? { headers } : {}) }

const urls = (partners: Partners): string[] => Object.keys(partnerKinds).map((id) => `${partners.url}/${id}/$process-message`)

type Reading = Pick<Stage, 'size' | 'gateway' | 'partners' | 'say'> & {
  ours: Loader
  limit: Loader
  setup: (body: object) => Promise<Buffer>
  given: readonly BenchCase[]
}

/** Read, search and a partner's pull: ours are asked about as many people as the bare limit, and give as many bytes. */
async function reading({ size, gateway, ours, limit, setup, say, given }: Reading) {
  const service = await gateway.as(caseSystem)
  const partner = await gateway.as(puller)
  const nhs = encodeURIComponent('https://fhir.nhs.uk/Id/nhs-number|')
  const asked = given.slice(0, 200)
  const searches = {
    plan: { path: (one: BenchCase) => `/fhir/CarePlan?patient.identifier=${nhs}${one.nhsNumber}`, headers: service },
    family: { path: (one: BenchCase) => `/fhir/Patient?family=${one.family}`, headers: service },
    status: { path: () => '/fhir/Task?status=requested&_count=20', headers: service },
    pull: {
      path: (one: BenchCase) => `/fhir/CarePlan?patient.identifier=${nhs}${one.nhsNumber}&status=active&_include=CarePlan:patient`,
      headers: partner,
    },
  }
  const keys: string[] = []
  const texts: Record<string, string[]> = {}
  for (const [name, { path, headers }] of Object.entries(searches)) {
    for (const [n, one] of asked.entries()) {
      const { entry } = JSON.parse((await ours.must({ path: path(one), headers })).toString()) as { entry?: { resource: Resource }[] }
      if (!entry?.length) throw new Error(`nothing was found: ${name}`)
      texts[`${name}${n}`] = entry.map(({ resource }) => JSON.stringify(resource))
      if (name === 'pull') continue
      for (const { resource } of entry) {
        const key = `${resource.resourceType}/${resource.id}`
        if (!texts[key]) keys.push(key)
        texts[key] ??= [JSON.stringify(resource)]
      }
    }
  }
  await setup({ texts })

  const during = { seconds: size.seconds }
  const pick = <T>(from: readonly T[], n: number): T => from[(n * 7) % from.length] as T
  const read = await withCpu(gateway, () => hammer(ours, (n) => ({ path: `/fhir/${pick(keys, n)}`, headers: service }), during))
  const bareRead = await hammer(limit, (n) => ({ path: `/read/${encodeURIComponent(pick(keys, n))}` }), during)
  say({ name: 'read', unit: '/s', ...of(read), bare: bareRead.perSecond, aim: '3000; 0.4', least: 0.4 })

  const names = {
    plan: 'search CarePlan?patient.identifier=',
    family: 'search Patient?family=',
    status: 'search Task?status=, 20 a page',
    pull: 'pull CarePlan with its Patient, as a partner',
  }
  for (const [name, { path, headers }] of Object.entries(searches)) {
    const found = await withCpu(gateway, () => hammer(ours, (n) => ({ path: path(pick(asked, n)), headers }), during))
    const bareFound = await hammer(limit, (n) => ({ path: `/search?key=${name}${(n * 7) % asked.length}` }), during)
    const aim = name === 'pull' ? '0.4' : name === 'status' ? '' : '2000; 0.4'
    say({ name: names[name as keyof typeof names], unit: '/s', ...of(found), bare: bareFound.perSecond, aim, least: 0.4 })
  }
}
type Resource = { resourceType: string; id: string }

/** Milliseconds from a case sent to each partner's socket having its message, at a steady rate. */
async function delivery(partners: Partners, count: number, rate: number, send: (n: number) => Promise<unknown>): Promise<Timed> {
  partners.forget()
  const sent: number[] = []
  const began = performance.now()
  const before = partners.count()
  await steadily(count, rate, async (n) => {
    sent[n] = performance.now()
    await send(n)
  })
  await arrivals(partners, before + count * partnersOfCase)
  // Messages of one partner arrive in the order of their cases, or nearly: the nth arrival is the nth case's.
  const places = Map.groupBy(partners.arrived, ({ partner }) => partner)
  const times = [...places.values()].flatMap((arrived) => arrived.map(({ at }, n) => at - (sent[n] ?? at)))
  return timed(times, performance.now() - began)
}

async function throughout(partners: Partners, count: number, send: () => Promise<unknown>) {
  partners.forget()
  const began = performance.now()
  await send()
  await arrivals(partners, count * partnersOfCase)
  return { perSecond: (count / (performance.now() - began)) * 1000, count }
}

async function arrivals(partners: Partners, count: number) {
  for (let seen = -1, quiet = 0; partners.count() < count; ) {
    await sleep(2)
    quiet = seen === partners.count() ? quiet + 2 : 0
    seen = partners.count()
    if (quiet > 20_000) throw new Error(`${count - seen} messages never arrived`)
  }
}

/** Until what the gateway does after the last arrival is written down too: it uses no processor for a while. */
async function settled(gateway: Gateway) {
  for (let used = -1; gateway.cpuMs() - used > 20; ) {
    used = gateway.cpuMs()
    await sleep(250)
  }
}

async function withCpu<T extends { count: number }>(gateway: Gateway, work: () => Promise<T>): Promise<T & { cpu: number }> {
  const before = gateway.cpuMs()
  const result = await work()
  return { ...result, cpu: (gateway.cpuMs() - before) / result.count }
}

const of = ({ perSecond, p50, p99, cpu }: { perSecond: number; p50?: number; p99?: number; cpu?: number }) => ({
  ours: perSecond,
  ...(p50 === undefined ? {} : { p50 }),
  ...(p99 === undefined ? {} : { p99 }),
  ...(cpu === undefined ? {} : { cpu }),
})

type Rows = Record<string, { rows: number; bytes: number }>

/** What stands in the gateway's tables, read from outside. */
function rowsOf({ dataDir }: Gateway): Rows {
  const database = new Sqlite(join(dataDir, 'exchange.db'), { readonly: true })
  const tables = database
    .prepare(`select name from sqlite_master where type = 'table' and name not glob '*_migrations' and name not glob 'sqlite_*'`)
    .all()
  const rows = (tables as { name: string }[]).map(({ name }) => {
    const columns = (database.pragma(`table_info("${name}")`) as { name: string }[]).map(
      (column) => `coalesce(length("${column.name}"), 0)`,
    )
    return [name, database.prepare(`select count(*) as rows, coalesce(sum(${columns.join(' + ')}), 0) as bytes from "${name}"`).get()]
  })
  database.close()
  return Object.fromEntries(rows)
}

/** For each table the rows one case adds, and the bytes in each. */
function difference(after: Rows, before: Rows, count: number): Record<string, [rows: number, bytes: number]> {
  const each = Object.entries(after).map(([name, { rows, bytes }]): [string, [number, number]] => {
    const more = rows - (before[name]?.rows ?? 0)
    return [name, [Math.round(more / count), Math.round((bytes - (before[name]?.bytes ?? 0)) / Math.max(1, more))]]
  })
  return Object.fromEntries(each.filter(([, [rows]]) => rows > 0))
}
