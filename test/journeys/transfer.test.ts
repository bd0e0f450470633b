/**
 * Going home to another area: the RECONNECT service there is asked to take over, and the one here stays responsible until it does.
 */
import type { Consent, ServiceRequest } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { erase } from '../../src/store/keys.ts'
import { custodyOf, words, wordsIn } from '../fixtures/case-bundle.ts'
import { type Client, type Gateway, openGateway, standing } from '../fixtures/gateway.ts'
import { sideBySide, takeOn, there, transferBundle } from '../fixtures/transfer.ts'

let gateway: Gateway
let other: Client
beforeEach(async () => {
  gateway = await openGateway({ directory: sideBySide })
  other = gateway.client('other-system')
})
afterEach(() => gateway.close())

const referral = async () =>
  (await gateway.service.find('ServiceRequest')).find(({ code }) => code?.coding?.[0]?.code === 'reconnect') as ServiceRequest

describe('out of area, within one gateway', () => {
  test('the receiving service gets its own person and plan, accepts with its own client, and only then is the sender free', async () => {
    await gateway.handIn(transferBundle(there, { releaseDate: '2026-04-20', plan: ['practice', 'recovery'], except: ['sexual-health'] }))
    await gateway.settled()

    const [person] = await other.find('Patient')
    expect(person?.name?.[0]?.family).toBe(words.identity)
    const [theirs] = await gateway.service.find('Patient')
    expect(person?.id).not.toBe(theirs?.id)
    expect((await other.find('CarePlan')).map(({ status }) => status)).toEqual(['draft'])
    // Nothing beyond what was told: not what the person kept back, not the agreement with others, no note.
    const crossed = JSON.stringify(
      await Promise.all(
        (
          ['Patient', 'Condition', 'MedicationStatement', 'Flag', 'Observation', 'CarePlan', 'Consent', 'ServiceRequest', 'Task'] as const
        ).map((type) => other.find(type)),
      ),
    )
    expect(wordsIn(crossed).sort()).toEqual([
      'address',
      'adjustments',
      'contact',
      'identity',
      'medication',
      'mentalHealth',
      'offence',
      'risk',
      'substance',
    ])
    expect(crossed).not.toMatch(/dene-surgery|wear-recovery/)
    expect((await gateway.work('other-service')).map(({ reason }) => reason)).toContain('triage')

    // Received is not taken on: this service still has the named worker, and its partners are still asked.
    expect(standing(await gateway.handover(there))).toBe('received acknowledged')
    expect((await referral()).status).toBe('active')

    await takeOn(other, 'other-service')
    await gateway.settled()
    expect(standing(await gateway.handover(there))).toBe('accepted accepted')
    expect(await referral()).toMatchObject({ status: 'completed' })
    expect(await reconcile(gateway.exchange)).toMatchObject({ repaired: 0, unwatched: 0, unexplained: 0, failed: 0 })
    // Somebody meets the person there: that closes the loop.
    const met = { resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' }, subject: { reference: `Patient/${person?.id}` } }
    expect((await other.call('POST', '/fhir/Encounter', met)).status).toBe(201)
    await gateway.settled()
    expect(standing(await gateway.handover(there))).toBe('completed supported')
    // What partners are at goes on; nobody is asked to stop.
    expect(standing(await gateway.handover('practice'))).toBe('requested delivered')
    expect(gateway.partner('practice').received).toHaveLength(1)
    expect(await gateway.owed('parked')).toEqual([])
  })

  test('what changes before it is taken on is told; afterwards the record there is its own', async () => {
    const at = await gateway.handIn(transferBundle(there, { releaseDate: '2026-04-20', plan: [] }))
    await gateway.settled()
    const [custody] = await gateway.service.find('Observation', 'code=custody')
    const move = async (releaseDate: string) => {
      await gateway.service.call(
        'PUT',
        `/fhir/Observation/${custody?.id}`,
        custodyOf({ patient: at.Patient as string, releaseDate, id: custody?.id as string }),
      )
      await gateway.settled()
    }
    await move('2026-04-13')
    expect(JSON.stringify(await other.find('Observation', 'code=custody'))).toContain('2026-04-13')
    expect(await gateway.owed('parked')).toEqual([])
    await takeOn(other, 'other-service')
    await gateway.settled()
    await move('2026-04-10')
    expect(JSON.stringify(await other.find('Observation', 'code=custody'))).toContain('2026-04-13')
    expect(await gateway.owed('parked')).toEqual([])
    expect(await other.find('Patient')).toHaveLength(1)
  })

  test('the sender makes two records one: the person there goes on being the same one, and hears what changes', async () => {
    const at = await gateway.handIn(transferBundle(there, { releaseDate: '2026-04-20', plan: [] }))
    await gateway.settled()
    const before = await other.find('Patient')
    const twice = { resourceType: 'Patient', name: [{ family: 'Twice', given: ['Jo'] }] }
    const { id } = (await gateway.service.call('POST', '/fhir/Patient', twice)).body
    const naming = (name: string, reference: string) => ({ name, valueReference: { reference } })
    const parameter = [naming('source-patient', at.Patient as string), naming('target-patient', `Patient/${id}`)]
    expect((await gateway.service.call('POST', '/fhir/Patient/$merge', { resourceType: 'Parameters', parameter })).status).toBe(200)
    await gateway.settled()
    expect((await other.find('Patient')).map(({ name }) => name)).toEqual(before.map(({ name }) => name))
    // The record with that name had no agreement: the person says that theirs holds for it.
    const [{ id: _id, meta: _meta, ...agreed }] = (await gateway.service.find('Consent')) as [Consent]
    await gateway.service.call('POST', '/fhir/Consent', { ...agreed, dateTime: '2026-04-02T12:00:00Z' })
    await gateway.settled()
    const after = await other.find('Patient')
    expect([after.map((one) => one.id), after[0]?.name?.[0]?.family]).toEqual([before.map((one) => one.id), 'Twice'])
    expect([await gateway.owed('due'), await gateway.owed('parked')]).toEqual([[], []])
  })

  test('somebody who was erased there is not brought back by a change here: the sender is asked to look', async () => {
    const at = await gateway.handIn(transferBundle(there, { releaseDate: '2026-04-20', plan: [] }))
    await gateway.settled()
    const [person] = await other.find('Patient')
    await erase(gateway.database, {
      patient: person?.id as string,
      who: 'guardian',
      at: gateway.clock.now().toISOString(),
      auditId: 'erased-there',
    })
    const [custody] = await gateway.service.find('Observation', 'code=custody')
    const moved = custodyOf({ patient: at.Patient as string, releaseDate: '2026-04-13', id: custody?.id as string })
    await gateway.service.call('PUT', `/fhir/Observation/${custody?.id}`, moved)
    await gateway.settled()
    expect(await other.find('Patient')).toEqual([])
    expect((await gateway.owed('parked')).map(({ note }) => note)).toEqual([expect.stringContaining('HTTP 410, deleted')])
    expect((await gateway.work()).map(({ reason }) => reason)).toContain('parked')
  })

  test('nobody there says anything: the sender is asked to phone, and stays responsible', async () => {
    await gateway.handIn(transferBundle(there, { releaseDate: '2026-04-20', plan: [] }))
    await gateway.turn('P10D')
    expect((await gateway.work()).map(({ reason }) => reason)).toContain('not-accepted')
    expect((await referral()).status).toBe('active')
  })

  test('the agreement is withdrawn before it is taken on: the other service is told to stop, and keeps no plan to act on', async () => {
    const at = await gateway.handIn(transferBundle(there, { releaseDate: '2026-04-20', plan: [] }))
    await gateway.settled()
    const [consent] = await gateway.service.find('Consent')
    await gateway.service.call('PUT', `/fhir/Consent/${consent?.id}`, { ...consent, status: 'inactive' })
    await gateway.settled()
    expect(at.Patient).toBeDefined()
    expect((await other.find('ServiceRequest')).map(({ status }) => status)).toEqual(['revoked'])
    expect(await gateway.owed('parked')).toEqual([])
  })
})
