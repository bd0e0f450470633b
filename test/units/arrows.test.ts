/**
 * The house rules of DESIGN.md, read from the imports themselves: what each part may know of, and that files stay short.
 */
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'

const home = new URL('../../', import.meta.url)
const files = ['src', 'mappings', 'adapters'].flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: home })).sort()
const textOf = (file: string) => readFileSync(new URL(file, home), 'utf8')

/** Our own files a file imports, types included: 'src/store/owed.ts'. */
const importsOf = (file: string): string[] =>
  [...textOf(file).matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)].map(([, path]) => join(dirname(file), path as string))

/** 'src/exchange/plan.ts' is of 'src/exchange', 'src/mapping.ts' of itself, 'mappings/probation.ts' of 'mappings'. */
const partOf = (file: string): string => file.match(/^src\/[^/]+|^[^/]+/)?.[0] as string

const outermost = [
  'profiles',
  'src/access',
  'src/clock.ts',
  'src/config.ts',
  'src/domain',
  'src/exchange',
  'src/fhir',
  'src/log.ts',
  'src/store',
]
/** What each part may import besides itself: a part, or one file. What is not listed may import whatever it likes: entry points. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  // `profiles` is data: our terminology, which says what a code gives away.
  'src/domain': ['profiles', 'src/fhir/systems.ts', 'src/mapping.ts'],
  'src/mapping.ts': ['src/domain'],
  'src/adapter.ts': ['src/domain', 'src/mapping.ts'],
  'src/channel.ts': ['src/domain'],
  'src/fhir': ['src/adapter.ts', 'src/domain', 'src/mapping.ts'],
  // Which addresses may be called: config.ts knows what is this machine itself.
  'src/channels': ['src/channel.ts', 'src/config.ts', 'src/fhir'],
  // The directory table is written from the directory file and read back as it.
  'src/store': ['src/access/directory-file.ts', 'src/access/keys.ts', 'src/access/secrets.ts', 'src/domain', 'src/fhir'],
  // A directory file is refused for an address that no channel would call.
  'src/access': ['src/adapter.ts', 'src/channel.ts', 'src/channels/address.ts', 'src/domain', 'src/fhir', 'src/store'],
  'src/pages': ['src/domain'],
  'src/exchange': [
    'src/access',
    'src/adapter.ts',
    'src/channel.ts',
    'src/channels',
    'src/domain',
    'src/fhir',
    'src/mapping.ts',
    'src/pages',
    'src/store',
  ],
  'src/http': [...outermost, 'src/pages'],
  'src/console': [...outermost, 'src/adapter.ts', 'src/http', 'src/mapping.ts'],
  'src/cli': [
    ...outermost,
    'src/config-part.ts',
    'src/pages',
    'src/adapter.ts',
    'src/channel.ts',
    'src/channels/address.ts',
    'src/mapping.ts',
  ],
  'src/schedule.ts': ['src/exchange', 'src/log.ts'],
  'src/log.ts': ['src/exchange/exchange.ts'],
  'src/clock.ts': ['src/exchange/exchange.ts', 'src/fhir'],
  // How long records are kept is a rule with its sources; a setting may only lengthen it.
  // What a secret for webhooks looks like is known where signatures are checked.
  'src/config.ts': ['src/access/webhook.ts', 'src/domain'],
  'src/config-part.ts': ['src/config.ts', 'src/domain'],
  'src/hmpps-reach.ts': ['src/channels', 'src/config.ts', 'src/exchange/exchange.ts'],
  mappings: ['src/domain', 'src/fhir/codes.ts', 'src/fhir/systems.ts', 'src/mapping.ts'],
  adapters: ['mappings', 'src/adapter.ts', 'src/domain', 'src/fhir', 'src/mapping.ts'],
}

/** Only these are handed adapters and mappings by name; everything else is handed them as values. */
const entryPoints = ['src/cli.ts', 'src/gateway.ts', 'src/node.ts', 'src/start.ts', 'src/worker.ts']

describe('imports point inward', () => {
  test.each(Object.entries(arrows))('%s knows only of what it may', (part, allowed) => {
    const strays = files
      .filter((file) => partOf(file) === part)
      .flatMap((file) =>
        importsOf(file)
          .filter((to) => partOf(to) !== part && !allowed.includes(to) && !allowed.includes(partOf(to)))
          .map((to) => `${file} -> ${to}`),
      )
    expect(strays).toEqual([])
  })

  test('every part of src has its arrows, or is an entry point', () => {
    const parts = new Set(files.map(partOf))
    const unknown = [...parts].filter((part) => !(part in arrows) && !entryPoints.includes(part) && part !== 'src/demo')
    expect(unknown).toEqual([])
  })

  test('adapters and mappings are named by entry points alone', () => {
    const named = files.filter((file) => file.startsWith('src/') && importsOf(file).some((to) => /^(adapters|mappings)\//.test(to)))
    expect(named.filter((file) => !entryPoints.includes(file) && file !== 'src/demo/start.ts')).toEqual([])
  })

  test('a mapping knows no other mapping; an adapter no other adapter, and only the mapping of its own name', () => {
    const strays = files.flatMap((file) => {
      const own = file.match(/^adapters\/([^/]+)\//)?.[1]
      return importsOf(file)
        .filter((to) =>
          file.startsWith('mappings/')
            ? to.startsWith('mappings/')
            : own !== undefined && /^(adapters|mappings)\//.test(to) && to !== `mappings/${own}.ts` && !to.startsWith(`adapters/${own}/`),
        )
        .map((to) => `${file} -> ${to}`)
    })
    expect(strays).toEqual([])
  })

  test('the pure middle asks no clock, no network and no file', () => {
    const impure = /\bnew Date\(\)|\bDate\.now\(|\bMath\.random\(|\bfetch\(|\bprocess\.|from 'node:|Temporal\.Now/
    const pure = files.filter((file) => /^src\/domain\/|^src\/mapping\.ts$|^mappings\//.test(file))
    expect(pure.length).toBeGreaterThan(10)
    expect(pure.filter((file) => impure.test(textOf(file)))).toEqual([])
  })
})

/** Files longer than most, each with its reason. */
const long: Readonly<Record<string, string>> = {
  'src/fhir/search-parameters.ts': 'one table of every search parameter we serve: splitting it would hide what is there',
}
const most = 400

describe('files', () => {
  const lines = (file: string) => textOf(file).trimEnd().split('\n').length

  test(`none is longer than ${most} lines without a reason`, () => {
    expect(files.filter((file) => lines(file) > most && !(file in long))).toEqual([])
    expect(Object.keys(long).filter((file) => !files.includes(file) || lines(file) <= most)).toEqual([])
  })

  test('each opens with what it is for', () => {
    expect(files.filter((file) => !/^(#!.*\n)?\/\*\*\n \* \S/.test(textOf(file)))).toEqual([])
  })
})
