/**
 * A night's look at everything: what was broken on purpose is put right, and what nobody can explain is asked about.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lastReconciled, reconcile } from '../../src/exchange/reconcile.ts'
import { statement } from '../../src/store/database.ts'
import { timersOf } from '../../src/store/timers.ts'
import { caseBundle, partners, usual } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, says } from '../fixtures/gateway.ts'

let gateway: Gateway
let patient: string
beforeEach(async () => {
  gateway = await openGateway()
  const at = await gateway.handIn(caseBundle())
  patient = at.Patient?.split('/')[1] as string
})
afterEach(() => gateway.close())

const sql = (text: string, ...params: string[]) => gateway.database.atomically([statement(text, ...params)])
const night = (how = {}) => reconcile(gateway.exchange, how)
const nothing = {
  repaired: 0,
  timers: 0,
  work: 0,
  record: 0,
  shelves: 0,
  messages: 0,
  unwatched: 0,
  unexplained: 0,
  lost: 0,
  toNobody: 0,
  parked: 0,
  late: 0,
  strangers: 0,
  failed: 0,
}

test('nothing is wrong: nothing is written', async () => {
  const { mark: _mark, ...before } = await gateway.rows()
  expect(await night()).toEqual({ ...nothing, people: 1 })
  const { mark: __mark, ...after } = await gateway.rows()
  expect(after).toEqual(before)
  expect(await lastReconciled(gateway.database)).toMatchObject({ people: 1, at: gateway.clock.now().toISOString() })
})

test('an agreement recorded in error: who is to be asked in time is waited for at once, and the night has nothing to put right', async () => {
  const [consent] = await gateway.service.find('Consent')
  await gateway.service.call('PUT', `/fhir/Consent/${consent?.id}`, { ...consent, status: 'entered-in-error' })
  await gateway.settled()
  const waits = (await timersOf(gateway.database, patient)).map(({ about }) => about.split(':')[0])
  expect(waits.filter((about) => about === 'due')).toHaveLength(4)
  expect(await night()).toEqual({ ...nothing, people: 1 })
})

test('timers that went missing are written again', async () => {
  const before = await timersOf(gateway.database, patient)
  await sql('delete from timer')
  expect(await night({ write: false })).toMatchObject({ repaired: 1, timers: before.length })
  expect(await timersOf(gateway.database, patient)).toEqual([])
  expect(await night()).toMatchObject({ repaired: 1, timers: before.length, unwatched: 0 })
  expect(await timersOf(gateway.database, patient)).toEqual(before)
  expect(await night()).toEqual({ ...nothing, people: 1 })
})

test('a work item that went missing is opened again', async () => {
  await gateway.handIn(caseBundle({ agreed: { recovery: usual.recovery }, nhsNumber: '9990004013', noms: 'B1358CD' }))
  // Who may be the same person is looked for when a record is written, not at night.
  await sql(`delete from work_item where reason = 'duplicate'`)
  const open = (await gateway.work()).map(({ reason }) => reason)
  expect(open).toContain('consent-blocked')
  await sql('delete from work_item')
  expect((await night()).work).toBe(open.length)
  expect((await gateway.work()).map(({ reason }) => reason).sort()).toEqual(open.sort())
})

test('what a partner was told and can no longer read is on its shelf again', async () => {
  const shelf = `partner:${partners.recovery}`
  const before = (await gateway.as('recovery').find('Condition')).length
  expect(before).toBeGreaterThan(0)
  await sql(`delete from resource where shelf = ? and type = 'Condition'`, shelf)
  expect(await gateway.as('recovery').find('Condition')).toHaveLength(0)
  const found = await night()
  expect(found).toMatchObject({ repaired: 1, unexplained: 0 })
  expect(found.shelves).toBeGreaterThan(0)
  expect(await gateway.as('recovery').find('Condition')).toHaveLength(before)
})

test('what stands on a shelf and nothing says that it was told is asked about, once', async () => {
  await sql(`update audit set action = 'forgotten' where action = 'owe' and recipient = ?`, partners.probation)
  expect(await night()).toMatchObject({ repaired: 0, unexplained: expect.any(Number) })
  const asked = async () => (await gateway.work()).filter(({ reason }) => reason === 'shelf-unexplained')
  const first = await asked()
  expect(first.length).toBeGreaterThan(0)
  expect(first[0]?.words).toMatch(/^Partner probation can read something/)
  await night()
  expect(await asked()).toEqual(first)
  await sql(`update audit set action = 'owe' where action = 'forgotten'`)
  await night()
  expect(await asked()).toEqual([])
})

test('a message about somebody who was erased is void, and a parked one nobody was asked about is asked about', async () => {
  gateway.partner('recovery').answers = 422
  await gateway.handIn(caseBundle({ plan: ['recovery'], nhsNumber: '9990004013', noms: 'B1358CD' }))
  await sql(`update work_item set resolved_at = opened_at where reason = 'parked'`)
  expect(await night()).toMatchObject({ parked: 1 })
  expect((await gateway.work()).filter(({ reason }) => reason === 'parked')).toHaveLength(1)
  const [parked] = await gateway.owed('parked')
  await sql('update person set erased_at = ? where id = ?', '2026-04-02T09:00:00.000Z', parked?.patient as string)
  expect(await night()).toMatchObject({ toNobody: 1, parked: 0 })
  expect(await gateway.owed('parked')).toEqual([])
})

test('one person who can not be looked at does not end the night', async () => {
  await gateway.handIn(caseBundle({ nhsNumber: '9990004013', noms: 'B1358CD' }))
  await sql(`update resource set body = x'00' where patient = ? and type = 'Patient' and shelf like 'service:%'`, patient)
  await sql(`delete from timer where patient <> ?`, patient)
  expect(await night()).toMatchObject({ people: 2, failed: 1, repaired: 1 })
  expect(gateway.logged.join()).toContain('reconcile.failed')
})

test('a night that has to end in time goes on where it came to', async () => {
  expect(await night({ withinMs: 0 })).toMatchObject({ people: 1 })
  expect(await night({ withinMs: 0 })).toMatchObject({ people: 1 })
})

test('somebody whose timers are about to run is left to them', async () => {
  const { id } = await gateway.handover('recovery')
  await gateway.as('recovery').call('PATCH', `/fhir/Task/${id}`, says('accepted'))
  gateway.clock.set(new Date('2026-04-20T09:00:00Z'))
  expect(await night()).toEqual({ ...nothing, people: 1 })
})

test('a gateway that ends takes the night with it: what was not looked at is not said to be in order', async () => {
  const ending = new AbortController()
  ending.abort()
  expect(await night({ signal: ending.signal })).toMatchObject({ people: 0 })
  expect(await lastReconciled(gateway.database)).toBeUndefined()
})
