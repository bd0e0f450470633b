/**
 * What has happened in the demo, line by line: on the terminal and on the page.
 */
import { given } from '../domain/resources.ts'

export type Line = {
  at: string
  words: string
  /** Whom it is about. */
  person?: string
  /** Somebody at the RECONNECT service is asked to do something. */
  todo?: true
}

export type Journal = {
  /** The newest first. */
  lines: Line[]
  write(words: string, more?: Pick<Line, 'person' | 'todo'>): void
  /** The clock is about to be turned: what is written from now on has just happened. */
  turned(): void
  hasTurned(): boolean
  /** What has just happened, the newest first; before the clock was ever turned, everything. */
  recent(): readonly Line[]
}

/** @param print takes each line as it is written */
export function openJournal(now: () => Date, print: (line: Line) => void): Journal {
  const lines: Line[] = []
  let before: number | undefined
  return {
    lines,
    write(words, { person, todo } = {}) {
      const line: Line = { at: now().toISOString(), words, ...given('person', person), ...given('todo', todo) }
      lines.unshift(line)
      print(line)
    },
    turned() {
      before = lines.length
    },
    hasTurned: () => before !== undefined,
    recent: () => lines.slice(0, lines.length - (before ?? 0)),
  }
}
