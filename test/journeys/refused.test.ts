/**
 * A partner says no: the next the plan names is asked, or a person hears who else there is; and who said no, and why, is counted.
 */
import type { CarePlan } from '@medplum/fhirtypes'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { rejectionReasons } from '../../src/domain/handover.ts'
import { reconcile } from '../../src/exchange/reconcile.ts'
import { refusals } from '../../src/exchange/refusals.ts'
import { ours } from '../../src/fhir/systems.ts'
import { auditOf, recordAudit } from '../../src/store/audit.ts'
import { answerMessage } from '../fixtures/answer-message.ts'
import { caseBundle, coded, consentOf, partners, usual } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, says, standing } from '../fixtures/gateway.ts'

const second = 'second-recovery'
let gateway: Gateway
let at: Record<string, string>
beforeEach(async () => {
  gateway = await openGateway({
    directory: (file) => {
      const recovery = file.partners.find(({ id }) => id === partners.recovery)!
      file.partners.push({
        ...recovery,
        id: second,
        name: 'Second recovery',
        ods: 'B82009',
        channel: { name: 'fhir-message', url: `https://${second}.test/fhir` },
      })
    },
  })
  at = await gateway.handIn(caseBundle({ plan: ['recovery'] }))
})
afterEach(() => gateway.close())

const refuse = async (code: string) => {
  const { id } = await gateway.handover('recovery')
  const why = { op: 'add', path: '/statusReason', value: coded('rejection-reason', code, 'We do not') }
  expect((await gateway.as('recovery').call('PATCH', `/fhir/Task/${id}`, [...says('rejected'), why])).status).toBe(200)
  await gateway.settled()
}
const alsoAsk = async () => {
  const [plan] = await gateway.service.find('CarePlan')
  const performer = [{ reference: `Organization/${partners.recovery}` }, { reference: `Organization/${second}` }]
  const changed = { ...plan, activity: plan!.activity!.map((one) => ({ ...one, detail: { ...one.detail, performer } })) } as CarePlan
  expect((await gateway.service.call('PUT', `/fhir/CarePlan/${plan?.id}`, changed)).status).toBe(200)
  await gateway.settled()
}
/** The person agrees to this kind of partner, whichever it is. */
const agreeToKind = async () => {
  const consent = consentOf({ patient: at.Patient!, agreed: { recovery: usual.recovery } })
  const text = JSON.stringify(consent).replaceAll(
    `{"reference":"Organization/${partners.recovery}"}`,
    JSON.stringify({ identifier: { system: ours('recipient-kind'), value: 'substance-misuse' } }),
  )
  const { status } = await gateway.service.call('PUT', `/fhir/${at.Consent}`, { ...JSON.parse(text), id: at.Consent?.split('/')[1] })
  expect(status).toBe(200)
}
const asks = async () => (await gateway.work()).map(({ reason, words }) => `${reason}: ${words}`)

test('the plan names nobody else: a person is told who else the directory has', async () => {
  await refuse('at-capacity')
  expect(await asks()).toContainEqual(
    'replace: Partner recovery can not help: no capacity. Name another partner in the plan (Second recovery), or stop this activity there and say why.',
  )
})

test('the plan names another in second place: asked only when the first says no, and as the person agreed', async () => {
  await agreeToKind()
  await alsoAsk()
  expect(gateway.partner(second).received).toHaveLength(0)
  await refuse('at-capacity')
  expect(gateway.partner(second).received).toHaveLength(1)
  expect(standing(await gateway.handover(second))).toBe('requested delivered')
  expect(standing(await gateway.handover('recovery'))).toBe('rejected rejected')
  expect((await asks()).join()).not.toContain('replace')
})

test('the person did not agree to the other: nobody is told, and somebody is asked', async () => {
  await alsoAsk()
  await refuse('at-capacity')
  expect(gateway.partner(second).received).toHaveLength(0)
  expect(standing(await gateway.handover(second))).toBe('draft consent-blocked')
  expect((await asks()).join()).toContain('consent-blocked: Second recovery is told nothing')
})

test('who said no, and why, is counted by code', async () => {
  await refuse('id-or-address-demanded')
  expect(await refusals(gateway.exchange, '', '9999')).toEqual([
    { partner: partners.recovery, kind: 'substance-misuse', code: 'id-or-address-demanded', count: 1 },
  ])
  expect(await refusals(gateway.exchange, '2026-05-01T00:00:00.000Z', '9999')).toEqual([])
})

test.each(Object.keys(rejectionReasons))('a no by message, coded %s: a person is asked, and it is counted', async (code) => {
  const { id } = await gateway.handover('recovery')
  const message = answerMessage(gateway, 'recovery', {
    id: id as string,
    status: 'rejected',
    statusReason: coded('rejection-reason', code),
  })
  expect((await gateway.as('recovery').call('POST', '/fhir/$process-message', message)).status).toBe(200)
  expect(standing(await gateway.handover('recovery'))).toBe('rejected rejected')
  expect((await gateway.work()).map(({ reason }) => reason)).toContain('replace')
  expect(await refusals(gateway.exchange, '', '9999')).toMatchObject([{ code, count: 1 }])
})

test('a code that is none of them is refused with those there are, and the handover stands as it stood', async () => {
  const { id } = await gateway.handover('recovery')
  const why = { op: 'add', path: '/statusReason', value: coded('rejection-reason', 'no-reason') }
  const { status, text } = await gateway.as('recovery').call('PATCH', `/fhir/Task/${id}`, [...says('rejected'), why])
  expect([status, text]).toEqual([422, expect.stringContaining('id-or-address-demanded')])
  expect(standing(await gateway.handover('recovery'))).toBe('requested delivered')
})

test('the metrics tell of five or more, not of fewer', async () => {
  await refuse('id-or-address-demanded')
  const told = async () => {
    await reconcile(gateway.exchange)
    return (await (await gateway.app.request('/metrics')).text()).match(/^refusals\{.*$/m)?.[0]
  }
  expect(await told()).toBeUndefined()
  const [row] = (await auditOf(gateway.database, at.Patient!.split('/')[1]!)).filter(({ action }) => action === 'answer')
  await gateway.database.atomically([recordAudit(Array.from({ length: 4 }, () => ({ ...row!, id: crypto.randomUUID() })))])
  expect(await told()).toBe(`refusals{partner="${partners.recovery}",code="id-or-address-demanded"} 5`)
})

test('a partner that says no is sent nothing that still waited for it, whatever waited, and nobody is asked about that any more', async () => {
  const fake = gateway.partner('recovery')
  gateway.exchange.directory().partners.get(partners.recovery)!.deduplicates = false
  fake.answers = 'hangs-up'
  const [plan] = await gateway.service.find('CarePlan')
  const activity = plan!.activity!.map((one) => ({ ...one, detail: { ...one.detail, description: 'Be seen on Monday' } }))
  expect((await gateway.service.call('PUT', `/fhir/CarePlan/${plan?.id}`, { ...plan, activity } as CarePlan)).status).toBe(200)
  await gateway.settled()
  expect(await gateway.owed('parked')).toHaveLength(1)
  expect((await asks()).join()).toContain('parked')
  fake.answers = 200
  await refuse('at-capacity')
  expect([await gateway.owed('parked'), await gateway.owed('due')]).toEqual([[], []])
  expect((await asks()).join()).not.toContain('parked')
})
