/**
 * How long a person's record is kept, and why: the longest of what applies, counted from the last contact or from their death. When it
 * has come to its end a person looks at it and decides; nothing is ever destroyed by itself.
 *
 * @see domain/consent.md A9: Records Management Code of Practice (NHSX 2021, updated 7 August 2023). The Code's own text was not seen; [SRC]
 *   stands for what a public source says of it, [INF] for our conclusion. Whoever controls the records decides: RETENTION_YEARS.
 */
import type { Resource } from '@medplum/fhirtypes'
import { Temporal } from 'temporal-polyfill'
import { sourceOf } from './labels.ts'

export type RetentionClass = 'adult' | 'mental-health' | 'after-death'
export type Years = Readonly<Record<RetentionClass, number>>

type Rule = { years: number; from: 'last contact' | 'death'; because: string; source: string; mark: 'SRC' | 'INF' }

/** Minimum periods. What the audit says lives as long as the record, and its rows longer: they name nobody [GK]. */
export const rules: Readonly<Record<RetentionClass, Rule>> = {
  adult: {
    years: 8,
    from: 'last contact',
    because: 'adult health record',
    source: 'Records Management Code: adult health records not otherwise covered (themdu.com)',
    mark: 'SRC',
  },
  'mental-health': {
    years: 20,
    from: 'last contact',
    because: 'it says something about mental health',
    source: 'Records Management Code: mental health records, 20 years after treatment ceases (themdu.com)',
    mark: 'SRC',
  },
  // The Code says it of mental health and GP records; that it is meant for every record here is ours.
  'after-death': {
    years: 10,
    from: 'death',
    because: 'the person has died',
    source: 'Records Management Code: 10 years after death, for mental health and GP records (themdu.com)',
    mark: 'INF',
  },
}

export const usualYears: Years = {
  adult: rules.adult.years,
  'mental-health': rules['mental-health'].years,
  'after-death': rules['after-death'].years,
}

/** What the period hangs on. Dates are calendar dates in London. */
export type Held = { lastContact: string; mentalHealth: boolean; died?: string }

export type Retention = { class: RetentionClass; since: string; dueOn: string; why: string }

/** The longest of what applies. Where the Code says "or", the later date counts. */
export function retentionOf(held: Held, years: Years = usualYears): Retention {
  const applies: [RetentionClass, string][] = [['adult', held.lastContact]]
  if (held.mentalHealth) applies.push(['mental-health', held.lastContact])
  if (held.died) applies.push(['after-death', held.died])
  return applies
    .map(([one, since]): Retention => {
      const { because, from } = rules[one]
      const dueOn = Temporal.PlainDate.from(since).add({ years: years[one] }).toString()
      return { class: one, since, dueOn, why: `${because}: ${years[one]} years from ${from}, ${since}` }
    })
    .reduce((longest, one) => (one.dueOn > longest.dueOn ? one : longest))
}

/**
 * @param resources everything there is about the person, former versions too: what was once said of somebody's mental health counts
 * @param lastTouched when anything was last written about them, a calendar date
 */
export function heldIn(resources: readonly Resource[], lastTouched: string): Held {
  const ends = resources.flatMap((resource) =>
    resource.resourceType === 'CarePlan' || resource.resourceType === 'EpisodeOfCare' ? [resource.period?.end?.slice(0, 10)] : [],
  )
  const died = resources.flatMap((resource) => (resource.resourceType === 'Patient' ? [resource.deceasedDateTime?.slice(0, 10)] : []))
  const days = (some: (string | undefined)[]) => some.filter((each): each is string => /^\d{4}-\d{2}-\d{2}$/.test(each ?? '')).sort()
  const death = days(died).at(-1)
  return {
    lastContact: days([lastTouched, ...ends]).at(-1) as string,
    mentalHealth: resources.some(mayBeAboutMentalHealth),
    ...(death ? { died: death } : {}),
  }
}

/** A label nobody can read may say so too. */
function mayBeAboutMentalHealth(resource: Resource): boolean {
  const { categories, confidentiality } = sourceOf(resource)
  return categories.includes('mental-health') || (categories.length === 0 && confidentiality === 'V')
}

/**
 * @param text 'adult=8,mental-health=20,after-death=10', any of them left out
 * @returns undefined when it is not that, or shorter than the rule
 */
export function readYears(text: string): Years | undefined {
  const years: Record<RetentionClass, number> = { ...usualYears }
  for (const part of text.split(',')) {
    const [, name, number] = /^\s*([a-z-]+)\s*=\s*(\d{1,3})\s*$/.exec(part) ?? []
    if (name === undefined || !Object.hasOwn(rules, name)) return undefined
    const { years: least, mark } = rules[name as RetentionClass]
    if (Number(number) < (mark === 'SRC' ? least : 1)) return undefined
    years[name as RetentionClass] = Number(number)
  }
  return years
}
