/**
 * The audit as FHIR: every row of it as the AuditEvents it stands for. Nothing is kept twice: the sealed rows are the audit, these
 * are a way to read them.
 *
 * A row of what a partner was told is three: the message or the reading, the disclosure it was, and the decision that allowed it.
 * Ids: that of the row, and of what else it stands for the same with `-disclosure`, `-permit` or `-deny`.
 *
 * @see docs/adr/0007-audit-rendered.md
 */
import type { AuditEvent, AuditEventEntity } from '@medplum/fhirtypes'
import type { Adapter } from '../adapter.ts'
import type { Directory } from '../domain/directory.ts'
import {
  agent,
  auditEvent,
  clientId,
  consentEntity,
  data,
  decisionBy,
  disclose,
  type Event,
  interaction,
  ourAction,
  overrideEntity,
  person,
  query,
  roles,
  transaction,
  types,
  type Who,
} from '../fhir/balp.ts'
import type { AuditRow } from '../store/audit.ts'

export type Around = { publicUrl: string; directory: Directory; adapters: ReadonlyMap<string, Adapter> }

/** What rows hold in `detail`, each of it where it has a meaning. */
export type Detail = {
  message?: string
  reason?: string
  outcome?: string
  because?: string
  withheld?: [ref: string, path: string, because: string][]
  asked?: string
  /** v3-ActReason, for what was told without the person's agreement. */
  purposeOfUse?: string
  /** Somebody who is no partner. */
  organisation?: string
}
export const detailOf = ({ detail }: AuditRow): Detail => (detail ? (JSON.parse(detail) as Detail) : {})

/** The row a rendered event is of. */
export const rowIdOf = (id: string): string => id.replace(/-(disclosure|permit|deny|provenance)$/, '')

type Writing = { row: AuditRow; detail: Detail; around: Around; self: Who }

export function auditEventsOf(row: AuditRow, around: Around): AuditEvent[] {
  const self = { identifier: { system: 'urn:ietf:rfc:3986', value: around.publicUrl }, display: 'RECONNECT Exchange' }
  const writing = { row, detail: detailOf(row), around, self }
  return eventsOf(writing).map((event) => {
    const { purposeOfUse } = writing.detail
    const override = /^Override\/(.+)$/.exec(row.basis ?? '')?.[1]
    return auditEvent(
      {
        ...event,
        ...(purposeOfUse ? { purposes: [purposeOfUse] } : {}),
        ...(override ? { entities: [...event.entities, overrideEntity(override)] } : {}),
      },
      self,
    )
  })
}

function eventsOf(writing: Writing): Event[] {
  const { row, detail } = writing
  switch (row.action) {
    case 'create':
    case 'update':
    case 'patch':
    case 'answer':
      return [written(writing)]
    case 'delete':
      return [deleted(writing)]
    case 'read':
    case 'vread':
    case 'history':
    case 'search':
      return row.recipient && row.patient ? [read(writing), disclosed(writing), permitted(writing)] : [read(writing)]
    case 'why':
    case 'dry-run':
      return [explained(writing)]
    case 'refer':
      return [received(writing)]
    case 'owe':
      return [permitted(writing), ...(detail.withheld?.length ? [denied(writing, wordsOf(detail.withheld))] : [])]
    case 'deliver':
    case 'attempt':
      return [disclosed(writing), permitted(writing)]
    case 'disclose':
      return [disclosed(writing), permitted(writing)]
    case 'withhold':
      return [denied(writing, detail.because)]
    default:
      return [other(writing)]
  }
}

const wordsOf = (withheld: NonNullable<Detail['withheld']>): string => [...new Set(withheld.map(([, , because]) => because))].join('; ')

// Who, and what

const orgOf = (id: string, { directory }: Around, organisation?: string): Who => {
  if (organisation) return { display: organisation }
  const name = directory.partners.get(id)?.name ?? directory.services.get(id)?.name
  return { reference: `Organization/${id}`, ...(name ? { display: name } : {}) }
}

