/**
 * The audit as FHIR: whatever happens to somebody's information is an AuditEvent of the profile it has, for the service alone.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { AuditEvent, Bundle, Parameters, Patient, Resource } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { recordAudit } from '../../src/store/audit.ts'
import { broken, claimOf } from '../fixtures/balp.ts'
import { caseBundle, consentOf, partners, usual } from '../fixtures/case-bundle.ts'
import { type Gateway, of, openGateway, type Reply, says } from '../fixtures/gateway.ts'
import { code, overriding, toPartner } from '../fixtures/override.ts'
import { referral } from '../fixtures/referral.ts'

const validator = new URL('../../../shared/tools/validate-fhir.mjs', import.meta.url)

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

/** Every event there is, through every page. */
async function events(query = ''): Promise<AuditEvent[]> {
  const all: AuditEvent[] = []
  for (let next: string | undefined = `/fhir/AuditEvent?_count=40&_sort=date${query && `&${query}`}`; next; ) {
    const { status, body, text }: Reply<Bundle> = await gateway.service.call<Bundle>('GET', next)
    if (status !== 200) throw new Error(text)
    all.push(...of(body, 'AuditEvent'))
    next = body.link?.find(({ relation }) => relation === 'next')?.url?.replace('http://exchange.test', '')
  }
  return all
}
const subtypes = (all: AuditEvent[]) => all.flatMap(({ subtype }) => subtype?.map(({ code }) => code as string) ?? [])
const transactionOf = (event: AuditEvent) =>
  event.extension?.find(({ url }) => url.endsWith('/transaction'))?.valueString ??
  event.entity?.find(({ type }) => type?.code === 'XrequestId')?.what?.identifier?.value

/** A person's whole story: handed in, told, read, answered, changed, withdrawn, referred, taken away. */
async function story(): Promise<Record<string, string>> {
  const at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20' }))
  const practice = gateway.as('practice')
  await practice.find('Patient')
  await practice.call('GET', `/fhir/${at.Patient}`)
  await practice.call('GET', `/fhir/${at.Patient}/_history/1`)
  await practice.call('GET', `/fhir/${at.Patient}/_history`)
  await practice.call('PATCH', `/fhir/Task/${(await gateway.handover('practice')).id}`, says('received'))
  await gateway.service.call('GET', `/fhir/${at.CareTeam}`)
  const { body: patient } = await gateway.service.call<Patient>('GET', `/fhir/${at.Patient}`)
  await gateway.service.call('PUT', `/fhir/${at.Patient}`, { ...patient, gender: 'unknown' })
  await gateway.service.call('PATCH', `/fhir/${at.Patient}`, [{ op: 'replace', path: '/gender', value: 'other' }])
  await gateway.service.call('DELETE', `/fhir/${at.Flag}`)
  const { practice: _, ...without } = usual
  const consent = {
    ...consentOf({ patient: at.Patient as string, agreed: without, at: '2026-04-02T08:30:00Z' }),
    id: at.Consent?.split('/')[1],
  }
  await gateway.service.call('PUT', `/fhir/${at.Consent}`, consent)
  await gateway.deliverer.idle()
  await practice.find('Patient')
  await gateway.client('prison-health').call('POST', '/fhir/$process-message', referral())
  await gateway.settled()
  return at
}

describe('every event', () => {
  test('meets the profile it claims, and every profile is claimed by somebody', async () => {
    await story()
    const all = await events()
    expect(all.length).toBeGreaterThan(40)
    expect(all.flatMap((event) => broken(event).map((fault) => `${event.id} ${fault}`))).toEqual([])
    const claims = new Set(all.map(claimOf))
    for (const name of ['Create', 'Read', 'Update', 'Delete', 'Query'].map((one) => `Patient${one}`)) expect(claims).toContain(name)
    for (const name of ['PrivacyDisclosure.Source', 'PrivacyDisclosure.Recipient', 'AuthZconsent']) expect(claims).toContain(name)
  })

  test.skipIf(!existsSync(validator))('is valid FHIR (needs ../shared/tools/validate-fhir.mjs)', async () => {
    await story()
    const { validate } = (await import(fileURLToPath(validator))) as { validate: (resource: Resource) => string[] }
    expect([...new Set((await events()).flatMap((event) => validate(event)))]).toEqual([])
  })

  test('has an id of its own, and is read by it', async () => {
    const at = await story()
    const all = await events(`patient=${at.Patient}`)
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
    for (const event of all.filter((_, n) => n % 7 === 0))
      expect((await gateway.service.call<AuditEvent>('GET', `/fhir/AuditEvent/${event.id}`)).body).toEqual(event)
  })
})

