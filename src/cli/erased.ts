/**
 * The list of who was erased, outside the database: a backup from before knows nothing of it, and would bring them back. Ids and instants
 * only, one JSON line each.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { v7 as newId } from 'uuid'
import { recordAudit } from '../store/audit.ts'
import { type Database, statement } from '../store/database.ts'
import { erase } from '../store/keys.ts'
import { erasedPeople } from '../store/retention.ts'
import { putInPlace } from './copy.ts'
import { Fault } from './terminal.ts'

export type Erased = { patient: string; at: string }

export const erasedIn = (folder: string): string => join(folder, 'erased.jsonl')

/** @throws Fault when there is such a file and it is not a list like ours */
export function readErased(file: string): Erased[] | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined
    throw new Fault(`${file} can not be read.`)
  }
  try {
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const { patient, at } = JSON.parse(line) as Erased
        if (typeof patient !== 'string' || typeof at !== 'string') throw new Error('not a line of ours')
        return { patient, at }
      })
  } catch {
    throw new Fault(`${file} is not a list of who was erased. Nothing was changed.`)
  }
}

/** Adds to the list in this folder whoever the database says was erased. */
export const listErased = async (folder: string, database: Pick<Database, 'query'>): Promise<void> =>
  writeErased(folder, await erasedPeople(database))

/** Adds to the list in this folder; on the disk for good when it returns. */
export function writeErased(folder: string, erased: readonly Erased[]): void {
  const file = erasedIn(folder)
  const all = new Map([...(readErased(file) ?? []), ...erased].map((one) => [one.patient, one]))
  const part = `${file}.part`
  writeFileSync(part, [...all.values()].map((one) => `${JSON.stringify(one)}\n`).join(''), { mode: 0o600 })
  putInPlace(part, file)
}

/**
 * Erases once more whoever was erased after a backup was taken. What held at the time of the backup does not stand in the way: that it
 * was released stands in what the backup does not have.
 *
 * @returns how many came back with the backup and are gone again
 */
export async function eraseAgain(database: Database, erased: readonly Erased[], now: Date): Promise<number> {
  const there = await database.query<{ id: string }>(
    statement(
      'select id from person where erased_at is null and id in (select value from json_each(?))',
      JSON.stringify(erased.map(({ patient }) => patient)),
    ),
  )
  const instants = new Map(erased.map(({ patient, at }) => [patient, at]))
  for (const { id } of there) {
    await database.atomically([
      statement('update person set legal_hold = null where id = ?', id),
      recordAudit([{ id: newId(), at: now.toISOString(), action: 'restore', who: 'command line', patient: id, basis: 'erased-before' }]),
    ])
    await erase(database, { patient: id, who: 'command line', at: instants.get(id) as string, auditId: newId(), reason: 'erased-before' })
  }
  return there.length
}
