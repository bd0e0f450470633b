/**
 * A certificate and its private key, as PEM: do they belong together? On Node; asked at the start, so that nobody has to find it out from
 * connections that fail.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Certificate } from './outgoing.ts'

export function isPair({ cert, certKey }: Certificate): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(certKey))
  } catch {
    // Not PEM inside, or locked with a passphrase.
    return false
  }
}
