/**
 * Withdrawal at every moment there is: before and after each single call to the database that a sending or a reading makes. Once it
 * is acknowledged nothing begins to be told.
 */
import { describe, expect, test } from 'vitest'
import { channels } from '../../src/channels/index.ts'
import { openExchange } from '../../src/exchange/open.ts'
import { actCode } from '../../src/fhir/systems.ts'
import { pause, resume } from '../../src/store/lanes.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { caseBundle, consentOf, usual, wordsIn } from '../fixtures/case-bundle.ts'
import { type Gateway, of, openGateway, publicUrl } from '../fixtures/gateway.ts'
import { type Moment, pausing } from '../fixtures/pausing.ts'
import { sideBySide, there, transferBundle } from '../fixtures/transfer.ts'

/** A gateway that can be held, and what its partners were told after the person had said no. */
async function stage(
  run: (gateway: Gateway, at: Record<string, string>) => Promise<string>,
  prepare: (gateway: Gateway) => void,
  moment?: Moment,
) {
  const held = pausing(openSqlite(':memory:'))
  const gateway = await openGateway({ database: held.driver })
  let withdrawn = false
  const late: string[] = []
  try {
    prepare(gateway)
    const at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    gateway.partner('recovery').answers = async (text) => {
      if (withdrawn) late.push(...wordsIn(text))
      return 200
    }
    const withdraw = async () => {
      const { recovery: _, ...agreed } = usual
      const consent = consentOf({ patient: at.Patient!, agreed, at: '2026-04-02T08:30:00Z' })
      const { status } = await gateway.service.call('PUT', `/fhir/${at.Consent}`, { ...consent, id: at.Consent?.split('/')[1] })
      expect(status).toBe(200)
      withdrawn = true
    }
    held.begin(moment, withdraw)
    const answered = await run(gateway, at)
    if (withdrawn) late.push(...wordsIn(answered))
    const { calls, happened } = held.seen()
    await gateway.settled()
    return { calls, happened, late, received: gateway.partner('recovery').received, owed: await gateway.owed('due') }
  } finally {
    await gateway.close()
  }
}

/** Every moment of an undisturbed run, before and after each of its calls. */
async function everyMoment(run: Parameters<typeof stage>[0], prepare: Parameters<typeof stage>[1] = () => {}) {
  const { calls, received } = await stage(run, prepare)
  expect(calls).toBeGreaterThan(1)
  const ends = []
  for (let call = 1; call <= calls; call++)
    for (const when of ['before', 'after'] as const) ends.push({ call, when, ...(await stage(run, prepare, { call, when })) })
  expect(ends.filter(({ happened }) => !happened)).toEqual([])
  return { ends, undisturbed: received }
}

const unreachable = (gateway: Gateway) => {
  gateway.partner('recovery').answers = 'unreachable'
}
const whenDue = (gateway: Gateway) => gateway.clock.set(new Date('2026-04-02T09:00:00Z'))

describe('between lease and send', () => {
  test('one deliverer: nothing is sent after the person said no, and whoever was told before is told to stop', async () => {
    const { ends, undisturbed } = await everyMoment(async (gateway) => {
      whenDue(gateway)
      await gateway.settled()
      return ''
    }, unreachable)
    expect(undisturbed.some(({ text }) => wordsIn(text).length > 0)).toBe(true)
    expect(ends.filter(({ late }) => late.length)).toEqual([])
    for (const { received, owed } of ends) {
      const told = received.some(({ text }) => wordsIn(text).length > 0)
      const stopped = received.some(({ bundle }) => of(bundle, 'ServiceRequest')[0]?.status === 'revoked')
      expect(!told || stopped).toBe(true)
      expect(owed).toEqual([])
    }
    // Both ends of it were reached: moments at which it had begun, and moments at which it never did.
    expect(new Set(ends.map(({ received }) => received.some(({ text }) => wordsIn(text).length > 0)))).toEqual(new Set([true, false]))
  })

  test('two deliverers: neither sends', async () => {
    const { ends } = await everyMoment(async (gateway) => {
      whenDue(gateway)
      const { exchange } = gateway
      const other = openExchange({ ...exchange, channels, publicUrl, log: () => {} }).deliverer
      for (const deliverer of [gateway.deliverer, other]) deliverer.wake()
      await Promise.all([gateway.deliverer.idle(), other.idle()])
      return ''
    }, unreachable)
    expect(ends.filter(({ late }) => late.length)).toEqual([])
  })

  test('what had begun is not denied: the partner is told to stop, once', async () => {
    const gateway = await openGateway()
    let release = () => {}
    const begun = new Promise<void>((reached) => {
      gateway.partner('recovery').answers = (text) => {
        if (!wordsIn(text).length) return Promise.resolve(200)
        reached()
        return new Promise((done) => {
          release = () => done(200)
        })
      }
    })
    const posted = gateway.service.call('POST', '/fhir', caseBundle({ plan: ['recovery'] }))
    await begun
    await posted
    const consent = (await gateway.service.find('Consent'))[0]!
    await gateway.service.call('PUT', `/fhir/Consent/${consent.id}`, { ...consent, status: 'inactive' })
    release()
    await gateway.deliverer.idle()
    await gateway.settled()
    expect(gateway.partner('recovery').received.map(({ bundle }) => of(bundle, 'ServiceRequest')[0]?.status)).toEqual(['active', 'revoked'])
    await gateway.close()
  })
})

