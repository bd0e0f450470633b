/**
 * A guardian's signature: with REQUIRE_SIGNED_MAPPINGS nobody is told anything under a mapping that nobody signed, and everybody waits
 * where a person sees it. What was told under a signed version stays.
 */
import type { Parameters } from '@medplum/fhirtypes'
import { afterEach, expect, test } from 'vitest'
import { adapters as all } from '../../adapters/index.ts'
import type { Adapter } from '../../src/adapter.ts'
import { contentOf, hashOf, type Signature, statementOf } from '../../src/domain/sign-off.ts'
import { fill } from '../../src/mapping.ts'
import { signerOf } from '../../src/store/signing.ts'
import { allow, everything, scope } from '../fixtures/case.ts'
import { caseBundle, type partners } from '../fixtures/case-bundle.ts'
import { type Gateway, openGateway, standing, valuesOf } from '../fixtures/gateway.ts'

let gateway: Gateway
afterEach(() => gateway.close())

const guardian = { name: 'Cal Dicott', role: 'Caldicott guardian' }
const signer = await signerOf(new Uint8Array(32).fill(7))
const publicKey = Buffer.from(signer.publicKey).toString('base64')
const open = (adapters?: ReadonlyMap<string, Adapter>) =>
  openGateway({
    requireSignedMappings: true,
    ...(adapters ? { adapters } : {}),
    directory: (file) => Object.assign(file, { signers: [{ ...guardian, publicKey }] }),
  })

async function signatureOf(kind: string, adapters = all, change: Partial<Signature> = {}): Promise<Signature> {
  const { mapping } = adapters.get(kind)!
  const said = {
    kind,
    version: mapping.version,
    hash: await hashOf(contentOf(mapping)),
    by: guardian.name,
    role: guardian.role,
    at: '2026-04-01T08:00:00Z',
  }
  return { ...said, publicKey, signature: Buffer.from(await signer.sign(statementOf(said))).toString('base64'), ...change }
}
const told = (name: keyof typeof partners) => gateway.partner(name).received
const unsigned = async () => (await gateway.work()).filter(({ reason }) => reason === 'mapping-unsigned')

test('unsigned, nothing leaves: each handover waits as a draft, with a work item that names the mapping and the hash', async () => {
  gateway = await open()
  await gateway.handIn(caseBundle())
  const hash = await hashOf(contentOf(all.get('substance-misuse')!.mapping))
  for (const name of ['recovery', 'probation', 'enhanced', 'practice'] as const) {
    expect(told(name)).toHaveLength(0)
    expect(standing(await gateway.handover(name))).toBe('draft preparing')
    for (const type of ['Patient', 'Task', 'CarePlan'] as const) expect(await gateway.as(name).find(type)).toHaveLength(0)
  }
  const items = await unsigned()
  expect(items).toHaveLength(4)
  expect(items.map(({ words }) => words).join()).toContain(
    `mapping substance-misuse, version ${all.get('substance-misuse')!.mapping.version}, hash ${hash}`,
  )
  const why = await gateway.service.call<Parameters>('GET', `/fhir/Task/${(await gateway.handover('recovery')).id}/$why`)
  expect(valuesOf(why.body, 'unsigned')[0]).toContain(hash)
})

test('signed, those who waited for it are told at once, and nobody else', async () => {
  gateway = await open()
  await gateway.handIn(caseBundle())
  await gateway.signOff(await signatureOf('substance-misuse'))
  expect([told('recovery').length, told('probation').length]).toEqual([1, 0])
  expect(await gateway.as('recovery').find('Patient')).toHaveLength(1)
  expect((await unsigned()).map(({ words }) => words).join()).not.toContain('substance-misuse')
})

test.each([
  ['typed into a row without the key', { signature: Buffer.alloc(64, 1).toString('base64') }],
  ['of another content', { hash: '00'.repeat(32) }],
  ['by somebody else’s name', { by: 'Some Body' }],
  ['by a key the directory does not name', { publicKey: Buffer.alloc(32, 9).toString('base64') }],
])('a signature %s does not count', async (_, change) => {
  gateway = await open()
  await gateway.handIn(caseBundle())
  await gateway.signOff(await signatureOf('substance-misuse', all, change))
  expect(told('recovery')).toHaveLength(0)
})

