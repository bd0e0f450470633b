/**
 * Release data from HMPPS: what each event changes, who is told, and what a person is asked.
 */
import { createHmac } from 'node:crypto'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Observation, Patient, Provenance, Resource } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { custodyIn, custodyObservation } from '../../src/domain/read.ts'
import { crn, nomsNumber } from '../../src/fhir/systems.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, standing, webhookKey } from '../fixtures/gateway.ts'
import { envelope, handInEvent, notification, prisonEvent, searchEvent } from '../fixtures/hmpps.ts'

const validator = new URL('../../../shared/tools/validate-fhir.mjs', import.meta.url)
let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const custody = async () => custodyIn(custodyObservation(await gateway.service.find('Observation')) as Observation)
const hand = (event: unknown) => handInEvent(gateway, event)
const reasons = async () => (await gateway.work()).map(({ reason }) => reason).filter((reason) => /^(custody|hmpps)/.test(reason))

describe('what is acknowledged', () => {
  test('a release that a code explains: 202, what changed in codes, and everybody is told', async () => {
    const at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20' }))
    const { status, body } = await hand(envelope(prisonEvent('released', { code: 'CR' })))
    expect(status).toBe(202)
    expect(body).toMatchObject({ outcome: 'changed', changed: [{ patient: at.Patient, parts: ['left', 'status'] }] })
    expect(await custody()).toMatchObject({ where: 'released', left: '2026-04-02', releaseDate: '2026-04-20' })
    expect(await reasons()).toEqual([])
  })

  test('the same event again, in another envelope or bare, changes nothing', async () => {
    await gateway.handIn(caseBundle())
    const event = prisonEvent('released', { code: 'CR' })
    const first = await hand(envelope(event, 'd0a1'))
    await gateway.settled()
    const rows = await gateway.rows()
    for (const again of [
      envelope(event, 'd0a1'),
      envelope(event, 'd0a2'),
      { ...event, publishedAt: '2026-04-02T11:00:00.742536797+01:00' },
    ]) {
      const { status, body } = await hand(again)
      expect([status, body.outcome, body.changed]).toEqual([202, 'repeat', []])
      expect(body.id).toBe(first.body.id)
    }
    expect(await gateway.rows()).toEqual(rows)
  })

  test('the same event twice at the same moment is once', async () => {
    await gateway.handIn(caseBundle())
    const answers = await Promise.all([1, 2, 3].map(() => hand(prisonEvent('released', { code: 'CR' }))))
    expect(answers.map(({ body }) => body.outcome).sort()).toEqual(['changed', 'repeat', 'repeat'])
  })

  test('an unknown event is kept, and one about nobody here; nobody is created', async () => {
    await gateway.handIn(caseBundle())
    expect((await hand({ eventType: 'something.new', version: 1, occurredAt: '2026-04-02T10:00:00Z' })).body).toMatchObject({
      outcome: 'unknown',
    })
    expect((await hand(prisonEvent('released', { noms: 'A9999ZZ', code: 'CR' }))).body).toMatchObject({ outcome: 'nobody', changed: [] })
    expect(await gateway.service.find('Patient')).toHaveLength(1)
    expect((await gateway.rows()).event).toBe(2)
  })

  test('another service’s people are not touched', async () => {
    await gateway.handIn(caseBundle())
    const { body } = await handInEvent({ service: gateway.client('other-system') }, prisonEvent('released', { code: 'CR' }))
    expect(body).toMatchObject({ outcome: 'nobody' })
    expect((await custody()).left).toBeUndefined()
    // What one service was told does not keep another from being told.
    expect((await hand(prisonEvent('released', { code: 'CR' }))).body.outcome).toBe('changed')
  })

  test.each([
    ['nothing', undefined],
    ['a list', []],
    ['an envelope without its message', { Type: 'Notification', MessageId: 'x' }],
    ['an envelope with an object in place of a text', { Type: 'Notification', Message: {} }],
    ['an envelope whose message is no JSON', { Type: 'Notification', Message: '{' }],
    [
      'an envelope that names another event',
      { ...envelope(prisonEvent('released')), MessageAttributes: { eventType: { Value: 'other' } } },
    ],
    ['an event without a type', { version: 1, occurredAt: '2026-04-02T10:00:00Z' }],
    ['an event of version 2', { ...prisonEvent('released'), version: 2 }],
    ['an event of next week', { ...prisonEvent('released'), occurredAt: '2026-04-09T10:00:00Z' }],
    ['an event at no time', { ...prisonEvent('released'), occurredAt: '31/02/2026' }],
    ['a notification at no time', { ...notification('PERSON_STATUS_CHANGED', 'X123456'), lastModifiedDateTime: null }],
  ])('%s is refused with what is wrong with it', async (_, event) => {
    const { status, text } = await gateway.service.call('POST', '/events/hmpps', event, { 'content-type': 'application/json' })
    expect(status, text).toBe(400)
    expect(JSON.parse(text)).toMatchObject({ status: 400, detail: expect.stringMatching(/\w+ \w+/) })
  })

  test('nobody but a service’s own client, and no subscription', async () => {
    const event = prisonEvent('released')
    for (const who of ['dene-surgery', 'prison-health'])
      expect((await gateway.client(who).call('POST', '/events/hmpps', event, { 'content-type': 'application/json' })).status).toBe(403)
    expect((await gateway.app.request('/events/hmpps', { method: 'POST', body: JSON.stringify(event) })).status).toBe(401)
    expect((await hand({ Type: 'SubscriptionConfirmation', Message: 'x', SubscribeURL: 'https://sns.test' })).status).toBe(400)
    expect((await gateway.service.call('GET', '/events/hmpps')).status).toBe(405)
  })
})

