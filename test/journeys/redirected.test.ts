/**
 * A referral that is redirected goes on somewhere: the referrer reads where, and a Task of the service's own waits until a person has seen that
 * it arrived (closed-loop.md C1 row 7). Nobody is told about the person by it.
 */
import type { Bundle, Observation, ParametersParameter, Patient, ServiceRequest, Task } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { phaseOn } from '../../src/domain/decisions.ts'
import { isOnward } from '../../src/exchange/task.ts'
import { ours } from '../../src/fhir/systems.ts'
import { coded, custodyOf, partners } from '../fixtures/case-bundle.ts'
import { type Gateway, issuesOf, of, openGateway, says } from '../fixtures/gateway.ts'
import { code, text } from '../fixtures/override.ts'
import { referral } from '../fixtures/referral.ts'
import { operate } from '../fixtures/referral-operations.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const heldIn = (place: string): Observation => {
  const { component = [], ...custody } = custodyOf({ patient: 'x', releaseDate: '2026-05-15' })
  const establishment = { code: coded('observation', 'establishment'), valueCodeableConcept: coded('prison', place) }
  return { ...custody, component: [establishment, ...component.slice(1)] }
}
const refer = async (custody = heldIn('HHI'), birthDate?: string) => {
  const message = referral({ known: true, more: [custody] })
  if (birthDate) (of(message, 'Patient')[0] as Patient).birthDate = birthDate
  const { body } = await gateway.client('prison-health').call<Bundle>('POST', '/fhir/$process-message', message)
  return `ServiceRequest/${of(body, 'ServiceRequest')[0]?.id}`
}
const redirect = (request: string, ...more: ParametersParameter[]) =>
  operate(
    gateway.service,
    'triage',
    request,
    code('decision', 'redirect'),
    text('reason', 'Looked after elsewhere.'),
    text('signpost', 'The team will phone you.'),
    ...more,
  )
const to = (id: string): ParametersParameter => ({ name: 'to', valueReference: { reference: `Organization/${id}` } })
const onward = async () => ((await gateway.service.find('Task')) as Task[]).filter(isOnward)
const placeOf = (task: Task | undefined) => [
  task?.code?.coding?.find(({ system }) => system === ours('onward-destination'))?.code,
  task?.owner?.reference,
]
const theirs = async () => (await gateway.client('prison-health').find('Task')) as Task[]
const work = async () => (await gateway.work()).map(({ reason }) => reason)

describe('where it goes on to', () => {
  test('the place is another service’s of the directory: it is the owner, and the referrer reads its name', async () => {
    const request = await refer(heldIn('LEI'))
    expect((await onward()).map(placeOf)).toEqual([['out-of-area', 'Organization/other-service']])
    expect((await theirs()).map(({ output }) => output?.[0]?.valueString)).toEqual([expect.stringMatching(/It is RECONNECT Elsewhere\.$/)])
    expect((await gateway.service.call<ServiceRequest>('GET', `/fhir/${request}`)).body.status).toBe('revoked')
  })

  test('nobody in the directory covers the place, or the person is under 18: a person finds out where', async () => {
    await refer(heldIn('BXI'))
    expect((await onward()).map(placeOf)).toEqual([['out-of-area', undefined]])
    const young = await gateway
      .client('prison-health')
      .call<Bundle>('POST', '/fhir/$process-message', { ...under18(), id: '5c0f1d52-3c0e-4b6e-9a60-0d6b7f1f0077' })
    expect(of(young.body, 'Task')[0]?.businessStatus?.coding?.[0]?.code).toBe('redirected')
    expect((await onward()).map(placeOf)).toContainEqual(['under-18', undefined])
  })
  const under18 = () => {
    const message = referral({ known: true, family: 'Younger', more: [heldIn('HHI')] })
    ;(of(message, 'Patient')[0] as Patient).birthDate = '2010-01-01'
    return message
  }

  test.each<[string, ParametersParameter[], (string | undefined)[]]>([
    [
      'Enhanced RECONNECT, of which the directory has one',
      [code('destination', 'enhanced-reconnect')],
      ['enhanced-reconnect', `Organization/${partners.enhanced}`],
    ],
    ['IIRMS, which the directory does not have', [code('destination', 'iirms')], ['iirms', undefined]],
    ['a service by name', [code('destination', 'out-of-area'), to('other-service')], ['out-of-area', 'Organization/other-service']],
    ['by the code of why', [code('code', 'under-18')], ['under-18', undefined]],
    ['anything else', [], ['other', undefined]],
  ])('a navigator says: %s', async (_, said, place) => {
    const request = await refer()
    const answer = await redirect(request, ...said)
    expect([answer.status, phaseOn(answer.body)]).toEqual([200, 'redirected'])
    const [task] = await onward()
    expect([placeOf(task), task?.description, task?.focus?.reference]).toEqual([place, 'The team will phone you.', request])
    // The referrer reads where to turn, and not what the service does about it.
    expect((await theirs()).map(({ output }) => output?.[0]?.valueString)).toEqual(['The team will phone you.'])
    await gateway.settled()
    for (const name of Object.keys(partners) as (keyof typeof partners)[]) {
      expect(gateway.partner(name).received).toEqual([])
      expect(await gateway.as(name).find('Task')).toEqual([])
    }
  })

  test('of what the directory does not have, or for a referral that is not redirected, it is 422', async () => {
    const request = await refer()
    const unknown = await redirect(request, to('nobody'))
    expect([unknown.status, issuesOf(unknown)[0]?.expression]).toEqual([422, "Parameters.parameter.where(name='to')"])
    const taken = await operate(gateway.service, 'triage', request, code('decision', 'accept'), code('destination', 'iirms'))
    expect([taken.status, issuesOf(taken)[0]?.expression]).toEqual([422, "Parameters.parameter.where(name='destination')"])
    expect(await onward()).toEqual([])
  })
})

describe('until a person has seen that it arrived', () => {
  const say = async (...said: Parameters<typeof says>) =>
    gateway.service.call<Task>('PATCH', `/fhir/Task/${(await onward())[0]?.id}`, says(...said))

  test('they are asked, however long it takes; then they are not', async () => {
    await redirect(await refer(), code('destination', 'iirms'))
    await gateway.turn('P90D')
    expect(await work()).toEqual(['onward'])
    expect((await onward()).length).toBe(1)
    expect((await say('completed')).body.status).toBe('completed')
    expect(await work()).toEqual([])
    const again = await say('requested')
    expect([again.status, issuesOf(again)[0]?.text]).toEqual([422, expect.stringContaining('It is final')])
  })

  test('it did not: they say why', async () => {
    await redirect(await refer(), code('destination', 'iirms'))
    expect([(await say('failed')).status, (await say('accepted')).status]).toEqual([422, 422])
    expect((await say('failed', undefined, 'No such team here')).status).toBe(200)
    expect(await work()).toEqual([])
  })
})
