/**
 * Held here, at home elsewhere: noticed in time, and an alert where what was handed over is not acknowledged before release.
 */
import type { Address, Patient } from '@medplum/fhirtypes'
import { afterEach, describe, expect, test } from 'vitest'
import { pause } from '../../src/store/lanes.ts'
import { resolveWorkItemBy } from '../../src/store/work-items.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, standing, type TestDirectory } from '../fixtures/gateway.ts'
import { sideBySide, there, transferBundle } from '../fixtures/transfer.ts'

let gateway: Gateway
afterEach(() => gateway.close())

const open = async (...changes: ((file: TestDirectory) => void)[]) => {
  gateway = await openGateway({ directory: (file) => changes.map((change) => change(file)) })
}

const covering =
  (service: number, ...homeAreas: string[]) =>
  (file: TestDirectory) =>
    void Object.assign(file.services[service] as object, { homeAreas })
const asked = async () => (await gateway.work()).filter(({ reason }) => reason === 'out-of-area')
const moveTo = async (address: Address) => {
  const [patient] = (await gateway.service.find('Patient')) as [Patient]
  const { status } = await gateway.service.call('PUT', `/fhir/Patient/${patient.id}`, {
    ...patient,
    address: [{ use: 'home', ...address }],
  })
  expect(status).toBe(200)
}

describe('a home in the area of another service', () => {
  test('is noticed from the first day, with the day by which that service should be asked; said again when it is late', async () => {
    await open(sideBySide, covering(1, 'Stockton-on-Tees'))
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    expect((await asked()).map(({ words }) => words)).toEqual([
      'The person’s home is in the area of RECONNECT Elsewhere. Speak with them about going on there; if they agree, ask it in the plan to take over. Release is expected on 2026-05-15: it should be asked by 2026-05-01.',
    ])
    await gateway.turn('2026-05-02T09:00:00Z')
    expect((await asked()).map(({ words }) => words)).toEqual([expect.stringContaining('so it should have been asked by 2026-05-01')])
  })

  test('is nothing to ask about once the plan asks that service', async () => {
    await open(sideBySide, covering(1, 'Stockton-on-Tees'))
    await gateway.handIn(transferBundle(there))
    expect(await asked()).toEqual([])
  })

  test('of a service that nobody can be asked through: it has to be added to the directory first', async () => {
    await open(covering(1, 'Stockton-on-Tees'))
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    expect((await asked()).map(({ words }) => words)).toEqual([expect.stringContaining('no partner in the directory yet')])
  })

  test('looked at and left: another home is another question', async () => {
    await open(sideBySide, covering(1, 'Stockton-on-Tees', 'LS1'))
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const resolve = async () => {
      const [item] = await asked()
      await gateway.database.atomically([resolveWorkItemBy(item?.id as string, gateway.clock.now().toISOString(), 'duty-lead')])
    }
    await resolve()
    await moveTo({ city: 'Leeds', postalCode: 'LS1 4AP' })
    expect(await asked()).toEqual([])
    await moveTo({ district: 'E06000047' })
    expect((await asked()).map(({ words }) => words)).toEqual([expect.stringContaining('no RECONNECT service of the directory covers')])
  })

  test('at home where they are held, or nobody knows where: nothing is asked', async () => {
    await open(sideBySide, covering(0, 'E06000004', 'Stockton-on-Tees'), covering(1, 'Stockton-on-Tees'))
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    expect(await asked()).toEqual([])
    await moveTo({ postalCode: 'ZZ99 3VZ' })
    expect(await asked()).toEqual([])
  })
})

test('handed over and not acknowledged: somebody phones two days before release, and the supervisor hears on the day', async () => {
  gateway = await openGateway({ at: '2026-05-12T08:00:00.000Z', directory: sideBySide })
  await gateway.database.atomically([pause(there, gateway.clock.now().toISOString())])
  await gateway.handIn(transferBundle(there, { plan: [] }))
  const reasons = async () => (await gateway.work()).map(({ reason }) => reason)
  await gateway.turn('2026-05-13T09:00:00Z')
  expect(standing(await gateway.handover(there))).toMatch(/^requested/)
  expect(await reasons()).toContain('not-arrived')
  await gateway.turn('2026-05-15T09:00:00Z')
  expect(await reasons()).toContain('escalated')
})
