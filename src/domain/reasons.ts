/**
 * Why something may or may not be told: as data, and in words a care navigator and the person understand.
 */
import { daysOf } from './calendar.ts'
import { type Category, categories } from './categories.ts'

/** Why something may or may not be told, as data. */
export type Reason = { code: ReasonCode; category?: Category; date?: string | undefined }
export type ReasonCode = keyof typeof sentences

const sentences = {
  agreed: 'the person agreed to it',
  override: 'it may be told without the person’s agreement for now, because of a recorded override',
  'no-consent': 'no agreement of the person to share anything is on record',
  undecidable: 'two agreements claim the same moment, so nothing says which of them counts',
  refused: 'the person said no to sharing',
  withdrawn: 'the person’s agreement was withdrawn or has ended',
  'open-ended': 'the agreement starts from “everything may be told” and not from “nothing”, which is not accepted',
  unclear: 'the agreement says something that can not be read with certainty',
  'not-now': 'the agreement does not cover today',
  'not-named': 'the person has not agreed that this partner is told',
  'told-nothing': 'the person said that this partner is told nothing',
  excepted: 'the person said that this partner is not told about',
  'exception-unclear': 'the agreement has an exception that can not be read with certainty, so it holds back everything',
  'too-confidential': 'it is more confidential than what the person agreed to for this partner:',
  'not-listed': 'it is not among what the person agreed that this partner is told:',
  'other-time': 'it is not of the time the person agreed to share:',
  unlabelled: 'it is not labelled, so nothing says whether it may be told',
} as const

/** A reason as a sentence, without a capital and without a full stop. */
export function reasonWords({ code, category, date }: Reason): string {
  if (code === 'agreed' && date) return `${sentences.agreed} (agreement of ${daysOf(date)?.first ?? date})`
  return category ? `${sentences[code]} ${categories[category].words}` : sentences[code]
}
