/**
 * What waits and what needs a person, for `/metrics`: asked of the database when the page is, never of what is settled.
 */
import { bankHolidaysKnownUntil, daysBetween, today } from '../domain/calendar.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { lastReconciled } from '../exchange/reconcile.ts'
import { lastRefusals } from '../exchange/refusals.ts'
import { unanswered } from '../store/events.ts'
import { lanes, standingOf } from '../store/lanes.ts'
import { onItsWay, unsettledCounts } from '../store/owed.ts'
import { unknownKinds } from '../store/unseen-events.ts'
import { openWorkCounts } from '../store/work-items.ts'
import { createMetrics, type Metrics } from './metrics.ts'

/** Counters as ever, with what this exchange owes and asks beside them. */
export function metricsOf({ database, directory, now }: Pick<Exchange, 'database' | 'directory' | 'now'>): Metrics {
  const metrics = createMetrics()
  /** One number for each partner there is: a series that vanished could not end an alarm. */
  const ofPartners = (value: (partner: string) => number) =>
    [...directory().partners.values()]
      .filter(({ retired }) => !retired)
      .map(({ id: partner }) => ({ labels: { partner }, value: value(partner) }))
  const ofLanes = async (standings: readonly string[]) => {
    const known = await lanes(database)
    const at = now().toISOString()
    return ofPartners((partner) => (standings.includes(standingOf(known.get(partner) ?? { failures: 0 }, at)) ? 1 : 0))
  }

  metrics.gauge('owed_messages', 'Messages that are not settled, by state.', async () =>
    Object.entries(await unsettledCounts(database)).map(([state, value]) => ({ labels: { state }, value })),
  )
  metrics.gauge('owed_oldest_seconds', 'Since when the oldest message on its way to a partner is owed; 0: none.', async () => {
    const since = new Map((await onItsWay(database)).map((one) => [one.partner, new Date(one.since).getTime()]))
    const at = now().getTime()
    return ofPartners((partner) => Math.max(0, (at - (since.get(partner) ?? at)) / 1000))
  })
  metrics.gauge('lane_shut', '1: attempts in a row had no answer, at most one message is tried now and then.', () =>
    ofLanes(['shut', 'trying']),
  )
  metrics.gauge('lane_paused', '1: a person paused sending to this partner.', () => ofLanes(['paused']))
  metrics.gauge('work_items_open', 'What needs a person.', async () =>
    (await openWorkCounts(database)).map(({ service, reason, count }) => ({ labels: { service, reason }, value: count })),
  )
  metrics.gauge('hmpps_events_unknown', 'Events of HMPPS that are kept and of a kind we know nothing to do with (`events`).', async () =>
    (await unknownKinds(database)).reduce((sum, { count }) => sum + count, 0),
  )
  metrics.gauge('hmpps_unanswered', 'People about whom the HMPPS External API was asked and gave no answer yet.', async () => [
    { labels: {}, value: (await unanswered(database)).people },
  ])
  metrics.gauge('hmpps_unanswered_oldest_seconds', 'For how long the first of them waits; 0: none.', async () => {
    const { since } = await unanswered(database)
    return [{ labels: {}, value: since ? Math.max(0, (now().getTime() - new Date(since).getTime()) / 1000) : 0 }]
  })
  metrics.gauge(
    'refusals',
    'How often each partner said no in the last year, by code, as of last night; fewer than five are left out.',
    async () => (await lastRefusals(database)).map(({ partner, code, count }) => ({ labels: { partner, code }, value: count })),
  )
  metrics.gauge('reconciled', 'What the last night found: people looked at, put right, asked about, by what.', async () => {
    const { at: _at, ...found } = (await lastReconciled(database)) ?? { at: '' }
    return Object.entries(found).map(([what, value]) => ({ labels: { what }, value }))
  })
  metrics.gauge('bank_holidays_known_days', 'Days until the bank holidays this version knows of come to an end.', async () => [
    { labels: {}, value: daysBetween(today(now()), bankHolidaysKnownUntil) },
  ])
  return metrics
}
