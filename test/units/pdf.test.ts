/**
 * Pages on paper: what belongs together is on one page.
 */
import { expect, test } from 'vitest'
import { type Block, heading, list, paragraph } from '../../src/pages/document.ts'
import { pdfOf } from '../../src/pages/pdf.ts'

const pagesOf = async (blocks: readonly Block[]): Promise<number> => {
  const bytes = await pdfOf({ title: 'A page', about: [], blocks }, { at: new Date('2026-03-02T09:00:00Z') })
  return (
    Buffer.from(bytes)
      .toString('latin1')
      .match(/\/Type \/Page\b/g)?.length ?? 0
  )
}
const lines = (count: number) => Array.from({ length: count }, () => paragraph('A line.'))

test('wherever a page ends, a dot of a list is with its words and a heading with what it is over', async () => {
  for (let count = 15; count < 32; count++) {
    expect(await pagesOf([...lines(count), ...list('One.', 'Two.', 'Three.', 'Four.')])).toBeLessThanOrEqual(2)
    const table: Block = { kind: 'table', caption: 'A table.', head: ['What', 'Says'], rows: [['One', 'Two']] }
    expect(await pagesOf([...lines(count), heading('Outer'), heading('Inner', 3), table])).toBeLessThanOrEqual(2)
  }
})
