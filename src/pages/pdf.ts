/**
 * A document as PDF, tagged so that a screen reader finds headings, lists and tables, in a font that has the letters of people's
 * names. Large print is 18 points, and rows of a table one below the other.
 *
 * On Node only: the font is a file. @see gateway.ts
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import PDFDocument from 'pdfkit'
import type { Block, Document } from './document.ts'
import type { Look } from './html.ts'

type Pdf = InstanceType<typeof PDFDocument>
type Parent = ReturnType<Pdf['struct']>
type Page = { pdf: Pdf; size: number; large: boolean; root: Parent }

const fontFile = (name: string) => createRequire(import.meta.url).resolve(`@expo-google-fonts/noto-sans/${name}`)
let fonts: { regular: Buffer; bold: Buffer } | undefined
const loaded = () => {
  fonts ??= {
    regular: readFileSync(fontFile('400Regular/NotoSans_400Regular.ttf')),
    bold: readFileSync(fontFile('700Bold/NotoSans_700Bold.ttf')),
  }
  return fonts
}

const ink = '#212b32'
const margin = 56

/** @param at when it was made: the same document at the same time gives the same bytes */
export async function pdfOf(document: Document, { large = false, at }: Look & { at: Date }): Promise<Uint8Array> {
  const pdf = new PDFDocument({
    size: 'A4',
    margins: { top: margin, left: margin, right: margin, bottom: margin + 16 },
    pdfVersion: '1.7',
    tagged: true,
    lang: 'en-GB',
    displayTitle: true,
    bufferPages: true,
    info: { Title: document.title, Creator: 'RECONNECT Exchange', CreationDate: at, ModDate: at },
  })
  const parts: Uint8Array[] = []
  pdf.on('data', (part: Uint8Array) => parts.push(part))
  const ended = new Promise((done) => pdf.on('end', done))
  const { regular, bold } = loaded()
  pdf.registerFont('regular', regular).registerFont('bold', bold).fillColor(ink)
  pdf.on('pageAdded', () => pdf.fillColor(ink))

  const root = pdf.struct('Document')
  pdf.addStructure(root)
  const page: Page = { pdf, size: large ? 18 : 12, large, root }
  line(page, root, 'H1', document.title, { font: 'bold', scale: 1.7, after: 0.5 })
  for (const text of document.about) line(page, root, 'P', text, { after: 0.2 })
  for (const [n, block] of document.blocks.entries()) put(page, block, document.blocks.slice(n + 1, n + 4))
  root.end()
  numberPages(page)
  pdf.end()
  await ended
  return Buffer.concat(parts)
}

function put(page: Page, block: Block, next: readonly Block[]): void {
  const { pdf, root, size } = page
  switch (block.kind) {
    case 'heading': {
      const scale = block.level === 2 ? 1.3 : 1.1
      pdf.moveDown(block.level === 2 ? 0.9 : 0.5)
      // A heading is not left alone at the foot of a page.
      const needed = size * scale * 4 + beginningOf(page, next)
      if (pdf.y + needed > bottom(pdf) && needed < bottom(pdf) - margin) pdf.addPage()
      line(page, root, `H${block.level}`, block.text, { font: 'bold', scale, after: 0.3 })
      break
    }
    case 'paragraph':
      line(page, root, 'P', block.text, { after: 0.6 })
      break
    case 'mark':
      line(page, root, 'P', `To look at: ${block.text}`, { font: 'bold', after: 0.5, indent: size })
      break
    case 'list': {
      const items = pdf.struct('L')
      root.add(items)
      for (const item of block.items) {
        const one = pdf.struct('LI')
        // The dot is drawn first: both go on the same page.
        const height = pdf.heightOfString(item, { width: pdf.page.width - 2 * margin - size * 1.5, lineGap: size * 0.25 })
        if (pdf.y + height > bottom(pdf) && height < bottom(pdf) - margin) pdf.addPage()
        items.add(one)
        const top = pdf.y
        line(page, one, 'Lbl', '•', { indent: size * 0.5 })
        pdf.y = top
        line(page, one, 'LBody', item, { after: 0.3, indent: size * 1.5 })
        one.end()
      }
      items.end()
      pdf.moveDown(0.3)
      break
    }
    case 'table':
      if (page.large) stacked(page, block)
      else table(page, block)
  }
}

/** How high what follows a heading begins: another heading or a mark with what follows that, a table with its first row. */
function beginningOf(page: Page, [next, ...rest]: readonly Block[]): number {
  const { pdf, size, large } = page
  if (next?.kind === 'heading' || next?.kind === 'mark') return size * 4 + beginningOf(page, rest)
  if (next?.kind !== 'table') return size
  const width = (pdf.page.width - 2 * margin) * (large ? 1 : 0.45)
  pdf.font('bold').fontSize(size)
  const heights = (next.rows[0] ?? []).map((cell) => pdf.heightOfString(cell, { width, lineGap: size * 0.25 }))
  return size * 6 + (large ? heights.reduce((a, b) => a + b, 0) : Math.max(0, ...heights))
}

