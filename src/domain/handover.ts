/**
 * The states a handover goes through and who may move it: the table of domain/closed-loop.md C2, row by row.
 *
 * A state is two words: the FHIR `Task.status`, and ours in `Task.businessStatus` (`BASE/CodeSystem/handover-status`). Accepted
 * never closes the loop: only an outcome does.
 */

import { type BusinessStatus, type HandoverStatus, isBookkeeping, stateWords, statusWords } from './handover-words.ts'

/** What closes a loop: registered with a practice, engaged with a team, supported by another agency. */
export type Outcome = 'registered' | 'engaged' | 'supported'
export const outcomes = ['registered', 'engaged', 'supported'] as const satisfies readonly Outcome[]

export type Actor = 'recipient' | 'navigator' | 'gateway' | 'supervisor'
export type HandoverState = { status: HandoverStatus; businessStatus?: BusinessStatus }

export type Move = {
  /** The row of the table. */
  row: string
  /** What happened, for people. */
  event: string
  by: readonly Actor[]
  from: readonly HandoverStatus[]
  /** Only from these business states. Absent: from any but `cancellation-requested`, which only its own rows leave. */
  when?: readonly (BusinessStatus | undefined)[] | 'any'
  /** Absent: the status stays as it is. */
  to?: HandoverStatus
  /** What it may be called, the usual first. 'outcome': one of those that close this partner's loop, always said. */
  as: readonly BusinessStatus[] | 'outcome'
  /** A person who makes this move says why, in a code or in words. */
  reason?: 'recipient' | 'everybody' | 'navigator'
}

const asked: readonly HandoverStatus[] = ['requested', 'received']
const underWay: readonly HandoverStatus[] = ['accepted', 'in-progress']
const open: readonly HandoverStatus[] = ['draft', ...asked, ...underWay, 'on-hold']
const cancelling = { when: ['cancellation-requested'], from: ['received', ...underWay, 'on-hold'] } as const

export const moves: readonly Move[] = [
  { row: '2', event: 'sent', by: ['navigator', 'gateway'], from: ['draft'], to: 'requested', as: ['queued'] },
  { row: '2b', event: 'held back by consent', by: ['gateway'], from: ['draft'], as: ['consent-blocked'] },
  { row: '3', event: 'delivered', by: ['gateway'], from: ['requested'], as: ['delivered'] },
  { row: '4', event: 'opened', by: ['recipient', 'gateway'], from: ['requested'], to: 'received', as: ['acknowledged'] },
  { row: '5', event: 'accepted', by: ['recipient'], from: asked, to: 'accepted', as: ['accepted'] },
  { row: '6', event: 'rejected', by: ['recipient'], from: [...asked, ...underWay], to: 'rejected', as: ['rejected'], reason: 'recipient' },
  { row: '7', event: 'started', by: ['recipient'], from: ['accepted'], to: 'in-progress', as: ['in-progress'] },
  { row: '8', event: 'an appointment is booked', by: ['recipient'], from: underWay, to: 'in-progress', as: ['appointment-booked'] },
  {
    row: '9',
    event: 'an appointment was kept, missed or cancelled',
    by: ['recipient', 'navigator'],
    from: ['in-progress'],
    to: 'in-progress',
    as: ['attended', 'did-not-attend', 'appointment-cancelled'],
  },
  {
    row: '10',
    event: 'information is needed',
    by: ['recipient'],
    from: ['in-progress'],
    to: 'on-hold',
    as: ['awaiting-information'],
    reason: 'recipient',
  },
  {
    row: '11',
    event: 'information was given',
    by: ['recipient', 'navigator'],
    from: ['on-hold'],
    when: ['awaiting-information', undefined],
    to: 'in-progress',
    as: ['in-progress'],
  },
  {
    row: '12',
    event: 'an outcome',
    by: ['recipient', 'navigator'],
    from: ['in-progress'],
    to: 'completed',
    as: 'outcome',
    reason: 'navigator',
  },
  {
    row: '13',
    event: 'it can not be done',
    by: ['recipient'],
    from: ['in-progress'],
    to: 'failed',
    as: ['not-engaged', 'no-contact'],
    reason: 'recipient',
  },
  {
    row: '14',
    event: 'taken back before it was opened',
    by: ['navigator', 'gateway'],
    from: ['draft', 'requested'],
    to: 'cancelled',
    as: ['recalled-message'],
    reason: 'everybody',
  },
  // On hold is ours: an agreement can be withdrawn while a partner waits for information or the person is back in custody.
  {
    row: '15',
    event: 'asked to stop',
    by: ['navigator', 'gateway'],
    from: ['received', ...underWay, 'on-hold'],
    as: ['cancellation-requested'],
    reason: 'everybody',
  },
  { row: '16', event: 'stopped as asked', by: ['recipient'], ...cancelling, to: 'cancelled', as: ['cancelled'] },
  { row: '17', event: 'an outcome in spite of being asked to stop', by: ['recipient'], ...cancelling, to: 'completed', as: 'outcome' },
  {
    row: '18',
    event: 'no answer to being asked to stop',
    by: ['supervisor'],
    ...cancelling,
    to: 'cancelled',
    as: ['cancelled-unconfirmed'],
  },
  { row: '19', event: 'the person is back in custody', by: ['gateway'], from: open, to: 'on-hold', as: ['suspended-custody'] },
  // Ours: the table says how a handover is suspended and not how it goes on (C1 row 15 does, for the referral). It goes on as it stood (hold.ts).
  ...(
    [
      ['19b', 'requested', ['queued']],
      ['19c', 'received', ['acknowledged']],
      ['19d', 'accepted', ['accepted']],
      ['19e', 'in-progress', ['in-progress', 'appointment-booked', 'attended', 'did-not-attend', 'appointment-cancelled']],
      ['19f', 'on-hold', ['awaiting-information']],
    ] as const
  ).map(
    ([row, to, as]): Move => ({
      row,
      event: 'a new release date is known',
      by: ['gateway'],
      from: ['on-hold'],
      when: ['suspended-custody'],
      to,
      as,
    }),
  ),
  { row: '20', event: 'no answer', by: ['gateway'], from: asked, as: ['chasing', 'escalated'] },
  {
    row: '21',
    event: 'made in error',
    by: ['supervisor', 'navigator'],
    from: open,
    when: 'any',
    to: 'entered-in-error',
    as: [],
    reason: 'everybody',
  },
]

