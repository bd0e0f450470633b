/**
 * Whether a RECONNECT service can help: the answer to a referral. No wrong door: nobody is turned away because something is not
 * known, and whoever is, is told where to turn instead.
 *
 * @see domain/reconnect.md 3.1 (E1-E6), 3.2 (T1, T2, T5); domain/closed-loop.md C1
 */
import { ageOn, daysOf, windows } from './calendar.ts'
import type { Case, Coded } from './case.ts'
import type { Service } from './directory.ts'

export type Asked = {
  case: Case
  service: Service
  /** London calendar date. */
  today: string
  /** The day the referral came; what counts for the 28 days after release. Absent: today. */
  referredOn?: string
  /** The message carried an NHS number that could not be checked. */
  nhsNumberUntraced?: boolean
  /** `BASE/CodeSystem/referrer-type`. The person, family and friends may say why in their own words. */
  referrerType?: string
  /** Another RECONNECT service hands the person over: where they are held, and how long they have been out, is its matter. */
  transfer?: boolean
}

export type Triage = {
  outcome: 'accepted' | 'held' | 'needs-information' | 'redirected' | 'declined'
  reasons: { code: string; words: string }[]
  /** What the referrer is asked for. */
  asks: { code: AskCode | 'question'; words: string }[]
  /** Where to turn instead: always there when redirected or declined. */
  signpost?: string
  /** When held: the London date from which support may begin. */
  wakeOn?: string
}

/** The first rule that has an answer gives it. */
export function triage(asked: Asked): Triage {
  return (
    died(asked) ?? tooYoung(asked) ?? tooLate(asked) ?? elsewhere(asked) ?? needsInformation(asked) ?? tooEarly(asked) ?? accepted(asked)
  )
}

function died({ case: { person } }: Asked): Triage | undefined {
  if (!person.died) return undefined
  return turnedAway('declined', 'died', 'The person is recorded as having died.', 'If that is wrong, tell the RECONNECT service at once.')
}

/** E1: under 18 when referred and still under 18 when released. */
function tooYoung({ case: { person, custody }, today, referredOn = today }: Asked): Triage | undefined {
  const born = daysOf(person.birthDate)
  const release = releaseOf(custody)
  if (!born || born.first > referredOn || !release || ageOn(born.first, referredOn) >= 18 || ageOn(born.first, release) >= 18)
    return undefined
  const words = 'RECONNECT is for people who are 18 or over. The person is under 18 now and on release.'
  return turnedAway(
    'redirected',
    'under-18',
    words,
    'Please refer to the youth offending team and the children’s health service for the person’s home area.',
  )
}

/** T2: referred more than 28 days after release. */
function tooLate({ case: { custody }, today, referredOn = today, transfer }: Asked): Triage | undefined {
  const release = releaseOf(custody)
  if (transfer || !release || referredOn <= windows(release).referralCloses) return undefined
  const words = 'RECONNECT takes referrals up to 28 days after release. By the release date we have, it is more than 28 days ago.'
  const signpost =
    'Please help the person register with a GP practice, which can refer on, or call NHS 111. If the release date has changed or the person is back in custody, refer again with the new date.'
  return turnedAway('declined', 'released-too-long-ago', words, signpost)
}

/** E2: held somewhere another service covers. */
function elsewhere({ case: { custody }, service, transfer }: Asked): Triage | undefined {
  const code = custody?.establishment?.code
  if (transfer || !code || service.prisons.some((prison) => prison.toUpperCase() === code.toUpperCase())) return undefined
  const words = 'This RECONNECT service does not cover the establishment the person is in.'
  return turnedAway(
    'redirected',
    'out-of-area',
    words,
    'Please refer to the RECONNECT service that covers the establishment. Its healthcare team knows which one it is.',
  )
}

const turnedAway = (outcome: 'redirected' | 'declined', code: string, words: string, signpost: string): Triage => ({
  outcome,
  reasons: [{ code, words }],
  asks: [],
  signpost,
})

