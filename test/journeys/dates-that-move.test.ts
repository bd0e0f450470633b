/**
 * Each wait is a timer row, rewritten in the same commit as the date it hangs on.
 */
import { expect, test } from 'vitest'
import { openSqlite } from '../../src/store/sqlite.ts'
import { timersOf } from '../../src/store/timers.ts'
import { caseBundle, custodyOf } from '../fixtures/case-bundle.ts'
import { openGateway, says } from '../fixtures/gateway.ts'

test('a release date that moves, earlier and later: each wait that hangs on it moves in the same commit', async () => {
  const units: string[][] = []
  const driver = openSqlite(':memory:')
  const gateway = await openGateway({
    database: {
      ...driver,
      atomically: (unit) => {
        units.push(unit.map(({ sql }) => sql))
        return driver.atomically(unit)
      },
    },
  })
  const { Patient } = await gateway.handIn(caseBundle({ plan: ['practice', 'recovery'] }))
  await gateway.as('recovery').call('PATCH', `/fhir/Task/${(await gateway.handover('recovery')).id}`, says('accepted'))
  const [custody] = await gateway.service.find('Observation', 'code=custody')
  const waits = async () =>
    Object.fromEntries(
      (await timersOf(gateway.database, Patient?.split('/')[1] as string)).flatMap(({ about, dueAt }) =>
        about.startsWith('consent') ? [] : [[about.split(':')[0], dueAt]],
      ),
    )
  // A Friday may come two working days early, and everything before it is counted from then.
  const friday = {
    window: '2026-04-16T23:00:00.000Z',
    contacts: '2026-04-28T23:00:00.000Z',
    due: '2026-05-01T23:00:00.000Z',
    outcome: '2026-05-05T23:00:00.000Z',
    release: '2026-05-05T23:00:00.000Z',
  }
  expect(await waits()).toEqual(friday)
  const moves: [string, Record<string, string>][] = [
    [
      '2026-05-05',
      {
        window: '2026-04-06T23:00:00.000Z',
        contacts: '2026-04-20T23:00:00.000Z',
        due: '2026-04-21T23:00:00.000Z',
        outcome: '2026-04-27T23:00:00.000Z',
        release: '2026-05-04T23:00:00.000Z',
      },
    ],
    [
      '2026-06-19',
      {
        window: '2026-05-21T23:00:00.000Z',
        contacts: '2026-06-02T23:00:00.000Z',
        due: '2026-06-05T23:00:00.000Z',
        outcome: '2026-06-09T23:00:00.000Z',
        release: '2026-06-09T23:00:00.000Z',
      },
    ],
    ['2026-05-15', friday],
  ]
  for (const [releaseDate, expected] of moves) {
    units.length = 0
    const said = { ...custodyOf({ patient: Patient as string, releaseDate }), id: custody?.id as string }
    expect((await gateway.service.call('PUT', `/fhir/Observation/${custody?.id}`, said)).status).toBe(200)
    expect(await waits(), releaseDate).toEqual(expected)
    const [first, ...more] = units.filter((unit) => unit.some((sql) => / timer /.test(sql)))
    expect(first?.some((sql) => sql.startsWith('update resource '))).toBe(true)
    expect(more).toEqual([])
  }
  await gateway.close()
})
