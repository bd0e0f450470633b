/**
 * Timers are rows: whoever wakes late, twice or not at all comes to the same end, and one person whose look fails holds up nobody.
 */
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { addDays } from '../../src/domain/calendar.ts'
import { lookAgain } from '../../src/exchange/amend.ts'
import { runTimers } from '../../src/exchange/time.ts'
import { statement } from '../../src/store/database.ts'
import { personOf } from '../../src/store/people.ts'
import { nextTimer, timersOf } from '../../src/store/timers.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, says, standing } from '../fixtures/gateway.ts'

const standingOf = async (gateway: Gateway, patient: string) => ({
  handover: standing(await gateway.handover('recovery')),
  work: (await gateway.work()).map(({ reason, words }) => `${reason}: ${words}`).sort(),
  timers: await timersOf(gateway.database, patient),
  owed: (await gateway.owed('delivered')).map(({ reason }) => reason),
})
const without = (all: Awaited<ReturnType<typeof standingOf>>) => ({
  ...all,
  // Whoever looks late asks the person who is due, and reminds no partner of what somebody phones about by then.
  owed: all.owed.filter((reason) => reason !== 'reminder'),
  // Each gateway has ids of its own.
  timers: all.timers.map(({ about, dueAt }) => `${about.split(':')[0]} ${dueAt}`),
})

test('looking late, twice and not at all in between ends where looking at every moment ends', { timeout: 60_000 }, async () => {
  const answers = fc.constantFrom([], [['accepted']], [['accepted'], ['in-progress', 'did-not-attend']]) as fc.Arbitrary<
    [string, string?][]
  >
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 60 }),
      fc.integer({ min: 1, max: 90 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 4 }),
      answers,
      async (release, days, hops, said) => {
        const ends: unknown[] = []
        for (const careful of [true, false]) {
          const gateway = await openGateway()
          try {
            const at = await gateway.handIn(caseBundle({ releaseDate: addDays('2026-04-02', release), plan: ['recovery'] }))
            const patient = at.Patient!.split('/')[1]!
            const { id } = await gateway.handover('recovery')
            for (const one of said) await gateway.as('recovery').call('PATCH', `/fhir/Task/${id}`, says(...one))
            const end = new Date(`${addDays('2026-04-02', days)}T09:00:00Z`)
            if (careful) await gateway.turn(end.toISOString())
            else {
              for (const hop of hops.filter((each) => each < days)) {
                gateway.clock.set(new Date(`${addDays('2026-04-02', hop)}T21:00:00Z`))
                await Promise.all([runTimers(gateway.exchange), runTimers({ ...gateway.exchange }), runTimers(gateway.exchange)])
                await gateway.settled()
              }
              gateway.clock.set(end)
              await runTimers(gateway.exchange)
              await gateway.settled()
              const before = await standingOf(gateway, patient)
              await runTimers(gateway.exchange)
              expect(await standingOf(gateway, patient)).toEqual(before)
            }
            ends.push(without(await standingOf(gateway, patient)))
          } finally {
            await gateway.close()
          }
        }
        expect(ends[1]).toEqual(ends[0])
      },
    ),
    { numRuns: 25, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false },
  )
})

test('a person whose look fails is tried again later, and everybody else is looked at', async () => {
  const gateway = await openGateway()
  const people: string[] = []
  for (const [n, nhsNumber] of ['9990004005', '9990004013'].entries())
    people.push((await gateway.handIn(caseBundle({ plan: ['recovery'], nhsNumber, noms: `B135${n}CD` }))).Patient!.split('/')[1]!)
  const [sick, well] = people as [string, string]
  const query = gateway.database.query
  const reading = vi.spyOn(gateway.database, 'query').mockImplementation((one) => {
    if (one.sql.includes('from owed where patient') && one.params[0] === sick) return Promise.reject(new Error('can not be read'))
    return query(one) as Promise<never>
  })
  gateway.clock.set(new Date('2026-04-08T23:00:00Z'))
  await runTimers(gateway.exchange)
  reading.mockRestore()
  expect((await timersOf(gateway.database, sick)).map(({ dueAt }) => dueAt)).toContain('2026-04-08T23:15:00.000Z')
  expect((await timersOf(gateway.database, well)).map(({ about }) => about.split(':')[0])).toContain('chase')
  await gateway.close()
})

describe('two at once', () => {
  const due = async () => {
    const gateway = await openGateway()
    const { Patient } = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    gateway.clock.set(new Date('2026-04-08T23:00:00Z'))
    const revision = async () => (await personOf(gateway.database, Patient!.split('/')[1]!))?.revision as number
    return { gateway, revision, before: await revision() }
  }

  test('whoever wakes while timers run waits: nobody is looked at twice', async () => {
    const { gateway, revision, before } = await due()
    const reading = vi.spyOn(gateway.database, 'query')
    const ran = await Promise.all([runTimers(gateway.exchange), runTimers(gateway.exchange)])
    expect(ran.filter((count) => count > 0)).toHaveLength(1)
    expect(reading.mock.calls.filter(([{ sql }]) => sql.includes('from owed where patient'))).toHaveLength(1)
    expect(await revision()).toBe(before + 1)
    await gateway.close()
  })

  test('of two gateways on one database, the one that is later finds nothing to do', async () => {
    const { gateway, revision, before } = await due()
    const writing = vi.spyOn(gateway.database, 'atomically')
    // Two that do not know of each other: both read before either has written.
    await Promise.all([runTimers(gateway.exchange), runTimers({ ...gateway.exchange })])
    await gateway.settled()
    expect(await revision()).toBe(before + 1)
    expect((await gateway.owed('delivered')).map(({ reason }) => reason)).toEqual(['new', 'reminder'])
    writing.mockClear()
    await runTimers(gateway.exchange)
    expect(writing).not.toHaveBeenCalled()
    await gateway.close()
  })

  test('to look at somebody for whom nothing is new writes nothing, not even that somebody looked', async () => {
    const { gateway, revision } = await due()
    await runTimers(gateway.exchange)
    await gateway.settled()
    const before = await revision()
    const [{ id }] = (await gateway.database.query<{ id: string }>(statement('select id from person'))) as [{ id: string }]
    const writing = vi.spyOn(gateway.database, 'atomically')
    expect(await lookAgain(gateway.exchange, id)).toBe(true)
    expect(writing).not.toHaveBeenCalled()
    expect(await revision()).toBe(before)
    await gateway.close()
  })
})

test('nothing goes on by itself but what is due: without a timer nobody is looked at', async () => {
  const gateway = await openGateway()
  await gateway.handIn(caseBundle({ plan: ['recovery'] }))
  await gateway.database.atomically([statement('delete from timer')])
  gateway.clock.set(new Date('2026-06-01T09:00:00Z'))
  const reading = vi.spyOn(gateway.database, 'query')
  expect(await runTimers(gateway.exchange)).toBe(0)
  expect(reading.mock.calls.map(([{ sql }]) => sql.match(/ from (\w+)/)?.[1])).toEqual(['timer'])
  expect(await nextTimer(gateway.database)).toBeUndefined()
  await gateway.close()
})
