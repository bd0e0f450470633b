/**
 * The -wal of a database, flushed to the disk by us and not by SQLite: while the disk works, so does the one thread there is.
 *
 * SQLite commits with synchronous=NORMAL, which writes the -wal in order and flushes it only before a checkpoint. What is flushed
 * here after a commit is what synchronous=FULL flushes within it.
 *
 * @see https://www.sqlite.org/pragma.html#pragma_synchronous
 */
import { closeSync, fdatasync, fsyncSync, openSync, realpathSync } from 'node:fs'

export type Wal = {
  /** Resolves when everything committed before is on disk. @throws as `node:fs` does */
  flush(): Promise<void>
  /** At once, its length too. */
  flushNow(): void
  close(): void
}

/** @param file a database in WAL mode, kept open as long as this is: nobody takes the -wal away then */
export function walOf(file: string): Wal {
  let descriptor: number | undefined
  // There may be none before the first commit.
  const opened = (): number => {
    descriptor ??= openSync(`${realpathSync(file)}-wal`, 'r+')
    return descriptor
  }
  return {
    flush: () =>
      new Promise((done, failed) => {
        fdatasync(opened(), (error) => (error ? failed(error) : done()))
      }),
    flushNow: () => fsyncSync(opened()),
    close: () => {
      if (descriptor !== undefined) closeSync(descriptor)
      descriptor = undefined
    },
  }
}
