import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { readDirectory, type Surroundings } from '../../src/access/directory-file.ts'
import type { Adapter } from '../../src/adapter.ts'
import type { Channel } from '../../src/channel.ts'
import { organizationOf } from '../../src/fhir/organization.ts'
import { useAssertion } from '../../src/store/assertions.ts'
import type { Driver } from '../../src/store/database.ts'
import { applyDirectory, directoryState, loadDirectory } from '../../src/store/directory.ts'
import { migrate } from '../../src/store/migrate.ts'
import { openSqlite } from '../../src/store/sqlite.ts'

const fhirMessage = { name: 'fhir-message', settings: z.object({ url: z.url(), apiKey: z.string().optional() }) } as unknown as Channel
const adapter = (kind: string) => ({ kind, channels: ['fhir-message', 'pull'] }) as unknown as Adapter
const around: Surroundings = {
  adapters: new Map([['gp-registration', adapter('gp-registration')]]),
  channels: new Map([
    ['fhir-message', fhirMessage],
    ['pull', { name: 'pull', settings: z.strictObject({ name: z.literal('pull') }) } as unknown as Channel],
    ['mesh', { name: 'mesh', settings: z.object({}) } as unknown as Channel],
  ]),
  secrets: {
    env: { PRACTICE_KEY: 'opensesame' },
    readText: (path) => {
      if (path !== '/run/practice-key') throw new Error('no such file')
      return 'from-a-file\n'
    },
  },
}

const file = () => ({
  services: [{ id: 'north-east', name: 'RECONNECT North East', ods: 'RX3NE', prisons: ['DMI'], homeAreas: ['E06000047'], enhanced: true }],
  partners: [
    {
      id: 'gp-a81001',
      kind: 'gp-registration',
      name: 'Elvet Surgery',
      ods: 'A81001',
      channel: { name: 'fhir-message', url: 'https://gp.example/fhir', apiKey: { env: 'PRACTICE_KEY' } as unknown } as Record<
        string,
        unknown
      >,
      deduplicates: true,
      retired: false,
    },
  ],
  clients: [
    { id: 'ne-case-system', role: 'service', service: 'north-east', jwks: { keys: [] as unknown[] }, scope: 'system/*.cruds' },
    { id: 'gp-a81001', role: 'partner', partner: 'gp-a81001', jwksUrl: 'https://gp.example/jwks', scope: 'system/*.rs system/Task.ru' },
    {
      id: 'durham-health',
      role: 'referrer',
      name: 'HMP Durham healthcare',
      ods: 'Y03152',
      jwks: { keys: [] },
      scope: 'system/ServiceRequest.cr',
    },
  ] as Record<string, unknown>[],
  staff: [{ email: 'Navigator@example.nhs.uk', name: 'Nav Igator', roles: ['navigator'], service: 'north-east' }],
})
const read = (content: unknown, more: Partial<Surroundings> = {}) =>
  readDirectory(typeof content === 'string' ? content : JSON.stringify(content), { ...around, ...more })
const faults = (content: unknown, more: Partial<Surroundings> = {}) => {
  const found = read(content, more)
  return 'faults' in found ? found.faults : []
}
const good = (content: unknown) => {
  const found = read(content)
  if ('faults' in found) throw new Error(found.faults.join('; '))
  return found.directory
}

