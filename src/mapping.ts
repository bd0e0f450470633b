/**
 * The message with typed gaps: what a kind of partner is told, as data.
 *
 * A mapping is a FHIR message with holes. Each hole names what of the case goes there and the category it may leave under.
 * The same artefact is the transformation, the allow-list, the audit entry and the table an information-governance lead signs.
 * `fill` is the only door out of the exchange: an adapter or channel sees what it returns and nothing else.
 */
import type { Resource } from '@medplum/fhirtypes'
import type { Activity, Case, Coded, FactList, Source } from './domain/case.ts'
import { type Category, type Confidentiality, categories, higher } from './domain/categories.ts'
import type { PartnerKind } from './domain/directory.ts'

/** What a mapping can take from: a case, the activities of its plan this partner is to carry out, and the others, whoever they are for. */
export type Scope = Omit<Case, 'plan'> & {
  plan?: Omit<NonNullable<Case['plan']>, 'activities'>
  activities: (Activity & Source)[]
  others: (Activity & Source)[]
}
export type ScopeList = FactList | 'activities' | 'others'

type Plain = string | number | boolean
/** 'person.family' and every other path to a value, with the type that stands there. A wrong path does not compile. */
type Paths<T, Prefix extends string = ''> = {
  [K in keyof T & string]-?: NonNullable<T[K]> extends Plain | readonly unknown[]
    ? `${Prefix}${K}`
    : `${Prefix}${K}` | Paths<NonNullable<T[K]>, `${Prefix}${K}.`>
}[keyof T & string]
type At<T, P extends string> = P extends `${infer Head}.${infer Rest}`
  ? Head extends keyof T
    ? At<NonNullable<T[Head]>, Rest>
    : never
  : P extends keyof T
    ? NonNullable<T[P]>
    : never

type Single = Pick<Scope, 'person' | 'referral' | 'custody' | 'worker' | 'plan'>
export type CasePath = Paths<Single>

const gapMark = Symbol('gap')
const eachMark = Symbol('each')

/** A hole in a message. `T` is what comes out of it. */
export type Gap<T> = {
  readonly [gapMark]: T
  readonly path: string
  readonly category: Category | undefined
  readonly must: boolean
  /** Links one resource to another and says nothing by itself: an id, a reference. */
  readonly link: boolean
  readonly turn: (value: unknown) => unknown
  /** What `turn` does, as data: what is signed holds every code table. */
  readonly steps: readonly unknown[]
  /** Through a code table that must know every value. */
  as<Out>(table: [T] extends [string] ? Readonly<Record<T & string, Out>> : never): Gap<Out>
  /** One of these codes, or nothing: for a code that FHIR binds to a short list. */
  of<const Out extends string>(codes: readonly Out[]): Gap<Out>
  /** 'Condition/12' gives '12'. */
  id(): Gap<string>
  /** '12' gives { reference: 'Patient/12' }. */
  reference(type: string): Gap<{ reference: string }>
}

function gap<T>(
  path: string,
  category: Category | undefined,
  must: boolean,
  turn: (value: unknown) => unknown = (value) => value,
  link = false,
  steps: readonly unknown[] = [],
): Gap<T> {
  const then = <Out>(step: unknown, next: (value: unknown) => unknown, isLink = link) =>
    gap<Out>(path, category, must, (value) => next(turn(value)), isLink, [...steps, step])
  return {
    [gapMark]: undefined as T,
    path,
    category,
    must,
    link,
    turn,
    steps,
    as: (table) => then({ as: table }, (value) => (table as Record<string, unknown>)[value as string]),
    of: (codes) => then({ of: codes }, (value) => codes.find((code) => code === value)),
    id: () => then('id', (value) => String(value).split('/').pop(), true),
    reference: (type) => then({ reference: type }, (value) => ({ reference: `${type}/${value}` }), true),
  }
}

/** Must be there: without it there is no message. */
export const from = <P extends CasePath>(path: P, category: Category): Gap<At<Single, P>> => gap(path, category, true)
/** There if known and allowed. */
export const maybe = <P extends CasePath>(path: P, category: Category): Gap<At<Single, P>> => gap(path, category, false)

