/**
 * What is wrong with the disk or the file, from the code SQLite gives: in words for whoever is on call, and a 503 for whoever asked.
 *
 * Nothing here is the fault of a request, so the caller may repeat it: nothing of it was kept.
 */
import { Refusal } from '../fhir/outcome.ts'

type Words = {
  /** After "can not work: ". */
  reason: string
  /** What to do, as a sentence. */
  todo: string
  /** When a caller may come back. */
  seconds: number
  /** It does not pass by itself: nothing more is written until somebody looked and started the exchange anew. */
  stays?: true
}

const damaged: Words = {
  reason: 'the database file is damaged',
  todo: 'Stop the exchange, keep the file with its -wal and -shm as they are, and put back the last good backup (`restore`).',
  seconds: 600,
  stays: true,
}
const locked: Words = {
  reason: 'another process holds the database',
  todo: 'See which one (`fuser` names it): end it or wait for it, and run one exchange on one database.',
  seconds: 1,
}
const notOurs: Words = {
  reason: 'the database file or its folder may not be written',
  todo: 'Make DATA_DIR and every exchange.db file in it writable for the user the exchange runs as, on a disk that is not mounted read-only.',
  seconds: 30,
}

const table: Readonly<Record<string, Words>> = {
  FULL: { reason: 'the disk is full', todo: 'Make room on the disk of DATA_DIR; the exchange goes on by itself.', seconds: 30 },
  IOERR: {
    reason: 'the disk does not read or write',
    todo: 'Look at the disk and at the system log; when it works again the exchange goes on by itself.',
    seconds: 30,
  },
  READONLY: notOurs,
  PERM: notOurs,
  CANTOPEN: {
    reason: 'the database file can not be opened',
    todo: 'See that DATA_DIR is a folder, and that exchange.db in it is a file, which the user the exchange runs as may read and write.',
    seconds: 30,
  },
  CORRUPT: damaged,
  NOTADB: { ...damaged, reason: 'the database file is damaged at its beginning, or is not a database' },
  BUSY: locked,
  LOCKED: locked,
}

/** The store can not be used at present. */
export class Trouble extends Refusal {
  override readonly name = 'Trouble'
  readonly words: Words
  constructor(words: Words) {
    super(
      503,
      {
        code: 'transient',
        text: `Nothing can be read or kept at the moment: ${words.reason}. Nothing of this request was kept; repeat it.`,
      },
      { 'Retry-After': String(words.seconds) },
    )
    this.words = words
  }
  /** One line for a terminal. */
  get line(): string {
    return `DATA_DIR: ${this.words.reason}. ${this.words.todo}`
  }
}

/** @param code as of SQLite, such as 'SQLITE_IOERR_WRITE' or 'SQLITE_FULL'; of another kind of fault: undefined */
export function troubleOf(code: string | undefined): Trouble | undefined {
  const kind = code?.split('_')[1]
  const words = kind !== undefined && code?.startsWith('SQLITE_') && Object.hasOwn(table, kind) ? table[kind] : undefined
  return words && new Trouble(words)
}

/** What a look through the file found wrong. */
export const damage = (): Trouble => new Trouble(damaged)