const askWords = {
  'birth-date': 'What is the person’s date of birth?',
  'nhs-number': 'The NHS number could not be checked. Please look at it again, or tell us that it is not known.',
  establishment: 'Which prison or immigration removal centre is the person in?',
  'release-date': 'When is the person expected to be released? If nobody can say, tell us why: for example, on remand.',
  need: 'Which health need does the person have? For example mental health, drugs or alcohol, medicines, a learning difficulty.',
} as const
export type AskCode = keyof typeof askWords

function needsInformation(asked: Asked): Triage | undefined {
  const { custody, person, referral, needs } = asked.case
  const codes: AskCode[] = []
  if (!ageKnown(asked)) codes.push('birth-date')
  if (asked.nhsNumberUntraced && !person.nhsNumber) codes.push('nhs-number')
  if (!custody?.establishment?.code) codes.push('establishment')
  if (!releaseOf(custody) && (!mayHaveNoDate(asked) || isMinor(asked))) codes.push('release-date')
  const said = [...(referral?.reasons ?? []), ...needs.map(({ code }) => code)]
  const ownWords = asked.referrerType === 'self' || asked.referrerType === 'friend-family'
  if (!said.some((reason) => isCoded(reason) || (ownWords && reason.text))) codes.push('need')
  if (codes.length === 0) return undefined
  return {
    outcome: 'needs-information',
    reasons: codes.map((code) => ({ code: `${code}-not-known`, words: `${unknownWords[code]}.` })),
    asks: codes.map((code) => ({ code, words: askWords[code] })),
  }
}

const unknownWords: Readonly<Record<AskCode, string>> = {
  'birth-date': 'The date of birth is not known',
  'nhs-number': 'The NHS number could not be checked',
  establishment: 'The establishment is not known',
  'release-date': 'The release date is not known',
  need: 'No health need is given in a code',
}

/** Is the date of birth good enough to tell who is 18? A year alone can be. */
function ageKnown({ case: { person, custody }, today, referredOn = today }: Asked): boolean {
  const born = daysOf(person.birthDate)
  if (!born || born.first > today) return false
  return born.first === born.last || ageOn(born.last, releaseOf(custody) ?? referredOn) >= 18
}

function isMinor({ case: { person }, today, referredOn = today }: Asked): boolean {
  const born = daysOf(person.birthDate)
  return born !== undefined && ageOn(born.first, referredOn) < 18
}

/** E5: on remand or in immigration detention nobody may know the date, and that is no reason to wait. */
const mayHaveNoDate = ({ case: { custody } }: Asked): boolean => custody?.basis === 'remand' || custody?.basis === 'immigration-detention'

const isCoded = ({ coding }: Coded): boolean => coding?.some(({ code }) => code) === true

/** T1: more than 84 days before release. Kept, and looked at again when the 84 days begin. */
function tooEarly({ case: { custody }, today }: Asked): Triage | undefined {
  const release = releaseOf(custody)
  const opens = release && windows(release).opens
  if (!opens || today >= opens) return undefined
  const words = 'Support begins up to 12 weeks before release. The referral is kept, and nothing more is needed until then.'
  return { outcome: 'held', reasons: [{ code: 'too-early', words }], asks: [], wakeOn: opens }
}

function accepted({ case: { custody, person }, referredOn, today }: Asked): Triage {
  const reasons = [{ code: 'eligible', words: 'The person can be supported by RECONNECT. A care navigator will meet them.' }]
  const born = daysOf(person.birthDate)
  if (!releaseOf(custody))
    reasons.push({ code: 'release-date-unknown', words: 'The release date is not known. Please tell us as soon as there is one.' })
  if (born && ageOn(born.last, referredOn ?? today) < 18)
    reasons.push({ code: 'adult-by-release', words: 'The person will be 18 by the day of release.' })
  if (/^ZZ99 ?(3GZ|1WZ|2WZ)$/i.test(person.address?.postalCode ?? '')) {
    reasons.push({
      code: 'outside-england',
      words: 'The person’s home seems to be outside England: a navigator checks which services are there.',
    })
  }
  return { outcome: 'accepted', reasons, asks: [] }
}

/** The day that counts: the day the person left, else the expected one. On temporary licence (T5) the final release, never a day out. */
function releaseOf(custody: Case['custody']): string | undefined {
  return custody?.basis === 'rotl' ? custody.releaseDate : (custody?.left ?? custody?.releaseDate)
}
