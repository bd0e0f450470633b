/**
 * Our terminology: every file is listed and valid, and where it repeats a table of the code it says the same.
 */
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import type { CodeSystem, ConceptMap } from '@medplum/fhirtypes'
import { describe, expect, test } from 'vitest'
import { adapters } from '../../adapters/index.ts'
import { profiles } from '../../profiles/index.ts'
import { allCategories, categories, categoryOfLabel } from '../../src/domain/categories.ts'
import { rejectionReasons } from '../../src/domain/handover.ts'
import { businessWords } from '../../src/domain/handover-words.ts'
import { phases } from '../../src/domain/lifecycle.ts'
import { destinations } from '../../src/domain/onward.ts'
import { closures } from '../../src/domain/outcomes.ts'
import { legalBases } from '../../src/domain/override.ts'
import { marks } from '../../src/domain/review-marks.ts'
import { BASE, ours } from '../../src/fhir/systems.ts'

const folder = new URL('../../profiles/', import.meta.url)
const validator = new URL('../../../shared/tools/validate-fhir.mjs', import.meta.url)
const conceptsOf = (name: string) =>
  Object.fromEntries(((profiles.get(`CodeSystem/${name}`) as CodeSystem).concept ?? []).map(({ code, display }) => [code, display]))
const map = (name: string) => profiles.get(`ConceptMap/${name}`) as ConceptMap

test('every file is listed, under the name it has', () => {
  const files = readdirSync(folder).flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -'.json'.length).replace('-', '/')] : []))
  expect([...profiles.keys()].filter((key) => !key.startsWith('ValueSet/')).sort()).toEqual(files.sort())
  for (const [key, { url }] of profiles) expect(url).toBe(`${BASE}/${key}`)
})

describe('a code system says what the code says', () => {
  const wordsOf = (table: Record<string, { words: string }>) =>
    Object.fromEntries(Object.entries(table).map(([code, { words }]) => [code, words]))
  test.each([
    ['category', wordsOf(categories)],
    ['handover-status', businessWords],
    ['rejection-reason', rejectionReasons],
    ['referral-phase', wordsOf(phases)],
    ['closure', wordsOf(closures)],
    ['onward-destination', wordsOf(destinations)],
    ['legal-basis', wordsOf(legalBases)],
    ['review-mark', marks],
    ['recipient-kind', Object.fromEntries([...adapters].map(([kind, { name }]) => [kind, name]))],
  ])('%s', (name, table) => expect(conceptsOf(name)).toEqual(table))
})

test('every code system of ours that the code names is published, or is one of these', () => {
  const named = new Set(
    globSync('{src,adapters,mappings}/**/*.ts', { cwd: new URL('../../', import.meta.url) }).flatMap((file) =>
      [...readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8').matchAll(/\bours\('([a-z-]+)'\)/g)].map(
        ([, name]) => name as string,
      ),
    ),
  )
  // Codes that are made where they are used: the reasons and questions of triage, the kind of a request, HMPPS's own kinds of date, the
  // parts of what was said in custody and which version we wrote.
  const elsewhere = ['referral-ask', 'referral-reason', 'release-date-type', 'use-case', 'custody-event', 'written-version']
  const unpublished = [...named].filter((name) => !profiles.has(`CodeSystem/${name}`))
  expect(unpublished.filter((name) => !elsewhere.includes(name))).toEqual([])
})

test('the map of labels is the table of categories', () => {
  const rows = (map('label').group ?? []).flatMap(({ source, element }) =>
    (element ?? []).map(({ code, target }) => [categoryOfLabel({ system: source as string, code: code as string }), target?.[0]?.code]),
  )
  expect(rows.filter(([from, to]) => from !== to)).toEqual([])
  expect(rows).toHaveLength(allCategories.flatMap((category) => categories[category].hl7).length)
})

test('the map of codes leads to categories only, from codes that exist, each once', () => {
  for (const { source, target, element = [] } of map('category').group ?? []) {
    expect(target).toBe(ours('category'))
    const codes = element.map(({ code }) => code as string)
    expect(new Set(codes).size).toBe(codes.length)
    expect(
      element.flatMap((one) => one.target?.map(({ code }) => code) ?? []).filter((code) => !allCategories.includes(code as never)),
    ).toEqual([])
    const own = profiles.get(`${source?.replace(`${BASE}/`, '')}`) as CodeSystem | undefined
    if (own) expect(codes.filter((code) => !own.concept?.some((one) => one.code === code))).toEqual([])
  }
})

test.skipIf(!existsSync(validator))('all of it is valid FHIR (skipped without the validator beside the project)', async () => {
  const { validate } = await import(validator.href)
  for (const [key, resource] of profiles) expect([key, validate(resource)]).toEqual([key, []])
})
