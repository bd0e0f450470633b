/**
 * What every database keeps and lets go of: records whose time has come, holds, erasing, and what a night takes out. On SQLite
 * (keeping.test.ts) and on D1 (d1.test.ts).
 */
import type { Flag, Task } from '@medplum/fhirtypes'
import { beforeEach, describe, expect, test } from 'vitest'
import { usualYears } from '../../src/domain/retention.ts'
import { destroy, dueForReview, eraseNow, keepFor, setHold } from '../../src/exchange/erasing.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import { keepHouse } from '../../src/exchange/housekeeping.ts'
import { handoverId } from '../../src/exchange/task.ts'
import { actCode } from '../../src/fhir/systems.ts'
import { auditOf } from '../../src/store/audit.ts'
import { type Database, statement } from '../../src/store/database.ts'
import { findReceived, keepReceived } from '../../src/store/inbox.ts'
import { type NewOwed, owe, owedById } from '../../src/store/owed.ts'
import { newPerson, personOf } from '../../src/store/people.ts'
import { createResource, deleteResource, readResource, type Stored } from '../../src/store/resources.ts'
import { erasedPeople } from '../../src/store/retention.ts'
import { openWork } from '../../src/store/work-items.ts'

export function keepingContract(name: string, open: () => Promise<Database>) {
  describe(`${name}: keeping and letting go`, () => {
    let database: Database
    let now: Date
    const where = () => ({ database, now: () => now, years: usualYears })
    beforeEach(async () => {
      database = await open()
      now = new Date('2034-07-02T10:00:00.000Z')
    })

    const shelf = 'service:ne'
    const stored = (patient: string, body: Stored['body'], lastUpdated = '2026-06-30T10:00:00.000Z', on = shelf): Stored => ({
      shelf: on,
      type: body!.resourceType,
      id: body!.id as string,
      version: 1,
      lastUpdated,
      patient,
      body: body!,
      ...(on === shelf ? {} : { basis: '[]' }),
    })
    const flag = (id: string, ...labels: string[]): Flag => ({
      resourceType: 'Flag',
      id,
      status: 'active',
      code: { text: 'Murkwater' },
      subject: { reference: 'Patient/p1' },
      meta: { security: labels.map((code) => ({ system: actCode, code })) },
    })
    const keepPerson = (id: string, ...rows: Stored[]) =>
      database.atomically([newPerson(id, 'ne'), ...rows.flatMap((row) => createResource(row))])
    const message = (id: string, patient: string): NewOwed => ({
      id,
      partner: 'wear',
      service: 'ne',
      patient,
      task: `t-${id}`,
      reason: 'new',
      correlation: 'c',
      body: '{"text":"Murkwater"}',
      basis: '[{"ref":"Flag/f"}]',
      createdAt: '2026-06-30T10:00:00.000Z',
      dueAt: '2026-06-30T10:00:00.000Z',
    })
    const settled = (id: string, state: string, at: string) =>
      database.atomically([statement('update owed set state = ?, settled_at = ? where id = ?', state, at, id)])
    const by = { by: 'caldicott-1', reason: 'reviewed' }

    test('a record is due after its time, and 20 years when anything there ever was is about mental health', async () => {
      await keepPerson('p1', stored('p1', flag('f1')))
      await keepPerson('p2', stored('p2', flag('f2', 'MH')))
      await database.atomically(
        deleteResource({ shelf, type: 'Flag', id: 'f2', version: 2, lastUpdated: '2026-06-30T11:00:00.000Z', patient: 'p2' }, 1),
      )
      expect((await dueForReview(where())).map(({ patient }) => patient)).toEqual(['p1'])
      now = new Date('2034-06-29T22:00:00.000Z')
      expect(await dueForReview(where())).toEqual([])
      now = new Date('2046-07-01T10:00:00.000Z')
      expect(await dueForReview(where())).toMatchObject([
        { patient: 'p1', class: 'adult', dueOn: '2034-06-30' },
        { patient: 'p2', class: 'mental-health', dueOn: '2046-06-30', service: 'ne' },
      ])
    })

    test('nobody is destroyed before; afterwards somebody does it, and it stands in the audit with who and why', async () => {
      await keepPerson('p1', stored('p1', flag('f1')), stored('p1', flag('f1'), undefined, 'partner:wear'))
      now = new Date('2030-01-01T10:00:00.000Z')
      expect(await destroy(where(), 'p1', by)).toMatchObject({
        outcome: 'refused',
        because: [expect.stringMatching(/kept until 2034-06-30/)],
      })
      now = new Date('2034-07-02T10:00:00.000Z')
      expect(await destroy(where(), 'p1', by)).toEqual({ outcome: 'done' })
      expect(await personOf(database, 'p1')).toBeUndefined()
      for (const on of [shelf, 'partner:wear']) expect((await readResource(database, on, 'Flag', 'f1'))?.body).toBeUndefined()
      expect(await auditOf(database, 'p1')).toMatchObject([{ action: 'destroy', who: 'caldicott-1', basis: 'reviewed' }])
      expect(await erasedPeople(database)).toEqual([{ patient: 'p1', at: now.toISOString() }])
      expect(await dueForReview(where())).toEqual([])
      expect(await destroy(where(), 'p1', by)).toEqual({ outcome: 'unknown' })
    })

    test('what somebody decided to keep is not due, and is not destroyed, until that date', async () => {
      await keepPerson('p1', stored('p1', flag('f1')))
      expect(await keepFor(where(), 'p1', '2036-01-01', by)).toBe(true)
      expect(await keepFor(where(), 'nobody', '2036-01-01', by)).toBe(false)
      expect(await dueForReview(where())).toEqual([])
      expect(await destroy(where(), 'p1', by)).toMatchObject({ because: [expect.stringMatching(/kept until 2036-01-01/)] })
      now = new Date('2036-01-01T10:00:00.000Z')
      expect(await dueForReview(where())).toMatchObject([{ patient: 'p1' }])
      expect((await auditOf(database, 'p1')).map(({ action, who, basis }) => [action, who, basis])).toEqual([
        ['keep', 'caldicott-1', 'reviewed'],
      ])
    })

    test('while there is a hold nothing is erased or destroyed, and it says so; released, it is', async () => {
      await keepPerson('p1', stored('p1', flag('f1')))
      expect(await setHold(where(), 'p1', 'legal-1', 'inquest')).toBe(true)
      expect(await dueForReview(where())).toMatchObject([{ patient: 'p1', legalHold: 'inquest' }])
      for (const way of [eraseNow, destroy])
        expect(await way(where(), 'p1', by)).toMatchObject({
          outcome: 'refused',
          because: [expect.stringMatching(/legal hold \(inquest\)/)],
        })
      expect((await readResource(database, shelf, 'Flag', 'f1'))?.body).toBeDefined()
      expect(await setHold(where(), 'p1', 'legal-1', null)).toBe(true)
      expect(await eraseNow(where(), 'p1', by)).toEqual({ outcome: 'done' })
      expect((await auditOf(database, 'p1')).map(({ action, basis }) => [action, basis])).toEqual(
        expect.arrayContaining([
          ['hold', 'inquest'],
          ['hold-release', 'inquest'],
          ['erase', 'reviewed'],
        ]),
      )
    })

    test('erasing waits for messages, open handovers and partners who can still read', async () => {
      const task: Task = {
        resourceType: 'Task',
        id: 't1',
        status: 'requested',
        intent: 'order',
        for: { reference: 'Patient/p1' },
        identifier: [{ system: handoverId, value: 'h1' }],
      }
      await keepPerson('p1', stored('p1', flag('f1')), stored('p1', task), stored('p1', flag('f1'), undefined, 'partner:wear'))
      await database.atomically(owe(message('m1', 'p1')))
      const refused = (await eraseNow(where(), 'p1', by)) as { because: string[] }
      expect(refused.because).toEqual([
        expect.stringMatching(/on their way or parked: 1/),
        expect.stringMatching(/Handovers are open: 1/),
        expect.stringMatching(/can still read about this person: wear/),
      ])
      expect(await personOf(database, 'p1')).toBeDefined()
      expect(await auditOf(database, 'p1')).toEqual([])
    })

    test('a night takes out what has done its job, and a second one nothing; what was told stays', async () => {
      await keepPerson('p1', stored('p1', flag('f1')))
      await database.atomically(['m1', 'm2', 'm3', 'm4'].flatMap((id) => owe(message(id, 'p1'))))
      await settled('m1', 'delivered', '2034-03-01T10:00:00.000Z')
      await settled('m2', 'void', '2034-03-01T10:00:00.000Z')
      await settled('m3', 'delivered', '2034-06-20T10:00:00.000Z')
      const received = (requestId: string, at: string) =>
        keepReceived({ client: 'c', requestId, fingerprint: 'f', at, status: 200, answer: '{}' })
      await database.atomically([received('old', '2034-05-01T00:00:00.000Z'), received('new', '2034-06-20T00:00:00.000Z')])
      const exchange = { database, now: () => now } as Exchange
      const keeping = { years: usualYears, messagesDays: 90, answersDays: 30, eventsDays: 35 }
      expect(await keepHouse(exchange, keeping)).toEqual({ answers: 1, messages: 2, review: 1 })
      expect(await keepHouse(exchange, keeping)).toEqual({ answers: 0, messages: 0, review: 1 })
      expect(await Promise.all(['m1', 'm2', 'm3', 'm4'].map(async (id) => (await owedById(database, id))?.body))).toEqual([
        '',
        '',
        message('m3', 'p1').body,
        message('m4', 'p1').body,
      ])
      expect((await owedById(database, 'm1'))?.basis).toBe(message('m1', 'p1').basis)
      expect(await findReceived(database, 'c', 'old')).toBeUndefined()
      expect(await findReceived(database, 'c', 'new')).toBeDefined()
    })

    test('a service is asked once to look at what is due, until nothing is', async () => {
      await keepPerson('p1', stored('p1', flag('f1')))
      const exchange = { database, now: () => now } as Exchange
      const keeping = { years: usualYears, messagesDays: 90, answersDays: 30, eventsDays: 35 }
      for (let night = 0; night < 3; night++) await keepHouse(exchange, keeping)
      expect(await openWork(database, 'ne')).toMatchObject([
        { reason: 'retention-review', words: expect.stringMatching(/come to the end/) },
      ])
      await destroy(where(), 'p1', by)
      await keepHouse(exchange, keeping)
      expect(await openWork(database, 'ne')).toEqual([])
    })
  })
}
