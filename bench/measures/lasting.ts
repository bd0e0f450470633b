/**
 * Memory after many requests: reads, searches and pulls in turn, on the gateway that has done everything else.
 */
import { hammer } from '../load.ts'
import { pick, searchesOf } from '../searches.ts'
import type { Measure } from '../stage.ts'

/** Tokens last five minutes: new ones after so many, also on a slow machine. */
const perToken = 5_000

const lasting: Measure = async (stage) => {
  const { size, gateway, ours, say } = stage
  await stage.warm()
  const people = await stage.known(Math.min(200, size.cases))
  for (let done = 0; done < size.requests; done += perToken) {
    const { searches } = await searchesOf(gateway)
    const count = Math.min(perToken, size.requests - done)
    await hammer(ours, (n) => (n < count ? pick(searches, n).ask(pick(people, n >> 2)) : undefined))
  }
  const words = size.requests.toLocaleString('en-GB')
  const aim = size.requests >= 1_000_000 ? '< 400' : '< 400 after 1,000,000'
  say({ name: `memory, after ${words} requests`, unit: 'MiB', ours: gateway.memory(), aim })
}
export default lasting
