/**
 * What is done with each kind of HMPPS event: a table, one row a kind. A kind that is not here is kept, acknowledged and shown
 * (`reconnect events`), and changes nothing.
 *
 * @see hmpps.md 4 (domain events), 7 (notifications of the External API), 9 (risk)
 */
import type { Said } from './custody.ts'

export type Json = Readonly<Record<string, unknown>>

export type PersonNumbers = { noms: string[]; crn: string[] }

/** What follows from an event, besides being kept. */
export type Follows = {
  /** Said about the person's custody. */
  says?: { source: 'prison-offender-events' | 'prisoner-search' | 'external-movements' | 'restricted-patients'; said: Said }
  /** Dates or places changed and are not in it. `also`: it says enough by itself, and more may have changed with it. */
  fetch?: 'needed' | 'also'
  /** Numbers that belong to one person. `removed`: no longer in use. `moved`: a stay went from one to the other, which may be two people. */
  identities?: { joined: PersonNumbers; removed?: string; moved?: true }
  /** Something a person has to look at, with the words for it. */
  ask?: { about: string; words: string }
}

/** @see hmpps.md 1 */
export const nomsShape = /^[A-Z]\d{4}[A-Z]{2}$/
export const crnShape = /^[A-Z]{1,2}\d{6}$/

type Rule = (info: Json, person: PersonNumbers) => Follows
const fetchIt: Rule = () => ({ fetch: 'needed' })

const movement =
  (way: 'in' | 'out', source: 'prison-offender-events' | 'prisoner-search'): Rule =>
  (info) => ({
    says: {
      source,
      said: {
        kind: 'movement',
        way,
        reason: textOf(info.reason) ?? 'UNKNOWN',
        ...(textOf(info.nomisMovementReasonCode) ? { code: textOf(info.nomisMovementReasonCode) as string } : {}),
        ...(textOf(info.prisonId) ? { prison: textOf(info.prisonId) as string } : {}),
        ...(info.currentPrisonStatus === 'UNDER_PRISON_CARE' ? { underCare: true } : {}),
      },
    },
    fetch: 'also',
  })

const absence =
  (state: 'started' | 'completed'): Rule =>
  () => ({ says: { source: 'external-movements', said: { kind: 'absence', state } } })

const hospital =
  (state: 'added' | 'removed'): Rule =>
  () => ({ says: { source: 'restricted-patients', said: { kind: 'hospital', state } } })

const number = (value: unknown, shape: RegExp): string[] =>
  typeof value === 'string' && shape.test(value.trim().toUpperCase()) ? [value.trim().toUpperCase()] : []

const lookAtRecall: Rule = () => ({
  fetch: 'also',
  ask: {
    about: 'recall',
    words: 'The prison system recorded or changed a recall. Find out whether the person is back in custody; nothing was changed by it.',
  },
})

/** What is done with each type; one that is not here is kept and acknowledged. */
const rules: Readonly<Record<string, Rule>> = {
  'prison-offender-events.prisoner.released': movement('out', 'prison-offender-events'),
  'prison-offender-events.prisoner.received': movement('in', 'prison-offender-events'),
  'prisoner-offender-search.prisoner.released': movement('out', 'prisoner-search'),
  'prisoner-offender-search.prisoner.received': movement('in', 'prisoner-search'),
  'prisoner-offender-search.prisoner.updated': ({ categoriesChanged }) =>
    Array.isArray(categoriesChanged) &&
    categoriesChanged.some((one) => ['SENTENCE', 'STATUS', 'LOCATION', 'RESTRICTED_PATIENT', 'IDENTIFIERS'].includes(one))
      ? { fetch: 'needed' }
      : {},
  'prisoner-offender-search.prisoner.convicted-status-changed': ({ convictedStatus }) => ({
    fetch: 'also',
    // Convicted is not sentenced: the dates that follow a sentence say so.
    ...(convictedStatus === 'Remand' ? { says: { source: 'prisoner-search', said: { kind: 'basis', basis: 'remand' } } } : {}),
  }),
  'prison-offender-events.prisoner.sentence-dates-changed': fetchIt,
  'calculate-release-dates.prisoner.changed': fetchIt,
  'prison-offender-events.prisoner.imprisonment-status-changed': fetchIt,
  'prison-offender-events.prisoner.fixed-term-recall.changed': lookAtRecall,
  'recall.inserted': lookAtRecall,
  'recall.updated': lookAtRecall,
  'recall.deleted': lookAtRecall,
  'restricted-patients.patient.added': hospital('added'),
  'restricted-patients.patient.removed': hospital('removed'),
  'person.temporary-absence.started': absence('started'),
  'person.temporary-absence.completed': absence('completed'),
  // Late is not at large: only a movement with its code says that.
  'person.temporary-absence.overdue': () => ({
    ask: {
      about: 'absence',
      words: 'The person is not back from a temporary absence when they should be. Phone the prison; nothing was changed by it.',
    },
  }),
  'restricted-patients.patient.supporting-prison-changed': fetchIt,
  'prison-offender-events.prisoner.booking.deleted': fetchIt,
  // The description of a merge has its two numbers the wrong way round: only the fields count.
  'prison-offender-events.prisoner.merged': ({ nomsNumber, removedNomsNumber }) =>
    joined(number(nomsNumber, nomsShape), number(removedNomsNumber, nomsShape)),
  'prison-offender-events.prisoner.booking.moved': ({ movedToNomsNumber, movedFromNomsNumber }) => ({
    identities: {
      joined: { noms: [...number(movedToNomsNumber, nomsShape), ...number(movedFromNomsNumber, nomsShape)], crn: [] },
      moved: true,
    },
    fetch: 'also',
    ask: {
      about: 'identity',
      words:
        'The prison system moved a stay in custody from one number to another. Find out whose it is, and correct the record if it is not this person’s.',
    },
  }),
  'probation-case.prison-identifier.added': (_, person) => ({ identities: { joined: person } }),
  'probation-case.prison-identifier.updated': (_, person) => ({ identities: { joined: person } }),
  'probation-case.merge.completed': ({ targetCRN, sourceCRN }) => {
    const [target, source] = [number(targetCRN, crnShape), number(sourceCRN, crnShape)]
    return { identities: { joined: { noms: [], crn: [...target, ...source] }, ...(source[0] ? { removed: source[0] } : {}) } }
  },
  'probation-case.unmerge.completed': ({ reactivatedCRN, unmergedCRN }) => ({
    identities: { joined: { noms: [], crn: [...number(unmergedCRN, crnShape), ...number(reactivatedCRN, crnShape)] }, moved: true },
    ask: {
      about: 'identity',
      words:
        'Probation took two of its records apart that it had held for one person. Compare the numbers on this record with the person, and correct them; see whether two records were merged here too.',
    },
  }),
  'probation-case.exclusion.updated': limits,
  'probation-case.restriction.updated': limits,
  'probation-case.registration.added': registration,
  'probation-case.registration.updated': registration,
}

