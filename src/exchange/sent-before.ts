/**
 * A referral that its sender sends as new and has sent before, by the sender's own identifier: it is the same one, told again, as long as
 * that is open. Once it is over, it is a new one.
 */
import type { ServiceRequest } from '@medplum/fhirtypes'
import { parseSearch } from '../fhir/search.ts'
import { searchShelf } from '../store/search.ts'
import type { Exchange } from './exchange.ts'
import { situationOf } from './situation.ts'
import { isOpenReferral } from './supply.ts'
import { handoverId, referralId } from './task.ts'

/** Its id here, and the person's. */
export async function sentBefore(
  exchange: Exchange,
  shelf: string,
  { identifier = [], status }: ServiceRequest,
): Promise<{ id: string; patient: string } | undefined> {
  if (!/^(active|on-hold)$/.test(status)) return undefined
  for (const { system, value } of identifier) {
    if (!system || !value || system === handoverId || system === referralId) continue
    const named = new URLSearchParams({ identifier: `${escaped(system)}|${escaped(value)}`, _count: '200' })
    const { matches } = await searchShelf(exchange.database, shelf, parseSearch('ServiceRequest', named))
    for (const { id, patient } of matches) {
      const situation = patient ? await situationOf(exchange, patient) : undefined
      if (patient && situation && isOpenReferral(situation, id)) return { id, patient }
    }
  }
  return undefined
}

/** FHIR search: these separate. */
const escaped = (text: string): string => text.replace(/[\\,$|]/g, '\\$&')
