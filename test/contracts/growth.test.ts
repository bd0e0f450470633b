/**
 * Nothing that is asked again and again walks through a table that grows with the number of people: SQLite says of each statement how it
 * would be run. Judged by that, not by time.
 *
 * Counting everything (`npm run reconnect -- owed`) and going through everybody (the night) are not asked again and again.
 */
import { expect, test } from 'vitest'
import type { Years } from '../../src/domain/retention.ts'
import { signedNow } from '../../src/exchange/handovers.ts'
import { keepHouse } from '../../src/exchange/housekeeping.ts'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { type Driver, type Plain, type StatementOf, statement } from '../../src/store/database.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { openGateway, says } from '../fixtures/gateway.ts'
import { envelope, handInEvent, prisonEvent } from '../fixtures/hmpps.ts'

const growing = new Set(
  'resource resource_version search person holder_key owed owed_text attempt inbox event event_number timer work_item audit override merge message_taken assertion_used'.split(
    ' ',
  ),
)
/** These hold only what is open now; `event_unknown` what came in some weeks and is not understood. */
const ofWhatIsOpen = /USING (COVERING )?INDEX (event_due|event_unknown|work_item_about_person|work_item_about_service)$/

/** A driver that remembers every text it was given. */
function listening(driver: Driver): { driver: Driver; heard: Set<string> } {
  const heard = new Set<string>()
  const hear = ({ sql }: StatementOf<Plain>) => heard.add(sql)
  return {
    heard,
    driver: {
      ...driver,
      query: (one) => {
        hear(one)
        return driver.query(one)
      },
      atomically: (unit) => {
        unit.forEach(hear)
        return driver.atomically(unit)
      },
    },
  }
}

/** How SQLite would run a statement, step by step. Asked like a write: of one that writes, a query would be refused. */
async function planOf(driver: Driver, sql: string): Promise<string[]> {
  const places = (sql.match(/\?/g) ?? []).map(() => null)
  const [steps] = await driver.atomically([statement(`explain query plan ${sql}`, ...places)])
  return (steps as { detail: string }[]).map(({ detail }) => detail)
}

/** Which growing tables a statement would walk through from one end to the other. */
async function walked(driver: Driver, sql: string): Promise<string[]> {
  const tables = new Map(
    [...sql.matchAll(/\b(?:from|join|into|update)\s+(\w+)(?:\s+(?:as\s+)?(\w+))?/gi)].map(([, table, name]) => [name, table]),
  )
  return (await planOf(driver, sql)).flatMap((detail) => {
    const name = /^SCAN (\w+)/.exec(detail)?.[1]
    if (name === undefined || detail.includes('VIRTUAL TABLE') || ofWhatIsOpen.test(detail)) return []
    const table = growing.has(name) ? name : (tables.get(name) ?? name)
    return growing.has(table) ? [`${table}: ${detail}`] : []
  })
}

const years: Years = { adult: 1, 'mental-health': 1, 'after-death': 1 }

test('no statement of a case’s whole life walks through a table that grows', { timeout: 60_000 }, async () => {
  const { driver, heard } = listening(openSqlite(':memory:'))
  const gateway = await openGateway({ database: driver })
  heard.clear()
  const at = await gateway.handIn(caseBundle())
  const { id } = await gateway.handover('recovery')
  await gateway.as('recovery').call('PATCH', `/fhir/Task/${id}`, says('accepted'))
  for (const path of [
    '/fhir/Patient?family=Test',
    `/fhir/CarePlan?patient=${at.Patient}&_include=CarePlan:subject`,
    '/fhir/Task?status=requested&_sort=-_lastUpdated',
    '/fhir/AuditEvent?_count=5',
    `/fhir/${at.Patient}/$account`,
    `/fhir/${at.Consent}/_history`,
  ])
    await gateway.service.call('GET', path)
  await gateway.as('recovery').call('GET', '/fhir/CarePlan')
  await handInEvent(gateway, envelope(prisonEvent('released', { code: 'CR' })))
  await handInEvent(gateway, envelope(prisonEvent('received', { noms: 'A9999ZZ' })))
  gateway.partner('probation').answers = 500
  await gateway.turn('P10D')
  await gateway.tick()
  await gateway.turn('P200D')
  await gateway.service.call('DELETE', `/fhir/${at.Consent}`)
  await gateway.settled()
  await reconcile(gateway.exchange)
  await keepHouse(gateway.exchange, { years, messagesDays: 30, answersDays: 7, eventsDays: 30 })
  await gateway.app.request('/metrics')
  await gateway.database.atomically([signedNow(gateway.clock.now())])
  await gateway.turn('P2Y')
  expect(await keepHouse(gateway.exchange, { years, messagesDays: 30, answersDays: 7, eventsDays: 30 })).toMatchObject({ review: 1 })

  const statements = [...heard].filter((sql) => /^\s*(select|with|insert|update|delete)/i.test(sql))
  expect(statements.length).toBeGreaterThan(60)
  // What a signature brings forward, and whose record has come to its end.
  for (const one of [/^update timer set due_at/, /join json_each.*r\.last_updated >=/s])
    expect(statements.filter((sql) => one.test(sql))).toHaveLength(1)
  const found: Record<string, string[]> = {}
  for (const sql of statements) {
    const tables = await walked(driver, sql)
    if (tables.length) found[sql.replace(/\s+/g, ' ')] = tables
  }
  expect(found).toEqual({})

  // What falls due at one moment is not put in order: it would be again for every two hundred of it.
  const due = statements.find((sql) => /from timer where due_at <= \? .*limit/s.test(sql)) as string
  expect(await planOf(driver, due)).toEqual([expect.stringMatching(/^SEARCH timer USING INDEX timer_due/)])
  await gateway.close()
})