test('a newer version nobody signed tells nothing new; what was told stays to be read; signed, the change follows', async () => {
  // A mapping is replaced while the process runs: two gateways on one database would be the same.
  const adapters = new Map(all)
  gateway = await open(adapters)
  await gateway.signOff(await signatureOf('substance-misuse'))
  await gateway.handIn(caseBundle())
  expect(told('recovery')).toHaveLength(1)

  const { mapping } = all.get('substance-misuse')!
  const newer = { ...all.get('substance-misuse')!, mapping: { ...mapping, version: mapping.version + 1, statement: 'Other words.' } }
  adapters.set('substance-misuse', newer)
  gateway.hashes.set('substance-misuse', await hashOf(contentOf(newer.mapping)))
  const [plan] = await gateway.service.find('CarePlan')
  const changed = structuredClone(plan) as { activity: { detail: { description: string } }[] }
  for (const { detail } of changed.activity) detail.description = 'Something else is asked now'
  expect((await gateway.service.call('PUT', `/fhir/CarePlan/${plan!.id}`, changed as never)).status).toBe(200)
  await gateway.deliverer.idle()
  expect(told('recovery')).toHaveLength(1)
  expect(await gateway.as('recovery').find('Patient')).toHaveLength(1)
  expect((await unsigned()).map(({ words }) => words).join()).toContain(`substance-misuse, version ${newer.mapping.version}`)

  await gateway.signOff(await signatureOf('substance-misuse', adapters))
  expect(told('recovery')).toHaveLength(2)
  expect(told('recovery')[1]!.text).toContain('Something else is asked now')
})

test('a message that was owed before its mapping lost its signature is not sent; signed again, it goes, as new', async () => {
  gateway = await open()
  const signed = await signatureOf('substance-misuse')
  gateway.partner('recovery').answers = 503
  await gateway.signOff(signed)
  await gateway.handIn(caseBundle())
  const attempts = told('recovery').length
  expect(attempts).toBeGreaterThan(0)
  gateway.partner('recovery').answers = 200
  const hash = gateway.hashes.get('substance-misuse')!
  gateway.hashes.set('substance-misuse', 'ff'.repeat(32))
  await gateway.turn('2026-04-02T14:00:00Z')
  expect(told('recovery')).toHaveLength(attempts)
  gateway.hashes.set('substance-misuse', hash)
  await gateway.signOff(signed)
  expect(told('recovery')).toHaveLength(attempts + 1)
})

test('every part of a mapping is in what is signed: a change of any makes another hash', async () => {
  gateway = await open()
  const { mapping } = all.get('gp-registration')!
  const before = contentOf(mapping)
  const changed = [
    { ...mapping, purpose: 'Another.' },
    { ...mapping, legalBasis: 'Another.' },
    { ...mapping, never: mapping.never.slice(1) },
    { ...mapping, essential: ['identity' as const] },
    { ...mapping, why: { ...mapping.why, patient: 'Another.' } },
    { ...mapping, statement: 'Another.' },
    { ...mapping, message: { ...mapping.message, needs: undefined as never } },
  ]
  const hashes = new Set(await Promise.all([before, ...changed.map(contentOf)].map(hashOf)))
  expect(hashes.size).toBe(changed.length + 1)
  // Each kind of a kind: gaps, lists, code tables and conditions are all there, as data.
  for (const text of [
    '"gap":"person.family"',
    '"each":"medications"',
    '"suppliedUntil"',
    '"of":[',
    '"only":{"coded":',
    '"reference":"Patient"',
  ])
    expect(before).toContain(text)
  for (const { mapping: one } of all.values()) expect(() => contentOf(one)).not.toThrow()
  expect(fill(mapping, scope, allow(everything)).outcome).toBe('ready')
})