test.each([1, 2, 3, 4, 5])(
  'found out to be sensitive between lease and send, after call %i: what was owed before is not sent',
  async (call) => {
    const held = pausing(openSqlite(':memory:'))
    const gateway = await openGateway({ database: held.driver })
    await gateway.handIn(caseBundle({ plan: ['practice'] }))
    // Its window opens: the message is owed, and in hand with the same commit or the next claim.
    gateway.partner('practice').answers = 'unreachable'
    await gateway.turn('2026-04-18T08:00:00Z')
    gateway.partner('practice').answers = 200
    const [medicine] = await gateway.service.find('MedicationStatement')
    const { security = [] } = medicine?.meta ?? {}
    const secret = { ...medicine!, meta: { security: [...security, { system: actCode, code: 'ETH' }] } }
    gateway.clock.set(new Date('2026-04-18T20:00:00Z'))
    held.begin({ call, when: 'after' }, async () => {
      expect((await gateway.service.call('PUT', `/fhir/MedicationStatement/${medicine?.id}`, secret)).status).toBe(200)
    })
    await gateway.settled()
    await gateway.settled()
    expect(held.seen().happened).toBe(true)
    const { received } = gateway.partner('practice')
    expect(received.map(({ text }) => wordsIn(text).includes('medication'))).not.toContain(true)
    expect(received.length).toBeGreaterThan(0)
    await gateway.close()
  },
)

describe('between the decision and what another service of this gateway takes in', () => {
  /** @param moment at which the person says no to the other service */
  async function handedOver(moment?: Moment) {
    const held = pausing(openSqlite(':memory:'))
    const gateway = await openGateway({ database: held.driver, directory: sideBySide })
    const other = gateway.client('other-system')
    const takenIn = async () => wordsIn(JSON.stringify([await other.find('Patient'), await other.find('Condition')]))
    try {
      await gateway.database.atomically([pause(there, gateway.clock.now().toISOString())])
      const at = await gateway.handIn(transferBundle(there, { plan: [] }))
      let before: string[] | undefined
      held.begin(moment, async () => {
        const consent = consentOf({ patient: at.Patient!, agreed: {}, at: '2026-04-02T08:30:00Z' })
        const { status } = await gateway.service.call('PUT', `/fhir/${at.Consent}`, { ...consent, id: at.Consent?.split('/')[1] })
        expect(status).toBe(200)
        before = await takenIn()
      })
      await gateway.database.atomically([resume(there)])
      await gateway.settled()
      const { calls, happened } = held.seen()
      // The notice, and the answer to it.
      for (let turns = 0; turns < 5 && (await gateway.owed('due')).length; turns++) await gateway.settled()
      return {
        calls,
        happened,
        before,
        after: await takenIn(),
        requests: await other.find('ServiceRequest'),
        owed: await gateway.owed('due'),
      }
    } finally {
      await gateway.close()
    }
  }

  test('nothing is taken in after the person said no, and what was before is taken back', async () => {
    const { calls, after } = await handedOver()
    expect(after).toContain('identity')
    const ends = []
    for (let call = 1; call <= calls; call++)
      for (const when of ['before', 'after'] as const) ends.push({ call, when, ...(await handedOver({ call, when })) })
    expect(ends.filter(({ happened }) => !happened)).toEqual([])
    for (const { before, after: then, requests, owed } of ends) {
      expect(then.filter((word) => !before?.includes(word))).toEqual([])
      expect(requests.filter(({ status }) => status === 'active')).toEqual([])
      expect(owed).toEqual([])
    }
    expect(new Set(ends.map(({ before }) => before?.length === 0))).toEqual(new Set([true, false]))
  }, 60_000)
})

describe('between a reading’s decision and its answer', () => {
  const by = (path: (at: Record<string, string>) => string) => async (gateway: Gateway, at: Record<string, string>) =>
    (await gateway.as('recovery').call('GET', path(at))).text

  test.each([
    ['read', by((at) => `/fhir/${at.Patient}`)],
    ['vread', by((at) => `/fhir/${at.Patient}/_history/1`)],
    ['history', by((at) => `/fhir/${at.Patient}/_history`)],
    ['search', by(() => '/fhir/Condition')],
    ['search with what goes with it', by(() => '/fhir/Task?_include=Task:patient')],
  ])('%s: no answer is given after the person said no', async (_, run) => {
    expect((await stage(run, () => {})).received).toHaveLength(1)
    const { ends } = await everyMoment(run)
    expect(ends.filter(({ late }) => late.length)).toEqual([])
  })

  test('between page one and page two: there is no page two', async () => {
    const run = async (gateway: Gateway, at: Record<string, string>) => {
      const recovery = gateway.as('recovery')
      const first = await recovery.call('GET', '/fhir/Condition?_count=1')
      const next = (first.body as { link?: { relation: string; url: string }[] }).link?.find(({ relation }) => relation === 'next')?.url
      expect(wordsIn(first.text)).not.toEqual([])
      const consent = { ...consentOf({ patient: at.Patient!, agreed: {}, at: '2026-04-02T08:30:00Z' }), id: at.Consent?.split('/')[1] }
      await gateway.service.call('PUT', `/fhir/${at.Consent}`, consent)
      return (await recovery.call('GET', next!.replace(publicUrl, ''))).text
    }
    const gateway = await openGateway()
    const at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    expect(wordsIn(await run(gateway, at))).toEqual([])
    await gateway.close()
  })
})
