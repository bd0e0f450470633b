/**
 * A referrer was asked for information, over the whole span: reminded after five working days, the referral over after ten more for want
 * of it, unless it is told or a person holds it open (closed-loop.md C1 rows 3, 3b and 4). The referrer always knows how it stands.
 */
import type { Bundle, ParametersParameter, ServiceRequest, Task } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { phaseOn } from '../../src/domain/decisions.ts'
import { statement } from '../../src/store/database.ts'
import { custodyOf } from '../fixtures/case-bundle.ts'
import { type Gateway, issuesOf, of, openGateway } from '../fixtures/gateway.ts'
import { code, text } from '../fixtures/override.ts'
import { referral, toldAgain } from '../fixtures/referral.ts'
import { operate } from '../fixtures/referral-operations.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const send = (bundle: Bundle) => gateway.client('prison-health').call<Bundle>('POST', '/fhir/$process-message', bundle)
const stands = async (request: string) => {
  const { body } = await gateway.service.call<ServiceRequest>('GET', `/fhir/ServiceRequest/${request}`)
  return [body.status, phaseOn(body)]
}
const theirs = async (request: string): Promise<Task> =>
  (await gateway.client('prison-health').find('Task', `focus=ServiceRequest/${request}`))[0] as Task
const outcomeOf = (task: Task) => task.businessStatus?.coding?.[0]?.code
const reasonsOf = (task: Task) => task.statusReason?.coding?.map((one) => one.code)
const work = async (reason = 'needs-information') => (await gateway.work()).find((one) => one.reason === reason)?.words
const timers = async () => (await gateway.database.query<{ about: string }>(statement('select about from timer'))).map(({ about }) => about)

/** Everything is known but when the person leaves. */
const asking = referral({ known: true, more: [custodyOf({ patient: 'x', releaseDate: null })] })
const refer = async () => of((await send(asking)).body, 'ServiceRequest')[0]?.id as string

test('the referrer is answered in the same breath, and told by when it is to say what is asked', async () => {
  const { body } = await send(asking)
  const [task] = of(body, 'Task')
  // Within one working day (C1 row 1): at once.
  expect([task?.authoredOn, task?.restriction?.period?.start]).toEqual([gateway.clock.now().toISOString(), task?.authoredOn])
  expect(task?.restriction?.period?.end).toBe('2026-04-27T23:00:00.000Z')
})

test('nobody answers: reminded, a person is asked to speak to them, then it is over and the referrer knows; sent again, it begins anew', async () => {
  const request = await refer()
  expect(await stands(request)).toEqual(['on-hold', 'info-requested'])
  await gateway.turn('2026-04-13T22:59:00Z')
  expect(reasonsOf(await theirs(request))).not.toContain('reminded')
  await gateway.turn('2026-04-13T23:00:00Z')
  const reminded = await theirs(request)
  expect([outcomeOf(reminded), reminded.statusReason?.text]).toEqual(['needs-information', expect.stringContaining('by 2026-04-27')])
  expect(await work()).toMatch(/was asked, and reminded.*On 2026-04-27 the referral ends/)
  const told = (await theirs(request)).meta?.versionId
  await gateway.turn('2026-04-27T22:59:00Z')
  expect((await theirs(request)).meta?.versionId).toBe(told)
  expect(await stands(request)).toEqual(['on-hold', 'info-requested'])
  await gateway.turn('2026-04-27T23:00:00Z')
  const over = await theirs(request)
  expect([over.status, outcomeOf(over), reasonsOf(over), over.output?.[0]?.valueString]).toEqual([
    'rejected',
    'declined',
    ['no-information'],
    expect.stringMatching(/refer the person again/),
  ])
  expect(await stands(request)).toEqual(['revoked', 'declined'])
  expect([await work(), await timers()]).toEqual([undefined, []])
  const again = await send({ ...asking, id: '5c0f1d52-3c0e-4b6e-9a60-0d6b7f1f0099' })
  expect([again.status, outcomeOf(of(again.body, 'Task')[0] as Task)]).toEqual([200, 'needs-information'])
})

test('the gateway was away the whole time: the first look comes to the same end', async () => {
  const request = await refer()
  gateway.clock.set(new Date('2026-08-01T08:00:00Z'))
  await gateway.tick()
  expect(await stands(request)).toEqual(['revoked', 'declined'])
})

