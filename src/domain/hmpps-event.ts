/**
 * What an HMPPS message says: a domain event, bare or in an SNS envelope, or a notification of the External API (hmpps.md 3, 4 and 7).
 *
 * Routing goes by the event type alone. A person's number stands in one of five places, depending on who wrote the event.
 */
import type { Said } from './custody.ts'
import { hmppsInstant } from './hmpps-instant.ts'

type Json = Readonly<Record<string, unknown>>

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

export type HmppsEvent = Follows & {
  shape: 'domain-event' | 'notification'
  eventType: string
  occurredAt: string
  /** Whom it is about, every number that stands in it. */
  person: PersonNumbers
  /** External API notifications: the id to ask with. */
  hmppsId?: string
  /** We know what to do with this type. */
  known: boolean
  /** What makes it the same event when it comes again: without what differs from delivery to delivery. */
  content: string
}

/** Why a message is none we can take, and where. */
export type Fault = { text: string; expression?: string }

/**
 * What an SNS envelope holds, and the id it was delivered under; anything else is the message itself.
 *
 * @param parse the JSON in a text, or undefined when there is none that can be read
 */
export function readEnvelope(json: unknown, parse: (text: string) => unknown): { message: unknown; messageId?: string } | { fault: Fault } {
  if (!isObject(json)) return { fault: { text: 'The body is not a JSON object.' } }
  const { Type, Message, MessageId, MessageAttributes } = json
  if (Message === undefined && Type === undefined) return { message: json }
  if (Type !== undefined && Type !== 'Notification' && Type !== '')
    return { fault: { text: 'Only notifications are taken: a subscription is confirmed by hand.', expression: 'Type' } }
  if (typeof Message !== 'string') return { fault: { text: 'Message must be the event as a text.', expression: 'Message' } }
  const message = parse(Message)
  if (message === undefined) return { fault: { text: 'Message does not hold JSON that can be read.', expression: 'Message' } }
  const attributes = isObject(MessageAttributes) && isObject(MessageAttributes.eventType) ? MessageAttributes.eventType : {}
  const inside = isObject(message) ? message.eventType : undefined
  if (attributes.Value !== undefined && attributes.Value !== '' && attributes.Value !== inside)
    return { fault: { text: 'It names another event than the message does.', expression: 'MessageAttributes.eventType' } }
  return { message, ...(typeof MessageId === 'string' && MessageId ? { messageId: MessageId.slice(0, 200) } : {}) }
}

/** Clocks differ; a day later is no difference of clocks, and what is said of the future would outweigh whatever is said until then. */
const aheadMs = 24 * 3_600_000

/** @param message a parsed domain event or notification (what an SNS envelope holds as a text) */
export function readEvent(message: unknown, now: Date): { event: HmppsEvent } | { fault: Fault } {
  const read = eventIn(message)
  if ('event' in read && Date.parse(read.event.occurredAt) > now.getTime() + aheadMs)
    return { fault: { text: 'The event says that it happens in the future.', expression: timeOf[read.event.shape] } }
  return read
}

const timeOf = { 'domain-event': 'occurredAt', notification: 'lastModifiedDateTime' } as const

function eventIn(message: unknown): { event: HmppsEvent } | { fault: Fault } {
  if (!isObject(message)) return { fault: { text: 'The message must be a JSON object.' } }
  const { eventType } = message
  if (typeof eventType !== 'string' || !/^[\w.-]{1,120}$/.test(eventType))
    return { fault: { text: 'eventType is missing, or is not the name of an event.', expression: 'eventType' } }
  return 'hmppsId' in message || ('url' in message && 'lastModifiedDateTime' in message)
    ? notification(message, eventType)
    : domainEvent(message, eventType)
}

function domainEvent(message: Json, eventType: string): { event: HmppsEvent } | { fault: Fault } {
  const { version, additionalInformation, personReference } = message
  const occurredAt = hmppsInstant(message.occurredAt)
  if (!occurredAt) return { fault: { text: 'occurredAt is missing, or is no date and time.', expression: 'occurredAt' } }
  // One published specification says '1.0' where all others say 1.
  if (version !== undefined && !['1', '1.0'].includes(String(version)))
    return { fault: { text: 'Only version 1 of an event is understood.', expression: 'version' } }
  if (additionalInformation !== undefined && additionalInformation !== null && !isObject(additionalInformation))
    return { fault: { text: 'additionalInformation must be an object.', expression: 'additionalInformation' } }
  const info = isObject(additionalInformation) ? additionalInformation : {}
  const person = numbersIn(message, info, personReference)
  const follows = Object.hasOwn(rules, eventType) ? rules[eventType]?.(info, person) : undefined
  return {
    event: {
      shape: 'domain-event',
      eventType,
      occurredAt,
      person,
      known: follows !== undefined,
      content: canonical([eventType, person, occurredAt, info]),
      ...follows,
    },
  }
}

