/**
 * A consent whose person's capacity is being looked at again (closed-loop.md C4): what was told stays told, nothing new is, and a
 * best-interests decision lets it go on.
 */
import type { Bundle, Consent, Extension, Flag, Resource } from '@medplum/fhirtypes'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { consentAgreedBy, consentCapacity, consentPhase } from '../../src/domain/who-agreed.ts'
import { caseBundle, category, coded, consentOf, label, partners, usual, words } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, standing } from '../fixtures/gateway.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const review: Extension = { url: consentPhase, valueCode: 'capacity-review' }
const bestInterests: Extension[] = [
  { url: consentCapacity, extension: [{ url: 'outcome', valueCode: 'lacks-capacity' }] },
  {
    url: consentAgreedBy,
    extension: [
      { url: 'basis', valueCode: 'best-interests' },
      { url: 'decided', valueDate: '2026-04-02' },
    ],
  },
]
const { probation: _, ...withoutProbation } = usual

async function agreementNow(at: Record<string, string>, more: Partial<Consent>, agreed: Partial<typeof usual> = withoutProbation) {
  const id = at.Consent!.split('/')[1]!
  const consent = { ...consentOf({ patient: at.Patient!, agreed, id, at: '2026-04-02T08:00:00Z' }), ...more }
  const { status, text } = await gateway.service.call('PUT', `/fhir/Consent/${id}`, consent)
  if (status > 201) throw new Error(text)
  await gateway.deliverer.idle()
}

test('nothing new leaves until a best-interests decision, and then what had to wait does', async () => {
  const at = await gateway.handIn(caseBundle({ agreed: withoutProbation }))
  await gateway.deliverer.idle()
  const received = () => gateway.partner('recovery').received
  expect(received()).toHaveLength(1)

  await agreementNow(at, { extension: [review] })
  const flag: Flag = {
    resourceType: 'Flag',
    status: 'active',
    meta: label('N', category('adjustments')),
    code: coded('flag', 'reasonable-adjustment', `Needs ${words.adjustments} and quiet`),
    subject: { reference: at.Patient! },
  }
  expect((await gateway.service.call('POST', '/fhir/Flag', flag)).status).toBe(201)
  await gateway.deliverer.idle()
  expect(received()).toHaveLength(1)
  expect(await gateway.as('recovery').find('Patient')).toHaveLength(1)
  expect(standing(await gateway.handover('recovery'))).not.toMatch(/cancelled/)
  expect(await gateway.work()).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ reason: 'capacity-review', words: expect.stringMatching(/nothing new.*best-interests/) }),
    ]),
  )

  await agreementNow(at, { extension: [review, ...bestInterests], performer: [{ reference: 'Organization/tees-valley' }] })
  expect(received()).toHaveLength(2)
  expect(received()[1]?.text).toContain('and quiet')
  expect((await gateway.work()).map(({ reason }) => reason)).not.toContain('capacity-review')
})

test('a message that had not left yet waits as well', async () => {
  gateway.partner('recovery').answers = 503
  const at = await gateway.handIn(caseBundle({ agreed: withoutProbation }))
  await gateway.deliverer.idle()
  const tried = gateway.partner('recovery').received.length
  gateway.partner('recovery').answers = 200
  await agreementNow(at, { extension: [review] })
  await gateway.turn('PT1H')
  await gateway.deliverer.idle()
  expect(gateway.partner('recovery').received).toHaveLength(tried)
  await agreementNow(at, {})
  expect(gateway.partner('recovery').received).toHaveLength(tried + 1)
})

test.each(Object.keys(partners) as (keyof typeof partners)[])('a relative without authority agreed: %s is told nothing', async (name) => {
  const at = await gateway.handIn(caseBundle({ agreed: {} }))
  await agreementNow(at, { performer: [{ reference: 'RelatedPerson/1' }] }, usual)
  expect(gateway.partner(name).received).toHaveLength(0)
  expect((await gateway.work()).find(({ task }) => task !== undefined)?.words).toMatch(/authority/)
})

test.each([
  ['attorney', { type: 'RelatedPerson', display: 'An attorney of the person' }],
  ['deputy', { type: 'RelatedPerson', display: 'A deputy of the person' }],
  ['best-interests', undefined],
] as const)('agreed by %s: its partner sees the role, neither the person as who agreed nor who it was', async (basis, performer) => {
  const at = await gateway.handIn(caseBundle({ agreed: {} }))
  const relative = { resourceType: 'RelatedPerson', patient: { reference: at.Patient }, name: [{ family: 'Quarrington' }] }
  const { body } = await gateway.service.call<Resource>('POST', '/fhir/RelatedPerson', relative)
  const parts: Extension[] = [
    { url: 'basis', valueCode: basis },
    { url: 'decided', valueDate: '2026-04-02' },
    { url: 'authority', valueString: 'registered, health and welfare' },
  ]
  await agreementNow(at, {
    extension: [bestInterests[0] as Extension, { url: consentAgreedBy, extension: parts }],
    performer: [{ reference: basis === 'best-interests' ? 'Organization/tees-valley' : `RelatedPerson/${body.id}` }],
  })
  const [sent] = gateway.partner('recovery').received
  const [read] = await gateway.as('recovery').find('Consent')
  const message = JSON.parse(sent?.text ?? '{}') as Bundle
  for (const consent of [message.entry?.find(({ resource }) => resource?.resourceType === 'Consent')?.resource as Consent, read]) {
    expect(consent).toMatchObject({
      performer: [performer ?? consent?.organization?.[0]],
      sourceReference: { display: expect.stringMatching(/^What was agreed for/) },
    })
    expect(JSON.stringify(consent)).not.toMatch(/Quarrington|health and welfare|RelatedPerson\//)
  }
  expect(sent?.text).not.toMatch(new RegExp(`Quarrington|${body.id}`))
})
