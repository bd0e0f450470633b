/**
 * Three people whose records are merged and taken apart in random order, in chains, while they agree, withdraw, are erased, and their
 * partners answer, read, are busy and are told again: after every step nobody holds a word of somebody they may not be told about.
 *
 * Runs for twenty seconds; `MERGE_SECONDS=600` for longer.
 */
import type { Bundle, Consent, Task } from '@medplum/fhirtypes'
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { usualYears } from '../../src/domain/retention.ts'
import { eraseNow } from '../../src/exchange/erasing.ts'
import { nhsNumber, nomsNumber } from '../../src/fhir/systems.ts'
import { statement } from '../../src/store/database.ts'
import { columns, readStored } from '../../src/store/resources.ts'
import { consentOf, type PartnerName, partners } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway } from '../fixtures/gateway.ts'
import { caseFor, mergingOn, numbers, ok, tracesIn, type Who, withoutPlan } from '../fixtures/merging.ts'

let gateway: Gateway
afterEach(() => gateway.close())
const { merge, unmerge, shelfOf } = mergingOn(() => gateway)

const everybody = ['Anna', 'Berta', 'Carla'] as const satisfies readonly Who[]

const seconds = Number(process.env.MERGE_SECONDS ?? 20)
const names = Object.keys(partners) as PartnerName[]
const someone = fc.constantFrom(...everybody)
const some = fc.oneof(fc.subarray(names), fc.subarray(names, { minLength: 3 }), fc.constant(names))
const said = { weight: 3, arbitrary: fc.record({ do: fc.constant('agree' as const), who: someone, to: some }) }
const command = fc.oneof(
  said,
  { weight: 1, arbitrary: fc.record({ do: fc.constant('withdraw' as const), who: someone }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('merge' as const), who: someone, into: someone }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('unmerge' as const), who: someone }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('write' as const), who: someone }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('erase' as const), who: someone }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      name: fc.constantFrom(...names),
      as: fc.constantFrom('accepted', 'rejected', 'in-progress'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('busy' as const), name: fc.constantFrom(...names), busy: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), time: fc.constantFrom('PT5M', 'P1D', 'P20D') }) },
)
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never
const start = fc.record({
  agreed: fc.option(some, { nil: null, freq: 3 }),
  plan: fc.oneof(fc.constant([]), fc.subarray(names, { minLength: 2 })),
})
type Start = typeof start extends fc.Arbitrary<infer S> ? S : never

/** What was said, for whom, until somebody says something else or nobody knows any more whose word it was. */
type Said = { id: string; to: ReadonlySet<PartnerName>; for: Set<Who>; void?: true }

/** `since`: how much was said before. `late`: written while it stood. */
type Joined = { source: Who; target: Who; since: number; late: string[] }

/** A second account of who may be told about whom, in as few words as can be: a person's last own word, and nothing but that. */
class Account {
  said: Said[] = []
  merges: Joined[] = []
  erased = new Set<Who>()

  wholeOf(who: Who): Who {
    const into = this.merges.find(({ source }) => source === who)
    return into ? this.wholeOf(into.target) : who
  }
  partsOf = (who: Who): Who[] => everybody.filter((one) => this.wholeOf(one) === this.wholeOf(who))
  say(who: Who, id: string, to: readonly PartnerName[]) {
    this.said.push({ id, to: new Set(to), for: new Set(this.partsOf(who)) })
  }
  lastFor = (who: Who): Said | undefined => this.said.findLast((one) => one.for.has(who) && !one.void)
  allowed = (who: Who, name: PartnerName): boolean => !this.erased.has(who) && this.lastFor(who)?.to.has(name) === true
  /** Said while they were one: nobody knows whose it was, and which of what was said before still holds. */
  apart({ source, target, since }: Joined) {
    this.merges = this.merges.filter((one) => one.source !== source)
    const both = [...this.partsOf(source), ...this.partsOf(target)]
    if (this.said.slice(since).some((each) => both.some((who) => each.for.has(who))))
      for (const each of this.said) if (both.some((who) => each.for.has(who))) each.void = true
  }
}

