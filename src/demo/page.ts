/**
 * The first page of the demo: each person's journey beside what each partner has been told. Server-rendered; everything is
 * escaped by `html`. `browser/page.js` asks for it again each second and exchanges what has changed.
 */
import { html, raw } from 'hono/html'
import { longDate, timeOfDay } from '../domain/words.ts'
import { inbox } from './inbox-card.ts'
import type { InboxView } from './inbox-view.ts'
import type { Line } from './journal.ts'
import { type Html, time, when } from './page-parts.ts'
import { type PersonOnPage, personCard, tagOf } from './person-card.ts'
import type { Moment } from './turning.ts'

export type PageView = {
  /** Where the demo is. */
  url: string
  now: Date
  next?: Moment | undefined
  /** What has happened since the clock was turned last, or up to the start; the newest first. */
  lines: readonly Line[]
  turned: boolean
  people: readonly PersonOnPage[]
  inboxes: readonly InboxView[]
}

export const page = (view: PageView): Html => html`<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>RECONNECT Exchange: demo</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/demo/page.css">
<script type="module" src="/demo/page.js"></script>
</head>
<body>
<p id="announce" class="unseen" role="status"></p>
<a class="skip" href="#turns">Skip to the people</a>
<header class="top"><div class="wide"><p class="brand">RECONNECT Exchange <span>demo</span></p></div></header>
${clockBar(view)}
<main class="wide">
<div class="opening">
<section class="intro" aria-labelledby="title">
<h1 id="title">Care that is ready on release day</h1>
<p>RECONNECT is the NHS service that helps people who leave prison to get the health care they need. Its care navigators work with
them from 12 weeks before release to 6 months after. This is RECONNECT Exchange: it asks GP practices, drug teams, probation and others to
take a person on, tells each only what the person agreed to share, and does not rest until each has said how it ended, or a care
navigator knows why not.</p>
<p class="more">You see eight people and, beside them, the inboxes of the partners that should expect them.</p>
<p class="hint"><strong>Try it:</strong> press “Next event” a few times and watch both sides, then “A week”. After 8 weeks each partner has said how it ended, and after 20 each story is over. Everybody and everything here is invented.</p>
</section>
${journal(view)}
</div>
${turns(view)}
<div class="sides">
<section id="people" class="people" aria-labelledby="people-title">
<h2 id="people-title">The people and their journeys</h2>
${view.people.map((one, index) => personCard(one, index + 1, view.now))}
</section>
<section class="inboxes" aria-labelledby="inboxes-title">
<h2 id="inboxes-title">What each partner has received</h2>
<div class="columns">${view.inboxes.map((one) => inbox(one, (name) => numberOf(view, name), view.now))}
<div class="inbox key"><h3>How to read this</h3><p>Each partner sees only its own inbox, never this page. It can not tell that something was kept back, or who else was told.</p><p>The numbers are those of the people. The newest comes first.</p></div>
</div>
</section>
</div>
</main>
<footer class="wide"><p class="foot">This page is only in the demo: the exchange has no pages for staff yet, they work through their case system and the command line. To start
again, stop the demo and run <code>npm start</code>. The same as data: <a href="/demo/summary">/demo/summary</a>. The gateway’s FHIR interface is below <code>/fhir</code>:
<a href="/fhir/metadata">what it can do</a>; <code>docs/api.md</code> in the project tells how to use it.</p></footer>
</body>
</html>`

const numberOf = ({ people }: PageView, name: string): number | undefined =>
  people.findIndex(({ view }) => view.name === name) + 1 || undefined

const clockBar = ({
  now,
  next,
  url,
}: PageView): Html => html`<div class="clock" id="clock" data-live role="region" aria-label="The demo’s clock">
<div class="wide">
<p class="time"><span>The clock is not real:</span> <strong>${longDate(now)}, ${timeOfDay(now)}</strong></p>
<p class="turn"><span id="turn-on">Move it on:</span>
<button type="button" id="turn-next" aria-describedby="turn-on" data-to="${next?.at}" ${next ? '' : raw('disabled')}>Next event</button>
<button type="button" id="turn-day" aria-describedby="turn-on" data-advance="P1D">A day</button>
<button type="button" id="turn-week" aria-describedby="turn-on" data-advance="P7D">A week</button>
</p>
<p class="next">${next ? html`Next: ${when(next.at, now)}. ${next.words}.` : 'Nothing more is going to happen by itself.'}</p>
<p id="said" class="said" role="status"></p>
<noscript><p>The buttons need JavaScript. Without it, move the clock like this and load this page again:<br>
<code>curl -H 'content-type: application/json' -d '{"advance":"P1D"}' ${url}/clock</code></p></noscript>
</div></div>`

/** Everything since the clock was turned last: whoever moves it a week sees the week. */
function journal({ lines, turned, now }: PageView): Html {
  const moments: { at: string; lines: Line[] }[] = []
  for (const line of lines) {
    const last = moments.at(-1)
    if (last?.at === line.at) last.lines.unshift(line)
    else moments.push({ at: line.at, lines: [line] })
  }
  const heading = turned ? 'What has just happened' : 'What has happened at the start'
  return html`<section class="journal" id="journal" data-live aria-labelledby="journal-title">
<h2 id="journal-title">${heading}${lines.length ? html` <small>${lines.length === 1 ? '1 thing' : `${lines.length} things`}, the newest first</small>` : ''}</h2>
${
  lines.length
    ? html`<ol id="journal-lines" tabindex="0" role="region" aria-labelledby="journal-title">${moments.map(
        (one) =>
          html`<li class="moment">${time(one.at, now)}<ul>${one.lines.map(({ words, todo }) => html`<li class="${todo ? 'todo' : ''}">${words}</li>`)}</ul></li>`,
      )}</ol>`
    : html`<p>Nothing that anybody would notice. The exchange looked again, and everything is as it should be.</p>`
}
</section>`
}

/** Everybody at a glance: whose turn of the story it is, where they stand, what happened last and what comes next. */
const turns = (view: PageView): Html => html`<section class="turns" id="turns" data-live aria-labelledby="turns-title">
<h2 id="turns-title">Eight people, eight turns of the story</h2>
<table><thead><tr><th scope="col">Who, and their turn</th><th scope="col">Where they stand</th><th scope="col">Partners done</th><th scope="col">What happened last</th><th scope="col">What happens next</th></tr></thead>
<tbody>${view.people.map((one, index) => turn(one, index + 1, view.now))}</tbody></table>
</section>`

function turn({ person, view, lines, next }: PersonOnPage, number: number, now: Date): Html {
  // What set off the rest of that moment.
  const happened = lines.filter(({ todo }) => !todo)
  const last = happened.findLast(({ at }) => at === happened[0]?.at)
  const done = view.handovers.filter(({ reached }) => reached === 3).length
  const asks = view.work.length + view.handovers.filter(({ waits }) => waits.some(({ needsPerson }) => needsPerson)).length
  return html`<tr><th scope="row"><a href="#person-${person.key}"><span class="number">${number}</span> ${view.name}</a> <span class="title">${person.story.title}</span></th>
<td data-label="Where they stand"><span class="tag ${tagOf(view.where)}">${view.where}</span>${asks ? html` <span class="asks">${asks === 1 ? '1 thing needs' : `${asks} things need`} a person</span>` : ''}</td>
<td data-label="Partners done">${done} of ${view.handovers.length}</td>
<td data-label="What happened last">${last ? html`${time(last.at, now)} ${last.words}` : 'Nothing yet.'}</td>
<td data-label="What happens next">${next ? html`${time(next.at, now)} ${next.words}` : 'Nothing more.'}</td></tr>`
}
