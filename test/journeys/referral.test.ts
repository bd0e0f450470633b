/**
 * Referrals from outside: kept whole, answered in words, worked on by the service, taken back; and what only looks like one.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { Bundle, Resource, ServiceRequest, Task } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { statement } from '../../src/store/database.ts'
import { columns, readStored } from '../../src/store/resources.ts'
import { caseBundle, coded, consentOf, custodyOf, partners, planOf, usual } from '../fixtures/case-bundle.ts'
import { type Gateway, issuesOf, of, openGateway, standing } from '../fixtures/gateway.ts'
import { referral, referralPlaces, takenBack, toldAgain } from '../fixtures/referral.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const send = (bundle: unknown, headers: Record<string, string> = {}, client = 'prison-health') =>
  gateway.client(client).call<Bundle>('POST', '/fhir/$process-message', bundle, headers)
const outcomeOf = (task: Task | undefined) => task?.businessStatus?.coding?.[0]?.code
const asksOf = (task: Task | undefined) => (task?.input ?? []).map(({ valueString }) => valueString)

/** What a resource says, without ids, versions and where its references lead. */
function contentOf(resource: Resource): string {
  const walk = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(walk)
    if (typeof node !== 'object' || node === null) return node
    return Object.fromEntries(
      Object.entries(node)
        .filter(([key]) => !['id', 'meta', 'reference', 'fullUrl', 'extension', 'status'].includes(key))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => [key, walk(value)]),
    )
  }
  return JSON.stringify(walk(resource))
}

/** Every resource of the message but its envelope stands on the service's shelf. */
async function nothingIsLost(message: Bundle) {
  for (const { resource } of message.entry ?? []) {
    if (!resource || resource.resourceType === 'MessageHeader') continue
    const known: string[] = []
    // Organisations and services of the sender stand in the record by their resource, not by the directory.
    const rows = await readStored(
      gateway.database,
      statement(`select ${columns} from resource r where shelf = ? and type = ?`, 'service:tees-valley', resource.resourceType),
    )
    for (const { body } of rows) if (body) known.push(contentOf(body))
    expect(known).toContain(contentOf(resource))
  }
}

