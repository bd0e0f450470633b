/**
 * Who a database is filled with for the bench is a person like any other: known by number and name, on every shelf, under a key of their
 * own, and in a sound audit.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { benchCase, service } from '../../bench/case.ts'
import { fill, templateIn } from '../../bench/fill.ts'
import { masterKey } from '../../bench/gateway.ts'
import { openPartners } from '../../bench/partner.ts'
import { partnerIds } from '../../bench/stage.ts'
import { parseSearch } from '../../src/fhir/search.ts'
import { nhsNumber } from '../../src/fhir/systems.ts'
import { verifyAudit } from '../../src/store/audit-verify.ts'
import { statement } from '../../src/store/database.ts'
import { recordOf, shelvesOf } from '../../src/store/resources.ts'
import { openStore } from '../../src/store/sealed.ts'
import { searchShelf } from '../../src/store/search.ts'
import { openSqlite } from '../../src/store/sqlite.ts'

const folder = mkdtempSync(join(tmpdir(), 'bench-fill-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('the last person filled in is as real as the first, who was handed in over HTTP', { timeout: 60_000 }, async () => {
  const partners = await openPartners(partnerIds)
  const template = await templateIn(folder, partners)
  partners.close()
  const before = { people: 1, resources: template.resources, seconds: 0 }
  const filled = await fill(folder, template, before, { resources: 12 * template.resources, last: 12 * template.resources })
  expect(filled).toMatchObject({ people: 12, resources: 12 * template.resources })

  const database = await openStore(openSqlite(join(folder, 'exchange.db')), [masterKey])
  const shelf = `service:${service}`
  const found = async (query: string) => {
    const { matches } = await searchShelf(database, shelf, parseSearch('Patient', new URLSearchParams(query)))
    return matches.map(({ id }) => id)
  }
  const rows = async (sql: string, ...params: string[]) => (await database.query<{ n: number }>(statement(sql, ...params)))[0]?.n
  const standingOf = async (n: number) => {
    const { nhsNumber: number, family } = benchCase(n)
    const [patient = ''] = await found(`identifier=${encodeURIComponent(`${nhsNumber}|${number}`)}`)
    expect(await found(`family=${family}`)).toEqual([patient])
    const told = await shelvesOf(database, patient)
    expect(JSON.stringify(told)).toContain(number)
    return {
      record: (await recordOf(database, shelf, patient)).map(({ resourceType }) => resourceType).sort(),
      told: told.map(({ shelf, type }) => `${shelf} ${type}`).sort(),
      terms: await rows('select count(*) as n from search where resource in (select row from resource where patient = ?)', patient),
      audit: await rows('select count(*) as n from audit where patient = ?', patient),
      timers: await rows('select count(*) as n from timer where patient = ?', patient),
      keys: await rows('select count(*) as n from holder_key where holder = ? and wrapped is not null', patient),
    }
  }
  const first = await standingOf(0)
  expect(new Set(first.told.map((one) => one.split(' ')[0])).size).toBe(4)
  expect(await standingOf(11)).toEqual(first)
  expect(await verifyAudit(database)).toMatchObject({ found: 0, unsealed: 0 })
  await database.close()
})
