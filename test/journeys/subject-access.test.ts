/**
 * Everything that is held about a person, for the person: nothing left out, and marked where somebody has to look first.
 */
import type { Bundle } from '@medplum/fhirtypes'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { caseBundle, partners, words } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway } from '../fixtures/gateway.ts'

let gateway: Gateway
let at: Record<string, string>
beforeEach(async () => {
  gateway = await openGateway()
  at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20' }))
})
afterEach(() => gateway.close())
const ask = () => gateway.service.call<Bundle>('GET', `/fhir/${at.Patient}/$everything`)

test('every entry of the record is in it, marked or not', async () => {
  const { status, body, text } = await ask()
  expect(status).toBe(200)
  const there = body.entry?.map(({ resource }) => `${resource?.resourceType}/${resource?.id}`)
  for (const place of Object.values(at)) expect(there).toContain(place)
  for (const word of Object.values(words)) expect(text).toContain(word)
  const tags = body.entry?.flatMap(({ resource }) => resource?.meta?.tag ?? []).map(({ code }) => code)
  expect(tags).toEqual(expect.arrayContaining(['free-text', 'risk']))
})

test('as a page and as PDF for somebody to look through', async () => {
  const { status, text } = await gateway.service.raw('GET', `/fhir/${at.Patient}/$everything?_format=html`)
  expect(status).toBe(200)
  for (const word of Object.values(words)) expect(text).toContain(word)
  expect(text).toMatch(/To look at:/)
  expect((await gateway.service.raw('GET', `/fhir/${at.Patient}/$everything?_format=pdf&print=large`)).text).toMatch(/^%PDF/)
})

test('is in the audit with its purpose', async () => {
  await ask()
  const { text } = await gateway.service.call('GET', `/fhir/AuditEvent?patient=${at.Patient}&subtype=subject-access`)
  expect(text).toContain('PATRQT')
})

test('only for the service the person is of; a part of it is refused, not given for the whole', async () => {
  for (const id of [partners.practice, 'other-system'])
    expect((await gateway.client(id).call('GET', `/fhir/${at.Patient}/$everything`)).status).toBe(404)
  expect((await gateway.client('safeguarding-desk').call('GET', `/fhir/${at.Patient}/$everything`)).status).toBe(403)
  expect((await gateway.service.call('GET', `/fhir/${at.Patient}/$everything?_type=Condition`)).status).toBe(400)
})