describe('a signed webhook', () => {
  const post = (event: unknown, change: { id?: string; at?: number; key?: Uint8Array } = {}) => {
    const { id = 'msg_1', at = Math.floor(Date.now() / 1000), key = webhookKey } = change
    const body = JSON.stringify(event)
    const signature = createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64')
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(at),
      'webhook-signature': `v1,AAAA v1,${signature}`,
      'content-type': 'application/json',
    }
    return gateway.app.request('/events/hmpps', { method: 'POST', headers, body })
  }

  test('reaches the people of every service, and learns about nobody', async () => {
    await gateway.handIn(caseBundle())
    const response = await post(prisonEvent('released', { code: 'CR' }))
    expect(response.status).toBe(202)
    expect(await response.json()).toEqual({
      id: expect.any(String),
      outcome: 'changed',
      changed: [{ parts: ['left', 'status'] }],
    })
    expect((await custody()).left).toBe('2026-04-02')
    expect((await (await post(prisonEvent('released', { code: 'CR', details: 'other words' }))).json()).outcome).toBe('repeat')
  })

  test('is refused when it is not signed by a source, or not now', async () => {
    const now = Math.floor(Date.now() / 1000)
    for (const change of [{ key: new Uint8Array(32).fill(1) }, { at: now - 400 }, { at: now + 400 }, { id: 'a b' }])
      expect((await post(prisonEvent('released'), change)).status).toBe(401)
    expect((await gateway.rows()).event).toBe(0)
  })
})

