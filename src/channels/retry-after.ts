/**
 * How long whoever answered wants to be left alone: Retry-After in seconds. A date is measured against their own clock (their Date header):
 * a channel has none.
 *
 * @see RFC 9110, 10.2.3
 */
export function retryAfter(headers: Headers): number | undefined {
  const after = headers.get('retry-after')?.trim()
  if (!after) return undefined
  if (/^\d{1,9}$/.test(after)) return Number(after)
  const seconds = Math.ceil((Date.parse(after) - Date.parse(headers.get('date') ?? '')) / 1000)
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds)
}