describe('a referral in the shape of BaRS', () => {
  test('is kept whole and answered under its own id: what is missing is asked for, nothing is refused', async () => {
    const message = referral()
    const { status, body, headers } = await send(message, {
      'x-request-id': '1d8d6f52-2f1e-4a43-8e5a-0b7a1f000001',
      'x-correlation-id': '1d8d6f52-2f1e-4a43-8e5a-0b7a1f000002',
    })
    expect([status, body.type, body.id]).toEqual([200, 'message', message.id])
    expect(headers.get('x-correlation-id')).toBe('1d8d6f52-2f1e-4a43-8e5a-0b7a1f000002')
    const [task] = of(body, 'Task')
    expect(outcomeOf(task)).toBe('needs-information')
    expect(asksOf(task).join(' ')).toMatch(/NHS number.*Which prison.*released.*Which health need/)
    // Ids are assigned here, also where the sender gave some.
    const sent = new Set(message.entry?.flatMap(({ fullUrl, resource }) => [fullUrl?.replace('urn:uuid:', ''), resource?.id]))
    for (const { resource } of body.entry ?? []) if (resource?.resourceType !== 'MessageHeader') expect(sent).not.toContain(resource?.id)
    await nothingIsLost(message)
  })

  test('a navigator finds it and can act: the person by name, the Task on hold, the referral', async () => {
    await send(referral())
    expect(await gateway.service.find('Patient', 'family=oxlade')).toHaveLength(1)
    const [task] = await gateway.service.find('Task', 'status=on-hold')
    const request = await gateway.service.call<ServiceRequest>('GET', `/fhir/${task?.focus?.reference}`)
    expect(request.body.reasonCode?.[0]?.text).toBe('Worried about walking out alone')
    expect((await gateway.work()).map(({ reason }) => reason)).toContain('needs-information')
  })

  test('an NHS number with a wrong check digit is kept as told, marked, and found by nobody', async () => {
    const { body } = await send(referral())
    const [patient] = of(body, 'Patient')
    expect(patient?.identifier?.[0]).toMatchObject({ value: '9990004006', extension: [expect.anything()] })
    const search = `identifier=${encodeURIComponent('https://fhir.nhs.uk/Id/nhs-number|9990004006')}`
    expect(await gateway.service.find('Patient', search)).toHaveLength(0)
    expect(await gateway.service.find('Task', `patient.${search}`)).toHaveLength(0)
  })

  test('a consent or a plan a referrer sends is a proposal: nobody is told anything because of it', async () => {
    const { patient } = referralPlaces
    const { careTeam: _none, ...plan } = planOf({ patient, team: 'none', plan: ['practice', 'recovery'] })
    const answer = await send(
      referral({ known: true, without: ['Consent', 'CarePlan'], more: [plan, consentOf({ patient, agreed: usual })] }),
    )
    expect(answer.status).toBe(200)
    await gateway.settled()
    for (const name of Object.keys(partners) as (keyof typeof partners)[]) expect(gateway.partner(name).received).toHaveLength(0)
    expect((await gateway.service.find('CarePlan'))[0]?.status).toBe('draft')
    expect((await gateway.service.find('Consent'))[0]?.status).toBe('proposed')
  })

  test('a referrer sees its own referral and how it stands, and nothing of another referrer', async () => {
    const { body } = await send(referral())
    const [task] = of(body, 'Task')
    const [request] = of(body, 'ServiceRequest')
    const sender = gateway.client('prison-health')
    expect(await sender.find('Task')).toHaveLength(1)
    expect((await sender.call('GET', `/fhir/ServiceRequest/${request?.id}`)).status).toBe(200)
    const other = gateway.client('court-team')
    expect(await other.find('Task')).toHaveLength(0)
    expect((await other.call('GET', `/fhir/Task/${task?.id}`)).status).toBe(404)
    expect((await other.call('GET', `/fhir/ServiceRequest/${request?.id}`)).status).toBe(404)
  })

  test('once the service has learned what was missing, the referrer reads that it is accepted', async () => {
    const { body } = await send(referral({ known: true }))
    const patient = `Patient/${of(body, 'Patient')[0]?.id}`
    expect(outcomeOf((await gateway.client('prison-health').find('Task'))[0])).toBe('needs-information')
    expect((await gateway.service.call('POST', '/fhir/Observation', custodyOf({ patient, releaseDate: '2026-05-15' }))).status).toBe(201)
    expect(outcomeOf((await gateway.client('prison-health').find('Task'))[0])).toBe('accepted')
  })

  test('too early: held, and accepted by the clock alone 12 weeks before release', async () => {
    const custody = custodyOf({ patient: 'set by the bundle', releaseDate: '2026-09-01' })
    const { body } = await send(referral({ known: true, more: [custody] }))
    expect(outcomeOf(of(body, 'Task')[0])).toBe('held')
    await gateway.turn('2026-06-08T22:59:00Z')
    expect(outcomeOf((await gateway.client('prison-health').find('Task'))[0])).toBe('held')
    await gateway.turn('2026-06-08T23:00:00Z')
    expect(outcomeOf((await gateway.client('prison-health').find('Task'))[0])).toBe('accepted')
  })

  test('released more than 28 days ago: declined, with a signpost', async () => {
    const custody = custodyOf({ patient: 'set by the bundle', releaseDate: '2026-02-01', left: '2026-02-01' })
    const { body } = await send(referral({ known: true, more: [custody] }))
    const [task] = of(body, 'Task')
    expect(outcomeOf(task)).toBe('declined')
    expect(task?.output?.[0]?.valueString).toMatch(/GP practice|111/)
  })
})

