/**
 * Ed25519 (RFC 8032) from a seed of 32 bytes, with WebCrypto: the same on Node and in workerd.
 */
import type { Signer } from './database.ts'

const { subtle } = globalThis.crypto
/** PKCS #8 around a seed (RFC 8410, section 7). */
const beforeSeed = Buffer.from('302e020100300506032b657004220420', 'hex')
const bytesOf = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes)

/** @param seed 32 bytes; equal seeds sign alike */
export async function signerOf(seed: Uint8Array): Promise<Signer> {
  const key = await subtle.importKey('pkcs8', bytesOf(Buffer.concat([beforeSeed, seed])), 'Ed25519', true, ['sign'])
  const { x } = await subtle.exportKey('jwk', key)
  return {
    publicKey: Uint8Array.from(Buffer.from(x as string, 'base64url')),
    sign: async (bytes) => new Uint8Array(await subtle.sign('Ed25519', key, bytesOf(bytes))),
  }
}

/** Tells whether whoever has the key to `publicKey` (32 bytes) signed these bytes. */
export async function checkerOf(publicKey: Uint8Array): Promise<(bytes: Uint8Array, signature: Uint8Array) => Promise<boolean>> {
  const key = await subtle.importKey('raw', bytesOf(publicKey), 'Ed25519', false, ['verify'])
  return (bytes, signature) => subtle.verify('Ed25519', key, bytesOf(signature), bytesOf(bytes))
}