describe('reading the file', () => {
  test('the file of the contract is good', () => {
    expect(faults(file())).toEqual([])
    expect(good(file()).staff?.[0]?.email).toBe('navigator@example.nhs.uk')
  })

  test('a fault names its JSON path, and all faults are named', () => {
    const bad = file()
    bad.partners.push({ ...bad.partners[0]!, kind: 'dentist' })
    bad.clients[0]!.service = 'south-west'
    const found = faults(bad)
    expect(found.some((fault) => fault.startsWith('$.partners[1].kind must be one of gp-registration'))).toBe(true)
    expect(found.some((fault) => fault.startsWith('$.partners[1].id is used'))).toBe(true)
    expect(found.some((fault) => fault.startsWith('$.clients[0].service names no service'))).toBe(true)
  })

  test('no client goes by a name that services of this gateway have among themselves', () => {
    const bad = file()
    bad.clients[0]!.id = 'service.north-east'
    expect(faults(bad)).toEqual(['$.clients[0].id must not begin with "service.".'])
  })

  test('a fault in one entry does not hide those of the others', () => {
    const bad = file() as Record<string, unknown>
    bad.services = [{ id: 'north-east' }]
    bad.partners = [{ ...file().partners[0], kind: 'dentist' }]
    expect(faults(bad).map((fault) => fault.split(' ')[0])).toEqual(['$.services[0].name', '$.partners[0].kind'])
  })

  test('what is missing is said to be missing, and what it is; what is of another kind, what it must be', () => {
    const bad = { ...file(), services: [{ id: 'north-east', prisons: 'DMI', homeAreas: [], enhanced: 'yes' }] }
    expect(faults(bad)).toEqual(
      expect.arrayContaining(['$.services[0].name is missing: it is text in quotes.', '$.services[0].prisons must be a list.']),
    )
  })

  test('what the schema refuses also comes with its path', () => {
    const bad = file() as Record<string, unknown>
    bad.partners = [{ id: 'a b', kind: 'gp-registration', channel: { name: 'pull' }, colour: 'red' }]
    const found = faults(bad)
    expect(found.map((fault) => fault.split(' ')[0])).toEqual(
      expect.arrayContaining(['$.partners[0].id', '$.partners[0].name', '$.partners[0].colour']),
    )
    expect(faults('{')).toEqual(['$ is not JSON.'])
    expect(faults([])).toHaveLength(1)
  })

  test('Enhanced RECONNECT is offered, not offered, or from a day until a day, by a team there is', () => {
    const offering = (enhanced: unknown) => faults({ ...file(), services: [{ ...file().services[0], enhanced }] })
    expect(offering(false)).toEqual([])
    expect(offering({ from: '2026-04-01', until: '2026-04-01', team: 'gp-a81001' })).toEqual([])
    expect(offering({ from: '2026-04-31' })).toEqual(['$.services[0].enhanced.from must be a calendar date such as 2026-04-01.'])
    expect(offering({ from: '2026-04-02', until: '2026-04-01', team: 'nobody' })).toEqual([
      '$.services[0].enhanced.team names no partner of this directory.',
      '$.services[0].enhanced.until is before from.',
    ])
  })

  test('a channel’s settings are checked with the channel’s own schema', () => {
    const bad = file()
    bad.partners[0]!.channel = { name: 'fhir-message', url: 'nowhere' }
    expect(faults(bad)[0]).toMatch(/^\$\.partners\[0\]\.channel\.url /)
    bad.partners[0]!.channel = { name: 'fhir-message', url: 'https://gp.example/fhir', apikey: 'x' }
    expect(faults(bad)).toEqual(['$.partners[0].channel.apikey is not a setting.'])
    bad.partners[0]!.channel = { name: 'pigeon' }
    expect(faults(bad)[0]).toMatch(/^\$\.partners\[0\]\.channel\.name /)
    bad.partners[0]!.channel = { name: 'mesh' }
    expect(faults(bad)[0]).toMatch(/for gp-registration\.$/)
    bad.partners[0]!.channel = { name: 'pull' }
    expect(faults(bad)).toEqual([])
    bad.partners[0]!.channel = { name: 'pull', url: 'https://gp.example/fhir' }
    expect(faults(bad)).toEqual(['$.partners[0].channel.url is not a setting.'])
  })

  test('a secret that leads nowhere is a fault that does not repeat it', () => {
    const bad = file()
    bad.partners[0]!.channel.apiKey = { env: 'NOT_SET' }
    expect(faults(bad)).toEqual(['$.partners[0].channel.apiKey names an environment variable that is not set.'])
    bad.partners[0]!.channel.apiKey = { file: '/run/nothing' }
    expect(faults(bad)).toEqual(['$.partners[0].channel.apiKey names a file that can not be read or is empty.'])
  })

  test('a client needs exactly one key set, and public keys only', () => {
    const bad = file()
    delete bad.clients[0]!.jwks
    bad.clients[1]!.jwks = { keys: [] }
    bad.clients[2]!.jwks = { keys: [{ kty: 'EC', crv: 'P-384', x: 'x', y: 'y', d: 'private' }] }
    const found = faults(bad)
    expect(found).toHaveLength(3)
    expect(found[0]).toMatch(/^\$\.clients\[0\]\.jwks or jwksUrl/)
    expect(found[1]).toMatch(/^\$\.clients\[1\]\.jwks and jwksUrl/)
    expect(found[2]).toMatch(/^\$\.clients\[2\]\.jwks\.keys\[0\] must be a public key/)
  })

  test('a client may name a partner that was applied earlier', () => {
    const later = { clients: [{ id: 'x', role: 'partner', partner: 'gp-z', jwks: { keys: [] }, scope: 'system/*.rs' }] }
    expect(faults(later)).toHaveLength(1)
    expect(faults(later, { known: { services: new Set<string>(), partners: new Set(['gp-z']) } })).toEqual([])
  })
})

