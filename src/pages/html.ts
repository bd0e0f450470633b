/**
 * A document as one HTML page that needs nothing else: read at any size up to 400 per cent, by a screen reader, and printed.
 */
import { createHash } from 'node:crypto'
import { html, raw } from 'hono/html'
import type { Block, Document } from './document.ts'

export type Look = { large?: boolean }

export const htmlOf = ({ title, about, blocks }: Document, { large = false }: Look = {}): string =>
  String(html`<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${raw(style)}</style>
</head>
<body${large ? raw(' class="large"') : ''}>
<main>
<h1>${title}</h1>
${about.map((text) => html`<p class="about">${text}</p>\n`)}${blocks.map(blockOf)}</main>
</body>
</html>
`)

function blockOf(block: Block) {
  switch (block.kind) {
    case 'heading':
      return block.level === 2 ? html`<h2>${block.text}</h2>\n` : html`<h3>${block.text}</h3>\n`
    case 'paragraph':
      return html`<p>${block.text}</p>\n`
    case 'list':
      return html`<ul>${block.items.map((item) => html`<li>${item}</li>`)}</ul>\n`
    case 'mark':
      return html`<p class="mark"><strong>To look at:</strong> ${block.text}</p>\n`
    case 'table':
      return html`<table><caption>${block.caption}</caption>
<thead><tr>${block.head.map((word) => html`<th scope="col">${word}</th>`)}</tr></thead>
<tbody>${block.rows.map((row) => html`<tr>${row.map((cell, n) => (n === 0 ? html`<th scope="row" data-head="${block.head[n] as string}">${cell}</th>` : html`<td data-head="${block.head[n] as string}">${cell}</td>`))}</tr>\n`)}</tbody></table>\n`
  }
}

/** Black on white or nearly (more than 12 to 1), lengths that follow the reader's own size, tables that fold on a narrow screen. */
const style = `
html{font-size:118.75%}body{margin:0;background:#fff;color:#212b32;font-family:"Noto Sans",Arial,sans-serif;line-height:1.5}
body.large{font-size:1.5rem}main{max-width:44em;margin:0 auto;padding:1.5rem}
h1{font-size:1.8em;line-height:1.2;margin:0 0 .6em}h2{font-size:1.35em;line-height:1.3;margin:1.8em 0 .5em;border-top:2px solid #425563;padding-top:.6em}
h3{font-size:1.1em;margin:1.4em 0 .4em}p,ul{margin:0 0 .9em}li{margin:0 0 .4em}.about{margin:0 0 .3em}
table{width:100%;border-collapse:collapse;margin:0 0 1.2em}caption{text-align:left;font-weight:400;margin:0 0 .5em}
th,td{text-align:left;vertical-align:top;padding:.5em .8em .5em 0;border-bottom:1px solid #768692;overflow-wrap:anywhere;white-space:pre-line}
thead th{border-bottom:2px solid #212b32}tbody th{font-weight:600;min-width:7em}
.mark{border-left:.4em solid #005eb8;background:#f0f4f5;padding:.5em .8em}
.large table,.large thead,.large tbody,.large tr,.large th,.large td,.large caption{display:block}.large thead{display:none}
.large tr{border-bottom:2px solid #212b32;padding:.4em 0}.large tbody th,.large tbody td{border:0;padding:.2em 0}
.large [data-head]::before{content:attr(data-head) ": ";font-weight:700}
@media (max-width:38em){thead{position:absolute;clip-path:inset(50%)}tr,tbody th,td{display:block;border:0;padding:.2em 0}tr{border-bottom:2px solid #212b32;padding:.5em 0}[data-head]::before{content:attr(data-head) ": ";font-weight:700}}
@media print{html{font-size:12pt}body.large{font-size:18pt}main{max-width:none;padding:0}h2,h3{break-after:avoid}tr{break-inside:avoid}}
`
/** What such a page may do: nothing but look as it does. */
export const pagePolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; frame-ancestors 'none'`
