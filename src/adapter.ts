/**
 * What a kind of partner is like: its mapping, when it is asked, how it answers. One folder in `adapters/` each.
 */
import type { Pace } from './domain/chase.ts'
import type { PartnerKind } from './domain/directory.ts'
import type { Outcome } from './domain/handover.ts'
import type { Mapping } from './mapping.ts'

export type Adapter = {
  kind: PartnerKind
  /** What people call this kind of partner: 'GP practice'. */
  name: string
  mapping: Mapping
  window: {
    /** Days before release from which the partner may be asked; it waits as a timer until then. */
    opensDays: number
    /** Days before release by which it should have been asked (ours, configurable: service-facts.md 6). */
    dueDays: number
    /** Working days it has to answer before somebody chases. */
    answerWithinWorkingDays: number
  }
  /** Where it is chased at another pace than others (domain/chase.ts). */
  chase?: Partial<Pace>
  /** The outcomes that close its loop. */
  closesWith: readonly Outcome[]
  /** Channels a partner of this kind may use. */
  channels: readonly string[]
}

export const defineAdapter = (adapter: Adapter): Adapter => adapter
