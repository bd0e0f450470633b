/**
 * Ways around the decision that somebody tried: each is answered as if there were nothing there, and leaves nothing that tells.
 */
import type { Bundle, CarePlan, Resource, Task } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { actCode } from '../../src/fhir/systems.ts'
import { caseBundle, consentOf, partners, usual, wordsIn } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, says } from '../fixtures/gateway.ts'

let gateway: Gateway
let at: Record<string, string>
beforeEach(async () => {
  gateway = await openGateway()
  at = await gateway.handIn(caseBundle())
})
afterEach(() => gateway.close())

const withdraw = async () => {
  const [consent] = await gateway.service.find('Consent')
  await gateway.service.call('PUT', `/fhir/Consent/${consent?.id}`, { ...consent, status: 'inactive' })
  await gateway.deliverer.idle()
}

describe('a partner asks for what is the service’s', () => {
  test('a dry run of the plan on its own shelf, which would name everybody and what is withheld', async () => {
    const [plan] = await gateway.as('recovery').find('CarePlan')
    for (const method of ['GET', 'POST']) {
      const { status, text } = await gateway.as('recovery').call(method, `/fhir/CarePlan/${plan?.id}/$handover?dryRun=true`)
      expect(status).toBe(404)
      expect(text).not.toMatch(/withheld|Partner (practice|probation|enhanced)/)
    }
  })

  test.each(['$why', '$who-was-told', '$everything'])('%s', async (name) => {
    const [task] = await gateway.as('recovery').find('Task')
    const where = name === '$why' ? `Task/${task?.id}` : (task?.for?.reference as string)
    const { status, text } = await gateway.as('recovery').call('GET', `/fhir/${where}/${name}`)
    expect(status).toBe(404)
    expect(wordsIn(text)).toEqual([])
  })
})

describe('a partner repeats itself after the agreement has ended', () => {
  test('an answer under the same request id is acknowledged and shows nothing', async () => {
    const recovery = gateway.as('recovery')
    const [task] = await recovery.find('Task')
    const answer = () =>
      recovery.call('PATCH', `/fhir/Task/${task?.id}`, says('accepted'), { 'x-request-id': '3d5c0b1e-8f2a-4a53-9c53-0d5f0c2e7a11' })
    expect((await answer()).body).toMatchObject({ resourceType: 'Task', status: 'accepted' })
    expect((await answer()).body).toMatchObject({ resourceType: 'Task', status: 'accepted' })
    // By the clock: nothing was written that could have taken anything off the shelf.
    gateway.clock.set(new Date('2027-01-02T08:00:00Z'))
    const late = await answer()
    expect(late.status).toBe(200)
    expect(late.body.resourceType).toBe('OperationOutcome')
    expect(late.text).not.toContain('substance')
  })
})
