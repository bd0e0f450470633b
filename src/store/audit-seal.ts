/**
 * Seals over the audit, so that tampering shows: a batch of rows, a Merkle root over them, the hash of the seal before, a signature.
 *
 * What is hashed of a row is what stands in the file, sealed details included: no person's key is needed to check it, and erasing
 * a person changes nothing. The tree is that of RFC 6962 (leaves behind 0x00, nodes behind 0x01). What signs is a random Ed25519
 * key wrapped by the master key as any other (holder 'audit seal'), not one derived from it: so one public key, kept outside, stays
 * right through every `keys rotate`, and whoever has the disk without the master key can not sign.
 *
 * Without seeing: a row written and removed again before it was sealed; and whoever has disk and master key can write a new past,
 * unless the latest root is kept outside (audit-verify.ts compares).
 */
import { hash } from 'node:crypto'
import { Conflict, type Database, statement } from './database.ts'

/** Rows in a batch. */
const mostRows = 1_000
/** In one call, so that a first run over an old database does not hold up a tick; the next goes on. */
const mostBatches = 50
/** Kept of each row's hash. */
export const leafBytes = 8

export type Seal = {
  batch: number
  firstSeq: number
  lastSeq: number
  count: number
  root: Uint8Array
  leaves: Uint8Array
  previous: Uint8Array
  sealedAt: string
  publicKey: Uint8Array
}
export type SignedSeal = Seal & { signature: Uint8Array }
/** A row as the file holds it. */
export type StoredRow = { seq: number; id: unknown } & Readonly<Record<string, unknown>>

export const rowColumns = [
  'id',
  'at',
  'action',
  'who',
  'service',
  'patient',
  'entity',
  'recipient',
  'request_id',
  'basis',
  'detail',
] as const
/** Came later: part of what is hashed where it is there, so that seals from before it still hold. */
const laterColumns = ['address'] as const
export const sealColumns = `batch, first_seq as firstSeq, last_seq as lastSeq, count, root, leaves, previous, sealed_at as sealedAt,
  public_key as publicKey, signature`
/** What the first seal names as the one before. */
export const beginning: Uint8Array = new Uint8Array(32)

/**
 * Seals what is written and not yet sealed, the oldest first. Nothing new: two short queries. Whoever is second leaves it to the first.
 *
 * @param now real or manual time, for `sealed_at`
 * @returns how many rows were sealed here, the latest seal's hash if any, and whether there are more to seal at once
 */
export async function sealAudit(
  database: Database,
  now: Date,
  atMost = mostRows,
): Promise<{ rows: number; batches: number; root?: string; more: boolean }> {
  const done: { rows: number; batches: number; root?: string; more: boolean } = { rows: 0, batches: 0, more: false }
  let last = await latestSeal(database)
  for (;;) {
    const rows = await rowsBetween(database, last?.lastSeq ?? Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, atMost)
    if (rows.length === 0) return done
    if (done.batches === mostBatches) return { ...done, more: true }
    const sealed = await sealOver(database, rows, last, now)
    try {
      await database.atomically([inserted(sealed)])
    } catch (error) {
      if (error instanceof Conflict) return done
      throw error
    }
    last = sealed
    done.rows += rows.length
    done.batches++
    done.root = hashOf(sealed).toString('hex')
  }
}

/** The newest seal, if there is any. */
const latestSeal = async (database: Database): Promise<SignedSeal | undefined> =>
  (await database.query<SignedSeal>(statement(`select ${sealColumns} from audit_seal order by batch desc limit 1`)))[0]

/** Rows after `after` up to `upTo`, in order. */
export const rowsBetween = (database: Database, after: number, upTo: number, limit: number): Promise<StoredRow[]> =>
  database.query<StoredRow>(
    statement(
      `select seq, ${[...rowColumns, ...laterColumns].join(', ')} from audit where seq > ? and seq <= ? order by seq limit ?`,
      after,
      upTo,
      limit,
    ),
  )

async function sealOver(database: Database, rows: readonly StoredRow[], before: Seal | undefined, now: Date): Promise<SignedSeal> {
  const { publicKey, sign } = await database.signer()
  const leaves = rows.map(leafOf)
  const seal: Seal = {
    batch: (before?.batch ?? 0) + 1,
    firstSeq: (rows[0] as StoredRow).seq,
    lastSeq: (rows.at(-1) as StoredRow).seq,
    count: rows.length,
    root: rootOf(leaves),
    leaves: Buffer.concat(leaves.map((leaf) => leaf.subarray(0, leafBytes))),
    previous: before ? hashOf(before) : beginning,
    sealedAt: now.toISOString(),
    publicKey,
  }
  return { ...seal, signature: await sign(hashOf(seal)) }
}

const inserted = ({ batch, firstSeq, lastSeq, count, root, leaves, previous, sealedAt, publicKey, signature }: SignedSeal) =>
  statement(
    `insert into audit_seal (batch, first_seq, last_seq, count, root, leaves, previous, sealed_at, public_key, signature)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ...[batch, firstSeq, lastSeq, count, root, leaves, previous, sealedAt, publicKey, signature],
  )

/** Where a row stands is not in it but in the tree, so that a row that was moved is known for what it is. */
export const leafOf = (row: StoredRow): Buffer =>
  sha256(
    Buffer.of(0),
    ...rowColumns.map((column) => coded(row[column])),
    ...laterColumns.flatMap((column) => (row[column] == null ? [] : [coded(row[column])])),
  )

/** Of all that a seal says; what its signature signs, the next one names and somebody outside keeps. */
export const hashOf = (seal: Seal): Buffer =>
  sha256(
    ...['reconnect audit seal 1', seal.batch, seal.firstSeq, seal.lastSeq, seal.count, seal.root, seal.leaves, seal.previous].map(coded),
    ...[seal.sealedAt, seal.publicKey].map(coded),
  )

/** Merkle root of at least one leaf. One that has no neighbour goes up as it is: the same tree as RFC 6962's. */
export function rootOf(leaves: readonly Buffer[]): Buffer {
  let level = leaves
  while (level.length > 1) {
    const above: Buffer[] = []
    for (let i = 0; i < level.length; i += 2) {
      const [left, right] = [level[i] as Buffer, level[i + 1]]
      above.push(right ? sha256(Buffer.of(1), left, right) : left)
    }
    level = above
  }
  const [root] = level
  if (!root) throw new Error('nothing has no root')
  return root
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return hash('sha256', Buffer.concat(parts), 'buffer')
}

/** Its kind, its length (four bytes) and itself: no two rows of values come to the same bytes. */
function coded(value: unknown): Buffer {
  if (value === null || value === undefined) return Buffer.of(0)
  const [kind, bytes] = value instanceof Uint8Array ? [2, value] : [typeof value === 'string' ? 1 : 3, Buffer.from(String(value))]
  const head = Buffer.alloc(5)
  head[0] = kind
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}
