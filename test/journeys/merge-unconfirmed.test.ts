/**
 * Of two records that were merged only one had an agreement. Until the person has said that it holds for all of it, partners are told what
 * that one record held, and nothing of the other: should they be two people after all, nothing has to be taken back.
 */
import type { Observation, Parameters, Patient } from '@medplum/fhirtypes'
import { afterEach, describe, expect, test } from 'vitest'
import { consentOf, custodyOf, usual } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, standing, valuesOf } from '../fixtures/gateway.ts'
import { handInEvent, prisonEvent } from '../fixtures/hmpps.ts'
import { caseFor, isIn, mergingOn, numbers, ok, withoutPlan } from '../fixtures/merging.ts'

let gateway: Gateway
afterEach(() => gateway.close())
const { merge, unmerge, reasons, shelfOf } = mergingOn(() => gateway)

const agree = async (patient: string, at = '2026-04-02T09:00:00Z') => {
  ok(await gateway.service.call('POST', '/fhir/Consent', consentOf({ patient, agreed: usual, at })))
  await gateway.settled()
}
/** Anna agreed and a partner is at it; of Berta there is a record and no agreement. */
async function begun(plan: 'own' | 'none' = 'none') {
  gateway = await openGateway()
  const anna = await gateway.handIn(caseFor('Anna', { plan: ['recovery'] }))
  const record = caseFor('Berta', { plan: ['recovery', 'enhanced'], agreed: null, releaseDate: '2026-05-01' })
  const berta = await gateway.handIn(plan === 'none' ? withoutPlan(record) : record)
  const [task] = await gateway.as('recovery').find('Task')
  ok(await gateway.as('recovery').call('PATCH', `/fhir/Task/${task?.id}`, [{ op: 'replace', path: '/status', value: 'accepted' }]))
  return { anna, berta, a: anna.Patient as string, b: berta.Patient as string }
}
const toldNow = async () => {
  const text = await shelfOf('recovery')
  return [isIn(text, 'Anna'), isIn(text, 'Berta')]
}