/** HDC, PRRD and varied licences raise events that the External API does not notify of (hmpps.md 7). */
const licence = /^create-and-vary-a-licence\.[a-z-]+\.(activated|inactivated)$/
/** What follows from a domain event; undefined: we know nothing to do with it. */
export const ruleFor = (eventType: string): Rule | undefined =>
  licence.test(eventType) ? fetchIt : Object.hasOwn(rules, eventType) ? rules[eventType] : undefined

/** Probation limits who may look at the person, or no longer does; which, the look shows, where there is an API to ask. */
function limits(): Follows {
  return {
    fetch: 'also',
    ask: {
      about: 'limited',
      words: 'Probation changed who may look at this person’s record. Ask it who may, and check who may see the record here, too.',
    },
  }
}

function joined(to: string[], from: string[]): Follows {
  return { identities: { joined: { noms: [...to, ...from], crn: [] }, ...(from[0] ? { removed: from[0] } : {}) } }
}

/** Very high risk raises no notification of the External API, but a registration all the same (hmpps.md 7 and 9). */
function registration({ registerTypeCode }: Json): Follows {
  if (!['RHRH', 'RVRH', 'MAPP'].includes(String(registerTypeCode))) return {}
  return { ask: riskWords }
}

const mergedWords = {
  about: 'identity',
  words: 'The prison system merged this person’s number into another one. Look up which, and whether a second record exists here.',
}

const riskWords = {
  about: 'risk',
  words:
    'Probation registered or changed a risk that may call for Enhanced RECONNECT. Ask the person’s probation practitioner; nothing was changed by it.',
}

/** Notifications behind which a release date or a place may have changed (hmpps.md 7). */
const fetched: ReadonlySet<string> = new Set([
  'KEY_DATES_AND_ADJUSTMENTS_PRISONER_RELEASE',
  'PRISONER_BASE_LOCATION_CHANGED',
  'PERSON_SENTENCES_CHANGED',
  'PERSON_STATUS_CHANGED',
  'LICENCE_CONDITION_CHANGED',
  'PERSON_ACCESS_LIMITATIONS_CHANGED',
])
/** Notifications behind which a person may now be one for Enhanced RECONNECT. What the risk is, is not asked of the API. */
const risks: ReadonlySet<string> = new Set(['RISK_OF_SERIOUS_HARM_CHANGED', 'MAPPA_DETAIL_CHANGED', 'DYNAMIC_RISKS_CHANGED'])

/** What follows from a notification; undefined: we know nothing to do with it. */
export function notificationFollows(eventType: string): Follows | undefined {
  if (fetched.has(eventType)) return { fetch: 'needed' }
  if (risks.has(eventType)) return { ask: riskWords }
  // The id and address are of the number that is gone; who it is now has to be asked.
  return eventType === 'PRISONER_MERGED' ? { ask: mergedWords } : undefined
}

/** Empty texts stand for what is absent (hmpps.md 4). */
const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value.trim() ? value.trim().slice(0, 60) : undefined)
export const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
