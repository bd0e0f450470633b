/**
 * What one rule of an agreement says about one piece of information: what a deny holds back of it, how far a permit reaches. Makes
 * nothing new when asked again: a case has many facts, and each is asked about for each partner.
 *
 * @see domain/consent.md B2 (labels, class, code, data, dataPeriod), B5
 */
import { flat, localRef, type Match, type Rule } from './agreement.ts'
import type { Source } from './case.ts'
import { allCategories, type Category, categories, confidentialities } from './categories.ts'
import { type Decided, decided, type Part, parts, type Reason } from './reasons.ts'
import { bit, bitsOf, covers, maybeAbout } from './sensitivity.ts'

/** What a partner that may be told anything is always told (CONTRACT.md 5): no permit needs to list it. */
const always = bitsOf(['identity', 'worker', 'activity'])

/** What a deny holds back of this source, if anything. One it can not read holds everything back. */
export function held(source: Source, deny: Rule): Decided | undefined {
  if (deny.unreadable) return said(deny, 'exception-unclear')
  const { held: labels, types, data, codes, dataPeriod } = deny
  const about = bitsOf(source.categories)
  const onlyAlways = (about & ~always) === 0
  if (dataPeriod && (onlyAlways || within(source.date, dataPeriod) === 'no')) return undefined
  if (labels === undefined && !types && !data && !codes) return said(deny, 'told-nothing')
  const meant = labels === undefined ? 0 : labels & maybeAbout(source.categories, source.labels)
  if (meant) return said(deny, 'excepted', firstOf(source.categories, meant))
  const first = source.categories[0] as Category
  if (types?.has(typeOf(source) ?? '')) return said(deny, 'excepted', first)
  if (data && (data.everything || data.instances.has(resourceOf(source)))) return said(deny, 'excepted', first)
  const author = data?.authors.size ? authored(source, data.authors, onlyAlways) : 'no'
  const code = codes ? coded(source, codes, onlyAlways) : 'no'
  if (author === 'yes' || code === 'yes') return said(deny, 'excepted', first)
  return author === 'unclear' || code === 'unclear' ? said(deny, 'exception-unclear', author === 'unclear' ? 'data' : 'code') : undefined
}

/** Why a permit does not reach this source, if so. */
export function beyond(source: Source, permit: Rule): Decided | undefined {
  const { covered, types, data, codes, dataPeriod } = permit
  const about = bitsOf(source.categories)
  const first = firstOf(source.categories, about & ~always)
  const ceiling = permit.level ?? (covered ? usual(source.categories) : normal)
  if (confidentialities.indexOf(source.confidentiality) > ceiling) return said(permit, 'too-confidential', first)
  if ((about & ~always) === 0) return undefined
  if (covered) {
    for (const category of source.categories) {
      if (bit(category) & always || covers(covered, category, source.labels)) continue
      return said(permit, covered.families & bit(category) ? 'part-unclear' : 'not-listed', category)
    }
  }
  if (source.ref === '') return undefined
  if (types && !types.has(typeOf(source) ?? '')) return said(permit, 'not-listed', first)
  if (data && !(data.everything || data.instances.has(resourceOf(source)) || authored(source, data.authors, false) === 'yes'))
    return said(permit, 'not-listed', first)
  if (codes && coded(source, codes, false) !== 'yes') return said(permit, 'not-listed', first)
  if (dataPeriod && within(source.date, dataPeriod) !== 'yes') return said(permit, 'other-time', first)
  return undefined
}

const normal = confidentialities.indexOf('N')

/** Who agrees to a kind of information by name, and to no level, has agreed to it as confidential as it usually is. */
function usual(some: readonly Category[]): number {
  let level = normal
  for (const category of some) level = Math.max(level, usually[category])
  return level
}
const usually = Object.fromEntries(
  allCategories.map((category) => [category, confidentialities.indexOf(categories[category].confidentiality)]),
) as Record<Category, number>

/** The category that says most about why: the first of those meant. */
function firstOf(some: readonly Category[], among: number): Category {
  for (const category of some) if (among & bit(category)) return category
  return some[0] as Category
}

/** Values that stand alone in a case, and the resource each is read from. */
const standsFor: Readonly<Record<string, string>> = {
  person: 'Patient',
  referral: 'ServiceRequest',
  worker: 'PractitionerRole',
  plan: 'CarePlan',
}

function typeOf({ ref }: Source): string | undefined {
  const slash = ref.indexOf('/')
  return slash > 0 ? ref.slice(0, slash) : standsFor[ref]
}

const resourceOf = ({ ref }: Source): string => (ref.includes('#') ? (ref.split('#')[0] as string) : ref)

/** Who wrote it. One person can be there as several kinds of reference, so only another of the same kind is another. */
function authored({ ref, authors }: Source, wanted: ReadonlySet<string>, onlyAlways: boolean): Match {
  if (!wanted.size) return 'no'
  let [yes, another] = [false, (authors?.length ?? 0) > 0]
  for (const one of authors ?? []) {
    const author = localRef(one) as string
    if (wanted.has(author)) yes = true
    const type = author.slice(0, author.indexOf('/') + 1)
    for (const each of wanted) if (!type || !each.startsWith(type)) another = false
  }
  return yes ? 'yes' : another || onlyAlways || ref === '' ? 'no' : 'unclear'
}

/** Resources that say who and by whom, and nothing in codes about the person's life. */
const codeless = new Set(['Patient', 'PractitionerRole', 'CarePlan'])

function coded(source: Source, { wanted, systems }: NonNullable<Rule['codes']>, onlyAlways: boolean): Match {
  const { codes = [] } = source
  for (const code of codes) if (wanted.has(code)) return 'yes'
  if (onlyAlways || source.ref === '' || codeless.has(typeOf(source) ?? '')) return 'no'
  return systems.every((system) => flat(system) && codes.some((code) => code.startsWith(system))) ? 'no' : 'unclear'
}

function within(date: string | undefined, { first, last, unreadable }: NonNullable<Rule['dataPeriod']>): Match {
  if (!date || unreadable) return 'unclear'
  return (first === undefined || first <= date) && (last === undefined || date <= last) ? 'yes' : 'no'
}

const codesOfRules = [
  'agreed',
  'exception-unclear',
  'told-nothing',
  'excepted',
  'too-confidential',
  'not-listed',
  'part-unclear',
  'other-time',
] as const
type OfRule = (typeof codesOfRules)[number]

/** What one rule says about one category is put into words once, and kept with the rule. */
export function said(rule: Rule, code: OfRule, what?: Category | Part, date?: string): Decided {
  const key = (codeNumbers[code] as number) * 64 + (what === undefined ? 0 : (numbers[what] as number))
  const known = rule.verdicts.get(key)
  if (known) return known
  const one = decided(reasonOf(rule, code, what, date))
  rule.verdicts.set(key, one)
  return one
}

const numbered = (words: readonly string[]) => Object.fromEntries(words.map((word, index) => [word, index + 1])) as Record<string, number>
const codeNumbers = numbered(codesOfRules)
const numbers = numbered([...allCategories, ...Object.keys(parts)])

function reasonOf({ at, unreadable }: Rule, code: OfRule, what: Category | Part | undefined, date: string | undefined): Reason {
  if (code === 'agreed') return { code, at, ...(date ? { date } : {}) }
  if (code === 'told-nothing') return { code, at }
  if (code === 'exception-unclear') return { code, at, part: unreadable ?? (what as Part) }
  return { code, at, category: what as Category }
}
