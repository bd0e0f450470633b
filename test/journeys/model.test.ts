/**
 * Random events in random order, with crashes between any two commits, and after each step the ten invariants of domain/closed-loop.md C7
 * hold, each a function below. Runs for twenty seconds; `MODEL_SECONDS=600` for longer, `MODEL_SEED` and `MODEL_PATH` for one run again.
 *
 * A crash is a database that stops answering, before or after a commit, and an exchange begun anew on what was committed.
 */
import type { Bundle, CareTeam, Patient, Resource, Task } from '@medplum/fhirtypes'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addDays, startOfDay, today, windows } from '../../src/domain/calendar.ts'
import { phaseOn } from '../../src/domain/decisions.ts'
import { isOpen, type RejectionReason, rejectionReasons } from '../../src/domain/handover.ts'
import { underWay } from '../../src/domain/lifecycle.ts'
import { situationOf } from '../../src/exchange/situation.ts'
import { isHandover, isHandoverRequest } from '../../src/exchange/task.ts'
import { unwatched } from '../../src/exchange/watched.ts'
import { conditionClinical } from '../../src/fhir/systems.ts'
import { owedInAudit } from '../../src/store/audit.ts'
import { type Driver, statement } from '../../src/store/database.ts'
import { releaseLeases } from '../../src/store/owed.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { caseBundle, coded, consentOf, custodyOf, type PartnerName, partners, planOf, usual, words } from '../fixtures/case-bundle.ts'
import { openGateway, says } from '../fixtures/gateway.ts'

const seconds = Number(process.env.MODEL_SECONDS ?? 20)
const names = Object.keys(partners) as PartnerName[]

type Arrival = { partner: PartnerName; key: string; text: string; at: string; n: number }
type Person = {
  name: string
  at: Record<string, string>
  /** Arrivals counted when the agreement was last withdrawn from a partner and that was acknowledged. */
  withdrawn: Map<PartnerName, number>
  /** Release dates that may stand in the record; 'left': released, 'unknown': back in custody and nobody knows. */
  dates: string[]
  custody: string
}

/** A database that dies at a commit: what was asked of it since never comes back. */
function mortal(driver: Driver) {
  let [left, committed, dead] = [Number.POSITIVE_INFINITY, false, false]
  let die = () => {}
  const death = new Promise<'crashed'>((done) => {
    die = () => done('crashed')
  })
  const never = new Promise<never>(() => {})
  return {
    death,
    /** At the nth commit from now; `after` it, or before it. */
    dieIn(commits: number, after: boolean) {
      left = commits
      committed = after
    },
    kill() {
      dead = true
      die()
    },
    driver: {
      ...driver,
      query: (one) => (dead ? never : driver.query(one)),
      atomically: async (unit) => {
        if (dead) return never
        left--
        if (left > 0) return driver.atomically(unit)
        dead = true
        if (committed) await driver.atomically(unit).catch(() => undefined)
        die()
        return never
      },
      close: async () => undefined,
    } as Driver,
  }
}