describe('nothing leaves without a decision', () => {
  test('every message a partner was sent has one under its own key, and every reading one under its request', async () => {
    await story()
    const decisions = (await events('type=110113&outcome=0')).map(transactionOf)
    const keys = Object.keys(partners).flatMap((name) => gateway.partner(name).received.map(({ key }) => key))
    expect(keys.length).toBeGreaterThan(4)
    for (const key of keys) expect(decisions).toContain(key)
    const requests = (await events('subtype=disclose&action=R')).map(transactionOf)
    expect(requests.length).toBeGreaterThan(keys.length)
    for (const request of requests) expect(decisions).toContain(request)
  })

  test('what is withheld when it is planned is a denial that names the consent and says why', async () => {
    await gateway.handIn(caseBundle({ agreed: {} }))
    const denials = await events('type=110113&outcome=8')
    expect(denials.length).toBe(4)
    for (const denial of denials) {
      expect(claimOf(denial)).toBe('AuthZconsent')
      expect(denial.outcomeDesc).toBe('the person has not agreed that this partner is told')
    }
  })

  test('with no consent on file the denial is the same and claims no profile', async () => {
    const at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20' }))
    await gateway.database.atomically([
      recordAudit([
        {
          id: '0199-without',
          at: gateway.clock.now().toISOString(),
          action: 'withhold',
          who: 'exchange',
          patient: at.Patient?.split('/')[1] as string,
          recipient: partners.practice,
          detail: JSON.stringify({ because: 'no agreement of the person to share anything is on record', when: 'planned' }),
        },
      ]),
    ])
    const { body } = await gateway.service.call<AuditEvent>('GET', '/fhir/AuditEvent/0199-without')
    expect(body).toMatchObject({ type: { code: '110113' }, subtype: [{ code: 'AuthZ-Consent' }], outcome: '8' })
    expect(body.meta?.profile).toBeUndefined()
  })

  test('a reading that comes after the agreement ran out is a denial under that request, and the reader sees nothing', async () => {
    const at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20' }))
    const short = consentOf({ patient: at.Patient as string, agreed: usual, at: '2026-04-02T08:30:00Z', until: '2026-04-10' })
    await gateway.service.call('PUT', `/fhir/${at.Consent}`, { ...short, id: at.Consent?.split('/')[1] })
    gateway.clock.set(new Date('2026-04-12T09:00:00Z'))
    const requestId = '5a9d6f4e-7b1c-4d2e-9f3a-0b1c2d3e4f50'
    const { body } = await gateway.as('practice').call<Bundle>('GET', '/fhir/Patient', undefined, { 'x-request-id': requestId })
    expect(body.entry).toBeUndefined()
    const denials = (await events('type=110113&outcome=8')).filter((one) => transactionOf(one) === requestId)
    expect(denials).toHaveLength(1)
    expect(denials[0]).toMatchObject({ outcomeDesc: 'the agreement does not cover today' })
  })

  test('an override says for what purpose, and which it was, in everything told under it', async () => {
    const at = await gateway.handIn(caseBundle({ agreed: {}, releaseDate: '2026-04-20' }))
    const said = overriding(...toPartner('recovery'), code('item', 'medication'), code('basis', 'vital-interests'))
    const desk = gateway.client('safeguarding-desk')
    const { status, body } = await desk.call<Parameters>('POST', `/fhir/${at.Patient}/$override`, said)
    expect(status).toBe(200)
    await gateway.deliverer.idle()
    await gateway.as('recovery').find('MedicationStatement')
    const id = body.parameter?.find(({ name }) => name === 'override')?.valueString
    const under = (await events()).filter(({ entity }) => entity?.some(({ what }) => what?.identifier?.value === id))
    expect(under.every(({ purposeOfEvent }) => purposeOfEvent?.[0]?.coding?.[0]?.code === 'BTG')).toBe(true)
    const kinds = new Set(under.map(({ type, outcome }) => `${type?.code} ${outcome}`))
    for (const kind of ['110106 0', '110113 0', 'rest 0']) expect(kinds).toContain(kind)
    expect(under.flatMap((event) => broken(event))).toEqual([])
  })
})

