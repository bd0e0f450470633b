/**
 * What holds for every mapping, whatever it says: no value leaves unless its category was allowed.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { adapters } from '../../adapters/index.ts'
import { allCategories, type Category } from '../../src/domain/categories.ts'
import { disclosures } from '../../src/domain/disclosures.ts'
import { type Filled, fill } from '../../src/mapping.ts'
import { activity, allow, everything, factLists, scope, words, wordsOf } from '../fixtures/case.ts'

const subsets = fc.subarray(allCategories as Category[]).map((list) => new Set(list))
/** With identity and what is essential to each mapping, so that something does leave. */
const useful = (essential: readonly Category[]) => subsets.map((set) => new Set<Category>([...set, 'identity', ...essential]))

const sectionsOf = (filled: Filled) => (filled.outcome === 'ready' ? filled.sections : {})
const wordsIn = (filled: Filled): Set<string> => wordsOf(JSON.stringify(sectionsOf(filled)))
const sourceOfWord = (word: string) => words.get(word) as NonNullable<ReturnType<typeof words.get>>
/** Each value in a message with its path, without regard to how many neighbours it has. */
function leavesOf(node: unknown, at = ''): string[] {
  if (Array.isArray(node)) return node.flatMap((each) => leavesOf(each, at))
  if (typeof node === 'object' && node !== null) return Object.entries(node).flatMap(([key, value]) => leavesOf(value, `${at}.${key}`))
  return [`${at}=${node}`]
}

describe.each([...adapters.values()].map(({ mapping }) => [mapping.kind, mapping] as const))('%s', (_kind, mapping) => {
  test('is told nothing whose category was not allowed', () => {
    fc.assert(
      fc.property(subsets, (allowed) => {
        const told = [...wordsIn(fill(mapping, scope, allow(allowed)))].map(sourceOfWord)
        const astray = told.filter(({ categories }) => categories.length === 0 || !categories.every((category) => allowed.has(category)))
        expect(astray).toEqual([])
      }),
    )
  })

  test('is told nothing of a category it is never told, when all are allowed', () => {
    const told = [...wordsIn(fill(mapping, scope, allow(everything)))].flatMap((word) => sourceOfWord(word).categories)
    expect(told.length).toBeGreaterThan(5)
    expect(told.filter((category) => mapping.never.includes(category))).toEqual([])
    expect(
      disclosures(mapping)
        .flatMap((row) => row.categories)
        .filter((category) => mapping.never.includes(category)),
    ).toEqual([])
  })

  test('loses, with one category, what has that category and nothing else', () => {
    fc.assert(
      fc.property(useful(mapping.essential), fc.constantFrom(...allCategories), (allowed, without) => {
        const with_ = fill(mapping, scope, allow(allowed))
        const less = fill(mapping, scope, allow(new Set([...allowed].filter((category) => category !== without))))
        if (without === 'identity' || mapping.essential.includes(without)) {
          expect(less.outcome).toBe('withheld')
          return
        }
        const before = new Set(leavesOf(sectionsOf(with_)))
        expect(leavesOf(sectionsOf(less)).filter((leaf) => !before.has(leaf))).toEqual([])
        const kept = wordsIn(less)
        const lost = [...wordsIn(with_)].filter((word) => !kept.has(word))
        expect(lost.filter((word) => !sourceOfWord(word).categories.includes(without))).toEqual([])
        expect([...kept].filter((word) => sourceOfWord(word).categories.includes(without))).toEqual([])
      }),
    )
  })

  test('says in its disclosures exactly what left', () => {
    fc.assert(
      fc.property(useful(mapping.essential), (allowed) => {
        const filled = fill(mapping, scope, allow(allowed))
        if (filled.outcome !== 'ready') throw new Error(filled.outcome)
        const disclosed = new Set(filled.disclosures.flatMap(({ path, ref }) => [path, ref]))
        const left = new Set([...wordsIn(filled)].map((word) => sourceOfWord(word).path))
        expect([...left].filter((path) => !disclosed.has(path))).toEqual([])
        const facts = (account: readonly { path: string; ref: string }[]) =>
          account.filter(({ path }) => (factLists as string[]).includes(path)).map(({ ref }) => ref)
        const told = facts(filled.disclosures)
        // probation's appointments are times only: no word to look for
        expect(told.filter((ref) => !left.has(ref) && !ref.startsWith('Appointment/'))).toEqual([])
        const all = factLists.flatMap((list) => scope[list].map(({ ref }) => ref))
        expect([...told, ...facts(filled.withheld)].sort()).toEqual(all.sort())
      }),
    )
  })

  test('is told who, by whom and what for, when all is allowed', () => {
    const filled = fill(mapping, scope, allow(everything))
    expect(Object.keys(sectionsOf(filled))).toEqual(
      expect.arrayContaining(['patient', 'carePlan', 'worker', 'workerRole', 'custody', 'flags']),
    )
    expect(JSON.stringify(sectionsOf(filled))).toContain(activity.description)
  })

  test('is not told an unlabelled fact, and the account says why', () => {
    const { withheld } = fill(mapping, scope, allow(everything))
    for (const list of factLists) {
      const bare = scope[list].find(({ categories }) => categories.length === 0)
      expect(withheld.find(({ ref }) => ref === bare?.ref)?.because).toMatch(/not labelled/)
    }
  })

  test('gives a reason for every item, in a sentence', () => {
    for (const { section, why } of disclosures(mapping)) expect([section, why]).toEqual([section, expect.stringMatching(/^[A-Z].{15,}\.$/)])
    const sections = disclosures(mapping).map(({ section, element }) => [section, ...element.split('.').slice(1)].join('.'))
    const idle = Object.keys(mapping.why).filter((key) => !sections.some((one) => `${one}.`.startsWith(`${key}.`)))
    expect(idle).toEqual([])
  })

  test('takes no category into an allow-list that is never told, and says why it is told anything', () => {
    expect(mapping.purpose).toMatch(/\.$/)
    expect(mapping.legalBasis).toMatch(/6\(1\)\(e\)/)
    expect(mapping.statement).toMatch(/\.$/)
    expect(mapping.purposeOfUse).toContain('COC')
    expect(
      disclosures(mapping)
        .filter(({ must, section }) => must && section === 'patient')
        .map(({ what }) => what),
    ).toEqual(['person.family'])
  })
})

