/**
 * The case as partners are told it: as it is, or, while only one of two merged records has an agreement, as far as that goes
 * (unconfirmed.ts). What is held back stays in the case, so that `$why` can say so and an override can list it.
 */
import type { Consent } from '@medplum/fhirtypes'
import { today } from '../domain/calendar.ts'
import type { Activity, Case, FactList, Source } from '../domain/case.ts'
import type { Decision } from '../domain/consent.ts'
import { read } from '../domain/read.ts'
import { decided } from '../domain/reasons.ts'
import { given } from '../domain/resources.ts'
import type { Wanted } from './consider.ts'
import type { Situation } from './situation.ts'
import { confirmedOf } from './unconfirmed.ts'

export type Telling = {
  /** As it is. */
  found: Case
  /** As partners are told it. */
  case: Case
  confirmed?: {
    /** What nobody may be told on an agreement. */
    holds: (source: Source) => boolean
    /** What a partner is asked for, in the words that were confirmed. */
    asked: (wanted: Wanted) => Wanted | undefined
  }
}
const lists: readonly FactList[] = ['needs', 'medications', 'allergies', 'flags', 'findings', 'meetings']

export function tellingOf(situation: Situation, found: Case, consents: readonly Consent[]): Telling {
  const resources = confirmedOf(situation, consents)
  if (!resources) return { found, case: found }
  const told = read(resources, situation.patient, today(situation.now)).case
  const plan = told?.plan?.id === found.plan?.id ? told?.plan : undefined
  const known = new Set(lists.flatMap((list) => (told?.[list] ?? []).map(({ ref }) => ref)))
  const held = new Set(lists.flatMap((list) => found[list].flatMap(({ ref }) => (known.has(ref) ? [] : [ref]))))
  const isAsked = (one: Activity) => found.plan?.activities.some((other) => isSame(one, other)) === true
  const asked = (wanted: Wanted) => {
    const same = plan?.activities.find((one) => isSame(one, wanted.activity))
    return same && { ...wanted, activity: same }
  }
  if (!told) return { found, case: found, confirmed: { holds: () => true, asked: () => undefined } }
  const { custody: _c, referral: _r, ...rest } = found
  return {
    found,
    case: {
      ...rest,
      person: told.person,
      personSource: told.personSource,
      ...given('custody', told.custody),
      ...given('referral', told.referral),
      ...given('plan', plan ? { ...plan, activities: plan.activities.filter(isAsked) } : found.plan),
    },
    confirmed: { holds: ({ ref }) => held.has(ref), asked },
  }
}

const isSame = (one: Activity, other: Activity): boolean =>
  one.key === other.key && JSON.stringify(one.performer) === JSON.stringify(other.performer)

/** As partners are told it, but for when and whether the person leaves custody. */
export function withReleaseOf(found: Case, told: Case): Case {
  if (!found.custody) return told
  const { releaseDate: _r, left: _l, returned: _b, where: _w, ...rest } = told.custody ?? found.custody
  const { releaseDate, left, returned, where } = found.custody
  const release = {
    ...given('releaseDate', releaseDate),
    ...given('left', left),
    ...given('returned', returned),
    ...given('where', where),
  }
  return { ...told, custody: { ...rest, ...release } }
}

/** What was not confirmed is told to nobody, except under an override that lists it. */
export const holdingBack = (decision: Decision, holds: (source: Source) => boolean): Decision => ({
  ...decision,
  permit(source) {
    if (!holds(source)) return decision.permit(source)
    const override = decision.overridden?.(source)
    return override ? { ...decided({ code: 'override' }), override } : decided({ code: 'unconfirmed' })
  },
})
