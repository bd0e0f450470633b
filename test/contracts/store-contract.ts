/**
 * What every database keeps to, whichever it is: run on SQLite (store.test.ts) and on D1 in workerd (d1.test.ts).
 */
import type { Resource } from '@medplum/fhirtypes'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { parseSearch } from '../../src/fhir/search.ts'
import { auditOf, auditPage, recordAudit, recordAuditRows } from '../../src/store/audit.ts'
import { Conflict, type Database, mustChange, statement } from '../../src/store/database.ts'
import { findReceived, keepReceived, messageTakenAt, purgeReceived, takeMessage } from '../../src/store/inbox.ts'
import {
  attemptsOf,
  claim,
  type NewOwed,
  nextDue,
  type Owed,
  owe,
  owedById,
  owedCounts,
  owedOfTask,
  park,
  partnersDue,
  resend,
  settle,
  voidOwed,
} from '../../src/store/owed.ts'
import { newPerson, nextRevision, personOf } from '../../src/store/people.ts'
import {
  byRefs,
  consentsOf,
  createResource,
  deleteResource,
  historyOf,
  readResource,
  readVersion,
  recordOf,
  type Stored,
  shelvesOf,
  takeOffShelf,
  updateResource,
} from '../../src/store/resources.ts'
import { searchShelf } from '../../src/store/search.ts'
import { clearTimer, nextTimer, setTimer, takeTimer, timersDue, timersOf } from '../../src/store/timers.ts'
import { openWork, openWorkItem, resolveWorkItem, resolveWorkItemAbout, resolveWorkItemsUnder, workOf } from '../../src/store/work-items.ts'

const at = (minute: number, second = 0): string => new Date(Date.UTC(2026, 2, 2, 9, minute, second)).toISOString()

const message = (id: string, more: Partial<NewOwed> = {}): NewOwed => ({
  id,
  partner: 'gp',
  service: 'north-east',
  patient: 'p1',
  task: `task-${id}`,
  reason: 'new',
  correlation: 'c1',
  body: `{"id":"${id}"}`,
  basis: '[]',
  createdAt: at(0),
  dueAt: at(0),
  ...more,
})

/** As a row is read back: with its JSON. */
const asRead = (stored: Stored): Stored => ({ ...stored, kept: JSON.stringify(stored.body) })

const condition = (id: string, version: number, more: Partial<Stored> = {}): Stored => {
  const body = {
    resourceType: 'Condition',
    id,
    meta: { versionId: String(version), lastUpdated: at(version) },
    identifier: [{ system: 'https://reconnect.example/fhir/Id/test', value: id }],
    subject: { reference: 'Patient/p1' },
    code: { coding: [{ system: 'http://snomed.info/sct', code: `c${version}` }] },
  } as Resource
  return { shelf: 'service:ne', type: 'Condition', id, version, lastUpdated: at(version), patient: 'p1', body, ...more }
}

