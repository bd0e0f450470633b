/**
 * What becomes of the referral itself by what happened: suspended when the person is back in custody, going on when there is a new release
 * date, over when they have died or somebody else has taken them on (closed-loop.md C1 rows 13 to 16 and 19). The status follows from
 * the facts each time they are looked at.
 */
import type { ServiceRequest } from '@medplum/fhirtypes'
import { isSuspended } from '../domain/returned.ts'
import { BASE } from '../fhir/systems.ts'
import type { Change } from './change.ts'
import { consider, type Understanding } from './consider.ts'
import { serviceShelf } from './situation.ts'
import { takenOver } from './taken-over.ts'

/** Where a referral stands that is not simply open: a phase of closed-loop.md C1. */
export const referralPhase = `${BASE}/StructureDefinition/referral-phase`
const ended = /^(completed|revoked|entered-in-error)$/

/** Gives what is known once the referral stands as it should. */
export function settleReferral(change: Change, known: Understanding): Understanding {
  const { situation } = change
  const found = known.case
  const stored = found?.referral && (situation.record.get(`ServiceRequest/${found.referral.id}`)?.body as ServiceRequest | undefined)
  if (!found || !stored) return known
  const was = phaseIn(stored)
  const phase = found.person.died ? 'died' : (takenOver(situation) ?? (isSuspended(found.custody) ? 'suspended' : undefined))
  if (!phase && was !== 'suspended') return known
  if (phase === was || (ended.test(stored.status) && (!phase || phase === 'suspended'))) return known
  const status = !phase ? 'active' : phase === 'suspended' ? 'on-hold' : ended.test(stored.status) ? stored.status : 'completed'
  const others = (stored.extension ?? []).filter(({ url }) => url !== referralPhase)
  const extension = [...others, ...(phase ? [{ url: referralPhase, valueCode: phase }] : [])]
  const { extension: _was, ...rest } = stored
  change.put(serviceShelf(situation.service.id), { ...rest, ...(extension.length ? { extension } : {}), status })
  change.audit({
    action: 'phase',
    entity: `ServiceRequest/${stored.id}`,
    detail: JSON.stringify({ from: was ?? stored.status, to: phase ?? 'active' }),
  })
  return consider(situation)
}

export const phaseIn = ({ extension }: ServiceRequest): string | undefined => extension?.find(({ url }) => url === referralPhase)?.valueCode

/** One question for everything that is on hold. */
export function askAboutReturn(change: Change, { case: found }: Understanding): void {
  if (!isSuspended(found?.custody) || found?.referral?.status !== 'on-hold') return
  change.ask({
    about: `suspended:${change.situation.patient}`,
    reason: 'suspended',
    words:
      'The person is back in custody. Everything that was open is on hold, and partners know. Record the new release date as soon as there is one.',
  })
}

/**
 * After a death nothing is waited for and nobody is phoned: one thing is left to do.
 *
 * @returns a change that leaves all other timers and questions unsaid
 */
export const quietly = (change: Change): Change => ({ ...change, wait: () => undefined, ask: () => undefined })

export function askAboutDeath(change: Change): void {
  change.ask({
    about: `died:${change.situation.patient}`,
    reason: 'died',
    words:
      'The person is recorded as having died. Everything was stopped, and partners were told to stop. Do not phone the person or their family from an old list. If the record is wrong, correct it: nothing begins again by itself.',
  })
}
