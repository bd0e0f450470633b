/**
 * One person's journey on the first page: who they are, where they stand, what each partner was told and what happens next.
 */
import { html } from 'hono/html'
import type { Line } from './journal.ts'
import { type Html, time } from './page-parts.ts'
import type { DemoPerson } from './people.ts'
import type { HandoverView, PersonView } from './person-view.ts'
import type { Moment } from './turning.ts'

export type PersonOnPage = {
  person: DemoPerson
  view: PersonView
  /** What has happened to them, the newest first. */
  lines: readonly Line[]
  /** What comes next, in the exchange or around it. */
  next?: Moment
}

export function personCard({ person, view, lines, next }: PersonOnPage, number: number, now: Date): Html {
  const id = `person-${person.key}`
  return html`<article class="card person" id="${id}" data-live aria-labelledby="${id}-name">
<header><h3 id="${id}-name"><span class="number">${number}</span> ${view.name}</h3><span class="tag ${tagOf(view.where)}">${view.where}</span></header>
<p class="story"><strong>${person.story.title}.</strong> ${person.story.words}</p>
<p class="facts">${view.facts.map((words) => `${words}. `)}${view.worker ? `Care navigator: ${view.worker}.` : ''}</p>
<ol class="steps" aria-label="The journey so far">${view.steps.map(step)}</ol>
${view.ended ? html`<p class="ended"><strong>How it ended:</strong> ${view.ended}</p>` : ''}
${view.work.map(needsPerson)}
<p class="coming"><strong>What happens next:</strong> ${next ? html`${time(next.at, now)} ${next.words}.` : 'Nothing more, unless somebody does something.'}</p>
<h4 class="over">Partners</h4>
<ul class="handovers">${view.handovers.map(handover)}</ul>
<details id="${id}-past"><summary>What has happened to ${person.given} so far (${lines.length})</summary>
<ol class="past">${lines.map((line) => html`<li class="${line.todo ? 'todo' : ''}">${time(line.at, now)} ${line.words}</li>`)}</ol></details>
</article>`
}

const step = ({ name, done, of }: PersonView['steps'][number]): Html =>
  html`<li class="${done === 0 ? 'none' : done < of ? 'some' : 'all'}"><span>${name}</span> <b>${stepWords(done, of)}</b></li>`

const stepWords = (done: number, of: number): string => (of === 1 ? (done ? 'yes' : 'not yet') : `${done} of ${of}`)

/** The colour only repeats what the words say. */
export const tagOf = (where: string): string =>
  /consent|not known|not confirmed/.test(where)
    ? 'amber'
    : where.startsWith('released') || where.startsWith('with ')
      ? 'green'
      : where.startsWith('back')
        ? 'red'
        : where === 'closed' || where.startsWith('said no')
          ? 'grey'
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
