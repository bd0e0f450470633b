/**
 * `subject-access PATIENT --out DIR`: everything held about a person, as a FHIR Bundle and as PDF, marked for somebody to look through.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { v7 as newId } from 'uuid'
import { bundleOf, heldAbout } from '../exchange/subject-access.ts'
import { recordPage } from '../pages/record.ts'
import { recordAudit } from '../store/audit.ts'
import { personOf } from '../store/people.ts'
import { exchangeOver, withDatabase } from './store.ts'
import { Fault, type Verb } from './terminal.ts'

export const subjectAccess: Verb = {
  name: 'subject-access',
  usage: 'subject-access PATIENT-ID --out DIR [--large]',
  does: 'writes everything held about a person into DIR, as a FHIR Bundle and as PDF, with marks where somebody has to look first',
  takes: [1, 1],
  options: { out: { type: 'string' }, large: { type: 'boolean' } },
  run: async ({ positionals: [given = ''], values: { out, large } }, terminal) => {
    if (out === undefined) throw new Fault('--out names the folder to write into.', 2)
    return withDatabase(terminal, async (database) => {
      const id = given.replace(/^Patient\//, '')
      const exchange = await exchangeOver(terminal, database)
      const [person, held] = [await personOf(database, id), await heldAbout(exchange, id)]
      if (!person || !held) throw new Fault('No person has this id.')
      const at = exchange.now()
      const asked = {
        id: newId(),
        at: at.toISOString(),
        action: 'subject-access',
        who: 'command line',
        service: person.service,
        patient: id,
      }
      await database.atomically([recordAudit([{ ...asked, entity: `Patient/${id}`, detail: JSON.stringify({ purposeOfUse: 'PATRQT' }) }])])
      const { pdfOf } = await import('../pages/pdf.ts')
      mkdirSync(String(out), { recursive: true, mode: 0o700 })
      const files = [join(String(out), 'record.json'), join(String(out), 'record.pdf')] as const
      writeFileSync(files[0], `${JSON.stringify(bundleOf(exchange, held, 'collection'), null, 2)}\n`, { mode: 0o600 })
      writeFileSync(files[1], await pdfOf(recordPage(held), { large: large === true, at }), { mode: 0o600 })
      const marked = held.resources.filter(({ marks }) => marks.length).length
      return {
        json: { files, entries: held.resources.length, marked },
        text: `${files.join('\n')}\n${marked} of ${held.resources.length} entries are marked: look through them before anything is given.\n`,
      }
    })
  },
}
