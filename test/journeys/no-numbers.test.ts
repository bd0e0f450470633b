/**
 * Somebody in an immigration removal centre with no number at all, and no date: referred, accepted, and told on by name and date of birth.
 */
import type { Bundle, Observation, Task } from '@medplum/fhirtypes'
import { expect, test } from 'vitest'
import { coded, consentOf, custodyOf, type PartnerName, planOf, usual } from '../fixtures/case-bundle.ts'
import { of, openGateway, standing } from '../fixtures/gateway.ts'
import { referral } from '../fixtures/referral.ts'

const inCentre = (patient: string, releaseDate: string | null, id?: string): Observation => {
  const custody = custodyOf({ patient, releaseDate, basis: 'immigration-detention', ...(id ? { id } : {}) })
  const place = { code: coded('observation', 'establishment'), valueCodeableConcept: coded('prison', 'IRX', 'Test removal centre') }
  return { ...custody, component: [place, ...(custody.component ?? []).slice(1)] }
}

test('an immigration detainee without any number is supported like anybody else', async () => {
  const gateway = await openGateway({
    directory: ({ services, clients }) => {
      services[0]?.prisons.push('IRX')
      const like = clients.find(({ id }) => id === 'prison-health')
      clients.push({ ...like, id: 'enforcement', name: 'Enforcement team', referrerType: 'home-office-enforcement' })
    },
  })
  const custody = inCentre('set by the bundle', null)
  const message = referral({ known: true, without: ['CarePlan', 'Consent', 'MedicationStatement', 'Flag'], more: [custody] })
  const answer = await gateway.client('enforcement').call<Bundle>('POST', '/fhir/$process-message', message)
  const task = of(answer.body, 'Task')[0] as Task
  expect([answer.status, task.businessStatus?.coding?.[0]?.code]).toEqual([200, 'accepted'])
  expect(task.statusReason?.coding?.map(({ code }) => code)).toEqual(['eligible', 'release-date-unknown'])

  const patient = `Patient/${of(answer.body, 'Patient')[0]?.id}`
  const add = async (resource: { resourceType: string }): Promise<string> => {
    const { status, body, text } = await gateway.service.call('POST', `/fhir/${resource.resourceType}`, resource)
    expect([status, status === 201 ? '' : text]).toEqual([201, ''])
    return `${body.resourceType}/${body.id}`
  }
  const worker = {
    resourceType: 'PractitionerRole',
    active: true,
    telecom: [{ system: 'phone', value: '01910000451' }],
    practitioner: { display: 'Pat Quayle' },
  }
  const team = {
    resourceType: 'CareTeam',
    status: 'active',
    subject: { reference: patient },
    participant: [{ role: [coded('team-role', 'named-worker')], member: { reference: await add(worker) } }],
  }
  await add(consentOf({ patient, agreed: usual }))
  await add(planOf({ patient, team: await add(team), plan: ['practice', 'recovery', 'probation', 'enhanced'] }))
  await gateway.settled()

  /** Partners that were told, each of them who the person is and no number. */
  const told = (): PartnerName[] =>
    (['practice', 'recovery', 'probation', 'enhanced'] as const).filter((name) => {
      const { received } = gateway.partner(name)
      for (const { bundle } of received) {
        const [person] = of(bundle, 'Patient')
        expect([person?.name?.[0]?.family, person?.name?.[0]?.given, person?.birthDate]).toEqual(['Oxlade', ['Chris'], '1991-09-09'])
        expect(person?.identifier?.filter(({ value }) => value) ?? []).toEqual([])
      }
      return received.length > 0
    })
  // The practice is asked 28 days before release, whenever that is.
  expect(told()).toEqual(['recovery', 'probation', 'enhanced'])
  const unknown = { reason: 'release-date-unknown', task: (await gateway.handover('practice')).id }
  expect(await gateway.work()).toContainEqual(expect.objectContaining(unknown))

  const [stay] = await gateway.service.find('Observation', 'code=custody')
  const known = await gateway.service.call('PUT', `/fhir/Observation/${stay?.id}`, inCentre(patient, '2026-04-10', stay?.id))
  expect(known.status).toBe(200)
  await gateway.settled()
  expect(told()).toEqual(['practice', 'recovery', 'probation', 'enhanced'])
  expect(standing(await gateway.handover('practice'))).toBe('requested delivered')
  expect((await gateway.work()).map(({ reason }) => reason)).not.toContain('release-date-unknown')
  await gateway.close()
})
