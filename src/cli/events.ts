/**
 * `events`: what HMPPS sent that the exchange knows nothing to do with, by kind; `events KIND`: the latest of one kind, as they came. Somebody
 * has to see them: a new kind may be one that matters.
 */
import { recordAudit } from '../store/audit.ts'
import { newId } from '../store/random.ts'
import { unknownEvents, unknownKinds } from '../store/unseen-events.ts'
import { who } from './erase.ts'
import { withDatabase } from './store.ts'
import { Fault, table, type Verb } from './terminal.ts'

const mostShown = 20

export const listEvents: Verb = {
  name: 'events',
  usage: 'events [KIND --by WHO]',
  does: 'counts what HMPPS sent of kinds we do nothing with; KIND shows the latest, which may name people: that is in the audit',
  takes: [0, 1],
  options: { by: { type: 'string' } },
  run: async (given, terminal) => {
    const [kind] = given.positionals
    const by = kind === undefined ? undefined : who(given)
    return withDatabase(terminal, async (database) => {
      if (kind === undefined || by === undefined) {
        const kinds = await unknownKinds(database)
        const lines = kinds.map(({ kind, count, firstAt, lastAt }) => [kind, String(count), firstAt, lastAt])
        return {
          json: kinds,
          text: lines.length ? table(['kind', 'how many', 'first', 'latest'], lines) : 'Nothing came that is not understood.\n',
        }
      }
      const found = await unknownEvents(database, kind, mostShown)
      if (!found.length) throw new Fault('Nothing of this kind is kept. `events` lists the kinds.')
      const row = { at: terminal.now().toISOString(), action: 'read', who: by, detail: JSON.stringify({ kind }) }
      await database.atomically([recordAudit(found.map(({ id }) => ({ ...row, id: newId(), entity: `event/${id}` })))])
      const json = found.map(({ id, at, body }) => ({ id, at, event: JSON.parse(body) as unknown }))
      return { json, text: json.map(({ id, at, event }) => `${at}  ${id}\n${JSON.stringify(event, null, 2)}\n`).join('\n') }
    })
  },
}