/** Everything that happened, and the exchange it happens to. */
async function world() {
  const file = openSqlite(':memory:')
  const arrived: Arrival[] = []
  const found: string[] = []
  const behaves = new Map<PartnerName, 'takes' | 'is busy' | 'hangs up' | 'is away'>()
  const people: Person[] = []
  const ended = new Map<string, string>()
  const owedEver = new Set<string>()
  const secret: string[] = []
  const early: string[] = []
  const asked = new Set<string>()
  /** What a practice is asked for the first time, and whether any date that may be on record lets it be asked today. */
  const look = (text: string, now: Date) => {
    const id = text.match(/"resourceType":"Task","id":"([^"]+)"/)?.[1]
    const person = people.find(({ name }) => text.includes(name))
    if (!id || !person || asked.has(id)) return
    asked.add(id)
    if (!person.dates.some((date) => date === 'left' || (date !== 'unknown' && today(now) >= windows(date).gpOpens)))
      early.push(`asked on ${today(now)} for ${person.dates}`)
  }
  const begin = async (at: string) => {
    const life = mortal(file)
    const gateway = await openGateway({ database: life.driver, at })
    await gateway.database.atomically([releaseLeases(at)])
    gateway.exchange.fetch = (async (url: RequestInfo | URL, init?: RequestInit) => {
      const id = new URL(String(url)).hostname.replace('.test', '')
      const partner = names.find((name) => partners[name] === id) as PartnerName
      const as = behaves.get(partner) ?? 'takes'
      const refused = (code: string) => Object.assign(new TypeError('fetch failed'), { cause: { code } })
      if (as === 'is away') throw refused('ECONNREFUSED')
      const key = new Headers(init?.headers).get('x-request-id') as string
      if (partner === 'practice') look(String(init?.body), gateway.clock.now())
      arrived.push({ partner, key, text: String(init?.body), at: gateway.clock.now().toISOString(), n: arrived.length })
      if (as === 'hangs up') throw refused('ECONNRESET')
      return new Response(String(init?.body), { status: as === 'is busy' ? 503 : 200 })
    }) as typeof fetch
    return { gateway, life }
  }
  const first = await begin('2026-04-02T08:00:00.000Z')
  const last: Last | undefined = undefined
  return {
    ...first,
    ...{ begin, arrived, found, behaves, people, ended, owedEver, secret, early },
    last: last as Last | undefined,
    close: () => file.close(),
  }
}
type Last = { method: string; path: string; body: unknown; id: string; status: number }
type World = Awaited<ReturnType<typeof world>>

/** The process is gone; another begins on what was committed. */
async function crash(world: World): Promise<void> {
  world.life.kill()
  Object.assign(world, await world.begin(world.gateway.clock.now().toISOString()))
  await world.gateway.tick()
  await world.gateway.settled()
}

/** The exchange said no, so that nothing is different. */
class Refused extends Error {}

/** The case system writes; a repeat of it is looked at later (invariant 6). */
async function write(world: World, method: string, path: string, body: unknown): Promise<Resource> {
  const id = crypto.randomUUID()
  const { status, body: answer, text } = await world.gateway.service.call(method, path, body, { 'x-request-id': id })
  if (status >= 500) throw new Error(`${method} ${path.split('/')[2]} ${status} ${text}`)
  if (status >= 300) throw new Refused()
  world.last = { method, path, body, id, status }
  return answer
}

const who = fc.nat({ max: 1 })
const partner = fc.constantFrom(...names)
const event = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('agree' as const), who, to: fc.subarray(names) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('move' as const), who, days: fc.integer({ min: -20, max: 70 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('return' as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('plan' as const), who, plan: fc.subarray(names, { minLength: 1 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('note' as const), who }) },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      partner,
      which: fc.nat(),
      say: fc.constantFrom<[string, string?][]>(
        ['received'],
        ['accepted'],
        ['in-progress'],
        ['in-progress', 'appointment-booked'],
        ['in-progress', 'did-not-attend'],
        ['rejected'],
        ['failed', 'no-contact'],
        ['cancelled'],
        ['completed', 'outcome'],
      ),
      why: fc.constantFrom(...(Object.keys(rejectionReasons) as RejectionReason[])),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('turn' as const), by: fc.constantFrom('PT5M', 'PT3H', 'P1D', 'P2D', 'P9D', 'P30D') }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('behave' as const), partner, as: fc.constantFrom('takes', 'is busy', 'hangs up', 'is away') }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('repeat' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('die' as const), who }) },
)
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never
/** `crash`: at which commit of this event, if it has so many, and whether that one is still made. */
const step = fc.record({
  event,
  crash: fc.option(fc.record({ commits: fc.integer({ min: 1, max: 4 }), after: fc.boolean() }), { freq: 3 }),
})