/** The holes of one item of a list; they leave under the item's own categories. */
export type Item<T> = {
  from<P extends Paths<T>>(path: P): Gap<At<T, P>>
  maybe<P extends Paths<T>>(path: P): Gap<At<T, P>>
}
const item: Item<never> = {
  from: (path: string) => gap(path, undefined, true),
  maybe: (path: string) => gap(path, undefined, false),
} as never

export type Each = {
  readonly [eachMark]: true
  readonly list: ScopeList
  readonly may: readonly Category[]
  readonly only: Only | undefined
  readonly template: unknown
}
type ItemOf<L extends ScopeList> = Scope[L][number]

/** What an item must be besides, as data, so that it can be read and signed: all of it must hold. */
export type Only = { labelled?: readonly Category[]; coded?: { system: string; code: string }; status?: readonly string[] }

function fits(value: Source, { labelled = [], coded, status }: Only): boolean {
  const { code, status: own } = value as { code?: Coded; status?: string }
  return (
    labelled.every((category) => value.categories.includes(category)) &&
    (!coded || code?.coding?.some((one) => one.system === coded.system && one.code === coded.code) === true) &&
    (!status || (own !== undefined && status.includes(own)))
  )
}

/**
 * One part for each item of a list whose every category is in `may` and allowed.
 *
 * @param may the categories of this list that this kind of partner is ever told: the allow-list
 * @param only narrows the list by what the item says (never widens it)
 */
export function each<L extends ScopeList, T>(
  list: L,
  rule: { may: readonly Category[]; only?: Only },
  template: (item: Item<ItemOf<L>>) => NoInfer<Template<T>>,
): EachOf<T> {
  return {
    [eachMark]: true,
    list,
    may: rule.may,
    only: rule.only,
    template: template(item as never),
  } as unknown as EachOf<T>
}
export type EachOf<T> = Each & { readonly item?: T }

/** A value, or the same shape with gaps anywhere inside. */
export type Template<T> =
  | Gap<T>
  | (T extends Plain
      ? T
      : T extends readonly (infer U)[]
        ? readonly (Template<U> | EachOf<U>)[]
        : T extends object
          ? { [K in keyof T]: Template<NonNullable<T[K]>> }
          : T)

/** The sections of a message: each becomes one resource, or one for each item. */
export type Sections = Record<string, Resource>
export type MessageTemplate<S extends Sections> = { [K in keyof S]: Template<S[K]> | EachOf<S[K]> }

export type Mapping<S extends Sections = Sections> = {
  kind: PartnerKind
  version: number
  /** Why this kind of partner is told anything, in a sentence. */
  purpose: string
  /** v3-ActReason codes the consent must allow at least one of. */
  purposeOfUse: readonly string[]
  /** The law it rests on, in a sentence. */
  legalBasis: string
  /** If one of these may not be told, the whole point of the handover is missing: it waits for a person. */
  essential: readonly Category[]
  /** Never told, whatever was agreed, except under an override. */
  never: readonly Category[]
  /** What this kind of partner knows by what it is: being asked in those words gives nothing away to it. Its lists carry none of it for that. */
  knows?: readonly Category[]
  /** v3-ActCode codes for how the partner must handle it, besides MINEC and NORDSCLCD that every message carries (consent.md B3). */
  handling?: readonly string[]
  /** Fixed words that travel with every message of this kind; nothing about the person. */
  statement: string
  /** Why each section is told, and each part of one that has a reason of its own (`patient.address`): a sentence each. */
  why: Reasons<S>
  message: MessageTemplate<S>
}
type Reasons<S> = { [K in keyof S & string]: string } & { [P in `${keyof S & string}.${string}`]: string }

export const defineMapping = <S extends Sections>(mapping: Mapping<S>): Mapping<S> => mapping

/** May this leave? With the reason, for people. */
export type Verdict = { permitted: boolean; because: string }
export type Permission = (source: Source) => Verdict

/** `override`: leaves only because of this override. */
export type Disclosure = Source & { path: string; override?: string }
export type Withheld = Source & { path: string; because: string }
export type Filled =
  | { outcome: 'ready'; sections: Record<string, Resource[]>; disclosures: Disclosure[]; withheld: Withheld[] }
  | { outcome: 'withheld'; because: string; withheld: Withheld[] }
  | { outcome: 'incomplete'; missing: string[]; withheld: Withheld[] }

