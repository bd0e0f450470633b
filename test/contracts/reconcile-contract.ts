/**
 * What a hand in the database, a fault of ours or a clock set back can leave behind, and the night that finds it: on every database.
 */
import type { CarePlan, Task } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { runTimers } from '../../src/exchange/time.ts'
import { statement } from '../../src/store/database.ts'
import { createResource, type Stored, shelvesOf } from '../../src/store/resources.ts'
import { timersOf } from '../../src/store/timers.ts'
import { caseBundle, custodyOf, partners } from '../fixtures/case-bundle.ts'
import { type Gateway, morning, of, says, serviceId, standing } from '../fixtures/gateway.ts'

/** @param open a gateway on an empty database, where its clock stands at `at`; or another one on the database of `beside` */
export function reconcileContract(name: string, open: (at?: string, beside?: Gateway) => Promise<Gateway>): void {
  describe(`${name}: the night`, () => {
    let gateway: Gateway
    let patient: string
    const begin = async (given: Parameters<typeof caseBundle>[0] = { releaseDate: '2026-05-20', plan: ['recovery'] }) => {
      gateway = await open()
      patient = (await gateway.handIn(caseBundle(given))).Patient?.split('/')[1] as string
    }
    beforeEach(() => begin())
    afterEach(() => gateway.close())

    const sql = (text: string, ...params: string[]) => gateway.database.atomically([statement(text, ...params)])
    const night = async () => {
      const found = await reconcile(gateway.exchange)
      await gateway.settled()
      return found
    }
    /** Nothing is left to put right, and nobody is told anything. */
    const again = async () => {
      const told = gateway.partner('recovery').received.length
      expect(await night()).toMatchObject({ repaired: 0, late: 0, unwatched: 0, failed: 0 })
      expect(gateway.partner('recovery').received).toHaveLength(told)
    }
    const asked = async () => (await gateway.work()).map(({ reason }) => reason)
    const sent = () => gateway.partner('recovery').received.map(({ bundle }) => of(bundle, 'ServiceRequest')[0]?.status)
    const timers = () => timersOf(gateway.database, patient)

    test('a timer that is gone, one at another time and one too many are as they should be again', async () => {
      const before = await timers()
      await sql(`delete from timer where about like 'answer:%'`)
      await sql(`update timer set due_at = '2031-01-01T00:00:00.000Z' where about like 'consent:%'`)
      await sql(
        `insert into timer (patient, about, service, due_at) select patient, 'chase:' || substr(about, 9), service, '2026-09-01T00:00:00.000Z'
         from timer where about like 'consent:%'`,
      )
      expect(await night()).toMatchObject({ repaired: 1, timers: 3 })
      expect(await timers()).toEqual(before)
      await again()
    })

    test('a work item that is gone, and its timer with it, is asked again', async () => {
      await gateway.as('recovery').call('PATCH', `/fhir/Task/${(await gateway.handover('recovery')).id}`, says('accepted'))
      await gateway.turn('2026-05-18T09:00:00Z')
      expect(await asked()).toContain('not-booked')
      const before = [await asked(), await timers()]
      await sql('delete from work_item')
      await sql('delete from timer')
      expect(await night()).toMatchObject({ repaired: 1 })
      expect([(await asked()).sort(), await timers()]).toEqual([(before[0] as string[]).sort(), before[1]])
      await again()
    })

    test('a work item that somebody resolved in the database is open again', async () => {
      gateway.partner('recovery').answers = 200
      await gateway.turn('2026-04-11T00:00:00Z')
      expect(await asked()).toContain('no-answer')
      await sql(`update work_item set resolved_at = opened_at`)
      await night()
      expect(await asked()).toContain('no-answer')
    })

    test('a message that is gone before it left is owed again', async () => {
      gateway.partner('recovery').answers = 503
      await gateway.close()
      await begin({ releaseDate: '2026-05-20', plan: ['practice', 'recovery'] })
      gateway.partner('practice').answers = 503
      await gateway.turn('2026-04-22T08:00:00Z')
      await sql(`delete from owed where partner = ?`, partners.practice)
      gateway.partner('practice').answers = 200
      expect(await night()).toMatchObject({ messages: 1, lost: 0 })
      // Its lane was shut: for a time that chance has a part in.
      await gateway.turn('PT5H')
      expect(standing(await gateway.handover('practice'))).toBe('requested delivered')
    })

    test('a message that arrived and is gone from the outbox is not sent a second time', async () => {
      await sql('delete from owed')
      expect(await night()).toMatchObject({ repaired: 0, lost: 0 })
      await gateway.turn('2026-04-08T12:00:00Z')
      expect(gateway.partner('recovery').received).toHaveLength(1)
      await again()
    })

    test('a message that is gone, and nothing says that it arrived: somebody is asked, once, and nobody is sent anything', async () => {
      await sql('delete from owed')
      await sql(`delete from audit where action = 'deliver'`)
      expect(await night()).toMatchObject({ lost: 1 })
      expect(await night()).toMatchObject({ lost: 1 })
      expect((await asked()).filter((reason) => reason === 'message-lost')).toHaveLength(1)
      expect(gateway.partner('recovery').received).toHaveLength(1)
    })

    test('a notice to stop that is gone is owed again', async () => {
      await gateway.as('recovery').call('PATCH', `/fhir/Task/${(await gateway.handover('recovery')).id}`, says('accepted'))
      const [plan] = await gateway.service.find('CarePlan')
      gateway.partner('recovery').answers = 503
      const activity = plan?.activity?.map((one) => ({ ...one, detail: { ...one.detail, status: 'stopped' } }))
      expect((await gateway.service.call('PUT', `/fhir/CarePlan/${plan?.id}`, { ...plan, activity } as CarePlan)).status).toBe(200)
      await gateway.settled()
      await sql(`delete from owed where reason = 'revoke'`)
      gateway.partner('recovery').answers = 200
      expect(await night()).toMatchObject({ messages: 1 })
      expect(sent().at(-1)).toBe('revoked')
      await again()
    })

    test('what is on the shelf of a partner nobody asks for anything is taken off', async () => {
      const [told] = (await shelvesOf(gateway.database, patient)).filter(
        ({ shelf, type }) => shelf.startsWith('partner:') && type === 'Condition',
      )
      await gateway.database.atomically(createResource({ ...(told as Stored), shelf: `partner:${partners.enhanced}` }))
      // Nothing says that this partner was told, and the one that was does not stand in for it.
      expect(await night()).toMatchObject({ repaired: 1, shelves: 1, unexplained: 1 })
      expect((await shelvesOf(gateway.database, patient)).filter(({ shelf }) => shelf === `partner:${partners.enhanced}`)).toEqual([])
      expect(await asked()).toContain('shelf-unexplained')
      await again()
    })

    test('a shelf that went back to an earlier version says what was agreed since', async () => {
      const shelf = `partner:${partners.recovery}`
      const { body } = await gateway.service.call('GET', `/fhir/Patient/${patient}`)
      const [old] = await gateway.database.query<{ id: string; version: number; body: Uint8Array }>(
        statement(`select id, version, body from resource where shelf = ? and type = 'Patient'`, shelf),
      )
      const telecom = [{ system: 'phone', value: '07700 900999' }]
      await gateway.service.call('PUT', `/fhir/Patient/${patient}`, { ...body, telecom })
      await gateway.settled()
      const told = gateway.partner('recovery').received.length
      expect(JSON.stringify(await gateway.as('recovery').find('Patient'))).toContain('900999')
      await gateway.database.atomically([
        statement(
          `update resource set version = ?, body = ? where shelf = ? and type = 'Patient'`,
          old?.version as number,
          old?.body as Uint8Array,
          shelf,
        ),
      ])
      expect(await night()).toMatchObject({ repaired: 1, failed: 0 })
      expect(JSON.stringify(await gateway.as('recovery').find('Patient'))).toContain('900999')
      // An update at most, and with what is so now.
      for (const { text } of gateway.partner('recovery').received.slice(told)) expect(text).toContain('900999')
      await again()
    })

    test('the agreement ran out and its timer is gone: the night takes back, and tells nothing', async () => {
      await gateway.close()
      await begin({ releaseDate: '2026-05-20', plan: ['recovery'], agreedUntil: '2026-04-20' })
      await sql('delete from timer')
      gateway.clock.set(new Date('2026-04-25T02:00:00Z'))
      await sql(`delete from resource where shelf = ? and type = 'Condition'`, `partner:${partners.recovery}`)
      await night()
      expect(sent()).toEqual(['active', 'revoked'])
      expect(
        gateway
          .partner('recovery')
          .received.at(-1)
          ?.bundle.entry?.map(({ resource }) => resource?.resourceType),
      ).not.toContain('Condition')
      expect(await gateway.as('recovery').find('Condition')).toEqual([])
      await again()
    })

    test('the clock was set back: what would wait for weeks goes now, under the same key', async () => {
      await gateway.close()
      gateway = await open('2026-04-23T08:00:00Z')
      gateway.partner('recovery').answers = 503
      patient = (await gateway.handIn(caseBundle({ releaseDate: '2026-05-20', plan: ['recovery'] }))).Patient?.split('/')[1] as string
      const [first] = gateway.partner('recovery').received
      const earlier = await open('2026-04-02T08:00:00Z', gateway)
      await runTimers(earlier.exchange)
      await earlier.settled()
      expect(earlier.partner('recovery').received).toEqual([])
      expect(await reconcile(earlier.exchange)).toMatchObject({ late: 1, failed: 0 })
      await earlier.settled()
      expect(standing(await earlier.handover('recovery'))).toBe('requested delivered')
      expect(earlier.partner('recovery').received.map(({ key }) => key)).toEqual([first?.key])
      expect(await reconcile(earlier.exchange)).toMatchObject({ repaired: 0, late: 0 })
    })

    test('open, and nothing would ever wake it: somebody is asked once, until there is something to wait for again', async () => {
      await gateway.close()
      await begin({ releaseDate: null, plan: [], agreed: {} })
      expect(await asked()).toEqual(['nothing-planned'])
      // No door takes such a Task: it is open, nobody is at it, and the plan, which has something open, asks nothing.
      const [custody] = await gateway.service.find('Observation', 'code=custody')
      const stray: Task = {
        resourceType: 'Task',
        id: 'stray',
        status: 'requested',
        intent: 'order',
        for: { reference: `Patient/${patient}` },
      }
      const place = { shelf: `service:${serviceId}`, type: 'Task', id: 'stray', version: 1, lastUpdated: morning, patient }
      await gateway.database.atomically(createResource({ ...place, body: stray }))
      for (const _ of [1, 2]) {
        expect(await night()).toMatchObject({ unwatched: 1 })
        expect(await asked()).toEqual(['nothing-waits'])
        expect(await timers()).toEqual([])
      }
      const said = { ...custodyOf({ patient: `Patient/${patient}`, releaseDate: '2026-05-15' }), id: custody?.id as string }
      expect((await gateway.service.call('PUT', `/fhir/Observation/${custody?.id}`, said)).status).toBe(200)
      expect(await night()).toMatchObject({ unwatched: 0 })
      expect(await asked()).not.toContain('nothing-waits')
    })

    test('a record nobody can read: its service hears of it once, and no more when it can be read again', async () => {
      const [row] = await gateway.database.query<{ id: string; body: Uint8Array }>(
        statement(`select id, body from resource where patient = ? and type = 'Patient' and shelf like 'service:%'`, patient),
      )
      const put = (body: Uint8Array) =>
        gateway.database.atomically([
          statement(`update resource set body = ? where id = ? and type = 'Patient' and shelf like 'service:%'`, body, row?.id as string),
        ])
      await put(new Uint8Array([0]))
      expect(await night()).toMatchObject({ failed: 1 })
      expect(await night()).toMatchObject({ failed: 1 })
      expect((await asked()).filter((reason) => reason === 'unreadable')).toHaveLength(1)
      await put(row?.body as Uint8Array)
      await night()
      expect(await asked()).not.toContain('unreadable')
    })
  })
}
