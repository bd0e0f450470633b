/**
 * Why one partner is told one thing or not, rule by rule in the order they are asked: the agreement that counts, what this kind of
 * partner may ever be told, what the agreement says of this, an override; and what would have to change. In words to be read aloud.
 */
import type { ParametersParameter } from '@medplum/fhirtypes'
import { categories } from '../domain/categories.ts'
import { consentRef } from '../domain/consent.ts'
import { mappingRemedy, reasonWords, remedyWords } from '../domain/reasons.ts'
import type { Disclosure, Withheld } from '../mapping.ts'
import type { Considered } from './consider.ts'

type Item = Disclosure & Partial<Pick<Withheld, 'because'>>

const text = (name: string, valueString: string): ParametersParameter => ({ name, valueString })

/** What one resource of the record comes to for a partner: one part for each kind of information in it. Empty: it is in nothing told. */
export function whyItem(considered: Considered, ref: string): ParametersParameter[] {
  const { filled } = considered
  const told: Item[] = filled.outcome === 'ready' ? filled.disclosures : []
  const items = [...told, ...filled.withheld].filter((one) => one.ref.split('#')[0] === ref)
  const kinds = new Map(items.map((one) => [`${one.categories.join()}|${one.because}`, one]))
  return [...kinds.values()].map((one) => ({ name: 'item', part: rulesOf(considered, one, ref) }))
}

function rulesOf(considered: Considered, item: Item, ref: string): ParametersParameter[] {
  const { decision, adapter } = considered
  const own = decision.permit(item)
  const byMapping = item.because !== undefined && item.because !== own.because
  const { consent } = decision
  return [
    { name: 'from', valueReference: { reference: ref } },
    text('what', whatWords(item)),
    text('answer', item.because === undefined ? 'told' : 'withheld'),
    rule(
      'agreement',
      consent ? 'This agreement counts: it is the latest.' : sentence(reasonWords(decision.reason)),
      ...(consent ? [{ name: 'consent', valueReference: { reference: consentRef(consent) } }] : []),
    ),
    rule(
      'kind-of-partner',
      byMapping ? sentence(item.because as string) : 'This kind of partner may be told this, where the person agrees.',
      text('mapping', `${adapter.kind} v${adapter.mapping.version}`),
    ),
    rule('what-was-agreed', sentence(own.because), ...provisionOf(own.reason)),
    ...(own.override ? [rule('override', sentence(reasonWords({ code: 'override' })), text('override', own.override))] : []),
    text('would-change', byMapping && own.permitted ? mappingRemedy : remedyWords(own.reason)),
  ]
}

const rule = (name: string, words: string, ...more: ParametersParameter[]): ParametersParameter => ({
  name: 'rule',
  part: [text('name', name), text('words', words), ...more],
})

/** Where in the agreement the rule stands that decided. */
export const provisionOf = (reason: object): ParametersParameter[] =>
  'at' in reason && typeof reason.at === 'string' ? [text('provision', reason.at)] : []

const whatWords = ({ categories: of }: Item): string =>
  of.length ? of.map((category) => categories[category].words).join(' and ') : 'information without a label'

const sentence = (words: string): string => `${words.charAt(0).toUpperCase()}${words.slice(1)}.`
