/**
 * `directory apply FILE`: makes the directory what the file says. A running gateway reads it within seconds.
 */
import { readDirectory } from '../access/directory-file.ts'
import { allowedFor } from '../channels/address.ts'
import { applyDirectory, loadDirectory } from '../store/directory.ts'
import { withDriver } from './store.ts'
import { Fault, textOf, type Verb } from './terminal.ts'

export const applyFile: Verb = {
  name: 'directory apply',
  usage: 'directory apply FILE',
  does: 'makes the directory of services, partners, clients and staff what FILE says',
  takes: [1, 1],
  run: async ({ positionals: [path = ''] }, terminal) => {
    const text = textOf(terminal, path)
    const { adapters, channels, env, readText, now } = terminal
    return withDriver(
      terminal,
      async (database) => {
        const { directory: known } = await loadDirectory(database)
        const read = readDirectory(text, { adapters, channels, secrets: { env, readText }, reach: allowedFor(env.HOST), known })
        if ('faults' in read) throw new Fault(read.faults)
        const { added, changed, retired, removed } = await applyDirectory(database, read.directory, now())
        const parts = [`${added} added`, `${changed} changed`, `${retired} retired`, `${removed} removed`]
        const same = added + changed + retired + removed === 0
        return { json: { added, changed, retired, removed }, text: same ? 'Nothing changed.\n' : `${parts.join(', ')}.\n` }
      },
      true,
    )
  },
}