type Text = { font?: 'regular' | 'bold'; scale?: number; after?: number; indent?: number }

function line(
  { pdf, size }: Page,
  parent: Parent,
  type: string,
  text: string,
  { font = 'regular', scale = 1, after = 0, indent = 0 }: Text,
): void {
  parent.add(
    pdf.struct(type, {}, () => {
      pdf.font(font).fontSize(size * scale)
      pdf.text(text, margin + indent, pdf.y, { width: pdf.page.width - 2 * margin - indent, lineGap: size * 0.25 })
    }),
  )
  pdf.font('regular').fontSize(size).moveDown(after)
}

type Table = Extract<Block, { kind: 'table' }>

/** Rows one below the other, each cell with the name of its column. */
function stacked(page: Page, { caption, head, rows }: Table): void {
  const { pdf, root, size } = page
  line(page, root, 'P', caption, { after: 0.4 })
  for (const row of rows) {
    pdf.font('bold').fontSize(size)
    const whole = row.map((cell, n) => `${head[n]}: ${cell}`).join('\n')
    const height = pdf.heightOfString(whole, { width: pdf.page.width - 2 * margin, lineGap: size * 0.25 })
    // What belongs together stays on one page, unless it is longer than one.
    if (pdf.y + height > bottom(pdf) && height < bottom(pdf) - margin) pdf.addPage()
    for (const [n, cell] of row.entries()) if (cell) line(page, root, 'P', `${head[n]}: ${cell}`, { font: n === 0 ? 'bold' : 'regular' })
    rule(page)
  }
}

function table(page: Page, { caption, head, rows }: Table): void {
  const { pdf, root, size } = page
  line(page, root, 'P', caption, { after: 0.4 })
  const whole = pdf.page.width - 2 * margin
  const shares = head.length === 3 ? [0.19, 0.49, 0.32] : head.map(() => 1 / head.length)
  const widths = shares.map((share) => whole * share)
  const gap = 10
  const heightOf = (row: readonly string[], font: 'regular' | 'bold') =>
    Math.max(
      ...row.map((cell, n) => {
        pdf.font(n === 0 ? 'bold' : font).fontSize(size)
        return pdf.heightOfString(cell, { width: (widths[n] as number) - gap, lineGap: size * 0.2 })
      }),
    )
  const cells = (row: readonly string[], font: 'regular' | 'bold', types: (n: number) => string) => {
    const height = heightOf(row, font)
    if (pdf.y + height > bottom(pdf)) pdf.addPage()
    const top = pdf.y
    const tr = pdf.struct('TR')
    grid.add(tr)
    let x = margin
    for (const [n, cell] of row.entries()) {
      const at = x
      tr.add(
        pdf.struct(types(n), {}, () => {
          pdf.font(n === 0 ? 'bold' : font).fontSize(size)
          pdf.text(cell, at, top, { width: (widths[n] as number) - gap, lineGap: size * 0.2 })
        }),
      )
      x += widths[n] as number
    }
    tr.end()
    pdf.y = top + height
    rule(page)
  }
  const grid = pdf.struct('Table')
  root.add(grid)
  // The names of the columns are not left alone at the foot of a page.
  if (pdf.y + heightOf(head, 'bold') + heightOf(rows[0] ?? head, 'regular') + size > bottom(pdf)) pdf.addPage()
  cells(head, 'bold', () => 'TH')
  for (const row of rows) cells(row, 'regular', (n) => (n === 0 ? 'TH' : 'TD'))
  grid.end()
  pdf.font('regular').fontSize(size).moveDown(0.5)
}

function rule({ pdf, size }: Page): void {
  const y = pdf.y + size * 0.2
  pdf.markContent('Artifact', { type: 'Layout' })
  pdf
    .moveTo(margin, y)
    .lineTo(pdf.page.width - margin, y)
    .lineWidth(0.6)
    .strokeColor('#768692')
    .stroke()
  pdf.endMarkedContent()
  pdf.y = y + size * 0.4
}

const bottom = (pdf: Pdf): number => pdf.page.height - margin - 16

function numberPages({ pdf, size }: Page): void {
  const { count } = pdf.bufferedPageRange()
  for (let n = 0; n < count; n++) {
    pdf.switchToPage(n)
    pdf.page.margins.bottom = 0
    pdf.markContent('Artifact', { type: 'Pagination' })
    pdf.font('regular').fontSize(Math.min(size, 14))
    pdf.text(`Page ${n + 1} of ${count}`, margin, pdf.page.height - margin, {
      width: pdf.page.width - 2 * margin,
      align: 'right',
      lineBreak: false,
    })
    pdf.endMarkedContent()
  }
}
