/**
 * London days reckoned once more, by the platform's own calendar and by hand, and not by the code they judge.
 */
const inLondon = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'Europe/London',
  ...{ year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
})

/** What clock and calendar on a wall in London show: '2026-05-15 00:00'. */
function onTheWall(instant: Date): string {
  const part = Object.fromEntries(inLondon.formatToParts(instant).map(({ type, value }) => [type, value]))
  return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}`
}
export const dayOf = (instant: string): string => onTheWall(new Date(instant)).slice(0, 10)

export const later = (day: string, days: number): string =>
  new Date(Date.parse(`${day}T12:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10)

/** The instant at which a London day begins: at midnight UTC in winter, an hour before it in summer. */
export function beginning(day: string): string {
  const winter = new Date(`${day}T00:00:00.000Z`)
  const summer = new Date(winter.getTime() - 3_600_000)
  return (onTheWall(summer) === `${day} 00:00` ? summer : winter).toISOString()
}

/** So many calendar months on; a day that month does not have is its last: 31 August leads to 28 or 29 February. */
export function monthsOn(day: string, months: number): string {
  const [year, month, date] = day.split('-').map(Number) as [number, number, number]
  const last = new Date(Date.UTC(year, month - 1 + months + 1, 0))
  return `${last.toISOString().slice(0, 8)}${String(Math.min(date, last.getUTCDate())).padStart(2, '0')}`
}
