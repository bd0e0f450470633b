/**
 * `case FILE`: what would become of a Bundle, before anybody sends it. It goes through the whole journey in an exchange that lives
 * in memory for as long as it takes; nothing is kept and nobody is told.
 *
 * What is printed says where information stands in the file and what kind it is, never what it says.
 */
import { randomBytes } from 'node:crypto'
import type { Bundle, Parameters, ParametersParameter, Resource, Task } from '@medplum/fhirtypes'
import { readDirectory } from '../access/directory-file.ts'
import { allowedFor } from '../channels/address.ts'
import { today } from '../domain/calendar.ts'
import type { Directory } from '../domain/directory.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { outlook } from '../exchange/explain.ts'
import { outcomeOf } from '../exchange/referral-answer.ts'
import { situationOf } from '../exchange/situation.ts'
import { stepsOf } from '../exchange/steps.ts'
import { isReferralAnswer } from '../exchange/task.ts'
import { Refusal } from '../fhir/outcome.ts'
import { migrate } from '../store/migrate.ts'
import { openStore } from '../store/sealed.ts'
import { openSqlite } from '../store/sqlite.ts'
import { casePage } from './case-page.ts'
import { exampleDirectory } from './example-directory.ts'
import { Fault, type Given, type Terminal, textOf, type Verb } from './terminal.ts'

export type CaseReport = {
  /** A service's own case, or a referral from outside. */
  kind: 'case' | 'referral'
  resources: number
  /** London date the windows are counted from. */
  on: string
  partners: { from: 'DIRECTORY' | 'example'; named: { id: string; kind: string; name: string }[] }
  faults: { where?: string; what: string }[]
  /** How many of each type would be kept. */
  kept: Record<string, number>
  referral?: { outcome: string; words?: string; asks: string[]; signpost?: string }
  people: Person[]
}
export type Person = { missing: string[]; strangers: string[]; partners: Prospect[] }
/** One partner: when it would be asked, and what it would be told. `from` names places in the file. */
export type Prospect = {
  id: string
  name: string
  asked: 'now' | 'once the release date is known' | { from: string }
  decision: string
  told: { what: string; from: string[] }[]
  withheld: { what: string; because: string; from: string[] }[]
}

export const checkCase: Verb = {
  name: 'case',
  usage: 'case FILE [--at INSTANT]',
  does: 'checks a Bundle and says what would be kept, and what would be told to whom',
  takes: [1, 1],
  options: { at: { type: 'string' } },
  run: async ({ positionals: [path = ''], values }, terminal) => {
    const bundle = bundleIn(textOf(terminal, path))
    const report = await reportOn(bundle, instantOf(values, terminal), terminal)
    return { json: report, text: casePage(report), exit: report.faults.length ? 1 : 0 }
  },
}

function bundleIn(text: string): Bundle {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new Fault('The file is not JSON.')
  }
  const { resourceType, type } = (json ?? {}) as Partial<Bundle>
  if (resourceType !== 'Bundle' || (type !== 'transaction' && type !== 'message')) {
    throw new Fault('The file holds no Bundle of type transaction (a service’s own case) or message (a referral).')
  }
  return json as Bundle
}

function instantOf({ at }: Given['values'], { now }: Terminal): Date {
  if (at === undefined) return now()
  const date = new Date(String(at))
  if (Number.isNaN(date.getTime())) throw new Fault('--at is an instant such as 2026-03-02T09:00:00Z.', 2)
  return date
}

