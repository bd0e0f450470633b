/**
 * `work`: what needs a person, the oldest first; `work resolve`: somebody has dealt with it, or leaves it as it is.
 */
import { whyNot } from '../domain/settling.ts'
import { resolveWork } from '../exchange/resolve.ts'
import { loadDirectory } from '../store/directory.ts'
import { openWork } from '../store/work-items.ts'
import { who } from './erase.ts'
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
        item.id,
        item.openedAt,
        item.service,
        item.reason,
        item.task ? `Task/${item.task}` : item.patient ? `Patient/${item.patient}` : item.about,
        item.words,
      ])
      return {
        json: items,
        text: lines.length ? table(['id', 'since', 'service', 'reason', 'about', 'what to do'], lines) : 'Nothing needs a person.\n',
      }
    }),
}

export const resolveOne: Verb = {
  name: 'work resolve',
  usage: 'work resolve ID --by WHO --note TEXT',
  does: 'closes what only a person can settle, with what they did or decided; the rest closes by itself',
  takes: [1, 1],
  options: { by: { type: 'string' }, note: { type: 'string' } },
  run: async (given, terminal) => {
    const id = given.positionals[0] as string
    const by = who(given)
    const note = String(given.values.note ?? '').trim()
    if (!note || note.length > mostWords) throw new Fault(`--note says what was done or decided, in at most ${mostWords} characters.`, 2)
    return withDatabase(terminal, async (database) => {
      const resolved = await resolveWork({ database, now: terminal.now }, id, { by, note })
      if (resolved.outcome === 'unknown') throw new Fault('No work item has this id. `work` lists them.')
      if (resolved.outcome === 'done-already') throw new Fault('This work item is closed already. Nothing was changed.')
      if (resolved.outcome === 'refused') throw new Fault(whyNot(resolved.reason, resolved.words))
      return { json: { id, ...resolved }, text: said[resolved.outcome] }
    })
  },
}
const mostWords = 1000
const said = {
  closed: 'Closed. It is not asked again.\n',
  left: 'Closed, left as it is. It is asked again when what it is about changes.\n',
}
