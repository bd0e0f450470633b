/**
 * From a case handed in to a loop closed: who is told what, when, and how it ends.
 */
import type { Bundle, CarePlan, MessageHeader, Parameters, Practitioner, Task } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { caseBundle, custodyOf, partners, planOf, words, wordsIn } from '../fixtures/case-bundle.ts'
import { type Gateway, of, openGateway, says, standing, valuesOf } from '../fixtures/gateway.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const reasonOf = (bundle: Bundle) => (of(bundle, 'MessageHeader')[0] as MessageHeader).reason?.coding?.[0]?.code

describe('the straight journey', () => {
  test('a case handed in is told to each partner as agreed, answered, and closed by outcomes', async () => {
    const at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20' }))

    const told = (name: keyof typeof partners) =>
      wordsIn(
        gateway
          .partner(name)
          .received.map(({ text }) => text)
          .join(),
      )
    expect(told('practice').sort()).toEqual(['address', 'adjustments', 'contact', 'identity', 'medication', 'mentalHealth', 'sexualHealth'])
    expect(told('recovery')).toEqual(expect.arrayContaining(['identity', 'substance', 'medication', 'adjustments']))
    expect(told('recovery')).not.toEqual(expect.arrayContaining(['sexualHealth']))
    expect(told('probation').sort()).toEqual(expect.arrayContaining(['adjustments', 'identity']))
    for (const secret of ['substance', 'mentalHealth', 'sexualHealth', 'medication', 'unlabelled'] as const) {
      expect(told('probation')).not.toContain(secret)
    }
    for (const name of Object.keys(partners) as (keyof typeof partners)[]) {
      expect(gateway.partner(name).received).toHaveLength(1)
      expect(reasonOf(gateway.partner(name).received[0]!.bundle)).toBe('new')
      expect(told(name)).not.toContain('unlabelled')
      expect(standing(await gateway.handover(name))).toBe('requested delivered')
    }

    const practice = gateway.as('practice')
    const [task] = await practice.find('Task')
    const say = (...said: [status: string, businessStatus?: string]) =>
      practice.call<Task>('PATCH', `/fhir/Task/${task?.id}`, says(...said))
    expect((await say('completed', 'registered')).status).toBe(422)
    expect((await say('accepted')).status).toBe(200)
    expect((await say('in-progress')).status).toBe(200)
    expect((await say('completed')).status).toBe(422)
    expect((await say('completed', 'engaged')).status).toBe(422)
    expect((await say('completed', 'registered')).status).toBe(200)
    expect(standing(await gateway.handover('practice'))).toBe('completed registered')
    expect((await say('accepted')).status).toBe(422)

    const who = await gateway.service.call<Parameters>('GET', `/fhir/${at.Patient}/$who-was-told`)
    expect(new Set(valuesOf(who.body, 'recipient'))).toEqual(new Set(Object.values(partners).map((id) => `Organization/${id}`)))
    expect(gateway.logged.join()).not.toMatch(new RegExp(Object.values(words).join('|')))
  })

  test('a partner’s servicerequest-response moves its handover like a patch would', async () => {
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const [sent] = gateway.partner('recovery').received
    const [task] = await gateway.as('recovery').find('Task')
    const answer = {
      resourceType: 'Bundle',
      id: '6e1c57f4-0d1c-4f0a-9f5c-6a1d3c1b0001',
      type: 'message',
      timestamp: '2026-04-02T09:00:00Z',
      entry: [
        {
          fullUrl: 'urn:uuid:6e1c57f4-0d1c-4f0a-9f5c-6a1d3c1b0002',
          resource: {
            resourceType: 'MessageHeader',
            eventCoding: { system: 'https://fhir.nhs.uk/CodeSystem/message-events-bars', code: 'servicerequest-response' },
            reason: { coding: [{ system: 'https://fhir.nhs.uk/CodeSystem/message-reason-bars', code: 'new' }] },
            source: { endpoint: 'https://recovery.test/fhir' },
            response: { identifier: sent?.bundle.id, code: 'ok' },
          },
        },
        { fullUrl: `urn:uuid:${task?.id}`, resource: { ...task, status: 'accepted' } },
      ],
    }
    expect((await gateway.as('recovery').call('POST', '/fhir/$process-message', answer)).status).toBe(200)
    expect(standing(await gateway.handover('recovery'))).toBe('accepted accepted')
    // Nobody else may answer for it: to them there is no such handover.
    const stranger = { ...answer, id: '6e1c57f4-0d1c-4f0a-9f5c-6a1d3c1b0009' }
    expect((await gateway.as('practice').call('POST', '/fhir/$process-message', stranger)).status).toBe(404)
  })

  test('a navigator records what was said on the phone', async () => {
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const { id } = await gateway.handover('recovery')
    expect((await gateway.service.call('PATCH', `/fhir/Task/${id}`, says('accepted'))).status).toBe(200)
    const [theirs] = await gateway.as('recovery').find('Task')
    expect(theirs?.status).toBe('accepted')
  })
})

