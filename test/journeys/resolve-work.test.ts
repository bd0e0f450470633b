/**
 * Work items that only a person can settle: closed from the command line beside a running gateway, and asked again when they have to be.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Consent, Flag, Patient } from '@medplum/fhirtypes'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { adapters } from '../../adapters/index.ts'
import { auditEventsOf } from '../../src/exchange/audit-events.ts'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { auditOf } from '../../src/store/audit.ts'
import { statement } from '../../src/store/database.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { caseBundle, coded, partners, words } from '../fixtures/case-bundle.ts'
import { commandLine } from '../fixtures/command-line.ts'
import { type Gateway, openGateway, says, serviceId, standing } from '../fixtures/gateway.ts'

let folder: string
let gateway: Gateway
let at: Record<string, string>
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reconnect-resolve-'))
  gateway = await openGateway({ database: openSqlite(join(folder, 'exchange.db')) })
})
afterEach(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

const reconnect = (...args: string[]) => commandLine(args, { folder, now: gateway.clock.now })
const of = async (reason: string) => (await gateway.work()).filter((item) => item.reason === reason)
const resolve = async (reason: string, note = 'Phoned them') =>
  reconnect('work', 'resolve', (await of(reason))[0]?.id as string, '--by', 'navigator-1', '--note', note)
/** The gateway looks again, and a day goes by. */
const later = async () => {
  await gateway.tick()
  await gateway.turn('P1D')
}
const flag: Flag = {
  resourceType: 'Flag',
  status: 'active',
  code: coded('flag', 'something-new', words.unlabelled),
  subject: { reference: 'set by the bundle' },
}

test('an agreement recorded in error: closed once, with who and why in the audit, and the note sealed', async () => {
  at = await gateway.handIn(caseBundle())
  const consent = (await gateway.service.call<Consent>('GET', `/fhir/${at.Consent}`)).body
  await gateway.service.call('PUT', `/fhir/${at.Consent}`, { ...consent, status: 'entered-in-error' })
  const id = (await of('consent-in-error'))[0]?.id as string
  expect(await resolve('consent-in-error', 'Spoke with all three')).toMatchObject({ exit: 0, out: expect.stringMatching(/^Closed/) })
  expect(await reconnect('work', 'resolve', id, '--by', 'navigator-1', '--note', 'again')).toMatchObject({
    exit: 1,
    err: expect.stringMatching(/closed already/),
  })
  const timers = () => gateway.database.query<{ about: string }>(statement('select about from timer'))
  expect((await timers()).map(({ about }) => about)).toContain('resolved')
  await later()
  expect((await timers()).map(({ about }) => about)).not.toContain('resolved')
  expect(await of('consent-in-error')).toHaveLength(0)
  const rows = (await auditOf(gateway.database, at.Patient?.split('/')[1] as string)).filter(({ action }) => action === 'resolve')
  expect(rows).toMatchObject([{ who: 'navigator-1', service: serviceId, entity: `work-item/${id}` }])
  expect(JSON.parse(rows[0]?.detail as string)).toEqual({ work: 'consent-in-error', because: 'Spoke with all three' })
  const { publicUrl, directory } = gateway.exchange
  expect(rows.flatMap((row) => auditEventsOf(row, { publicUrl, directory: directory(), adapters }))).toMatchObject([
    {
      subtype: [{ code: 'resolve' }],
      outcomeDesc: 'Spoke with all three',
      agent: [{ who: { identifier: { value: 'navigator-1' } } }, {}],
      entity: [{ what: { reference: at.Patient } }, { what: { display: `work-item/${id}` } }],
    },
  ])
  expect(['', '-wal'].some((end) => readFileSync(join(folder, `exchange.db${end}`)).includes('Spoke with'))).toBe(false)
  expect(gateway.logged.join('\n')).not.toContain('Spoke with')
})

