/**
 * What a verb is, and what it is handed: so that a test can hand in its own.
 */
import type { ParseArgsConfig } from 'node:util'
import type { Adapter } from '../adapter.ts'
import type { Channel } from '../channel.ts'

export type Terminal = {
  env: Readonly<Record<string, string | undefined>>
  /** A file's text; throws when it can not be read. */
  readText: (path: string) => string
  adapters: ReadonlyMap<string, Adapter>
  channels: ReadonlyMap<string, Channel>
  now: () => Date
  write: (text: string) => void
  writeError: (text: string) => void
}

export type Given = { values: Record<string, string | boolean | undefined>; positionals: string[] }
/** The same answer for a program and for a person; `json` undefined where they are one. */
export type Said = { json: unknown; text: string; exit?: 0 | 1 }

export type Verb = {
  /** One or two words. */
  name: string
  /** What follows `npm run reconnect --`. */
  usage: string
  /** In a sentence. */
  does: string
  /** How many arguments, least and most. */
  takes: readonly [number, number]
  options?: NonNullable<ParseArgsConfig['options']>
  run(given: Given, terminal: Terminal): Promise<Said>
}

/** It can not be done, and why: sentences for whoever typed it. */
export class Fault extends Error {
  readonly faults: readonly string[]
  readonly exit: 1 | 2
  constructor(faults: string | readonly string[], exit: 1 | 2 = 1) {
    super('fault')
    this.faults = typeof faults === 'string' ? [faults] : faults
    this.exit = exit
  }
}

/** A file's text. @throws Fault when it can not be read */
export function textOf(terminal: Terminal, path: string): string {
  try {
    return terminal.readText(path)
  } catch {
    throw new Fault(`${path} can not be read.`)
  }
}

/** Columns as wide as what stands in them. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((word, i) => Math.max(word.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row
      .map((word, i) => word.padEnd(widths[i] as number))
      .join('  ')
      .trimEnd()
  return `${[line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')}\n`
}