describe('windows', () => {
  test('a practice waits for 28 days before release; the clock alone sends it', async () => {
    await gateway.handIn(caseBundle({ releaseDate: '2026-05-15' }))
    expect(gateway.partner('practice').received).toHaveLength(0)
    expect(gateway.partner('recovery').received).toHaveLength(1)
    expect(standing(await gateway.handover('practice'))).toBe('draft preparing')
    expect(await gateway.as('practice').find('Patient')).toHaveLength(0)

    await gateway.turn('2026-04-16T22:59:59Z')
    expect(gateway.partner('practice').received).toHaveLength(0)
    await gateway.turn('2026-04-16T23:00:00Z') // midnight in London: 17 April, 28 days before
    expect(gateway.partner('practice').received).toHaveLength(1)
    expect(gateway.partner('recovery').received).toHaveLength(2) // it has not answered, and was reminded
    expect(standing(await gateway.handover('practice'))).toBe('requested delivered')
  })

  test('a release brought forward brings the practice forward; one put back puts it back', async () => {
    const at = await gateway.handIn(caseBundle({ releaseDate: '2026-05-15', plan: ['practice'] }))
    const [custody] = (await gateway.service.find('Observation', 'code=custody')).slice(0, 1)
    const move = (releaseDate: string) =>
      gateway.service.call(
        'PUT',
        `/fhir/Observation/${custody?.id}`,
        custodyOf({ patient: at.Patient!, releaseDate, id: custody?.id as string }),
      )
    expect((await move('2026-06-15')).status).toBe(200)
    await gateway.turn('2026-04-20T09:00:00Z')
    expect(gateway.partner('practice').received).toHaveLength(0)
    expect((await move('2026-05-11')).status).toBe(200)
    await gateway.deliverer.idle()
    expect(gateway.partner('practice').received).toHaveLength(1)
  })

  test('no release date: the practice waits with a work item, and is asked once the date is known', async () => {
    const at = await gateway.handIn(caseBundle({ releaseDate: null }))
    expect(gateway.partner('practice').received).toHaveLength(0)
    expect(gateway.partner('recovery').received).toHaveLength(1)
    const { id } = await gateway.handover('practice')
    expect(await gateway.work()).toEqual(expect.arrayContaining([expect.objectContaining({ reason: 'release-date-unknown', task: id })]))

    const custody = (await gateway.service.find('Observation', 'code=custody'))[0]
    await gateway.service.call(
      'PUT',
      `/fhir/Observation/${custody?.id}`,
      custodyOf({ patient: at.Patient!, releaseDate: '2026-04-10', id: custody?.id as string }),
    )
    await gateway.deliverer.idle()
    expect(gateway.partner('practice').received).toHaveLength(1)
    expect(await gateway.work()).not.toEqual(expect.arrayContaining([expect.objectContaining({ reason: 'release-date-unknown' })]))
  })
})

