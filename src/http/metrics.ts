/**
 * Counters, gauges and one kind of histogram, as Prometheus reads them. Labels are codes and route patterns, never a path.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
type Labels = Readonly<Record<string, string | number>>

export type Metrics = {
  count(name: string, help: string, labels?: Labels, by?: number): void
  /** `read` is asked when the page is; it gives one number, or one for each set of labels. */
  gauge(
    name: string,
    help: string,
    read: () => number | Promise<number> | { labels: Labels; value: number }[] | Promise<{ labels: Labels; value: number }[]>,
  ): void
  observe(name: string, help: string, labels: Labels, seconds: number): void
  /** The page. */
  text(): Promise<string>
}

const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

type Histogram = { buckets: number[]; sum: number; count: number }

export function createMetrics(): Metrics {
  const helps = new Map<string, { help: string; type: 'counter' | 'gauge' | 'histogram' }>()
  const counters = new Map<string, Map<string, number>>()
  const gauges = new Map<string, Parameters<Metrics['gauge']>[2]>()
  const histograms = new Map<string, Map<string, Histogram>>()

  return {
    count: (name, help, labels = {}, by = 1) => {
      helps.set(name, { help, type: 'counter' })
      const series = under(counters, name)
      const key = written(labels)
      series.set(key, (series.get(key) ?? 0) + by)
    },
    gauge: (name, help, read) => {
      helps.set(name, { help, type: 'gauge' })
      gauges.set(name, read)
    },
    observe: (name, help, labels, seconds) => {
      helps.set(name, { help, type: 'histogram' })
      const series = under(histograms, name)
      const key = written(labels)
      const one = series.get(key) ?? { buckets: bounds.map(() => 0), sum: 0, count: 0 }
      const slot = bounds.findIndex((bound) => seconds <= bound)
      if (slot >= 0) one.buckets[slot]!++
      one.sum += seconds
      one.count++
      series.set(key, one)
    },
    text: async () => {
      const lines: string[] = []
      for (const [name, { help, type }] of helps) {
        lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
        for (const [key, value] of counters.get(name) ?? []) lines.push(line(name, key, value))
        for (const [key, one] of histograms.get(name) ?? []) lines.push(...histogramLines(name, key, one))
        const read = await gauges.get(name)?.()
        if (typeof read === 'number') lines.push(line(name, '', read))
        else for (const { labels, value } of read ?? []) lines.push(line(name, written(labels), value))
      }
      return `${lines.join('\n')}\n`
    },
  }
}

function under<T>(map: Map<string, Map<string, T>>, name: string): Map<string, T> {
  const known = map.get(name) ?? new Map<string, T>()
  map.set(name, known)
  return known
}

const escaped = (value: string | number) => String(value).replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))
const written = (labels: Labels) =>
  Object.entries(labels)
    .map(([key, value]) => `${key}="${escaped(value)}"`)
    .join(',')
const line = (name: string, key: string, value: number) => `${name}${key && `{${key}}`} ${value}`

function histogramLines(name: string, key: string, { buckets, sum, count }: Histogram): string[] {
  const labelled = (more: string) => [key, more].filter(Boolean).join(',')
  let below = 0
  return [
    ...bounds.map((bound, i) => {
      below += buckets[i]!
      return line(`${name}_bucket`, labelled(`le="${bound}"`), below)
    }),
    line(`${name}_bucket`, labelled('le="+Inf"'), count),
    line(`${name}_sum`, key, sum),
    line(`${name}_count`, key, count),
  ]
}
