/**
 * `disclosures [KIND]`: everything each kind of partner can ever be told, for an information-governance lead to read and sign.
 */
import type { Adapter } from '../adapter.ts'
import { type Category, categories } from '../domain/categories.ts'
import { disclosures } from '../mapping.ts'
import { Fault, table, type Verb } from './terminal.ts'

export const listDisclosures: Verb = {
  name: 'disclosures',
  usage: 'disclosures [KIND]',
  does: 'lists everything each kind of partner can be told, with its purpose and legal basis',
  takes: [0, 1],
  run: async ({ positionals: [kind] }, { adapters }) => {
    const chosen = kind === undefined ? [...adapters.values()] : [adapters.get(kind)].filter((one) => one !== undefined)
    if (chosen.length === 0) throw new Fault(`KIND is one of ${[...adapters.keys()].join(', ')}.`, 2)
    return { json: chosen.map(asData), text: chosen.map(asPage).join('\n\n') }
  },
}

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
  handling: mapping.handling ?? [],
  statement: mapping.statement,
  items: disclosures(mapping),
})

function asPage({ kind, name, mapping }: Adapter): string {
  const list = (words: readonly string[]) => (words.length ? words.join('; ') : 'nothing is named')
  const rows = disclosures(mapping).map(({ what, section, element, categories: of, must }) => [
    what,
    `${section}: ${element}`,
    must ? 'always' : 'if known',
    inWords(of).join('; '),
  ])
  return [
    `${name} (${kind}), version ${mapping.version}`,
    '',
    `Purpose      ${mapping.purpose}`,
    `Purpose code ${mapping.purposeOfUse.join(', ')}`,
    `Legal basis  ${mapping.legalBasis}`,
    `Never told   ${list(inWords(mapping.never))}`,
    `Waits if not agreed: ${list(inWords(mapping.essential))}`,
    `Fixed words  ${mapping.statement}`,
    '',
    'Each line leaves only if the person agreed to share it. An item of a list carries the category it is labelled with; one labelled with anything that is not named beside it stays.',
    '',
    table(['what', 'where it stands in the message', 'when', 'shared as'], rows),
  ].join('\n')
}
