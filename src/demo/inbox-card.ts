/**
 * One partner's inbox on the first page: what it has received, the newest first, as a person would read it.
 */
import { html } from 'hono/html'
import type { InboxView, LetterView } from './inbox-view.ts'
import { type Html, time } from './page-parts.ts'
import { short } from './told.ts'

/** @param numberOf the number a person has on the page */
export const inbox = (one: InboxView, numberOf: (name: string) => number | undefined, now: Date): Html =>
  html`<section class="inbox" aria-labelledby="inbox-${one.partner}">
<h3 id="inbox-${one.partner}">${one.name} <small>${one.kind}. ${one.pulls ? 'Fetches its plans.' : 'Is sent messages.'}</small></h3>
<div class="letters" id="letters-${one.partner}" data-list tabindex="0" role="region" aria-labelledby="inbox-${one.partner}">
${one.letters.length ? one.letters.map((each) => letter(one, each, numberOf(each.person), now)) : html`<p class="empty" id="empty-${one.partner}">Nothing yet.</p>`}
</div>
</section>`

function letter(box: InboxView, one: LetterView, number: number | undefined, now: Date): Html {
  const id = `letter-${box.partner}-${one.id.replace(/[^\w-]/g, '')}`
  const { kind, heading } = one.news
  return html`<article class="letter ${kind}" id="${id}" data-live>
<header><h4>${number ? html`<span class="number">${number}</span> ` : ''}${one.person}</h4>${time(one.at, now)}</header>
<p class="kind">${heading}</p>
${one.asks && kind === 'new' ? html`<p class="asks">${one.asks}</p>` : ''}
${
  one.told.length
    ? html`<p class="told"><span>Told:</span> ${one.told
        .filter((words) => words !== beside)
        .map(short)
        .join(', ')}.</p>`
    : !box.pulls && (kind === 'ended' || kind === 'stop')
      ? html`<p class="told">Nothing about the person: they know from before who it is.</p>`
      : ''
}
${one.written.length ? html`<details id="${id}-read"><summary>Read it</summary><dl class="written">${one.written.map(({ label, words }) => html`<dt>${label}</dt><dd>${words}</dd>`)}</dl></details>` : ''}
<details id="${id}-fhir" data-load="/demo/messages/${box.partner}/${encodeURIComponent(one.id)}"><summary>As FHIR</summary><pre tabindex="0">Loading…</pre></details>
</article>`
}

/** Said in full right above. */
const beside = 'what this partner is asked to do'