describe('changes', () => {
  const plan = async (): Promise<CarePlan> => (await gateway.service.find('CarePlan'))[0]!

  test('what concerns a partner is told as an update of the same Task; nobody else hears of it', async () => {
    await gateway.handIn(caseBundle())
    const changed = await plan()
    changed.activity!.find(({ detail }) => detail?.performer?.[0]?.reference === `Organization/${partners.recovery}`)!.detail!.description =
      'Be seen the day after release'
    expect((await gateway.service.call('PUT', `/fhir/CarePlan/${changed.id}`, changed)).status).toBe(200)
    await gateway.deliverer.idle()
    const [first, second, ...more] = gateway.partner('recovery').received
    expect(more).toHaveLength(0)
    expect(reasonOf(second!.bundle)).toBe('update')
    expect(second!.text).toContain('the day after release')
    expect(of(second!.bundle, 'Task')[0]?.id).toBe(of(first!.bundle, 'Task')[0]?.id)
    expect(gateway.partner('probation').received).toHaveLength(1)
    expect(gateway.partner('enhanced').received).toHaveLength(1)
  })

  test('writing the same again, or what nobody is told, sends nothing', async () => {
    await gateway.handIn(caseBundle())
    const same = await plan()
    await gateway.service.call('PUT', `/fhir/CarePlan/${same.id}`, same)
    await gateway.service.call('PUT', `/fhir/CarePlan/${same.id}`, { ...same, note: [{ text: 'Only for us' }] })
    await gateway.deliverer.idle()
    for (const name of ['recovery', 'probation', 'enhanced'] as const) expect(gateway.partner(name).received).toHaveLength(1)
  })

  test('what was told twice over and stands there once now is nothing new', async () => {
    await gateway.handIn(caseBundle())
    const [need] = await gateway.service.find('Condition')
    const { id: _id, meta, ...rest } = need!
    const again = await gateway.service.call('POST', '/fhir/Condition', { ...rest, meta: { security: meta?.security } })
    expect(again.status).toBe(201)
    await gateway.deliverer.idle()
    const told = (await gateway.as('recovery').find('Condition')).length
    expect((await gateway.service.call('DELETE', `/fhir/Condition/${again.body.id}`)).status).toBe(204)
    await gateway.deliverer.idle()
    expect(gateway.partner('recovery').received).toHaveLength(1)
    expect(told).toBeGreaterThan(0)
    expect((await gateway.as('recovery').find('Condition')).length).toBeLessThanOrEqual(told)
  })

  test('an activity taken out of the plan is recalled: a notice without content, and an empty shelf', async () => {
    const at = await gateway.handIn(caseBundle())
    const { id } = await plan()
    const without = planOf({ patient: at.Patient!, team: at.CareTeam!, plan: ['practice', 'probation', 'enhanced'], id: id as string })
    expect((await gateway.service.call('PUT', `/fhir/CarePlan/${id}`, without)).status).toBe(200)
    expect(await gateway.as('recovery').find('Patient')).toHaveLength(0)
    await gateway.deliverer.idle()
    const [, notice, ...more] = gateway.partner('recovery').received
    expect(more).toHaveLength(0)
    expect(of(notice!.bundle, 'ServiceRequest')[0]?.status).toBe('revoked')
    expect(wordsIn(notice!.text)).toEqual([])
    expect((await gateway.handover('recovery')).status).toBe('cancelled')
    // The practice had not been told anything yet, and probation is not concerned.
    expect(gateway.partner('practice').received).toHaveLength(0)
    expect(gateway.partner('probation').received).toHaveLength(1)
  })

  test('another phone of the worker reaches every partner that was told of the worker', async () => {
    await gateway.handIn(caseBundle())
    const role = (await gateway.service.find('PractitionerRole'))[0]!
    const changed = { ...role, telecom: [{ system: 'phone', value: '01910000999' }] }
    expect((await gateway.service.call('PUT', `/fhir/PractitionerRole/${role.id}`, changed)).status).toBe(200)
    await gateway.deliverer.idle()
    for (const name of ['recovery', 'probation', 'enhanced'] as const) {
      const { received } = gateway.partner(name)
      expect(received).toHaveLength(2)
      expect(reasonOf(received[1]!.bundle)).toBe('update')
      expect(received[1]!.text).toContain('01910000999')
    }
    const person = (await gateway.service.find('Practitioner'))[0] as Practitioner
    await gateway.service.call('PUT', `/fhir/Practitioner/${person.id}`, { ...person, name: [{ family: 'Quayle-Moss', given: ['Pat'] }] })
    await gateway.deliverer.idle()
    expect(gateway.partner('recovery').received[2]?.text).toContain('Quayle-Moss')
  })

  test('the person dies: handovers not yet received end, and partners get the bare notice only', async () => {
    const at = await gateway.handIn(caseBundle())
    const [theirs] = await gateway.as('recovery').find('Task')
    await gateway.as('recovery').call('PATCH', `/fhir/Task/${theirs?.id}`, says('accepted'))
    const patient = (await gateway.service.find('Patient'))[0]!
    await gateway.service.call('PUT', `/fhir/${at.Patient}`, { ...patient, deceasedBoolean: true })
    await gateway.deliverer.idle()
    expect((await gateway.handover('probation')).status).toBe('cancelled')
    expect((await gateway.handover('practice')).status).toBe('cancelled')
    expect(standing(await gateway.handover('recovery'))).toBe('accepted cancellation-requested')
    for (const name of ['recovery', 'probation', 'enhanced'] as const) {
      const [, notice, ...more] = gateway.partner(name).received
      expect(more).toHaveLength(0)
      expect(of(notice!.bundle, 'ServiceRequest')[0]?.status).toBe('revoked')
      expect(wordsIn(notice!.text)).toEqual([])
      expect(notice!.text).not.toMatch(/deceased|died|death/i)
    }
    expect(gateway.partner('practice').received).toHaveLength(0)
  })
})

