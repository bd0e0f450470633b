/**
 * What an HMPPS message says: a domain event, bare or in an SNS envelope, or a notification of the External API (hmpps.md 3, 4 and 7).
 *
 * Routing goes by the event type alone. A person's number stands in one of five places, depending on who wrote the event.
 */
import { hmppsInstant } from './hmpps-instant.ts'
import { crnShape, type Follows, isObject, type Json, nomsShape, notificationFollows, type PersonNumbers, ruleFor } from './hmpps-rules.ts'

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
  const follows = ruleFor(eventType)?.(info, person)
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
  const follows = notificationFollows(eventType)
  return {
    event: {
      shape: 'notification',
      eventType,
      occurredAt,
      person,
      ...(id ? { hmppsId: id } : {}),
      known: follows !== undefined,
      content: canonical([eventType, id, occurredAt, eventId ?? null]),
      ...follows,
    },
  }
}

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

/** JSON with its keys in order. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    isObject(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part,
  )