/** Where a handover begins (row 1). */
export const beginning = { status: 'draft', businessStatus: 'preparing' } as const satisfies HandoverState

/** Why a partner rejects, as a code (`BASE/CodeSystem/rejection-reason`). */
export const rejectionReasons = {
  'at-capacity': 'no capacity',
  'not-eligible': 'not eligible for this service',
  'wrong-recipient': 'sent to the wrong service',
  'out-of-area': 'lives outside the area served',
  'id-or-address-demanded': 'proof of identity or address was asked for',
  duplicate: 'already known or already asked',
  unsafe: 'can not be done safely',
  other: 'another reason',
} as const
export type RejectionReason = keyof typeof rejectionReasons

export type Wanted = {
  /** `Task.status` and our code as asked for; what is not among ours is refused. */
  status?: string
  businessStatus?: string
  reason?: { code?: string; text?: string }
}
export type Moved = { next: HandoverState } | { refused: string; allowed: HandoverState[] }

/**
 * Where a handover goes next, or why not and where it could.
 *
 * Only a status: the usual name of that move. The state it already has: no move, so saying it twice is saying it once. A business
 * status that is not changed counts as not said. A partner's answer that staff write down is the recipient's move.
 *
 * @returns refused in words the actor may read: a partner does not learn how often it was chased
 */
export function move(current: HandoverState, wanted: Wanted, actor: Actor, closesWith: readonly Outcome[]): Moved {
  const said = wanted.businessStatus === current.businessStatus ? undefined : wanted.businessStatus
  if (said === undefined && (wanted.status ?? current.status) === current.status) return { next: current }

  const possible = moves.filter((each) => each.by.includes(actor) && (leads(each, current) || speaksUp(each, actor, current)))
  const names = (each: Move) => (each.as === 'outcome' ? closesWith : each.as) as readonly string[]
  const target = (each: Move) => each.to ?? current.status
  const fitting = possible.filter(
    (each) =>
      (wanted.status === undefined || wanted.status === target(each)) &&
      (said === undefined ? wanted.status !== undefined : names(each).includes(said)),
  )
  const chosen = fitting.find((each) => leads(each, current)) ?? fitting[0]
  const allowed = possible.flatMap((each): HandoverState[] => {
    const status = target(each)
    return each.as.length ? (names(each) as BusinessStatus[]).map((businessStatus) => ({ status, businessStatus })) : [{ status }]
  })
  const completes = wanted.status === 'completed' && possible.some(({ as }) => as === 'outcome')
  if (completes && (!chosen || said === undefined)) {
    return { refused: `Completed needs an outcome as businessStatus: ${closesWith.join(', ')}.`, allowed }
  }
  if (!chosen) {
    const rest = isOpen(current.status) ? '' : ': it is closed for good'
    const from = actor === 'recipient' && isBookkeeping(current.businessStatus) ? statusWords[current.status] : stateWords(current)
    return { refused: `The handover can not be moved there from “${from}”${rest}.`, allowed }
  }
  if (needsReason(chosen, actor) && !hasReason(wanted)) {
    return { refused: `This needs a reason (statusReason), in a code or in words: ${chosen.event}.`, allowed }
  }
  const businessStatus = (said ?? names(chosen)[0]) as BusinessStatus | undefined
  return { next: { status: target(chosen), ...(businessStatus ? { businessStatus } : {}) } }
}

function leads({ from, when }: Move, { status, businessStatus }: HandoverState): boolean {
  if (!from.includes(status) || when === 'any') return from.includes(status)
  return when ? when.includes(businessStatus) : businessStatus !== 'cancellation-requested'
}

/** Ours: a partner that waits for information says what it could say once it has it (row 11), without saying first that it has. */
const speaksUp = (each: Move, actor: Actor, { status, businessStatus }: HandoverState): boolean =>
  actor === 'recipient' &&
  status === 'on-hold' &&
  businessStatus === 'awaiting-information' &&
  each.to !== 'on-hold' &&
  leads(each, { status: 'in-progress', businessStatus: 'in-progress' })

const needsReason = ({ reason }: Move, actor: Actor): boolean => reason === actor || (reason === 'everybody' && actor !== 'gateway')

const hasReason = ({ reason }: Wanted): boolean => Boolean(reason?.text?.trim() || reason?.code)

const terminal: ReadonlySet<string> = new Set(['completed', 'rejected', 'cancelled', 'failed', 'entered-in-error'])

/** Can it still move? A terminal state is never left. */
export const isOpen = (status: string): boolean => !terminal.has(status)

/** Is the loop closed? Only by an outcome that counts for this kind of partner. */
export const closesLoop = ({ status, businessStatus }: HandoverState, closesWith: readonly Outcome[]): boolean =>
  status === 'completed' && (closesWith as readonly (string | undefined)[]).includes(businessStatus)
