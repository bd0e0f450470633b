/**
 * The directory as last applied: table `directory`, one JSON row for each thing in it. Secrets are kept as references.
 */
import type { Client, DirectoryFile, Staff } from '../access/directory-file.ts'
import { type Secrets, withSecrets } from '../access/secrets.ts'
import type { Directory, Partner, Service } from '../domain/directory.ts'
import { type Signature, type Signer, statementOf } from '../domain/sign-off.ts'
import { type Driver, type Plain, type StatementOf, statement } from './database.ts'
import { checkerOf } from './signing.ts'

/** How many things the file brought, changed, marked as retired for the first time, and took away (clients and staff only). */
export type Applied = { added: number; changed: number; retired: number; removed: number }

/**
 * Makes the stored directory what the file says, in one commit. The same file again changes nothing. Services and partners
 * that the file no longer names stay; clients and staff it no longer names may not come in any more.
 */
export async function applyDirectory(database: Driver, file: DirectoryFile, now: Date): Promise<Applied> {
  const stored = new Map((await rows(database)).map((row) => [keyOf(row), row]))
  const wanted = rowsOf(file)
  const named = new Set(wanted.map(keyOf))
  const whole = new Set([...(file.clients ? ['client'] : []), ...(file.staff ? ['staff'] : []), ...(file.signers ? ['signer'] : [])])
  const applied: Applied = { added: 0, changed: 0, retired: 0, removed: 0 }
  const writes: StatementOf<Plain>[] = []
  for (const row of wanted) {
    const before = stored.get(keyOf(row))
    if (before?.body === row.body) continue
    if (!before) applied.added++
    else if (row.kind === 'partner' && retires(before, row)) applied.retired++
    else applied.changed++
    writes.push(statement(put, row.kind, row.id, row.body, now.toISOString()))
  }
  for (const row of stored.values()) {
    if (!whole.has(row.kind) || named.has(keyOf(row))) continue
    applied.removed++
    writes.push(statement('delete from directory where kind = ? and id = ?', row.kind, row.id))
  }
  if (writes.length > 0) await database.atomically(writes)
  return applied
}

export type Loaded = {
  directory: Directory
  /** Who may ask for a token: without the retired, and without clients of retired partners. */
  clients: ReadonlyMap<string, Client>
  staff: readonly Staff[]
  signers: readonly Signer[]
  /** Signatures under mappings, by a key the directory names, and true. */
  signatures: readonly Signature[]
  /** Secrets that could not be found, as sentences; the partner's settings then lack them. */
  faults: readonly string[]
}

/** @param secrets where the references in channel settings lead; absent: they stay references */
export async function loadDirectory(database: Driver, secrets?: Secrets): Promise<Loaded> {
  const all = await rows(database)
  const of = <T>(kind: Kind) => all.filter((row) => row.kind === kind).map((row) => JSON.parse(row.body) as T)
  const faults: string[] = []
  const open = (partner: Partner): Partner => {
    if (!secrets || partner.retired) return partner
    const { name, ...settings } = partner.channel
    const found = withSecrets(settings, secrets, `${partner.id}.channel`)
    faults.push(...found.faults)
    return { ...partner, channel: { name, ...found.value } }
  }
  const signers = of<Signer>('signer')
  const services = new Map(of<Service>('service').map((one) => [one.id, one]))
  const partners = new Map(of<Partner>('partner').map((one) => [one.id, open(one)]))
  const welcome = (one: Client) =>
    !one.retired &&
    (one.partner === undefined || partners.get(one.partner)?.retired === false) &&
    (one.service === undefined || services.has(one.service))
  return {
    directory: { services, partners },
    clients: new Map(
      of<Client>('client')
        .filter(welcome)
        .map((one) => [one.id, one]),
    ),
    staff: of<Staff>('staff'),
    signers,
    signatures: await trueOnes(of<Signature>('signature'), signers),
    faults,
  }
}

/** Changes whenever the stored directory does: a gateway asks now and then whether somebody applied another file. */
export async function directoryState(database: Driver): Promise<string> {
  const [row] = await database.query<{ n: number; at: string | null }>(
    statement('select count(*) as n, max(applied_at) as at from directory'),
  )
  return `${row?.n} ${row?.at}`
}

/** A signature is no part of the file: `sign` writes it. */
type Kind = 'service' | 'partner' | 'client' | 'staff' | 'signer' | 'signature'
/** A row somebody typed in, one of a key that is not named any more, and one that says something else than was signed do not count. */
async function trueOnes(all: readonly Signature[], signers: readonly Signer[]): Promise<Signature[]> {
  const checked = await Promise.all(
    all.map(async (one) => {
      const named = signers.some(({ publicKey, name, role }) => publicKey === one.publicKey && name === one.by && role === one.role)
      if (!named) return []
      const check = await checkerOf(Buffer.from(one.publicKey, 'base64'))
      return (await check(statementOf(one), Buffer.from(one.signature, 'base64'))) ? [one] : []
    }),
  )
  return checked.flat()
}

/** Keeps a signature; a running gateway reads it within a second. */
export const keepSignature = (one: Signature, now: Date): StatementOf<Plain> =>
  statement(put, 'signature', `${one.hash} ${one.publicKey}`, JSON.stringify(one), now.toISOString())

type Row = { kind: Kind; id: string; body: string }

const put = `insert into directory (kind, id, body, applied_at) values (?, ?, ?, ?)
  on conflict (kind, id) do update set body = excluded.body, applied_at = excluded.applied_at`

const rows = (database: Driver) => database.query<Row>(statement('select kind, id, body from directory order by kind, id'))
const keyOf = ({ kind, id }: Row) => `${kind} ${id}`
const retires = (before: Row, after: Row) => !(JSON.parse(before.body) as Partner).retired && (JSON.parse(after.body) as Partner).retired

const rowsOf = (file: DirectoryFile): Row[] => [
  ...file.services.map((one): Row => ({ kind: 'service', id: one.id, body: canonical(one) })),
  ...file.partners.map((one): Row => ({ kind: 'partner', id: one.id, body: canonical(one) })),
  ...(file.clients ?? []).map((one): Row => ({ kind: 'client', id: one.id, body: canonical(one) })),
  ...(file.staff ?? []).map((one): Row => ({ kind: 'staff', id: one.email, body: canonical(one) })),
  ...(file.signers ?? []).map((one): Row => ({ kind: 'signer', id: one.publicKey, body: canonical(one) })),
]

/** JSON with its keys in order: another order in the file is no change. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
