/**
 * A night at a running gateway: messages that arrived long ago are emptied, the file gets smaller, and everybody is served meanwhile.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { usualYears } from '../../src/domain/retention.ts'
import { toldAbout } from '../../src/exchange/explain.ts'
import { startGateway } from '../../src/gateway.ts'
import { statement } from '../../src/store/database.ts'
import { owe } from '../../src/store/owed.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { masterKey, openGateway } from '../fixtures/gateway.ts'

const folder = mkdtempSync(join(tmpdir(), 'reconnect-night-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('what arrived long ago is emptied and its room given back while requests are answered; who was told what is still known', async () => {
  const file = join(folder, 'exchange.db')
  const first = await openGateway({ database: openSqlite(file) })
  const at = await first.handIn(caseBundle({ plan: ['probation'] }))
  const patient = at.Patient?.split('/')[1] as string
  const told = await toldAbout(first.exchange, patient)
  expect(told.some(({ what }) => what.length > 0)).toBe(true)
  const body = JSON.stringify({ text: 'Nothing of interest. '.repeat(900) })
  for (let n = 0; n < 1_500; n += 100) {
    const unit = Array.from({ length: 100 }, (_, i) => {
      const id = `m${n + i}`
      const times = { createdAt: '2026-04-02T08:00:00.000Z', dueAt: '2026-04-02T08:00:00.000Z' }
      return owe({
        id,
        partner: 'tees-probation',
        service: 'tees-valley',
        patient,
        task: id,
        reason: 'new',
        correlation: 'c',
        body,
        basis: '[]',
        ...times,
      })
    })
    await first.database.atomically(unit.flat())
  }
  await first.database.atomically([
    statement(`update owed set state = 'delivered', settled_at = '2026-04-02T08:00:00.000Z' where id like 'm%'`),
  ])
  await first.close()
  const before = statSync(file).size

  const lines: [string, unknown][] = []
  const began = await startGateway(
    {
      port: 0,
      host: '127.0.0.1',
      publicUrl: 'http://127.0.0.1',
      dataDir: folder,
      masterKey,
      masterKeys: [masterKey],
      trustedProxies: 0,
      logLevel: 'info',
      rateLimit: 500,
      retentionYears: usualYears,
      keepMessagesDays: 90,
      keepAnswersDays: 30,
      keepEventsDays: 35,
      requireSignedMappings: false,
      clock: new Date('2026-09-02T08:00:00.000Z'),
    },
    { log: (_level, event, fields) => lines.push([event, fields]) },
  )
  if ('faults' in began) throw new Error(began.faults.join())
  const { database } = began.gateway.open.exchange
  let answered = 0
  await vi.waitFor(
    async () => {
      await database.atomically([statement('update guard set holds = 1')])
      answered++
      expect(lines.map(([event]) => event)).toContain('house.kept')
    },
    { timeout: 15_000, interval: 1 },
  )
  // Others wrote while it tidied up.
  expect(answered).toBeGreaterThan(5)
  expect(lines.find(([event]) => event === 'house.kept')?.[1]).toMatchObject({ messages: 1_501, answers: 0, review: 0 })
  expect(lines.map(([event]) => event)).not.toContain('tick.failed')
  // Probation had not answered, so that it was reminded meanwhile.
  expect(await toldAbout(began.gateway.open.exchange, patient)).toEqual(expect.arrayContaining(told))
  await began.gateway.stop()
  const after = statSync(file).size
  expect(before).toBeGreaterThan(20_000_000)
  expect(after).toBeLessThan(before / 2)
  if (process.env.SAY_SIZES) console.log({ before, after, lines })
}, 60_000)
