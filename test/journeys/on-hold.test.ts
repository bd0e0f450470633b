/**
 * A partner speaks while its handover is on hold: it is heard, what it says is kept, and nothing goes on that has to wait.
 */
import type { Observation, Task } from '@medplum/fhirtypes'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ours } from '../../src/fhir/systems.ts'
import { answerMessage } from '../fixtures/answer-message.ts'
import { caseBundle, coded, custodyOf, type PartnerName } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, says, standing } from '../fixtures/gateway.ts'

let gateway: Gateway
let patient: string
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const custody = async (start?: string) =>
  (await gateway.service.find('Observation', 'code=custody')).find((one) => !start || one.effectivePeriod?.start === start) as Observation
const say = async (given: Omit<Parameters<typeof custodyOf>[0], 'patient'>) => {
  const body = custodyOf({ patient, ...given })
  const { status, text } = given.id
    ? await gateway.service.call('PUT', `/fhir/Observation/${given.id}`, body)
    : await gateway.service.call('POST', '/fhir/Observation', body)
  if (status > 201) throw new Error(text)
  await gateway.settled()
}
const tell = async (name: PartnerName, status: string, business?: string, reason?: Task['statusReason']) => {
  const { id } = await gateway.handover(name)
  const why = reason ? [{ op: 'add', path: '/statusReason', value: reason }] : []
  const answer = await gateway.as(name).call<Task>('PATCH', `/fhir/Task/${id}`, [...says(status, business), ...why])
  await gateway.settled()
  return answer
}
const stands = async (name: PartnerName) => standing(await gateway.handover(name))
const reasons = async () => (await gateway.work()).map(({ reason }) => reason).sort()
const released = async (plan: PartnerName[]) => {
  patient = (await gateway.handIn(caseBundle({ releaseDate: '2026-04-20', plan }))).Patient as string
}
const outAndRecalled = async () => {
  await gateway.turn('2026-04-20T09:30:00Z')
  await say({ releaseDate: '2026-04-20', left: '2026-04-20', id: (await custody()).id as string })
  await gateway.turn('2026-05-06T10:00:00Z')
  await say({ releaseDate: null, basis: 'recall', since: '2026-05-06' })
}
const newDate = async (releaseDate: string) =>
  say({ releaseDate, basis: 'recall', since: '2026-05-06', id: (await custody('2026-05-06')).id as string })

test('registered while the person is back in custody, by message, in answer to the one that said it is on hold: the loop is closed for good', async () => {
  await released(['practice'])
  await tell('practice', 'accepted')
  await tell('practice', 'in-progress')
  await outAndRecalled()
  const { id } = await gateway.handover('practice')
  const businessStatus = { coding: [{ system: ours('handover-status'), code: 'registered' }] }
  const message = answerMessage(gateway, 'practice', { id: id as string, status: 'completed', businessStatus })
  expect((await gateway.as('practice').call('POST', '/fhir/$process-message', message)).status).toBe(200)
  expect(await stands('practice')).toBe('completed registered')
  await newDate('2026-06-03')
  expect(await stands('practice')).toBe('completed registered')
})

test('a refusal while the person is back in custody: it is over there, with its code, and somebody is asked who else', async () => {
  await released(['recovery'])
  await outAndRecalled()
  expect((await tell('recovery', 'rejected')).status).toBe(422) // what the exchange wrote there is no reason of theirs
  expect((await tell('recovery', 'rejected', undefined, coded('rejection-reason', 'at-capacity', 'Full'))).status).toBe(200)
  expect(await stands('recovery')).toBe('rejected rejected')
  expect(await reasons()).toEqual(['no-alternative', 'suspended'])
})

test('waiting for information when the person comes back: it waits again after, with what was asked, and nobody forgets it', async () => {
  await released(['recovery'])
  await tell('recovery', 'accepted')
  await tell('recovery', 'in-progress')
  await tell('recovery', 'on-hold', 'awaiting-information', { text: 'Which pharmacy?' })
  expect(await reasons()).toEqual(['awaiting-information'])
  await outAndRecalled()
  expect(await reasons()).toEqual(['suspended'])
  // Nothing of how it stood shows in what the partner reads.
  expect(JSON.stringify((await gateway.as('recovery').find('Task'))[0])).not.toMatch(/handover-stood-at/)
  await newDate('2026-06-15')
  expect(await gateway.handover('recovery')).toMatchObject({ status: 'on-hold', statusReason: { text: 'Which pharmacy?' } })
  expect(await reasons()).toEqual(['awaiting-information'])
})

test('waiting for information, and it comes by phone: the partner says how it ended, without saying first that it goes on', async () => {
  await released(['practice'])
  await gateway.turn('2026-04-03T09:00:00Z')
  await tell('practice', 'accepted')
  await tell('practice', 'in-progress')
  await tell('practice', 'on-hold', 'awaiting-information', { text: 'Which pharmacy?' })
  expect((await tell('practice', 'completed', 'registered')).status).toBe(200)
  expect(await stands('practice')).toBe('completed registered')
  expect(await reasons()).toEqual([])
})

test('a partner that repeats itself, or adds a note, does not put the chase off', async () => {
  await released(['practice'])
  await tell('practice', 'accepted')
  const before = (await gateway.handover('practice')).lastModified
  await gateway.turn('P3D')
  const { id } = await gateway.handover('practice')
  const note = [{ op: 'add', path: '/note', value: [{ text: 'Form seen' }] }]
  expect((await gateway.as('practice').call('PATCH', `/fhir/Task/${id}`, note)).status).toBe(200)
  const task = await gateway.handover('practice')
  expect(task.note?.[0]?.text).toBe('Form seen')
  expect(task.lastModified).toBe(before)
})