/** Thin: it says that something changed and where to look. */
function notification(message: Json, eventType: string): { event: HmppsEvent } | { fault: Fault } {
  const occurredAt = hmppsInstant(message.lastModifiedDateTime)
  if (!occurredAt)
    return { fault: { text: 'lastModifiedDateTime is missing, or is no date and time.', expression: 'lastModifiedDateTime' } }
  const { hmppsId, eventId } = message
  if (hmppsId !== null && hmppsId !== undefined && (typeof hmppsId !== 'string' || hmppsId.length > 40))
    return { fault: { text: 'hmppsId must be a short text, or null.', expression: 'hmppsId' } }
  // Opaque, and today one of the two (hmpps.md 1): never the key of anything here.
  const id = typeof hmppsId === 'string' ? hmppsId.trim().toUpperCase() : ''
  const person = { noms: nomsShape.test(id) ? [id] : [], crn: crnShape.test(id) ? [id] : [] }
  const fetch = fetched.has(eventType)
  // The id and address are of the number that is gone; who it is now has to be asked.
  const gone = eventType === 'PRISONER_MERGED' && id ? { ask: mergedWords } : {}
  return {
    event: {
      shape: 'notification',
      eventType,
      occurredAt,
      person,
      ...(id ? { hmppsId: id } : {}),
      known: fetch || eventType === 'PRISONER_MERGED',
      content: canonical([eventType, id, occurredAt, eventId ?? null]),
      ...(fetch ? { fetch: 'needed' as const } : {}),
      ...gone,
    },
  }
}

const mergedWords = {
  about: 'identity',
  words: 'The prison system merged this person’s number into another one. Look up which, and whether a second record exists here.',
}

/** Notifications behind which a release date or a place may have changed (hmpps.md 7). */
const fetched: ReadonlySet<string> = new Set([
  'KEY_DATES_AND_ADJUSTMENTS_PRISONER_RELEASE',
  'PRISONER_BASE_LOCATION_CHANGED',
  'PERSON_SENTENCES_CHANGED',
  'PERSON_STATUS_CHANGED',
  'LICENCE_CONDITION_CHANGED',
])

/** @see hmpps.md 1 */
const nomsShape = /^[A-Z]\d{4}[A-Z]{2}$/
const crnShape = /^[A-Z]{1,2}\d{6}$/

function numbersIn(message: Json, info: Json, reference: unknown): PersonNumbers {
  const listed = isObject(reference) && Array.isArray(reference.identifiers) ? reference.identifiers.filter(isObject) : []
  const of = (...types: string[]) => listed.filter(({ type }) => types.includes(String(type))).map(({ value }) => value)
  const elsewhere = [info.nomsNumber, info.prisonerId, info.prisonerNumber, message.prisonerId]
  const shaped = (values: unknown[], shape: RegExp) => [
    ...new Set(
      values.flatMap((value) => (typeof value === 'string' && shape.test(value.trim().toUpperCase()) ? [value.trim().toUpperCase()] : [])),
    ),
  ]
  return { noms: shaped([...of('NOMS', 'nomsNumber'), ...elsewhere], nomsShape), crn: shaped(of('CRN'), crnShape) }
}

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
    categoriesChanged.some((one) => ['SENTENCE', 'STATUS', 'LOCATION', 'RESTRICTED_PATIENT'].includes(one))
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
  'probation-case.registration.added': registration,
  'probation-case.registration.updated': registration,
}

function joined(to: string[], from: string[]): Follows {
  return { identities: { joined: { noms: [...to, ...from], crn: [] }, ...(from[0] ? { removed: from[0] } : {}) } }
}

/** Very high risk raises no notification of the External API, but a registration all the same (hmpps.md 7 and 9). */
function registration({ registerTypeCode }: Json): Follows {
  if (!['RHRH', 'RVRH', 'MAPP'].includes(String(registerTypeCode))) return {}
  return {
    ask: {
      about: 'risk',
      words:
        'Probation registered a risk that may call for Enhanced RECONNECT. Ask the person’s probation practitioner; nothing was changed by it.',
    },
  }
}

/** Empty texts stand for what is absent (hmpps.md 4). */
const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value.trim() ? value.trim().slice(0, 60) : undefined)
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/** JSON with its keys in order. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    isObject(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part,
  )