describe('somebody who would have us believe or fetch something', () => {
  const post = (body: string, headers: Record<string, string>) =>
    gateway.app.request('/events/hmpps', { method: 'POST', headers: { 'content-type': 'text/plain', ...headers }, body })
  const signed = (body: string, { id = 'msg_1', at = Math.floor(Date.now() / 1000), key = webhookKey, over = body } = {}) => ({
    'webhook-id': id,
    'webhook-timestamp': String(at),
    'webhook-signature': `v1,${createHmac('sha256', key).update(`${id}.${at}.${over}`).digest('base64')}`,
  })
  const sns = (more: object) =>
    JSON.stringify({
      ...envelope(prisonEvent('released', { code: 'DEC' }), 'b1a7'),
      SignatureVersion: '2',
      Signature: 'AAAA',
      SigningCertURL: 'http://169.254.169.254/latest/meta-data/',
      UnsubscribeURL: 'http://127.0.0.1:9/',
      ...more,
    })

  test('no address in an envelope is ever asked, signed or not', async () => {
    const asked: string[] = []
    const here = vi.spyOn(globalThis, 'fetch').mockImplementation(async (url) => {
      asked.push(String(url))
      return new Response(null, { status: 200 })
    })
    try {
      const bodies = [
        sns({}),
        sns({ Type: 'SubscriptionConfirmation', SubscribeURL: 'http://169.254.169.254/', Token: 'x' }),
        sns({ Type: 'UnsubscribeConfirmation', SubscribeURL: 'https://sns.eu-west-2.amazonaws.com.attacker.test/' }),
        JSON.stringify({ ...notification('PERSON_STATUS_CHANGED', 'B1357CD'), url: 'http://169.254.169.254/v1/persons/B1357CD' }),
      ]
      for (const body of bodies) {
        expect((await post(body, {})).status).toBe(401)
        expect((await post(body, signed(body))).status).toBeLessThan(500)
      }
      await gateway.looked()
    } finally {
      here.mockRestore()
    }
    expect(asked).toEqual([])
    expect([...gateway.logged].join()).not.toMatch(/169\.254|attacker/)
  })

  test('the signature of SNS is not ours to believe, whatever address it names', async () => {
    await gateway.handIn(caseBundle())
    const body = sns({ SigningCertURL: 'https://sns.eu-west-2.amazonaws.com/SimpleNotificationService-0.pem' })
    expect((await post(body, { 'x-amz-sns-message-type': 'Notification' })).status).toBe(401)
    expect((await gateway.service.find('Patient'))[0]).not.toHaveProperty('deceasedBoolean')
  })

  test.each([
    ['another body', { over: '{}' }],
    ['another key', { key: new Uint8Array(32).fill(99) }],
    ['an old time', { at: Math.floor(Date.now() / 1000) - 301 }],
    ['a time to come', { at: Math.floor(Date.now() / 1000) + 330 }],
    ['an id with a full stop and a time in it', { id: `a b.${Date.now()}` }],
  ])('a signature over %s is refused, and nothing is kept', async (_, change) => {
    const body = sns({})
    expect((await post(body, signed(body, change))).status).toBe(401)
    expect((await gateway.rows()).event).toBe(0)
  })

  test('caught and sent again: once, whichever id or time it claims', async () => {
    await gateway.handIn(caseBundle())
    const body = JSON.stringify(prisonEvent('released', { code: 'CR' }))
    const headers = signed(body)
    const outcomes = []
    for (const each of [headers, headers, { ...headers, 'webhook-id': 'msg_2' }, signed(body, { id: 'msg_3' })]) {
      const answer = await post(body, each)
      outcomes.push(answer.status === 202 ? ((await answer.json()) as { outcome: string }).outcome : answer.status)
    }
    expect(outcomes).toEqual(['changed', 'repeat', 401, 'repeat'])
  })

  test('a signature beside a token that is not good is a token that is not good', async () => {
    const body = JSON.stringify(prisonEvent('released', { code: 'CR' }))
    expect((await post(body, { ...signed(body), authorization: 'Bearer nothing' })).status).toBe(401)
  })
})

