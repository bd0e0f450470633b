/**
 * What a thief finds in the files of a database: nothing that anybody said about a person. And what was altered, rotated, erased.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Resource, Task } from '@medplum/fhirtypes'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { auditOf } from '../../src/store/audit.ts'
import { statement } from '../../src/store/database.ts'
import { Altered, KeyUnknown } from '../../src/store/keyring.ts'
import { erase, hold, rotateKeys } from '../../src/store/keys.ts'
import { migrate } from '../../src/store/migrate.ts'
import { attemptsOf, owedOfPatient } from '../../src/store/owed.ts'
import { createResource, readResource, recordOf, type Stored } from '../../src/store/resources.ts'
import { openStore } from '../../src/store/sealed.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { openWorkItem, workOf } from '../../src/store/work-items.ts'
import { caseBundle, words } from '../fixtures/case-bundle.ts'
import { openGateway, says, serviceId } from '../fixtures/gateway.ts'
import { referral } from '../fixtures/referral.ts'

const folder = mkdtempSync(join(tmpdir(), 'sealed-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0

/** Everything in the files of a folder, in small letters. */
const bytesIn = (path: string): string =>
  readdirSync(path)
    .map((name) => readFileSync(join(path, name), 'latin1').toLowerCase())
    .join('\n')
const latin1 = (text: string): string => Buffer.from(text).toString('latin1').toLowerCase()

/** What people say in a resource, and what identifies them; not codes, systems and references. */
const telling = new Set([
  'family',
  'given',
  'value',
  'birthDate',
  'line',
  'city',
  'postalCode',
  'text',
  'description',
  'valueString',
  'title',
  'div',
])
function toldIn(part: unknown, found = new Set<string>(), key = ''): Set<string> {
  if (Array.isArray(part)) for (const each of part) toldIn(each, found, key)
  else if (typeof part === 'object' && part !== null) for (const [name, each] of Object.entries(part)) toldIn(each, found, name)
  else if (typeof part === 'string' && telling.has(key) && part.length > 3 && !part.startsWith('urn:')) found.add(part)
  return found
}

test('after a day of traffic no file holds a name, a number or a word that was sent', async () => {
  const place = mkdtempSync(join(folder, 'day-'))
  const driver = openSqlite(join(place, 'exchange.db'))
  const gateway = await openGateway({ database: driver })
  const sent = new Set<string>(Object.values(words))
  const send = <T>(what: T): T => {
    toldIn(what, sent)
    return what
  }
  gateway.partner('recovery').answers = 503
  gateway.partner('probation').answers = 422
  const at = await gateway.handIn(send(caseBundle()))
  const patient = (at.Patient as string).slice('Patient/'.length)
  await gateway.client('prison-health').call('POST', '/fhir/$process-message', send(referral({ family: 'Quillfeather' })), {
    'x-request-id': '1d8d6f52-2f1e-4a43-8e5a-0b7a1f00000a',
  })
  await gateway.turn('PT2H')
  gateway.partner('recovery').answers = 200
  await gateway.turn('P1D')
  const { body: person } = await gateway.service.call<Resource>('GET', `/fhir/${at.Patient}`)
  await gateway.service.call(
    'PUT',
    `/fhir/${at.Patient}`,
    send({ ...person, address: [{ line: ['9 Wintergreen Row'], city: 'Saltholm' }] }),
  )
  const task = (await gateway.as('recovery').find('Task'))[0] as Task
  const reason = 'Marigold Pebblecroft was not at home'
  sent.add(reason)
  expect((await gateway.as('recovery').call('PATCH', `/fhir/Task/${task.id}`, says('rejected', undefined, reason))).status).toBe(200)
  for (const query of ['family=Fennimarsh', 'phone=07700900451', 'birthdate=lt2000', 'given=zzyzx'])
    await gateway.service.call('GET', `/fhir/Patient?${query}`)
  const about = { id: 'w1', service: serviceId, patient, about: 'call', reason: 'call', openedAt: '2026-04-02T08:00:00.000Z' }
  await gateway.database.atomically([openWorkItem({ ...about, words: 'Call Thistledown back' })])
  sent.add('Thistledown')

  // It is all there for who has the key, also what went wrong.
  expect(JSON.stringify(await recordOf(gateway.database, `service:${serviceId}`, patient))).toContain('Wintergreen')
  const messages = await owedOfPatient(gateway.database, patient)
  expect(messages.map(({ body }) => body).join()).toContain(words.substance)
  expect(messages.filter(({ note }) => note !== undefined).length).toBeGreaterThan(0)
  expect((await attemptsOf(gateway.database, messages.find(({ attempts }) => attempts > 1)!.id))[0]?.note).toMatch(/503/)
  expect((await workOf(gateway.database, patient)).map((item) => item.words)).toContain('Call Thistledown back')
  expect((await gateway.service.find('Patient', 'family=fennimarsh')).map(({ id }) => id)).toEqual([patient])

  await driver.backup(join(place, 'backup.db'))
  const files = readdirSync(place)
  expect(files).toEqual(expect.arrayContaining(['exchange.db', 'exchange.db-wal', 'exchange.db-shm', 'backup.db']))
  expect(sent.size).toBeGreaterThan(30)
  const found = (among: string) => [...sent].filter((text) => among.includes(latin1(text)))
  expect(found(bytesIn(place))).toEqual([])
  expect(gateway.logged.length).toBeGreaterThan(5)
  expect(found(latin1(gateway.logged.join('\n')))).toEqual([])
  expect(found(latin1(await (await gateway.app.request('/metrics')).text()))).toEqual([])

  // The same look finds a word in clear, wherever it stands.
  await gateway.database.atomically([statement(`update person set service = ? where id = ?`, words.identity, patient)])
  expect(found(bytesIn(place))).toEqual([words.identity])
  await gateway.close()
})