describe.each([
  ['the record that stays', 'a'],
  ['the record that goes', 'b'],
] as const)('the agreement stands in %s', (_, stays) => {
  const merged = async () => {
    const known = await begun()
    const [source, target] = stays === 'a' ? [known.b, known.a] : [known.a, known.b]
    const from = gateway.partner('recovery').received.length
    ok(await merge(source, target))
    await gateway.settled()
    return {
      ...known,
      source,
      target,
      sent: () =>
        gateway
          .partner('recovery')
          .received.slice(from)
          .map(({ text }) => text),
    }
  }

  test('the partner holds what it held, and its handover goes on; a navigator is asked', async () => {
    const { target, sent } = await merged()
    expect(await toldNow()).toEqual([true, false])
    expect(standing(await gateway.handover('recovery'))).toBe('accepted accepted')
    expect(sent().filter((text) => isIn(text, 'Berta') || text.includes('2026-05-01'))).toEqual([])
    expect((await gateway.as('recovery').find('Patient')).map(({ id }) => `Patient/${id}`)).toEqual([target])
    expect(JSON.stringify(await gateway.as('recovery').find('Observation'))).toContain('2026-05-15')
    // The record that stays has the other day, which the partner may not be told.
    const words = stays === 'a' ? /^Two records were merged/ : /^The release date is now Friday 1 May 2026\..* Two records were merged/
    expect((await gateway.work()).find(({ reason }) => reason === 'consent-unconfirmed')?.words).toMatch(words)
  })

  test('nothing recorded since is told, and nothing is told in a changed form; what stops telling does so at once', async () => {
    const { target, anna } = await merged()
    const flag = { resourceType: 'Flag', status: 'active', subject: { reference: target } }
    const about = { security: [{ system: 'https://reconnect.example/fhir/CodeSystem/category', code: 'adjustments' }] }
    ok(await gateway.service.call('POST', '/fhir/Flag', { ...flag, code: { text: 'Lateword' }, meta: about }))
    const now = ok(await gateway.service.call<Patient>('GET', `/fhir/${target}`)).body
    ok(await gateway.service.call('PUT', `/fhir/${target}`, { ...now, name: [{ family: 'Latename', given: ['Jo'] }] }))
    ok(
      await gateway.service.call('PUT', `/fhir/${anna.Observation}`, {
        ...custodyOf({ patient: target, releaseDate: '2026-05-08' }),
        id: anna.Observation?.slice(12),
      }),
    )
    await gateway.settled()
    expect(await shelfOf('recovery')).not.toMatch(/Lateword|Latename|2026-05-08/)
    const [need] = (await gateway.as('recovery').find('Condition')).map(({ id }) => id)
    const { body } = ok(await gateway.service.call<Observation>('GET', `/fhir/Condition/${need}`))
    const unfounded = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-ver-status', code: 'entered-in-error' }] }
    ok(await gateway.service.call('PUT', `/fhir/Condition/${need}`, { ...body, verificationStatus: unfounded, clinicalStatus: undefined }))
    expect((await gateway.as('recovery').find('Condition')).map(({ id }) => id)).not.toContain(need)
    await agree(target)
    expect(await shelfOf('recovery')).toMatch(/Lateword/)
    expect(await shelfOf('recovery')).toMatch(/Latename/)
  })

  test('once the person has said it anew, all of it is told', async () => {
    const { target } = await merged()
    // Said before the records were one, and recorded only now: it was about one of them.
    await agree(target, '2026-04-01T20:00:00Z')
    expect(await toldNow()).toEqual([true, false])
    expect(await reasons()).toContain('consent-unconfirmed')
    await agree(target)
    expect(await toldNow()).toEqual([true, true])
    expect(await reasons()).not.toContain('consent-unconfirmed')
  })

  test('and two again: nothing had to be taken back', async () => {
    const { source, sent } = await merged()
    ok(await unmerge(source))
    await gateway.settled()
    expect(await toldNow()).toEqual([true, false])
    expect(sent().filter((text) => isIn(text, 'Berta') || text.includes('revoked'))).toEqual([])
    expect(standing(await gateway.handover('recovery'))).toBe('accepted accepted')
    expect(await reasons()).not.toContain('consent-unconfirmed')
  })

  test('$why says what is held back, and what would change it', async () => {
    const { target, berta } = await merged()
    const task = await gateway.handover('recovery')
    const flags = await gateway.service.find('Condition', `patient=${target}`)
    const hers = flags.find((one) => isIn(JSON.stringify(one), 'Berta') && JSON.stringify(one).includes('Tarnflower'))
    const why = ok(await gateway.service.call<Parameters>('GET', `/fhir/Task/${task.id}/$why?item=Condition/${hers?.id}`)).body
    expect(valuesOf(why, 'answer')).toEqual(['withheld'])
    expect(valuesOf(why, 'would-change')).toEqual(['Ask the person, and record what they say as a new agreement.'])
    expect(berta.Patient).toBeDefined()
  })

  test('what HMPPS says of the other number moves the record, and is told when it is confirmed', async () => {
    const { target } = await merged()
    ok(await handInEvent(gateway, prisonEvent('released', { noms: numbers.Berta[1], code: 'CR', at: '2026-04-02T08:30:00+01:00' })))
    await gateway.settled()
    expect((await gateway.as('recovery').find('Observation')).filter(({ effectivePeriod }) => effectivePeriod?.end)).toEqual([])
    await agree(target, '2026-04-02T10:30:00Z')
    expect((await gateway.as('recovery').find('Observation')).some(({ effectivePeriod }) => effectivePeriod?.end)).toBe(true)
  })

  test('a death that stands in either stops everything', async () => {
    const { a, b } = await begun()
    const { body } = ok(await gateway.service.call<Patient>('GET', `/fhir/${b}`))
    ok(await gateway.service.call('PUT', `/fhir/${b}`, { ...body, deceasedBoolean: true }))
    ok(await (stays === 'a' ? merge(b, a) : merge(a, b)))
    await gateway.settled()
    expect(await toldNow()).toEqual([false, false])
  })
})

