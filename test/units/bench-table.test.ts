import { describe, expect, test } from 'vitest'
import { between, table } from '../../bench/table.ts'

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

  test('has lines of one width, so that it can be read in a terminal', () => {
    const text = table([
      { name: 'a', unit: '/s', ours: 1 },
      { name: 'a longer name', unit: '/s', ours: 100_000 },
    ])
    expect(new Set(text.split('\n').map((line) => line.length)).size).toBe(1)
  })
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