test('an erased person is gone from the record, the outbox, the shelves of partners and every search; others stay', async () => {
  const gateway = await openGateway()
  gateway.partner('probation').answers = 503
  const at = await gateway.handIn(caseBundle())
  const other = await gateway.handIn(caseBundle({ nhsNumber: '9990004005', noms: 'B1350CD', tag: 'x0' }))
  const patient = (at.Patient as string).slice('Patient/'.length)
  await erase(gateway.database, { patient, who: 'staff:1', at: gateway.clock.now().toISOString(), auditId: 'e1' })
  expect((await gateway.service.call('GET', `/fhir/${at.Patient}`)).status).toBe(410)
  expect((await gateway.service.call('GET', `/fhir/${at.Patient}/_history/1`)).status).toBe(404)
  expect((await gateway.service.find('Patient')).map(({ id }) => `Patient/${id}`)).toEqual([other.Patient])
  expect(await gateway.as('recovery').find('Patient', `_id=${patient}`)).toEqual([])
  const before = gateway.partner('probation').received.length
  gateway.partner('probation').answers = 200
  await gateway.turn('P2D')
  expect(
    gateway
      .partner('probation')
      .received.slice(before)
      .every(({ text }) => !text.includes(patient)),
  ).toBe(true)
  for (const { body, note, state } of await owedOfPatient(gateway.database, patient)) {
    expect([body, note]).toEqual([undefined, undefined])
    expect(['delivered', 'void']).toContain(state)
  }
  await gateway.close()
})

test('what was altered in the file is an error that is logged, never an answer', async () => {
  const driver = openSqlite(':memory:')
  const gateway = await openGateway({ database: driver })
  const at = await gateway.handIn(caseBundle())
  await driver.atomically([statement(`update resource set body = x'01' || randomblob(200) where type = 'Patient'`)])
  const { status, text } = await gateway.service.call('GET', `/fhir/${at.Patient}`)
  expect([status, text.includes('OperationOutcome')]).toEqual([500, true])
  expect(gateway.logged.join()).toContain('Altered')
  await gateway.close()
})

