/**
 * A transfer whose two sides speak in any order: no, too late, both at once, and while custody or the person change underneath.
 */
import type { Bundle, MessageHeader, ParametersParameter, Resource, ServiceRequest, Task } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Caller } from '../../src/access/caller.ts'
import { processMessage } from '../../src/exchange/message.ts'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { pause, resume } from '../../src/store/lanes.ts'
import { consentOf, custodyOf, usual, wordsIn } from '../fixtures/case-bundle.ts'
import { type Client, type Gateway, openGateway, says, standing } from '../fixtures/gateway.ts'
import { code, text } from '../fixtures/override.ts'
import { close, operate } from '../fixtures/referral-operations.ts'
import { back, sideBySide, takeOn, there, transferBundle, transferConsent } from '../fixtures/transfer.ts'

let gateway: Gateway
let other: Client
let at: Record<string, string>
beforeEach(async () => {
  gateway = await openGateway({ directory: sideBySide })
  other = gateway.client('other-system')
  at = await gateway.handIn(transferBundle(there, { releaseDate: '2026-04-20', plan: ['recovery'] }))
  await gateway.settled()
})
afterEach(() => gateway.close())

const referralOf = async (client: Client) =>
  (await client.find('ServiceRequest')).find(
    ({ identifier }) => !identifier?.some(({ system }) => system?.endsWith('/handover')),
  ) as ServiceRequest
const phaseOf = async (client: Client) => (await referralOf(client)).extension?.find(({ valueCoding }) => valueCoding)?.valueCoding?.code
const asked = async () => standing(await gateway.handover(there))
const work = async (service?: string) => (await gateway.work(service)).map(({ reason }) => reason).sort()
const ok = ({ status, text }: { status: number; text: string }) => {
  if (status > 201) throw new Error(`${status} ${text}`)
}
const put = async (resource: Resource) => {
  ok(await gateway.service.call('PUT', `/fhir/${resource.resourceType}/${resource.id}`, resource))
  await gateway.settled()
}
const withdraw = async () =>
  put(consentOf({ patient: at.Patient as string, agreed: usual, at: '2026-04-02T08:30:00Z', id: at.Consent?.split('/')[1] as string }))
const custody = async (given: Partial<Parameters<typeof custodyOf>[0]>) => {
  const since = given.since ?? '2025-11-03'
  const known = (await gateway.service.find('Observation', 'code=custody')).find(({ effectivePeriod }) => effectivePeriod?.start === since)
  const said = custodyOf({ patient: at.Patient as string, releaseDate: '2026-04-20', since, ...given })
  if (known) return put({ ...said, id: known.id as string })
  ok(await gateway.service.call('POST', '/fhir/Observation', said))
  await gateway.settled()
}
const operation = async (client: Client, name: string, ...parameter: ParametersParameter[]) => {
  ok(await operate(client, name, `ServiceRequest/${(await referralOf(client)).id}`, ...parameter))
  await gateway.settled()
}
/** Nothing goes from one service to the other for a while. */
const holdBack = (partner: string) => gateway.database.atomically([pause(partner, gateway.clock.now().toISOString())])
const letGo = async (partner: string) => {
  await gateway.database.atomically([resume(partner)])
  await gateway.settled()
  await gateway.settled()
}
const everythingThere = async () =>
  JSON.stringify(
    await Promise.all(
      (['Condition', 'MedicationStatement', 'Flag', 'Observation', 'CarePlan', 'Consent'] as const).map((type) => other.find(type)),
    ),
  )
const isAtRest = async () =>
  expect(await reconcile(gateway.exchange)).toMatchObject({ repaired: 0, unwatched: 0, unexplained: 0, failed: 0 })

