/**
 * Which verb is meant, and how it ended. Exit codes: 0 done, 1 a fault or nothing there, 2 not understood.
 */
import { parseArgs } from 'node:util'
import { NewerDatabase } from '../store/migrate.ts'
import { Trouble } from '../store/trouble.ts'
import { exportAudit, verify } from './audit.ts'
import { backUp } from './backup.ts'
import { checkCase } from './case.ts'
import { applyFile } from './directory.ts'
import { listDisclosures } from './disclosures.ts'
import { erasePerson, holdPerson } from './erase.ts'
import { listEvents } from './events.ts'
import { rotate } from './keys.ts'
import { listLanes, pauseLane, resumeLane } from './lanes.ts'
import { newPartner } from './new-partner.ts'
import { listOwed, sendOwed } from './owed.ts'
import { reconcileNow } from './reconcile.ts'
import { listRefusals } from './refusals.ts'
import { restore } from './restore.ts'
import { retentionDestroy, retentionDue, retentionKeep } from './retention.ts'
import { sign } from './sign.ts'
import { subjectAccess } from './subject-access.ts'
import { Fault, type Terminal, type Verb } from './terminal.ts'
import { whoWasTold } from './who-was-told.ts'
import { listWork, resolveOne } from './work.ts'

/** In the order a reader of the help meets them. */
export const verbs: readonly Verb[] = [
  checkCase,
  listDisclosures,
  sign,
  applyFile,
  listOwed,
  sendOwed,
  listLanes,
  pauseLane,
  resumeLane,
  listWork,
  resolveOne,
  listEvents,
  reconcileNow,
  listRefusals,
  whoWasTold,
  subjectAccess,
  verify,
  exportAudit,
  retentionDue,
  retentionKeep,
  retentionDestroy,
  holdPerson,
  erasePerson,
  rotate,
  backUp,
  restore,
  newPartner,
]

export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  if (args.length === 0 || args[0] === 'help' || args[0] === '--help' || args[0] === '-h') {
    terminal.write(helpText())
    return args.length === 0 ? 2 : 0
  }
  // The longest name first: 'directory apply' before a verb 'directory'.
  const verb = [...verbs]
    .sort((a, b) => b.name.length - a.name.length)
    .find(({ name }) => name === args.slice(0, name.split(' ').length).join(' '))
  if (!verb) {
    terminal.writeError(`There is no “${args[0]}”.\n\n${helpText()}`)
    return 2
  }
  const usage = `usage: npm run reconnect -- ${verb.usage}\n`
  let given: { values: Record<string, string | boolean | undefined>; positionals: string[] }
  try {
    given = parseArgs({
      args: args.slice(verb.name.split(' ').length),
      options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }, ...verb.options },
      allowPositionals: true,
    })
  } catch (error) {
    terminal.writeError(`${(error as Error).message}\n${usage}`)
    return 2
  }
  const { values, positionals } = given
  if (values.help) {
    terminal.write(`${verb.does}\n${usage}`)
    return 0
  }
  const [least, most] = verb.takes
  if (positionals.length < least || positionals.length > most) {
    terminal.writeError(usage)
    return 2
  }
  try {
    const { exit = 0, json, text } = await verb.run({ values, positionals }, terminal)
    terminal.write(values.json && json !== undefined ? `${JSON.stringify(json, null, 2)}\n` : text)
    return exit
  } catch (error) {
    if (error instanceof Trouble || error instanceof NewerDatabase) {
      terminal.writeError(`${error instanceof Trouble ? error.line : error.message}\n`)
      return 1
    }
    if (!(error instanceof Fault)) throw error
    terminal.writeError(`${error.faults.join('\n')}\n${error.exit === 2 ? usage : ''}`)
    return error.exit
  }
}

function helpText(): string {
  const width = Math.max(...verbs.map(({ usage }) => usage.length))
  const lines = verbs.map(({ usage, does }) => `  ${usage.padEnd(width)}  ${does}`)
  return `npm run reconnect -- <verb>\n\n${lines.join('\n')}\n\nEach takes --json. They use the environment of \`npm run serve\` and are safe beside it; \`restore\` wants it stopped.\n`
}
