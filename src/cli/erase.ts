/**
 * `hold` and `erase`: a person's record is locked against destruction, or destroyed with its key, beside a running gateway.
 */
import { createReadStream, existsSync } from 'node:fs'
import { readRetentionYears } from '../config-part.ts'
import { type Decided, eraseNow, type Outcome, setHold } from '../exchange/erasing.ts'
import { type Database, statement } from '../store/database.ts'
import { wrappedKeys } from '../store/sealed.ts'
import type { SqliteDatabase } from '../store/sqlite.ts'
import { listErased } from './erased.ts'
import { databaseIn, folderOf, withDatabase } from './store.ts'
import { Fault, type Given, type Said, type Terminal, type Verb } from './terminal.ts'

export const holdPerson: Verb = {
  name: 'hold',
  usage: 'hold PATIENT-ID --by WHO --reason CODE | --release',
  does: 'forbids that anything of a person is erased or destroyed (an inquest, an inquiry, a claim), or allows it again',
  takes: [1, 1],
  options: { by: { type: 'string' }, reason: { type: 'string' }, release: { type: 'boolean' } },
  run: async (given, terminal) => {
    const { release } = given.values
    if ((given.values.reason === undefined) === (release === undefined)) throw new Fault('Say --reason, or --release.', 2)
    const by = who(given)
    const reason = release ? null : code(given)
    const patient = patientIn(given)
    return withDatabase(terminal, async (database) => {
      if (!(await setHold(whereOf(database, terminal), patient, by, reason))) throw unknown()
      return {
        json: { patient, hold: reason },
        text: release
          ? 'The hold is released: it can be erased, or destroyed when its time has come.\n'
          : 'Held: nothing of this person is erased or destroyed until the hold is released.\n',
      }
    })
  },
}

export const erasePerson: Verb = {
  name: 'erase',
  usage: 'erase PATIENT-ID --by WHO --reason CODE --confirm PATIENT-ID',
  does: 'destroys a person’s key and everything kept of them, for good; only what happened, when and by whom stays in the audit',
  takes: [1, 1],
  options: { by: { type: 'string' }, reason: { type: 'string' }, confirm: { type: 'string' } },
  run: (given, terminal) => destroying(given, terminal, eraseNow),
}

/** One way or another: confirmed, done, and no trace of the key left behind. */
export async function destroying(
  given: Given,
  terminal: Terminal,
  way: (where: ReturnType<typeof whereOf>, patient: string, decided: Decided) => Promise<Outcome>,
): Promise<Said> {
  const patient = patientIn(given)
  const decided = { by: who(given), reason: code(given) }
  if (bare(String(given.values.confirm ?? '')) !== patient)
    throw new Fault('Nothing was erased. This can not be undone: repeat it with --confirm and the same id.')
  return withDatabase(terminal, async (database, driver) => {
    const [key] = await wrappedKeys(driver, [patient])
    // What is deleted is overwritten with zeros, in this connection.
    await driver.atomically([statement('pragma secure_delete = on')])
    const done = await way(whereOf(database, terminal), patient, decided)
    if (done.outcome === 'unknown') throw unknown()
    if (done.outcome === 'refused') throw new Fault(['Nothing was erased.', ...done.because])
    const folder = folderOf(terminal)
    await listErased(folder, database)
    const traces = key?.wrapped ? await tracesOf(Buffer.from(key.wrapped), driver, databaseIn(folder)) : 0
    const left =
      traces === 0
        ? 'No trace of the key is left in the database.'
        : 'The wrapped key can still be found in free space of the file, or in its -wal while somebody reads: run `keys rotate` with a new master key and forget the former one.'
    return {
      json: { patient, erased: true, traces },
      text: `Erased. ${left} Backups from before still hold the key: erased.jsonl beside the database keeps \`restore\` from bringing the person back.\n`,
    }
  })
}

/** How often the key's bytes still stand in the files. */
async function tracesOf(bytes: Buffer, driver: SqliteDatabase, file: string): Promise<number> {
  await driver.checkpoint()
  let found = 0
  for (const each of [file, `${file}-wal`].filter(existsSync)) {
    let tail: Buffer = Buffer.alloc(0)
    for await (const part of createReadStream(each, { highWaterMark: 1024 * 1024 })) {
      const text = Buffer.concat([tail, part as Buffer])
      if (text.includes(bytes)) found++
      tail = text.subarray(Math.max(0, text.length - bytes.length + 1))
    }
  }
  return found
}

export function whereOf(database: Database, terminal: Terminal) {
  const read = readRetentionYears(terminal.env)
  if ('fault' in read) throw new Fault(read.fault)
  return { database, now: terminal.now, years: read.years }
}

const bare = (given: string): string => given.replace(/^Patient\//, '')
export const patientIn = ({ positionals: [given = ''] }: Given): string => bare(given)
export const unknown = (): Fault => new Fault('No person has this id, or the person was erased.')

/** Kept in clear in the audit, for good: no name of the person it is about. */
export function who({ values: { by } }: Given): string {
  if (typeof by !== 'string' || !/^[\w.@-]{1,64}$/.test(by))
    throw new Fault('--by says who decided: a staff id or role, of letters, digits and . @ - _, at most 64. It is kept in clear.', 2)
  return by
}
export function code({ values: { reason } }: Given): string {
  if (typeof reason !== 'string' || !/^[a-z0-9-]{1,40}$/.test(reason))
    throw new Fault('--reason is a code of small letters, digits and hyphens, such as persons-request. It is kept in clear.', 2)
  return reason
}
