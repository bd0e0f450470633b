/**
 * One JSON line an event on stdout: codes, counts and ids, nobody's details (CONTRACT.md 9).
 */
import type { Log } from './exchange/exchange.ts'

const levels = ['debug', 'info', 'warn', 'error'] as const
export type Level = (typeof levels)[number]

/** @param write takes one line, its line feed included */
export const createLog =
  (least: Level, write: (line: string) => void = (line) => process.stdout.write(line)): Log =>
  (level, event, fields) => {
    if (levels.indexOf(level) >= levels.indexOf(least))
      write(`${JSON.stringify({ at: new Date().toISOString(), level, event, ...fields })}\n`)
  }

/** For tests and tools: says nothing. */
export const noLog: Log = () => undefined

/** What may be said of something thrown: its name and where, never its message, which may quote what somebody sent. */
export function traceOf(error: unknown): { error: string; where?: string } {
  if (!(error instanceof Error)) return { error: typeof error }
  const where = error.stack
    ?.replace(error.message, '')
    .split('\n')
    .find((line) => line.startsWith('    at '))
  return { error: error.name, ...(where ? { where: where.trim().replace(/^at /, '') } : {}) }
}