describe('over the whole of a stay', () => {
  test('transferred between prisons: out, then in, the other way round, told once', async () => {
    await gateway.handIn(caseBundle())
    await hand(prisonEvent('received', { reason: 'TRANSFERRED', code: 'INT', prison: 'DMI', at: '2026-04-02T14:00:00+01:00' }))
    expect(await custody()).toMatchObject({ where: 'in-prison', establishment: { code: 'DMI' }, basis: 'sentenced' })
    await hand(prisonEvent('released', { reason: 'TRANSFERRED', code: 'INT', at: '2026-04-02T10:00:00+01:00' }))
    expect(await custody()).toMatchObject({ where: 'in-prison', establishment: { code: 'DMI' } })
    expect(await reasons()).toEqual([])
  })

  test('temporary licence twice: no clock begins, the handovers stand', async () => {
    await gateway.handIn(caseBundle())
    const before = await gateway.handover('recovery')
    const step = async (way: 'released' | 'received', reason: string, at: string) => {
      await gateway.turn(new Date(at).toISOString())
      await hand(prisonEvent(way, { reason, code: 'RDR', at }))
    }
    await step('released', 'TEMPORARY_ABSENCE_RELEASE', '2026-04-03T09:00:00+01:00')
    expect(await custody()).toMatchObject({ where: 'temporary-absence', releaseDate: '2026-05-15' })
    await step('received', 'TEMPORARY_ABSENCE_RETURN', '2026-04-03T17:00:00+01:00')
    await step('released', 'TEMPORARY_ABSENCE_RELEASE', '2026-04-10T09:00:00+01:00')
    await step('received', 'TEMPORARY_ABSENCE_RETURN', '2026-04-12T17:00:00+01:00')
    const { where, left, basis } = await custody()
    expect([where, left, basis]).toEqual(['in-prison', undefined, 'sentenced'])
    const after = await gateway.handover('recovery')
    expect([after.id, after.status]).toEqual([before.id, before.status])
  })

  test('remand, released from court without notice: the practice is asked at once', async () => {
    await gateway.handIn(caseBundle({ releaseDate: null }))
    await hand(prisonEvent('received', { code: 'N', at: '2026-04-02T09:30:00+01:00' }))
    await gateway.turn('2026-04-08T08:00:00Z')
    await hand(prisonEvent('released', { reason: 'SENT_TO_COURT', at: '2026-04-08T08:00:00+01:00' }))
    expect(await custody()).toMatchObject({ basis: 'remand', where: 'court' })
    expect(gateway.partner('practice').received).toHaveLength(0)
    await gateway.turn('2026-04-08T16:00:00Z')
    await hand(prisonEvent('released', { code: 'BD', at: '2026-04-08T16:00:00+01:00' }))
    await gateway.settled()
    expect(await custody()).toMatchObject({ where: 'released', left: '2026-04-08' })
    expect(gateway.partner('practice').received).toHaveLength(1)
  })

  test('returned to custody on a recall: another stay, whose date is not known', async () => {
    await gateway.handIn(caseBundle({ releaseDate: '2026-04-02' }))
    await hand(prisonEvent('released', { code: 'CR' }))
    await gateway.turn('2026-04-22T12:00:00Z')
    const { body } = await hand(prisonEvent('received', { code: 'L', prison: 'DMI', at: '2026-04-22T11:00:00+01:00' }))
    expect(body.changed[0]?.parts).toEqual(['basis', 'establishment', 'left', 'release-date', 'status'])
    const now = await custody()
    expect([now.basis, now.left, now.releaseDate, now.where]).toEqual(['recall', undefined, undefined, 'in-prison'])
    expect(standing(await gateway.handover('recovery'))).toBe('on-hold suspended-custody')
    // The stay before stays as it ended.
    const stays = (await gateway.service.find('Observation')).filter((one) => one.code.coding?.[0]?.code === 'custody')
    expect(stays.map(({ effectivePeriod }) => effectivePeriod?.end).sort()).toEqual(['2026-04-02', undefined])
  })

  test('a death stops everybody at once, and a person is asked to confirm it', async () => {
    await gateway.handIn(caseBundle({ releaseDate: '2026-04-20' }))
    const { body } = await hand(prisonEvent('released', { code: 'DEC' }))
    expect(body.changed[0]?.parts).toEqual(['died', 'status'])
    await gateway.settled()
    const [patient] = await gateway.service.find('Patient')
    expect((patient as Patient).deceasedBoolean).toBe(true)
    expect((await gateway.work()).map(({ reason }) => reason)).toEqual(['died'])
    expect(await gateway.as('practice').find('Patient')).toEqual([])
  })

  test('a code nobody knows changes no date, and a person is asked once', async () => {
    await gateway.handIn(caseBundle())
    await hand(prisonEvent('released', { code: 'ZZ9' }))
    expect(await custody()).toMatchObject({ where: 'unexplained', releaseDate: '2026-05-15' })
    expect((await custody()).left).toBeUndefined()
    const items = (await gateway.work()).filter(({ reason }) => reason === 'custody-code-unknown')
    expect(items).toMatchObject([{ words: expect.stringContaining('ZZ9') }])
  })

  test('said at once and taken back within the hour: nobody hears of it', async () => {
    await gateway.handIn(caseBundle())
    await hand(searchEvent('released', { at: '2026-04-02T09:05:00+01:00' }))
    await hand(searchEvent('received', { at: '2026-04-02T09:25:00+01:00' }))
    await gateway.turn('PT3H')
    expect((await custody()).where).toBeUndefined()
    expect(await reasons()).toEqual([])
  })

  test('said at once and never explained: after an hour a person is asked, by a timer', async () => {
    await gateway.handIn(caseBundle())
    await hand(searchEvent('released', { at: '2026-04-02T09:30:00+01:00' }))
    expect(await reasons()).toEqual([])
    await gateway.turn('PT90M')
    expect(await reasons()).toEqual(['custody-left-unexplained'])
    await hand(prisonEvent('released', { code: 'CR', at: '2026-04-02T09:30:00+01:00' }))
    expect(await custody()).toMatchObject({ left: '2026-04-02' })
    expect(await reasons()).toEqual([])
  })
})

