/**
 * Our words said to the person themselves: short, and without anything one has to look up.
 *
 * Written for a reading age of about nine to eleven; `test/units/plain.test.ts` measures it.
 */
import type { Category } from '../domain/categories.ts'
import type { ReasonCode } from '../domain/reasons.ts'

export const yours: Readonly<Record<Category, string>> = {
  identity: 'your name, date of birth and NHS number',
  contact: 'how to reach you',
  address: 'where you live',
  accommodation: 'your housing',
  worker: 'who your RECONNECT worker is',
  activity: 'what we asked them to do for you',
  release: 'when and where you are released',
  appointments: 'your appointments',
  adjustments: 'what helps you, such as large print or more time',
  practical: 'help with things like benefits, work and clothes',
  'physical-health': 'your physical health',
  allergies: 'your allergies',
  medication: 'your medicines',
  neurodiversity: 'how you learn and think',
  'mental-health': 'your mental health',
  'therapy-notes': 'notes from your therapy',
  'substance-misuse': 'your use of drugs or alcohol and help with it',
  'sexual-health': 'your sexual health and infections of the blood',
  abuse: 'harm that others did to you',
  'risk-to-self': 'times when you might hurt yourself',
  'risk-to-others': 'times when others might get hurt',
  safeguarding: 'what is done to keep you and others safe',
  offence: 'your offence, sentence and probation',
}

const notSure = 'We were not sure what you wanted. So we kept it back to be safe.'
const notAgreed = 'You have not said that we may tell them this.'
const notNow = 'What you agreed to does not cover this time.'
const cannotDecide = 'We have to find out first who can decide this with you.'

/** Why something was kept back. */
export const whyKept: Readonly<Record<ReasonCode, string>> = {
  agreed: 'They do not need it to help you.',
  override: 'They do not need it to help you.',
  'no-consent': 'You have not told us yet what we may share.',
  undecidable: notSure,
  refused: 'You said no.',
  withdrawn: 'You changed your mind, or what you agreed to has ended.',
  'open-ended': notSure,
  unclear: notSure,
  'authority-unclear': cannotDecide,
  'no-capacity': cannotDecide,
  'capacity-review': cannotDecide,
  'not-now': notNow,
  'not-named': notAgreed,
  'permit-unclear': notSure,
  'other-purpose': notAgreed,
  'other-action': notAgreed,
  'permit-not-now': notNow,
  'told-nothing': 'You asked us to tell them nothing.',
  excepted: 'You asked us to keep this from them.',
  'exception-unclear': notSure,
  'too-confidential': 'It is more private than what you agreed to.',
  'not-listed': notAgreed,
  'part-unclear': notSure,
  'other-time': notNow,
  unconfirmed: notAgreed,
  unlabelled: 'Nobody has checked yet what it is about. So we kept it back to be safe.',
}
