/**
 * `backup FILE`: a copy of the database while the gateway works on, looked through before it gets its name. It needs no master key,
 * and holds none: keep that somewhere else.
 */
import { chmodSync, existsSync, rmSync, statSync } from 'node:fs'
import { openSqlite } from '../store/sqlite.ts'
import { contentsOf, contentsWords, putInPlace } from './copy.ts'
import { d1In, databaseIn, folderOf, noDatabaseIn } from './store.ts'
import { Fault, type Verb } from './terminal.ts'

export const backUp: Verb = {
  name: 'backup',
  usage: 'backup FILE',
  does: 'copies the database to FILE while the gateway works on, and checks the copy',
  takes: [1, 1],
  run: async ({ positionals: [file = ''] }, terminal) => {
    const folder = folderOf(terminal)
    const source = databaseIn(folder)
    if (!existsSync(source))
      throw new Fault(existsSync(d1In(folder)) ? 'This is not for D1: use `wrangler d1 export`, or its Time Travel.' : noDatabaseIn(folder))
    if (existsSync(file)) throw new Fault(`${file} is there already. Nothing was overwritten.`)
    const part = `${file}.part`
    try {
      await copy(source, part)
      const contents = await contentsOf(part)
      putInPlace(part, file)
      const { size: bytes } = statSync(file)
      return {
        json: { file, bytes, integrity: 'ok', contents },
        text: `Written to ${file}, ${bytes} bytes, and checked: it is whole (${contentsWords(contents)}). It opens with the master key of today only: keep that too, elsewhere.\n`,
      }
    } finally {
      for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(`${part}${suffix}`, { force: true })
    }
  },
}

/** Not migrated on the way: a backup is what there was. */
async function copy(source: string, to: string): Promise<void> {
  rmSync(to, { force: true })
  const driver = openSqlite(source)
  try {
    await driver.backup(to, true)
    chmodSync(to, 0o600)
  } catch (error) {
    const { code } = error as { code?: string }
    throw new Fault(`${to} can not be written${code ? ` (${code})` : ''}.`)
  } finally {
    await driver.close()
  }
}
