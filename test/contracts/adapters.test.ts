/**
 * What holds for every adapter: it is on the list, it explains itself, its example is what it sends, and it sends valid FHIR.
 *
 * `UPDATE_FIXTURES=1` rewrites the examples.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { adapters } from '../../adapters/index.ts'
import { channels } from '../../src/channels/index.ts'
import { categories as table } from '../../src/domain/categories.ts'
import { revocation } from '../../src/fhir/messages.ts'
import { task } from '../fixtures/case.ts'
import { envelopeFor, messageFor, read, shelfFor } from '../fixtures/messages.ts'
import { sam } from '../fixtures/sam.ts'

const folder = new URL('../../adapters/', import.meta.url)
const fileOf = (kind: string, name: string) => new URL(`${kind}/${name}`, folder)
const validator = new URL('../../../shared/tools/validate-fhir.mjs', import.meta.url)

test('the list names every folder, and every folder is on the list', () => {
  const folders = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  expect([...adapters.keys()].sort()).toEqual(folders.sort())
})

describe.each([...adapters.values()].map((adapter) => [adapter.kind, adapter] as const))('%s', (kind, adapter) => {
  test('has the kind of its folder and of its mapping', () => {
    expect(existsSync(fileOf(kind, 'index.ts'))).toBe(true)
    expect(adapter.mapping.kind).toBe(kind)
    expect(existsSync(new URL(`../../mappings/${kind}.ts`, import.meta.url))).toBe(true)
  })

  test('is explained in a README that ends with its nuances', () => {
    const sections = readFileSync(fileOf(kind, 'README.md'), 'utf8').match(/^## .*$/gm)
    expect(sections?.at(-1)).toBe('## Nuances and peculiarities')
  })

  test('is asked in time, and its loop is closed by an outcome', () => {
    const { opensDays, dueDays, answerWithinWorkingDays } = adapter.window
    expect(opensDays).toBeGreaterThan(dueDays)
    expect(opensDays).toBeLessThanOrEqual(84)
    expect(answerWithinWorkingDays).toBeGreaterThan(0)
    expect(adapter.closesWith.length).toBeGreaterThan(0)
  })

  test('uses channels that exist', () => {
    expect(adapter.channels.filter((name) => !channels.has(name))).toEqual([])
  })

  test('has an example message that is what it sends today', () => {
    const file = fileOf(kind, 'fixtures/message.json')
    const text = `${JSON.stringify(messageFor(adapter, { scope: sam(kind) }), null, 2)}\n`
    if (process.env.UPDATE_FIXTURES) writeFileSync(file, text)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(text))
  })

  test('labels everything with one confidentiality and how to handle it, never with what kind of sensitive it is', () => {
    const kinds = new Set<string>(Object.values(table).flatMap((row) => [...row.hl7]))
    for (const { resourceType, meta } of shelfFor(adapter)) {
      const labels = (meta?.security ?? []).map(({ code }) => code as string)
      expect([resourceType, labels]).toEqual([
        resourceType,
        [expect.stringMatching(/^[NR]$/), 'MINEC', 'NORDSCLCD', ...(adapter.mapping.handling ?? [])],
      ])
      expect(labels.filter((code) => kinds.has(code))).toEqual([])
    }
  })

  test.skipIf(!existsSync(validator))('sends valid FHIR, UK Core and BaRS (skipped without the validator beside the project)', async () => {
    const { validate } = await import(validator.href)
    const notice = read(
      revocation({ status: 'revoked', task, serviceRequestId: '0198c000-0000-7000-8000-000000000002', ...envelopeFor(kind) }),
    )
    for (const bundle of [
      messageFor(adapter),
      messageFor(adapter, { scope: sam(kind) }),
      notice,
      messageFor(adapter, { allowed: new Set(['identity', ...adapter.mapping.essential]) }),
    ]) {
      expect(validate(bundle)).toEqual([])
    }
    for (const resource of shelfFor(adapter)) expect(validate(resource)).toEqual([])
  })
})
