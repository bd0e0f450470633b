/**
 * Who may be told what about whom, as a person at the desk would reckon it: the last thing somebody agreed to counts, until the day it was
 * meant for; nothing counts that was taken back; two records that were made one need both agreements.
 *
 * It knows nothing of the code it judges, and it errs on one side: it says yes where it can not be sure, so that a no is a no.
 */
import { dayOf } from './days.ts'

export const recipients = ['practice', 'recovery', 'probation', 'enhanced', 'wellbeing', 'elsewhere'] as const
export type Recipient = (typeof recipients)[number]
/** `R`: all the usual for this recipient; `N`: nothing restricted. */
export type Level = 'N' | 'R'

/** Kinds of information, each with a word of its own in every record (fixtures/case-bundle.ts). */
export type Kind =
  | 'identity'
  | 'contact'
  | 'address'
  | 'medication'
  | 'mentalHealth'
  | 'substance'
  | 'sexualHealth'
  | 'offence'
  | 'risk'
  | 'adjustments'
  | 'unlabelled'
/** Labelled R in the record: told to nobody who may be told up to N only. */
const restricted: readonly Kind[] = ['mentalHealth', 'substance', 'sexualHealth', 'offence', 'risk']
/** Told to this recipient under no agreement: domain/closed-loop.md C3, and what the person keeps back (`usual`). */
const never: Readonly<Record<Recipient, readonly Kind[]>> = {
  practice: ['substance', 'offence', 'risk', 'unlabelled'],
  recovery: ['offence', 'sexualHealth', 'unlabelled'],
  probation: ['medication', 'mentalHealth', 'substance', 'sexualHealth', 'risk', 'unlabelled'],
  enhanced: ['unlabelled'],
  wellbeing: ['offence', 'unlabelled'],
  elsewhere: ['unlabelled'],
}

/** One agreement on record. `n`: in the order they were written; the later counts. */
export type Agreement = { n: number; at: string; until: string; to: Partial<Record<Recipient, Level>>; ended?: true }
type Shelf = {
  agreements: Agreement[]
  /** Agreements that both have to permit: two records were made one, and nobody has said anything since. */
  both?: readonly (Agreement | undefined)[]
  /** Two records were taken apart again, and what was said meanwhile may have been either's: nothing counts that was said before. */
  mute?: true
  /** The support is over, or the person has died. */
  over?: true
  overrides: { to: Recipient; until: string }[]
  /** Facts that were found to be a mistake, as 'person kind'. */
  mistaken: string[]
}
/** All that may count at one time: a record for each person, and where each person's facts are now. */
export type Standing = {
  records: Shelf[]
  home: number[]
  merges: { source: number; target: number; before: [Shelf, Shelf]; after: string }[]
}
export type Said = (standing: Standing) => Standing

export const nobody: Standing = { records: [], home: [], merges: [] }

export const born =
  (agreements: Agreement[]): Said =>
  ({ records, home, merges }) => ({
    records: [...records, { agreements, overrides: [], mistaken: [] }],
    home: [...home, records.length],
    merges,
  })

const within =
  (person: number, change: (record: Shelf) => Shelf): Said =>
  (standing) => ({
    ...standing,
    records: standing.records.map((record, n) => (n === standing.home[person] ? change(record) : record)),
  })

/** In place of the one `replaces` names, or beside the others. */
export const agrees = (person: number, agreement: Agreement, replaces?: number): Said =>
  within(person, ({ mute, both, ...record }) => ({
    ...record,
    // Only a new agreement ends a doubt; one that is written over is the same one still.
    ...(replaces !== undefined && mute ? { mute } : {}),
    ...(replaces !== undefined && both ? { both: both.map((one) => (one?.n === replaces ? agreement : one)) } : {}),
    agreements: [...record.agreements.filter(({ n }) => n !== replaces), agreement],
  }))

/** One that was a mistake never was: the one before counts again. */
export const wasNever = (person: number, which: number): Said =>
  within(person, (record) => {
    const others = <A extends Agreement | undefined>(some: readonly A[]) => some.filter((one) => one?.n !== which)
    return { ...record, agreements: others(record.agreements), ...(record.both ? { both: others(record.both) } : {}) }
  })
export const takesBack = (person: number, which: number): Said =>
  within(person, (record) => {
    const end = <A extends Agreement | undefined>(one: A) => (one?.n === which ? { ...one, ended: true as const } : one)
    return { ...record, agreements: record.agreements.map(end), ...(record.both ? { both: record.both.map(end) } : {}) }
  })
export const isOver = (person: number): Said => within(person, (record) => ({ ...record, over: true }))
export const beginsAgain = (person: number): Said => within(person, ({ over: _, ...record }) => record)
export const overridden = (person: number, to: Recipient, until: string): Said =>
  within(person, (record) => ({ ...record, overrides: [...record.overrides, { to, until }] }))
export const wasMistaken = (person: number, kind: Kind): Said =>
  within(person, (record) => ({ ...record, mistaken: [...record.mistaken, `${person} ${kind}`] }))

export const merged =
  (source: number, target: number): Said =>
  ({ records, home, merges }) => {
    const [from, to] = [records[source], records[target]] as [Shelf, Shelf]
    const both = [from, to].flatMap((one) => one.both ?? [lastOf(one)]).filter((one) => one !== undefined)
    const one: Shelf = {
      agreements: [...to.agreements, ...from.agreements],
      ...(both.length > 1 ? { both } : {}),
      ...(from.mute || to.mute ? { mute: true } : {}),
      overrides: [...to.overrides, ...from.overrides],
      mistaken: [...to.mistaken, ...from.mistaken],
    }
    return {
      records: records.map((record, n) => (n === target ? one : record)),
      home: home.map((at) => (at === source ? target : at)),
      merges: [...merges, { source, target, before: [from, to], after: JSON.stringify(one.agreements) }],
    }
  }

/** Each record holds again what it held. */
export const unmerged =
  (target: number, source: number): Said =>
  (standing) => {
    const last = standing.merges.findLast((one) => one.target === target && one.source === source)
    const now = standing.records[target]
    if (!last || !now) return standing
    const [from, to] = last.before
    const doubt: Partial<Shelf> = JSON.stringify(now.agreements) === last.after ? {} : { mute: true }
    const again = ({ over: _, ...record }: Shelf): Shelf => ({ ...record, ...doubt, overrides: now.overrides })
    return {
      records: standing.records.map((record, n) => (n === last.source ? again(from) : n === target ? again(to) : record)),
      home: standing.home.map((at, n) => (n === last.source ? last.source : at)),
      merges: standing.merges.filter((one) => one !== last),
    }
  }

const lastOf = ({ agreements }: Shelf): Agreement | undefined =>
  agreements.toSorted((a, b) => (a.at === b.at ? a.n - b.n : a.at < b.at ? -1 : 1)).at(-1)

/** May this recipient be told this kind of information about this person at this instant? */
export function mayBeTold({ records, home }: Standing, person: number, to: Recipient, kind: Kind, now: string): boolean {
  const record = records[home[person] as number] as Shelf
  if (record.mistaken.includes(`${person} ${kind}`) || kind === 'unlabelled') return false
  if (record.overrides.some((one) => one.to === to && one.until > now)) return true
  if (record.over || record.mute || never[to].includes(kind)) return false
  return [lastOf(record), ...(record.both ?? [])].every((agreement) => {
    const level = agreement && !agreement.ended && dayOf(now) <= agreement.until ? agreement.to[to] : undefined
    return level === 'R' || (level === 'N' && !restricted.includes(kind))
  })
}
