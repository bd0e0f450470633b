/**
 * Keys for each purpose, derived from the one master key (HKDF-SHA256, RFC 5869): none of them tells anything about another.
 */
import { hkdfSync } from 'node:crypto'

/**
 * @param masterKey 32 bytes
 * @param purpose what the key is for; another word is another key
 * @returns 32 bytes, the same every time
 */
export const keyFor = (masterKey: Uint8Array, purpose: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', masterKey, new Uint8Array(0), `reconnect-exchange ${purpose}`, 32))
