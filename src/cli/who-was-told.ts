/**
 * `who-was-told PATIENT`: who has seen a person's information, from the audit; as PDF, for the person.
 */
import { writeFileSync } from 'node:fs'
import { v7 as newId } from 'uuid'
import { accountOf } from '../exchange/account.ts'
import { toldAbout } from '../exchange/explain.ts'
import { accountPage } from '../pages/account.ts'
import { recordAudit } from '../store/audit.ts'
import { personOf } from '../store/people.ts'
import { exchangeOver, withDatabase } from './store.ts'
import { Fault, table, type Verb } from './terminal.ts'

export const whoWasTold: Verb = {
  name: 'who-was-told',
  usage: 'who-was-told PATIENT-ID [--pdf FILE [--large]]',
  does: 'says which partner was told what about a person, when, and on which basis; --pdf: in plain words for the person',
  takes: [1, 1],
  options: { pdf: { type: 'string' }, large: { type: 'boolean' } },
  run: async ({ positionals: [given = ''], values: { pdf, large } }, terminal) =>
    withDatabase(terminal, async (database) => {
      const id = given.replace(/^Patient\//, '')
      const person = await personOf(database, id)
      if (!person) throw new Fault('No person has this id.')
      const exchange = await exchangeOver(terminal, database)
      const at = exchange.now()
      const asked = { id: newId(), at: at.toISOString(), action: 'account', who: 'command line', service: person.service, patient: id }
      const detail = JSON.stringify({ purposeOfUse: 'PATRQT' })
      const account = pdf === undefined ? undefined : await accountOf(exchange, id)
      const told = await toldAbout(exchange, id)
      await database.atomically([recordAudit([{ ...asked, entity: `Patient/${id}`, detail }])])
      if (account) {
        const { pdfOf } = await import('../pages/pdf.ts')
        writeFileSync(String(pdf), await pdfOf(accountPage(account), { large: large === true, at }), { mode: 0o600 })
        return { json: { file: pdf }, text: `Written to ${pdf}.\n` }
      }
      const lines = told.map((one) => [one.at, one.name, one.how, one.basis ?? '', one.what.join('; ')])
      return { json: told, text: lines.length ? table(['when', 'who', 'how', 'basis', 'what'], lines) : 'Nobody was told anything.\n' }
    }),
}