describe('by hand', () => {
  const change = async (to: (observation: Observation) => void) => {
    const observation = custodyObservation(await gateway.service.find('Observation')) as Observation
    to(observation)
    expect((await gateway.service.call('PUT', `/fhir/Observation/${observation.id}`, observation)).status).toBe(200)
  }
  const date = (to: string) => (observation: Observation) => {
    for (const one of observation.component ?? []) if (one.code.coding?.[0]?.code === 'expected-release-date') one.valueDateTime = to
  }

  test('what the service changes stands until the prison says something newer', async () => {
    await gateway.handIn(caseBundle())
    await hand(prisonEvent('received', { reason: 'TRANSFERRED', prison: 'DMI', at: '2026-04-02T10:00:00+01:00' }))
    await gateway.turn('P1D')
    await change(date('2026-05-05'))
    await hand(prisonEvent('received', { reason: 'TRANSFERRED', prison: 'LEI', at: '2026-04-03T10:00:00+01:00' }))
    expect(await custody()).toMatchObject({ releaseDate: '2026-05-05', establishment: { code: 'LEI' } })
  })

  test('an older event that comes late does not undo it', async () => {
    await gateway.handIn(caseBundle())
    await hand(prisonEvent('released', { code: 'CR', at: '2026-04-02T10:00:00+01:00' }))
    await gateway.turn('P1D')
    await change((observation) => {
      observation.effectivePeriod = { start: '2025-11-03' }
    })
    expect((await custody()).left).toBeUndefined()
    await hand(prisonEvent('released', { reason: 'SENT_TO_COURT', at: '2026-04-02T09:00:00+01:00' }))
    expect((await custody()).left).toBeUndefined()
  })

  test('each version of it stays in the history, and says whose word it is', async () => {
    await gateway.handIn(caseBundle())
    await hand(prisonEvent('released', { code: 'CR' }))
    const { id } = custodyObservation(await gateway.service.find('Observation')) as Observation
    const history = await gateway.service.call<{ total: number }>('GET', `/fhir/Observation/${id}/_history`)
    expect(history.body).toMatchObject({ total: 2 })
    const provenances = await gateway.service.find('Provenance', `target=Observation/${id}`)
    const said = provenances.map((one: Provenance) => one.agent.map(({ who }) => who.identifier?.value))
    expect(said.flat()).toContain('prison-offender-events')
  })
})

