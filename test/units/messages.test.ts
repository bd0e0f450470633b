/**
 * A handover's shelf, the messages made of it, and what counts as a change.
 */
import type { Bundle, Consent, MessageHeader, Patient, Resource, ServiceRequest, Task } from '@medplum/fhirtypes'
import { describe, expect, test } from 'vitest'
import { adapters } from '../../adapters/index.ts'
import type { Adapter } from '../../src/adapter.ts'
import { contentOf, message, revocation, written } from '../../src/fhir/messages.ts'
import type { Scope } from '../../src/mapping.ts'
import { partnerOf, scope, task, wordsOf } from '../fixtures/case.ts'
import { envelopeFor, messageFor, messageId, read, shelfFor } from '../fixtures/messages.ts'

const gp = adapters.get('gp-registration') as Adapter
const drugs = adapters.get('substance-misuse') as Adapter
const of = <T extends Resource>(resources: readonly Resource[], type: T['resourceType']) =>
  resources.find((each) => each.resourceType === type) as T
const inside = (bundle: Bundle): Resource[] => (bundle.entry ?? []).flatMap(({ resource }) => resource ?? [])

describe('the shelf of a handover', () => {
  const shelf = shelfFor(gp)

  test('has one of each: request, task, consent, person, plan, worker, service and both organisations', () => {
    const types = shelf.map(({ resourceType }) => resourceType)
    const once = ['ServiceRequest', 'Task', 'Consent', 'Patient', 'CarePlan', 'Practitioner', 'PractitionerRole', 'HealthcareService']
    for (const type of once) expect([type, types.filter((each) => each === type)]).toEqual([type, [type]])
    expect(types.filter((each) => each === 'Organization')).toHaveLength(2)
  })

  test('keeps the ids of the record, and every resource has one of its own', () => {
    const refs = shelf.map(({ resourceType, id }) => `${resourceType}/${id}`)
    expect(refs).toEqual(expect.arrayContaining(['Patient/person-1', 'CarePlan/plan-1', 'Practitioner/worker-1', 'Observation/custody']))
    expect(new Set(refs).size).toBe(shelf.length)
  })

  test('shows of the consent only the permit for this partner', () => {
    const consent = of<Consent>(shelf, 'Consent')
    expect(consent.provision?.provision).toHaveLength(1)
    expect(JSON.stringify(consent)).not.toMatch(/securityLabel|deny.*deny/)
    expect(consent.provision?.provision?.[0]?.actor?.[0]?.reference.reference).toBe('Organization/partner-1')
  })

  test('shows no consent where there is none', () => {
    expect(shelfFor(gp, { handover: { consent: undefined } }).map(({ resourceType }) => resourceType)).not.toContain('Consent')
  })

  test('asks for the activity, in the words the plan has for it', () => {
    const request = of<ServiceRequest>(shelf, 'ServiceRequest')
    expect(request).toMatchObject({
      status: 'active',
      intent: 'plan',
      basedOn: [{ reference: 'CarePlan/plan-1' }],
      code: scope.activities[0]?.code,
    })
  })

  test('says nothing of an activity that may not be told', () => {
    const silent = shelfFor(gp, { allowed: new Set(['identity']) })
    expect(of<ServiceRequest>(silent, 'ServiceRequest').code).toBeUndefined()
    expect([...wordsOf(JSON.stringify(silent))].length).toBe(4)
  })

  test('marks as restricted what is, and the whole request where its purpose is', () => {
    const level = (resource: Resource) => resource.meta?.security?.[0]?.code
    expect(level(of(shelf, 'Patient'))).toBe('N')
    expect(level(of(shelf, 'ServiceRequest'))).toBe('N')
    expect(level(of(shelfFor(drugs), 'ServiceRequest'))).toBe('R')
    expect(new Set(shelf.filter(({ resourceType }) => resourceType === 'Condition').map(level))).toEqual(new Set(['N', 'R']))
  })
})

