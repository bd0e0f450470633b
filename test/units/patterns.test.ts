/**
 * Every pattern that something from outside can reach is quick on whatever it is given: fifty thousand characters made to be slow for
 * it end within a second (where time grows with the square of the length they take many).
 *
 * The patterns are read from the source, so that a new one is tried without being named here. What only an operator's own settings and
 * files reach (config, cli) or the demo's own people is left out.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const sources = [
  ...['access', 'channels', 'domain', 'exchange', 'fhir', 'http', 'store'].map((name) => `src/${name}`),
  'adapters',
  'mappings',
]
const files = sources.flatMap((folder) =>
  readdirSync(root + folder, { recursive: true, encoding: 'utf8' }).flatMap((name) => (name.endsWith('.ts') ? [`${folder}/${name}`] : [])),
)

/** A pattern as it is written where a value can stand; not a division, not a comment. */
const written = /(?<=(?:[=(,:?&|![{}]|return|=>)\s{0,40})\/(?![*/])((?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\n\\[])+)\/([dgimsuvy]*)/g
const patterns = new Map<string, RegExp>()
for (const file of files) {
  const code = readFileSync(root + file, 'utf8').replace(/^\s*(\/\/|\/?\*).*$/gm, '')
  for (const [text, source = '', flags = ''] of code.matchAll(written)) {
    const pattern = compiled(source, flags.replace('g', ''))
    if (pattern) patterns.set(`${file} ${text}`, pattern)
  }
}

/** What looks like a pattern between two template strings is none. */
function compiled(source: string, flags: string): RegExp | undefined {
  try {
    return new RegExp(source, flags)
  } catch {
    return undefined
  }
}

const length = 50_000
const anybody = ['a', 'A', '0', ' ', '-', '.', '\n', '\u0301']

/** One or two characters again and again, behind the words the pattern begins with, with an end that does not fit. */
function* hostileTo({ source }: RegExp): Generator<string> {
  const own = [...new Set(source.replace(/\\[a-zA-Z]/g, '').replace(/[^\x20-\x7e]/g, ''))]
  const parts = [...new Set([...anybody, ...own])]
  const beginning = /^\^?([A-Za-z0-9 :/_"-]*)/.exec(source)?.[1] ?? ''
  for (const start of new Set(['', beginning])) {
    for (const part of parts) yield `${start}${part.repeat(length)}\u0000`
    for (const [n, part] of own.entries()) yield `${start}${(part + (own[n + 1] ?? 'a')).repeat(length / 2)}\u0000`
    yield `${start}${source.slice(0, 200).repeat(Math.ceil(length / Math.min(200, source.length)))}\u0000`
  }
}

test('there are patterns to be tried', () => {
  expect(patterns.size).toBeGreaterThan(60)
  expect([...patterns.keys()].join()).toContain('src/fhir/validate-primitives.ts')
})

test('a slow pattern is seen to be slow', () => {
  expect(slowFor(/(a+)+$/)).toBeDefined()
  expect(slowFor(/\/+$/)).toBeDefined()
  expect(slowFor(/^[a-z]+$/)).toBeUndefined()
})

test('every pattern is quick', { timeout: 120_000 }, () => {
  expect([...patterns].flatMap(([where, pattern]) => (slowFor(pattern) === undefined ? [] : [where]))).toEqual([])
})

/** The beginning of a text that takes longer than a second. */
function slowFor(pattern: RegExp): string | undefined {
  for (const text of hostileTo(pattern)) {
    try {
      runInNewContext('pattern.test(text)', { pattern, text }, { timeout: 1_000 })
    } catch {
      return text.slice(0, 20)
    }
  }
  return undefined
}
