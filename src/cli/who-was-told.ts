/**
 * `who-was-told PATIENT`: who has seen a person's information, from the audit.
 */
import { toldAbout } from '../exchange/explain.ts'
import { loadDirectory } from '../store/directory.ts'
import { personOf } from '../store/people.ts'
import { withDatabase } from './store.ts'
import { Fault, table, type Verb } from './terminal.ts'

export const whoWasTold: Verb = {
  name: 'who-was-told',
  usage: 'who-was-told PATIENT-ID',
  does: 'says which partner was told what about a person, when, and on which basis',
  takes: [1, 1],
  run: async ({ positionals: [given = ''] }, terminal) =>
    withDatabase(terminal, async (database) => {
      const id = given.replace(/^Patient\//, '')
      if (!(await personOf(database, id))) throw new Fault('No person has this id.')
      const { directory } = await loadDirectory(database)
      const told = await toldAbout({ database, directory: () => directory }, id)
      const lines = told.map((one) => [one.at, one.name, one.how, one.basis ?? '', one.what.join('; ')])
      return { json: told, text: lines.length ? table(['when', 'who', 'how', 'basis', 'what'], lines) : 'Nobody was told anything.\n' }
    }),
}