test('told after the reminder: it goes on, and the time is over', async () => {
  const request = await refer()
  await gateway.turn('2026-04-14T09:00:00Z')
  const answer = await send(toldAgain(referral({ known: true, more: [custodyOf({ patient: 'x', releaseDate: '2026-05-15' })] }), request))
  expect(outcomeOf(of(answer.body, 'Task')[0] as Task)).toBe('accepted')
  const task = await theirs(request)
  expect([reasonsOf(task), task.restriction]).toEqual([['eligible'], undefined])
  await gateway.turn('2026-05-01T09:00:00Z')
  expect(await stands(request)).toEqual(['active', 'consent-pending'])
})

test('part of it told: what is left is asked anew, with the whole time for it', async () => {
  const first = await send(referral())
  const request = of(first.body, 'ServiceRequest')[0]?.id as string
  await gateway.turn('2026-04-14T09:00:00Z')
  expect(reasonsOf(await theirs(request))).toContain('reminded')
  await send(toldAgain(referral({ more: [custodyOf({ patient: 'x', releaseDate: '2026-05-15' })] }), request))
  const task = await theirs(request)
  expect([reasonsOf(task)?.includes('reminded'), task.restriction?.period?.start]).toEqual([false, '2026-04-14T09:00:00.000Z'])
})

describe('a person', () => {
  const ask = (request: string, ...more: ParametersParameter[]) =>
    operate(
      gateway.service,
      'triage',
      request,
      code('decision', 'ask'),
      text('reason', 'On remand, court in May'),
      text('question', 'When is the hearing?'),
      ...more,
    )
  const until = (valueDate: string): ParametersParameter => ({ name: 'until', valueDate })

  test('asks: the time runs from when it was asked, not from when the referral came', async () => {
    const request = await refer()
    await gateway.turn('2026-04-24T09:00:00Z')
    expect((await ask(`ServiceRequest/${request}`)).status).toBe(200)
    expect((await theirs(request)).restriction?.period).toEqual({ start: '2026-04-24T09:00:00.000Z', end: '2026-05-18T23:00:00.000Z' })
    await gateway.turn('2026-04-28T09:00:00Z')
    expect([await stands(request), reasonsOf(await theirs(request))]).toEqual([['on-hold', 'info-requested'], ['other']])
    await gateway.turn('2026-05-18T23:00:00Z')
    expect(await stands(request)).toEqual(['revoked', 'declined'])
  })

  test('holds it open until a day of their own; the referrer knows which', async () => {
    const request = await refer()
    expect((await ask(`ServiceRequest/${request}`, until('2026-06-30'))).status).toBe(200)
    expect((await theirs(request)).restriction?.period?.end).toBe('2026-06-30T23:00:00.000Z')
    await gateway.turn('2026-06-30T22:59:00Z')
    expect(await stands(request)).toEqual(['on-hold', 'info-requested'])
    await gateway.turn('2026-06-30T23:00:00Z')
    expect(await stands(request)).toEqual(['revoked', 'declined'])
  })

  test('is told that a day goes with a question only, and lies ahead', async () => {
    const request = await refer()
    const past = await ask(`ServiceRequest/${request}`, until('2026-04-01'))
    const taken = await operate(gateway.service, 'triage', `ServiceRequest/${request}`, code('decision', 'accept'), until('2026-06-30'))
    for (const answer of [past, taken])
      expect([answer.status, issuesOf(answer)[0]?.expression]).toEqual([422, "Parameters.parameter.where(name='until')"])
  })

  test('hears that somebody wants no support: nothing waits any more, and the referrer hears that it is over and not why', async () => {
    const request = await refer()
    const closed = await operate(
      gateway.service,
      'close',
      `ServiceRequest/${request}`,
      code('outcome', 'declined-support'),
      text('reason', 'Does not want to be bothered'),
    )
    expect([closed.body.status, phaseOn(closed.body)]).toEqual(['revoked', 'consent-refused'])
    const task = await theirs(request)
    expect([task.status, reasonsOf(task), task.input]).toEqual(['cancelled', ['ended'], undefined])
    expect(JSON.stringify(task)).not.toMatch(/consent|bothered|declined/)
    expect([await gateway.work(), await timers()]).toEqual([[], []])
  })
})

test('eligible, and the person says no: nobody is asked to meet them any more', async () => {
  const { body } = await send(referral({ known: true, more: [custodyOf({ patient: 'x', releaseDate: '2026-05-15' })] }))
  const request = of(body, 'ServiceRequest')[0]?.id as string
  expect(await work('triage')).toMatch(/Meet the person/)
  await operate(gateway.service, 'close', `ServiceRequest/${request}`, code('outcome', 'declined-support'), text('reason', 'Said no'))
  expect(await gateway.work()).toEqual([])
  expect(outcomeOf(await theirs(request))).toBe('accepted')
})
