/**
 * Read, search and a partner's pull.
 */
import { measureReading } from '../searches.ts'
import { type Measure, measured } from '../stage.ts'

const reading: Measure = async (stage) => {
  const { gateway, bare, ours, size, say } = stage
  await stage.warm()
  const people = await stage.known(Math.min(200, size.cases))
  for (const { name, aim, found, bare: limit } of await measureReading(stage, gateway, ours, people))
    say({ name, unit: '/s', ...measured(found), bare: limit, aim })
  say({ name: 'memory, after reading', unit: 'MiB', ours: gateway.memory(), bare: bare.memory() })
}
export default reading
