/**
 * Dates and times as people read them, in London: 'Monday 2 March 2026', '09:05'.
 */
import { addDays, today } from './calendar.ts'

const format = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/London', ...options })
const long = format({ weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })
const short = format({ weekday: 'long', day: 'numeric', month: 'long' })
const clock = format({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })

/** 'Monday 2 March 2026' for a London calendar date ('2026-03-02') or an instant. */
export const longDate = (at: string | Date): string => long.format(instantIn(at)).replace(',', '')

/** '09:05' for an instant. */
export const timeOfDay = (at: Date): string => clock.format(at)

/** 'Monday 2 March' for a London calendar date ('2026-03-02') or an instant. */
export const dayWords = (at: string | Date): string => short.format(instantIn(at)).replace(',', '')

/** At noon it is the same day in London all year. */
const instantIn = (at: string | Date): Date => (typeof at === 'string' ? new Date(`${at}T12:00:00Z`) : at)

/** A time limit: one that is the first instant of a day is over at the end of the day before. */
export function byWords(instant: string): string {
  const at = new Date(instant)
  return timeOfDay(at) === '00:00' ? `the end of ${dayWords(addDays(today(at), -1))}` : `${dayWords(at)} at ${timeOfDay(at)}`
}
