/**
 * Custody as a history: what somebody said happened, folded into where the person is, why, since when and until when.
 *
 * The order and the number of times things are said make no difference: they are put in the order in which they happened, and what was
 * said twice counts once. Nothing is believed beyond what its code says: a way out that no code explains is no release, no death and no
 * escape, and a person is asked.
 */
import { today } from './calendar.ts'
import type { CustodyBasis, Whereabouts } from './case.ts'
import { entering, type Leaving, leaving, reasonIn } from './movement-reasons.ts'
import { type Best, bestDate, type DateSaid } from './release-dates.ts'

/** Who says so; the later in this list, the more it counts at the same instant. */
export const sources = [
  'prisoner-search',
  'external-movements',
  'restricted-patients',
  'prison-offender-events',
  'external-api',
  'service',
] as const
export type CustodySource = (typeof sources)[number]

export type Said =
  /** Out of a prison or into one. `reason` as the event has it; `code` as the prison system does. */
  | { kind: 'movement'; way: 'in' | 'out'; reason: string; code?: string; prison?: string; underCare?: boolean }
  /** What was found when somebody looked. */
  | { kind: 'found'; inPrison: boolean; prison?: string; lastMovement?: string; received?: string }
  /** Typed dates; see release-dates.ts. */
  | { kind: 'dates'; dates: Omit<DateSaid, 'source' | 'saidAt'>[] }
  /** The legal ground alone changed. */
  | { kind: 'basis'; basis: CustodyBasis }
  | { kind: 'absence'; state: 'started' | 'completed' }
  | { kind: 'hospital'; state: 'added' | 'removed' }
  /** By hand: only what the service changed. `left`: null takes it back. */
  | { kind: 'stated'; prison?: string; place?: string; basis?: CustodyBasis; left?: string | null; where?: Whereabouts; since?: string }

/** `at`: the instant it happened, or was found or said. */
export type Assertion = { id: string; source: CustodySource; at: string; said: Said }

/** Something a person has to look at, by the assertion it comes from. */
export type Doubt = {
  assertion: string
  reason: 'code-unknown' | 'code-unsure' | 'left-unexplained' | 'basis-unknown' | 'hospital-ended'
  code?: string
}

export type CustodyState = {
  where?: Whereabouts
  /** Instant. */
  whereSince?: string
  /** Code of the establishment, and its name where somebody gave it. */
  prison?: string
  place?: string
  basis?: CustodyBasis
  /** Instant of the admission this stay began with. */
  since?: string
  /** London date on which the person left custody for good. */
  left?: string
  release?: Best
  dates: DateSaid[]
  /** Where the person was held, in order; without `until`: still there, or out for a while. */
  stays: { prison: string; from: string; until?: string }[]
  /** Temporary absences, in order; without `until`: not back yet. */
  absences: { from: string; until?: string }[]
  doubts: Doubt[]
  /** Something said at once waits until it is known not to be a slip; the instant from which it counts. */
  settlesAt?: string
}

const minuteMs = 60_000
/** The prison's cautious events come 45 to 55 minutes late and not at all when a movement was a slip (hmpps.md 4). */
const slipMs = 45 * minuteMs
const settleMs = 60 * minuteMs
/** Ours: so long after somebody was taken to hospital the API may still show them in prison. */
const catchesUpMs = 24 * 60 * minuteMs

/** @param now instant: what was said at once counts when nobody took it back for an hour */
export function custodyOf(assertions: readonly Assertion[], now: string): CustodyState {
  const all = inOrder(assertions)
  const { settled, settlesAt } = settle(all, now)
  const state: CustodyState = { dates: [], stays: [], absences: [], doubts: [], ...(settlesAt ? { settlesAt } : {}) }
  for (const one of settled) apply(state, one)
  // The dates of an earlier stay go on being shown to whoever looks: one before this stay began is none of it.
  const from = state.since ? today(new Date(state.since)) : ''
  const release = bestDate(state.dates.filter(({ date, source }) => source === 'service' || date === undefined || date >= from))
  return { ...state, ...(release ? { release } : {}) }
}

/** As they happened, each once. */
function inOrder(assertions: readonly Assertion[]): Assertion[] {
  const keyed = assertions.map((one) => ({ one, key: keyOf(one) }))
  keyed.sort((a, b) => compare(a.key, b.key) || compare(a.one.id, b.one.id))
  return keyed.filter(({ key }, n) => key !== keyed[n - 1]?.key).map(({ one }) => one)
}

const keyOf = ({ at, source, said }: Assertion): string =>
  `${at} ${sources.indexOf(source)} ${JSON.stringify(Object.entries(said).sort(([a], [b]) => compare(a, b)))}`