describe('partners', () => {
  test('a partner that says no with a reason becomes a work item, and its shelf is emptied', async () => {
    await gateway.handIn(caseBundle())
    const recovery = gateway.as('recovery')
    const [task] = await recovery.find('Task')
    expect((await recovery.call('PATCH', `/fhir/Task/${task?.id}`, says('rejected'))).status).toBe(422)
    expect((await recovery.call('PATCH', `/fhir/Task/${task?.id}`, says('rejected', undefined, 'No places until June'))).status).toBe(200)
    const { id, status, statusReason } = await gateway.handover('recovery')
    expect([status, statusReason?.text]).toEqual(['rejected', 'No places until June'])
    expect(await gateway.work()).toEqual(expect.arrayContaining([expect.objectContaining({ reason: 'no-alternative', task: id })]))
    expect(await recovery.find('Patient')).toHaveLength(0)
    expect(await recovery.find('Condition')).toHaveLength(0)
    expect((await recovery.find('Task'))[0]?.status).toBe('rejected')
  })

  test('a stale If-Match is 412 and moves nothing', async () => {
    await gateway.handIn(caseBundle({ plan: ['recovery'] }))
    const recovery = gateway.as('recovery')
    const [task] = await recovery.find('Task')
    const read = await recovery.call('GET', `/fhir/Task/${task?.id}`)
    const etag = read.headers.get('etag') as string
    expect((await recovery.call('PATCH', `/fhir/Task/${task?.id}`, says('accepted'), { 'if-match': etag })).status).toBe(200)
    expect((await recovery.call('PATCH', `/fhir/Task/${task?.id}`, says('in-progress'), { 'if-match': etag })).status).toBe(412)
    expect((await gateway.handover('recovery')).status).toBe('accepted')
  })

  test('what is another partner’s, another service’s or nobody’s does not exist', async () => {
    const at = await gateway.handIn(caseBundle())
    const { id } = await gateway.handover('recovery')
    for (const [client, path] of [
      [gateway.as('practice'), `/fhir/Task/${id}`],
      [gateway.as('practice'), `/fhir/Task/${id}/_history`],
      [gateway.as('probation'), `/fhir/${at.Condition}`],
      [gateway.client('other-system'), `/fhir/${at.Patient}`],
      [gateway.client('other-system'), `/fhir/${at.Patient}/$who-was-told`],
      [gateway.client('other-system'), `/fhir/Task/${id}/$why`],
    ] as const) {
      const { status, text } = await client.call('GET', path)
      expect([path, status]).toEqual([path, 404])
      expect(wordsIn(text)).toEqual([])
    }
    expect(await gateway.client('other-system').find('Patient')).toHaveLength(0)
    expect(await gateway.as('probation').find('Task')).toHaveLength(1)
  })
})
