/**
 * Ways around the decision that somebody tried: each is answered as if there were nothing there, and leaves nothing that tells.
 */
import type { Bundle } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { caseBundle, words, wordsIn } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, says } from '../fixtures/gateway.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
  await gateway.handIn(caseBundle())
})
afterEach(() => gateway.close())

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

describe('after the agreement has ended by the clock, before anything else has looked', () => {
  const over = () => gateway.clock.set(new Date('2027-01-02T08:00:00Z'))
  const ask = async (path: string) => {
    const { body, text } = await gateway.as('enhanced').call<Bundle>('GET', `/fhir/${path}`)
    return { text, total: body.total, entries: body.entry?.length ?? 0, next: body.link?.some(({ relation }) => relation === 'next') }
  }
  test.each([
    'Condition?_count=0',
    'Condition?_summary=count',
    'Condition?_total=accurate',
    'Condition?_count=1&_total=accurate',
    'Condition?_count=1',
    `Task?patient.family=${words.identity}`,
    `Task?patient.family=${words.identity}&_count=0`,
    'CarePlan?_include=CarePlan:patient',
    `Patient?_revinclude=Condition:patient`,
  ])('%s tells nothing, not even how many there were', async (path) => {
    const before = await ask(path)
    expect((before.total ?? 0) + before.entries).toBeGreaterThan(0)
    over()
    const { text, total = 0, entries, next } = await ask(path)
    expect({ total, entries, next }).toEqual({ total: 0, entries: 0, next: false })
    expect(wordsIn(text.replaceAll(`family=${words.identity}`, ''))).toEqual([])
  })
})

test('a person counted is a person looked at: the audit says so', async () => {
  const before = (await gateway.service.find('AuditEvent', 'agent=Organization/enhanced-tees&subtype=search-type')).length
  await gateway.as('enhanced').call('GET', '/fhir/Condition?_summary=count')
  const events = await gateway.service.find('AuditEvent', 'agent=Organization/enhanced-tees&subtype=search-type')
  expect(events.length).toBe(before + 1)
})

describe('words that staff write to a handover', () => {
  const secret = 'Pellowick told me in confidence'
  test('a note, a reason and a result go to nobody, by message or by reading', async () => {
    const task = await gateway.handover('recovery')
    const [theirs] = await gateway.as('recovery').find('Task')
    await gateway
      .as('recovery')
      .call('PATCH', `/fhir/Task/${theirs?.id}`, [
        ...says('accepted', undefined, 'We have room'),
        { op: 'add', path: '/note', value: [{ text: 'Ask for Sam' }] },
      ])
    const { status } = await gateway.service.call('PATCH', `/fhir/Task/${task.id}`, [
      ...says('in-progress', undefined, secret),
      { op: 'add', path: '/note/-', value: { text: secret } },
      { op: 'add', path: '/output', value: [{ type: { text: 'said' }, valueString: secret }] },
    ])
    expect(status).toBe(200)
    await gateway.deliverer.idle()
    const seen = await gateway.as('recovery').call('GET', `/fhir/Task/${task.id}/_history`)
    expect(seen.text).not.toContain(secret)
    expect(seen.text).toContain('Ask for Sam')
    for (const { text } of gateway.partner('recovery').received) expect(text).not.toContain(secret)
    const kept = await gateway.service.call('GET', `/fhir/Task/${task.id}`)
    expect(kept.text).toContain(secret)
    // And what the service wrote stays when the partner writes more.
    const more = [...says('completed', 'engaged'), { op: 'add', path: '/note', value: [{ text: 'Ask for Sam' }, { text: 'Seen today' }] }]
    expect((await gateway.as('recovery').call('PATCH', `/fhir/Task/${task.id}`, more)).status).toBe(200)
    const both = await gateway.service.call('GET', `/fhir/Task/${task.id}`)
    expect([both.text.includes(secret), both.text.includes('Seen today')]).toEqual([true, true])
  })
})
