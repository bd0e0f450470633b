/**
 * What has happened in the demo, line by line: on the terminal and on the page.
 */
export type Line = { at: string; words: string }

export type Journal = {
  /** The newest first. */
  lines: Line[]
  write(words: string): void
}

/** @param print takes each line as it is written */
export function openJournal(now: () => Date, print: (line: Line) => void): Journal {
  const lines: Line[] = []
  return {
    lines,
    write(words) {
      const line = { at: now().toISOString(), words }
      lines.unshift(line)
      print(line)
    },
  }
}
