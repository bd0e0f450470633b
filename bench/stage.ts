/**
 * What every measure works with: the gateway and the bare limit, warmed up, partners that listen, and people nobody saw before.
 */
import { type BenchCase, cases, partnerKinds } from './case.ts'
import { caseSystem, type Gateway, type Server, startBare, startGateway } from './gateway.ts'
import { type Call, hammer, type Loader, loader, sleep } from './load.ts'
import { openPartners, type Partners } from './partner.ts'
import type { Row } from './table.ts'
import { difference, rowsOf, type Written } from './written.ts'

export type Size = {
  /** People handed in by a measure, and seconds one lasts. */
  cases: number
  seconds: number
  /** Cases a second for delivery times. */
  rates: readonly number[]
  /** Resources in the database, for searching in ever more of them. */
  resources: readonly number[]
  /** Open cases whose timers a day's are part of, and people whose release date is changed at once. */
  open: number
  moved: number
  /** Requests after which memory is looked at again. */
  requests: number
}
export const sizes: Record<'small' | 'full', Size> = {
  small: { cases: 40, seconds: 0.3, rates: [20], resources: [300, 900], requests: 300, open: 400, moved: 10 },
  full: {
    cases: 600,
    seconds: 4,
    rates: [10, 20, 100],
    resources: [10_000, 100_000, 1_000_000],
    requests: 100_000,
    open: 100_000,
    moved: 1_000,
  },
}

type Warm = { tables: Written; message: string }

/** One measure, known by its file's name. */
export type Measure = (stage: Stage) => Promise<void>

export type Stage = {
  size: Size
  gateway: Gateway
  bare: Server
  partners: Partners
  ours: Loader
  limit: Loader
  say(row: Row): void
  /** So many more people, each somebody else. */
  people(count: number): BenchCase[]
  /** Hands people in, or finds some that were, and waits until their partners were told. */
  known(count: number): Promise<BenchCase[]>
  /** What the bare limit is to write for each intake, and send; what it is to give when read. */
  setup(body: { tables?: Written; message?: string; texts?: Record<string, string[]> }): Promise<unknown>
  /** Runs what is to be measured a few times. @returns what the intake of one case was seen to write, and one of its messages */
  warm(): Promise<Warm>
}

export const partnerIds = Object.keys(partnerKinds)
export const messagesOfCase = partnerIds.length

export async function openStage(size: Size, say: (row: Row) => void): Promise<{ stage: Stage; close: () => Promise<void> }> {
  const partners = await openPartners(partnerIds)
  const bare = await startBare()
  const gateway = await startGateway(partners.urls)
  const ours = loader(gateway.url)
  const limit = loader(bare.url)
  const handedIn: BenchCase[] = []
  let person = 0
  const people = (count: number): BenchCase[] => {
    person += count
    return cases(person - count, count)
  }
  const handIn = async (some: readonly BenchCase[]) => {
    const headers = await gateway.as(caseSystem)
    await hammer(ours, (n) => intake(some[n], headers))
  }
  const known = async (count: number) => {
    if (handedIn.length < count) {
      const more = people(count - handedIn.length)
      partners.forget()
      await handIn(more)
      await arrivals(partners, more.length * messagesOfCase)
      handedIn.push(...more)
      await settled(gateway)
    }
    return handedIn.slice(0, count)
  }
  const setup: Stage['setup'] = (body) => limit.must({ method: 'POST', path: '/setup', body: Buffer.from(JSON.stringify(body)) })

  /** What runs for the first time is slower: nobody measures the first people. The next tell what an intake writes. */
  const warmUp = async (): Promise<Warm> => {
    partners.keepTexts = true
    await known(Math.ceil(size.cases / 8))
    const message = partners.arrived[0]?.text ?? ''
    partners.keepTexts = false
    const some = people(Math.ceil(size.cases / 16))
    partners.forget()
    partners.hold()
    const before = rowsOf(gateway)
    await handIn(some)
    const tables = difference(rowsOf(gateway), before, some.length)
    partners.letGo()
    await arrivals(partners, some.length * messagesOfCase)
    await settled(gateway)
    return { tables, message }
  }

  let warm: Promise<Warm> | undefined
  const stage: Stage = {
    ...{ size, gateway, bare, partners, ours, limit, say, people, known, setup },
    warm: () => {
      warm ??= warmUp()
      return warm
    },
  }
  const close = async () => {
    ours.close()
    limit.close()
    await Promise.all([gateway.stop(), bare.stop()])
    partners.close()
  }
  return { stage, close }
}

export const intake = (one: BenchCase | undefined, headers?: Record<string, string>): Call | undefined =>
  one && { method: 'POST', path: headers ? '/fhir' : '/intake', body: one.body, ...(headers ? { headers } : {}) }

/** @throws when nothing arrives for twenty seconds and not all have */
export async function arrivals(partners: Pick<Partners, 'count'>, count: number) {
  for (let seen = -1, quiet = 0; partners.count() < count; ) {
    await sleep(2)
    quiet = seen === partners.count() ? quiet + 2 : 0
    seen = partners.count()
    if (quiet > 20_000) throw new Error(`${count - seen} messages never arrived`)
  }
}

/** Until what the gateway does after the last arrival is written down too: it uses no processor for a while. */
export async function settled(gateway: Gateway) {
  for (let used = -1; gateway.cpuMs() - used > 20; ) {
    used = gateway.cpuMs()
    await sleep(250)
  }
}

/** With the processor time the gateway used for each. */
export async function withCpu<T extends { count: number }>(gateway: Gateway, work: () => Promise<T>): Promise<T & { cpu: number }> {
  const before = gateway.cpuMs()
  const result = await work()
  return { ...result, cpu: (gateway.cpuMs() - before) / result.count }
}

/** The part of a row that was measured. */
export const measured = ({ perSecond, p50, p99, cpu }: { perSecond: number; p50?: number; p99?: number; cpu?: number }) => ({
  ours: perSecond,
  ...(p50 === undefined ? {} : { p50 }),
  ...(p99 === undefined ? {} : { p99 }),
  ...(cpu === undefined ? {} : { cpu }),
})
