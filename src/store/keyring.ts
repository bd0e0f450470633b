/**
 * The keys that make a stolen database file useless: one for each holder, wrapped by the master key, and one for what is searched.
 *
 * A text is sealed with its holder's key (AES-256-GCM, a random IV each time) and bound to the place it stands in: it can not be
 * read without the master key, nor moved to another place with it. Destroying one wrapped key erases one person, and backups
 * too once those that hold the key have aged out.
 *
 * Sealed: version 1 | IV 12 bytes | ciphertext | tag 16 bytes. A wrapped key begins with the master key's four-byte name.
 */
import { createCipheriv, createDecipheriv, createHash, createSecretKey, hash, hkdfSync, type KeyObject, randomBytes } from 'node:crypto'
import { randomly } from './random.ts'

const version = 1
const ivBytes = 12
const tagBytes = 16
const nameBytes = 4
const keyBytes = 32

export type Keyring = {
  /** A fresh key for a holder, and how it is written down. */
  newKey(holder: string): { key: KeyObject; wrapped: Uint8Array }
  /** @throws KeyUnknown when none of our master keys wrapped it, Altered when it was changed or is another holder's */
  unwrap(holder: string, wrapped: Uint8Array): KeyObject
  /** The same key under the present master key; undefined when it is already. */
  rewrap(holder: string, wrapped: Uint8Array): Uint8Array | undefined
}

/** @param masterKeys 32 bytes each: the present one first, then those that older keys may still be wrapped by */
export function openKeyring(masterKeys: readonly Uint8Array[]): Keyring {
  const wrapping = masterKeys.map((master) => ({
    name: createHash('sha256').update('reconnect master key name').update(master).digest().subarray(0, nameBytes),
    key: createSecretKey(Buffer.from(hkdfSync('sha256', master, '', 'reconnect wrap', keyBytes))),
  }))
  const present = wrapping[0]
  if (!present) throw new Error('a keyring needs a master key')

  const isBy = (name: Buffer, wrapped: Uint8Array) => name.equals(wrapped.subarray(0, nameBytes))
  const wrap = (holder: string, bytes: Uint8Array): Uint8Array => Buffer.concat([present.name, seal(present.key, `key ${holder}`, bytes)])
  const open = (holder: string, wrapped: Uint8Array): Buffer => {
    const by = wrapping.find(({ name }) => isBy(name, wrapped))
    if (!by) throw new KeyUnknown()
    return unseal(by.key, `key ${holder}`, wrapped.subarray(nameBytes))
  }
  return {
    newKey(holder) {
      const bytes = randomBytes(keyBytes)
      return { key: createSecretKey(bytes), wrapped: wrap(holder, bytes) }
    },
    unwrap: (holder, wrapped) => createSecretKey(open(holder, wrapped)),
    rewrap: (holder, wrapped) => (isBy(present.name, wrapped) ? undefined : wrap(holder, open(holder, wrapped))),
  }
}

/** The database was written under a master key that is not among ours. */
export class KeyUnknown extends Error {
  override readonly name = 'KeyUnknown'
  constructor() {
    super('the database was sealed with another master key')
  }
}

/** What was sealed is not what is there: changed, moved here from another place, or under another key. */
export class Altered extends Error {
  override readonly name = 'Altered'
  constructor(place: string) {
    super(`what is kept at ${place} was altered or moved`)
  }
}

/** @param place what it is bound to: opening it anywhere else fails */
export function seal(key: KeyObject, place: string, content: string | Uint8Array): Uint8Array {
  const iv = nextIv()
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  cipher.setAAD(Buffer.from(place))
  const hidden = typeof content === 'string' ? cipher.update(content, 'utf8') : cipher.update(content)
  cipher.final()
  const sealed = Buffer.allocUnsafeSlow(1 + ivBytes + hidden.length + tagBytes)
  sealed[0] = version
  sealed.set(iv, 1)
  sealed.set(hidden, 1 + ivBytes)
  sealed.set(cipher.getAuthTag(), 1 + ivBytes + hidden.length)
  return sealed
}

/** @throws Altered */
export function unseal(key: KeyObject, place: string, sealed: Uint8Array): Buffer {
  const end = sealed.length - tagBytes
  if (sealed[0] !== version || end < 1 + ivBytes) throw new Altered(place)
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 1 + ivBytes), { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(place))
  decipher.setAuthTag(sealed.subarray(end))
  const content = decipher.update(sealed.subarray(1 + ivBytes, end))
  try {
    decipher.final()
  } catch {
    throw new Altered(place)
  }
  return content
}

const nextIv = randomly(ivBytes)

/**
 * Gives the hash of a text under a key, in hex: equal texts have equal hashes, and nothing else shows.
 *
 * SHA-256 over one block of key and then the text, cut to less than half: a keyed hash as good as HMAC when it is cut, at a
 * fifth of the time (Bellare, Bernstein, Tessaro: Hash-Function Based PRFs, AMAC, Eurocrypt 2016).
 *
 * @param bytes kept of each hash, at most 15
 */
export function keyedHash(key: KeyObject, bytes: number): (text: string) => string {
  const block = key.export().toString('hex')
  if (block.length !== 64) throw new Error('a key for hashes has 32 bytes: in hex one block of SHA-256')
  return (text) => hash('sha256', block + text).slice(0, 2 * bytes)
}