describe('a message', () => {
  const bundle = messageFor(gp)
  const entries = bundle.entry ?? []

  test('opens with its header: event, reason, sender, where to answer', () => {
    const header = inside(bundle)[0] as MessageHeader
    expect(bundle).toMatchObject({ id: messageId, type: 'message', meta: { versionId: '1.0.0' } })
    expect(header).toMatchObject({
      resourceType: 'MessageHeader',
      eventCoding: { code: 'servicerequest-request' },
      reason: { coding: [{ code: 'new' }] },
      source: { endpoint: 'https://exchange.example/fhir' },
    })
  })

  test('has an urn:uuid for each entry, and every reference leads to one', () => {
    const urls = new Set(entries.map(({ fullUrl }) => fullUrl))
    expect(urls.size).toBe(entries.length)
    for (const url of urls) expect(url).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f-]{27}$/)
    const references = [...JSON.stringify(bundle).matchAll(/"reference":"([^"]+)"/g)].map((match) => match[1])
    expect(references.length).toBeGreaterThan(10)
    expect(references.filter((reference) => !urls.has(reference))).toEqual([])
  })

  test('is the same bytes when made again', () => {
    expect(JSON.stringify(messageFor(gp))).toBe(JSON.stringify(bundle))
  })

  test('carries a finished snapshot of the plan; on the shelf it lives', () => {
    expect(of(inside(bundle), 'CarePlan')).toMatchObject({ status: 'completed' })
    expect(of(shelfFor(gp), 'CarePlan')).toMatchObject({ status: 'active' })
  })

  test('has the content of the shelf, no more and no less', () => {
    expect(contentOf(inside(bundle))).toBe(contentOf(shelfFor(gp)))
    expect(wordsOf(JSON.stringify(bundle))).toEqual(wordsOf(JSON.stringify(shelfFor(gp))))
  })

  test('leaves words alone that look like a reference', () => {
    const words = 'says "reference":"Patient/person-1" and \\"reference\\":\\"Patient/person-1\\"'
    const said: Task = { ...task, description: words, for: { reference: `Patient/${scope.person.id}` } }
    const told = messageFor(gp, { handover: { task: said } })
    expect(of(inside(told), 'Task')).toMatchObject({ description: words, for: { reference: expect.stringMatching(/^urn:uuid:/) } })
  })

  test('names no organisation but the two', () => {
    expect(new Set([...JSON.stringify(bundle).matchAll(/"name":"([^"]+)"/g)].map((match) => match[1]))).toEqual(
      new Set(['Elvet Partner', 'RECONNECT North East']),
    )
  })
})

test('a revocation says stop and nothing about the person', () => {
  const given = {
    ...task,
    description: 'zqbbbbqz',
    statusReason: { text: 'zqccccqz' },
    note: [{ text: 'zqddddqz' }],
    reasonCode: { text: 'zqffffqz' },
  }
  const bundle = read(
    revocation({ status: 'revoked', task: { ...given, status: 'cancelled' }, serviceRequestId: 'sr-1', ...envelopeFor('gp-registration') }),
  )
  expect(of<ServiceRequest>(inside(bundle), 'ServiceRequest').status).toBe('revoked')
  expect(of(inside(bundle), 'Task')).toMatchObject({ status: 'cancelled' })
  const { resourceType: _type, id, meta: _meta, ...personal } = of<Patient>(inside(bundle), 'Patient')
  expect([id, personal]).toEqual(['person-1', {}])
  expect(wordsOf(JSON.stringify(bundle)).size).toBe(0)
  expect((inside(bundle)[0] as MessageHeader).reason?.coding?.[0]?.code).toBe('update')
})

describe('what counts as a change', () => {
  const content = (changed: Partial<Scope>) => contentOf(shelfFor(gp, { scope: { ...scope, ...changed } }))
  const before = content({})
  const need = scope.needs[8] as Scope['needs'][number]
  const others = scope.needs.filter((each) => each !== need)

  test('a new word about the person', () => {
    expect(need.categories).toEqual(['adjustments'])
    expect(content({ needs: [...others, { ...need, code: { text: 'Something else' } }] })).not.toBe(before)
  })

  test('a fact that goes', () => {
    expect(content({ needs: others })).not.toBe(before)
  })

  test('another named worker', () => {
    expect(content({ worker: { ...scope.worker, family: 'Other' } })).not.toBe(before)
  })

  test('a release date that moves', () => {
    expect(content({ custody: { ...(scope.custody as NonNullable<Scope['custody']>), releaseDate: '2026-03-18' } })).not.toBe(before)
  })

  test('not another id, another order, or another person’s permit', () => {
    expect(content({ needs: [...others, { ...need, ref: 'Condition/another' }].reverse() })).toBe(before)
    expect(contentOf(shelfFor(gp, { handover: { consent: { id: 'consent-2', dateTime: '2026-03-02T00:00:00Z' } } }))).toBe(before)
  })

  test('not the time, the Task, or how far the activity has come', () => {
    expect(contentOf(shelfFor(gp, { handover: { now: '2026-03-05T09:00:00Z', task: { ...task, status: 'accepted' } } }))).toBe(before)
    expect(content({ activities: scope.activities.map((each) => ({ ...each, status: 'in-progress' })) })).toBe(before)
  })

  test('not a second handover to the same partner with the same content', () => {
    const shelf = shelfFor(gp)
    expect(contentOf([...shelf, ...shelf])).toBe(before)
  })
})

test('an update is the same message under its own id', () => {
  const update = read(
    message({
      shelf: shelfFor(gp).map(written),
      reason: 'update',
      ...envelopeFor('gp-registration'),
      messageId: '0198c000-0000-7000-8000-00000000000b',
    }),
  )
  expect((inside(update)[0] as MessageHeader).reason?.coding?.[0]?.code).toBe('update')
  expect(contentOf(inside(update))).toBe(contentOf(shelfFor(gp)))
})

test('a partner without an ODS code is addressed by its id', () => {
  const { ods: _none, ...partner } = partnerOf('probation')
  const shelf = shelfFor(adapters.get('probation') as Adapter, { handover: { partner } })
  const bundle = read(message({ shelf: shelf.map(written), reason: 'new', ...envelopeFor('probation'), partner }))
  expect((inside(bundle)[0] as MessageHeader).destination?.[0]?.endpoint).toMatch(/Organization\/partner-1$/)
})
