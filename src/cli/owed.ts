/**
 * `owed`, `resend ID`: what waits to be sent, and sending what was put aside for a person. Ids and states, nobody's details.
 */
import { sendAgain } from '../exchange/resend.ts'
import { type Owed, type OwedState, owedCounts, owedIn } from '../store/owed.ts'
import { withDatabase } from './store.ts'
import { Fault, table, type Verb } from './terminal.ts'

const states = ['due', 'sending', 'parked', 'delivered', 'void'] as const satisfies readonly OwedState[]
/** What somebody may have to do something about. */
const open = ['due', 'sending', 'parked'] as const satisfies readonly OwedState[]

export const listOwed: Verb = {
  name: 'owed',
  usage: `owed [--state ${states.join('|')}]`,
  does: 'lists the messages that are owed to partners, the oldest first',
  takes: [0, 0],
  options: { state: { type: 'string' } },
  run: async ({ values: { state } }, terminal) => {
    if (state !== undefined && !states.includes(state as OwedState)) throw new Fault(`--state is one of ${states.join(', ')}.`, 2)
    return withDatabase(terminal, async (database) => {
      const wanted = state === undefined ? open : [state as OwedState]
      const counts = await owedCounts(database)
      const rows = (await Promise.all(wanted.map((one) => owedIn(database, one)))).flat().sort((a, b) => a.seq - b.seq)
      const json = { counts, owed: rows.map(shown) }
      const head = ['id', 'state', 'partner', 'reason', 'attempts', 'owed since', 'due', 'note']
      const lines = json.owed.map((one) => [
        one.id,
        one.state,
        one.partner,
        one.reason,
        String(one.attempts),
        one.since,
        one.due ?? '',
        one.note ?? '',
      ])
      const total = `${states.map((one) => `${counts[one]} ${one}`).join(', ')}\n`
      return { json, text: lines.length ? `${table(head, lines)}\n${total}` : total }
    })
  },
}

const shown = ({ id, state, partner, service, task, reason, attempts, unanswered, createdAt, dueAt, note }: Owed) => ({
  id,
  state,
  partner,
  service,
  task: `Task/${task}`,
  reason,
  attempts,
  /** An attempt had no answer: the partner may have it. */
  unanswered,
  since: createdAt,
  ...(state === 'due' ? { due: dueAt } : {}),
  ...(note === undefined ? {} : { note }),
})

export const sendOwed: Verb = {
  name: 'resend',
  usage: 'resend ID',
  does: 'sends a parked message after all; a running gateway does it within seconds',
  takes: [1, 1],
  run: async ({ positionals: [id = ''] }, terminal) =>
    withDatabase(terminal, async (database) => {
      const resent = await sendAgain({ database, now: terminal.now }, id, 'command line')
      if (resent.outcome === 'unknown') throw new Fault('No message has this id. `owed` lists them.')
      if (resent.outcome === 'not-parked') throw new Fault(`This message is not parked: it is ${resent.state}. Nothing was changed.`)
      return { json: { id, ...resent }, text: `It is due again, for ${resent.partner}.\n` }
    }),
}
