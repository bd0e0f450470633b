/**
 * `npm start`: the whole journey on an empty machine. Prints what happens to each person, and keeps printing as the clock is turned.
 */
import { dayWords, timeOfDay } from '../domain/words.ts'
import { traceOf } from '../log.ts'
import { type Demo, startDemo } from './demo.ts'
import type { Line } from './journal.ts'
import { type PersonView, peopleView } from './person-view.ts'
import { brief } from './told.ts'

let running = false

process.on('uncaughtException', crashed).on('unhandledRejection', crashed)
const started = await startDemo(process.env, (line) => {
  if (running) say(lineWords(line))
})
if ('faults' in started) {
  process.stderr.write(`The demo can not start:\n${started.faults.map((fault) => `- ${fault}\n`).join('')}`)
  process.exit(1)
}
const { demo } = started
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void demo.stop().then(() => process.exit(0)))

await tellEverything(demo)
running = true
say(`ready ${demo.url}`)

/** Who everybody is and where each handover stands at the start. */
async function tellEverything({ open: { exchange }, everybody }: Demo) {
  const views = await peopleView(exchange, everybody)
  say('RECONNECT Exchange, demo. Eight invented people, simulated partners, a clock that is turned by hand.')
  say(`It is ${dayWords(exchange.now())}, ${timeOfDay(exchange.now())}.`)
  for (const [index, { person, patient }] of everybody.entries()) {
    const view = views.find((one) => one.patient === patient)
    if (view) say(['', `${index + 1}. ${view.name}: ${person.story.title} (${view.where})`, ...personWords(view)].join('\n'))
  }
  say(`\nTurn the clock on the page, or: curl -H 'content-type: application/json' -d '{"advance":"P1D"}' ${demo.url}/clock`)
}

function personWords({ facts, handovers, work }: PersonView): string[] {
  return [
    ...facts.map((words) => `   ${words}.`),
    ...handovers.flatMap(({ name, words, waits, told, toldYet, kept }) => [
      `   - ${name}: ${words}`,
      ...(toldYet ? [`     told: ${told.map(brief).join(', ')}`] : []),
      ...(toldYet && kept.length ? [`     kept back: ${[...new Set(kept.flatMap(({ kinds }) => kinds))].join(', ')}`] : []),
      ...waits.map((one) => `     ${one.needsPerson ? 'needs a person: ' : ''}${one.words}`),
    ]),
    ...work.map((words) => `   needs a person: ${words}`),
  ]
}

function lineWords({ at, words }: Line): string {
  return `${dayWords(new Date(at))} ${timeOfDay(new Date(at))}  ${words}`
}

function crashed(error: unknown) {
  process.stderr.write(`${JSON.stringify(traceOf(error))}\n`)
  process.exit(1)
}

function say(line: string) {
  process.stdout.write(`${line}\n`)
}
