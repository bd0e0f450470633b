/**
 * How long a partner waits for its message after a case was sent, at steady rates.
 */
import { caseSystem } from '../gateway.ts'
import { delivery } from '../latency.ts'
import type { Call } from '../load.ts'
import { intake, type Measure, measured, settled } from '../stage.ts'

const deliveryTimes: Measure = async (stage) => {
  const { size, gateway, partners, ours, limit, setup, say } = stage
  await setup(await stage.warm())
  const to = Object.values(partners.urls).join(',')
  for (const perSecond of size.rates) {
    const some = stage.people(Math.max(10, Math.round(perSecond * size.seconds)))
    const headers = await gateway.as(caseSystem)
    const given = { count: some.length, perSecond }
    const times = await delivery(partners, given, (n) => ours.must(intake(some[n], headers) as Call))
    await settled(gateway)
    const bare = await delivery(partners, given, (n) => limit.must({ ...(intake(some[n]) as Call), path: `/intake?to=${to}` }))
    say({
      name: `request to partner's socket, ${perSecond} cases/s`,
      unit: 'ms',
      ...measured(times),
      bareP50: bare.p50,
      aim: 'p50 < 10, p99 < 100',
    })
  }
}
export default deliveryTimes
