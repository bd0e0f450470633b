/**
 * The days everything hangs on. All dates are ISO calendar dates in Europe/London ('2026-03-20'), all instants ISO instants in UTC
 * as `Date.toISOString` writes them; both sort as text. The clock is passed in.
 *
 * @throws RangeError when a date does not exist
 */
import { Temporal } from 'temporal-polyfill'
import { bankHolidays, knownUntil } from './bank-holidays.ts'
import { pace } from './pace.ts'

const zone = 'Europe/London'

/** Most recent answers, kept: the same few dates are asked about for every person, and London time is dear to work out. */
function kept<Key, Value>(answer: (key: Key) => Value): (key: Key) => Value {
  const answers = new Map<Key, Value>()
  return (key) => {
    const known = answers.get(key)
    if (known !== undefined) return known
    const fresh = answer(key)
    if (answers.size >= mostKept) answers.clear()
    answers.set(key, fresh)
    return fresh
  }
}
const mostKept = 2_000

const date = (iso: string): Temporal.PlainDate => Temporal.PlainDate.from(iso, { overflow: 'reject' })

export type Windows = {
  /** Support may begin: 12 weeks before release (reconnect.md T1). */
  opens: string
  /** A GP practice may be asked to register the person: 28 days before release (gp-registration.md 1). */
  gpOpens: string
  /** Ours: partners have been asked by then (`pace.ts`). */
  askBy: string
  /** The last day on which treatment that began counts as continued: three weeks after release (service-facts.md 2). */
  engageBy: string
  /** The last day on which a referral is taken: 28 days after release (T2). */
  referralCloses: string
  /** Ours: the end of support is looked at before it comes (`pace.ts`). */
  reviewEnd: string
  /** Six calendar months after release (T3): 31 August leads to the last day of February. */
  supportEnds: string
}

/** The windows of one release date, expected or actual. */
export function windows(release: string): Windows {
  const day = date(release)
  const ends = day.add({ months: 6 })
  return {
    opens: day.subtract({ days: 84 }).toString(),
    gpOpens: day.subtract({ days: 28 }).toString(),
    askBy: day.subtract({ days: pace.partnersAskedDaysBeforeRelease }).toString(),
    engageBy: day.add({ days: 21 }).toString(),
    referralCloses: day.add({ days: 28 }).toString(),
    reviewEnd: endReview(ends),
    supportEnds: ends.toString(),
  }
}

const endReview = (ends: Temporal.PlainDate): string => ends.subtract({ days: pace.reviewEndDaysBefore }).toString()

/** The last day of support, and when it is looked at before it comes: six months after release, or where an extension ends (T4). */
export function planEnd(release: string, extendedUntil?: string): { reviewFrom: string; ends: string } {
  const { reviewEnd, supportEnds } = windows(release)
  if (!extendedUntil || extendedUntil <= supportEnds) return { reviewFrom: reviewEnd, ends: supportEnds }
  return { reviewFrom: endReview(date(extendedUntil)), ends: extendedUntil }
}

/** When the named worker looks at how somebody is doing. */
export type Review = { name: (typeof pace.reviews)[number][0]; on: string }

/** The reviews of one release, the first first. The last one, before support ends, is that of `planEnd`. */
export const reviews = (release: string): Review[] =>
  pace.reviews.map(([name, after]) => ({ name, on: date(release).add(after).toString() }))

/** The calendar date in London at an instant. */
export const today = (now: Date): string => dayOfHour(Math.floor(now.getTime() / hourMs))

const hourMs = 3_600_000
/** London has been whole hours away from UTC since 1847, so no day begins within an hour. */
const dayOfHour = kept((hour: number): string =>
  Temporal.Instant.fromEpochMilliseconds(hour * hourMs)
    .toZonedDateTimeISO(zone)
    .toPlainDate()
    .toString(),
)

export const addDays = (from: string, days: number): string => moved(`${from} ${days}`)
const moved = kept((asked: string): string => {
  const [from, days] = asked.split(' ') as [string, string]
  return date(from)
    .add({ days: Number(days) })
    .toString()
})

/** The same day of another month, or the last day of it where there is no such day. */
export const addMonths = (from: string, months: number): string => date(from).add({ months }).toString()

/** Whole days from one date to another; negative when `to` is earlier. */
export const daysBetween = (from: string, to: string): number => date(from).until(date(to), { largestUnit: 'days' }).days

/** When the day begins in London (the clocks change), and which day it is after `days` more. */
export function startOfDay(from: string, days = 0): { date: string; instant: string } {
  const day = days === 0 ? from : addDays(from, days)
  return { date: day, instant: beginning(day) }
}

const beginning = kept((day: string): string => instant(date(day).toZonedDateTime(zone).toInstant()))

/** The instant at which the day is over: the first of the next. */
export const endOfDay = (day: string): string => startOfDay(day, 1).instant

const instant = (at: Temporal.Instant): string => new Date(at.epochMilliseconds).toISOString()

/** Neither a weekend nor a bank holiday in England. */
export const isWorkingDay = kept((day: string): boolean => date(day).dayOfWeek <= 5 && !bankHolidays.has(day))

/** The nth working day after a date (before it, when `days` is negative). Nought gives the date itself. */
export function addWorkingDays(from: string, days: number): string {
  let day = from
  for (let left = Math.abs(days); left > 0; ) {
    day = addDays(day, Math.sign(days))
    if (isWorkingDay(day)) left--
  }
  return day
}

/** The day itself, or the last working day before it: when something has to be done by then. */
export const workingDayBy = (day: string): string => (isWorkingDay(day) ? day : addWorkingDays(day, -1))