/**
 * A partner's message from a mapping: exactly the gaps that are known and permitted, and the disclosures they are.
 *
 * @param permission asked for every value that could leave, with everything the value's source is labelled as
 * @returns `withheld` when a must-have or the essential category may not be told, `incomplete` when a must-have is not known.
 *   `withheld` lists, with the reason, every value and every fact of the case that does not leave.
 */
export function fill(mapping: Mapping, scope: Scope, permission: Permission): Filled {
  const withheld = new Map<string, Withheld>()
  const missing: string[] = []
  const refused: string[] = []

  const withhold = (source: Source, path: string, because: string) =>
    withheld.set(path + source.ref, { ...sourceOf(source), path, because })

  const ask = (source: Source, path: string, told: Disclosure[]): boolean => {
    const verdict = decide(mapping, source, permission)
    if (verdict.permitted) told.push({ ...sourceOf(source), path })
    else withhold(source, path, verdict.because)
    return verdict.permitted
  }

  /** A value of an item that gives away more than the item itself. */
  const askBesides = ({ value, list }: Owner, path: string, told: Disclosure[]): boolean => {
    const besides = value.reveals?.[path] ?? []
    return besides.length === 0 || ask(raised(value, besides), `${list}.${path}`, told)
  }

  /** One node of the template. `owner` is the list item we are inside of, if any. Undefined: the part goes. */
  const render = (node: unknown, owner: Owner | undefined, tally: Tally): unknown => {
    if (isGap(node)) {
      const ofItem = owner !== undefined && node.category === undefined
      const known = valueAt(ofItem ? owner.value : scope, node.path)
      const value = known === undefined ? undefined : node.turn(known)
      if (!node.link) tally.gaps++
      if (value === undefined) {
        if (node.must && owner) tally.broken = true
        else if (node.must) missing.push(node.path)
        return undefined
      }
      if (!ofItem) {
        const source = ownerOf(scope, node)
        if (!ask(source, node.path, tally.told)) {
          if (node.must) refused.push(withheld.get(node.path + source.ref)!.because)
          return undefined
        }
      } else if (!askBesides(owner, node.path, tally.told)) {
        if (node.must) tally.broken = true
        return undefined
      }
      if (!node.link) tally.filled++
      return value
    }
    if (isEach(node)) return renderEach(node, tally.told)
    if (Array.isArray(node)) {
      const parts = node.flatMap((part) => {
        const rendered = render(part, owner, tally)
        return rendered === undefined ? [] : isEach(part) ? (rendered as unknown[]) : [rendered]
      })
      return parts.length ? parts : undefined
    }
    if (typeof node !== 'object' || node === null) return node
    const inner = nothingYet()
    const part: Record<string, unknown> = {}
    for (const [key, child] of Object.entries(node)) {
      const rendered = render(child, owner, inner)
      if (rendered !== undefined) part[key] = rendered
    }
    tally.gaps += inner.gaps
    tally.filled += inner.filled
    tally.broken ||= inner.broken
    if ((inner.gaps > 0 && inner.filled === 0) || Object.keys(part).length === 0) return undefined
    tally.told.push(...inner.told)
    return part
  }

  const renderEach = (list: Each, told: Disclosure[]): unknown[] | undefined => {
    const parts = (scope[list.list] as Source[]).flatMap((value) => {
      if (list.only && !fits(value, list.only)) return []
      if (value.categories.some((category) => !list.may.includes(category))) return []
      const tally = nothingYet()
      const part = render(list.template, { value, list: list.list }, tally)
      if (part === undefined || tally.broken || !ask(value, list.list, tally.told)) return []
      told.push(...tally.told)
      return [part]
    })
    return parts.length ? parts : undefined
  }

  const sections: Record<string, Resource[]> = {}
  const told: Disclosure[] = []
  for (const [name, template] of Object.entries(mapping.message)) {
    const tally = nothingYet()
    const rendered = render(template, undefined, tally)
    if (rendered === undefined) continue
    sections[name] = (Array.isArray(rendered) ? rendered : [rendered]) as Resource[]
    told.push(...tally.told)
  }
  const disclosures = [...new Map(told.map((each) => [each.path + each.ref, each])).values()]

  // A fact no section took is withheld too, so that the account is complete.
  const settled = new Set([...withheld.keys(), ...disclosures.map((each) => each.path + each.ref)])
  for (const list of factLists) {
    for (const fact of scope[list]) if (!settled.has(list + fact.ref)) withhold(fact, list, whyNoSection(mapping, list, fact))
  }
  const all = { withheld: [...withheld.values()] }
  for (const category of mapping.essential) {
    const verdict = permission({ ref: '', categories: [category], confidentiality: categories[category].confidentiality })
    if (!verdict.permitted) refused.push(verdict.because)
  }
  if (refused.length) return { outcome: 'withheld', because: [...new Set(refused)].join('; '), ...all }
  if (missing.length) return { outcome: 'incomplete', missing: [...new Set(missing)], ...all }
  return { outcome: 'ready', sections, disclosures, ...all }
}

