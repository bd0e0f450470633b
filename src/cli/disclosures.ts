/**
 * `disclosures [KIND]`: everything each kind of partner can ever be told, for an information-governance lead to read and sign.
 */
import type { Adapter } from '../adapter.ts'
import { type Category, categories } from '../domain/categories.ts'
import { disclosures } from '../domain/disclosures.ts'
import { hashesOf } from '../domain/sign-off.ts'
import type { Only } from '../mapping.ts'
import { Fault, table, type Verb } from './terminal.ts'

export const listDisclosures: Verb = {
  name: 'disclosures',
  usage: 'disclosures [KIND] [--markdown | --csv]',
  does: 'lists everything each kind of partner can be told, with its purpose, its legal basis and the reason for each item',
  takes: [0, 1],
  options: { markdown: { type: 'boolean' }, csv: { type: 'boolean' } },
  run: async ({ positionals: [kind], values: { markdown, csv } }, { adapters }) => {
    const chosen = kind === undefined ? [...adapters.values()] : [adapters.get(kind)].filter((one) => one !== undefined)
    if (chosen.length === 0) throw new Fault(`KIND is one of ${[...adapters.keys()].join(', ')}.`, 2)
    const hashes = await hashesOf(chosen.map(({ mapping }) => mapping))
    const hashed = ({ kind }: Adapter) => hashes.get(kind) as string
    const text = csv ? asCsv(chosen, hashed) : markdown ? asMarkdown(chosen, hashed) : chosen.map((one) => asPage(one, hashed)).join('\n\n')
    return { json: chosen.map((one) => ({ ...asData(one), hash: hashed(one) })), text }
  },
}

/** What a guardian signs of each. */
type Hashed = (adapter: Adapter) => string

const inWords = (some: readonly Category[]): string[] => some.map((category) => categories[category].words)

const asData = ({ kind, name, mapping }: Adapter) => ({
  kind,
  name,
  version: mapping.version,
  purpose: mapping.purpose,
  purposeOfUse: mapping.purposeOfUse,
  legalBasis: mapping.legalBasis,
  essential: mapping.essential,
  never: mapping.never,
  knows: mapping.knows ?? [],
  handling: mapping.handling ?? [],
  statement: mapping.statement,
  items: disclosures(mapping),
})

const list = (words: readonly string[]) => (words.length ? words.join('; ') : 'nothing is named')
const rule =
  'Each line leaves only if the person agreed to share it. An item of a list carries the category it is labelled with; one labelled with anything that is not named beside it stays. A value whose words or codes give away more leaves only if that may leave too.'
const heads = ['what', 'where it stands in the message', 'when', 'shared as', 'why'] as const

const onlyWords = ({ labelled = [], coded, status }: Only): string =>
  [
    ...(coded ? [`coded ${coded.code}`] : []),
    ...(labelled.length ? [`labelled ${labelled.join(' and ')}`] : []),
    ...(status ? [`with status ${status.join(' or ')}`] : []),
  ].join(', ')

const rowsOf = ({ mapping }: Adapter): string[][] =>
  disclosures(mapping).map(({ what, section, element, categories: of, must, only, why }) => [
    what,
    `${section}: ${element}`,
    (must ? 'always' : 'if known') + (only ? `, only ${onlyWords(only)}` : ''),
    inWords(of).join('; '),
    why,
  ])

function asPage(adapter: Adapter, hashed: Hashed): string {
  const { kind, name, mapping } = adapter
  return [
    `${name} (${kind}), version ${mapping.version}`,
    `hash ${hashed(adapter)}`,
    '',
    `Purpose      ${mapping.purpose}`,
    `Purpose code ${mapping.purposeOfUse.join(', ')}`,
    `Legal basis  ${mapping.legalBasis}`,
    `Never told   ${list(inWords(mapping.never))}`,
    `Waits if not agreed: ${list(inWords(mapping.essential))}`,
    `Knows anyway ${list(inWords(mapping.knows ?? []))}`,
    `Fixed words  ${mapping.statement}`,
    '',
    rule,
    '',
    table(heads, rowsOf(adapter)),
  ].join('\n')
}

/** A row for each item, for a spreadsheet (RFC 4180). A cell that would be taken for a formula is none. */
function asCsv(chosen: readonly Adapter[], hashed: Hashed): string {
  const cell = (text: string) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text)
  const line = (cells: readonly string[]) => `${cells.map((text) => `"${cell(text).replaceAll('"', '""')}"`).join(',')}\r\n`
  const rows = chosen.flatMap((adapter) => {
    const { kind, mapping } = adapter
    return rowsOf(adapter).map((row) => [kind, String(mapping.version), ...row, mapping.purpose, mapping.legalBasis, hashed(adapter)])
  })
  return [['kind', 'version', ...heads, 'purpose', 'legal basis', 'hash'], ...rows].map(line).join('')
}

/** `docs/disclosures.md`, whole. */
function asMarkdown(chosen: readonly Adapter[], hashed: Hashed): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const section = (adapter: Adapter): string[] => {
    const { kind, name, mapping } = adapter
    const facts = [
      ['purpose', mapping.purpose],
      ['purpose code', mapping.purposeOfUse.join(', ')],
      ['legal basis', mapping.legalBasis],
      ['never told, whatever was agreed', list(inWords(mapping.never))],
      ['the handover waits if this is not agreed', list(inWords(mapping.essential))],
      ['what it knows by what it is, so that being asked in those words gives nothing away', list(inWords(mapping.knows ?? []))],
      ['fixed words that go along', mapping.statement],
    ]
    const head = [
      `## ${name}`,
      '',
      `\`${kind}\`, version ${mapping.version}, from \`mappings/${kind}.ts\`.`,
      '',
      `Signed is the hash \`${hashed(adapter)}\`.`,
      '',
      '| | |',
      '|---|---|',
    ]
    const rows = rowsOf(adapter).map(line)
    return [...head, ...facts.map(line), '', line(heads), line(heads.map(() => '---')), ...rows, '']
  }
  return [
    '# What each kind of partner can be told',
    '',
    'Written by `npm run --silent reconnect -- disclosures --markdown > docs/disclosures.md`; a test fails when the mappings say something else. It',
    'is for an information-governance lead to read and sign: `npm run reconnect -- sign KIND`. A signature is for what is written here and nothing',
    'else: it is under its hash.',
    '',
    rule,
    '',
    ...chosen.flatMap(section),
  ].join('\n')
}
