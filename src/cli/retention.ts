/**
 * `retention`: whose record has come to the end of its time, and what a person who looked at it decides. Nothing is destroyed by itself.
 */
import { destroy, dueForReview, keepFor } from '../exchange/erasing.ts'
import { code, destroying, patientIn, unknown, whereOf, who } from './erase.ts'
import { withDatabase } from './store.ts'
import { Fault, table, type Verb } from './terminal.ts'

export const retentionDue: Verb = {
  name: 'retention due',
  usage: 'retention due',
  does: 'lists whose record has come to the end of its time, and why; nothing is destroyed by itself',
  takes: [0, 0],
  run: async (_given, terminal) =>
    withDatabase(terminal, async (database) => {
      const due = await dueForReview(whereOf(database, terminal))
      const lines = due.map((one) => [
        one.patient,
        one.service,
        one.class,
        one.dueOn,
        one.why,
        one.legalHold ? `held: ${one.legalHold}` : 'destroy, or keep',
      ])
      return {
        json: due,
        text: lines.length
          ? table(['person', 'service', 'class', 'since', 'why', 'decide'], lines)
          : 'No record has come to the end of its time.\n',
      }
    }),
}

export const retentionDestroy: Verb = {
  name: 'retention destroy',
  usage: 'retention destroy PATIENT-ID --by WHO --reason CODE --confirm PATIENT-ID',
  does: 'destroys a record whose time has come, after somebody looked at it',
  takes: [1, 1],
  options: { by: { type: 'string' }, reason: { type: 'string' }, confirm: { type: 'string' } },
  run: (given, terminal) => destroying(given, terminal, destroy),
}

export const retentionKeep: Verb = {
  name: 'retention keep',
  usage: 'retention keep PATIENT-ID --until DATE --by WHO --reason CODE',
  does: 'keeps a record for longer, after somebody looked at it',
  takes: [1, 1],
  options: { until: { type: 'string' }, by: { type: 'string' }, reason: { type: 'string' } },
  run: async (given, terminal) => {
    const until = dateIn(given.values.until)
    const decided = { by: who(given), reason: code(given) }
    if (until <= terminal.now().toISOString().slice(0, 10)) throw new Fault('--until is a date to come.', 2)
    return withDatabase(terminal, async (database) => {
      const patient = patientIn(given)
      if (!(await keepFor(whereOf(database, terminal), patient, until, decided))) throw unknown()
      return { json: { patient, keepUntil: until }, text: `Kept until ${until}; then it is listed again.\n` }
    })
  },
}

function dateIn(given: unknown): string {
  const date = typeof given === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(given) ? new Date(`${given}T00:00:00Z`) : undefined
  if (!date || Number.isNaN(date.getTime()) || date.toISOString().slice(0, 10) !== given)
    throw new Fault('--until is a date, such as 2034-06-30.', 2)
  return given as string
}
