/**
 * A new kind of partner is one mapping and one adapter: it is then in the directory, planned, told, pulled, explained and listed,
 * with nothing else changed.
 */
import type { Bundle, Parameters } from '@medplum/fhirtypes'
import { expect, test } from 'vitest'
import { adapters } from '../../adapters/index.ts'
import { readDirectory } from '../../src/access/directory-file.ts'
import { channels } from '../../src/channels/index.ts'
import { run } from '../../src/cli/run.ts'
import { caseBundle, coded, consentOf, places, usual, wordsIn } from '../fixtures/case-bundle.ts'
import { directoryFile, of, openGateway, says, standing, valuesOf } from '../fixtures/gateway.ts'
import { hostel } from '../fixtures/new-partner.ts'

const withHostel = new Map([...adapters, [hostel.kind, hostel] as const])
const partner = {
  id: 'dock-hostel',
  kind: 'hostel',
  name: 'Dock Street',
  ods: 'H0001',
  channel: { name: 'fhir-message', url: 'https://dock-hostel.test/fhir' },
  deduplicates: true,
  retired: false,
}
const client = {
  id: 'dock-hostel',
  role: 'partner',
  partner: 'dock-hostel',
  jwks: { keys: [{ kty: 'EC', kid: 'unused' }] },
  scope: 'system/*.rs system/Task.rus',
}

/** The usual case, with a bed asked of the hostel, which the person agreed may know. */
function caseWithHostel(): Bundle {
  const bundle = caseBundle({ plan: ['recovery'] })
  const [plan] = of(bundle, 'CarePlan')
  plan!.activity!.push({
    detail: {
      code: coded('support-activity', 'housing'),
      status: 'not-started',
      description: 'A bed on the night of release',
      performer: [{ reference: 'Organization/dock-hostel' }],
    },
  })
  const consent = consentOf({ patient: places.patient, agreed: usual })
  const permit = structuredClone(consent.provision!.provision![0]!)
  permit.actor![0]!.reference = { reference: 'Organization/dock-hostel' }
  consent.provision!.provision!.push(permit)
  bundle.entry!.find(({ resource }) => resource?.resourceType === 'Consent')!.resource = consent
  return bundle
}

test('the directory takes the kind once its adapter is there, and names the kinds when it is not', () => {
  const file = JSON.stringify({ ...directoryFile(), partners: [partner], clients: [] })
  const around = { channels, secrets: { env: {}, readText: () => '' } }
  expect(readDirectory(file, { ...around, adapters: withHostel })).toHaveProperty('directory')
  expect(readDirectory(file, { ...around, adapters })).toEqual({
    faults: [expect.stringMatching(/^\$\.partners\[0\]\.kind must be one of gp-registration/)],
  })
})

test('it is planned, told by message, pulls the same, answers, and is explained', async () => {
  const gateway = await openGateway({
    adapters: withHostel,
    directory: (file) => {
      file.partners.push(partner as never)
      file.clients.push(client)
    },
  })
  try {
    const at = await gateway.handIn(caseWithHostel())
    const { received } = gateway.partner('dock-hostel')
    expect(received).toHaveLength(1)
    expect(wordsIn(received[0]!.text).sort()).toEqual(['identity', 'mentalHealth'])
    expect(of(received[0]!.bundle, 'CarePlan')[0]?.activity).toHaveLength(1)

    const it = gateway.client('dock-hostel')
    expect(wordsIn((await it.call('GET', '/fhir/Patient')).text + (await it.call('GET', '/fhir/Condition')).text).sort()).toEqual([
      'identity',
      'mentalHealth',
    ])
    const [task] = await it.find('Task')
    for (const said of [says('accepted'), says('in-progress'), says('completed', 'supported')]) {
      expect((await it.call('PATCH', `/fhir/Task/${task?.id}`, said)).status).toBe(200)
    }
    expect(standing(await gateway.handover('dock-hostel'))).toBe('completed supported')

    const why = await gateway.service.call<Parameters>('GET', `/fhir/Task/${task?.id}/$why`)
    expect(valuesOf(why.body, 'purpose')).toEqual(['Keep a bed for the night of release.'])
    expect(valuesOf(why.body, 'because')).toContain('this kind of partner is never told about substance misuse')
    const who = await gateway.service.call<Parameters>('GET', `/fhir/${at.Patient}/$who-was-told`)
    expect(valuesOf(who.body, 'recipient')).toContain('Organization/dock-hostel')
  } finally {
    await gateway.close()
  }
})

test('it is in the disclosure table', async () => {
  let page = ''
  const terminal = {
    env: {},
    readText: () => '',
    adapters: withHostel,
    channels,
    now: () => new Date(),
    write: (text: string) => {
      page += text
    },
    writeError: () => {},
  }
  expect(await run(['disclosures', 'hostel'], terminal)).toBe(0)
  expect(page).toMatch(/Hostel \(hostel\), version 1/)
  expect(page).toMatch(/Never told +substance misuse; offences/)
  expect(page).toMatch(/person\.family +patient: Patient\.name\.family +always +who the person is/)
})
