/**
 * `audit verify`: whether the audit is as it was written, beside a running gateway; and the root to keep outside. `audit export`:
 * all of it as FHIR, for whoever keeps watch elsewhere.
 */
import { v7 as newId } from 'uuid'
import { allAuditEvents } from '../exchange/auditing.ts'
import { instantsOf } from '../fhir/search-parameters.ts'
import { recordAudit } from '../store/audit.ts'
import { type Finding, type Verdict, verifyAudit } from '../store/audit-verify.ts'
import { loadDirectory } from '../store/directory.ts'
import { publicUrlOf, withDatabase } from './store.ts'
import { Fault, type Verb } from './terminal.ts'

export const verify: Verb = {
  name: 'audit verify',
  usage: 'audit verify [--since BATCH] [--expect ROOT] [--root]',
  does: 'says whether the audit is as it was written, and which batch is not; --root: only the line to keep outside',
  takes: [0, 0],
  options: { since: { type: 'string' }, expect: { type: 'string' }, root: { type: 'boolean' } },
  run: async ({ values: { since, expect, root } }, terminal) => {
    if (since !== undefined && !/^[1-9]\d{0,14}$/.test(String(since))) throw new Fault('--since is the number of a batch.', 2)
    if (expect !== undefined && !/^[0-9a-f]{64}$/i.test(String(expect))) throw new Fault('--expect is a root: 64 hexadecimal digits.', 2)
    const verdict = await withDatabase(terminal, (database) =>
      verifyAudit(database, {
        ...(since === undefined ? {} : { since: Number(since) }),
        ...(expect === undefined ? {} : { expect: String(expect).toLowerCase() }),
      }),
    )
    const sound = verdict.found === 0
    return { json: { sound, ...verdict }, text: sound && root ? rootLine(verdict) : inWords(verdict), exit: sound ? 0 : 1 }
  },
}

export const exportAudit: Verb = {
  name: 'audit export',
  usage: 'audit export [--since INSTANT] [--patient PATIENT-ID]',
  does: 'writes the audit as FHIR AuditEvents, one a line (NDJSON), the oldest first; that it did is in the audit too',
  takes: [0, 0],
  options: { since: { type: 'string' }, patient: { type: 'string' } },
  run: async ({ values: { since, patient } }, terminal) => {
    const from = since === undefined ? undefined : instantsOf(String(since))?.from
    if (since !== undefined && from === undefined)
      throw new Fault('--since is a date or an instant: 2026-03-02 or 2026-03-02T09:00:00Z.', 2)
    const person = patient === undefined ? {} : { patient: String(patient).replace(/^Patient\//, '') }
    return withDatabase(terminal, async (database) => {
      const { directory } = await loadDirectory(database)
      const at = terminal.now().toISOString()
      await database.atomically([recordAudit([{ id: newId(), at, action: 'export', who: 'command line', ...person, entity: 'audit' }])])
      const around = { publicUrl: publicUrlOf(terminal), directory, adapters: terminal.adapters }
      for await (const event of allAuditEvents(database, around, { ...person, ...(from ? { since: from } : {}) }))
        terminal.write(`${JSON.stringify(event)}\n`)
      return { json: undefined, text: '' }
    })
  },
}

function inWords(verdict: Verdict): string {
  const { rows, batches, unsealed, findings, found, expected } = verdict
  const good = `${counted(rows, 'row')} in ${counted(batches, 'batch', 'batches')} ${rows === 1 ? 'is as it was' : 'are as they were'} written.\n`
  const later = unsealed > 0 ? `${counted(unsealed, 'row')} not sealed yet.\n` : ''
  const more = found > findings.length ? `... and ${found - findings.length} more.\n` : ''
  const kept = expected === undefined ? '' : `The expected root is that of batch ${expected}.\n`
  return `${findings.map(sentence).join('')}${more}${good}${later}${kept}${rootLine(verdict)}`
}

/** 'batch 3: changed, row 2041 (0198...)' */
const sentence = ({ batch, kind, seq, id, note }: Finding): string => {
  const row = seq === undefined ? '' : `, row ${seq}${id === undefined ? '' : ` (${id})`}`
  return `${batch === undefined ? '' : `batch ${batch}: `}${kind.replaceAll('-', ' ')}${row}${note === undefined ? '' : `, ${note}`}\n`
}

const rootLine = ({ latest, publicKey }: Verdict): string =>
  latest
    ? `root ${latest.root} batch ${latest.batch} sealed ${latest.sealedAt} public key ${publicKey ?? 'altered or gone'}\n`
    : 'Nothing is sealed yet.\n'

const counted = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`
