/**
 * An agreement that says kinds of information in the codes CONTRACT.md 4 gives for them: what each lets out, and that nobody is left
 * thinking that more was shared than was.
 */
import type { Coding, Consent, Parameters } from '@medplum/fhirtypes'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { actCode, confidentiality } from '../../src/fhir/systems.ts'
import { caseBundle, category, consentOf, places, usual, wordsIn } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, valuesOf } from '../fixtures/gateway.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const act = (code: string): Coding => ({ system: actCode, code })
/** Enhanced RECONNECT may be told these and no more. */
const handIn = async (...labels: Coding[]) => {
  const bundle = caseBundle({ plan: ['enhanced'], agreed: null })
  const agreement: Consent = consentOf({ patient: places.patient, agreed: { enhanced: usual.enhanced } })
  const [permit] = agreement.provision?.provision ?? []
  permit!.securityLabel = labels
  bundle.entry?.push({ fullUrl: places.consent, resource: agreement, request: { method: 'POST', url: 'Consent' } })
  await gateway.handIn(bundle)
  const task = await gateway.handover('enhanced')
  const why = await gateway.service.call<Parameters>('GET', `/fhir/Task/${task.id}/$why`)
  const asked = (await gateway.work()).filter(({ reason }) => reason === 'consent-unclear')
  return { told: wordsIn(gateway.partner('enhanced').received[0]!.text), because: valuesOf(why.body, 'because').join('; '), asked }
}

test('PSY is all of mental health, with or without a level', async () => {
  const { told, asked } = await handIn(act('PSY'), category('medication'))
  expect(told).toContain('mentalHealth')
  expect(told).not.toContain('substance')
  expect(asked).toEqual([])
})

test('a part of a kind: what may not be of it stays, says so in words, and somebody is asked', async () => {
  const { told, because, asked } = await handIn({ system: confidentiality, code: 'R' }, act('OPIOIDUD'), act('PSY'))
  expect(told).toContain('mentalHealth')
  expect(told).not.toContain('substance')
  expect(because).toContain('a part of this, and nothing says that it is of that part: substance misuse')
  expect(asked.map(({ words }) => words)).toEqual([expect.stringContaining('a part of this')])
})

test('what is not among the kinds at all is a plain no, and nobody is asked', async () => {
  const { because, asked } = await handIn(act('PSY'))
  expect(because).toContain('it is not among what the person agreed')
  expect(asked).toEqual([])
})