describe('a database', () => {
  const shelf = 'service:ne'
  const at = '2026-03-02T09:00:00.000Z'
  const note = (id: string, patient: string, text: string): Stored => ({
    shelf,
    type: 'Observation',
    id,
    version: 1,
    lastUpdated: at,
    patient,
    body: { resourceType: 'Observation', id, status: 'final', code: { text } } as Resource,
  })
  let driver: ReturnType<typeof openSqlite>
  let database: Awaited<ReturnType<typeof openStore<ReturnType<typeof openSqlite>>>>
  let file: string
  const [first, second] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
  beforeEach(async () => {
    file = join(folder, `${files++}.db`)
    driver = openSqlite(file)
    await migrate(driver)
    database = await openStore(driver, [first])
    await database.atomically([
      statement('insert into person (id, service, revision) values (?, ?, 1), (?, ?, 1)', 'p1', 'ne', 'p2', 'ne'),
      ...createResource(note('o1', 'p1', 'one')),
      ...createResource(note('o2', 'p1', 'two')),
      ...createResource(note('o3', 'p2', 'three')),
    ])
  })
  const read = (id: string, from = database) => readResource(from, shelf, 'Observation', id)
  const change = (sql: string) => driver.atomically([{ sql, params: [] }])

  test('does not open what was moved to another resource, another version or another shelf, nor what was altered', async () => {
    expect((await read('o1'))?.body).toMatchObject({ code: { text: 'one' } })
    await change(`update resource set body = (select body from resource where id = 'o2') where id = 'o1'`)
    await expect(read('o1')).rejects.toThrow(Altered)
    await change(`update resource set version = 2 where id = 'o2'`)
    await expect(read('o2')).rejects.toThrow(Altered)
    await change(`update resource set version = 1, body = substr(body, 1, 20) || x'00' || substr(body, 22) where id = 'o2'`)
    await expect(read('o2')).rejects.toThrow(Altered)
    await change(`update resource set patient = 'p1' where id = 'o3'`)
    await expect(read('o3')).rejects.toThrow(Altered)
    await change(`update holder_key set wrapped = (select wrapped from holder_key where holder = 'p2') where holder = 'p1'`)
    await expect(read('o2', await openStore(driver, [first]))).rejects.toThrow(Altered)
  })

  test('is refused under another master key, and keeps each person under a key of their own', async () => {
    await expect(openStore(driver, [second])).rejects.toThrow(KeyUnknown)
    const keys = await driver.query<{ holder: string; wrapped: Uint8Array }>(statement('select holder, wrapped from holder_key'))
    expect(keys.map(({ holder }) => holder).sort()).toEqual(['index', 'p1', 'p2'])
    expect(new Set(keys.map(({ wrapped }) => Buffer.from(wrapped).toString('hex'))).size).toBe(3)
  })

  test('makes one key for a person, however many begin to write about them at once', async () => {
    const other = await openStore(openSqlite(file), [first])
    await Promise.all(
      Array.from({ length: 10 }, (_, n) => (n % 2 ? other : database).atomically(createResource(note(`n${n}`, 'p9', `text ${n}`)))),
    )
    const fresh = await openStore(openSqlite(file), [first])
    expect(await recordOf(fresh, shelf, 'p9')).toHaveLength(10)
  })

  test('passes to a new master key while it is read and written', async () => {
    const both = await openStore(openSqlite(file), [second, first])
    let going = true
    const traffic = (async () => {
      let n = 0
      for (; going; n++) {
        await both.atomically(createResource(note(`t${n}`, `q${n}`, 'traffic')))
        expect((await read(`t${n}`, both))?.body).toBeDefined()
      }
      return n
    })()
    const one = await rotateKeys(driver, [second, first])
    expect(one.rotated).toBeGreaterThanOrEqual(3)
    going = false
    expect(await traffic).toBeGreaterThan(0)
    expect((await rotateKeys(driver, [second, first])).rotated).toBe(0)
    const after = await openStore(openSqlite(file), [second])
    expect((await read('o1', after))?.body).toMatchObject({ code: { text: 'one' } })
    await expect(openStore(openSqlite(file), [first])).rejects.toThrow(KeyUnknown)
    await expect(rotateKeys(driver, [first])).rejects.toThrow(KeyUnknown)
  })

  test('forgets an erased person, in a backup too once their key is gone; a legal hold forbids it', async () => {
    const erasure = { patient: 'p1', who: 'staff:1', at, auditId: 'a1' }
    await database.atomically([hold('p1', 'inquest')])
    await expect(erase(database, erasure)).rejects.toMatchObject({ what: 'legal hold' })
    expect((await read('o1'))?.body).toBeDefined()
    await database.atomically([hold('p1', null)])
    const backup = `${file}-backup`
    await database.backup(backup)

    await erase(database, erasure)
    await expect(erase(database, erasure)).rejects.toMatchObject({ what: 'legal hold' })
    expect(await read('o1')).not.toHaveProperty('body')
    expect(await recordOf(database, shelf, 'p1')).toEqual([])
    expect((await read('o3'))?.body).toBeDefined()
    const rows = (sql: string) => driver.query<{ n: number }>(statement(sql))
    expect(await rows(`select count(*) as n from search where resource in (select row from resource where patient = 'p1')`)).toEqual([
      { n: 0 },
    ])
    expect((await auditOf(database, 'p1')).map(({ action }) => action)).toEqual(['erase'])
    await expect(database.atomically(createResource(note('o9', 'p1', 'again')))).rejects.toMatchObject({ status: 410 })

    // A backup from before, opened with the keys as they are now.
    const old = openSqlite(backup)
    await old.atomically([{ sql: `update holder_key set wrapped = null where holder = 'p1'`, params: [] }])
    expect(await read('o1', await openStore(old, [first]))).not.toHaveProperty('body')
  })
})