describe('searching', () => {
  test('the newest first, a page at a time, without gap or repeat', async () => {
    await story()
    const { body } = await gateway.service.call<Bundle>('GET', '/fhir/AuditEvent?_count=5')
    const recorded = of(body, 'AuditEvent').map((event) => event.recorded as string)
    expect(recorded).toEqual([...recorded].sort().reverse())
    const all = await events()
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
  })

  test('by person, kind, action, outcome, organisation, record and time', async () => {
    const at = await story()
    expect(subtypes(await events(`patient=${at.Patient}&subtype=vread`))).toEqual(['vread'])
    expect((await events('action=D')).map((event) => event.entity?.[1]?.what?.reference)).toEqual([`${at.Flag}`])
    expect(await events(`agent=Organization/${partners.recovery}&action=R`)).not.toEqual([])
    expect(await events(`entity=${at.Patient}&patient=${at.Patient}&action=U`)).not.toEqual([])
    expect(await events('date=ge2027-01-01')).toEqual([])
    expect(await events('date=ge2026-04-02&date=lt2026-04-03&outcome=0')).not.toEqual([])
  })

  test('is itself in the audit, with what was asked', async () => {
    const at = await story()
    await events(`patient=${at.Patient}&subtype=disclose`)
    const searches = (await events(`patient=${at.Patient}&subtype=search-type`)).map((event) => atob(event.entity?.[1]?.query ?? ''))
    expect(searches.some((asked) => asked.startsWith('AuditEvent?') && asked.includes('subtype=disclose'))).toBe(true)
  })

  test('what it can not do it refuses', async () => {
    for (const query of [
      '_sort=action',
      '_include=AuditEvent:patient',
      '_total=accurate',
      '_summary=count',
      'patient.identifier=1',
      'nonsense=1',
    ])
      expect((await gateway.service.call('GET', `/fhir/AuditEvent?${query}`)).status, query).toBe(400)
  })
})

describe('for everybody else there is no audit', () => {
  test('a partner and a referrer are answered as for a type that is not served, another service finds nothing', async () => {
    await story()
    const [one] = await events()
    for (const id of [partners.practice, 'prison-health']) {
      const client = gateway.client(id)
      const unserved = await client.call('GET', '/fhir/Nothing')
      for (const [method, path] of [
        ['GET', '/fhir/AuditEvent'],
        ['GET', `/fhir/AuditEvent/${one?.id}`],
        ['GET', `/fhir/AuditEvent/${one?.id}/_history/1`],
        ['POST', '/fhir/AuditEvent'],
      ] as const)
        expect(await client.call(method, path, method === 'POST' ? one : undefined), path).toMatchObject({
          status: 404,
          body: unserved.body,
        })
    }
    const other = gateway.client('other-system')
    expect((await other.call('GET', `/fhir/AuditEvent/${one?.id}`)).status).toBe(404)
    expect(of((await other.call<Bundle>('GET', '/fhir/AuditEvent')).body, 'AuditEvent')).toEqual([])
  })

  test('nobody writes it', async () => {
    await story()
    const [one] = await events()
    expect((await gateway.service.call('POST', '/fhir/AuditEvent', one)).status).toBe(405)
    expect((await gateway.service.call('PUT', `/fhir/AuditEvent/${one?.id}`, one)).status).toBe(405)
    expect((await gateway.service.call('DELETE', `/fhir/AuditEvent/${one?.id}`)).status).toBe(405)
  })
})
