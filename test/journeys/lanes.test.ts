/**
 * Sending to one partner stopped and started by hand, seen in the metrics, and noticed when it lasts.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { backoffMs } from '../../src/exchange/attempt.ts'
import { statement } from '../../src/store/database.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { caseBundle, partners } from '../fixtures/case-bundle.ts'
import { commandLine } from '../fixtures/command-line.ts'
import { type Gateway, openGateway } from '../fixtures/gateway.ts'

let folder: string
let gateway: Gateway
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reconnect-lanes-'))
  gateway = await openGateway({ database: openSqlite(join(folder, 'exchange.db')) })
})
afterEach(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

const reconnect = (...args: string[]) => commandLine(args, { folder, now: gateway.clock.now })
const lanesNow = async () => JSON.parse((await reconnect('lanes', '--json')).out) as Record<string, unknown>[]
const laneOf = async (partner: string) => (await lanesNow()).find((one) => one.partner === partner)
/** As a running gateway does every few seconds. */
const tick = async () => {
  await gateway.tick()
  await gateway.deliverer.idle()
}

describe('pause and resume', () => {
  test('a paused partner is sent nothing, the others everything; resumed, it gets what waited at the next tick', async () => {
    expect(await reconnect('pause', partners.recovery, '--note', 'their supplier asked us to')).toMatchObject({ exit: 0 })
    await gateway.handIn(caseBundle({ plan: ['recovery', 'probation'] }))
    await tick()
    expect(gateway.partner('recovery').received).toHaveLength(0)
    expect(gateway.partner('probation').received).toHaveLength(1)
    expect(await laneOf(partners.recovery)).toMatchObject({
      standing: 'paused',
      waiting: 1,
      note: 'their supplier asked us to',
      oldest: gateway.clock.now().toISOString(),
    })
    expect((await reconnect('lanes')).out).toMatch(/wear-recovery +paused since \S+Z +0 +1 +\S+Z +their supplier asked us to/)

    expect(await reconnect('resume', partners.recovery)).toMatchObject({ exit: 0, out: expect.stringMatching(/open; it was paused/) })
    await tick()
    expect(gateway.partner('recovery').received).toHaveLength(1)
    expect(await laneOf(partners.recovery)).toEqual({ partner: partners.recovery, standing: 'open', failures: 0, waiting: 0 })
    expect(await reconnect('resume', partners.recovery)).toMatchObject({ exit: 0, out: expect.stringMatching(/open already/) })
  })

  test('who paused and resumed what stands in the audit, and the note does not', async () => {
    await reconnect('pause', partners.recovery, '--note', 'moving house')
    await reconnect('resume', partners.recovery)
    const rows = await gateway.database.query(
      statement(`select action, who, entity, detail from audit where action in ('pause', 'resume') order by id`),
    )
    expect(rows).toEqual(['pause', 'resume'].map((action) => ({ action, who: 'command line', entity: 'lane/wear-recovery', detail: null })))
  })

  test('a lane that shut by itself says until when, and is opened by hand', async () => {
    gateway.partner('recovery').answers = 'unreachable'
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    await gateway.turn('PT30M')
    const shut = await laneOf(partners.recovery)
    expect(shut).toMatchObject({ waiting: 1 })
    expect(shut?.failures).toBeGreaterThanOrEqual(5)
    expect(shut?.standing).toMatch(/shut|trying/)
    expect(await reconnect('resume', partners.recovery)).toMatchObject({
      exit: 0,
      out: expect.stringMatching(/open; it was (shut|trying)/),
    })
    expect(await laneOf(partners.recovery)).toMatchObject({ standing: 'open', failures: 0 })
  })

  test('a partner nobody knows or a note that is a record: nothing is changed', async () => {
    expect(await reconnect('pause', 'nobody')).toMatchObject({ exit: 1, err: expect.stringMatching(/No partner has this id/) })
    expect(await reconnect('resume', 'nobody')).toMatchObject({ exit: 1 })
    expect(await reconnect('pause', partners.recovery, '--note', 'x'.repeat(201))).toMatchObject({ exit: 2 })
    expect((await lanesNow()).map(({ standing }) => standing)).toEqual(['open', 'open', 'open', 'open'])
    expect((await reconnect('pause', '--help')).out).toMatch(/must say nothing about a person/)
  })
})