async function born(world: World): Promise<void> {
  const n = world.people.length
  const name = `${words.identity}${['one', 'two'][n]}`
  const bundle = JSON.parse(
    JSON.stringify(caseBundle({ nhsNumber: ['9990004005', '9990004013'][n] as string, noms: `B135${n}CD` })).replaceAll(
      words.identity,
      name,
    ),
  ) as Bundle
  const at = await world.gateway.handIn(bundle)
  const [custody] = await world.gateway.service.find('Observation', `code=custody&patient=${at.Patient}`)
  world.people.push({ name, at, withdrawn: new Map(), dates: ['2026-05-15'], custody: custody?.id as string })
}

/** What is written may stand or not until it is acknowledged; then it does. */
async function happen(world: World, what: Event): Promise<void> {
  const { gateway, people } = world
  const person = people['who' in what ? what.who : 0] as Person
  const patient = person.at.Patient as string
  const id = (type: string) => person.at[type]?.split('/')[1] as string
  if (what.do === 'agree') {
    // Whom the person agrees to now may be told as soon as it is written, and so before it is acknowledged.
    for (const name of what.to) person.withdrawn.delete(name)
    const agreed = Object.fromEntries(what.to.map((name) => [name, usual[name]]))
    const consent = { ...consentOf({ patient, agreed, at: gateway.clock.now().toISOString() }), id: id('Consent') }
    await write(world, 'PUT', `/fhir/Consent/${id('Consent')}`, consent)
    for (const name of names) if (!what.to.includes(name) && !person.withdrawn.has(name)) person.withdrawn.set(name, world.arrived.length)
  } else if (what.do === 'move' || what.do === 'leave' || what.do === 'return') {
    const now = today(gateway.clock.now())
    const date = { move: what.do === 'move' ? addDays(now, what.days) : null, leave: now, return: null }[what.do]
    const how = { move: {}, leave: { left: now }, return: { basis: 'recall', since: now } }[what.do]
    person.dates.push(what.do === 'leave' ? 'left' : (date ?? 'unknown'))
    const body = custodyOf({ patient, releaseDate: date, id: person.custody, ...how })
    await write(world, 'PUT', `/fhir/Observation/${person.custody}`, body)
    person.dates = person.dates.slice(-1)
  } else if (what.do === 'plan') {
    const plan = planOf({ patient, team: person.at.CareTeam as string, plan: what.plan, id: id('CarePlan') })
    await write(world, 'PUT', `/fhir/CarePlan/${id('CarePlan')}`, plan)
  } else if (what.do === 'note') {
    const word = `Unlabelled${world.secret.length}said`
    world.secret.push(word)
    const clinicalStatus = { coding: [{ system: conditionClinical, code: 'active' }] }
    await write(world, 'POST', '/fhir/Condition', {
      resourceType: 'Condition',
      clinicalStatus,
      code: { text: `Something said: ${word}` },
      subject: { reference: patient },
    })
  } else if (what.do === 'answer') {
    const as = gateway.as(what.partner)
    const tasks = await as.find('Task')
    const task = tasks[what.which % Math.max(1, tasks.length)]
    if (!task) return
    const [status, said] = what.say as [string, string?]
    const outcome = { practice: 'registered', recovery: 'engaged', probation: 'supported', enhanced: 'engaged' }[what.partner]
    const patch = says(status, said === 'outcome' ? outcome : said)
    const reason = { op: 'add', path: '/statusReason', value: coded('rejection-reason', what.why, 'because') }
    await as.call('PATCH', `/fhir/Task/${task.id}`, [...patch, ...(/rejected|failed/.test(status) ? [reason] : [])])
  } else if (what.do === 'turn') await gateway.turn(what.by)
  else if (what.do === 'behave') world.behaves.set(what.partner, what.as as 'takes')
  else if (what.do === 'repeat') await invariants.duplicatesAreNothing(world)
  else {
    const alive = (await gateway.service.call<Patient>('GET', `/fhir/${patient}`)).body
    await write(world, 'PUT', `/fhir/${patient}`, { ...alive, deceasedBoolean: true })
  }
}

