/**
 * The page for whoever is on call names what there is: every setting, every field of the directory file, no command that is not there.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { verbs } from '../../src/cli/run.ts'

const home = new URL('../../', import.meta.url)
const textOf = (file: string) => readFileSync(new URL(file, home), 'utf8')
const page = textOf('docs/operations.md')

test('every setting of config.ts is in it', () => {
  const settings = [...textOf('src/config.ts').matchAll(/^ {6}([A-Z_]+): /gm)].map(([, name]) => name as string)
  expect(settings.length).toBeGreaterThan(10)
  for (const name of settings) expect(page).toContain(`\`${name}\``)
})

test('every field of the directory file is in it', () => {
  const objects = [
    ...textOf('src/access/directory-file.ts').matchAll(/\.strictObject\(\{\n([\s\S]*?)\n +\}\)|z\.strictObject\(\{\n([\s\S]*?)\n\}\)/g),
  ]
  const fields = objects.flatMap(([, inner, outer]) => [...(inner ?? outer ?? '').matchAll(/^ +(\w+)(?:,|: )/gm)].map(([, name]) => name))
  expect(new Set(fields).size).toBeGreaterThan(20)
  for (const name of fields) expect(page).toContain(`\`${name}\``)
})

test('every line of the log is in it, with what it means', () => {
  const files = readdirSync(new URL('src/', home), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const said = files.flatMap((file) =>
    [...textOf(`src/${file}`).matchAll(/\blog\('(?:info|warn|error)', '([a-z.-]+)'/g)].map(([, event]) => event as string),
  )
  expect(new Set(said).size).toBeGreaterThan(15)
  const [, table = ''] = page.split('\n## Log\n')
  const [log = ''] = table.split('\n## ')
  for (const event of new Set(said)) expect(log).toContain(`\`${event}\``)
})

test('every gauge is in it', () => {
  const gauges = [...textOf('src/http/gauges.ts').matchAll(/gauge\(\s*'([a-z_]+)'/g)].map(([, name]) => name as string)
  expect(gauges.length).toBeGreaterThan(8)
  for (const name of gauges) expect(page).toContain(`| \`${name}\` |`)
})

test('every verb is in it, with what it does', () => {
  for (const { usage, does } of verbs) expect(page).toMatch(new RegExp(`^ {2}${RegExp.escape(usage)} +${RegExp.escape(does)}$`, 'm'))
})

test('every command it shows is there', () => {
  const shown = [...page.matchAll(/npm run --silent reconnect -- ([a-z-]+(?: [a-z]+)?)/g)].map(([, words]) => words as string)
  expect(shown.length).toBeGreaterThan(5)
  const names = verbs.map(({ name }) => name)
  for (const words of shown)
    expect(
      names.some((name) => words === name || words.startsWith(`${name} `) || words.split(' ')[0] === name),
      words,
    ).toBe(true)
})

test.each(['README.md', 'docs/api.md', 'docs/operations.md', 'docs/clinical-safety.md'])(
  '%s leads only to files that are there',
  (file) => {
    const folder = new URL(file, home)
    const links = [...textOf(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path]) => path as string)
    const named = [...textOf(file).matchAll(/`((?:src|test|docs|adapters|mappings)\/[\w./-]+\w)`/g)].map(([, path]) => path as string)
    for (const path of links) expect(existsSync(new URL(path, folder)), path).toBe(true)
    for (const path of named) expect(existsSync(new URL(path, home)), path).toBe(true)
  },
)
