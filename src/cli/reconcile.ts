/**
 * `reconcile`: what the gateway does by itself every night, now: is everything as it should be, and what was put right?
 */
import { type Reconciled, reconcile } from '../exchange/reconcile.ts'
import { exchangeOver, withDatabase } from './store.ts'
import { Fault, type Verb } from './terminal.ts'

export const reconcileNow: Verb = {
  name: 'reconcile',
  usage: 'reconcile [--dry-run]',
  does: 'looks whether anything waits for nothing or differs from what was told; puts it right, or asks a person',
  takes: [0, 0],
  options: { 'dry-run': { type: 'boolean' } },
  run: async ({ values }, terminal) => {
    if (terminal.env.CLOCK?.trim().startsWith('manual:')) throw new Fault(clockElsewhere)
    return withDatabase(terminal, async (database) => {
      const write = values['dry-run'] !== true
      const found = await reconcile(await exchangeOver(terminal, database), { write })
      return { exit: found.failed > 0 ? 1 : 0, json: found, text: textOf(found, write) }
    })
  },
}

/** In real time everything about its people would be late. */
const clockElsewhere =
  'The clock of this gateway stands still, and only the gateway knows at which instant: reconcile is for a gateway in real time.'

/** What is written down of a night; nought is not told. */
function textOf(found: Reconciled, write: boolean): string {
  const { people, repaired, timers, work, record, shelves, messages, ...asked } = found
  const parts = { timers, work, record, shelves, messages }
  const counted = (some: Readonly<Record<string, number>>, words: Readonly<Record<string, string>>) =>
    Object.entries(some).flatMap(([name, count]) => (count > 0 ? [`  ${count} ${words[name]}`] : []))
  const lines = [
    ...(repaired > 0 ? [`${repaired} of them ${write ? 'were' : 'would be'} put right:`, ...counted(parts, partWords)] : []),
    ...counted(asked, askedWords),
  ]
  return `${people} people looked at.\n${lines.length ? `${lines.join('\n')}\n` : 'Everything is as it should be.\n'}`
}

const partWords = {
  timers: 'timers',
  work: 'work items',
  record: 'things on the service’s own shelf',
  shelves: 'things on a partner’s shelf',
  messages: 'messages owed',
}
const askedWords = {
  unwatched: 'open, and nothing would wake it: a work item asks (nothing-waits)',
  unexplained: 'on a partner’s shelf, and nothing says it was told: a work item asks (shelf-unexplained)',
  toNobody: 'messages about somebody who was erased: void',
  parked: 'parked messages nobody was asked about: a work item asks (parked)',
  strangers: 'people of a service that is not in the directory: add it again',
  failed: 'people who could not be looked at: see the log of the gateway, and `audit verify`',
}
