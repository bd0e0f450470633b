/**
 * One of four partners is dead, or slow: how long the other three wait (promise 8). On a gateway of its own, which is given each
 * trouble while the one before is still owed.
 */
import { puller } from '../case.ts'
import { caseSystem, startGateway } from '../gateway.ts'
import { delivery } from '../latency.ts'
import { type Call, loader, type Timed } from '../load.ts'
import type { Health } from '../partner.ts'
import { intake, type Measure, measured, settled } from '../stage.ts'

const troubles = { well: 'all four well', slow: 'one of four slow', dead: 'one of four dead' } satisfies Record<Health, string>

const sick: Measure = async (stage) => {
  const { size, partners, say } = stage
  const gateway = await startGateway(partners.urls)
  const ours = loader(gateway.url)
  const perSecond = size.rates[0] as number
  const all = new Map<Health, Timed>()
  try {
    for (const health of ['well', 'well', 'slow', 'dead'] as const) {
      await partners.become(puller, health)
      const some = stage.people(Math.max(10, Math.round(perSecond * size.seconds * 2)))
      const headers = await gateway.as(caseSystem)
      const given = { count: some.length, perSecond, but: puller }
      const times = await delivery(partners, given, (n) => ours.must(intake(some[n], headers) as Call))
      // The first round only warms it up.
      if (all.size > 0 || health !== 'well' || given.count === 0) say(rowOf(health, perSecond, times))
      all.set(health, times)
      await settled(gateway)
    }
  } finally {
    await partners.become(puller, 'well')
    ours.close()
    await gateway.stop()
  }
  for (const health of ['slow', 'dead'] as const) {
    const times = (all.get(health) as Timed).p99 / (all.get('well') as Timed).p99
    say({ name: `p99 of the other three, ${troubles[health]} : ${troubles.well}`, unit: '×', ours: times, aim: '< 2' })
  }
}
export default sick

const rowOf = (health: Health, perSecond: number, times: Timed) => ({
  name: `the other three, ${perSecond} cases/s, ${troubles[health]}`,
  unit: 'ms' as const,
  ...measured(times),
})
