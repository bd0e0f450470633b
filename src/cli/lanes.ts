/**
 * `lanes`, `pause PARTNER`, `resume PARTNER`: how sending to each partner stands, and stopping or starting it by hand.
 */
import { v7 as newId } from 'uuid'
import { recordAudit } from '../store/audit.ts'
import type { Database } from '../store/database.ts'
import { loadDirectory } from '../store/directory.ts'
import { laneOf, lanes, pause, resume, standingOf } from '../store/lanes.ts'
import { onItsWay } from '../store/owed.ts'
import { withDatabase } from './store.ts'
import { Fault, type Terminal, table, type Verb } from './terminal.ts'

/** A reason, not a record. */
const longestNote = 200

export const listLanes: Verb = {
  name: 'lanes',
  usage: 'lanes',
  does: 'says of each partner whether messages go to it, and how many wait since when',
  takes: [0, 0],
  run: async (_given, terminal) =>
    withDatabase(terminal, async (database) => {
      const [{ directory }, known, owed] = await Promise.all([loadDirectory(database), lanes(database), onItsWay(database)])
      const now = terminal.now().toISOString()
      const json = [...directory.partners.values()].map(({ id, retired }) => {
        const lane = known.get(id) ?? { failures: 0 }
        const { count = 0, since } = owed.find(({ partner }) => partner === id) ?? {}
        const standing: keyof typeof words = retired ? 'retired' : standingOf(lane, now)
        return { partner: id, standing, ...lane, waiting: count, ...(since ? { oldest: since } : {}) }
      })
      const lines = json.map((one) => [
        one.partner,
        one.standing === 'paused'
          ? `paused since ${one.pausedAt}`
          : one.standing === 'shut'
            ? `shut until ${one.shutUntil}`
            : words[one.standing],
        String(one.failures),
        String(one.waiting),
        one.oldest ?? '',
        one.note ?? '',
      ])
      return {
        json,
        text: lines.length
          ? table(['partner', 'lane', 'failures', 'waiting', 'oldest owed since', 'note'], lines)
          : 'There are no partners.\n',
      }
    }),
}

export const pauseLane: Verb = {
  name: 'pause',
  usage: 'pause PARTNER [--note TEXT]',
  does: 'sends a partner nothing until it is resumed; TEXT is kept in clear and must say nothing about a person',
  takes: [1, 1],
  options: { note: { type: 'string' } },
  run: async ({ positionals: [partner = ''], values }, terminal) => {
    const note = values.note as string | undefined
    if (note !== undefined && note.length > longestNote) throw new Fault(`--note has at most ${longestNote} characters.`, 2)
    return withDatabase(terminal, async (database) => {
      await partnerIn(database, partner)
      const at = terminal.now().toISOString()
      await database.atomically([pause(partner, at, note), recorded('pause', partner, terminal)])
      return {
        json: { partner, standing: 'paused', pausedAt: at, ...(note ? { note } : {}) },
        text: `Nothing more is sent to ${partner}. An attempt in hand is finished; what stands on its shelf it can still read.\n`,
      }
    })
  },
}

export const resumeLane: Verb = {
  name: 'resume',
  usage: 'resume PARTNER',
  does: 'opens a paused or shut lane; a running gateway sends within seconds what has fallen due',
  takes: [1, 1],
  run: async ({ positionals: [partner = ''] }, terminal) =>
    withDatabase(terminal, async (database) => {
      await partnerIn(database, partner)
      const before = standingOf(await laneOf(database, partner), terminal.now().toISOString())
      if (before !== 'open') await database.atomically([resume(partner), recorded('resume', partner, terminal)])
      return {
        json: { partner, standing: 'open', before },
        text:
          before === 'open' ? `The lane of ${partner} was open already.\n` : `The lane of ${partner} is open; it was ${words[before]}.\n`,
      }
    }),
}

const words = { open: 'open', trying: 'trying one message', shut: 'shut', paused: 'paused', retired: 'retired' }

/** @throws Fault when nobody has this id */
async function partnerIn(database: Database, partner: string): Promise<void> {
  if (!(await loadDirectory(database)).directory.partners.has(partner)) throw new Fault('No partner has this id. `lanes` lists them.')
}

const recorded = (action: 'pause' | 'resume', partner: string, terminal: Terminal) =>
  recordAudit([{ id: newId(), at: terminal.now().toISOString(), action, who: 'command line', entity: `lane/${partner}` }])
