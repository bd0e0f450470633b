/**
 * `work`: what needs a person, the oldest first.
 */
import { loadDirectory } from '../store/directory.ts'
import { openWork } from '../store/work-items.ts'
import { withDatabase } from './store.ts'
import { Fault, table, type Verb } from './terminal.ts'

export const listWork: Verb = {
  name: 'work',
  usage: 'work [--service ID]',
  does: 'lists what needs a person, the oldest first',
  takes: [0, 0],
  options: { service: { type: 'string' } },
  run: async ({ values: { service } }, terminal) =>
    withDatabase(terminal, async (database) => {
      const known = [...(await loadDirectory(database)).directory.services.keys()]
      if (service !== undefined && !known.includes(service as string)) throw new Fault('No service has this id.')
      const services = service === undefined ? known : [service as string]
      const items = (await Promise.all(services.map((one) => openWork(database, one))))
        .flat()
        .sort((a, b) => (a.openedAt < b.openedAt ? -1 : 1))
      const lines = items.map((item) => [
        item.openedAt,
        item.service,
        item.reason,
        item.task ? `Task/${item.task}` : item.patient ? `Patient/${item.patient}` : item.about,
        item.words,
      ])
      return {
        json: items,
        text: lines.length ? table(['since', 'service', 'reason', 'about', 'what to do'], lines) : 'Nothing needs a person.\n',
      }
    }),
}
