import { describe, expect, test } from 'vitest'
import { sizes } from '../../bench/stage.ts'
import { between, type Row, report, table } from '../../bench/table.ts'

describe('the table of the bench', () => {
  const lines = (text: string) => text.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))

  test('shows a rate beside the bare limit, and the share of it', () => {
    const [, , row] = lines(
      table([{ name: 'read', unit: '/s', ours: 3000, bare: 7500, p50: 4.21, p99: 12.06, cpu: 0.3, aim: '3000; 0.4' }]),
    )
    expect(row).toEqual(['', 'read', '3000 /s', '4.21', '12.1', '0.30', '7500 /s', '0.40', '3000; 0.4', ''])
  })

  test('shows a latency as its median and worst hundredth, and how many times faster the bare limit is', () => {
    const [, , row] = lines(table([{ name: 'told', unit: 'ms', ours: 20, p50: 8, p99: 90, bareP50: 2 }]))
    expect(row).toEqual(['', 'told', '', '8.00', '90.0', '', '2.00 ms', '0.25', '', ''])
  })

  test('gives no share of memory, and leaves empty what was not measured', () => {
    const [, , row] = lines(table([{ name: 'memory', unit: 'MiB', ours: 120, bare: 60, cpu: Number.NaN }]))
    expect(row).toEqual(['', 'memory', '120 MiB', '', '', '', '60.0 MiB', '', '', ''])
  })

  test('shows how many times as long something takes as at first, without a bare limit', () => {
    const [, , row] = lines(table([{ name: 'time of a search, 1,000,000 : 10,000', unit: '×', ours: 1.234, aim: '< 1.3' }]))
    expect(row).toEqual(['', 'time of a search, 1,000,000 : 10,000', '1.23 ×', '', '', '', '', '', '< 1.3', ''])
  })

  test('has lines of one width, so that it can be read in a terminal', () => {
    const text = table([
      { name: 'a', unit: '/s', ours: 1 },
      { name: 'a longer name', unit: '/s', ours: 100_000 },
    ])
    expect(new Set(text.split('\n').map((line) => line.length)).size).toBe(1)
  })
})

describe('the figures as JSON', () => {
  const rows: Row[] = [
    { name: 'read', unit: '/s', ours: 3000, bare: 7500, p50: 4.21, p99: 12.06, cpu: 0.3, aim: '3000; 0.4' },
    { name: 'decide', unit: 'µs', ours: 16, bare: 4 },
    { name: 'told', unit: 'ms', ours: 20, p50: 8, p99: 90, bareP50: 2 },
    { name: 'memory', unit: 'MiB', ours: 120, bare: 60 },
  ]

  test('are the rows, each with its share of the bare limit where there is one, when they were measured and whether in small', () => {
    expect(report(rows, 'Node 24', true, new Date('2026-03-02T09:00:00Z'))).toEqual({
      at: '2026-03-02T09:00:00.000Z',
      about: 'Node 24',
      small: true,
      rows: [{ ...rows[0], share: 0.4 }, { ...rows[1], share: 0.25 }, { ...rows[2], share: 0.25 }, rows[3]],
    })
  })

  test('survive being written and read', () => {
    const said = report(rows, 'Node 24', false, new Date())
    expect(JSON.parse(JSON.stringify(said))).toEqual(said)
  })
})

test('the full run searches in ten thousand, a hundred thousand and a million resources; the small one grows too', () => {
  expect(sizes.full.resources).toEqual([10_000, 100_000, 1_000_000])
  expect(sizes.small.resources.length).toBeGreaterThan(1)
})

describe('the page the table goes to', () => {
  test('keeps everything outside the markers', () => {
    expect(between('before\n<!-- bench -->\nold\n<!-- /bench -->\nafter', 'new')).toBe(
      'before\n<!-- bench -->\nnew\n<!-- /bench -->\nafter',
    )
  })

  test('is not written when the markers are missing', () => {
    expect(() => between('no markers', 'new')).toThrow('markers')
  })
})
