/**
 * The command line: what each verb says and how it ends, on a database another process has open as well.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Bundle } from '@medplum/fhirtypes'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { adapters } from '../../adapters/index.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { caseBundle, partners, words, wordsIn } from '../fixtures/case-bundle.ts'
import { commandLine } from '../fixtures/command-line.ts'
import { directoryFile, masterKey, morning, openGateway } from '../fixtures/gateway.ts'
import { referral } from '../fixtures/referral.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reconnect-cli-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const file = (name: string, content: unknown): string => {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}
const reconnect = (args: string[], env: Record<string, string> = {}) => commandLine(args, { folder, env, now: () => new Date(morning) })

describe('being understood', () => {
  test('no verb, an unknown one, a wrong option or too many arguments: usage, exit 2', async () => {
    expect(await reconnect([])).toMatchObject({ exit: 2, out: expect.stringMatching(/directory apply FILE/) })
    expect(await reconnect(['sing'])).toMatchObject({ exit: 2, err: expect.stringMatching(/no “sing”/) })
    expect(await reconnect(['owed', '--colour', 'red'])).toMatchObject({ exit: 2, err: expect.stringMatching(/usage: .*owed/) })
    expect(await reconnect(['owed', '--state', 'lost'])).toMatchObject({ exit: 2, err: expect.stringMatching(/--state is one of due/) })
    expect(await reconnect(['case'])).toMatchObject({ exit: 2, err: expect.stringMatching(/usage: .*case FILE/) })
    expect(await reconnect(['disclosures', 'martians'])).toMatchObject({
      exit: 2,
      err: expect.stringMatching(/KIND is one of gp-registration/),
    })
    expect(await reconnect(['--help'])).toMatchObject({ exit: 0 })
    expect(await reconnect(['resend', '--help'])).toMatchObject({ exit: 0, out: expect.stringMatching(/parked/) })
  })

  test('no database: it says which folder, exit 1, and makes none', async () => {
    for (const args of [['owed'], ['work'], ['resend', 'x'], ['who-was-told', 'x']]) {
      expect(await reconnect(args)).toMatchObject({ exit: 1, err: expect.stringContaining(folder) })
    }
    expect(() => readFileSync(join(folder, 'exchange.db'))).toThrow()
  })

  test('npm run reconnect starts it', () => {
    const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
    const out = execFileSync(process.execPath, [entry, 'disclosures', 'probation', '--json'], { encoding: 'utf8' })
    expect(JSON.parse(out)).toMatchObject([{ kind: 'probation' }])
  })
})

describe('disclosures', () => {
  test('an information-governance lead reads purpose, legal basis, never, and each item with its category in words', async () => {
    const { exit, out } = await reconnect(['disclosures', 'probation'])
    expect(exit).toBe(0)
    expect(out).toMatch(/Purpose .*\n/)
    expect(out).toMatch(/Legal basis .*consent/)
    expect(out).toMatch(/Never told .*substance misuse/)
    expect(out).toMatch(/person\.family .*Patient\.name\.family +always +who the person is/)
  })

  test('every kind is there without a name, as data too', async () => {
    const { out } = await reconnect(['disclosures', '--json'])
    expect((JSON.parse(out) as { kind: string }[]).map(({ kind }) => kind)).toEqual([...adapters.keys()])
  })
})

describe('directory apply', () => {
  test('applies a file, says what changed, and the same file changes nothing', async () => {
    const path = file('directory.json', directoryFile())
    const first = await reconnect(['directory', 'apply', path, '--json'])
    expect([first.exit, JSON.parse(first.out)]).toEqual([0, { added: 15, changed: 0, retired: 0, removed: 0 }])
    expect(await reconnect(['directory', 'apply', path])).toMatchObject({ exit: 0, out: 'Nothing changed.\n' })
  })

  test('names every fault with its JSON path and applies nothing', async () => {
    const wrong = directoryFile()
    wrong.partners[0]!.kind = 'martian'
    wrong.partners[1]!.channel = { name: 'telepathy' }
    const { exit, err } = await reconnect(['directory', 'apply', file('directory.json', wrong)])
    expect(exit).toBe(1)
    expect(err).toMatch(/\$\.partners\[0\]\.kind/)
    expect(err).toMatch(/\$\.partners\[1\]\.channel\.name/)
    expect(await reconnect(['directory', 'apply', join(folder, 'none.json')])).toMatchObject({
      exit: 1,
      err: expect.stringMatching(/can not be read/),
    })
  })
})

describe('beside a running gateway', () => {
  test('owed, resend, work and who-was-told say what stands there, and name nobody', async () => {
    const gateway = await openGateway({ database: openSqlite(join(folder, 'exchange.db')) })
    try {
      gateway.partner('recovery').answers = 400
      const at = await gateway.handIn(caseBundle({ plan: ['recovery', 'probation'] }))

      const owed = await reconnect(['owed'])
      expect(owed.out).toMatch(/parked +wear-recovery +new/)
      expect(owed.out).toMatch(/1 parked, 1 delivered/)
      const json = JSON.parse((await reconnect(['owed', '--state', 'parked', '--json'])).out) as {
        owed: { id: string; partner: string; body?: string }[]
      }
      expect(json.owed).toMatchObject([{ partner: partners.recovery }])

      const work = await reconnect(['work'])
      expect(work.out).toMatch(/parked .*did not arrive/)

      gateway.partner('recovery').answers = 200
      const id = json.owed[0]!.id
      expect(await reconnect(['resend', id])).toMatchObject({ exit: 0, out: expect.stringMatching(/due again, for wear-recovery/) })
      expect(await reconnect(['resend', id])).toMatchObject({ exit: 1, err: expect.stringMatching(/not parked: it is due/) })
      expect(await reconnect(['resend', 'nothing'])).toMatchObject({ exit: 1 })
      await gateway.tick()
      await gateway.deliverer.idle()
      expect(gateway.partner('recovery').received).toHaveLength(2)
      expect((await reconnect(['work'])).out).toBe('Nothing needs a person.\n')

      const who = await reconnect(['who-was-told', at.Patient as string])
      expect(who.out).toMatch(/Partner probation +by a message +Consent\/\S+ +who the person is/)
      expect(await reconnect(['who-was-told', 'nobody'])).toMatchObject({ exit: 1 })

      for (const { out } of [owed, work, who]) expect(wordsIn(out)).toEqual([])
      expect(JSON.stringify(json)).not.toMatch(new RegExp(Object.values(words).join('|')))
    } finally {
      await gateway.close()
    }
  })
})

describe('for the person', () => {
  test('who-was-told --pdf writes a PDF for the person alone, in large print when asked, and is in the audit', async () => {
    const gateway = await openGateway({ database: openSqlite(join(folder, 'exchange.db')) })
    try {
      const at = await gateway.handIn(caseBundle({ plan: ['recovery', 'probation'] }))
      const [normal, large] = [join(folder, 'told.pdf'), join(folder, 'told-large.pdf')]
      expect(await reconnect(['who-was-told', at.Patient as string, '--pdf', normal])).toMatchObject({
        exit: 0,
        out: `Written to ${normal}.\n`,
      })
      expect(await reconnect(['who-was-told', at.Patient as string, '--pdf', large, '--large'])).toMatchObject({ exit: 0 })
      for (const path of [normal, large]) {
        expect(readFileSync(path, 'latin1')).toMatch(/^%PDF-/)
        expect(statSync(path).mode & 0o777).toBe(0o600)
      }
      expect(pagesIn(large)).toBeGreaterThan(pagesIn(normal))
      const { text } = await gateway.service.call('GET', `/fhir/AuditEvent?patient=${at.Patient}&subtype=account`)
      expect(text.match(/PATRQT/g)).toHaveLength(2)
    } finally {
      await gateway.close()
    }
  })

  test('subject-access writes the whole record as a Bundle and as PDF, with marks, and is in the audit', async () => {
    const gateway = await openGateway({ database: openSqlite(join(folder, 'exchange.db')) })
    try {
      const at = await gateway.handIn(caseBundle({ releaseDate: '2026-04-20' }))
      const out = join(folder, 'record')
      const { exit, out: said } = await reconnect(['subject-access', at.Patient as string, '--out', out])
      expect([exit, said]).toEqual([0, expect.stringMatching(/[1-9]\d* of \d+ entries are marked/)])
      const bundle = JSON.parse(readFileSync(join(out, 'record.json'), 'utf8')) as Bundle
      expect(bundle).toMatchObject({ resourceType: 'Bundle', type: 'collection' })
      const there = bundle.entry?.map(({ resource }) => `${resource?.resourceType}/${resource?.id}`)
      for (const place of Object.values(at)) expect(there).toContain(place)
      const marks = bundle.entry?.flatMap(({ resource }) => resource?.meta?.tag ?? []).map(({ code }) => code)
      expect(marks).toEqual(expect.arrayContaining(['free-text', 'risk']))
      expect(readFileSync(join(out, 'record.pdf'), 'latin1')).toMatch(/^%PDF-/)
      for (const name of ['record.json', 'record.pdf']) expect(statSync(join(out, name)).mode & 0o777).toBe(0o600)
      const { text } = await gateway.service.call('GET', `/fhir/AuditEvent?patient=${at.Patient}&subtype=subject-access`)
      expect(text.match(/PATRQT/g)).toHaveLength(1)
      expect(await reconnect(['subject-access', at.Patient as string])).toMatchObject({ exit: 2, err: expect.stringMatching(/--out/) })
      expect(await reconnect(['subject-access', 'nobody', '--out', out])).toMatchObject({ exit: 1 })
    } finally {
      await gateway.close()
    }
  })
})

const pagesIn = (path: string): number => readFileSync(path, 'latin1').match(/\/Type \/Page\b/g)?.length ?? 0

describe('case', () => {
  test('says what would be kept and what each partner would be told, withheld and from when, and prints no value', async () => {
    const { exit, out } = await reconnect(['case', file('case.json', caseBundle())])
    expect(exit).toBe(0)
    expect(out).toMatch(/1 Patient, /)
    expect(out).toMatch(/DIRECTORY is not set.*kind its activity implies/)
    expect(out).toMatch(/GP practice \(example\) \[dene-surgery\]\n +asked: from 2026-04-17/)
    expect(out).toMatch(/withheld +substance misuse \(Condition, Bundle\.entry\[4\]\): the person said that this partner is not told/)
    expect(wordsIn(out)).toEqual([])
  })

  test('with DIRECTORY, partners are those', async () => {
    const env = { DIRECTORY: file('directory.json', directoryFile()) }
    const { out } = await reconnect(['case', file('case.json', caseBundle()), '--json'], env)
    const report = JSON.parse(out) as { partners: { from: string }; people: { partners: { name: string; asked: unknown }[] }[] }
    expect(report.partners.from).toBe('DIRECTORY')
    expect(report.people[0]?.partners).toMatchObject([
      { name: 'Partner practice', asked: { from: '2026-04-17' } },
      { asked: 'now' },
      { asked: 'now' },
      { asked: 'now' },
    ])
  })

  test('nothing agreed: says for each that it is told nothing, and why', async () => {
    const { out } = await reconnect(['case', file('case.json', caseBundle({ agreed: {} }))])
    expect(out.match(/Is told nothing: the person has not agreed that this partner is told/g)).toHaveLength(4)
  })

  test('a faulty file: every fault with its FHIRPath, exit 1', async () => {
    const bundle = caseBundle()
    const flag = bundle.entry!.findIndex(({ resource }) => resource?.resourceType === 'Flag')
    Object.assign(bundle.entry![flag]!.resource!, { status: 'wobbly' })
    Object.assign(bundle.entry![0]!.resource!, { birthDate: '1987-02-30' })
    const { exit, out } = await reconnect(['case', file('case.json', bundle)])
    expect(exit).toBe(1)
    expect(out).toMatch(/Bundle\.entry\[0\]\.resource\.birthDate: /)
    expect(out).toContain(`Bundle.entry[${flag}].resource.status: `)
    expect(await reconnect(['case', file('case.json', 'not json')])).toMatchObject({ exit: 1, err: expect.stringMatching(/not JSON/) })
    expect(await reconnect(['case', file('case.json', { resourceType: 'Patient' })])).toMatchObject({
      exit: 1,
      err: expect.stringMatching(/no Bundle/),
    })
  })

  test('a referral: the answer the referrer would get, and what is asked for', async () => {
    const { exit, out } = await reconnect(['case', file('case.json', referral())])
    expect(exit).toBe(0)
    expect(out).toMatch(/referral from outside/)
    expect(out).toMatch(/answered: needs information\./)
    expect(out).toMatch(/Which prison or immigration removal centre/)
    expect(out).toMatch(/There is no active plan/)
    expect(out).not.toMatch(/Oxlade/)
  })
})

describe('keys rotate', () => {
  test('wraps every key anew beside a running gateway; afterwards the former master key is not needed', async () => {
    const text = (key: Uint8Array) => Buffer.from(key).toString('base64')
    const fresh = new Uint8Array(32).fill(21)
    const gateway = await openGateway({ database: openSqlite(join(folder, 'exchange.db')) })
    try {
      const at = await gateway.handIn(caseBundle())
      expect(await reconnect(['work'], { MASTER_KEY: text(fresh) })).toMatchObject({ exit: 1, err: expect.stringMatching(/not the one/) })
      expect(await reconnect(['keys', 'rotate'], { MASTER_KEY: text(fresh) })).toMatchObject({ exit: 1 })
      expect(await reconnect(['work'], { MASTER_KEY: '' })).toMatchObject({ exit: 1, err: expect.stringMatching(/MASTER_KEY/) })
      const both = { MASTER_KEY: `${text(fresh)},${text(masterKey)}` }
      expect(await reconnect(['keys', 'rotate'], both)).toMatchObject({ exit: 0, out: expect.stringMatching(/^\d+ keys are now/) })
      expect(JSON.parse((await reconnect(['keys', 'rotate', '--json'], both)).out)).toMatchObject({ rotated: 0 })
      expect(await reconnect(['work'], { MASTER_KEY: text(fresh) })).toMatchObject({ exit: 0 })
      expect((await gateway.service.call('GET', `/fhir/${at.Patient}`)).status).toBe(200)
    } finally {
      await gateway.close()
    }
  })
})