export function storeContract(name: string, open: () => Promise<Database>): void {
  let database: Database
  beforeEach(async () => {
    database = await open()
  })
  const write = (...unit: Parameters<Database['atomically']>[0]) => database.atomically(unit)
  /** Ids of the conditions a search by code finds. */
  const coded = async (code: string, shelf = 'service:ne') =>
    (await searchShelf(database, shelf, parseSearch('Condition', new URLSearchParams({ code })))).matches.map(({ id }) => id)
  /** Rows of the index that lead to a resource (or to nothing). */
  const indexed = async (shelf: string | undefined, id: string) => {
    const which = shelf === undefined ? 'not in (select row from resource)' : 'in (select row from resource where shelf = ? and id = ?)'
    const params = shelf === undefined ? [] : [shelf, id]
    return (await database.query<{ n: number }>({ sql: `select count(*) as n from search where resource ${which}`, params }))[0]?.n
  }

  describe(`${name}: a unit`, () => {
    test('is written whole, and gives the rows of what has returning', async () => {
      const rows = await write(newPerson('a', 'ne'), { ...newPerson('b', 'ne'), sql: `${newPerson('b', 'ne').sql} returning id` })
      expect(rows).toEqual([[], [{ id: 'b' }]])
      expect(await personOf(database, 'a')).toEqual({ id: 'a', service: 'ne', revision: 1 })
    })

    test('with a taken key is undone and names the key', async () => {
      await write(newPerson('a', 'ne'))
      const failure = await write(newPerson('b', 'ne'), newPerson('a', 'ne')).catch((error) => error)
      expect(failure).toBeInstanceOf(Conflict)
      expect(failure.what).toBe('person.id')
      expect(await personOf(database, 'b')).toBeUndefined()
    })

    test('with a statement that must change a row and does not is undone and says which', async () => {
      await write(newPerson('a', 'ne'))
      const failure = await write(
        newPerson('b', 'ne'),
        nextRevision('a', 1),
        mustChange('the third', statement('update person set service = ? where id = ?', 'x', 'nobody')),
        nextRevision('b', 1),
      ).catch((error) => error)
      expect(failure).toBeInstanceOf(Conflict)
      expect(failure.what).toBe('the third')
      expect(await personOf(database, 'b')).toBeUndefined()
      expect((await personOf(database, 'a'))?.revision).toBe(1)
    })

    test('keeps apart more guarded statements than anyone needs', async () => {
      await write(newPerson('a', 'ne'))
      const good = Array.from({ length: 15 }, (_, n) =>
        mustChange(`good ${n}`, statement('update person set service = ? where id = ?', `${n}`, 'a')),
      )
      await write(...good)
      expect((await personOf(database, 'a'))?.service).toBe('14')
      await expect(write(...good, mustChange('last', statement('delete from person where id = ?', 'nobody')))).rejects.toMatchObject({
        what: 'last',
      })
    })

    test('that is wrong SQL fails as what it is, not as a conflict', async () => {
      const failure = await write(newPerson('a', 'ne'), statement('insert into nowhere values (1)')).catch((error) => error)
      expect(failure).toBeInstanceOf(Error)
      expect(failure).not.toBeInstanceOf(Conflict)
      expect(await personOf(database, 'a')).toBeUndefined()
    })

    test('of two that read the same revision only one is written', async () => {
      await write(newPerson('a', 'ne'))
      const outcomes = await Promise.allSettled([1, 2, 3].map(() => write(nextRevision('a', 1))))
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect((await personOf(database, 'a'))?.revision).toBe(2)
    })

    test('can be taken on', async () => {
      expect(await database.health()).toBeUndefined()
    })
  })

  describe(`${name}: resources`, () => {
    test('are read back as they were kept, with every version before', async () => {
      await write(...createResource(condition('c1', 1)))
      await write(...updateResource(condition('c1', 2), 1))
      await write(...updateResource(condition('c1', 3, { basis: '["why"]' }), 2))
      expect(await readResource(database, 'service:ne', 'Condition', 'c1')).toEqual(asRead(condition('c1', 3, { basis: '["why"]' })))
      expect(await readVersion(database, 'service:ne', 'Condition', 'c1', 1)).toEqual(asRead(condition('c1', 1)))
      expect(await readVersion(database, 'service:ne', 'Condition', 'c1', 9)).toBeUndefined()
      expect((await historyOf(database, 'service:ne', 'Condition', 'c1')).map(({ version }) => version)).toEqual([3, 2, 1])
    })

    test('are changed only from the version that was read, index rows included', async () => {
      await write(...createResource(condition('c1', 1)))
      await write(...updateResource(condition('c1', 2), 1))
      await expect(write(...updateResource(condition('c1', 3), 1))).rejects.toMatchObject({ what: 'version' })
      expect(await coded('c2')).toEqual(['c1'])
      expect(await coded('http://snomed.info/sct|c2')).toEqual(['c1'])
      expect(await coded('c1')).toEqual([])
      expect(await coded('c3')).toEqual([])
    })

    test('can not be created twice on a shelf, but stand on several', async () => {
      await write(...createResource(condition('c1', 1)))
      await write(...createResource(condition('c1', 1, { shelf: 'partner:gp' })))
      await expect(write(...createResource(condition('c1', 1)))).rejects.toMatchObject({
        what: 'resource.shelf, resource.type, resource.id',
      })
    })

    test('once deleted leave a version that says so, are found by nothing, and can come back', async () => {
      const { body, ...gone } = condition('c1', 2)
      await write(...createResource(condition('c1', 1)))
      await write(...deleteResource(gone, 1))
      expect(await readResource(database, 'service:ne', 'Condition', 'c1')).toEqual(gone)
      expect(await indexed('service:ne', 'c1')).toBe(0)
      expect(await recordOf(database, 'service:ne', 'p1')).toEqual([])
      expect(await byRefs(database, 'service:ne', ['Condition/c1'])).toEqual([])
      await write(...updateResource(condition('c1', 3), 2))
      expect(await recordOf(database, 'service:ne', 'p1')).toEqual([condition('c1', 3).body])
    })

    test('of consents the ones that stand there now are given, whatever was read before', async () => {
      const consent = (version: number, status: string, shelf = 'service:ne') =>
        ({
          ...{ shelf, type: 'Consent', id: 'k1', version, lastUpdated: `2026-03-02T09:0${version}:00.000Z`, patient: 'p1' },
          body: { resourceType: 'Consent', id: 'k1', status, patient: { reference: 'Patient/p1' } },
        }) as Stored
      const statuses = async () => (await consentsOf(database, ['p1'])).get('p1')?.map(({ status }) => status)
      await write(...createResource(consent(1, 'active')))
      const [first, again] = await Promise.all([statuses(), statuses()])
      expect([first, again]).toEqual([['active'], ['active']])
      await write(...updateResource(consent(2, 'inactive'), 1))
      expect(await statuses()).toEqual(['inactive'])
      const { body: _, ...gone } = consent(3, 'inactive')
      await write(...deleteResource(gone, 2))
      expect(await statuses()).toBeUndefined()
      // The same id and version as one that was read, and another content.
      await write(statement('delete from resource'), statement('delete from resource_version'))
      await write(...createResource(consent(1, 'rejected')))
      expect(await statuses()).toEqual(['rejected'])
    })

    test('taken off a shelf leave nothing there, and stay on the others', async () => {
      await write(...createResource(condition('c1', 1)), ...createResource(condition('c1', 1, { shelf: 'partner:gp' })))
      await write(...updateResource(condition('c1', 2, { shelf: 'partner:gp' }), 1))
      expect(await shelvesOf(database, 'p1')).toEqual([asRead(condition('c1', 2, { shelf: 'partner:gp' }))])
      await write(...takeOffShelf('partner:gp', 'Condition', 'c1'))
      expect(await historyOf(database, 'partner:gp', 'Condition', 'c1')).toEqual([])
      expect(await indexed(undefined, 'c1')).toBe(0)
      expect(await indexed('service:ne', 'c1')).toBeGreaterThan(0)
      expect(await shelvesOf(database, 'p1')).toEqual([])
      expect(await recordOf(database, 'service:ne', 'p1')).toHaveLength(1)
    })

    test('are found by their references, whichever exist', async () => {
      await write(...createResource(condition('c1', 1)), ...createResource(condition('c2', 1)))
      const found = await byRefs(database, 'service:ne', ['Condition/c2', 'Condition/c1', 'Condition/c9', 'Patient/c1', 'Condition/c1'])
      expect(found.map(({ id }) => id).sort()).toEqual(['c1', 'c2'])
      expect(await byRefs(database, 'partner:gp', ['Condition/c2'])).toEqual([])
    })
  })

  describe(`${name}: the outbox`, () => {
    const lease = (minute: number) => at(minute + 1)
    const take = (minute: number, limit = 10, partner = 'gp') => claim(database, partner, at(minute), lease(minute), limit)

    test('hands each message to one claimer, in the order owed, and only what is due', async () => {
      await write(
        ...owe(message('b')),
        ...owe(message('a')),
        ...owe(message('later', { dueAt: at(5) })),
        ...owe(message('x', { partner: 'other' })),
      )
      const [one, two] = await Promise.all([take(0), take(0)])
      expect([...one, ...two].map(({ id }) => id)).toEqual(['b', 'a'])
      expect([...one, ...two][0]).toEqual({
        ...message('b'),
        seq: 1,
        state: 'sending',
        attempts: 1,
        unanswered: false,
        leaseUntil: lease(0),
        firstTriedAt: at(0),
      } satisfies Owed)
    })

    test('holds back what is behind an unsettled message of the same handover, and no other', async () => {
      await write(...owe(message('1', { task: 't' })), ...owe(message('2', { task: 't' })), ...owe(message('3', { task: 'u' })))
      expect((await take(0)).map(({ id }) => id)).toEqual(['1', '3'])
      expect(await take(0)).toEqual([])
      await write(...settle({ id: '3', patient: 'p1', attempt: 1, at: at(0), outcome: 'accepted', receipt: 'theirs' }))
      await write(...settle({ id: '1', patient: 'p1', attempt: 1, at: at(0), outcome: 'unavailable', dueAt: at(3), unanswered: false }))
      expect(await take(1)).toEqual([])
      expect((await take(3)).map(({ id, attempts }) => [id, attempts])).toEqual([['1', 2]])
      await write(...settle({ id: '1', patient: 'p1', attempt: 2, at: at(3), outcome: 'accepted', receipt: 'theirs' }))
      expect((await take(3)).map(({ id }) => id)).toEqual(['2'])
      expect(await owedById(database, '1')).toMatchObject({ state: 'delivered', receipt: 'theirs', settledAt: at(3), attempts: 2 })
      expect((await attemptsOf(database, '1')).map(({ outcome }) => outcome)).toEqual(['unavailable', 'accepted'])
    })

    test('lets go of a lease that ran out, says that the attempt before went unanswered, and refuses its late word', async () => {
      await write(...owe(message('1')))
      const [first] = await take(0)
      const [second] = await take(1)
      expect([first?.unanswered, second?.unanswered, second?.attempts]).toEqual([false, true, 2])
      await expect(
        write(...settle({ id: '1', patient: 'p1', attempt: 1, at: at(1), outcome: 'accepted', receipt: 'r' })),
      ).rejects.toMatchObject({
        what: 'lease',
      })
      await write(...settle({ id: '1', patient: 'p1', attempt: 2, at: at(1), outcome: 'accepted', receipt: 'r' }))
      await expect(
        write(...settle({ id: '1', patient: 'p1', attempt: 2, at: at(1), outcome: 'accepted', receipt: 'r' })),
      ).rejects.toMatchObject({
        what: 'lease',
      })
    })

    test('parks for a person, and sends again with the next attempt number', async () => {
      await write(...owe(message('1', { task: 't' })), ...owe(message('2', { task: 't' })))
      await take(0)
      await write(...settle({ id: '1', patient: 'p1', attempt: 1, at: at(0), outcome: 'parked', unanswered: true, note: 'no answer' }))
      expect(await take(9)).toEqual([])
      expect(await nextDue(database)).toBeUndefined()
      expect(await partnersDue(database, at(9))).toEqual([])
      await expect(write(resend('2', at(9)))).rejects.toMatchObject({ what: 'parked' })
      await write(resend('1', at(9)))
      expect(await nextDue(database)).toBe(at(9))
      const [again] = await take(9)
      expect(again).toMatchObject({ id: '1', attempts: 2, unanswered: false, firstTriedAt: at(9) })
      await expect(write(park({ id: '1', patient: 'p1' }, 'why'))).rejects.toMatchObject({ what: 'due' })
      await write(park({ id: '2', patient: 'p1' }, 'why'))
      expect((await owedOfTask(database, 't')).map(({ state }) => state)).toEqual(['sending', 'parked'])
    })

    test('voids what nobody is sending', async () => {
      await write(...['1', '2', '3'].flatMap((id) => owe(message(id, { task: 't' }))), ...owe(message('4', { task: 'u' })))
      await take(0, 1)
      await write(...['1', '2', '3', '4'].map((id) => voidOwed({ id, patient: 'p1' }, at(1), 'withdrawn')))
      expect((await owedOfTask(database, 't')).map(({ state }) => state)).toEqual(['sending', 'void', 'void'])
      expect(await owedCounts(database)).toEqual({ due: 0, sending: 1, delivered: 0, parked: 0, void: 3 })
      await write(...settle({ id: '1', patient: 'p1', attempt: 1, at: at(1), outcome: 'void', note: 'no consent any more' }))
      expect(await owedById(database, '1')).toMatchObject({ state: 'void', note: 'no consent any more' })
    })

    test('knows which partners have something to claim, and when the next falls due', async () => {
      expect(await nextDue(database)).toBeUndefined()
      await write(
        ...owe(message('1', { dueAt: at(7) })),
        ...owe(message('2', { partner: 'other', dueAt: at(4) })),
        ...owe(message('3', { partner: 'zz', dueAt: at(9) })),
      )
      expect(await partnersDue(database, at(7))).toEqual(['gp', 'other'])
      expect(await nextDue(database)).toBe(at(4))
      await take(4, 10, 'other')
      expect(await nextDue(database)).toBe(lease(4))
      expect(await partnersDue(database, at(4))).toEqual([])
      expect(await partnersDue(database, lease(4))).toEqual(['other'])
    })

    test('never leases a message twice, nor two of one handover, however two deliverers interleave', async () => {
      const step = fc.record({
        claims: fc.boolean(),
        both: fc.boolean(),
        limit: fc.integer({ min: 1, max: 4 }),
        passes: fc.integer({ min: 0, max: 40 }),
        ends: fc.constantFrom('accepted', 'unavailable', 'parked', 'silent' as const),
      })
      let round = 0
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.constantFrom('t', 'u', 'v'), { minLength: 1, maxLength: 6 }),
          fc.array(step, { minLength: 1, maxLength: 12 }),
          async (tasks, steps) => {
            const here = `round-${round++}`
            await write(...tasks.flatMap((task, n) => owe(message(`${here}-${n}`, { partner: here, task: `${here}-${task}` }))))
            const leases = new Map<string, { until: string; attempt: number; task: string }>()
            const order = new Map<string, number>()
            let second = 0
            for (const { claims, both, limit, passes, ends } of steps) {
              const now = at(0, second)
              if (claims) {
                const taken = await Promise.all(
                  Array.from({ length: both ? 2 : 1 }, () => claim(database, here, now, at(0, second + 30), limit)),
                )
                for (const each of taken.flat()) {
                  expect(leases.get(each.id)?.until ?? '', 'a lease that still runs').not.toSatisfy((until: string) => until > now)
                  for (const [id, { until, task }] of leases) if (id !== each.id && task === each.task) expect(until <= now).toBe(true)
                  expect(order.get(each.task) ?? 0, 'out of order').toBeLessThanOrEqual(each.seq)
                  order.set(each.task, each.seq)
                  leases.set(each.id, { until: at(0, second + 30), attempt: each.attempts, task: each.task })
                }
              } else {
                const [held] = leases
                if (held && ends !== 'silent') {
                  const [id, { attempt }] = held
                  const end = { id, patient: 'p1', attempt, at: now }
                  await write(
                    ...settle(
                      ends === 'accepted'
                        ? { ...end, outcome: 'accepted', receipt: 'r' }
                        : ends === 'parked'
                          ? { ...end, outcome: 'parked', unanswered: false }
                          : { ...end, outcome: 'unavailable', dueAt: at(0, second + 5), unanswered: true },
                    ),
                  )
                  leases.delete(id)
                }
              }
              second += passes
            }
          },
        ),
        { numRuns: 25 },
      )
    })
  })

  describe(`${name}: timers, work, audit, inbox`, () => {
    test('a timer written again has moved, and is taken once', async () => {
      const timer = { patient: 'p1', about: 'consent', service: 'ne', dueAt: at(5) }
      await write(setTimer({ ...timer, dueAt: at(9) }), setTimer(timer), setTimer({ ...timer, about: 'window:t', dueAt: at(7) }))
      expect(await nextTimer(database)).toBe(at(5))
      expect(await timersDue(database, at(6), 10)).toEqual([timer])
      await write(takeTimer(timer))
      await expect(write(takeTimer(timer))).rejects.toMatchObject({ what: 'timer' })
      expect(await timersOf(database, 'p1')).toHaveLength(1)
      await write(clearTimer('p1', 'window:t'))
      expect(await nextTimer(database)).toBeUndefined()
    })

    test('one thing is open once for one person, again after it was resolved, and apart for another', async () => {
      const item = {
        id: 'w1',
        service: 'ne',
        patient: 'p1',
        about: 'consent',
        reason: 'unclear',
        words: 'Consent is unclear.',
        openedAt: at(0),
      }
      const { patient, ...nobody } = item
      await write(openWorkItem(item), openWorkItem({ ...item, id: 'w2' }), openWorkItem({ ...item, id: 'w3', patient: 'p2' }))
      await write(openWorkItem({ ...nobody, id: 'w4' }), openWorkItem({ ...nobody, id: 'w5' }))
      expect((await openWork(database, 'ne')).map(({ id }) => id)).toEqual(['w1', 'w3', 'w4'])
      expect((await openWork(database, 'ne'))[0]).toEqual(item)
      await write(resolveWorkItemAbout(patient, 'consent', at(1)), resolveWorkItem('w4', at(1)))
      await write(openWorkItem({ ...item, id: 'w6' }), openWorkItem({ ...item, id: 'w7', about: 'handover:1', task: '1' }))
      expect((await workOf(database, 'p1')).map(({ id }) => id).sort()).toEqual(['w1', 'w6', 'w7'])
      await write(resolveWorkItemsUnder('p1', 'handover:', at(2)))
      expect((await openWork(database, 'ne')).map(({ id }) => id)).toEqual(['w3', 'w6'])
    })

    test('what was told to whom is kept and walked along in order', async () => {
      const row = (id: string, minute: number) => ({ id, at: at(minute), action: 'owe', who: 'exchange', patient: 'p1', recipient: 'gp' })
      await write(recordAudit([row('2', 1), row('1', 1), row('3', 2), { id: '4', at: at(3), action: 'read', who: 'c', detail: '{"n":1}' }]))
      expect((await auditOf(database, 'p1')).map(({ id }) => id)).toEqual(['3', '2', '1'])
      expect(await auditOf(database, 'p1', 1, { at: at(1), id: '2' })).toEqual([row('1', 1)])
      expect((await auditPage(database, { after: row('1', 1), down: false, limit: 10 })).map(({ id }) => id)).toEqual(['2', '3', '4'])
      await expect(write(recordAudit([row('3', 2)]))).rejects.toMatchObject({ what: 'audit.id' })
    })

    test.each([3, 40])('what %i people were told in one unit is a row for each, whole, in order', async (count) => {
      const rows = Array.from({ length: count }, (_, n) => ({
        ...{ id: String(n).padStart(3, '0'), at: at(1), action: 'search', who: 'c', patient: 'p1', address: '192.0.2.1' },
        ...(n % 2 ? { detail: `{"n":${n}}`, basis: 'b' } : {}),
      }))
      await write(...recordAuditRows(rows))
      expect((await auditOf(database, 'p1')).reverse()).toEqual(rows)
    })

    test('a request id is taken once for each client, until it is old', async () => {
      const received = { client: 'ne', requestId: 'r1', fingerprint: 'f', at: at(0), status: 201, answer: '{}' }
      await write(keepReceived(received))
      await write(keepReceived({ ...received, client: 'gp' }))
      await expect(write(keepReceived(received))).rejects.toMatchObject({ what: 'inbox.client, inbox.request_id' })
      expect(await findReceived(database, 'ne', 'r1')).toEqual(received)
      await write(takeMessage('ne', 'b1', at(0)))
      await expect(write(takeMessage('ne', 'b1', at(1)))).rejects.toMatchObject({ what: 'message_taken.client, message_taken.bundle' })
      expect(await messageTakenAt(database, 'ne', 'b1')).toBe(at(0))
      await write(purgeReceived(at(1)))
      expect(await findReceived(database, 'ne', 'r1')).toBeUndefined()
    })
  })
}
