/**
 * Which work items a person may close by saying so, and what becomes of the question. Everything else closes by itself when what it asks
 * for is recorded: nobody closes it by a note, so that nothing a release depends on can be waved away.
 */

/** `closed`: it is asked once, and not again. `left`: it is asked again when its words or what it is about have changed. */
export type Settling = 'closed' | 'left'

const settled = new Map<string, Settling>(
  Object.entries({
    'consent-in-error': 'closed',
    parked: 'closed',
    'out-of-area': 'closed',
    'enhanced-reconnect': 'closed',
    'enhanced-unavailable': 'closed',
    'handed-back': 'closed',
    'died-in-error': 'closed',
    'sender-stopped': 'closed',
    'sender-changed': 'closed',
    'held-elsewhere': 'closed',
    'hmpps-look-up': 'closed',
    'hmpps-hidden': 'closed',
    'hmpps-limited': 'closed',
    'hmpps-identity': 'closed',
    'hmpps-other-person': 'closed',
    'hmpps-recall': 'closed',
    'hmpps-risk': 'closed',
    'hmpps-absence': 'closed',
    'custody-code-unsure': 'closed',
    'custody-hospital-ended': 'closed',
    'custody-hospital': 'closed',
    'custody-at-large': 'closed',
    'custody-immigration': 'closed',
    unlabelled: 'left',
    died: 'left',
    'no-alternative': 'left',
  } as const),
)

/** Where the words of the item do not say it by themselves. */
const otherwise = new Map(
  Object.entries({
    'no-answer': 'Record what the partner says, as an answer to the handover.',
    'not-arrived': 'Send it again, or record what the partner says as an answer to the handover.',
    'consent-blocked': 'Record what the person agrees to, or take the activity out of the plan.',
    'release-date-unknown': 'Record the release date.',
    'case-incomplete': 'Record what is missing.',
    'nothing-planned': 'Make a plan with the person, or end the support.',
    replace: 'Name another partner in the plan, or stop this activity there and say why.',
    duplicate: 'Say $merge or $not-same.',
    'partner-late': 'See `owed` and `lanes`: it goes when the partner has its messages.',
    'retention-review': 'See `retention due`, and decide for each record.',
  }),
)

export const settlingOf = (reason: string): Settling | undefined => settled.get(reason)

/**
 * Why nobody closes it by a note, and what would.
 *
 * @param words of the item
 */
export const whyNot = (reason: string, words: string): string =>
  `“${reason}” is not closed by a note: it goes by itself when what it asks for is so. ${otherwise.get(reason) ?? words}`

/** Somebody decided to leave it as it is: what stood there then, and when. */
export type Left = { words: string; at: string }

/** @param changedAt when what it is about was last written, where it is about one thing */
export const isLeft = (left: Left | undefined, reason: string, words: string, changedAt: string | undefined): boolean =>
  left !== undefined && settlingOf(reason) === 'left' && left.words === words && !(changedAt !== undefined && changedAt > left.at)