describe('the other service says no', () => {
  test.each([
    ['at-capacity', 'at-capacity'],
    ['out-of-area', 'out-of-area'],
    ['duplicate', 'duplicate'],
    ['wrong-recipient', 'wrong-recipient'],
    ['unsafe', 'unsafe'],
    ['under-18', 'not-eligible'],
    ['not-eligible', 'not-eligible'],
    ['needs-met-elsewhere', 'other'],
    ['no-information', 'other'],
  ])('because of %s: its sender reads %s, and in which words, and looks for another', async (because, read) => {
    const words = [text('reason', 'Ask again in June.'), text('signpost', 'RECONNECT Further Away')]
    await operation(other, 'triage', code('decision', 'decline'), code('code', because), ...words)
    const task = await gateway.handover(there)
    expect(standing(task)).toBe('rejected rejected')
    expect(task.statusReason).toMatchObject({ coding: [{ code: read }], text: 'Ask again in June. RECONNECT Further Away' })
    expect(await work()).toEqual(['replace'])
    expect(await phaseOf(gateway.service)).toBe('pre-release')
    expect(await gateway.owed('parked')).toEqual([])
    await isAtRest()
  })

  test('the person tells them that they do not want it: a no as well, without what they said', async () => {
    await operation(other, 'close', code('outcome', 'declined-support'), text('reason', 'Wants to be left alone'))
    const task = await gateway.handover(there)
    expect(standing(task)).toBe('rejected rejected')
    expect(JSON.stringify(task)).not.toContain('left alone')
    expect(task.statusReason?.coding?.[0]?.code).toBe('other')
    await isAtRest()
  })
})

describe('the person says no to the other service', () => {
  test('before it took them on: it stops, says so, and keeps nothing of what it was told, in no version', async () => {
    const [condition] = await other.find('Condition')
    await withdraw()
    await gateway.settled()
    expect((await gateway.handovers(there)).map(standing)).toEqual(['cancelled cancelled', 'draft consent-blocked'])
    expect(await phaseOf(other)).toBe('withdrawn')
    expect(wordsIn(await everythingThere())).toEqual([])
    expect((await other.call('GET', `/fhir/Condition/${condition?.id}/_history/1`)).status).toBe(404)
    expect([await work(), await work('other-service')]).toEqual([['consent-blocked'], []])
    expect(await gateway.owed('parked')).toEqual([])
    await isAtRest()
  })

  test('at the moment it takes them on: their own agreement there stands, and people on both sides are asked to speak', async () => {
    await holdBack(back)
    await takeOn(other, 'other-service')
    await withdraw()
    await letGo(back)
    expect(await asked()).toBe('received cancellation-requested')
    expect(await phaseOf(other)).toBe('pre-release')
    expect(wordsIn(await everythingThere())).toContain('mentalHealth')
    expect(await work('other-service')).toEqual(['parked', 'sender-stopped'])
    await gateway.turn('P14D')
    expect(await work()).toContain('cancellation-unconfirmed')
    expect(await phaseOf(gateway.service)).not.toBe('transferred')
    await isAtRest()
  })

  test('later, when it has taken over long ago: nothing there is undone, and its navigator is asked to speak with them', async () => {
    await takeOn(other, 'other-service')
    await gateway.settled()
    expect(await phaseOf(gateway.service)).toBe('transferred')
    await withdraw()
    expect(await phaseOf(other)).toBe('pre-release')
    expect(await work('other-service')).toEqual(['sender-stopped'])
    await isAtRest()
  })

  test('to a part of it, between the asking and the answer: what is no longer agreed is not there in any version', async () => {
    const sensitive = (await other.find('Condition')).find((one) => wordsIn(JSON.stringify(one)).includes('substance'))
    await put(
      transferConsent(there, {
        patient: at.Patient as string,
        id: at.Consent?.split('/')[1] as string,
        at: '2026-04-02T08:30:00Z',
        except: ['substance-misuse'],
      }),
    )
    expect(wordsIn(await everythingThere())).toContain('mentalHealth')
    expect(wordsIn(await everythingThere())).not.toContain('substance')
    expect((await other.call('GET', `/fhir/Condition/${sensitive?.id}/_history/1`)).status).toBe(404)
    await takeOn(other, 'other-service')
    await gateway.settled()
    expect(await asked()).toBe('accepted accepted')
    await isAtRest()
  })
})

