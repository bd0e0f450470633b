/**
 * Whose word something stands on: changes of the consent, referrals of the family, release dates, and every move of a handover.
 */
import type { Provenance } from '@medplum/fhirtypes'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { caseBundle, consentOf, partners, usual } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, says } from '../fixtures/gateway.ts'

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

test('on the service’s shelf alone', async () => {
  const [one] = await of(at.Consent as string)
  for (const id of [partners.practice, 'other-system']) {
    expect(await gateway.client(id).find('Provenance', `target=${at.Consent}`)).toEqual([])
    expect((await gateway.client(id).call('GET', `/fhir/Provenance/${one?.id}`)).status).toBe(404)
  }
})
