/**
 * `new-partner KIND`: begins a new kind of partner: its folder, its mapping, its example, its place on the list. What is left to do, the
 * contract tests tell (docs/add-a-partner.md).
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { filesFor, kindsWith, listWith } from './new-partner-files.ts'
import { Fault, type Said, textOf, type Verb } from './terminal.ts'

const list = 'adapters/index.ts'
const kinds = 'profiles/CodeSystem-recipient-kind.json'

export const newPartner: Verb = {
  name: 'new-partner',
  usage: 'new-partner KIND [--name NAME]',
  does: 'begins a new kind of partner in this project: mapping, adapter, example and place on the list; the contract tests tell what is left',
  takes: [1, 1],
  options: { name: { type: 'string' }, project: { type: 'string' } },
  async run({ values, positionals }, terminal): Promise<Said> {
    const [kind = ''] = positionals
    if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(kind) || kind.length > 40)
      throw new Fault('KIND is lower-case words with hyphens between them: hostel, social-prescribing.', 2)
    const name = String(values.name ?? wordsOf(kind)).trim()
    if (!name || /[\n\r`*]/.test(name))
      throw new Fault('NAME is what people call this kind of partner, on one line: "Social prescribing team".', 2)

    const project = String(values.project ?? fileURLToPath(new URL('../../', import.meta.url)))
    const at = (path: string) => join(project, path)
    if (terminal.adapters.has(kind)) throw new Fault(`There is a kind ${kind} already: adapters/${kind}.`)
    const files = filesFor(kind, name)
    const there = [...files.keys()].filter((path) => existsSync(at(path)))
    if (there.length) throw new Fault(there.map((path) => `${path} is there already: it is not written over.`))

    const listed = listWith(textOf(terminal, at(list)), kind)
    if (!listed) throw new Fault(`${list} does not look as expected: nothing is written.`)
    const written = new Map([...files, [list, listed], [kinds, kindsWith(textOf(terminal, at(kinds)), kind, name)]])
    for (const [path, text] of written) {
      mkdirSync(dirname(at(path)), { recursive: true })
      writeFileSync(at(path), text)
    }
    const next = stepsFor(kind)
    const text = [
      `Written:\n${[...written.keys()].map((path) => `  ${path}\n`).join('')}`,
      `What is left, in this order:\n${next.map((step, index) => `  ${index + 1}. ${step}\n`).join('')}`,
    ]
    return { json: { kind, name, written: [...written.keys()], next }, text: text.join('\n') }
  },
}

const stepsFor = (kind: string): string[] => [
  `Fill in mappings/${kind}.ts: purpose, legalBasis and statement; what it may be told besides, with why; what it is never told.`,
  `Set when it is asked and how its loop closes in adapters/${kind}/index.ts, and say what is odd about it at the end of its README.md.`,
  'npx vitest run --project node test/contracts/mappings.test.ts test/contracts/adapters.test.ts   says what is missing',
  'UPDATE_FIXTURES=1 npx vitest run --project node test/contracts/adapters.test.ts   writes its example: read it as the partner would',
  'npm run --silent reconnect -- disclosures --markdown > docs/disclosures.md   is what an information-governance lead signs',
  'npm run format && npm run check && npm test',
]

/** 'social-prescribing' is 'Social prescribing'. */
const wordsOf = (kind: string): string => {
  const words = kind.replaceAll('-', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
