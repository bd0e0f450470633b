/**
 * Reading and searching in ever more resources: is it flat? The database is filled through the store (fill.ts) and each size is served
 * by a gateway started on it. Who is asked about is spread over everybody there is.
 */
import { rmSync } from 'node:fs'
import { benchCase } from '../case.ts'
import { type Filled, fill, templateIn } from '../fill.ts'
import { newFolder, startGateway } from '../gateway.ts'
import { loader } from '../load.ts'
import { measureReading } from '../searches.ts'
import { type Measure, measured } from '../stage.ts'

const mostAsked = 400
const aim = 1.3

const growth: Measure = async (stage) => {
  const { size, partners, say } = stage
  const folder = newFolder()
  const times = new Map<string, { ms: number; cpu: number }[]>()
  try {
    const template = await templateIn(folder, partners)
    let filled: Filled = { people: 0, resources: 0, seconds: 0 }
    for (const resources of size.resources) {
      filled = await fill(folder, template, filled, { resources, last: Math.max(...size.resources) })
      const words = filled.resources.toLocaleString('en-GB')
      say({ name: `fill to ${words} resources, ${filled.people.toLocaleString('en-GB')} people`, unit: 's', ours: filled.seconds })
      const gateway = await startGateway(partners.urls, folder)
      const load = loader(gateway.url)
      try {
        const asked = Math.min(mostAsked, filled.people)
        const people = Array.from({ length: asked }, (_, n) => benchCase(Math.floor((n * filled.people) / asked)))
        for (const { name, found, bare } of await measureReading(stage, gateway, load, people)) {
          say({ name: `${name}, of ${words}`, unit: '/s', ...measured(found), bare })
          times.set(name, [...(times.get(name) ?? []), { ms: 1000 / found.perSecond, cpu: found.cpu }])
        }
        say({ name: `start to /health, with ${words}`, unit: 'ms', ours: gateway.startMs, aim: '< 1000' })
      } finally {
        load.close()
        await gateway.stop()
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const [least = 0, most = 0] = [size.resources[0], size.resources.at(-1)]
  for (const [name, all] of times) {
    const [first, last] = [all[0], all.at(-1)]
    if (!first || !last || first === last) continue
    const ratio = `${most.toLocaleString('en-GB')} : ${least.toLocaleString('en-GB')}`
    const wanted = name.startsWith('search') ? { aim: `${aim}` } : {}
    say({ name: `time of ${name}, ${ratio}`, unit: '×', ours: last.ms / first.ms, ...wanted })
    say({ name: `CPU of ${name}, ${ratio}`, unit: '×', ours: last.cpu / first.cpu, ...wanted })
  }
}
export default growth
