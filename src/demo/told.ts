/**
 * What a partner is told and what is kept from it, in the words of the categories people agree to.
 */
import type { Source } from '../domain/case.ts'
import { categories } from '../domain/categories.ts'
import type { Considered } from '../exchange/consider.ts'
import type { Disclosure } from '../mapping.ts'

/** Something kept back. `kinds`: each of its categories; `decided`: the person decided it, and not only the rules for this kind of partner. */
export type Kept = { what: string; kinds: string[]; because: string; decided: boolean }

/** Each category once, in words. */
export const toldWords = (disclosures: readonly Disclosure[]): string[] => [...new Set(disclosures.flatMap(wordsOf))]

const wordsOf = ({ categories: of }: Pick<Source, 'categories'>): string[] => of.map((category) => categories[category].words)

/** What is kept from a partner, each kind once, with why: what the person decided comes first. */
export function keptFrom(considered: Considered | undefined): Kept[] {
  if (!considered) return []
  const { filled, decision } = considered
  const told = new Set(filled.outcome === 'ready' ? filled.disclosures.flatMap((one) => one.categories) : [])
  const groups = new Map<string, Kept>()
  for (const one of filled.withheld) {
    const kinds = one.categories.length ? wordsOf(one).map(brief) : ['something nobody has labelled']
    // A fact may have no place in a message that tells others of its kind.
    const partly = one.categories.length > 0 && one.categories.every((category) => told.has(category))
    const what = `${partly ? 'some details of ' : ''}${kinds.join(' and ')}`
    const own = decision.permit(one)
    const because = own.permitted || own.because === one.because ? one.because : `${own.because}. Besides, ${one.because}`
    groups.set(`${what} ${because}`, { what, kinds: partly ? [what] : kinds, because, decided: !own.permitted })
  }
  return [...groups.values()].sort((a, b) => Number(b.decided) - Number(a.decided))
}

/** A category in as few words as an inbox has room for. */
export const short = (words: string): string => shorter[words] ?? brief(words)

const shorter: Readonly<Record<string, string>> = {
  [categories.contact.words]: 'how to reach them',
  [categories.address.words]: 'address',
  [categories.worker.words]: 'care navigator',
  [categories.release.words]: 'release',
  [categories.adjustments.words]: 'adjustments',
  [categories.neurodiversity.words]: 'neurodiversity',
}

/** 'who the person is: name, date of birth, NHS number' is 'who the person is'. */
export const brief = (words: string): string => words.split(':')[0] as string
