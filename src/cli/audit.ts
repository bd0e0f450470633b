/**
 * `audit verify`: whether the audit is as it was written, beside a running gateway; and the root to keep outside.
 */
import { type Finding, type Verdict, verifyAudit } from '../store/audit-verify.ts'
import { withDatabase } from './store.ts'
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
