/**
 * The many release dates of one person, and the one that counts.
 *
 * A sentence has several dates; each says when it was said and by whom. Which of them counts is our rule, after the prison system's own
 * (hmpps.md 6): a confirmed date, else the actual date of parole, home detention curfew or end of custody supervised licence, else the
 * later of the date of the sentence and the mid term date, else whatever the prison system gives as most likely.
 */

export type DateSource = 'service' | 'hmpps'

/** One date as somebody said it. Without `date`: they said that there is none any more. */
export type DateSaid = {
  /** 'CRD', 'ARD', 'HDCAD', ... (hmpps.md 6); 'confirmed'; 'likely': the prison system's own choice; 'stated': a person's word. */
  type: string
  date?: string
  confirmed?: boolean
  source: DateSource
  /** Instant. */
  saidAt: string
}

/** The date that counts, and why that one. */
export type Best = DateSaid & { date: string; because: string }

/** Dates that end custody, and not supervision, eligibility or a part of the sentence. */
const ofSentence = ['ARD', 'CRD', 'NPD', 'PRRD', 'DPRRD'] as const
const actual = ['APD', 'HDCAD', 'ECSL'] as const
/** The prison system's choice among those of the sentence. */
const chosen = 'nonDto'
const midTerm = 'MTD'

/** What of all the dates there are is worth keeping: the others end no custody. */
export const counts = (type: string): boolean =>
  type === 'confirmed' || type === 'likely' || type === chosen || type === midTerm || [...ofSentence, ...actual].includes(type as never)

/** @param said everything anybody said, in any order */
export function bestDate(said: readonly DateSaid[]): Best | undefined {
  const standing = [...latest(said).values()]
  const dated = (one: DateSaid): one is DateSaid & { date: string } => one.date !== undefined
  const ours = standing.find(({ source }) => source === 'service')
  const theirs = standing.filter((one) => one.source === 'hmpps' && counts(one.type)).filter(dated)
  const lastTheirs = standing
    .filter(({ source, type }) => source === 'hmpps' && counts(type))
    .map(({ saidAt }) => saidAt)
    .sort()
    .at(-1)
  // Whoever spoke last: somebody who was told on the phone knows more than a calculation of last month, and less than tomorrow's.
  if (ours && (!lastTheirs || ours.saidAt > lastTheirs || !theirs.length))
    return dated(ours) ? { ...ours, because: 'recorded by the service, later than anything the prison system said' } : undefined
  const of = (...types: readonly string[]) => theirs.filter(({ type }) => types.includes(type))
  const pick = (some: (DateSaid & { date: string })[], because: string): Best | undefined => {
    const one = some.sort((a, b) => (a.date === b.date ? compare(a.type, b.type) : compare(b.date, a.date)))[0]
    if (!one) return undefined
    // Which date was confirmed or chosen, where one of that day says so.
    const named = /^(confirmed|likely|nonDto)$/.test(one.type)
      ? of(...actual, ...ofSentence).find(({ date }) => date === one.date)
      : undefined
    return { ...one, ...(named ? { type: named.type } : {}), because }
  }
  return (
    pick(of('confirmed'), 'confirmed by the prison') ??
    pick(of(...actual), 'the actual date of parole, home detention curfew or end of custody supervised licence') ??
    pick(of(chosen).length ? of(chosen, midTerm) : of(...ofSentence, midTerm), 'the latest of the dates of the sentence') ??
    pick(of('likely'), 'what the prison system gives as most likely')
  )
}

/**
 * What stands of each type from each source. A date said again counts from when it was first said: looking it up once more does not make
 * it newer than what somebody recorded in between.
 */
function latest(said: readonly DateSaid[]): Map<string, DateSaid> {
  const standing = new Map<string, DateSaid>()
  const ordered = [...said].sort((a, b) => compare(a.saidAt, b.saidAt) || compare(String(a.date), String(b.date)))
  for (const one of ordered) {
    const key = `${one.source} ${one.source === 'service' ? 'stated' : one.type}`
    const before = standing.get(key)
    if (before && before.date === one.date && before.confirmed === one.confirmed && before.type === one.type) continue
    standing.set(key, one)
  }
  return standing
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