describe('the same again', () => {
  test('the same X-Request-Id is 409 duplicate, and one person is kept', async () => {
    const id = { 'x-request-id': '1d8d6f52-2f1e-4a43-8e5a-0b7a1f00000a' }
    expect((await send(referral(), id)).status).toBe(200)
    const again = await send(referral(), id)
    expect([again.status, issuesOf(again)[0]?.code]).toEqual([409, 'duplicate'])
    expect(await gateway.service.find('Patient')).toHaveLength(1)
  })

  test('twenty at once are one', async () => {
    const id = { 'x-request-id': '1d8d6f52-2f1e-4a43-8e5a-0b7a1f00000b' }
    const all = await Promise.all(Array.from({ length: 20 }, () => send(referral(), id)))
    expect(all.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(409)])
    expect(await gateway.service.find('Patient')).toHaveLength(1)
  })

  test('a Bundle.id used again with new content is 400, and nothing of it is kept', async () => {
    await send(referral())
    const before = await gateway.rows()
    const again = await send(referral({ family: 'Somebodyelse' }))
    expect([again.status, issuesOf(again)[0]]).toEqual([400, expect.objectContaining({ code: 'invariant', expression: 'Bundle.id' })])
    expect(await gateway.rows()).toEqual(before)
  })

  test('a service’s own case under one X-Request-Id gets the first answer again', async () => {
    const id = { 'x-request-id': '1d8d6f52-2f1e-4a43-8e5a-0b7a1f00000c' }
    const [one, two] = [
      await gateway.service.call('POST', '/fhir', caseBundle(), id),
      await gateway.service.call('POST', '/fhir', caseBundle(), id),
    ]
    expect([one.status, two.status]).toEqual([200, 200])
    expect(two.body).toEqual(one.body)
    await gateway.settled()
    expect(gateway.partner('recovery').received).toHaveLength(1)
    expect((await gateway.service.call('POST', '/fhir', caseBundle({ tag: 'other' }), id)).status).toBe(409)
  })
})

