/**
 * GET /demo/summary: where everybody stands, as data (CONTRACT.md 8).
 */
import type { Phase } from '../domain/lifecycle.ts'
import type { OwedState } from '../store/owed.ts'
import type { PersonView } from './person-view.ts'

export type Summary = {
  /** Instant. */
  clock: string
  /** `phase`: where the referral stands (`CodeSystem/referral-phase`), 'none' without one. */
  people: { name: string; phase: Phase | 'none'; handovers: { kind: string; partner: string; status: string; businessStatus?: string }[] }[]
  /** Messages by state; `withheld`: handovers that consent holds back, so that nothing is owed for them. */
  owed: { due: number; delivered: number; parked: number; withheld: number }
}

export function summaryOf(clock: Date, people: readonly PersonView[], owed: Readonly<Record<OwedState, number>>): Summary {
  return {
    clock: clock.toISOString(),
    people: people.map(({ name, phase, handovers }) => ({
      name,
      phase: phase ?? 'none',
      handovers: handovers.map(({ kindCode, partner, state }) => ({ kind: kindCode, partner, ...state })),
    })),
    owed: {
      due: owed.due + owed.sending,
      delivered: owed.delivered,
      parked: owed.parked,
      withheld: people.flatMap(({ handovers }) => handovers).filter(({ state }) => state.businessStatus === 'consent-blocked').length,
    },
  }
}
