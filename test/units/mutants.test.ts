/**
 * The lines that `npm run mutants` breaks are where its list says, once each, and so are the tests that have to notice.
 */
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { mutants } from '../../mutants/list.ts'

const root = new URL('../../', import.meta.url)

test.each(mutants)('$breaks', ({ file, from, to, noticed }) => {
  const text = readFileSync(new URL(file, root), 'utf8')
  expect(text.split(from)).toHaveLength(2)
  expect(to).not.toBe(from)
  expect(existsSync(new URL(noticed, root))).toBe(true)
})
