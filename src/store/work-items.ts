/**
 * Work items: something needs a person, why, and since when. At most one is open for each person and thing it is about.
 */
import { type Database, mustChange, type Statement, sealed, statement, unsealed } from './database.ts'

export type WorkItem = {
  id: string
  service: string
  patient?: string
  task?: string
  /** 'consent', 'handover:{task}', 'fact:{ref}', ... */
  about: string
  /** A code a page or report can group by. */
  reason: string
  /** What a person reads; names no one. */
  words: string
  openedAt: string
  resolvedAt?: string
  /** Somebody closed it by saying so. */
  resolvedBy?: string
}

/** Opens it, or leaves the one that is open for the same person and thing as it is. */
export const openWorkItem = (item: WorkItem): Statement =>
  statement(
    `insert into work_item (id, service, patient, task, about, reason, words, opened_at) values (?, ?, ?, ?, ?, ?, ?, ?)
     on conflict do nothing`,
    item.id,
    item.service,
    item.patient ?? null,
    item.task ?? null,
    item.about,
    item.reason,
    sealed(holderOf(item), placeOf(item), item.words),
    item.openedAt,
  )

export const resolveWorkItem = (id: string, at: string): Statement =>
  statement('update work_item set resolved_at = ? where id = ? and resolved_at is null', at, id)

/** Somebody closes it; done already: `Conflict('work item')`. */
export const resolveWorkItemBy = (id: string, at: string, by: string): Statement =>
  mustChange(
    'work item',
    statement('update work_item set resolved_at = ?, resolved_by = ? where id = ? and resolved_at is null', at, by, id),
  )

/** Resolves what is open about this for this person. */
export const resolveWorkItemAbout = (patient: string, about: string, at: string): Statement =>
  statement('update work_item set resolved_at = ? where patient = ? and about = ? and resolved_at is null', at, patient, about)

/** Resolves everything open for this person whose `about` starts like this ('handover:12'; '' is everything). */
export const resolveWorkItemsUnder = (patient: string, prefix: string, at: string): Statement =>
  statement(
    'update work_item set resolved_at = ? where patient = ? and resolved_at is null and substr(about, 1, ?) = ?',
    at,
    patient,
    [...prefix].length,
    prefix,
  )

/** Is anything open about this for this person? */
export async function isOpenAbout(database: Database, service: string, patient: string, about: string): Promise<boolean> {
  const rows = await database.query(
    statement(
      'select 1 from work_item where service = ? and patient = ? and about = ? and resolved_at is null',
      ...[service, patient],
      about,
    ),
  )
  return rows.length > 0
}

/** What is open for a service, the oldest first. */
export const openWork = (database: Database, service: string, limit = 500): Promise<WorkItem[]> =>
  read(
    database,
    statement(`select ${columns} from work_item where service = ? and resolved_at is null order by opened_at, id limit ?`, service, limit),
  )

/** What is open for a reason that is about nobody, at every service. */
export const openOfServices = (database: Database, reason: string): Promise<Pick<WorkItem, 'id' | 'service' | 'about'>[]> =>
  database.query(statement('select id, service, about from work_item where patient is null and resolved_at is null and reason = ?', reason))

/** Everything there ever was about a person, the newest first. */
export const workOf = (database: Database, patient: string): Promise<WorkItem[]> =>
  read(database, statement(`select ${columns} from work_item where patient = ? order by opened_at desc, id desc`, patient))

export async function workItem(database: Database, id: string): Promise<WorkItem | undefined> {
  const [item] = await read(database, statement(`select ${columns} from work_item where id = ?`, id))
  return item
}

/** How many are open, by service and reason. */
export const openWorkCounts = (database: Database): Promise<{ service: string; reason: string; count: number }[]> =>
  database.query(statement('select service, reason, count(*) as count from work_item where resolved_at is null group by service, reason'))

const columns =
  'id, service, patient, task, about, reason, words, opened_at as openedAt, resolved_at as resolvedAt, resolved_by as resolvedBy'

type Row = Omit<WorkItem, 'patient' | 'task' | 'resolvedAt' | 'resolvedBy' | 'words'> & {
  patient: string | null
  task: string | null
  resolvedAt: string | null
  resolvedBy: string | null
  words: Uint8Array | null
}

const holderOf = ({ patient, service }: { patient?: string | null; service: string }): string => patient ?? `service:${service}`
const placeOf = ({ id }: { id: string }): string => `work|${id}`

const read = async (database: Database, one: Statement): Promise<WorkItem[]> => {
  const rows = await database.query<Row>(one)
  const words = await unsealed(database, rows, (row) => row.words, holderOf, placeOf)
  return rows.map(({ patient, task, resolvedAt, resolvedBy, ...rest }, n) => ({
    ...rest,
    words: words[n] ?? 'This person was erased.',
    ...(patient === null ? {} : { patient }),
    ...(task === null ? {} : { task }),
    ...(resolvedAt === null ? {} : { resolvedAt }),
    ...(resolvedBy === null ? {} : { resolvedBy }),
  }))
}