/** Movements said at once, without those that were a slip, and without those that may still turn out to be one. */
function settle(all: readonly Assertion[], now: string): { settled: Assertion[]; settlesAt?: string } {
  const dropped = new Set<Assertion>()
  const atOnce = all.filter(({ source, said }) => (source === 'prisoner-search' && said.kind === 'movement') || isGone(said))
  for (const [n, one] of atOnce.entries()) {
    const next = atOnce[n + 1]
    if (!dropped.has(one) && next && isSlip(one, next)) dropped.add(one).add(next)
  }
  // Whoever was found gone and found back within the hour never left.
  for (const one of atOnce)
    if (isGone(one.said) && all.some(({ said, at }) => said.kind === 'found' && said.inPrison && at > one.at && at <= settlesOf(one)))
      dropped.add(one)
  const waiting = atOnce.filter((one) => !dropped.has(one) && settlesOf(one) > now)
  const settlesAt = waiting.map(settlesOf).sort()[0]
  return { settled: all.filter((one) => !dropped.has(one) && !waiting.includes(one)), ...(settlesAt ? { settlesAt } : {}) }
}

/** Found out of prison for good, with nothing that says why. */
const isGone = (said: Said): boolean =>
  said.kind === 'found' && !said.inPrison && !(said.lastMovement && Object.hasOwn(found, said.lastMovement))

const settlesOf = ({ at }: Assertion): string => new Date(Date.parse(at) + settleMs).toISOString()

function isSlip(one: Assertion, next: Assertion): boolean {
  if (one.said.kind !== 'movement' || next.said.kind !== 'movement' || one.said.way === next.said.way) return false
  return one.said.prison === next.said.prison && Date.parse(next.at) - Date.parse(one.at) <= slipMs
}

/** Out of custody, whatever the reason: another admission begins another stay. */
const gone: ReadonlySet<Whereabouts | undefined> = new Set(['released', 'at-large', 'immigration', 'died', 'unexplained'])

function apply(state: CustodyState, one: Assertion): void {
  const { said, at } = one
  if (said.kind === 'movement' && said.way === 'out') goOut(state, one, said)
  else if (said.kind === 'movement') comeIn(state, one, said)
  else if (said.kind === 'found') find(state, one, said)
  else if (said.kind === 'stated') stateAs(state, at, said)
  else if (said.kind === 'dates') {
    const source = one.source === 'service' ? 'service' : 'hmpps'
    state.dates.push(...said.dates.map((date) => ({ ...date, source, saidAt: at }) as const))
  } else if (said.kind === 'basis') {
    if (!gone.has(state.where)) state.basis = said.basis
  } else if (said.kind === 'absence') {
    if (said.state === 'started' && !gone.has(state.where)) beAt(state, 'temporary-absence', at)
    if (said.state === 'completed' && state.where === 'temporary-absence') beAt(state, 'in-prison', at)
  } else {
    if (said.state === 'added' && state.where !== 'died') beAt(state, 'hospital', at)
    if (said.state === 'removed' && state.where === 'hospital') doubt(state, one, 'hospital-ended')
  }
}

/** Ways out that are no release, whatever their code. A temporary licence ends no stay and starts no clock (reconnect.md T5). */
const elsewhere: Readonly<Record<string, Whereabouts>> = {
  TEMPORARY_ABSENCE_RELEASE: 'temporary-absence',
  SENT_TO_COURT: 'court',
  TRANSFERRED: 'between-prisons',
  RELEASED_TO_HOSPITAL: 'hospital',
}
/** Where somebody is whom a code of a release took out. */
const wentTo = {
  release: 'released',
  hospital: 'hospital',
  death: 'died',
  escape: 'at-large',
  immigration: 'immigration',
} as const satisfies Record<Leaving, Whereabouts>

function goOut(state: CustodyState, one: Assertion, said: Extract<Said, { kind: 'movement' }>): void {
  const { at } = one
  if (said.prison && isPrison(said.prison) && !state.prison) hold(state, said.prison, at)
  const where = Object.hasOwn(elsewhere, said.reason) ? elsewhere[said.reason] : undefined
  if (where) {
    beAt(state, where, at)
    if (where === 'between-prisons') leave(state, at)
    return
  }
  const reason = said.reason === 'RELEASED' ? reasonIn(leaving, said.code) : undefined
  if (!reason || (reason.means === 'release' && said.underCare)) {
    // The cautious event knows more than the one said at once, which has no code.
    if (gone.has(state.where) && said.code === undefined) return
    beAt(state, 'unexplained', at)
    doubt(state, one, said.code && !reason ? 'code-unknown' : 'left-unexplained', said.code)
    return
  }
  // Said at once without a code, and explained now.
  state.doubts = state.doubts.filter(({ reason: why }) => why !== 'left-unexplained')
  beAt(state, wentTo[reason.means], at)
  if (reason.means === 'release') state.left = today(new Date(at))
  if (reason.means !== 'immigration') return
  state.basis = 'immigration-detention'
  state.dates = []
  delete state.prison
  delete state.place
}

const bases = { recall: 'recall', remand: 'remand', sentence: 'sentenced', immigration: 'immigration-detention' } as const

