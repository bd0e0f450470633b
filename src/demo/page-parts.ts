/**
 * What the parts of the first page share.
 */
import { html } from 'hono/html'
import { dayWords, longDate, timeOfDay } from '../domain/words.ts'

export type Html = ReturnType<typeof html>

/** 'Monday 2 March, 09:00'; the day alone for its first instant, and with the year when it is another than the demo's. */
export function when(at: string, now: Date): string {
  const instant = new Date(at)
  const day = yearOf(instant) === yearOf(now) ? dayWords(instant) : longDate(instant)
  const time = timeOfDay(instant)
  return time === '00:00' ? day : `${day}, ${time}`
}

const yearOf = (at: Date): string => longDate(at).slice(-4)

export const time = (at: string, now: Date): Html => html`<time datetime="${at}">${when(at, now)}</time>`