describe('applying it', () => {
  let database: Driver
  const at = new Date('2026-03-02T09:00:00Z')
  beforeEach(async () => {
    database = openSqlite(':memory:')
    await migrate(database)
  })

  test('the same file twice changes nothing, in whatever order its keys are', async () => {
    expect(await applyDirectory(database, good(file()), at)).toEqual({ added: 6, changed: 0, retired: 0, removed: 0 })
    const before = await directoryState(database)
    const again = file()
    again.partners[0]!.channel = Object.fromEntries(Object.entries(again.partners[0]!.channel).reverse())
    expect(await applyDirectory(database, good(again), new Date('2026-03-03T09:00:00Z'))).toEqual({
      added: 0,
      changed: 0,
      retired: 0,
      removed: 0,
    })
    expect(await directoryState(database)).toBe(before)
  })

  test('secrets are kept as references and followed when loaded', async () => {
    const both = file()
    both.partners.push({
      ...both.partners[0]!,
      id: 'gp-b',
      channel: { name: 'fhir-message', url: 'https://b.example', apiKey: { file: '/run/practice-key' } },
    })
    await applyDirectory(database, good(both), at)
    const loaded = await loadDirectory(database, around.secrets)
    expect(loaded.directory.partners.get('gp-a81001')?.channel).toEqual({
      name: 'fhir-message',
      url: 'https://gp.example/fhir',
      apiKey: 'opensesame',
    })
    expect(loaded.directory.partners.get('gp-b')?.channel.apiKey).toBe('from-a-file')
    const kept = await database.query<{ body: string }>({ sql: 'select body from directory', params: [] })
    expect(JSON.stringify(kept)).not.toMatch(/opensesame|from-a-file/)
  })

  test('a partner missing in the new file stays; only `retired` retires it, and its client with it', async () => {
    await applyDirectory(database, good(file()), at)
    const without = { ...file(), partners: [], clients: file().clients.filter((one) => one.role !== 'partner') }
    expect(await applyDirectory(database, good(without), at)).toEqual({ added: 0, changed: 0, retired: 0, removed: 1 })
    expect((await loadDirectory(database)).directory.partners.get('gp-a81001')?.retired).toBe(false)

    const retired = file()
    retired.partners[0]!.retired = true
    expect(await applyDirectory(database, good(retired), at)).toEqual({ added: 1, changed: 0, retired: 1, removed: 0 })
    const loaded = await loadDirectory(database)
    expect(loaded.directory.partners.get('gp-a81001')?.retired).toBe(true)
    expect([...loaded.clients.keys()]).toEqual(['durham-health', 'ne-case-system'])
  })

  test('a file without a list of clients says nothing about clients', async () => {
    await applyDirectory(database, good(file()), at)
    await applyDirectory(database, good({ services: file().services }), at)
    const loaded = await loadDirectory(database)
    expect(loaded.clients.size).toBe(3)
    expect(loaded.staff).toHaveLength(1)
  })

  test('a change is noticed by others', async () => {
    await applyDirectory(database, good(file()), at)
    const before = await directoryState(database)
    const renamed = file()
    renamed.partners[0]!.name = 'Elvet Medical Practice'
    expect(await applyDirectory(database, good(renamed), new Date(at.getTime() + 1))).toMatchObject({ changed: 1 })
    expect(await directoryState(database)).not.toBe(before)
  })

  test('services and partners are Organizations, without a word on how they are reached', async () => {
    await applyDirectory(database, good(file()), at)
    const { directory } = await loadDirectory(database, around.secrets)
    const organization = organizationOf(directory.partners.get('gp-a81001')!)
    expect(organization).toMatchObject({ resourceType: 'Organization', id: 'gp-a81001', active: true, name: 'Elvet Surgery' })
    expect(organization.identifier).toEqual([{ system: 'https://fhir.nhs.uk/Id/ods-organization-code', value: 'A81001' }])
    expect(JSON.stringify(organization)).not.toMatch(/gp\.example|opensesame/)
  })

  test('an assertion is good once, for each client, and forgotten when it has run out', async () => {
    const soon = new Date(at.getTime() + 60_000)
    expect(await useAssertion(database, 'a', 'one', soon, at)).toBe(true)
    expect(await useAssertion(database, 'a', 'one', soon, at)).toBe(false)
    expect(await useAssertion(database, 'b', 'one', soon, at)).toBe(true)
    await useAssertion(database, 'a', 'two', new Date(at.getTime() + 120_000), new Date(at.getTime() + 61_000))
    const left = await database.query<{ jti: string }>({ sql: 'select jti from assertion_used', params: [] })
    expect(left.map((row) => row.jti)).toEqual(['two'])
  })
})
