/**
 * A guardian's signature under a mapping: what exactly is signed, and how it is known to be theirs.
 *
 * Signed is a hash of everything the mapping says: every gap with its category and code tables, what is never told, the purpose, the
 * legal basis, the reasons, the fixed words. Change any of it and the signature is of something else. The key that signs is the
 * guardian's own and never here; the directory file names the keys that count.
 *
 * @see domain/consent.md A6 (Caldicott 1: justify the purpose)
 */
import { isEach, isGap, type Mapping } from '../mapping.ts'

/** Whose signature counts: named in the directory file. */
export type Signer = { name: string; role: string; publicKey: string; retired: boolean }
export type Signature = {
  kind: string
  version: number
  /** SHA-256 of `contentOf` the mapping, hex. */
  hash: string
  by: string
  role: string
  /** ISO instant. */
  at: string
  /** Ed25519, 32 bytes, base64. */
  publicKey: string
  /** Of `statementOf`, 64 bytes, base64. */
  signature: string
}

/** Is what a kind of partner is told signed, and what exactly would have to be? `required` false: nobody asks. */
export type SignOffs = { required: boolean; hashes: ReadonlyMap<string, string>; signatures: readonly Signature[] }

/** Why nothing new may be told to this kind of partner, as a sentence for staff; undefined when it may. */
export function whyUnsigned({ required, hashes, signatures }: SignOffs, { kind, version }: Mapping): string | undefined {
  const hash = hashes.get(kind)
  if (!required || signatures.some((one) => one.kind === kind && one.hash === hash)) return undefined
  return `nobody has signed what this kind of partner is told: mapping ${kind}, version ${version}, hash ${hash}`
}

/** What stands beside a message that was not sent because nobody has signed its mapping: it is owed again when somebody does. */
export const heldUnsigned = 'nobody has signed what this kind of partner is told'

/** What is on a shelf was told under a version that was signed then: it stays to be read as long as any version of its kind is signed. */
export const maySeeEarlier = ({ required, signatures }: SignOffs, kind: string): boolean =>
  !required || signatures.some((one) => one.kind === kind)

export const nobodyAsks: SignOffs = { required: false, hashes: new Map(), signatures: [] }

/** All a mapping says, as one text: the same for the same content, whatever the order it was written in. */
export const contentOf = (mapping: Mapping): string => JSON.stringify(plain(mapping))

function plain(node: unknown): unknown {
  if (isGap(node)) {
    const { path, category, must, link, steps } = node
    return { gap: path, category: category ?? null, must, link, steps: plain(steps) }
  }
  if (isEach(node)) {
    const { list, may, only, template } = node
    return { each: list, may: [...may].sort(), only: plain(only ?? null), template: plain(template) }
  }
  if (Array.isArray(node)) return node.map(plain)
  if (typeof node === 'function') throw new Error('a mapping is data: a function in it can not be signed')
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(
    Object.entries(node)
      .filter(([, value]) => value !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [key, plain(value)]),
  )
}

/** SHA-256, hex. */
export async function hashOf(content: string): Promise<string> {
  const digest = await globalThis.crypto.subtle.digest('SHA-256', new TextEncoder().encode(content))
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

export const hashesOf = async (mappings: Iterable<Mapping>): Promise<Map<string, string>> =>
  new Map(await Promise.all([...mappings].map(async (mapping) => [mapping.kind, await hashOf(contentOf(mapping))] as const)))

/** What a key signs: every word of a signature but the signature. */
export const statementOf = ({ kind, version, hash, by, role, at }: Omit<Signature, 'signature' | 'publicKey'>): Uint8Array =>
  new TextEncoder().encode(JSON.stringify(['reconnect mapping sign-off', kind, version, hash, by, role, at]))