describe('the release moves while partners may be told nothing new', () => {
  const merged = async () => {
    const known = await begun()
    ok(await merge(known.b, known.a))
    const move = async (given: { releaseDate: string; left?: string }) => {
      const id = known.anna.Observation?.slice(12)
      ok(await gateway.service.call('PUT', `/fhir/Observation/${id}`, { ...custodyOf({ patient: known.a, ...given }), id }))
      await gateway.settled()
    }
    return { ...known, move }
  }
  const item = async () => (await gateway.work()).filter(({ reason }) => reason === 'consent-unconfirmed')

  test('at that moment the work item says to which day, and who still has the old one; once the person has said it anew, nobody has', async () => {
    const { a, move } = await merged()
    await move({ releaseDate: '2026-05-15' })
    const [before] = await item()
    expect(before?.words).toMatch(/^Two records were merged/)
    await move({ releaseDate: '2026-05-08' })
    const [after, ...others] = await item()
    expect(others).toEqual([])
    expect(after?.id).not.toBe(before?.id)
    expect(after?.words).toMatch(
      /^The release date is now Friday 8 May 2026\. Not told, .*: Partner recovery\. They still have Friday 15 May 2026\. Have the person confirm now/,
    )
    expect(await shelfOf('recovery')).not.toContain('2026-05-08')
    // Back where it was, there is nothing they do not know.
    await move({ releaseDate: '2026-05-15' })
    expect((await item())[0]?.words).toMatch(/^Two records were merged/)
    await move({ releaseDate: '2026-05-08' })
    await agree(a)
    expect(await item()).toEqual([])
    expect(await shelfOf('recovery')).toContain('2026-05-08')
  })

  test('after two working days without an answer it is the supervisor’s', async () => {
    const { move } = await merged()
    await move({ releaseDate: '2026-05-08' })
    await gateway.turn('P1D')
    expect((await item())[0]?.words).toMatch(/^The release date is now/)
    await gateway.turn('P6D')
    expect((await item())[0]?.words).toMatch(/^For the supervisor: The release date is now Friday 8 May 2026/)
  })

  test('near the new day it is the supervisor’s at once, and so it is when the person has left', async () => {
    const { move } = await merged()
    await move({ releaseDate: '2026-04-08' })
    expect((await item())[0]?.words).toMatch(/^For the supervisor: The release date is now Wednesday 8 April 2026/)
    await move({ releaseDate: '2026-05-15', left: '2026-04-02' })
    expect((await item())[0]?.words).toMatch(/^For the supervisor: The person left custody on Thursday 2 April 2026/)
  })
})

test('where the record that stays has the plan and no agreement, its partners are told nothing yet', async () => {
  const { a, b } = await begun('own')
  ok(await merge(a, b))
  await gateway.settled()
  expect(await shelfOf('enhanced')).not.toMatch(/Anna|Berta/)
  expect(await toldNow()).toEqual([false, false])
  await agree(b)
  expect(await toldNow()).toEqual([true, true])
})

test('two of three records agreed: the third is held back wherever it stands in the chain', async () => {
  gateway = await openGateway()
  const at = {} as Record<'Anna' | 'Berta' | 'Carla', string>
  for (const who of ['Anna', 'Berta', 'Carla'] as const) {
    at[who] = (await gateway.handIn(caseFor(who, { plan: ['recovery'], agreed: who === 'Berta' ? null : usual }))).Patient as string
    await gateway.turn('PT1M')
  }
  const told = async () => {
    const text = await shelfOf('recovery')
    return (['Anna', 'Berta', 'Carla'] as const).filter((who) => isIn(text, who))
  }
  ok(await merge(at.Berta, at.Anna))
  ok(await merge(at.Anna, at.Carla))
  await gateway.settled()
  expect(await told()).toEqual(['Anna', 'Carla'])
  ok(await unmerge(at.Anna))
  await gateway.settled()
  expect(await told()).toEqual(['Anna', 'Carla'])
  ok(await unmerge(at.Berta))
  await gateway.settled()
  expect(await told()).toEqual(['Anna', 'Carla'])
  // An agreement of the middle, given while it was one with the first, counts when they come to the third.
  ok(await merge(at.Berta, at.Anna))
  await agree(at.Anna, '2026-04-02T12:00:00Z')
  ok(await merge(at.Anna, at.Carla))
  await gateway.settled()
  expect(await told()).toEqual(['Anna', 'Berta', 'Carla'])
})
