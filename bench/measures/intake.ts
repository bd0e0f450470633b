/**
 * Intake while the partners hold their answers: taking in alone, and a backlog to drain after it.
 */
import { caseSystem } from '../gateway.ts'
import { hammer } from '../load.ts'
import { arrivals, intake, type Measure, measured, messagesOfCase, settled, withCpu } from '../stage.ts'

/** An attempt is given up after half a minute: the partners do not hold out longer than this. */
const mostHeldSeconds = 15

const intakeAndDrain: Measure = async (stage) => {
  const { size, gateway, partners, ours, limit, setup, say } = stage
  const { tables, message } = await stage.warm()
  const given = stage.people(size.cases)
  const headers = await gateway.as(caseSystem)
  partners.forget()
  partners.hold()
  const taken = await withCpu(gateway, () => hammer(ours, (n) => intake(given[n], headers), { seconds: mostHeldSeconds }))
  given.length = taken.count
  await setup({ tables, message })
  const bareTaken = await hammer(limit, (n) => intake(given[n]))
  say({ name: 'intake of a whole case', unit: '/s', ...measured(taken), bare: bareTaken.perSecond, aim: '200; 0.25' })

  const waiting = given.length * messagesOfCase - partners.count()
  const drained = await withCpu(gateway, async () => {
    const began = performance.now()
    partners.letGo()
    await arrivals(partners, given.length * messagesOfCase)
    return { perSecond: (waiting / (performance.now() - began)) * 1000, count: waiting }
  })
  const began = performance.now()
  const body = Buffer.from(JSON.stringify({ count: waiting, to: Object.values(partners.urls) }))
  await limit.must({ method: 'POST', path: '/drain', body })
  const bareDrained = (waiting / (performance.now() - began)) * 1000
  say({ name: 'backlog drained, messages', unit: '/s', ...measured(drained), bare: bareDrained })
  await settled(gateway)
}
export default intakeAndDrain