test('a parked message after a phone call: the night does not ask again, and it can still be sent', async () => {
  gateway.partner('recovery').answers = 400
  await gateway.handIn(caseBundle({ plan: ['recovery'] }))
  expect(await resolve('parked')).toMatchObject({ exit: 0 })
  await later()
  await reconcile(gateway.exchange, { write: true })
  expect(await of('parked')).toHaveLength(0)
  const [message] = await gateway.owed('parked')
  expect(await reconnect('resend', message?.id as string)).toMatchObject({ exit: 0 })
  await gateway.tick()
  await gateway.deliverer.idle()
  // It came back once more: that is a new question.
  expect(await of('parked')).toHaveLength(1)
})

test('an unlabelled fact somebody leaves as it is: not asked again until it is written again', async () => {
  await gateway.handIn(caseBundle({ more: [flag] }))
  expect(await resolve('unlabelled', 'Leave it')).toMatchObject({ exit: 0, out: expect.stringMatching(/left as it is/) })
  await later()
  expect(await of('unlabelled')).toHaveLength(0)
  const mine = (await gateway.service.find('Flag')).find(({ code }) => code.text === words.unlabelled) as Flag
  await gateway.service.call('PUT', `/fhir/Flag/${mine.id}`, { ...mine, code: { text: 'Another word' } })
  expect(await of('unlabelled')).toHaveLength(1)
})

test('after a death, and where there is no other partner: left, and nothing asks again', async () => {
  at = await gateway.handIn(caseBundle())
  const recovery = gateway.as('recovery')
  const [task] = await recovery.find('Task')
  await recovery.call('PATCH', `/fhir/Task/${task?.id}`, says('rejected', undefined, 'No places'))
  expect(await resolve('no-alternative', 'The person goes without')).toMatchObject({ exit: 0 })
  await later()
  expect(await of('no-alternative')).toHaveLength(0)
  // Somebody else can be asked from now on: the night asks anew.
  await gateway.apply(({ partners: all }) => {
    const first = all.find(({ id }) => id === partners.recovery)!
    all.push({ ...first, id: 'second', name: 'Second recovery', ods: 'B82009', channel: { name: 'pull' } })
  })
  await reconcile(gateway.exchange, { write: true })
  expect(await of('replace')).toHaveLength(1)

  await gateway.as('probation').call('PATCH', `/fhir/Task/${(await gateway.handover('probation')).id}`, says('accepted'))
  const patient = (await gateway.service.call<Patient>('GET', `/fhir/${at.Patient}`)).body
  await gateway.service.call('PUT', `/fhir/${at.Patient}`, { ...patient, deceasedBoolean: true })
  expect(await resolve('died', 'Seen')).toMatchObject({ exit: 0 })
  await later()
  // Nor does the night, though a partner has not confirmed yet that it stopped.
  expect(standing(await gateway.handover('probation'))).toBe('accepted cancellation-requested')
  expect(await reconcile(gateway.exchange)).toMatchObject({ unwatched: 0 })
  expect(await gateway.work()).toEqual([])
})

test('what a release depends on is refused with what would settle it, and stays open', async () => {
  await gateway.handIn(caseBundle())
  for (let day = 0; day < 10; day++) await gateway.turn('P1D')
  expect(await resolve('no-answer')).toMatchObject({ exit: 1, err: expect.stringMatching(/not closed by a note.*what the partner says/) })
  expect((await of('no-answer')).length).toBeGreaterThan(0)
})

test('without an id that is one, a name or a note nothing is closed', async () => {
  await gateway.handIn(caseBundle({ more: [flag] }))
  const id = (await of('unlabelled'))[0]?.id as string
  expect(await reconnect('work', 'resolve', 'none', '--by', 'navigator-1', '--note', 'x')).toMatchObject({ exit: 1 })
  expect(await reconnect('work', 'resolve', id, '--note', 'x')).toMatchObject({ exit: 2, err: expect.stringMatching(/--by/) })
  expect(await reconnect('work', 'resolve', id, '--by', 'navigator-1')).toMatchObject({ exit: 2, err: expect.stringMatching(/--note/) })
  expect(await of('unlabelled')).toHaveLength(1)
})