type Look = { world: World; situations: { person: Person; situation: NonNullable<Awaited<ReturnType<typeof situationOf>>> }[] }
const handovers = ({ situations }: Look): Task[] =>
  situations.flatMap(({ situation }) =>
    [...situation.record.values()].flatMap(({ body }) => (body?.resourceType === 'Task' && isHandover(body) ? [body] : [])),
  )
const sql = <Row>(world: World, text: string) => world.gateway.database.query<Row>(statement(text))

/** The ten of C7. Each gives what is broken, in words. */
const invariants = {
  /** 1: no outbound payload without an audit row of its own. */
  async toldIsInTheAudit({ world, situations }: Look) {
    const audited = new Set<string>()
    for (const { situation } of situations)
      for (const { detail, recipient } of await owedInAudit(world.gateway.database, situation.patient))
        audited.add(`${recipient} ${(JSON.parse(detail as string) as { message: string }).message}`)
    return world.arrived.filter(({ partner: to, key }) => !audited.has(`${partners[to]} ${key}`)).map(({ partner: to }) => to)
  },
  /** 2: nothing is told once an agreement was withdrawn, and that was acknowledged. */
  withdrawnIsTheEnd({ world }: Look) {
    return world.people.flatMap(({ name, withdrawn }) =>
      [...withdrawn].flatMap(([to, since]) =>
        world.arrived.some((one) => one.partner === to && one.n >= since && one.text.includes(name)) ? [to] : [],
      ),
    )
  },
  /** 3, and promise 6: what is open has a timer, a work item or a message on its way. */
  nothingIsAlone({ situations }: Look) {
    return situations.flatMap(({ situation }) => unwatched(situation))
  },
  /** 4: while a referral is accepted and not over there is exactly one named worker. */
  oneNamedWorker({ situations }: Look) {
    return situations.flatMap(({ situation }) => {
      const all = [...situation.record.values()].flatMap(({ body }) => body ?? [])
      const referral = all.find((one) => one.resourceType === 'ServiceRequest' && !isHandoverRequest(one))
      const phase = referral?.resourceType === 'ServiceRequest' ? phaseOn(referral) : undefined
      if (!phase || !underWay.includes(phase) || phase === 'accepted') return []
      const teams = all.filter((one): one is CareTeam => one.resourceType === 'CareTeam')
      const named = teams.flatMap(({ participant = [] }) =>
        participant.filter(
          ({ role, period }) => !period?.end && role?.some(({ coding }) => coding?.some(({ code }) => code === 'named-worker')),
        ),
      )
      return named.length === 1 ? [] : [`${named.length} in ${phase}`]
    })
  },
  /** 5: days derived from a release date move with it, and never against it: who waits for a window waits for that of the date on record. */
  clocksMoveWithTheDate({ situations, world }: Look) {
    const now = world.gateway.clock.now().toISOString()
    return situations.flatMap(({ person, situation }) => {
      const [date] = person.dates
      if (person.dates.length !== 1 || !date || /^(left|unknown)$/.test(date)) return []
      const { gpOpens, opens } = windows(date)
      const broken = opens < gpOpens && gpOpens < date ? [] : ['the windows of one date']
      const wait = situation.timers.find(({ about }) => about.startsWith('window:'))
      const right = startOfDay(gpOpens).instant
      return [...broken, ...(wait && right > now && wait.dueAt !== right ? ['a window of another date'] : [])]
    })
  },
  /** 6: the same request again, under its id, writes nothing and is answered as before. */
  async duplicatesAreNothing(world: World) {
    if (!world.last) return
    const { method, path, body, id, status } = world.last
    const before = await world.gateway.rows()
    const again = await world.gateway.service.call(method, path, body, { 'x-request-id': id })
    const after = await world.gateway.rows()
    if (again.status !== status || JSON.stringify(before) !== JSON.stringify(after)) world.found.push('a repeat was not a repeat')
  },
  /** 6, the partner's side, and promise 4: under one key there is one message. */
  oneKeyOneMessage({ world }: Look) {
    return [...Map.groupBy(world.arrived, ({ key }) => key).values()]
      .filter((all) => new Set(all.map(({ text }) => text)).size > 1)
      .map(() => 'a key')
  },
  /** 7: a terminal state is never left. */
  finalIsFinal(look: Look) {
    const { ended } = look.world
    return handovers(look).flatMap(({ id, status }) => {
      const was = ended.get(id as string)
      if (!was && !isOpen(status)) ended.set(id as string, status)
      return was && was !== status ? [`${was} became ${status}`] : []
    })
  },
  /** 8: what was owed is owed, or arrived, or is void; nothing vanishes, and what counts as delivered was. */
  async nothingIsLost({ world }: Look) {
    const rows = await sql<{ id: string; state: string }>(world, 'select id, state from owed')
    const present = new Set(rows.map(({ id }) => id))
    const lost = [...world.owedEver].filter((id) => !present.has(id))
    for (const id of present) world.owedEver.add(id)
    const keys = new Set(world.arrived.map(({ key }) => key))
    return [
      ...lost.map(() => 'a message'),
      ...rows.filter(({ id, state }) => state === 'delivered' && !keys.has(id)).map(() => 'an arrival'),
    ]
  },
  /** 9: what has no label is told to nobody. */
  unlabelledIsRestricted({ world }: Look) {
    return world.secret.filter((word) => world.arrived.some(({ text }) => text.includes(word)))
  },
  /** 10: a practice is asked from 28 days before release, by London's calendar, and never earlier. */
  boundaryDays({ world }: Look) {
    return world.early.splice(0)
  },
}