describe('metrics', () => {
  const metrics = async () => (await gateway.app.request('/metrics')).text()

  test('owed messages by state, the age of the oldest, shut and paused lanes, and open work, as they are when asked', async () => {
    await reconnect('pause', partners.recovery)
    gateway.partner('probation').answers = 400
    gateway.partner('enhanced').answers = 'unreachable'
    await gateway.handIn(caseBundle({ plan: ['recovery', 'probation', 'enhanced'] }))
    await gateway.turn('PT1H')
    const page = await metrics()
    expect(page).toContain('# TYPE owed_messages gauge')
    for (const line of [
      'owed_messages{state="due"} 2',
      'owed_messages{state="sending"} 0',
      'owed_messages{state="parked"} 1',
      `owed_oldest_seconds{partner="${partners.recovery}"} 3600`,
      `owed_oldest_seconds{partner="${partners.probation}"} 0`,
      `lane_paused{partner="${partners.recovery}"} 1`,
      `lane_paused{partner="${partners.enhanced}"} 0`,
      `lane_shut{partner="${partners.recovery}"} 0`,
      `lane_shut{partner="${partners.enhanced}"} 1`,
      'work_items_open{service="tees-valley",reason="parked"} 1',
    ])
      expect(page.split('\n')).toContain(line)

    gateway.partner('enhanced').answers = 200
    await reconnect('resume', partners.recovery)
    await gateway.turn('P1D')
    const after = (await metrics()).split('\n')
    expect(after).toContain('owed_messages{state="due"} 0')
    expect(after).toContain(`owed_oldest_seconds{partner="${partners.recovery}"} 0`)
    expect(after).toContain(`lane_shut{partner="${partners.enhanced}"} 0`)
  })
})

describe('a partner that is late', () => {
  const late = async (of?: string) => (await gateway.work(of)).filter(({ reason }) => reason === 'partner-late')

  test('four hours after the oldest message was owed its service is asked, once, and no longer when it has arrived', async () => {
    await reconnect('pause', partners.recovery)
    await gateway.handIn(caseBundle({ plan: ['recovery', 'probation'] }))
    await gateway.turn('PT3H59M')
    expect(await late()).toEqual([])
    await gateway.turn('PT3H')
    const [item, ...more] = await late()
    expect(more).toEqual([])
    expect(item).toMatchObject({ about: 'late:wear-recovery', openedAt: '2026-04-02T12:00:00.000Z', service: 'tees-valley' })
    expect(item?.patient).toBeUndefined()
    expect(item?.words).toMatch(/^Messages to Partner recovery have been waiting for more than four hours\./)
    expect(await late('other-service')).toEqual([])
    expect((await reconnect('work')).out).toMatch(/tees-valley +partner-late +late:wear-recovery +Messages to/)

    await tick()
    expect((await late()).map(({ id }) => id)).toEqual([item?.id])
    await reconnect('resume', partners.recovery)
    await tick()
    await tick()
    expect(gateway.partner('recovery').received).toHaveLength(1)
    expect(await late()).toEqual([])
  })

  test('late again later, it is asked again; a parked message, which has its own work item, is not late', async () => {
    gateway.partner('recovery').answers = 'unreachable'
    gateway.partner('probation').answers = 400
    await gateway.handIn(caseBundle({ plan: ['recovery', 'probation'] }))
    await gateway.turn('PT5H')
    expect((await late()).map(({ about }) => about)).toEqual(['late:wear-recovery'])
    await gateway.turn('P4D')
    expect((await gateway.owed('parked')).map(({ partner }) => partner).sort()).toEqual([partners.probation, partners.recovery].sort())
    expect(await late()).toEqual([])
    await reconnect('resend', (await gateway.owed('parked')).find(({ partner }) => partner === partners.recovery)?.id as string)
    await gateway.turn('PT1M')
    expect((await late()).map(({ about }) => about)).toEqual(['late:wear-recovery'])
  })
})

test('whatever chance does to the pauses, a partner back after half an hour is tried again within the hour', () => {
  for (const chance of [0, 0.5, 1]) {
    let at = 0
    const tries = Array.from({ length: 20 }, (_, n) => {
      at += backoffMs(n + 1, chance)
      return at / 60_000
    })
    const back = tries.find((minute) => minute >= 30) as number
    expect(back, String(chance)).toBeLessThan(60)
    expect(backoffMs(40, chance)).toBeLessThanOrEqual(1.2 * 4 * 3_600_000)
  }
})
