/**
 * The whole way at full speed: from the first case in to the last partner told.
 */
import { caseSystem } from '../gateway.ts'
import { type Call, hammer } from '../load.ts'
import type { Partners } from '../partner.ts'
import { arrivals, intake, type Measure, measured, messagesOfCase, settled, withCpu } from '../stage.ts'

const journey: Measure = async (stage) => {
  const { size, gateway, partners, ours, limit, setup, say } = stage
  await setup(await stage.warm())
  const rush = stage.people(size.cases)
  const headers = await gateway.as(caseSystem)
  const taken = await withCpu(gateway, () => throughout(partners, rush.length, () => hammer(ours, (n) => intake(rush[n], headers))))
  await settled(gateway)
  const path = `/intake?to=${Object.values(partners.urls).join(',')}`
  const bare = await throughout(partners, rush.length, () => hammer(limit, (n) => rush[n] && { ...(intake(rush[n]) as Call), path }))
  say({ name: 'intake to the last partner told, cases', unit: '/s', ...measured(taken), bare: bare.perSecond })
}
export default journey

async function throughout(partners: Partners, count: number, send: () => Promise<unknown>) {
  partners.forget()
  const began = performance.now()
  await send()
  await arrivals(partners, count * messagesOfCase)
  return { perSecond: (count / (performance.now() - began)) * 1000, count }
}
