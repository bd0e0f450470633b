/**
 * Our own terminology over HTTP: by id and by url, for whoever has a token, whatever its role.
 */
import type { Bundle, ConceptMap } from '@medplum/fhirtypes'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { definitionTypes, profiles } from '../../profiles/index.ts'
import { partners } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway } from '../fixtures/gateway.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

test('every CodeSystem, ValueSet and ConceptMap is read by its id and found by its url', async () => {
  expect(new Set([...profiles.values()].map(({ resourceType }) => resourceType))).toEqual(new Set(definitionTypes))
  for (const [place, one] of profiles) {
    const read = await gateway.service.call('GET', `/fhir/${place}`)
    expect([place, read.status, read.body]).toEqual([place, 200, one])
    const url = encodeURIComponent(one.url as string)
    const { body } = await gateway.service.call<Bundle>('GET', `/fhir/${one.resourceType}?url=${url}`)
    expect([place, body.total, body.entry?.map(({ resource }) => resource)]).toEqual([place, 1, [one]])
  }
})

test('a partner and a referrer read it too', async () => {
  for (const id of [partners.practice, 'prison-health'])
    expect((await gateway.client(id).call<ConceptMap>('GET', '/fhir/ConceptMap/category')).body.resourceType).toBe('ConceptMap')
})

test('nothing without a token; an id there is not is 404, a url there is not finds nothing, and nothing is written', async () => {
  expect((await gateway.client('nobody').call('GET', '/fhir/CodeSystem/category')).status).toBe(401)
  for (const type of definitionTypes) {
    expect((await gateway.service.call('GET', `/fhir/${type}/none`)).status).toBe(404)
    const { status, body } = await gateway.service.call<Bundle>('GET', `/fhir/${type}?url=https://elsewhere.test/x`)
    expect([status, body.total]).toEqual([200, 0])
    expect((await gateway.service.call('GET', `/fhir/${type}?name=x`)).status).toBe(400)
    expect((await gateway.service.call('PUT', `/fhir/${type}/category`, { resourceType: type, id: 'category' })).status).toBe(405)
  }
})
