/**
 * Where an agreement stands in its life (closed-loop.md C4), derived from what is on record and never stored.
 */
import type { Consent } from '@medplum/fhirtypes'
import { agreementOf } from './agreement.ts'
import { startOfDay, today } from './calendar.ts'
import { governing } from './governing.ts'
import { phaseOf } from './who-agreed.ts'

export type ConsentPhase =
  | 'explaining'
  | 'awaiting-decision'
  | 'refused'
  | 'not-yet'
  | 'agreed'
  | 'capacity-review'
  | 'superseded'
  | 'withdrawn'
  | 'expired'
  | 'episode-ended'
  | 'in-error'

/** How long before it ends the person is asked whether it is to go on (issue 4, closed-loop.md C4). */
export const renewalDays = 14

/**
 * @param consents all of the person's
 * @param ended the episode it was given for is over
 */
export function consentPhase(consent: Consent, consents: readonly Consent[], now: Date, ended: boolean): ConsentPhase {
  const { status } = consent
  if (status === 'entered-in-error') return 'in-error'
  if (status === 'draft') return 'explaining'
  if (status === 'proposed') return 'awaiting-decision'
  const agreement = agreementOf(consent)
  const latest = governing(consents)
  if (agreement.superseded || (latest && latest !== consent)) return 'superseded'
  if (status === 'rejected') return 'refused'
  if (status === 'inactive') return 'withdrawn'
  if (ended) return 'episode-ended'
  if (agreement.span && now.getTime() >= agreement.span.until) return 'expired'
  if (agreement.span && now.getTime() < agreement.span.from) return 'not-yet'
  return phaseOf(consent) === 'capacity-review' ? 'capacity-review' : 'agreed'
}

/** When to ask whether it is to go on, and the last London day it holds; undefined: it holds until somebody says otherwise. */
export function renewal(consent: Consent): { askFrom: string; lastDay: string } | undefined {
  const until = agreementOf(consent).span?.until
  if (until === undefined || !Number.isFinite(until)) return undefined
  const lastDay = today(new Date(until - 1))
  return { askFrom: startOfDay(lastDay, -renewalDays).instant, lastDay }
}