/** What happened in all runs together: invariants over nothing would hold as well. */
const tally: Record<string, number> = { runs: 0, arrivals: 0, crashes: 0, 'crashes between two commits': 0, refused: 0 }
const counted = (what: string, by = 1) => {
  tally[what] = (tally[what] ?? 0) + by
}

/** Everything that does not hold now. */
async function broken(world: World): Promise<string[]> {
  const situations: Look['situations'] = []
  for (const person of world.people) {
    const situation = await situationOf(world.gateway.exchange, person.at.Patient?.split('/')[1] as string)
    if (situation) situations.push({ person, situation })
    else world.found.push('a person is gone')
  }
  const look: Look = { world, situations }
  const { duplicatesAreNothing: _asked, ...all } = invariants
  const lines: string[] = world.found.splice(0)
  for (const [name, holds] of Object.entries(all)) for (const what of new Set(await holds(look))) lines.push(`${name}: ${what}`)
  return lines
}

async function run(
  world: World,
  { event: what, crash: when }: { event: Event; crash: { commits: number; after: boolean } | null },
): Promise<void> {
  const { life, gateway } = world
  const before = world.people.map((person) => ({ ...person, withdrawn: new Map(person.withdrawn), dates: [...person.dates] }))
  if (when) life.dieIn(when.commits, when.after)
  const happened = happen(world, what).then(
    () => gateway.settled(),
    (error: unknown) => {
      if (!(error instanceof Refused)) throw error
      counted('refused')
      world.people.forEach((person, n) => {
        Object.assign(person, before[n])
      })
      return gateway.settled()
    },
  )
  happened.catch(() => undefined)
  const how = await Promise.race([happened, life.death])
  counted(what.do)
  if (how === 'crashed') counted('crashes between two commits')
  if (!when) return
  counted('crashes')
  await crash(world)
}

test('the ten invariants hold after each of any events, whatever crashes in between', { timeout: (seconds + 120) * 1_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 24 }), async (steps) => {
      const one = await world()
      try {
        await born(one)
        await born(one)
        expect(await broken(one)).toEqual([])
        for (const each of steps) {
          await run(one, each)
          expect(await broken(one)).toEqual([])
        }
      } finally {
        one.life.kill()
        await one.close()
      }
    }),
    {
      numRuns: 100_000,
      interruptAfterTimeLimit: seconds * 1_000,
      markInterruptAsFailure: false,
      ...(process.env.MODEL_SEED ? { seed: Number(process.env.MODEL_SEED), path: process.env.MODEL_PATH ?? '' } : {}),
    },
  )
})
