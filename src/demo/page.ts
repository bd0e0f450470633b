/**
 * The first page of the demo: each person's journey beside what each partner has been told. Server-rendered; everything is
 * escaped by `html`. `browser/page.js` asks for it again each second and exchanges what has changed.
 */
import { html, raw } from 'hono/html'
import { dayWords, longDate, timeOfDay } from '../console/words.ts'
import type { InboxView, LetterView } from './inbox-view.ts'
import type { Line } from './journal.ts'
import type { Letter } from './office.ts'
import type { DemoPerson } from './people.ts'
import type { HandoverView, PersonView } from './person-view.ts'
import { short } from './told.ts'
import type { Moment } from './turning.ts'

export type Html = ReturnType<typeof html>

export type PageView = {
  now: Date
  next?: Moment | undefined
  lines: readonly Line[]
  people: readonly { person: DemoPerson; view: PersonView }[]
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
<a class="skip" href="#people">Skip to the people</a>
<header class="top"><div class="wide"><p class="brand">RECONNECT Exchange <span>demo</span></p></div></header>
${clockBar(view)}
<div class="wide">
<div class="opening">
<section class="intro" aria-labelledby="title">
<h1 id="title">Care that is ready on release day</h1>
<p>Here are eight people whom a RECONNECT service supports and, beside them, the inboxes of the agencies that should expect them. The
exchange tells each agency what the person agreed to share and nothing else, and does not rest until the agency says how it ended or a
care navigator knows why not.</p>
<p class="hint"><strong>Try it:</strong> press “Next event” a few times and watch both sides, then “A week”. Everybody and everything here is invented.</p>
</section>
${journal(view.lines)}
</div>
${turns(view)}
<main class="sides">
<section id="people" class="people" aria-labelledby="people-title">
<h2 id="people-title">Eight people and their journeys</h2>
${view.people.map((one, index) => personCard(one.person, one.view, index + 1))}
</section>
<section class="inboxes" aria-labelledby="inboxes-title">
<h2 id="inboxes-title">What each partner has received</h2>
<div class="columns">${view.inboxes.map((one) => inbox(one, view.people))}
<div class="inbox key"><h3>How to read this</h3><p>Each partner sees only its own inbox, never this page. It can not tell that something was kept back, or who else was told.</p><p>The numbers are those of the people on the left. The newest comes first.</p></div>
</div>
</section>
</main>
<footer class="foot"><p>To start again, stop the demo and run <code>npm start</code>. The same as data: <a href="/demo/summary">/demo/summary</a>. The
gateway’s FHIR interface is below <code>/fhir</code>: <a href="/fhir/metadata">what it can do</a>.</p></footer>
</div>
</body>
</html>`

const clockBar = ({
  now,
  next,
}: PageView): Html => html`<div class="clock" id="clock" data-live role="region" aria-label="The demo’s clock">
<div class="wide">
<p class="time"><span>The clock is not real:</span> <strong>${longDate(now)}, ${timeOfDay(now)}</strong></p>
<p class="turn">
<button type="button" id="turn-next" data-to="${next?.at}" ${next ? '' : raw('disabled')}>Next event</button>
<button type="button" id="turn-day" data-advance="P1D">A day</button>
<button type="button" id="turn-week" data-advance="P7D">A week</button>
</p>
<p class="next">${next ? html`Next: ${when(next.at)}. ${next.words}.` : 'Nothing more is going to happen by itself.'}</p>
<p id="said" class="said" role="status"></p>
<noscript><p>The buttons need JavaScript. Without it: POST /clock with {"advance": "P1D"}, then load this page again.</p></noscript>
</div></div>`

const when = (at: string): string => `${dayWords(new Date(at))}, ${timeOfDay(new Date(at))}`
const time = (at: string): Html => html`<time datetime="${at}">${when(at)}</time>`

/** Everybody at a glance: whose turn of the story it is, where they stand, what happened last. */
const turns = ({ people, lines }: PageView): Html => html`<section class="turns" id="turns" data-live aria-labelledby="turns-title">
<h2 id="turns-title">Eight people, eight turns of the story</h2>
<table><thead><tr><th scope="col">Who</th><th scope="col">Their turn</th><th scope="col">Where they stand</th><th scope="col">Partners done</th><th scope="col">What happened last</th></tr></thead>
<tbody>${people.map(({ person, view }, index) => turn(person, view, index + 1, lines))}</tbody></table>
</section>`

function turn(person: DemoPerson, view: PersonView, number: number, lines: readonly Line[]): Html {
  const last = lines.find(({ words }) => words.includes(view.name))
  const done = view.handovers.filter(({ reached }) => reached === 3).length
  const asks = view.work.length + view.handovers.filter(({ waits }) => waits.some(({ needsPerson }) => needsPerson)).length
  return html`<tr><th scope="row"><a href="#person-${person.key}"><span class="number">${number}</span> ${view.name}</a></th>
<td>${person.story.title}</td><td><span class="tag ${tagOf(view.where)}">${view.where}</span></td>
<td>${done} of ${view.handovers.length}${asks ? html` <span class="asks">${asks === 1 ? '1 thing needs' : `${asks} things need`} a person</span>` : ''}</td>
<td>${last ? html`${time(last.at)} ${last.words}` : 'Nothing yet.'}</td></tr>`
}

const journal = (lines: readonly Line[]): Html => html`<section class="journal" id="journal" data-live aria-labelledby="journal-title">
<h2 id="journal-title">What has just happened</h2>
<ol>${lines.slice(0, 5).map(({ at, words }) => html`<li>${time(at)} ${words}</li>`)}</ol>
</section>`

function personCard(person: DemoPerson, view: PersonView, number: number): Html {
  const id = `person-${person.key}`
  return html`<article class="card person" id="${id}" data-live aria-labelledby="${id}-name">
<header><h3 id="${id}-name"><span class="number">${number}</span> ${view.name}</h3><span class="tag ${tagOf(view.where)}">${view.where}</span></header>
<p class="story"><strong>${person.story.title}.</strong> ${person.story.words}</p>
<p class="facts">${view.facts.join('. ')}.${view.worker ? html` Care navigator: ${view.worker}.` : ''}</p>
<ol class="steps" aria-label="The journey so far">${view.steps.map(step)}</ol>
<ul class="handovers">${view.handovers.map(handover)}</ul>
${view.work.map(needsPerson)}
</article>`
}

const step = ({ name, done, of }: PersonView['steps'][number]): Html =>
  html`<li class="${done === 0 ? 'none' : done < of ? 'some' : 'all'}"><span>${name}</span> <b>${stepWords(done, of)}</b></li>`

const stepWords = (done: number, of: number): string => (of === 1 ? (done ? 'yes' : 'not yet') : `${done} of ${of}`)

const tagOf = (where: string): string =>
  /consent|not known|not confirmed/.test(where)
    ? 'amber'
    : where.startsWith('released') || where.startsWith('with ')
      ? 'green'
      : where.startsWith('back')
        ? 'red'
        : 'blue'

const needsPerson = (words: string): Html => html`<p class="needs"><span class="for">Needs a person:</span> ${words}</p>`

function handover(one: HandoverView): Html {
  const kept = [...new Set(one.kept.flatMap(({ kinds }) => kinds))]
  const stuck = one.waits.some((wait) => wait.needsPerson)
  return html`<li class="handover reached-${one.reached} ${stuck ? 'stuck' : ''}">
<p class="line"><span class="who">${one.name} <small>${one.kind}</small></span> <span class="state">${one.words}</span></p>
${one.waits.map((wait) => (wait.needsPerson ? needsPerson(wait.words) : html`<p class="wait">${wait.words}</p>`))}
${kept.length && one.told.length ? html`<p class="kept"><span>Kept from them:</span> ${kept.join(', ')}.</p>` : ''}
<details id="why-${one.task}"><summary>What they are told, what is kept from them, and why</summary>
<dl>
<dt>Asked to</dt><dd>${one.asks}</dd>
<dt>${one.toldYet || !one.told.length ? 'Told' : 'Will be told, when it is time'}</dt><dd>${one.told.length ? html`<ul>${one.told.map((words) => html`<li>${capital(words)}</li>`)}</ul>` : 'Nothing.'}</dd>
<dt>Kept back</dt><dd>${one.kept.length ? html`<ul>${one.kept.map(({ what, because }) => html`<li><strong>${capital(what)}</strong>: ${because}.</li>`)}</ul>` : 'Nothing.'}</dd>
</dl></details>
</li>`
}

const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1)

const inbox = (one: InboxView, people: PageView['people']): Html => html`<section class="inbox" aria-labelledby="inbox-${one.partner}">
<h3 id="inbox-${one.partner}">${one.name} <small>${one.kind}. ${one.pulls ? 'Fetches its plans.' : 'Is sent messages.'}</small></h3>
<div class="letters" id="letters-${one.partner}" data-list tabindex="0" role="region" aria-labelledby="inbox-${one.partner}">
${one.letters.length ? one.letters.map((each) => letter(one, each, people)) : html`<p class="empty" id="empty-${one.partner}">Nothing yet.</p>`}
</div>
</section>`

const kinds: Readonly<Record<Letter['kind'], string>> = {
  new: 'New request',
  update: 'Update: something changed',
  hold: 'On hold: please wait',
  stop: 'Please stop',
  pulled: 'Plan fetched',
  'pulled again': 'Plan fetched again: something changed',
}

function letter(box: InboxView, one: LetterView, people: PageView['people']): Html {
  const number = people.findIndex(({ view }) => view.name === one.person) + 1
  const id = `letter-${box.partner}-${one.id.replace(/[^\w-]/g, '')}`
  const again = one.kind === 'update' || one.kind === 'pulled again'
  return html`<article class="letter ${again ? 'again' : one.kind}" id="${id}" data-live>
<header><h4>${number ? html`<span class="number">${number}</span> ` : ''}${one.person}</h4>${time(one.at)}</header>
<p class="kind">${kinds[one.kind]}</p>
${one.asks && !again ? html`<p class="asks">${one.asks}</p>` : ''}
${
  one.told.length
    ? html`<p class="told"><span>Told:</span> ${one.told
        .filter((words) => words !== beside)
        .map(short)
        .join(', ')}.</p>`
    : ''
}
<details id="${id}-read"><summary>Read it</summary><dl class="written">${one.written.map(({ label, words }) => html`<dt>${label}</dt><dd>${words}</dd>`)}</dl></details>
<details id="${id}-fhir" data-load="/demo/messages/${box.partner}/${encodeURIComponent(one.id)}"><summary>FHIR</summary><pre tabindex="0">Loading…</pre></details>
</article>`
}

/** Said in full right above. */
const beside = 'what this partner is asked to do'
