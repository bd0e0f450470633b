/**
 * Goes along the audit and its seals, computes both anew, and says what is not as it was written, and in which batch.
 *
 * A seal is believed when our key signed it and the next one names it. Its rows are compared only then: with a root that somebody
 * altered they could only be said to differ. Beside a running gateway: what is sealed does not change any more.
 */
import { beginning, hashOf, leafBytes, leafOf, rootOf, rowsBetween, type Seal, type SignedSeal, sealColumns } from './audit-seal.ts'
import { type Database, statement } from './database.ts'
import { Altered, KeyUnknown } from './keyring.ts'
import { checkerOf } from './signing.ts'

export type Finding = {
  /** Absent for what is about none: a root that no seal has. */
  batch?: number
  kind: 'changed' | 'removed' | 'added' | 'reordered' | 'seal-altered' | 'chain-broken' | 'signature-not-ours' | 'root-not-found'
  /** Number and id of the row, as far as they can be known. */
  seq?: number
  id?: string
  /** What there is to say beside the kind. */
  note?: string
}

export type Verdict = {
  /** Compared, and as they were written. */
  rows: number
  batches: number
  /** Written and not sealed yet: nothing can be said of them. */
  unsealed: number
  /** The first of them; `found` counts all. */
  findings: Finding[]
  found: number
  /** The latest seal's hash, in hex, its batch and when it was sealed. */
  latest?: { batch: number; root: string; sealedAt: string }
  /** In hex; undefined when there is none yet, or it was altered. */
  publicKey: string | undefined
  /** The batch whose seal has the expected root. */
  expected?: number
}

/** Findings kept. */
const mostFindings = 1_000
/** More rows of a batch than it had: looked at so far. */
const mostAdded = 1_000
const sealsAtOnce = 100
const start = Number.MIN_SAFE_INTEGER

/**
 * @param options.since rows of this batch and later are compared; the chain of seals always from its beginning
 * @param options.expect a root in hex that was kept outside
 */
export async function verifyAudit(database: Database, options: { since?: number; expect?: string } = {}): Promise<Verdict> {
  const { since = 1, expect } = options
  const publicKey = await ourKey(database)
  const isOurs = publicKey ? await checkerOf(publicKey) : async () => false
  const verdict: Verdict = { rows: 0, batches: 0, unsealed: 0, findings: [], found: 0, publicKey: publicKey && hex(publicKey) }
  const told: Traced[] = []
  const tell = (...findings: readonly Traced[]) => {
    verdict.found += findings.length
    told.push(...findings.slice(0, Math.max(0, mostFindings - told.length)))
  }

  let before: (Seal & { hash: Buffer; sound: boolean }) | undefined
  for await (const seal of seals(database)) {
    const { batch } = seal
    const hash = hashOf(seal)
    const ours = publicKey !== undefined && seal.publicKey instanceof Uint8Array && hex(seal.publicKey) === hex(publicKey)
    const sound = ours && (await isOurs(hash, seal.signature))
    const next = batch === (before?.batch ?? 0) + 1
    if (!sound) tell({ batch, kind: ours ? 'seal-altered' : 'signature-not-ours' })
    if (!next) tell({ batch, kind: 'chain-broken', note: `the seal of batch ${batch - 1} is missing` })
    else if (sound && before?.sound !== false && hex(seal.previous) !== hex(before?.hash ?? beginning))
      tell({ batch, kind: 'chain-broken', note: 'it names another seal as the one before' })

    if (sound && batch >= since) {
      const follows = next && before?.sound !== false
      const findings = await compare(database, seal, !follows ? seal.firstSeq - 1 : (before?.lastSeq ?? start))
      if (follows && hasGap(seal, before)) findings.push({ batch, kind: 'removed', note: 'before it was sealed' })
      if (findings.length === 0) {
        verdict.rows += seal.count
        verdict.batches++
      }
      tell(...findings)
    }
    const root = hash.toString('hex')
    if (sound && root === expect) verdict.expected = batch
    verdict.latest = { batch, root, sealedAt: seal.sealedAt }
    before = { ...seal, hash, sound }
  }
  verdict.unsealed = await unsealedRows(database, before, (note) => tell({ batch: (before?.batch ?? 0) + 1, kind: 'removed', note }))
  if (expect !== undefined && verdict.expected === undefined) tell({ kind: 'root-not-found', note: 'no seal has the expected root' })
  verdict.findings = traced(told)
  return verdict
}