async function play(starts: readonly Start[], commands: readonly Command[]): Promise<void> {
  const account = new Account()
  const at = {} as Record<Who, string>
  /** Written while records were one, that are two now: told to nobody. */
  const dead = new Set<string>()
  let words = 0
  const seen = new Map(names.map((name) => [name, 0]))
  const agreed = (to: readonly PartnerName[]) => Object.fromEntries(to.map((name) => [name, { upTo: 'R' as const }]))

  /** @param whole as partners read it too, page by page, and what the service is answered about each */
  const look = async (whole = false) => {
    await gateway.settled()
    const shelves = await shelvesNow()
    for (const name of names) {
      const received = gateway.partner(name).received
      const texts = [...received.slice(seen.get(name)).map(({ text }) => text), whole ? await shelfOf(name) : '', shelves.get(name) ?? '']
      seen.set(name, received.length)
      for (const text of texts) {
        for (const who of everybody)
          if (!account.allowed(who, name) && tracesIn(text, who).length)
            throw new Error(`${name} was told about ${who}: ${tracesIn(text, who)}`)
        for (const word of dead) if (text.includes(word)) throw new Error(`${name} was told ${word}`)
        if (text.includes('replaces') || text.includes('replaced-by')) throw new Error(`${name} was told of a merge`)
      }
    }
    if (whole) await lookInside(account, at)
  }

  for (const [n, who] of everybody.entries()) {
    const { agreed: to, plan } = starts[n] as Start
    const record = caseFor(who, { plan, agreed: to ? agreed(to) : null })
    const places = await gateway.handIn(plan.length ? record : withoutPlan(record))
    at[who] = places.Patient as string
    if (to) account.say(who, places.Consent as string, to)
    // Two of one moment would not count at all.
    await gateway.turn('PT1M')
  }
  await look(true)
  for (const each of commands) {
    const home = 'who' in each ? account.wholeOf(each.who) : undefined
    if (home && account.erased.has(home)) continue
    if (each.do === 'agree') {
      const now = gateway.clock.now().toISOString()
      const { body } = ok(
        await gateway.service.call<Consent>(
          'POST',
          '/fhir/Consent',
          consentOf({ patient: at[home as Who], agreed: agreed(each.to), at: now }),
        ),
      )
      account.say(each.who, `Consent/${body.id}`, each.to)
    } else if (each.do === 'withdraw') {
      const last = account.lastFor(home as Who)
      if (!last) continue
      const { body } = ok(await gateway.service.call<Consent>('GET', `/fhir/${last.id}`))
      if (body.patient?.reference !== at[home as Who]) continue
      ok(await gateway.service.call('PUT', `/fhir/${last.id}`, { ...body, status: 'inactive' }))
      account.said.push({ ...last, to: new Set() })
    } else if (each.do === 'merge') {
      const into = account.wholeOf(each.into)
      if (into === home || account.erased.has(into)) continue
      ok(await merge(at[home as Who], at[into]))
      account.merges.push({ source: home as Who, target: into, since: account.said.length, late: [] })
    } else if (each.do === 'unmerge') {
      const answer = await unmerge(at[each.who], ...sourceOf(account, each.who, at))
      if (answer.status >= 300) continue
      const row = account.merges.find(({ source }) => source === each.who) ?? account.merges.findLast(({ target }) => target === each.who)
      account.apart(row as Joined)
      for (const word of row?.late ?? []) dead.add(word)
    } else if (each.do === 'write') {
      const standing = account.merges.filter(({ source }) => account.partsOf(each.who).includes(source))
      const word = `Lateword${words++}x`
      for (const { late } of standing) late.push(word)
      ok(
        await gateway.service.call('POST', '/fhir/Flag', {
          resourceType: 'Flag',
          status: 'active',
          code: { text: standing.length ? word : `Softlight${each.who}` },
          subject: { reference: at[home as Who] },
          meta: { security: [{ system: 'https://reconnect.example/fhir/CodeSystem/category', code: 'adjustments' }] },
        }),
      )
    } else if (each.do === 'erase') {
      const where = { database: gateway.database, now: gateway.clock.now, years: usualYears }
      const { outcome } = await eraseNow(where, (at[each.who] as string).slice(8), { by: 'guardian', reason: 'asked' })
      if (outcome === 'done') for (const who of account.partsOf(each.who)) account.erased.add(who)
    } else if (each.do === 'answer') {
      const [task] = (await gateway.as(each.name).find('Task')) as Task[]
      // A move that is not allowed now changes nothing.
      if (task) await gateway.as(each.name).call('PATCH', `/fhir/Task/${task.id}`, [{ op: 'replace', path: '/status', value: each.as }])
    } else if (each.do === 'busy') gateway.partner(each.name).answers = each.busy ? 503 : 200
    else if (each.do === 'wait') await gateway.turn(each.time)
    await look(/^(merge|unmerge|erase)$/.test(each.do))
    await gateway.turn('PT1M')
    // What was tried again meanwhile was still allowed then.
    await look()
  }
}