/** Whoever did it: a client and the organisation it belongs to, or the exchange by itself. */
function whoOf({ row, around, self }: Writing): Who {
  if (row.who === 'exchange') return self
  const identifier = { system: clientId, value: row.who }
  const organisation = row.recipient ?? row.service
  return row.action !== 'refer' && organisation ? { ...orgOf(organisation, around), identifier } : { identifier }
}
const addressOf = ({ row, around }: Writing): string | undefined => (row.who === 'exchange' ? around.publicUrl : row.address)

/** 'Task/12/_history/3'; a list of types says no more than what was looked at, and a lane or an override is no resource. */
const dataIn = ({ row: { entity } }: Writing): AuditEventEntity[] =>
  entity ? [data(/^[A-Z]\w*\//.test(entity) && !entity.startsWith('Override/') ? { reference: entity } : { display: entity })] : []
const personIn = ({ row: { patient } }: Writing): AuditEventEntity[] => (patient ? [person(patient)] : [])
const requestIn = ({ row: { requestId } }: Writing): AuditEventEntity[] => (requestId ? [transaction(requestId)] : [])
const profileOf = ({ row }: Writing, name: string): string => (row.patient ? `Patient${name}` : name)

const base = ({ row }: Writing, suffix = '') => ({ id: `${row.id}${suffix}`, at: row.at, outcome: '0' as const })

// What was done

function written(writing: Writing): Event {
  const { row, around, self } = writing
  const create = row.action === 'create'
  return {
    ...base(writing),
    profile: profileOf(writing, create ? 'Create' : 'Update'),
    type: types.rest,
    subtype: interaction(row.action === 'answer' ? 'update' : row.action),
    action: create ? 'C' : 'U',
    agents: [
      agent(roles.source, whoOf(writing), { address: addressOf(writing), requestor: true }),
      agent(roles.destination, self, { address: around.publicUrl }),
    ],
    entities: [...personIn(writing), ...dataIn(writing), ...requestIn(writing)],
  }
}

/** Its profile leaves no room for the request among the entities. */
function deleted(writing: Writing): Event {
  const { row, around, self } = writing
  return {
    ...base(writing),
    ...(row.patient ? { profile: 'PatientDelete' } : { profile: 'Delete' }),
    type: types.rest,
    subtype: interaction('delete'),
    action: 'D',
    agents: [
      agent(roles.application, whoOf(writing), { address: addressOf(writing), requestor: true }),
      agent(roles.custodian, self, { address: around.publicUrl }),
    ],
    entities: [...personIn(writing), ...dataIn(writing)],
    transaction: row.requestId,
  }
}

/** Reading flows from us to the client, a question from the client to us: the roles change places. */
function read(writing: Writing): Event {
  const { row, detail, around, self } = writing
  const isSearch = row.action === 'search'
  const [theirs, ours] = isSearch ? [roles.source, roles.destination] : [roles.destination, roles.source]
  return {
    ...base(writing),
    ...(row.action === 'history' ? {} : { profile: profileOf(writing, isSearch ? 'Query' : 'Read') }),
    type: types.rest,
    subtype: interaction(isSearch ? 'search-type' : row.action === 'history' ? 'history-instance' : row.action),
    action: isSearch ? 'E' : 'R',
    agents: [
      agent(theirs, whoOf(writing), { address: addressOf(writing), requestor: true }),
      agent(ours, self, { address: around.publicUrl }),
    ],
    entities: [...personIn(writing), ...(isSearch ? (detail.asked ? [query(detail.asked)] : []) : dataIn(writing)), ...requestIn(writing)],
  }
}

/** Asked what is decided about a person, and why: an operation, for which BALP has no profile. */
const explained = (writing: Writing): Event => ({
  ...base(writing),
  type: types.rest,
  subtype: interaction('operation'),
  action: 'E',
  words: writing.row.action === 'why' ? '$why' : '$handover?dryRun=true',
  agents: [
    agent(roles.source, whoOf(writing), { address: addressOf(writing), requestor: true }),
    agent(roles.destination, writing.self, { address: writing.around.publicUrl }),
  ],
  entities: [...personIn(writing), ...dataIn(writing), ...requestIn(writing)],
})

/** Something left this house for another: by a message, or by being read. */
function disclosed(writing: Writing): Event {
  const { row, detail, around, self } = writing
  const sent = row.who === 'exchange'
  return {
    ...base(writing, sent ? '' : '-disclosure'),
    profile: 'PrivacyDisclosure.Source',
    type: types.export,
    subtype: disclose,
    action: 'R',
    outcome: row.action === 'attempt' ? '4' : '0',
    words:
      row.action === 'attempt'
        ? 'It was sent, and may have been read, but was not taken.'
        : detail.reason === 'revoke'
          ? 'A notice to stop, without content.'
          : undefined,
    agents: [
      agent(roles.source, self, { address: around.publicUrl }),
      agent(roles.destination, orgOf(row.recipient as string, around, detail.organisation), { address: row.address, requestor: !sent }),
    ],
    entities: [...personIn(writing), ...dataIn(writing), ...(detail.message ? [transaction(detail.message)] : requestIn(writing))],
  }
}

/** A referrer told us. */
function received(writing: Writing): Event {
  const { around, self } = writing
  return {
    ...base(writing),
    profile: 'PrivacyDisclosure.Recipient',
    type: types.import,
    subtype: disclose,
    action: 'C',
    agents: [
      agent(roles.source, whoOf(writing), { address: addressOf(writing), requestor: true }),
      agent(roles.destination, self, { address: around.publicUrl }),
    ],
    entities: [...personIn(writing), ...dataIn(writing), ...requestIn(writing)],
  }
}

const permitted = (writing: Writing): Event => decision(writing, '-permit', '0', undefined)
const denied = (writing: Writing, why: string | undefined): Event =>
  decision(writing, writing.row.action === 'withhold' ? '' : '-deny', '8', why ?? 'not permitted')

/** May this partner be told? Asked when it is planned, when it is sent and when it is read. */
function decision(writing: Writing, suffix: string, outcome: '0' | '8', words: string | undefined): Event {
  const { row, detail, around, self } = writing
  const partner = orgOf(row.recipient as string, around, detail.organisation)
  const kind = around.directory.partners.get(row.recipient as string)?.kind
  const purposes = (kind && around.adapters.get(kind)?.mapping.purposeOfUse) || []
  const consent = row.basis?.startsWith('Consent/') ? row.basis : undefined
  return {
    ...base(writing, suffix),
    profile: 'AuthZconsent',
    type: types.decision,
    subtype: row.basis !== undefined && !consent ? decisionBy.role : decisionBy.consent,
    action: 'E',
    outcome,
    words: words ?? (consent ? undefined : row.basis),
    agents: [
      agent(roles.application, whoOf(writing), { address: addressOf(writing) }),
      agent(roles.recipient, partner, { requestor: true, purposes }),
      agent(roles.organisation, partner),
      agent(roles.authorizer, self, { address: around.publicUrl }),
    ],
    entities: [...personIn(writing), ...(consent ? [consentEntity(consent)] : [])],
    transaction: detail.message ?? row.requestId,
  }
}

/** Given to the person, or to whoever answers for the audit. */
const handedOut = new Set(['account', 'subject-access', 'export'])

/** A person's record destroyed, at their wish or when its time had come. */
const isErasing = ({ action }: { action: string }): boolean => action === 'erase' || action === 'destroy'

/** What the exchange did by itself or was told to do from its own house: moves, triage, recalls, lanes, erasing. */
function other(writing: Writing): Event {
  const { row, detail, around, self } = writing
  return {
    ...base(writing),
    type: isErasing(row) ? types.destroy : handedOut.has(row.action) ? types.export : types.amend,
    subtype: ourAction(row.action),
    action: isErasing(row) ? 'D' : row.action === 'move' ? 'U' : handedOut.has(row.action) ? 'R' : 'E',
    words: detail.because,
    agents: [
      agent(roles.application, whoOf(writing), { address: addressOf(writing), requestor: true }),
      agent(roles.custodian, self, { address: around.publicUrl }),
    ],
    entities: [...personIn(writing), ...dataIn(writing), ...requestIn(writing)],
  }
}