async function reportOn(bundle: Bundle, at: Date, terminal: Terminal): Promise<CaseReport> {
  const { from, directory } = directoryFor(bundle, terminal)
  const memory = openSqlite(':memory:')
  await migrate(memory)
  const database = await openStore(memory, [randomBytes(32)])
  const exchange: Exchange = {
    database,
    now: () => at,
    directory: () => directory,
    adapters: terminal.adapters,
    channels: new Map(),
    fetch: () => Promise.reject(new Error('nobody is told')),
    log: () => {},
    publicUrl: 'http://case.invalid',
    wake: () => {},
  }
  const entries = Array.isArray(bundle.entry) ? bundle.entry : []
  const report: CaseReport = {
    kind: bundle.type === 'message' ? 'referral' : 'case',
    resources: entries.length,
    on: today(at),
    partners: { from, named: [...directory.partners.values()].map(({ id, kind, name }) => ({ id, kind, name })) },
    faults: [],
    kept: {},
    people: [],
  }
  try {
    const kept = await handIn(exchange, bundle)
    const place = placesOf(bundle, kept)
    for (const { type } of kept) report.kept[type] = (report.kept[type] ?? 0) + 1
    for (const { type, id } of kept) {
      const situation = type === 'Patient' ? await situationOf(exchange, id) : undefined
      if (!situation) continue
      report.people.push(personIn(outlook(situation), place))
      const task = [...situation.record.values()]
        .map(({ body }) => body)
        .find((body): body is Task => body?.resourceType === 'Task' && isReferralAnswer(body))
      if (task) report.referral = referralIn(task)
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    report.faults = error.issues.map(({ text, expression }) => ({ ...(expression ? { where: expression } : {}), what: text }))
  } finally {
    await database.close()
  }
  return report
}

function directoryFor(
  bundle: Bundle,
  { env, readText, adapters, channels }: Terminal,
): { from: 'DIRECTORY' | 'example'; directory: Directory } {
  const path = env.DIRECTORY?.trim()
  if (!path) return { from: 'example', directory: exampleDirectory(bundle, adapters) }
  const read = readDirectory(textOf({ readText } as Terminal, path), {
    adapters,
    channels,
    secrets: { env, readText },
    reach: allowedFor(env.HOST),
  })
  if ('faults' in read) throw new Fault(read.faults.map((fault) => `DIRECTORY ${fault}`))
  const { services, partners } = read.directory
  return {
    from: 'DIRECTORY',
    directory: {
      services: new Map(services.map((one) => [one.id, one as Directory['services'] extends ReadonlyMap<string, infer S> ? S : never])),
      partners: new Map(partners.map((one) => [one.id, one as Directory['partners'] extends ReadonlyMap<string, infer P> ? P : never])),
    },
  }
}

type Kept = { type: string; id: string }

/** As its sender would: a service writes its own case, a referrer sends a message. */
async function handIn(exchange: Exchange, bundle: Bundle): Promise<Kept[]> {
  const steps = stepsOf(exchange)
  const { services } = exchange.directory()
  const service = serviceOf(bundle, exchange)
  if (!service)
    throw new Fault(services.size ? 'No ServiceRequest names which of the services this is from.' : 'The directory names no service.')
  const request = { requestId: 'case', requestIdGiven: false, correlationId: 'case', lenient: false }
  const scopes = [{ type: '*', may: 'cruds' }]
  if (bundle.type === 'message') {
    const caller = { client: 'case', role: 'referrer' as const, shelf: 'referrer:case', name: 'The sender of the file', scopes }
    const { body } = await steps.processMessage({ ...request, caller }, bundle)
    return ((body as Bundle).entry ?? []).flatMap(({ resource }) => keptOf(resource))
  }
  const caller = { client: 'case', role: 'service' as const, shelf: `service:${service}`, service, name: service, scopes }
  const { body } = await steps.transact({ ...request, caller }, bundle)
  return ((body as Bundle).entry ?? []).flatMap(({ response }) => {
    const [, type, id] = response?.location?.match(/([A-Za-z]+)\/([^/]+)\/_history/) ?? []
    return type && id ? [{ type, id }] : []
  })
}

/** The message itself and our answer are not kept for the sender. */
const keptOf = (resource: Resource | undefined): Kept[] =>
  !resource || resource.resourceType === 'MessageHeader' || (resource.resourceType === 'Task' && isReferralAnswer(resource))
    ? []
    : [{ type: resource.resourceType, id: resource.id as string }]

function serviceOf(bundle: Bundle, exchange: Exchange): string | undefined {
  const { services } = exchange.directory()
  const named = (bundle.entry ?? []).flatMap(({ resource }) =>
    resource?.resourceType === 'ServiceRequest'
      ? (resource.performer ?? []).map(({ reference }) => reference?.replace('Organization/', ''))
      : [],
  )
  return named.find((id) => id !== undefined && services.has(id)) ?? (services.size === 1 ? [...services.keys()][0] : undefined)
}

/** 'Condition/0198...' is 'Bundle.entry[4]': the n-th of its type, here and there. */
function placesOf(bundle: Bundle, kept: readonly Kept[]): (ref: string) => string {
  const places = new Map<string, string>()
  for (const type of new Set(kept.map((one) => one.type))) {
    const there = (bundle.entry ?? []).flatMap(({ resource }, index) => (resource?.resourceType === type ? [`Bundle.entry[${index}]`] : []))
    for (const [n, { id }] of kept.filter((one) => one.type === type).entries())
      places.set(`${type}/${id}`, `${type}, ${there[n] ?? 'the file'}`)
  }
  return (ref) => places.get(ref) ?? (ref.split('/')[0] as string)
}

function personIn(parameters: readonly ParametersParameter[], place: (ref: string) => string): Person {
  const words = (list: Parameters['parameter'], name: string): string[] =>
    (list ?? []).flatMap((one) => (one.name === name ? [one.valueString as string] : []))
  const parts = (list: Parameters['parameter'], name: string) => (list ?? []).filter((one) => one.name === name).map(({ part }) => part)
  const places = (list: Parameters['parameter']) => words(list, 'from').map(place)
  return {
    missing: words([...parameters], 'missing'),
    strangers: words([...parameters], 'unknown-partner'),
    partners: parts([...parameters], 'partner').map((inside): Prospect => {
      const organization = inside?.find(({ name }) => name === 'organization')?.valueReference
      const [opens] = words(inside, 'opens')
      return {
        id: organization?.reference?.replace('Organization/', '') as string,
        name: organization?.display as string,
        asked: opens === undefined ? 'now' : opens === 'once the release date is known' ? opens : { from: today(new Date(opens)) },
        decision: words(inside, 'decision').join(' '),
        told: parts(inside, 'told').map((told) => ({ what: words(told, 'what').join('; '), from: places(told) })),
        withheld: parts(inside, 'withheld').map((one) => ({
          what: words(one, 'what').join('; '),
          because: words(one, 'because').join('; '),
          from: places(one),
        })),
      }
    }),
  }
}

const referralIn = (task: Task): NonNullable<CaseReport['referral']> => ({
  outcome: outcomeOf(task) ?? task.status,
  ...(task.statusReason?.text ? { words: task.statusReason.text } : {}),
  asks: (task.input ?? []).flatMap(({ valueString }) => valueString ?? []),
  ...(task.output?.[0]?.valueString ? { signpost: task.output[0].valueString } : {}),
})
