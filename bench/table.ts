/**
 * The figures as a table: for the terminal and, the same, for docs/performance.md.
 */
export type Row = {
  name: string
  /** What `ours` and `bare` count; '×' is how many times as long as at first. Of a latency p50 is shown instead. */
  unit: '/s' | 'ms' | 'µs' | 's' | 'MiB' | '×'
  ours: number
  bare?: number
  /** Milliseconds. */
  p50?: number
  p99?: number
  bareP50?: number
  /** Processor time of the server for each, in milliseconds. */
  cpu?: number
  /** In words: what we are after, and behind a semicolon which share of the bare limit. */
  aim?: string
}

/** What `--json` writes. */
export type Report = { at: string; about: string; small: boolean; rows: (Row & { share?: number })[] }

const heads = ['measure', 'ours', 'p50 ms', 'p99 ms', 'CPU ms each', 'bare limit', 'share of it', 'aim']

/** A Markdown table with columns of even width. */
export function table(rows: readonly Row[]): string {
  const cells = [heads, ...rows.map(cellsOf)]
  const widths = heads.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell[column ? 'padStart' : 'padEnd'](widths[column] ?? 0)).join(' | ')} |`
  const rule = `|${widths.map((width, column) => `${'-'.repeat(width + 1)}${column ? ':' : '-'}`).join('|')}|`
  return [line(cells[0] as string[]), rule, ...cells.slice(1).map(line)].join('\n')
}

function cellsOf(row: Row): string[] {
  const { name, unit, ours, bare, p50, p99, bareP50, cpu, aim } = row
  const latency = isLatency(row)
  const limit = latency ? bareP50 : bare
  const share = shareOf(row)
  return [
    name,
    latency ? '' : `${figure(ours)} ${unit}`,
    figure(p50),
    figure(p99),
    figure(cpu),
    limit === undefined ? '' : `${figure(limit)} ${unit}`,
    share === undefined ? '' : share.toFixed(2),
    aim ?? '',
  ]
}

const isLatency = ({ unit, p50 }: Row): boolean => unit === 'ms' && p50 !== undefined

/** How near it comes to the bare limit: 1 is as fast. Of memory there is none. */
export function shareOf(row: Row): number | undefined {
  const { unit, ours, bare, p50, bareP50 } = row
  if (isLatency(row)) return bareP50 === undefined ? undefined : bareP50 / (p50 as number)
  if (bare === undefined || unit === 'MiB' || unit === '×') return undefined
  return unit === '/s' ? ours / bare : bare / ours
}

/** The figures with their shares, for whoever compares runs. */
export const report = (rows: readonly Row[], about: string, small: boolean, at: Date): Report => ({
  at: at.toISOString(),
  about,
  small,
  rows: rows.map((row) => {
    const share = shareOf(row)
    return { ...row, ...(share === undefined ? {} : { share }) }
  }),
})

/** Three figures are as much as a bench is worth. */
function figure(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return ''
  return value >= 100 ? String(Math.round(value)) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

const [opens, closes] = ['<!-- bench -->', '<!-- /bench -->']

/**
 * The text with what stands between the bench's markers replaced.
 *
 * @throws when the markers are not there
 */
export function between(text: string, inner: string): string {
  const [from, to] = [text.indexOf(opens), text.indexOf(closes)]
  if (from < 0 || to < from) throw new Error(`the markers ${opens} and ${closes} are missing`)
  return `${text.slice(0, from + opens.length)}\n${inner}\n${text.slice(to)}`
}
