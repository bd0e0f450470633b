/**
 * A life of the exchange: begun with two people, then one step after another, and after each the invariants hold; at the end everybody is
 * well again, and what was owed has arrived.
 */
import fc from 'fast-check'
import { expect } from 'vitest'
import { recipients } from './agreement.ts'
import { beside, type Event, event, expected, happen } from './commands.ts'
import { dayOf, later } from './days.ts'
import type { Death, Gate } from './gate.ts'
import type { Partners } from './partners.ts'
import { afterDeath, broken, counted, handIn, type World, worldOf } from './world.ts'

export type Step = { event: Event; beside: Event | null; crash: { how: Death; again: boolean; late: boolean } | null }
/** Once in so many times. */
const sometimes = <T>(times: number, some: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: times - 1, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: some })
const death = fc.oneof<fc.Arbitrary<Death>[]>(
  fc.record({ calls: fc.integer({ min: 1, max: 12 }), after: fc.boolean() }),
  fc.record({ calls: fc.integer({ min: 1, max: 60 }), after: fc.boolean() }),
  fc.constant('partner' as const),
)
export const step: fc.Arbitrary<Step> = fc.record({
  event,
  beside: sometimes(6, beside),
  /** When it dies during this, if it comes so far; whether whoever got no answer asks again; whether it is slow to look at what is due. */
  crash: sometimes(4, fc.record({ how: death, again: fc.boolean(), late: fc.boolean() })),
})
/** Ordinary days, the weekends the clocks change, and the end of August. */
const begins = fc.constantFrom(
  '2026-04-02T08:00:00.000Z',
  '2026-10-23T15:00:00.000Z',
  '2027-03-26T11:00:00.000Z',
  '2026-08-28T09:00:00.000Z',
)
export const life = fc.record({
  begins,
  dice: fc.nat(),
  releases: fc.tuple(...[0, 1].map(() => fc.constantFrom(3, 27, 28, 29, 43, 84, 85, 120))),
  steps: fc.array(step, { minLength: 4, maxLength: 30, size: 'max' }),
})

/** What happened in all runs together: invariants over nothing would hold as well. */
export const tally = new Map<string, number>()

async function take(world: World, { event: what, beside: meanwhile, crash }: Step): Promise<void> {
  const { gate } = world
  world.awake = true
  const one = (each: Event) =>
    happen(world, each).then(
      () => counted(world, each.do),
      (error) => {
        expected(error)
        counted(world, `${each.do} refused`)
      },
    )
  const died = crash && gate.dying(crash.how)
  const happened = Promise.all([one(what), ...(meanwhile && what.do !== 'repeat' && what.do !== 'night' ? [one(meanwhile)] : [])]).then(
    () => (world.awake ? gate.settled() : gate.idle()),
  )
  happened.catch(() => undefined)
  const how = await Promise.race([happened, ...(died ? [died] : [])])
  if (!crash) return
  counted(world, how === 'died' ? 'died at work' : 'died after it')
  await gate.crash(crash.late)
  world.awake = !crash.late
  await afterDeath(world, crash.again)
  if (world.awake) await gate.settled()
}

export async function live(
  open: (partners: Partners) => Promise<Gate>,
  begin: string,
  { releases, steps }: { releases: number[]; steps: Step[] },
) {
  const world = await worldOf(open)
  try {
    for (const [n, days] of releases.entries()) {
      const to = Object.fromEntries(recipients.map((one) => [one, 'R' as const]))
      const plan = n === 0 ? recipients : recipients.slice(0, 3)
      await handIn(world, { releaseDate: later(dayOf(begin), days), plan, to, until: later(dayOf(begin), 250) })
    }
    await world.gate.settled()
    expect(await broken(world), 'at the beginning').toEqual([])
    for (const [n, each] of steps.entries()) {
      await take(world, each)
      // Of two things at once one may have opened what the other closed: when somebody was asked is not judged then.
      if (each.beside) world.memory.asked.first = world.memory.arrivals.length
      expect(await broken(world), `after step ${n + 1}, ${JSON.stringify(each)}`).toEqual([])
    }
    await atTheEnd(world)
  } finally {
    for (const [what, count] of world.counts) tally.set(what, (tally.get(what) ?? 0) + count)
    tally.set('runs', (tally.get('runs') ?? 0) + 1)
    tally.set('steps', (tally.get('steps') ?? 0) + steps.length)
    await world.gate.close()
  }
}

/** Everybody is well again, and time passes: what was owed has arrived, and what was acknowledged is there. */
async function atTheEnd(world: World): Promise<void> {
  const { gate, line, done } = world
  line.behaves.clear()
  world.awake = true
  await gate.turn(new Date(Date.parse(gate.now()) + 2 * 86_400_000).toISOString())
  await gate.settled()
  const wrong = await broken(world)
  const waiting = await gate.rows<{ state: string; reason: string }>(
    `select state, reason from owed o where state in ('due', 'sending') and not exists
      (select 1 from owed e where e.task = o.task and e.seq < o.seq and e.state = 'parked')`,
  )
  wrong.push(...waiting.map(({ state, reason }) => `8: a message (${reason}) is still ${state}`))
  // Each shelf counts versions of its own: the last one acknowledged to each client.
  const last = new Map(done.flatMap((one) => (one.version ? [[`${one.client} ${one.version.split(' ')[0]}`, one] as const] : [])))
  for (const { client, version: said = '' } of last.values()) {
    const [ref, version] = said.split(' ') as [string, string]
    const { status, body } = await gate.call(client, 'GET', `/fhir/${ref}`)
    if (status === 200 && Number(body.meta?.versionId) >= Number(version)) continue
    // A partner may not read any more what it answered.
    if (status === 404 && !client.includes('-system')) continue
    wrong.push(`8: version ${version} of a ${ref.split('/')[0]} was acknowledged, and it is ${status} ${body?.meta?.versionId}`)
  }
  expect(wrong, 'at the end').toEqual([])
}

/** Chance, so that a run can be had again. */
export function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