function comeIn(state: CustodyState, one: Assertion, said: Extract<Said, { kind: 'movement' }>): void {
  const { at } = one
  const wasOut = gone.has(state.where)
  // Whoever was at large comes back to the stay they left. What was worked out for it before no longer holds.
  const recaptured = state.where === 'at-large'
  const reason = reasonIn(entering, said.code)
  beAt(state, 'in-prison', at)
  delete state.left
  if (said.prison && isPrison(said.prison)) hold(state, said.prison, at)
  const isAdmission = /ADMISSION/.test(said.reason) && said.reason !== 'POST_MERGE_ADMISSION'
  if (recaptured) state.dates = []
  else if (isAdmission && (wasOut || !state.since)) begin(state, at, wasOut)
  state.doubts = state.doubts.filter(({ reason: why }) => why !== 'left-unexplained')
  if (!isAdmission) return
  const basis = reason && reason.means in bases ? bases[reason.means as keyof typeof bases] : undefined
  if (basis) state.basis = basis
  if (said.code && !reason) doubt(state, one, 'code-unknown', said.code)
  else if (reason?.unsure) doubt(state, one, 'code-unsure', said.code)
}

/** Another stay: the dates of the one before are over. */
function begin(state: CustodyState, at: string, again: boolean): void {
  state.since = at
  if (!again) return
  state.dates = []
  delete state.basis
}

/** The API's words for how somebody left who will be back. */
const found: Readonly<Record<string, Whereabouts>> = {
  'Temporary Absence': 'temporary-absence',
  Court: 'court',
  Transfers: 'between-prisons',
}

/** What the API shows has no reason code: a release may be a death, so it explains nothing by itself. */
function find(state: CustodyState, one: Assertion, said: Extract<Said, { kind: 'found' }>): void {
  const { at } = one
  if (said.inPrison) {
    if (isBehind(state, at, said.received)) return
    const recaptured = state.where === 'at-large'
    const again = gone.has(state.where)
    beAt(state, 'in-prison', at)
    delete state.left
    if (said.prison && isPrison(said.prison)) hold(state, said.prison, at)
    if (recaptured) state.dates = []
    else if (again) {
      begin(state, at, true)
      doubt(state, one, 'basis-unknown')
    }
    return
  }
  const where = said.lastMovement && Object.hasOwn(found, said.lastMovement) ? found[said.lastMovement] : undefined
  if (where) beAt(state, where, at)
  if (where || gone.has(state.where) || state.where === 'hospital') return
  beAt(state, 'unexplained', at)
  doubt(state, one, 'left-unexplained')
}

/** What the API shows may be older than what an event told of a way out: the day somebody was received tells, and a death is no mistake of its. */
function isBehind({ where, whereSince, left }: CustodyState, at: string, received: string | undefined): boolean {
  if (where === 'died') return true
  if (!whereSince || where === 'unexplained') return false
  if (where === 'hospital') return Date.parse(at) - Date.parse(whereSince) < catchesUpMs
  return gone.has(where) && received !== undefined && received <= (left ?? today(new Date(whereSince)))
}

function stateAs(state: CustodyState, at: string, said: Extract<Said, { kind: 'stated' }>): void {
  if (said.prison) hold(state, said.prison, at)
  if (said.place) state.place = said.place
  if (said.basis) state.basis = said.basis
  if (said.since) state.since = said.since
  if (said.left) {
    beAt(state, 'released', at)
    state.left = said.left
  }
  if (said.left === null) {
    delete state.left
    beAt(state, 'in-prison', at)
  }
  if (said.where) beAt(state, said.where, at)
  // Whoever says how it is has looked.
  state.doubts = []
}

function beAt(state: CustodyState, where: Whereabouts, at: string): void {
  if (where === 'temporary-absence' && state.where !== where) state.absences.push({ from: at })
  const open = state.absences.at(-1)
  if (where !== 'temporary-absence' && state.where === 'temporary-absence' && open && !open.until) open.until = at
  if (where !== 'released') delete state.left
  if (gone.has(where)) leave(state, at)
  if (state.where !== where) state.whereSince = at
  state.where = where
}

function hold(state: CustodyState, prison: string, at: string): void {
  const stay = state.stays.at(-1)
  if (stay?.prison === prison && !stay.until) return
  leave(state, at)
  if (state.prison !== prison) delete state.place
  state.prison = prison
  state.stays.push({ prison, from: at })
}

function leave({ stays }: CustodyState, at: string): void {
  const stay = stays.at(-1)
  if (stay && !stay.until) stay.until = at
}

/** OUT and TRN stand where a code would, and are none. */
const isPrison = (code: string): boolean => /^[A-Z0-9]{2,6}$/.test(code) && code !== 'OUT' && code !== 'TRN'

const doubt = (state: CustodyState, { id }: Assertion, reason: Doubt['reason'], code?: string): void => {
  state.doubts.push({ assertion: id, reason, ...(code ? { code } : {}) })
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