describe('told what was asked for', () => {
  const custody = (releaseDate: string | null, basis?: string) =>
    custodyOf({ patient: 'set by the bundle', releaseDate, ...(basis ? { basis } : {}) })

  test('everything at once: accepted in the same answer, on both shelves, and nothing is kept twice', async () => {
    const first = await send(referral())
    const request = of(first.body, 'ServiceRequest')[0]?.id as string
    const before = await Promise.all(
      (['MedicationStatement', 'Flag', 'Consent', 'CarePlan'] as const).map((type) => gateway.service.find(type)),
    )
    const again = toldAgain(referral({ more: [custody('2026-05-15')] }), request)
    of(again, 'Patient')[0]!.birthDate = '1991-09-09'
    of(again, 'Patient')[0]!.identifier = [{ system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9990004005' }]
    of(again, 'ServiceRequest')[0]!.reasonCode!.push(coded('need', 'mental-health'))
    const answer = await send(again)
    expect([answer.status, outcomeOf(of(answer.body, 'Task')[0])]).toEqual([200, 'accepted'])
    expect(of(answer.body, 'ServiceRequest')[0]?.id).toBe(request)
    expect(outcomeOf((await gateway.client('prison-health').find('Task'))[0])).toBe('accepted')
    expect(await gateway.service.find('Patient')).toMatchObject([
      { birthDate: '1991-09-09', identifier: [{ value: '9990004005' }], name: [{ family: 'Oxlade' }] },
    ])
    const after = await Promise.all(
      (['MedicationStatement', 'Flag', 'Consent', 'CarePlan'] as const).map((type) => gateway.service.find(type)),
    )
    expect(after).toEqual(before)
    expect((await gateway.work()).map(({ reason }) => reason)).not.toContain('needs-information')
    await gateway.settled()
    for (const name of Object.keys(partners) as (keyof typeof partners)[]) expect(gateway.partner(name).received).toHaveLength(0)
  })

  test('a part of it: only the rest is asked for; being on remand answers when they leave', async () => {
    const first = await send(referral({ known: true, more: [custody(null)] }))
    expect(asksOf(of(first.body, 'Task')[0])).toEqual([expect.stringMatching(/expected to be released/)])
    const request = of(first.body, 'ServiceRequest')[0]?.id as string
    const nothing = await send(toldAgain(referral({ known: true, more: [custody(null)] }), request))
    expect(asksOf(of(nothing.body, 'Task')[0])).toEqual([expect.stringMatching(/expected to be released/)])
    const answer = await send(toldAgain(referral({ known: true, more: [custody(null, 'remand')] }), request))
    expect(outcomeOf(of(answer.body, 'Task')[0])).toBe('accepted')
    expect((await gateway.service.find('Observation')).filter(({ code }) => code.coding?.[0]?.code === 'custody')).toHaveLength(1)
  })

  test('what was not asked for does not change the record', async () => {
    const first = await send(referral({ known: true, more: [custody(null)] }))
    const again = toldAgain(
      referral({ known: true, family: 'Otherwise', more: [custody('2026-05-15')] }),
      of(first.body, 'ServiceRequest')[0]?.id as string,
    )
    of(again, 'Patient')[0]!.birthDate = '1971-01-01'
    expect(outcomeOf(of((await send(again)).body, 'Task')[0])).toBe('accepted')
    expect(await gateway.service.find('Patient')).toMatchObject([{ birthDate: '1991-09-09', name: [{ family: 'Oxlade' }] }])
  })
})

describe('taken back', () => {
  const sendKnown = async () => {
    const { body } = await send(referral({ known: true }))
    return { patient: `Patient/${of(body, 'Patient')[0]?.id}`, request: of(body, 'ServiceRequest')[0]?.id as string }
  }

  test.each(['revoked', 'entered-in-error'])(
    '%s: the referral says so on both shelves, and its Task is cancelled with the reason',
    async (status) => {
      const { request } = await sendKnown()
      const answer = await send(takenBack({ request, status, why: 'Moved to another prison' }))
      expect(answer.status).toBe(200)
      expect(of(answer.body, 'ServiceRequest')[0]).toMatchObject({ id: request, status })
      for (const client of [gateway.service, gateway.client('prison-health')]) {
        const { body } = await client.call<ServiceRequest>('GET', `/fhir/ServiceRequest/${request}`)
        expect([body.status, body.reasonCode?.[0]?.text]).toEqual([status, 'Worried about walking out alone'])
        const [task] = await client.find('Task')
        expect([task?.status, task?.statusReason?.text]).toEqual(['cancelled', 'Moved to another prison'])
      }
      expect(await gateway.work()).toEqual([])
    },
  )

  test.each(['revoked', 'entered-in-error'])(
    '%s: once partners were asked, the service decides: 409, and nothing changes',
    async (status) => {
      const { patient, request } = await sendKnown()
      const role = {
        resourceType: 'PractitionerRole',
        active: true,
        telecom: [{ system: 'phone', value: '01910000451' }],
        practitioner: { display: 'Pat Quayle' },
      }
      const { body: worker } = await gateway.service.call('POST', '/fhir/PractitionerRole', role)
      const [custody, team, agreement] = [
        custodyOf({ patient, releaseDate: '2026-05-15' }),
        {
          resourceType: 'CareTeam',
          status: 'active',
          subject: { reference: patient },
          participant: [{ role: [coded('team-role', 'named-worker')], member: { reference: `PractitionerRole/${worker.id}` } }],
        },
        consentOf({ patient, agreed: usual }),
      ]
      for (const one of [custody, team, agreement]) await gateway.service.call('POST', `/fhir/${one.resourceType}`, one)
      const [kept] = await gateway.service.find('CareTeam')
      await gateway.service.call('POST', '/fhir/CarePlan', planOf({ patient, team: `CareTeam/${kept?.id}`, plan: ['recovery'] }))
      await gateway.settled()
      expect(standing(await gateway.handover('recovery'))).toBe('requested delivered')

      const refused = await send(takenBack({ request, status }))
      expect(refused.status).toBe(409)
      expect(JSON.stringify(refused.body)).toContain('conflict')
      await gateway.settled()
      expect(gateway.partner('recovery').received).toHaveLength(1)
      expect(standing(await gateway.handover('recovery'))).toBe('requested delivered')
    },
  )

  test('it may keep the Bundle.id of the referral, and saying it twice is saying it once', async () => {
    const { request } = await sendKnown()
    const message = takenBack({ request, id: referral().id as string })
    expect((await send(message)).status).toBe(200)
    expect((await send(message)).status).toBe(200)
    expect((await gateway.client('prison-health').find('Task'))[0]?.status).toBe('cancelled')
  })

  test('one nobody knows, one that names no id, and another referrer’s are 404, and nothing changes', async () => {
    const { request } = await sendKnown()
    const before = await gateway.rows()
    for (const [bundle, client] of [
      [takenBack({ request: 'never-heard-of-it' }), 'prison-health'],
      [takenBack({}), 'prison-health'],
      [takenBack({ request }), 'court-team'],
    ] as const) {
      const answer = await send(bundle, {}, client)
      expect([answer.status, answer.text]).toEqual([404, expect.stringContaining('REC_NOT_FOUND')])
      expect(issuesOf(answer)[0]).toMatchObject({ code: 'not-found', expression: 'Bundle.entry[1].resource.id' })
    }
    expect(await gateway.rows()).toEqual(before)
  })

  test('a status that says neither is 400', async () => {
    const { request } = await sendKnown()
    const answer = await send(takenBack({ request, status: 'completed' }))
    expect([answer.status, issuesOf(answer)[0]]).toEqual([
      400,
      expect.objectContaining({ code: 'invariant', expression: 'Bundle.entry[1].resource.status' }),
    ])
  })
})

describe('no referral', () => {
  test.each([
    ['names nobody', { without: ['Patient'] }, 400, 'Bundle.entry[1].resource.subject'],
    ['has no ServiceRequest', { without: ['ServiceRequest'] }, 400, 'Bundle.entry[0].resource.focus'],
  ])('a message that %s is refused, and nothing of it is kept', async (_, change, status, expression) => {
    const before = await gateway.rows()
    const answer = await send(referral(change))
    expect([answer.status, issuesOf(answer)[0]?.expression]).toEqual([status, expression])
    expect(await gateway.rows()).toEqual(before)
  })

  test('a partner can not refer', async () => {
    const { status } = await gateway.as('practice').call('POST', '/fhir/$process-message', referral())
    expect(status).toBe(403)
  })
})

const examples = new URL('../../../shared/examples/bars/', import.meta.url)
const files = existsSync(examples) ? readdirSync(examples) : []
const example = (start: string) =>
  JSON.parse(readFileSync(new URL(files.find((name) => name.startsWith(start)) as string, examples), 'utf8')) as Bundle

describe.skipIf(files.length === 0)('the public BaRS examples (skipped where they are not at hand)', () => {
  beforeEach(async () => {
    await gateway.close()
    // They name no RECONNECT service: with one service there is no question whose they are.
    gateway = await openGateway({
      directory: (file) => {
        file.services.pop()
        file.clients = file.clients.filter(({ service }) => service !== 'other-service')
      },
    })
  })

  test.each(['REFREQ01', 'REFREQ03', 'REFREQ06'])('%s is kept whole and answered; a navigator can act on it', async (name) => {
    const message = example(name)
    const { status, body, text } = await send(message)
    expect([status, status === 200 ? body.id : text]).toEqual([200, message.id])
    const [task] = of(body, 'Task')
    expect(outcomeOf(task)).toBe('needs-information')
    expect(asksOf(task).length).toBeGreaterThan(0)
    await nothingIsLost(message)
    const family = of(message, 'Patient')[0]?.name?.[0]?.family as string
    expect(await gateway.service.find('Patient', `family=${family}`)).toHaveLength(1)
    expect(await gateway.service.find('Task', 'status=on-hold')).toHaveLength(1)
    expect((await gateway.service.call('GET', `/fhir/${task?.focus?.reference}`)).status).toBe(200)
    await gateway.settled()
    for (const partner of Object.keys(partners) as (keyof typeof partners)[]) expect(gateway.partner(partner).received).toHaveLength(0)
  })

  test('SERVREQ01 takes back a referral nobody knows: 404', async () => {
    const answer = await send(example('SERVREQ01'))
    expect([answer.status, answer.text]).toEqual([404, expect.stringContaining('REC_NOT_FOUND')])
  })

  test('SERVREQ01 with the id our answer gave takes it back', async () => {
    const { body } = await send(example('REFREQ01'))
    const message = example('SERVREQ01')
    of(message, 'ServiceRequest')[0]!.id = of(body, 'ServiceRequest')[0]!.id as string
    expect((await send(message)).status).toBe(200)
    expect((await gateway.client('prison-health').find('Task'))[0]?.status).toBe('cancelled')
  })
})
