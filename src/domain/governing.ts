/**
 * The consent that counts: the latest by when it was given, then by when it was recorded (domain/consent.md B2). It counts for
 * everything, also when it permits less than an older one, or nothing.
 */
import type { Consent } from '@medplum/fhirtypes'
import { type Agreement, agreementOf } from './agreement.ts'

/** Undefined where there is none, and also when two claim the same moment and nothing tells them apart. */
export function governing(consents: readonly Consent[]): Consent | undefined {
  for (const one of consents) {
    const agreement = agreementOf(one)
    if (agreement.counts && consents.every((other) => other === one || beats(agreement, agreementOf(other)))) return one
  }
  return undefined
}

/** Is there any that could count? Then two could, and nobody knows which. */
export const someCount = (consents: readonly Consent[]): boolean => consents.some((one) => agreementOf(one).counts)

const beats = (one: Agreement, other: Agreement): boolean => !other.counts || later(one, other)

function later(one: Agreement, other: Agreement): boolean {
  const [a, b] = [one.given, other.given]
  if (a.from >= b.until && a.until > b.from) return true
  if (b.from >= a.until && b.until > a.from) return false
  // Of the same moment: what was replaced is older than what replaced it, whenever it was marked so (closed-loop.md C4).
  if (a.from === b.from && a.until === b.until && one.superseded !== other.superseded) return other.superseded
  if (one.recorded === undefined || other.recorded === undefined) return false
  return one.recorded === other.recorded ? one.versionNumber > other.versionNumber : one.recorded > other.recorded
}