/** The last day whose bank holidays are known. Working days beyond it leave out weekends only: somebody is warned long before. */
export const bankHolidaysKnownUntil = knownUntil

/** Do working days near here have to be counted on without knowing their bank holidays, within the longest time ahead that we look? */
export const bankHolidaysRunOut = (day: string): boolean => addDays(day, farthestAhead) > knownUntil
/** Support from 12 weeks before release to six months after, and some weeks to install a newer version. */
const farthestAhead = 300

/**
 * Why a release on this day may well come one working day earlier, or finds the services shut behind it.
 *
 * @see service-facts.md 4.4
 */
export function releaseDayRisk(day: string): 'friday' | 'bank-holiday-eve' | 'not-a-working-day' | undefined {
  if (!isWorkingDay(day)) return 'not-a-working-day'
  if (date(day).dayOfWeek === 5) return 'friday'
  return bankHolidays.has(addDays(day, 1)) ? 'bank-holiday-eve' : undefined
}

export type Release = {
  date: string
  /** `BASE/CodeSystem/custody-basis`. */
  basis?: string
  /** HMPPS's kind of date: CRD, ARD, HDCAD, APD, ... */
  type?: string
  /** Since when the sentence is served, where known. */
  sentencedOn?: string
}
export type MovedForward =
  | { may: false; because: 'ordinary-day' | 'not-sentenced' | 'home-detention-curfew' | 'parole' | 'served-under-28-days' }
  | { may: true; because: 'friday' | 'bank-holiday-eve' | 'not-a-working-day'; usual: string; earliest: string }

/**
 * Whether a release may come before its day so that nobody leaves into a closed weekend. `usual`: one working day earlier, as is
 * presumed; `earliest`: two, where probation asks for it.
 *
 * Not for home detention curfew, what the Parole Board decides (life sentences too), or who has served less than 28 days of a sentence;
 * those on remand, in immigration detention or out on licence serve none. What is not known counts as possible: better ready a day early.
 *
 * @see Offenders (Day of Release from Detention) Act 2023 (2023 c.25); service-facts.md 4.4
 */
export function movedForward({ date: day, basis, type, sentencedOn }: Release): MovedForward {
  const because = releaseDayRisk(day)
  if (!because) return { may: false, because: 'ordinary-day' }
  if (basis && basis !== 'sentenced' && basis !== 'recall') return { may: false, because: 'not-sentenced' }
  if (type && /^HDC/.test(type)) return { may: false, because: 'home-detention-curfew' }
  if (type && /^(PED|APD|DPRRD|Tariff)$/i.test(type)) return { may: false, because: 'parole' }
  if (sentencedOn && daysBetween(sentencedOn, day) < 28) return { may: false, because: 'served-under-28-days' }
  // A release that falls on a day off comes on the last working day before it, which is the eve of a day off itself.
  const due = because === 'not-a-working-day' ? addWorkingDays(day, -1) : day
  return { may: true, because, usual: addWorkingDays(due, -1), earliest: addWorkingDays(due, -2) }
}

/** The first day on which somebody may walk out: by then everything is to be ready. */
export function earliestRelease(release: Release): string {
  const moved = movedForward(release)
  return moved.may ? moved.earliest : release.date
}

/** Age in whole years on a day. Born on 29 February: a year older on 1 March. */
export function ageOn(born: string, day: string): number {
  const [birth, on] = [date(born), date(day)]
  const hadBirthday = on.month > birth.month || (on.month === birth.month && on.day >= birth.day)
  return on.year - birth.year - (hadBirthday ? 0 : 1)
}

/** The days a FHIR date or dateTime can mean, first and last: '1990-05' is the whole of May. Undefined: it is no date. */
export const daysOf = (fhir: string | undefined): Days | undefined => (fhir ? daysWritten(fhir) : undefined)

type Days = { first: string; last: string }

const daysWritten = kept((fhir: string): Days | undefined => {
  try {
    if (fhir.includes('T')) {
      const day = today(new Date(Temporal.Instant.from(fhir).epochMilliseconds))
      return { first: day, last: day }
    }
    if (/^\d{4}$/.test(fhir)) return { first: date(`${fhir}-01-01`).toString(), last: `${fhir}-12-31` }
    if (/^\d{4}-\d{2}$/.test(fhir))
      return { first: date(`${fhir}-01`).toString(), last: date(`${fhir}-01`).add({ months: 1 }).subtract({ days: 1 }).toString() }
    return /^\d{4}-\d{2}-\d{2}$/.test(fhir) ? { first: date(fhir).toString(), last: fhir } : undefined
  } catch {
    return undefined
  }
})

/** The one calendar date in London a FHIR date or dateTime means; undefined when it means more than one day, or none. */
export function londonDate(fhir: string | undefined): string | undefined {
  const days = daysOf(fhir)
  return days && days.first === days.last ? days.first : undefined
}

/** The stretch of time a FHIR date or dateTime can mean, in milliseconds, `until` not included. An instant is a stretch of nought. */
export const stretchOf = (fhir: string | undefined): Stretch | undefined => (fhir ? stretchWritten(fhir) : undefined)

type Stretch = { from: number; until: number }

const stretchWritten = kept((fhir: string): Stretch | undefined => {
  const days = daysOf(fhir)
  if (!days) return undefined
  if (fhir.includes('T')) {
    const at = Temporal.Instant.from(fhir).epochMilliseconds
    return { from: at, until: at }
  }
  return { from: Date.parse(startOfDay(days.first).instant), until: Date.parse(endOfDay(days.last)) }
})
