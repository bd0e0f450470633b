/**
 * `restore FILE`: a backup becomes the database, once it is seen to be whole and to open with the master key. FILE is only read, and a
 * database that was there is kept under another name.
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { aloneWith } from '../store/alone.ts'
import { KeyUnknown } from '../store/keyring.ts'
import { tryKeys } from '../store/keys.ts'
import { migrate } from '../store/migrate.ts'
import { perhapsSent } from '../store/owed.ts'
import { erasedPeople } from '../store/retention.ts'
import { openStore } from '../store/sealed.ts'
import { openSqlite, type SqliteDatabase } from '../store/sqlite.ts'
import { contentsOf, contentsWords, putInPlace } from './copy.ts'
import { type Erased, eraseAgain, erasedIn, readErased, writeErased } from './erased.ts'
import { d1In, databaseIn, folderOf, masterKeysOf } from './store.ts'
import { Fault, type Verb } from './terminal.ts'

/** What SQLite keeps beside a database. */
const besides = ['-wal', '-shm', '-journal']

export const restore: Verb = {
  name: 'restore',
  usage: 'restore FILE [--replace] [--erased LIST]',
  does: 'puts a backup in the place of the database, with the gateway stopped, without whoever was erased since; --replace when there is one already',
  takes: [1, 1],
  options: { replace: { type: 'boolean' }, erased: { type: 'string' } },
  run: async ({ positionals: [file = ''], values }, terminal) => {
    const folder = folderOf(terminal)
    const place = databaseIn(folder)
    const masterKeys = masterKeysOf(terminal)
    if (!existsSync(file)) throw new Fault(`${file} is not there.`)
    if (!existsSync(place) && existsSync(d1In(folder)))
      throw new Fault('This is not for D1: use its Time Travel, or `wrangler d1 execute --file`.')
    if (existsSync(`${file}-wal`) && statSync(`${file}-wal`).size > 0)
      throw new Fault(`Beside ${file} there is a -wal: it is in use, or was copied while it was. Take a backup of it with \`backup\`.`)
    if (existsSync(place)) {
      alone(place, () => undefined)
      if (!values.replace) throw new Fault(`There is a database in ${folder}. Nothing was changed; --replace puts it aside.`)
    }

    mkdirSync(folder, { recursive: true })
    const staged = `${place}.restoring`
    const aside = `${place}.replaced-${terminal.now().toISOString().replace(/\D/g, '')}`
    try {
      remove(staged)
      copyFileSync(file, staged)
      chmodSync(staged, 0o600)
      const erased = await erasedSince(folder, values.erased as string | undefined)
      let again = 0
      const contents = await contentsOf(staged, async (copy) => {
        await opens(copy, masterKeys)
        again = await eraseAgain(await openStore(copy, masterKeys), erased ?? [], terminal.now())
        // Nothing of them in free space either; and an older file becomes one that can shrink.
        await copy.compact()
      })
      const replaced = existsSync(place)
      if (replaced) alone(place, () => swap(place, aside, staged))
      else putInPlace(staged, place)
      if (erased?.length) writeErased(folder, erased)
      const was = replaced ? ` What was there is now ${aside}.` : ''
      return {
        json: {
          file,
          database: place,
          integrity: 'ok',
          contents,
          erasedAgain: erased ? again : 'unknown',
          ...(replaced ? { replaced: aside } : {}),
        },
        text: `${file} is the database now: whole, and open to the master key (${contentsWords(contents)}).${was} ${againWords(erased, again)} What happened since the backup is not in it: tell the services before you start.\n`,
      }
    } finally {
      remove(staged)
    }
  },
}

/**
 * Who was erased, as far as anybody here knows: the list, and the database that is to be replaced.
 *
 * @returns undefined when there is neither
 */
async function erasedSince(folder: string, list: string | undefined): Promise<Erased[] | undefined> {
  const listed = readErased(list ?? erasedIn(folder))
  if (!listed && list !== undefined) throw new Fault(`${list} is not there. Nothing was changed.`)
  const place = databaseIn(folder)
  if (!existsSync(place)) return listed
  const driver = openSqlite(place)
  try {
    return [...(listed ?? []), ...(await erasedPeople(driver))]
  } finally {
    await driver.close()
  }
}

const againWords = (erased: readonly Erased[] | undefined, again: number): string =>
  erased === undefined
    ? 'There is no list of who was erased (erased.jsonl): WHOEVER WAS ERASED SINCE THE BACKUP IS BACK; erase them again.'
    : `People who were erased since the backup and are erased again: ${again}.`

/** Every key, the migrations since, and what may have been sent since: all on the copy, before it counts. */
async function opens(copy: SqliteDatabase, masterKeys: readonly Uint8Array[]): Promise<void> {
  await tryKeys(copy, masterKeys).catch((error: unknown) => {
    throw error instanceof KeyUnknown ? new Fault('MASTER_KEY is not the one this backup was sealed with. Nothing was changed.') : error
  })
  await migrate(copy)
  await copy.atomically([perhapsSent])
}

function swap(place: string, aside: string, staged: string): void {
  renameSync(place, aside)
  for (const one of besides) if (existsSync(`${place}${one}`)) renameSync(`${place}${one}`, `${aside}${one}`)
  putInPlace(staged, place)
}

/** @throws Fault when a gateway, or anybody, has the database open; or nobody can tell */
function alone(place: string, work: () => void): void {
  let found: 'done' | 'in use'
  try {
    found = aloneWith(place, work)
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith('SQLITE_') !== true) throw error
    throw new Fault(
      `${place} can not be read, so nobody can tell whether a gateway works on it. Stop it, move the file away and try again.`,
    )
  }
  if (found === 'in use') throw new Fault('A gateway works on this database: stop it first. Nothing was changed.')
}

function remove(file: string): void {
  for (const one of ['', ...besides]) rmSync(`${file}${one}`, { force: true })
}
