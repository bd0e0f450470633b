/**
 * Why one partner is told one thing, or not: rule by rule, in words a navigator reads aloud.
 */
import type { Parameters, ParametersParameter } from '@medplum/fhirtypes'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { caseBundle, type PartnerName } from '../fixtures/case-bundle.ts'
import { type Gateway, issuesOf, openGateway, valuesOf } from '../fixtures/gateway.ts'

let gateway: Gateway
beforeEach(async () => {
  gateway = await openGateway()
})
afterEach(() => gateway.close())

const ask = async (partner: PartnerName, item?: string) => {
  const task = await gateway.handover(partner)
  return gateway.service.call<Parameters>('GET', `/fhir/Task/${task.id}/$why${item ? `?item=${item}` : ''}`)
}
const items = ({ parameter = [] }: Parameters) => parameter.filter(({ name }) => name === 'item')
const rules = ({ part = [] }: ParametersParameter) =>
  part.flatMap(({ name, part: inside = [] }) =>
    name === 'rule' ? [inside.map(({ valueString, valueReference }) => valueString ?? valueReference?.reference)] : [],
  )
const said = ({ part = [] }: ParametersParameter, wanted: string) => part.find(({ name }) => name === wanted)?.valueString

test('something the person excepted: which agreement, which of its rules, and what would change it', async () => {
  await gateway.handIn(caseBundle())
  const needs = await gateway.service.find('Condition')
  const substance = needs.find(({ meta }) => meta?.security?.some(({ code }) => code === 'ETH'))
  const [consent] = await gateway.service.find('Consent')
  const { status, body } = await ask('practice', `Condition/${substance?.id}`)
  expect(status).toBe(200)
  const [item, ...more] = items(body)
  expect(more).toEqual([])
  expect(said(item!, 'answer')).toBe('withheld')
  expect(rules(item!)).toEqual([
    ['agreement', 'This agreement counts: it is the latest.', `Consent/${consent?.id}/_history/${consent?.meta?.versionId}`],
    ['kind-of-partner', 'This kind of partner may be told this, where the person agrees.', expect.stringMatching(/^gp-registration v\d+$/)],
    ['what-was-agreed', 'The person said that this partner is not told about substance misuse.', 'Consent.provision.provision[1]'],
  ])
  expect(said(item!, 'would-change')).toBe('Nothing, unless the person changes their mind.')
})

test('something told: the rule that lets it out', async () => {
  await gateway.handIn(caseBundle())
  const substance = (await gateway.service.find('Condition')).find(({ meta }) => meta?.security?.some(({ code }) => code === 'ETH'))
  const [item] = items((await ask('recovery', `Condition/${substance?.id}`)).body)
  expect(said(item!, 'answer')).toBe('told')
  expect(rules(item!).at(-1)).toEqual([
    'what-was-agreed',
    expect.stringMatching(/^The person agreed to it \(agreement of 2026-04-01\)\.$/),
    'Consent.provision.provision[2]',
  ])
})

test('something this kind of partner is never told: no agreement changes that', async () => {
  await gateway.handIn(caseBundle())
  const substance = (await gateway.service.find('Condition')).find(({ meta }) => meta?.security?.some(({ code }) => code === 'ETH'))
  const [item] = items((await ask('probation', `Condition/${substance?.id}`)).body)
  const [, kind] = rules(item!)
  expect(kind?.[1]).toMatch(/kind of partner is never told/)
})

test('all at once: each thing withheld says which rule of the agreement, or of ours, and what would change it', async () => {
  await gateway.handIn(caseBundle())
  const { body } = await ask('practice')
  const withheld = (body.parameter ?? []).filter(({ name }) => name === 'withheld')
  expect(withheld.length).toBeGreaterThan(0)
  for (const one of withheld) expect(said(one, 'would-change')).toBeTruthy()
  expect(withheld.map((one) => said(one, 'provision'))).toContain('Consent.provision.provision[1]')
})

test('whoever asks why, or what would be told, is in the audit: one row, and no other', async () => {
  const at = await gateway.handIn(caseBundle())
  const task = await gateway.handover('practice')
  for (const [path, entity] of [
    [`/fhir/Task/${task.id}/$why`, `Task/${task.id}`],
    [`/fhir/${at.CarePlan}/$handover?dryRun=true`, at.CarePlan],
  ] as const) {
    const before = await gateway.rows()
    await gateway.service.call('GET', path)
    expect(await gateway.rows()).toEqual({ ...before, audit: (before.audit as number) + 1 })
    const [event] = await gateway.service.find('AuditEvent', `patient=${at.Patient}&subtype=operation&entity=${entity}`)
    expect(event).toMatchObject({ action: 'E', agent: [{ requestor: true }, {}] })
  }
})

test('something that is not there is not found, and something of no handover says so', async () => {
  const at = await gateway.handIn(caseBundle())
  const missing = await ask('practice', 'Condition/nothing')
  expect([missing.status, issuesOf(missing)[0]?.code]).toEqual([404, 'not-found'])
  expect(valuesOf((await ask('practice', at.CareTeam)).body, 'decision')[0]).toMatch(/never told|ever told/)
})