/** Without a key that opens, nothing there is ours. */
const ourKey = async (database: Database): Promise<Uint8Array | undefined> => {
  try {
    return await database.publicKey()
  } catch (error) {
    if (error instanceof Altered || error instanceof KeyUnknown) return undefined
    throw error
  }
}

async function* seals(database: Database): AsyncGenerator<SignedSeal> {
  for (let after = start; ; ) {
    const some = await database.query<SignedSeal>(
      statement(`select ${sealColumns} from audit_seal where batch > ? order by batch limit ?`, after, sealsAtOnce),
    )
    yield* some
    const last = some.at(-1)
    if (!last) return
    after = last.batch
  }
}

/** Rows are numbered without a gap, so one before or in a batch is a row that was removed before anybody sealed it. */
const hasGap = ({ firstSeq, lastSeq, count }: Seal, before: Seal | undefined): boolean =>
  firstSeq !== (before?.lastSeq ?? 0) + 1 || lastSeq - firstSeq + 1 !== count

async function unsealedRows(database: Database, last: Seal | undefined, gap: (note: string) => void): Promise<number> {
  const after = last?.lastSeq ?? start
  const [row] = await database.query<{ count: number; least: number | null; most: number | null }>(
    statement('select count(*) as count, min(seq) as least, max(seq) as most from audit where seq > ?', after),
  )
  const { count = 0, least, most } = row ?? {}
  if (least != null && most != null && (least !== (last?.lastSeq ?? 0) + 1 || most - least + 1 !== count)) gap('not sealed yet')
  return count
}

/** What a row was, or is now, by its hash: found in both, in two batches, it was moved. */
type Traced = Finding & { was?: string; is?: string }

/** @param after the last row of the batch before; what stands between it and this batch's last belongs to this batch */
async function compare(database: Database, seal: Seal, after: number): Promise<Traced[]> {
  const { batch, firstSeq, count } = seal
  const rows = await rowsBetween(database, after, seal.lastSeq, count + mostAdded)
  const hashes = rows.map(leafOf)
  if (rows.length === count && rootOf(hashes).equals(seal.root)) return []

  const written = hex(seal.leaves).match(new RegExp(`.{${2 * leafBytes}}`, 'g')) ?? []
  const placeOf = new Map(written.map((leaf, place) => [leaf, place]))
  const now = rows.map(({ seq, id }, n) => {
    const leaf = hex((hashes[n] as Buffer).subarray(0, leafBytes))
    return { seq, id: String(id), leaf, place: placeOf.get(leaf) }
  })
  const there = new Set(now.map(({ leaf }) => leaf))
  const missing = new Map(written.flatMap((leaf, place) => (there.has(leaf) ? [] : [[place, leaf] as const])))

  const kept = now.flatMap((row) => (row.place === undefined ? [] : [{ ...row, place: row.place }]))
  const inOrder = kept.map(({ place }) => place).sort((a, b) => a - b)
  const findings: Traced[] = kept
    .filter(({ place }, n) => place !== inOrder[n])
    .map(({ seq, id }) => ({ batch, kind: 'reordered' as const, seq, id }))
  for (const { seq, id, leaf, place } of now) {
    if (place !== undefined) continue
    const was = missing.get(seq - firstSeq)
    missing.delete(seq - firstSeq)
    findings.push(was === undefined ? { batch, kind: 'added', seq, id, is: leaf } : { batch, kind: 'changed', seq, id, is: leaf, was })
  }
  for (const [place, was] of missing) findings.push({ batch, kind: 'removed', seq: firstSeq + place, was })
  return findings.length > 0 ? findings : [{ batch, kind: 'changed' }]
}

/** The findings once all are known: what is gone from one batch and new in another was moved. */
function traced(told: readonly Traced[]): Finding[] {
  const gone = new Set(told.flatMap(({ was }) => was ?? []))
  const come = new Set(told.flatMap(({ is }) => is ?? []))
  return told.map(({ was, is, ...finding }) => {
    const moved = is === undefined ? was !== undefined && come.has(was) : gone.has(is)
    return moved ? { ...finding, kind: 'reordered' } : finding
  })
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