describe('numbers', () => {
  const identifiers = async () =>
    ((await gateway.service.find('Patient'))[0] as Patient).identifier?.flatMap(({ system, value, use }) =>
      system === nomsNumber || system === crn ? [`${use === 'old' ? 'old ' : ''}${value}`] : [],
    )

  test('probation links its number to the prison’s: it is recorded', async () => {
    await gateway.handIn(caseBundle())
    const event = {
      eventType: 'probation-case.prison-identifier.added',
      version: 1,
      occurredAt: '2026-04-02T10:00:00+01:00',
      personReference: {
        identifiers: [
          { type: 'CRN', value: 'X123456' },
          { type: 'NOMS', value: 'B1357CD' },
        ],
      },
      additionalInformation: { bookingNumber: '51132A' },
    }
    expect((await hand(event)).body.changed[0]?.parts).toEqual(['crn'])
    expect(await identifiers()).toEqual(['X123456', 'B1357CD'])
  })

  const merged = (survivor: string, removed: string) => ({
    eventType: 'prison-offender-events.prisoner.merged',
    version: 1,
    occurredAt: '2026-04-02T10:00:00+01:00',
    // The words have it the wrong way round.
    description: `A prisoner has been merged from ${survivor} to ${removed}`,
    personReference: { identifiers: [{ type: 'NOMS', value: survivor }] },
    additionalInformation: { nomsNumber: survivor, removedNomsNumber: removed, reason: 'MERGE', bookingId: '1221664' },
  })

  test('a merge gives the record the number that survived, and keeps the old one as old', async () => {
    await gateway.handIn(caseBundle())
    await hand(merged('B7777CD', 'B1357CD'))
    expect(await identifiers()).toEqual(['B7777CD', 'old B1357CD'])
    expect((await hand(prisonEvent('released', { noms: 'B7777CD', code: 'CR' }))).body.outcome).toBe('changed')
  })

  test('a stay moved to another number may be somebody else’s: no number is changed, a person looks', async () => {
    await gateway.handIn(caseBundle())
    const moved = {
      ...merged('B7777CD', 'B1357CD'),
      eventType: 'prison-offender-events.prisoner.booking.moved',
      additionalInformation: {
        bookingId: '1',
        movedFromNomsNumber: 'B1357CD',
        movedToNomsNumber: 'B7777CD',
        bookingStartDateTime: '2025-11-03T00:00:00',
      },
    }
    expect((await hand(moved)).body).toMatchObject({ outcome: 'unchanged' })
    expect(await identifiers()).toEqual(['B1357CD'])
    expect(await reasons()).toEqual(['hmpps-identity'])
  })

  test('a merge of two records here joins nothing: merging them is proposed once, with both named', async () => {
    const one = await gateway.handIn(caseBundle())
    const other = await gateway.handIn(caseBundle({ tag: 'Other', noms: 'B7777CD', nhsNumber: '9990004013' }))
    await hand(merged('B7777CD', 'B1357CD'))
    expect(await gateway.service.find('Patient')).toHaveLength(2)
    const proposed = (await gateway.work()).filter(({ reason }) => reason === 'duplicate')
    expect(proposed).toHaveLength(1)
    for (const part of [one.Patient, other.Patient, 'the same prison number', 'Merge them']) expect(proposed[0]?.words).toContain(part)
    expect(await reasons()).toEqual([])
  })

  test('once they are one record, both numbers and an event under either find it', async () => {
    const one = await gateway.handIn(caseBundle())
    const other = await gateway.handIn(caseBundle({ tag: 'Other', noms: 'B7777CD', nhsNumber: '9990004013' }))
    await hand(merged('B7777CD', 'B1357CD'))
    const said = (name: string, reference: string | undefined) => ({ name, valueReference: { reference } })
    const answer = await gateway.service.call('POST', '/fhir/Patient/$merge', {
      resourceType: 'Parameters',
      parameter: [said('source-patient', one.Patient), said('target-patient', other.Patient)],
    })
    expect(answer.status, answer.text).toBe(200)
    for (const number of ['B1357CD', 'B7777CD']) {
      const found = await gateway.service.find('Patient', `identifier=${nomsNumber}|${number}`)
      expect(
        found.map(({ id }) => `Patient/${id}`),
        number,
      ).toContain(other.Patient)
    }
    const late = await hand(prisonEvent('received', { noms: 'B1357CD', reason: 'TRANSFERRED', prison: 'DMI' }))
    expect(late.body.changed).toMatchObject([{ patient: other.Patient }])
    const after = await hand(prisonEvent('released', { noms: 'B7777CD', code: 'CR', at: '2026-04-02T10:30:00+01:00' }))
    expect(after.body.changed).toMatchObject([{ patient: other.Patient, parts: expect.arrayContaining(['left']) }])
  })

  test('a link that contradicts the record changes nothing: a person finds out which is right', async () => {
    await gateway.handIn(caseBundle())
    const link = (noms: string, at: string) => ({
      eventType: 'probation-case.prison-identifier.updated',
      version: 1,
      occurredAt: at,
      personReference: {
        identifiers: [
          { type: 'CRN', value: 'X123456' },
          { type: 'NOMS', value: noms },
        ],
      },
    })
    await hand(link('B1357CD', '2026-04-02T10:00:00+01:00'))
    expect(await reasons()).toEqual([])
    expect((await hand(link('B9999CD', '2026-04-02T10:10:00+01:00'))).body.outcome).toBe('unchanged')
    expect(await identifiers()).toEqual(['X123456', 'B1357CD'])
    expect(await reasons()).toEqual(['hmpps-identity'])
  })

  test('an id of the API that is neither number finds whoever has it', async () => {
    const bundle = caseBundle()
    const patient = bundle.entry?.[0]?.resource as Patient
    patient.identifier?.push({ system: 'https://reconnect.example/fhir/Id/hmpps-id', value: 'H-77' })
    await gateway.handIn(bundle)
    expect((await hand(notification('KEY_DATES_AND_ADJUSTMENTS_PRISONER_RELEASE', 'h-77'))).body).toMatchObject({ fetching: true })
  })
})

test.skipIf(!existsSync(validator))('what is kept of it is valid FHIR (needs ../shared/tools/validate-fhir.mjs)', async () => {
  await gateway.handIn(caseBundle())
  await hand(prisonEvent('released', { code: 'CR' }))
  await hand(prisonEvent('received', { code: 'L', at: '2026-04-02T10:30:00+01:00' }))
  const { validate } = (await import(fileURLToPath(validator))) as { validate: (resource: Resource) => string[] }
  const kept = await gateway.service.find('Observation')
  expect(kept.filter(({ performer }) => performer)).not.toEqual([])
  expect([...new Set(kept.flatMap((one) => validate(one)))]).toEqual([])
})

test('nothing of an event stands in the log, and its body is sealed', async () => {
  await gateway.handIn(caseBundle())
  await hand(prisonEvent('released', { code: 'CR' }))
  await hand(prisonEvent('released', { noms: 'A9999ZZ', code: 'CR' }))
  expect(gateway.logged.join()).not.toMatch(/B1357CD|A9999ZZ/)
})
