/**
 * Instants as HMPPS systems write them: with nine digits of a second, with a Java zone behind the offset, without any offset, or as Delius
 * prints dates (hmpps.md 3).
 */
import { Temporal } from 'temporal-polyfill'

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')
/** 'Mon Jun 19 00:00:00 BST 2023'. */
const delius = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d{2}) (\d{2}:\d{2}:\d{2}) (BST|GMT|UTC) (\d{4})$/
const iso = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?(Z|[+-]\d{2}:?\d{2})?(?:\[[A-Za-z_/+-]{1,40}\])?$/

/**
 * @returns the instant as `Date.toISOString` writes it, or undefined when it is none. Without an offset it is taken for London time, which
 *   is ours to assume: nobody says where such a server stands
 */
export function hmppsInstant(text: unknown): string | undefined {
  if (typeof text !== 'string') return undefined
  const printed = delius.exec(text)
  if (printed) {
    const [, month = '', day, time, zone, year] = printed
    const number = months.indexOf(month) + 1
    return number ? instantOf(`${year}-${String(number).padStart(2, '0')}-${day}T${time}${zone === 'BST' ? '+01:00' : 'Z'}`) : undefined
  }
  const parts = iso.exec(text)
  if (!parts) return undefined
  const [, date, time, fraction, offset] = parts
  const written = `${date}T${time}${fraction ? `.${fraction}` : ''}`
  if (offset) return instantOf(`${written}${offset}`)
  try {
    return asWritten(Temporal.PlainDateTime.from(written, { overflow: 'reject' }).toZonedDateTime('Europe/London').toInstant())
  } catch {
    return undefined
  }
}

function instantOf(text: string): string | undefined {
  try {
    return asWritten(Temporal.Instant.from(text))
  } catch {
    return undefined
  }
}

const asWritten = (at: Temporal.Instant): string => new Date(at.epochMilliseconds).toISOString()