const factLists = ['needs', 'medications', 'allergies', 'flags', 'findings', 'meetings'] as const satisfies readonly FactList[]

/** The mapping's own rules first, then whoever decides about consent. */
function decide(mapping: Mapping, source: Source, permission: Permission): Verdict {
  const never = source.categories.find((category) => mapping.never.includes(category))
  if (never) return { permitted: false, because: `this kind of partner is never told about ${categories[never].words}` }
  if (source.categories.length === 0) return { permitted: false, because: 'it is not labelled, so nothing says whether it may be told' }
  return permission(source)
}

/** Why no section of the mapping took a fact: never, not labelled, outside the allow-list, or not part of the message. */
function whyNoSection(mapping: Mapping, list: FactList, fact: Source): string {
  const own = decide(mapping, fact, () => ({ permitted: true, because: '' }))
  if (!own.permitted) return own.because
  const may = eachesOf(mapping.message).flatMap((each) => (each.list === list ? each.may : []))
  const outside = fact.categories.find((category) => !may.includes(category))
  return outside
    ? `this kind of partner is not told about ${categories[outside].words}`
    : 'it is not part of what this kind of partner is told'
}

const eachesOf = (node: unknown): Each[] =>
  isEach(node) ? [node] : isGap(node) || typeof node !== 'object' || node === null ? [] : Object.values(node).flatMap(eachesOf)

/** The list item a gap stands in. */
type Owner = { value: Source; list: ScopeList }

/** What a part of a message has come to so far. `broken`: an item lacks a must-have. */
type Tally = { gaps: number; filled: number; broken: boolean; told: Disclosure[] }
const nothingYet = (): Tally => ({ gaps: 0, filled: 0, broken: false, told: [] })

export const isGap = (node: unknown): node is Gap<unknown> => typeof node === 'object' && node !== null && gapMark in node
export const isEach = (node: unknown): node is Each => typeof node === 'object' && node !== null && eachMark in node

const sourceOf = ({ ref, categories, confidentiality, date, codes, labels, authors }: Source): Source => ({
  ref,
  categories,
  confidentiality,
  ...(date ? { date } : {}),
  ...(codes ? { codes } : {}),
  ...(labels ? { labels } : {}),
  ...(authors ? { authors } : {}),
})

const valueAt = (root: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], root)

/** What a single gap discloses: its own category, and everything its resource is labelled as. */
function ownerOf(scope: Scope, { path, category }: Gap<unknown>): Source {
  const own = category as Category
  const root = path.split('.')[0]
  const owner = root === 'person' ? scope.personSource : root === 'custody' ? scope.custody : undefined
  const base: Source = owner ?? { ref: `${root}`, categories: [], confidentiality: 'N' }
  const besides = Object.entries(base.reveals ?? {}).flatMap(([part, of]) => (`${path}.`.startsWith(`${part}.`) ? of : []))
  const source = raised(base, [own, ...besides])
  return { ...source, categories: [...new Set([own, ...source.categories])] }
}

/** A source that is about more. */
const raised = (source: Source, more: readonly Category[]): Source => ({
  ...sourceOf(source),
  categories: [...new Set([...source.categories, ...more])],
  ...(source.labels ? { labels: [...new Set([...source.labels, ...more])] } : {}),
  confidentiality: more.map((each) => categories[each].confidentiality).reduce<Confidentiality>(higher, source.confidentiality),
})
