/**
 * The outbox: at least once under one key, never blindly twice, one partner's trouble is its own, and a person mends what is stuck.
 */
import type { CarePlan } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { channels } from '../../src/channels/index.ts'
import { openExchange } from '../../src/exchange/open.ts'
import { sendAgain } from '../../src/exchange/resend.ts'
import { caseBundle, partners } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, publicUrl, standing } from '../fixtures/gateway.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const recovery = () => gateway.partner('recovery')
const parked = async () => (await gateway.owed('parked'))[0]!

describe('two deliverers on one database', () => {
  test('send each message once: only who holds the lease may send', async () => {
    const sent: string[] = []
    const slow = async (_: unknown, init?: RequestInit) => {
      sent.push(new Headers(init?.headers).get('x-request-id') as string)
      await new Promise((done) => setTimeout(done, 5))
      return new Response('{}', { status: 200 })
    }
    for (const name of Object.keys(partners)) gateway.partner(name).answers = 'unreachable'
    const people = ['9990004005', '9990004013', '9990004021', '9990004048', '9990004056']
    for (const [n, nhsNumber] of people.entries())
      await gateway.handIn(caseBundle({ nhsNumber, noms: `B135${n}CD`, tag: `x${n}`, plan: ['recovery', 'probation'] }))
    gateway.clock.set(new Date('2026-04-03T08:00:00Z'))
    const { exchange } = gateway
    const open = () => openExchange({ ...exchange, channels, fetch: slow as typeof fetch, publicUrl, log: () => {} })
    const deliverers = [open(), open(), open()]
    for (const { deliverer } of deliverers) deliverer.wake()
    for (const { deliverer } of deliverers) await deliverer.idle()
    expect(sent).toHaveLength(10)
    expect(new Set(sent).size).toBe(10)
    expect(await gateway.owed('due')).toHaveLength(0)
    expect(await gateway.owed('delivered')).toHaveLength(10)
  })
})

describe('a partner that is down', () => {
  test('gets the same bytes under the same key until it answers, and no one else waits', async () => {
    recovery().answers = 503
    await gateway.handIn(caseBundle())
    expect([gateway.partner('probation').received.length, gateway.partner('enhanced').received.length]).toEqual([1, 1])
    await gateway.turn('PT3H')
    const tries = recovery().received.length
    expect(tries).toBeGreaterThan(3)
    recovery().answers = 200
    await gateway.turn('P1D')
    expect(recovery().received.length).toBe(tries + 1)
    expect(new Set(recovery().received.map(({ key }) => key)).size).toBe(1)
    expect(new Set(recovery().received.map(({ text }) => text)).size).toBe(1)
    expect(standing(await gateway.handover('recovery'))).toBe('requested delivered')
  })

  test('asks for patience with Retry-After and is left alone until then', async () => {
    recovery().answers = 503
    recovery().headers = { 'retry-after': '7200' }
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    await gateway.turn('PT1H59M')
    expect(recovery().received).toHaveLength(1)
    await gateway.turn('PT2M')
    expect(recovery().received).toHaveLength(2)
  })

  test('says nothing for three days: a person looks', async () => {
    recovery().answers = 'unreachable'
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    await gateway.turn('P4D')
    expect((await parked()).note).toMatch(/72 hours/)
    expect((await gateway.work()).map(({ reason }) => reason)).toContain('parked')
  })
})