describe('the release date moves', () => {
  test('after it was taken on: the record there is its own, and its navigator hears that something is new', async () => {
    await holdBack(back)
    await takeOn(other, 'other-service')
    await custody({ releaseDate: '2026-04-10' })
    expect(await work('other-service')).toEqual(['sender-changed'])
    expect(JSON.stringify(await other.find('Observation', 'code=custody'))).toContain('2026-04-20')
    await letGo(back)
    expect(await phaseOf(gateway.service)).toBe('transferred')
    await isAtRest()
  })

  test('before it was taken on, when the plan there is being made already: the date is taken over, the plan is theirs', async () => {
    const [plan] = await other.find('CarePlan')
    ok(await other.call('PUT', `/fhir/CarePlan/${plan?.id}`, { ...plan, title: 'As we see it' }))
    await custody({ releaseDate: '2026-04-10' })
    expect(JSON.stringify(await other.find('Observation', 'code=custody'))).toContain('2026-04-10')
    expect((await other.find('CarePlan')).map(({ title }) => title)).toEqual(['As we see it'])
  })

  test('a reminder is nothing new', async () => {
    await holdBack(back)
    await takeOn(other, 'other-service')
    await gateway.turn('P8D')
    expect((await gateway.owed('delivered')).map(({ reason }) => reason)).toContain('reminder')
    expect(await work('other-service')).not.toContain('sender-changed')
  })
})

describe('custody takes the person back', () => {
  test('in the middle: on hold here, and what the other service said meanwhile counts once there is a date', async () => {
    await gateway.turn('2026-04-20T09:00:00Z')
    await custody({ left: '2026-04-20' })
    await custody({ releaseDate: null, basis: 'recall', since: '2026-04-28' })
    expect(await asked()).toBe('on-hold suspended-custody')
    await takeOn(other, 'other-service')
    await gateway.settled()
    // Here nothing has gone on: this service keeps the person while nobody knows until when.
    expect([await asked(), await phaseOf(gateway.service)]).toEqual(['on-hold suspended-custody', 'suspended'])
    expect(await gateway.owed('parked')).toEqual([])
    await custody({ releaseDate: '2026-05-26', basis: 'recall', since: '2026-04-28' })
    expect([await asked(), await phaseOf(gateway.service)]).toEqual(['accepted accepted', 'transferred'])
    await isAtRest()
  })

  test('after the other service took over: what partners are at goes on, and nothing is put on hold from here', async () => {
    await takeOn(other, 'other-service')
    await gateway.settled()
    await gateway.turn('2026-04-20T09:00:00Z')
    await custody({ left: '2026-04-20' })
    await custody({ releaseDate: null, basis: 'recall', since: '2026-04-28' })
    expect(await asked()).toBe('accepted accepted')
    expect(standing(await gateway.handover('recovery'))).toMatch(/^requested/)
    expect(await phaseOf(gateway.service)).toBe('transferred')
    await isAtRest()
  })
})

describe('the person dies', () => {
  const died = async () => {
    const { body } = await gateway.service.call('GET', `/fhir/${at.Patient}`)
    await put({ ...(body as Resource), deceasedDateTime: '2026-04-03' } as Resource)
    await gateway.settled()
  }

  test('in the middle: taken back in the same commit, and the other service is not told why', async () => {
    await died()
    expect(await asked()).toBe('cancelled cancelled')
    expect(await phaseOf(other)).toBe('withdrawn')
    expect(JSON.stringify([await other.find('Patient'), await other.find('Task'), await other.find('ServiceRequest')])).not.toMatch(
      /deceased|died/i,
    )
    expect([await work(), await work('other-service')]).toEqual([['died'], []])
    await gateway.turn('P60D')
    expect([await work(), await work('other-service')]).toEqual([['died'], []])
    await isAtRest()
  })

  test('known here after the other service took over: it is asked to speak with this one', async () => {
    await takeOn(other, 'other-service')
    await gateway.settled()
    await died()
    expect(await work('other-service')).toEqual(['sender-stopped'])
    expect(await phaseOf(other)).toBe('pre-release')
  })
})

test('this service ends the support meanwhile: the other one is told to stop, and its late yes reaches a person', async () => {
  await holdBack(back)
  await takeOn(other, 'other-service')
  ok(await close(gateway.service, `ServiceRequest/${(await referralOf(gateway.service)).id}`, 'lost-contact'))
  await gateway.settled()
  await letGo(back)
  expect(await phaseOf(gateway.service)).toBe('closed')
  expect(await phaseOf(other)).toBe('pre-release')
  expect(await work('other-service')).toEqual(['parked', 'sender-stopped'])
  await isAtRest()
})

