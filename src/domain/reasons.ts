/**
 * Why something may or may not be told: as data, in words a care navigator reads aloud to the person, and what would have to change.
 * The one place for these words: `$why`, work items, the audit, the command line and whatever is printed take them from here.
 */
import { daysOf } from './calendar.ts'
import { type Category, categories } from './categories.ts'

/** Why, as data. `at`: the FHIRPath of the provision of the governing consent that decided. */
export type Reason =
  | { code: 'agreed'; date?: string; at: string }
  | { code: 'override' }
  | { code: 'no-consent' | 'undecidable' | 'refused' | 'withdrawn' | 'open-ended' | 'not-now' | 'not-named' | 'unlabelled' }
  | { code: 'unconfirmed' }
  | { code: 'authority-unclear' | 'no-capacity' | 'capacity-review' }
  | { code: 'unclear'; part: Part }
  | { code: 'permit-unclear' | 'exception-unclear'; part: Part; at: string }
  | { code: 'other-purpose' | 'other-action' | 'permit-not-now' | 'told-nothing'; at: string }
  | { code: 'excepted' | 'too-confidential' | 'not-listed' | 'part-unclear' | 'other-time'; category: Category; at: string }
export type ReasonCode = Reason['code']

/** An answer with its reason, as data and in words. */
export type Decided = { permitted: boolean; because: string; reason: Reason }

export const decided = (reason: Reason): Decided => ({
  permitted: reason.code === 'agreed' || reason.code === 'override',
  because: reasonWords(reason),
  reason,
})

/** The part of a consent that can not be read with certainty. */
export type Part = keyof typeof parts

export const parts = {
  root: 'its first rule says more than how long it holds',
  depth: 'it has rules inside rules inside rules',
  modifier: 'it carries a condition this exchange does not know',
  period: 'the dates it holds for',
  capacity: 'whether the person could decide this',
  performer: 'who agreed',
  verification: 'it is marked as not verified',
  type: 'whether a rule allows or forbids',
  actor: 'who a rule is about',
  purpose: 'what a rule allows it for',
  action: 'what a rule allows to be done',
  label: 'a kind of information this exchange does not know',
  level: 'how confidential a rule goes',
  class: 'a kind of record this exchange does not know',
  code: 'a code that can not be followed',
  data: 'which records a rule means',
} as const

const sentences: Readonly<Record<ReasonCode, string>> = {
  agreed: 'the person agreed to it',
  override: 'it may be told without the person’s agreement for now, because of a recorded override',
  'no-consent': 'no agreement of the person to share anything is on record',
  undecidable: 'two agreements claim the same moment, so nothing says which of them counts',
  refused: 'the person said no to sharing',
  withdrawn: 'the person’s agreement was withdrawn or has ended',
  'open-ended': 'the agreement starts from “everything may be told” and not from “nothing”, which is not accepted',
  unclear: 'the agreement says something that can not be read with certainty',
  'authority-unclear': 'nothing shows that whoever agreed for the person had the authority to',
  'no-capacity': 'the agreement says that the person could not decide this, and nobody with authority decided for them',
  'capacity-review': 'the person’s capacity is being looked at again, so until a best-interests decision nothing new is told',
  'not-now': 'the agreement does not cover today',
  'not-named': 'the person has not agreed that this partner is told',
  'permit-unclear': 'what the person agreed to may mean this partner, and can not be read with certainty',
  'other-purpose': 'the person agreed that this partner is told, for another purpose',
  'other-action': 'the person agreed to something else for this partner than that it is told',
  'permit-not-now': 'what the person agreed to for this partner does not cover today',
  'told-nothing': 'the person said that this partner is told nothing',
  excepted: 'the person said that this partner is not told about',
  'exception-unclear': 'the agreement has an exception that can not be read with certainty, so it holds back everything',
  'too-confidential': 'it is more confidential than what the person agreed to for this partner:',
  'not-listed': 'it is not among what the person agreed that this partner is told:',
  'part-unclear': 'the person agreed that this partner is told a part of this, and nothing says that it is of that part:',
  'other-time': 'it is not of the time the person agreed to share:',
  unlabelled: 'it is not labelled, so nothing says whether it may be told',
  unconfirmed: 'two records were merged of which only one had an agreement, and the person has not said since that it holds for this too',
}

/** A reason as a sentence, without a capital and without a full stop. */
export function reasonWords(reason: Reason): string {
  const sentence = sentences[reason.code]
  if (reason.code === 'agreed' && reason.date) return `${sentence} (agreement of ${daysOf(reason.date)?.first ?? reason.date})`
  if ('category' in reason) return `${sentence} ${categories[reason.category].words}`
  return 'part' in reason ? `${sentence} (${parts[reason.part]})` : sentence
}

const remedies: Readonly<Record<ReasonCode, string>> = {
  agreed: 'The person can change or withdraw their agreement at any time.',
  override: 'It ends by itself, or when whoever reviews it says no.',
  'no-consent': 'Ask the person what they agree to, and record it.',
  undecidable: 'Ask the person which one they mean, and record it as a new agreement.',
  refused: 'Nothing, unless the person changes their mind.',
  withdrawn: 'Ask the person whether they want to agree again.',
  'open-ended': 'Record the agreement again, so that it says who may be told.',
  unclear: 'Ask the person what they meant, and record the agreement again in plain choices.',
  'authority-unclear': 'Record the authority, ask the person themselves, or make and record a best-interests decision.',
  'no-capacity': 'Somebody with authority decides, or a best-interests decision is made and recorded.',
  'capacity-review': 'Assess capacity for this decision; then ask the person, or record a best-interests decision.',
  'not-now': 'Ask the person whether they want to agree for longer.',
  'not-named': 'Ask the person whether this partner may be told, and record it.',
  'permit-unclear': 'Ask the person what they meant for this partner, and record the agreement again.',
  'other-purpose': 'Ask the person whether this partner may be told for this purpose too.',
  'other-action': 'Ask the person whether this partner may be told.',
  'permit-not-now': 'Ask the person whether this partner may be told now.',
  'told-nothing': 'Nothing, unless the person changes their mind.',
  excepted: 'Nothing, unless the person changes their mind.',
  'exception-unclear': 'Ask the person what they meant to keep back, and record the agreement again.',
  'too-confidential': 'Ask the person whether this partner may be told this too.',
  'not-listed': 'Ask the person whether this partner may be told this too.',
  'part-unclear': 'Ask the person whether this partner may be told all of it, and record it with the code that means all of it.',
  'other-time': 'Ask the person whether this partner may be told about that time too.',
  unlabelled: 'Say what kind of information it is: label it.',
  unconfirmed: 'Ask the person, and record what they say as a new agreement.',
}

/** What would have to change for the answer to be another: a sentence. */
export const remedyWords = ({ code }: Reason): string => remedies[code]

/** The same where the rules for a kind of partner keep it back, whatever was agreed. */
export const mappingRemedy =
  'The person’s agreement can not change this: only other rules for this kind of partner, signed, or an override.'
