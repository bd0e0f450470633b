/**
 * The committed cut of FHIR R4 is the one `npm run definitions` would write, and every constraint in it has its rule.
 */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { definitions } from '../../scripts/definitions.ts'
import committed from '../../src/fhir/definitions.json' with { type: 'json' }
import { ruleOf, rules } from '../../src/fhir/validate-rules.ts'

test('src/fhir/definitions.json is what `npm run definitions` writes', () => {
  const file = readFileSync(new URL('../../src/fhir/definitions.json', import.meta.url), 'utf8')
  expect(file === definitions(), 'run `npm run definitions` and look at the difference').toBe(true)
})

test('every constraint of a type we serve has a rule, and every rule a constraint', () => {
  const used = new Set<string>()
  for (const [path, keys] of Object.entries(committed.invariants)) {
    for (const key of keys.split(' ')) {
      expect(() => ruleOf(path, key)).not.toThrow()
      used.add(rules[`${path} ${key}`] ? `${path} ${key}` : key)
    }
  }
  expect(Object.keys(rules).filter((key) => !used.has(key))).toEqual([])
})
