/**
 * A database of a version before, opened with the code of today: migrated, then read, found, sent, answered and audited as if it had always
 * been ours. An interrupted migration is whole or not at all, and a database of a later version is left alone.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Bundle, Patient } from '@medplum/fhirtypes'
import Sqlite from 'better-sqlite3'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { toldAbout } from '../../src/exchange/explain.ts'
import { verifyAudit } from '../../src/store/audit-verify.ts'
import { statement } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import { renewTerms } from '../../src/store/renew-terms.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { caseBundle, words, wordsIn } from '../fixtures/case-bundle.ts'
import { masterKey, openGateway, standing } from '../fixtures/gateway.ts'
import { makeReleased, releasedVersions } from '../fixtures/released.ts'

// Some are processes of their own.
vi.setConfig({ testTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), 'reconnect-upgrade-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const home = new URL('../../migrations/', import.meta.url)

describe.each(releasedVersions)('a database with migration %s as its last', (version) => {
  const file = join(folder, `${version}.db`)
  const idsOf = () => {
    const sqlite = new Sqlite(file, { readonly: true })
    const one = (sql: string) => sqlite.prepare(sql).pluck().get() as string
    const ids = {
      patient: one('select id from person where erased_at is null'),
      erased: one('select id from person where erased_at is not null'),
      owed: one(`select id from owed where state in ('due', 'sending', 'parked')`),
      audit: sqlite.prepare('select count(*) from audit').pluck().get() as number,
    }
    sqlite.close()
    return ids
  }

  test('is read, found, sent from, answered, audited and verified', async () => {
    makeReleased(version, file)
    const { patient, erased, owed, audit } = idsOf()
    const gateway = await openGateway({ database: openSqlite(file), at: '2026-04-02T09:00:00.000Z' })
    try {
      while ((await renewTerms(gateway.database)).more);
      const { body } = await gateway.service.call<Patient>('GET', `/fhir/Patient/${patient}`)
      expect(body.name?.[0]?.family).toBe(words.identity)
      // However much of the name is asked for: what one version indexed, the next has to find.
      for (let length = 1; length <= words.identity.length; length++)
        expect((await gateway.service.find('Patient', `family=${words.identity.slice(0, length)}`)).map(({ id }) => id)).toEqual([patient])
      const identifier = body.identifier?.[0]
      expect(await gateway.service.find('Patient', `identifier=${identifier?.system}|${identifier?.value}`)).toHaveLength(1)
      for (const type of ['Consent', 'CarePlan', 'ServiceRequest', 'Condition'] as const)
        expect((await gateway.service.find(type, `patient=${patient}`)).length).toBeGreaterThan(0)
      const history = await gateway.service.call<Bundle>('GET', `/fhir/Patient/${patient}/_history`)
      expect([history.status, history.body.entry?.length]).toEqual([200, 1])
      expect((await gateway.service.call('GET', `/fhir/Patient/${erased}`)).status).toBe(410)

      gateway.partner('recovery').answers = 200
      await gateway.turn('PT8H')
      expect(gateway.partner('recovery').received.map(({ key }) => key)).toEqual([owed])
      expect(wordsIn(gateway.partner('recovery').received[0]!.text)).toContain('identity')
      expect(standing(await gateway.handover('recovery'))).toBe('requested delivered')
      expect((await gateway.as('probation').find('Patient')).map(({ id }) => id)).toHaveLength(1)
      const told = await toldAbout(gateway.exchange, patient)
      expect(new Set(told.map(({ name }) => name))).toEqual(new Set(['Partner probation', 'Partner recovery']))
      expect(told.filter(({ what }) => what.length > 0).length).toBeGreaterThanOrEqual(2)

      await gateway.handIn(caseBundle({ plan: ['probation'] }))
      await gateway.tick()
      const verdict = await verifyAudit(gateway.database)
      expect(verdict).toMatchObject({ findings: [] })
      const [row] = await gateway.database.query<{ n: number }>(statement('select count(*) as n from audit'))
      expect(row?.n).toBeGreaterThan(audit)
    } finally {
      await gateway.close()
    }
    expect(wordsIn(readFileSync(file, 'latin1'))).toEqual([])
  })
})

describe('a migration', () => {
  const copyOf = (name: string, more: Record<string, string>) => {
    const place = join(folder, name)
    mkdirSync(place)
    for (const each of readdirSync(home).filter((one) => one.endsWith('.sql'))) cpSync(new URL(each, home), join(place, each))
    for (const [each, text] of Object.entries(more)) writeFileSync(join(place, each), text)
    return pathToFileURL(`${place}/`)
  }
  const half =
    'create table later (n integer);\n--> statement-breakpoint\nupdate person set revision = revision + 100;\n--> statement-breakpoint\n'
  const stateOf = (file: string) => {
    const sqlite = new Sqlite(file, { readonly: true })
    const state = {
      schema: sqlite.prepare('select sql from sqlite_master order by 1').pluck().all(),
      people: sqlite.prepare('select * from person').all(),
      applied: sqlite.prepare('select name from d1_migrations').pluck().all(),
    }
    sqlite.close()
    return state
  }

  test('that fails half way leaves nothing of itself, and once mended is applied', async () => {
    const file = join(folder, 'half.db')
    makeReleased('0001', file)
    const driver = openSqlite(file)
    await migrate(driver)
    const before = stateOf(file)
    await expect(migrate(driver, copyOf('faulty', { '9000_later.sql': `${half}this is not SQL` }))).rejects.toThrow(/syntax error/)
    expect(stateOf(file)).toEqual(before)
    const mended = copyOf('mended', { '9000_later.sql': `${half}select 1` })
    expect(await migrate(driver, mended)).toEqual(['9000_later.sql'])
    expect(await migrate(driver, mended)).toEqual([])
    await driver.close()
  })

  test('whose process is killed before the commit was not applied', async () => {
    const file = join(folder, 'killed.db')
    makeReleased('0000', file)
    const before = stateOf(file)
    const killed = spawnSync(process.execPath, [
      '--input-type=module',
      '-e',
      `import Sqlite from ${JSON.stringify(import.meta.resolve('better-sqlite3'))}
       const sqlite = new Sqlite(${JSON.stringify(file)})
       sqlite.pragma('journal_mode = WAL')
       sqlite.pragma('cache_size = 1') // so that pages are written to the -wal before the commit
       sqlite.exec('begin immediate')
       sqlite.exec(${JSON.stringify(readFileSync(new URL('0001_audit_seal.sql', home), 'utf8').replaceAll('--> statement-breakpoint', ''))})
       process.kill(process.pid, 'SIGKILL')`,
    ])
    expect(killed.signal).toBe('SIGKILL')
    expect(stateOf(file)).toEqual(before)
    const driver = openSqlite(file)
    expect((await migrate(driver))[0]).toBe('0001_audit_seal.sql')
    await driver.close()
  })

  test('of a later version: nothing starts, nothing is changed, and one line says what to do', async () => {
    const dataDir = join(folder, 'newer')
    mkdirSync(dataDir)
    const file = join(dataDir, 'exchange.db')
    makeReleased('0001', file)
    const sqlite = new Sqlite(file)
    sqlite.exec(`insert into d1_migrations (name) values ('9000_later.sql')`)
    sqlite.close()
    const before = stateOf(file)
    for (const args of [['./node.ts'], ['./cli.ts', 'owed']]) {
      const ended = spawnSync(process.execPath, [fileURLToPath(new URL('../../src/start.ts', import.meta.url)), ...args], {
        env: { DATA_DIR: dataDir, MASTER_KEY: Buffer.from(masterKey).toString('base64'), PORT: '1' },
        encoding: 'utf8',
      })
      expect(ended.status).toBe(1)
      expect(ended.stderr.replace(/^The exchange can not start:\n- /, '')).toMatch(
        /^The database is of a newer version of the exchange \(it has migration 9000_later\.sql\)\. Nothing was changed: .*\.\n$/,
      )
    }
    expect(stateOf(file)).toEqual(before)
  })
})
