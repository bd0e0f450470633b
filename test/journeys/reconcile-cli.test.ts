/**
 * `reconcile` typed beside a running gateway decides as that gateway does: what the gateway would leave, it leaves.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { adapters } from '../../adapters/index.ts'
import { channels } from '../../src/channels/index.ts'
import { run } from '../../src/cli/run.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { timersOf } from '../../src/store/timers.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { type Gateway, masterKey, openGateway, standing } from '../fixtures/gateway.ts'
import { hmppsDouble } from '../fixtures/hmpps-api.ts'

let folder: string
let gateway: Gateway
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reconnect-reconcile-'))
})
afterEach(async () => {
  await gateway?.close()
  rmSync(folder, { recursive: true, force: true })
})

const open = async (options: Parameters<typeof openGateway>[0]) => {
  gateway = await openGateway({ database: openSqlite(join(folder, 'exchange.db')), ...options })
  return (await gateway.handIn(caseBundle())).Patient?.split('/')[1] as string
}
async function reconcile(env: Record<string, string>) {
  let said = ''
  const write = (text: string) => {
    said += text
  }
  const exit = await run(['reconcile'], {
    env: { DATA_DIR: folder, MASTER_KEY: Buffer.from(masterKey).toString('base64'), ...env },
    readText: () => '',
    adapters,
    channels,
    now: gateway.clock.now,
    write,
    writeError: write,
  })
  return { exit, said }
}
const asItShould = { exit: 0, said: '1 people looked at.\nEverything is as it should be.\n' }

test('where there is an API to ask, everybody is still looked up at their time', async () => {
  const patient = await open({ hmpps: hmppsDouble([]).api })
  const timers = await timersOf(gateway.database, patient)
  expect(timers.map(({ about }) => about)).toContain('look-up')
  expect(await reconcile({ HMPPS_API_URL: 'https://hmpps.test' })).toEqual(asItShould)
  expect(await timersOf(gateway.database, patient)).toEqual(timers)
})

test('what nobody signed is told to nobody', async () => {
  await open({ requireSignedMappings: true })
  expect(await reconcile({ REQUIRE_SIGNED_MAPPINGS: 'true' })).toEqual(asItShould)
  expect(standing(await gateway.handover('recovery'))).toBe('draft preparing')
  expect(await gateway.owed('due')).toEqual([])
})

test('a setting that is none of these is named', async () => {
  await open({})
  expect(await reconcile({ HMPPS_API_EVERY_DAYS: 'often' })).toMatchObject({
    exit: 1,
    said: expect.stringMatching(/^HMPPS_API_EVERY_DAYS must be/),
  })
})

test('beside a clock that is turned by hand it refuses: in real time everything would be late', async () => {
  await open({})
  expect(await reconcile({ CLOCK: 'manual:2026-04-02T08:00:00Z' })).toMatchObject({ exit: 1, said: expect.stringMatching(/stands still/) })
})
