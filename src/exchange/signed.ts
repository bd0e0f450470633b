/**
 * Whether a kind of partner may be told or may read, as far as a guardian's signature goes: asked at sending and at reading. Planning
 * asks for the whole situation (`consider.ts`).
 */
import { maySeeEarlier, nobodyAsks, whyUnsigned } from '../domain/sign-off.ts'
import type { Exchange } from './exchange.ts'

const signOffs = (exchange: Exchange) => exchange.signOffs?.() ?? nobodyAsks

/** Why nothing may be sent to this kind now, as a sentence; undefined when it may. */
export function unsignedNow(exchange: Exchange, kind: string): string | undefined {
  const mapping = exchange.adapters.get(kind)?.mapping
  return mapping && whyUnsigned(signOffs(exchange), mapping)
}

/** Signatures are asked for, and no version of this kind's mapping ever had one: nothing on its shelves was told under a signature. */
export const neverSigned = (exchange: Exchange, kind: string): boolean => !maySeeEarlier(signOffs(exchange), kind)
