/**
 * What a timer of the exchange is there for, in words: whoever turns the clock to it knows what to look at.
 */
import type { Database } from '../store/database.ts'
import { timersDue } from '../store/timers.ts'

const words: Readonly<Record<string, (name: string) => string>> = {
  window: (name) => `A partner may now be asked to help ${name}`,
  due: (name) => `A partner should have been asked about ${name} by now`,
  answer: (name) => `The time a partner has to answer about ${name} is over`,
  chase: (name) => `A partner that was reminded about ${name} has had its time`,
  outcome: (name) => `Nobody has said for a while how it goes on with ${name}`,
  'check-21': (name) => `Three weeks after release: is ${name} being treated?`,
  release: (name) => `${name}’s release day`,
  'release-day': (name) => `${name}’s release day`,
  contacts: (name) => `${name} should be offered two meetings before release`,
  'review-due': (name) => `Time to see how ${name} is`,
  'plan-end': (name) => `The six months of support for ${name} are nearly over`,
  'plan-over': (name) => `The six months of support for ${name} are over`,
  'consent-renewal': (name) => `${name}’s agreement ends soon`,
  consent: (name) => `${name}’s agreement ends`,
}

/** @param about 'window:{task}', 'release:{referral}', ... */
export const timerWordsFor = (about: string, name: string): string =>
  words[about.split(':')[0] as string]?.(name) ?? `The exchange looks at ${name} again`

/**
 * The next of them that is about somebody on the page; the other service's wait as well, but nobody sees it.
 *
 * @param nameOf 'Leah Okafor', by logical id
 */
export async function timerMoment(database: Database, nameOf: (patient: string) => string | undefined) {
  const named = (await timersDue(database, endOfTime, 500)).flatMap((one) => {
    const name = nameOf(one.patient)
    return name ? [{ ...one, words: timerWordsFor(one.about, name) }] : []
  })
  const [first] = named
  if (!first) return undefined
  const people = new Set(named.filter(({ dueAt }) => dueAt === first.dueAt).map(({ patient }) => patient))
  return { at: first.dueAt, words: people.size > 1 ? `${first.words}, and ${people.size - 1} more` : first.words }
}

const endOfTime = '9999'