test('said to be done, and the agreement ends here and is given again: stopped stays stopped, and nobody is asked anew', async () => {
  const { id } = await gateway.handover(there)
  for (const words of [['accepted'], ['in-progress'], ['completed', 'supported', 'By phone']] as const)
    ok(await gateway.service.call('PATCH', `/fhir/Task/${id}`, says(...(words as [string]))))
  await gateway.settled()
  expect([await asked(), await phaseOf(gateway.service)]).toEqual(['completed supported', 'transferred'])
  await withdraw()
  await gateway.settled()
  expect(await phaseOf(other)).toBe('withdrawn')
  const consent = { patient: at.Patient as string, id: at.Consent?.split('/')[1] as string, at: '2026-04-02T08:45:00Z' }
  await put(transferConsent(there, consent))
  await gateway.settled()
  expect([await phaseOf(other), (await referralOf(other)).status]).toEqual(['withdrawn', 'revoked'])
  expect((await gateway.handovers(there)).map(standing)).toEqual(['completed supported'])
  expect((await gateway.owed('delivered')).filter(({ partner }) => partner === there).map(({ reason }) => reason)).toEqual([
    'new',
    'revoke',
  ])
  expect(wordsIn(await everythingThere())).toEqual([])
  await isAtRest()
})

test('taken back, and the same handover is asked again, as by a gateway that does not know better: refused, and nothing is taken in', async () => {
  const [asking] = (await gateway.owed('delivered')).filter(({ partner }) => partner === there)
  await withdraw()
  await gateway.settled()
  const bundle = { ...(JSON.parse(asking?.body as string) as Bundle), id: crypto.randomUUID() }
  const header = bundle.entry?.[0]?.resource as MessageHeader
  header.reason = { coding: header.reason?.coding?.map((one) => ({ ...one, code: 'update' })) ?? [] }
  const caller: Caller = {
    ...{ client: 'service.tees-valley', role: 'referrer', shelf: 'referrer:service.tees-valley', name: 'RECONNECT Tees Valley' },
    ...{ referrerType: 'reconnect-service', scopes: [{ type: '*', may: 'cruds' }] },
  }
  const request = { caller, requestId: bundle.id, requestIdGiven: true, correlationId: bundle.id, lenient: false, to: 'other-service' }
  await expect(processMessage(gateway.exchange, request, bundle)).rejects.toMatchObject({ status: 409 })
  expect([await phaseOf(other), (await referralOf(other)).status]).toEqual(['withdrawn', 'revoked'])
  expect(wordsIn(await everythingThere())).toEqual([])
})

test('a change that comes after the other service has said no: what is over there stays over', async () => {
  await holdBack(back)
  const signpost = text('signpost', 'RECONNECT Further Away')
  await operation(other, 'triage', code('decision', 'decline'), code('code', 'at-capacity'), text('reason', 'Full'), signpost)
  await custody({ releaseDate: '2026-04-10' })
  expect([await phaseOf(other), (await referralOf(other)).status]).toEqual(['declined', 'revoked'])
  await letGo(back)
  expect(await asked()).toBe('rejected rejected')
  expect(await gateway.owed('parked')).toEqual([])
  await isAtRest()
})

test('handed back: arrives as a referral of its own, and is noticed as perhaps the person known already', async () => {
  await takeOn(other, 'other-service')
  await gateway.settled()
  const [patient] = await other.find('Patient')
  const [consent] = (await other.find('Consent')).filter(({ status }) => status === 'active')
  ok(
    await other.call(
      'PUT',
      `/fhir/Consent/${consent?.id}`,
      transferConsent(back, {
        patient: `Patient/${patient?.id}`,
        service: 'other-service',
        agreed: {},
        id: consent?.id as string,
        at: '2026-04-02T08:45:00Z',
      }),
    ),
  )
  const [plan] = await other.find('CarePlan')
  const activity = {
    detail: {
      kind: 'ServiceRequest',
      code: { text: 'Take back' },
      status: 'not-started',
      performer: [{ reference: `Organization/${back}` }],
    },
  }
  ok(await other.call('PUT', `/fhir/CarePlan/${plan?.id}`, { ...plan, activity: [activity] }))
  await gateway.settled()
  const [returned] = (await other.find('Task')).filter(({ owner }) => owner?.reference === `Organization/${back}`)
  expect(standing(returned as Task)).toBe('received acknowledged')
  expect(await gateway.service.find('Patient')).toHaveLength(2)
  expect(await work()).toContain('duplicate')
  expect(await phaseOf(other)).toBe('pre-release')
  await isAtRest()
})