/** Everything that stands on partners' shelves, with every version, as the store has it. */
async function shelvesNow(): Promise<Map<PartnerName, string>> {
  const from = (table: string) => `select ${columns} from ${table} r where r.shelf >= 'partner:' and r.shelf < 'partner;'`
  const rows = await readStored(gateway.database, statement(`${from('resource')} union all ${from('resource_version')}`))
  return new Map(
    names.map((name) => [name, rows.flatMap(({ shelf, kept }) => (shelf === `partner:${partners[name]}` ? (kept ?? []) : [])).join()]),
  )
}

/** Of several the last. */
function sourceOf({ merges }: Account, who: Who, at: Readonly<Record<Who, string>>): object[] {
  const into = merges.filter(({ target }) => target === who)
  const last = into.at(-1)
  return last && !merges.some(({ source }) => source === who)
    ? [{ name: 'source-patient', valueReference: { reference: at[last.source] } }]
    : []
}

/** No page, search or answer about one person holds a word of somebody whose record is not part of theirs. */
async function lookInside(account: Account, at: Readonly<Record<Who, string>>): Promise<void> {
  const strangersIn = (text: string, who: Who) =>
    everybody.filter((other) => account.wholeOf(other) !== account.wholeOf(who) && tracesIn(text, other).length)
  for (const who of everybody) {
    if (account.erased.has(who)) {
      const { status } = await gateway.service.call('GET', `/fhir/${at[who]}`)
      if (status !== 410) throw new Error(`${who} was erased and answers ${status}`)
      continue
    }
    const texts = new Map<string, string>()
    for (const operation of ['$everything', '$who-was-told'])
      texts.set(operation, ok(await gateway.service.call('GET', `/fhir/${at[who]}/${operation}`)).text)
    if (account.wholeOf(who) === who)
      for (const { id } of await gateway.service.find('Task', `patient=${at[who]}`))
        texts.set('$why', (await gateway.service.call('GET', `/fhir/Task/${id}/$why`)).text)
    for (const [where, text] of texts) {
      const [stranger] = strangersIn(text, who)
      if (stranger) throw new Error(`${where} of ${who} holds ${tracesIn(text, stranger)} of ${stranger}`)
    }
    for (const [system, value] of [
      [nhsNumber, numbers[who][0]],
      [nomsNumber, numbers[who][1]],
    ] as const) {
      const { body } = ok(await gateway.service.call<Bundle>('GET', `/fhir/Patient?identifier=${system}|${value}`))
      const found = new Set((body.entry ?? []).map(({ resource }) => `Patient/${resource?.id}`))
      const own = account.partsOf(who).map((one) => at[one])
      const stranger = [...found].find((one) => !own.includes(one))
      if (stranger) throw new Error(`the ${system} of ${who} finds somebody else`)
      if (!found.has(at[account.wholeOf(who)])) throw new Error(`the ${system} of ${who} does not find the record it is part of`)
    }
  }
  const work = JSON.stringify(await gateway.work())
  for (const who of everybody) if (tracesIn(work, who).length) throw new Error(`a work item holds ${tracesIn(work, who)}`)
}

test('nobody is ever told about the other person: random agreements, merges, un-merges and changes, every byte looked at', {
  timeout: (seconds + 60) * 1000,
}, async () => {
  gateway = await openGateway()
  const starts = fc.tuple(start, start, start)
  let played = 0
  await fc.assert(
    fc.asyncProperty(starts, fc.array(command, { minLength: 3, maxLength: 14 }), async (people, commands) => {
      await gateway.close()
      gateway = await openGateway()
      await play(people, commands)
      played++
    }),
    { numRuns: 10_000, interruptAfterTimeLimit: seconds * 1000, markInterruptAsFailure: false },
  )
  expect(played).toBeGreaterThan(0)
})