describe('a partner that rejects', () => {
  test('is not asked again: the message is parked with a work item; sent again by a person it arrives', async () => {
    recovery().answers = 400
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    await gateway.turn('P2D')
    expect(recovery().received).toHaveLength(1)
    const { id, task } = await parked()
    const open = async () => (await gateway.work()).filter(({ reason }) => reason === 'parked')
    expect(await open()).toMatchObject([{ about: `parked:${id}`, task, words: expect.stringMatching(/rejected it/) }])

    recovery().answers = 200
    expect(await sendAgain(gateway.exchange, id, 'navigator')).toMatchObject({ outcome: 'due', partner: partners.recovery })
    await gateway.settled()
    expect(recovery().received.map(({ key }) => key)).toEqual([id, id])
    expect(await open()).toEqual([])
    expect(standing(await gateway.handover('recovery'))).toBe('requested delivered')
  })

  test('a message that is not parked, or not there, is not sent again', async () => {
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const { id } = (await gateway.owed('delivered'))[0]!
    expect(await sendAgain(gateway.exchange, id, 'navigator')).toEqual({ outcome: 'not-parked', state: 'delivered' })
    expect(await sendAgain(gateway.exchange, 'nothing', 'navigator')).toEqual({ outcome: 'unknown' })
    await gateway.settled()
    expect(recovery().received).toHaveLength(1)
  })
})

describe('a partner that can not drop a repeat', () => {
  beforeEach(async () => {
    await gateway.close()
    gateway = await openGateway({
      directory: (file) => {
        for (const one of file.partners) one.deduplicates = one.id !== partners.recovery
      },
    })
  })

  test('took the message and hung up: it is never repeated blindly, a person decides', async () => {
    recovery().answers = 'hangs-up'
    gateway.partner('probation').answers = 'hangs-up'
    await gateway.handIn(caseBundle({ plan: ['recovery', 'probation'] }))
    // At once, and not when the next attempt would be due.
    expect((await gateway.work()).filter(({ reason }) => reason === 'parked')).toMatchObject([
      { about: `parked:${(await parked()).id}`, words: expect.stringMatching(/can not tell a repeat/) },
    ])
    await gateway.turn('PT6H')
    expect(recovery().received).toHaveLength(1)
    expect(gateway.partner('probation').received.length).toBeGreaterThan(2)
    expect((await parked()).unanswered).toBe(true)

    recovery().answers = 200
    await sendAgain(gateway.exchange, (await parked()).id, 'navigator')
    await gateway.settled()
    expect(recovery().received).toHaveLength(2)
    expect(standing(await gateway.handover('recovery'))).toBe('requested delivered')
  })

  test('hung up while the person took it back: what may not be sent any more is not waited for, and the notice to stop goes', async () => {
    const at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const said: Promise<unknown>[] = []
    recovery().answers = async () => {
      recovery().answers = 200
      const inactive = [{ op: 'replace', path: '/status', value: 'inactive' }]
      const { status } = await gateway.service.call('PATCH', `/fhir/${at.Consent}`, inactive)
      said.push(Promise.resolve(status))
      throw new TypeError('fetch failed')
    }
    const [plan] = await gateway.service.find('CarePlan')
    const activity = (plan as CarePlan).activity?.map((one) => ({ ...one, detail: { ...one.detail, description: 'Be seen on Monday' } }))
    await gateway.service.call('PUT', `/fhir/${at.CarePlan}`, { ...plan, activity } as CarePlan)
    await gateway.settled()
    expect(await Promise.all(said)).toEqual([200])
    expect(await gateway.owed('parked')).toEqual([])
    expect((await gateway.work()).map(({ reason }) => reason)).not.toContain('parked')
    expect(recovery().received.at(-1)?.text).toContain('"revoked"')
  })

  test('was not reachable: nothing was sent, so it may be tried again', async () => {
    recovery().answers = 'unreachable'
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    recovery().answers = 200
    await gateway.turn('PT1H')
    expect(recovery().received).toHaveLength(1)
  })
})

describe('a partner that is retired', () => {
  test('is sent nothing more: what is due waits for a person', async () => {
    recovery().answers = 503
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    await gateway.apply((file) => {
      for (const one of file.partners) one.retired ||= one.id === partners.recovery
    })
    recovery().answers = 200
    await gateway.turn('PT1H')
    expect(recovery().received).toHaveLength(1)
    expect((await gateway.work()).map(({ reason }) => reason)).toContain('parked')
  })
})