test('probation is told no clinical or risk word, and why is said in words', () => {
  const { mapping } = adapters.get('probation') as NonNullable<ReturnType<typeof adapters.get>>
  const filled = fill(mapping, scope, allow(everything))
  const told = new Set([...wordsIn(filled)].flatMap((word) => sourceOfWord(word).categories))
  expect([...told].sort()).toEqual(['activity', 'adjustments', 'contact', 'identity', 'release', 'worker'])
  expect(filled.withheld.map(({ because }) => because).join()).toMatch(/never told about substance misuse/)
})

test('probation can not see who missed an appointment', () => {
  const { mapping } = adapters.get('probation') as NonNullable<ReturnType<typeof adapters.get>>
  const meeting = {
    ref: 'Appointment/1',
    categories: ['appointments'] as const,
    confidentiality: 'N' as const,
    start: '2026-03-23T10:00:00Z',
    end: '2026-03-23T11:00:00Z',
  }
  const told = (status: string) => sectionsOf(fill(mapping, { ...scope, meetings: [{ ...meeting, status }] }, allow(everything)))
  expect(told('booked').appointments).toHaveLength(1)
  expect(told('noshow')).toEqual(told('fulfilled'))
  expect(told('noshow').appointments).toBeUndefined()
})

test('an Enhanced RECONNECT team is told the MAPPA level and no other offence', () => {
  const { mapping } = adapters.get('enhanced-reconnect') as NonNullable<ReturnType<typeof adapters.get>>
  const offences = [...wordsIn(fill(mapping, scope, allow(everything)))].filter((word) => sourceOfWord(word).categories.includes('offence'))
  expect(offences.map((word) => sourceOfWord(word).path)).toEqual(['Observation/mappa'])
})

test('a community support service is told nothing about health or custody but a day, and no number', () => {
  const { mapping } = adapters.get('community-support') as NonNullable<ReturnType<typeof adapters.get>>
  const told = new Set([...wordsIn(fill(mapping, scope, allow(everything)))].flatMap((word) => sourceOfWord(word).categories))
  const paths = [...wordsIn(fill(mapping, scope, allow(everything)))].map((word) => sourceOfWord(word).path)
  expect([...told].sort()).toEqual(['accommodation', 'activity', 'adjustments', 'contact', 'identity', 'practical', 'release', 'worker'])
  expect(paths.filter((path) => /Number|crn|address|establishment/.test(path))).toEqual([])
})

test('another RECONNECT service is told what is planned with others, under what their words give away, and not with whom', () => {
  const { mapping } = adapters.get('reconnect-service') as NonNullable<ReturnType<typeof adapters.get>>
  const [other] = scope.others
  const told = JSON.stringify(sectionsOf(fill(mapping, scope, allow(everything))))
  expect(told).toContain(other?.description)
  const without = new Set(everything)
  without.delete('substance-misuse')
  expect(JSON.stringify(sectionsOf(fill(mapping, scope, allow(without))))).not.toContain(other?.description)
  for (const [kind, { mapping }] of adapters)
    if (kind !== 'reconnect-service')
      expect(JSON.stringify(sectionsOf(fill(mapping, scope, allow(everything))))).not.toContain(other?.description)
})

test('a drug team without substance misuse is told nothing', () => {
  const { mapping } = adapters.get('substance-misuse') as NonNullable<ReturnType<typeof adapters.get>>
  const all = new Set(everything)
  all.delete('substance-misuse')
  expect(fill(mapping, scope, allow(all)).outcome).toBe('withheld')
})
