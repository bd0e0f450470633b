/**
 * Everything told to anyone and everything done: one row each, written in the commit that did it, never changed (audit-seal.ts
 * shows when one was).
 */
import { type Database, type Statement, sealed, statement, unsealed } from './database.ts'

export type AuditRow = {
  /** Given by the caller; ids that sort by time keep rows of one instant in order. */
  id: string
  at: string
  action: string
  who: string
  service?: string
  patient?: string
  entity?: string
  recipient?: string
  requestId?: string
  basis?: string
  /** JSON: codes and references; of a search also what was asked. */
  detail?: string
  /** Where the other end was: the address a client called from, or a message was sent to. */
  address?: string
}

const insert = 'insert into audit (id, at, action, who, service, patient, entity, recipient, request_id, basis, detail, address)'

/** More than this many are one statement: D1 counts statements. */
const mostSingly = 32

/**
 * A statement for each row: for twenty, less than half of what one statement for all of them costs SQLite.
 */
export const recordAuditRows = (rows: readonly AuditRow[]): Statement[] =>
  rows.length > mostSingly ? [recordAudit(rows)] : rows.map((row) => recordAudit([row]))

/** One statement for as many rows as there are. A single row, which every read writes, is spared the way through JSON. */
export function recordAudit(rows: readonly AuditRow[]): Statement {
  const [row] = rows
  if (row && rows.length === 1) {
    const { id, at, action, who, service, patient, entity, recipient, requestId, basis, address } = row
    const rest = [service, patient, entity, recipient, requestId, basis, hidden(row), address].map((value) => value ?? null)
    return statement(`${insert} values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, id, at, action, who, ...rest)
  }
  return statement(
    `${insert} select value ->> 'id', value ->> 'at', value ->> 'action', value ->> 'who', value ->> 'service', value ->> 'patient',
            value ->> 'entity', value ->> 'recipient', value ->> 'requestId', value ->> 'basis', unhex(value ->> 'detail'), value ->> 'address'
     from json_each(?)`,
    { rows: rows.map((one) => ({ ...one, detail: hidden(one) })) },
  )
}

const holderOf = ({ patient }: { patient?: string | null }): string => patient ?? 'audit'
const placeOf = ({ id }: { id: string }): string => `audit|${id}`
const hidden = (row: AuditRow) => (row.detail === undefined ? undefined : sealed(holderOf(row), placeOf(row), row.detail))

/** About one person, the newest first. `before`: the `at` and `id` of the last row of the page before. */
export const auditOf = (database: Database, patient: string, limit = 200, before = end): Promise<AuditRow[]> =>
  read(
    database,
    statement(
      `select ${columns} from audit where patient = ? and (at, id) < (?, ?) order by at desc, id desc limit ?`,
      patient,
      before.at,
      before.id,
      limit,
    ),
  )

/** Everything a person's partners were told, or owed. */
export const owedInAudit = (database: Database, patient: string): Promise<AuditRow[]> =>
  read(database, statement(`select ${columns} from audit where patient = ? and action = 'owe' order by seq`, patient))

/** Every message about a person that arrived. */
export const deliveredInAudit = (database: Database, patient: string): Promise<AuditRow[]> =>
  read(database, statement(`select ${columns} from audit where patient = ? and action = 'deliver' order by seq`, patient))

/** Every answer to a handover in a stretch of time, page by page; `after` is the last row of the page before. */
export const answersInAudit = (
  database: Database,
  from: string,
  upto: string,
  after: { at: string; id: string } | undefined,
): Promise<AuditRow[]> =>
  read(
    database,
    statement(
      `select ${columns} from audit where action = 'answer' and at >= ? and at < ? and (at, id) > (?, ?) order by at, id limit 500`,
      ...[from, upto, after?.at ?? '', after?.id ?? ''],
    ),
  )

/** What is looked for in the audit; `from` and `upto` are instants, both meant. */
export type AuditQuery = {
  /** Rows of this service and about its people; absent: all there are. */
  service?: string
  /** About these people. */
  patients?: readonly string[]
  from?: string
  upto?: string
  /** The newest first. */
  down: boolean
  /** The last row of the page before. */
  after?: { at: string; id: string }
  limit: number
}

/** A page of the audit in the order of time. */
export function auditPage(database: Database, query: AuditQuery): Promise<AuditRow[]> {
  const { service, patients, from = '', upto = '9999', down, after = down ? end : beginning, limit } = query
  const order = down ? 'desc' : 'asc'
  const own = '(service = ? or (service is null and exists (select 1 from person p where p.id = audit.patient and p.service = ?)))'
  return read(
    database,
    statement(
      `select ${columns} from audit where at >= ? and at <= ? and (at, id) ${down ? '<' : '>'} (?, ?)
         ${patients ? 'and patient in (select value from json_each(?))' : ''} ${service === undefined ? '' : `and ${own}`}
       order by at ${order}, id ${order} limit ?`,
      ...[from, upto, after.at, after.id],
      ...(patients ? [JSON.stringify(patients)] : []),
      ...(service === undefined ? [] : [service, service]),
      limit,
    ),
  )
}

export async function auditRow(database: Database, id: string): Promise<AuditRow | undefined> {
  const [found] = await read(database, statement(`select ${columns} from audit where id = ?`, id))
  return found
}

const beginning = { at: '', id: '' }
const end = { at: '9999', id: '' }
const columns = 'id, at, action, who, service, patient, entity, recipient, request_id as requestId, basis, detail, address'

type Row = { [K in keyof AuditRow]-?: string | null } & { id: string; detail: Uint8Array | null }

const read = async (database: Database, one: Statement): Promise<AuditRow[]> => {
  const rows = await database.query<Row>(one)
  const details = await unsealed(database, rows, ({ detail }) => detail, holderOf, placeOf)
  return rows.map(
    (row, n) => Object.fromEntries(Object.entries({ ...row, detail: details[n] }).filter(([, value]) => value != null)) as AuditRow,
  )
}
