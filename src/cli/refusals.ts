/**
 * `refusals`: which partner said no, and why. Counts only; small ones are not told apart, so that the list may leave the service.
 */
import { daysOf, endOfDay, startOfDay } from '../domain/calendar.ts'
import { fewestTold, refusals } from '../exchange/refusals.ts'
import { exchangeOver, withDatabase } from './store.ts'
import { Fault, table, type Verb } from './terminal.ts'

export const listRefusals: Verb = {
  name: 'refusals',
  usage: 'refusals [--since DATE] [--until DATE] [--exact]',
  does: `counts which partner said no and why; fewer than five are not told apart unless --exact, which stays inside the service`,
  takes: [0, 0],
  options: { since: { type: 'string' }, until: { type: 'string' }, exact: { type: 'boolean' } },
  run: ({ values: { since, until, exact } }, terminal) => {
    const [from, upto] = [dayIn(since), dayIn(until)]
    return withDatabase(terminal, async (database) => {
      const exchange = await exchangeOver(terminal, database)
      const found = await refusals(exchange, from ? startOfDay(from).instant : '', upto ? endOfDay(upto) : '9999')
      const shown = found.map((one) => ({ ...one, count: exact === true || one.count >= fewestTold ? one.count : `<${fewestTold}` }))
      const lines = shown.map(({ partner, kind, code, count }) => [partner, kind, code, String(count)])
      return { json: shown, text: lines.length ? table(['partner', 'kind', 'why', 'how often'], lines) : 'Nobody has said no.\n' }
    })
  },
}

function dayIn(given: string | boolean | undefined): string | undefined {
  if (given === undefined) return undefined
  const days = typeof given === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(given) ? daysOf(given) : undefined
  if (!days) throw new Fault('--since and --until are dates, such as 2026-04-01.', 2)
  return days.first
}
