/**
 * Whose word something stands on: changes of the consent, referrals of the family, release dates, and every move of a handover.
 */
import type { Bundle, BundleEntry, Provenance, ServiceRequest } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ours } from '../../src/fhir/systems.ts'
import { caseBundle, consentOf, partners, usual } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, says } from '../fixtures/gateway.ts'
import { referral, referralPlaces } from '../fixtures/referral.ts'

let gateway: Gateway
let at: Record<string, string>
beforeEach(async () => {
  gateway = await openGateway()
  at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20' }))
})
afterEach(() => gateway.close())

const of = (target: string) => gateway.service.find('Provenance', `target=${target}`)
const whoIs = ({ agent }: Provenance, code: string) => agent.find(({ type }) => type?.coding?.[0]?.code === code)?.who

test('a changed consent names the version it replaced, who agreed and who entered it', async () => {
  const consent = {
    ...consentOf({ patient: at.Patient as string, agreed: usual, at: '2026-04-02T08:30:00Z' }),
    id: at.Consent?.split('/')[1],
  }
  await gateway.service.call('PUT', `/fhir/${at.Consent}`, consent)
  const found = await of(at.Consent as string)
  expect(found).toHaveLength(2)
  const changed = found.find(({ entity }) => entity) as Provenance
  expect(changed.entity).toEqual([{ role: 'revision', what: { reference: `${at.Consent}/_history/1` } }])
  expect(whoIs(changed, 'informant')?.reference).toBe(at.Patient)
  expect(whoIs(changed, 'enterer')?.identifier?.value).toBe('case-system')
  expect((await gateway.service.call<Provenance>('GET', `/fhir/Provenance/${changed.id}`)).body).toEqual(changed)
})

test('a release date is the word of the prison that gave it', async () => {
  const found = (await gateway.service.find('Provenance', `patient=${at.Patient}`)).filter(({ target }) =>
    target[0]?.reference?.startsWith('Observation/'),
  )
  expect(found.map((one) => whoIs(one, 'informant')?.identifier?.value)).toContain('HHI')
})

test('every move of a handover, with who made it', async () => {
  const task = await gateway.handover('practice')
  await gateway.as('practice').call('PATCH', `/fhir/Task/${task.id}`, says('received'))
  const found = await of(`Task/${task.id}`)
  expect(found.map(({ activity }) => activity?.text).some((text) => text?.endsWith('opened by the partner'))).toBe(true)
  expect(found.map((one) => whoIs(one, 'author')?.identifier?.value)).toContain(partners.practice)
})

describe('a referral', () => {
  const relative: BundleEntry = {
    fullUrl: 'urn:uuid:7b1d2f30-0000-4000-8000-000000000030',
    resource: { resourceType: 'RelatedPerson', patient: { reference: referralPlaces.patient }, relationship: [{ text: 'sister' }] },
  }
  const refer = async (referrerType: string, requester?: string, id?: string) => {
    await gateway.apply((file) => {
      Object.assign(file.clients.find(({ id }) => id === 'prison-health') as object, { referrerType })
    })
    const message = referral({ known: true, ...(id ? { id } : {}) })
    const focus = message.entry?.find(({ resource }) => resource?.resourceType === 'ServiceRequest')?.resource as ServiceRequest
    if (requester) focus.requester = { reference: requester }
    else delete focus.requester
    if (requester === relative.fullUrl) message.entry?.push(relative)
    const answer = await gateway.client('prison-health').call<Bundle>('POST', '/fhir/$process-message', message)
    expect(answer.status).toBe(200)
    const request = answer.body.entry?.find(({ resource }) => resource?.resourceType === 'ServiceRequest')?.resource as ServiceRequest
    const said = (await of(`ServiceRequest/${request.id}`)).find((one) => whoIs(one, 'informant'))
    return { said: said && whoIs(said, 'informant'), enteredBy: said && whoIs(said, 'enterer')?.identifier?.value, request }
  }

  test('of the person: theirs is the word, whoever wrote it down', async () => {
    const { said, enteredBy, request } = await refer('self')
    expect(said?.reference).toBe(request.subject.reference)
    expect(enteredBy).toBe('prison-health')
    const named = await refer('prison-healthcare', referralPlaces.patient, '5c0f1d52-3c0e-4b6e-9a60-0d6b7f1f0009')
    expect(named.said?.reference).toBe(named.request.subject.reference)
  })

  test('of somebody of the family who is named: the word is that person’s', async () => {
    const { said, request } = await refer('friend-family', relative.fullUrl)
    expect(said?.reference).toMatch(/^RelatedPerson\//)
    expect(request.requester?.reference).toBe(said?.reference)
    expect((await gateway.service.call('GET', `/fhir/${said?.reference}`)).body.resourceType).toBe('RelatedPerson')
  })

  test('of family or friends nobody names: the word of one of them', async () => {
    const { said, enteredBy } = await refer('friend-family')
    expect(said?.identifier).toEqual({ system: ours('referrer-type'), value: 'friend-family' })
    expect(enteredBy).toBe('prison-health')
  })

  test('of an organisation: its own word, and nobody else’s', async () => {
    expect((await refer('prison-healthcare')).said).toBeUndefined()
  })
})

test('on the service’s shelf alone', async () => {
  const [one] = await of(at.Consent as string)
  for (const id of [partners.practice, 'other-system']) {
    expect(await gateway.client(id).find('Provenance', `target=${at.Consent}`)).toEqual([])
    expect((await gateway.client(id).call('GET', `/fhir/Provenance/${one?.id}`)).status).toBe(404)
  }
})
