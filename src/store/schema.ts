/**
 * The tables. drizzle-kit writes `migrations/` from this file (`npm run migrations`): the same SQL for SQLite and D1.
 *
 * Times are ISO instants in UTC with milliseconds (they sort as text). Every `blob` is sealed with its holder's key or a keyed
 * hash (sealed.ts); in clear stand only ids, shelves, types, states, codes of ours and times, and what the directory says.
 *
 * drizzle-kit can not say `WITHOUT ROWID`, seed a row, number rows or move them: that is added to the SQL by hand, for `search`,
 * `guard`, `audit` (0001 numbers its rows in the order they were written) and `owed_text` (0002 brings the messages there).
 */
import { sql } from 'drizzle-orm'
import { blob, check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/** The current version of every resource, by shelf. */
export const resource = sqliteTable(
  'resource',
  {
    row: integer().primaryKey(),
    /** 'service:north-east', 'partner:gp-a81001' or 'referrer:durham-health'. */
    shelf: text().notNull(),
    type: text().notNull(),
    id: text().notNull(),
    version: integer().notNull(),
    lastUpdated: text('last_updated').notNull(),
    /** Id of the person it is about; absent for workers, organisations and the like. */
    patient: text(),
    /**
     * Sealed, for the person or else the shelf: what this resource discloses (JSON of Disclosure[]; on a partner's shelf, decided
     * anew at every read), a line break, and the resource. Absent when it was deleted.
     */
    body: blob({ mode: 'buffer' }),
    /** Its rows in `search`, one behind the other. */
    terms: blob({ mode: 'buffer' }),
  },
  (t) => [
    uniqueIndex('resource_place').on(t.shelf, t.type, t.id),
    index('resource_by_patient').on(t.patient, t.shelf),
    index('resource_by_time').on(t.shelf, t.type, t.lastUpdated, t.id).where(sql`${t.body} is not null`),
  ],
)

/** Versions that are no longer current. */
export const resourceVersion = sqliteTable(
  'resource_version',
  {
    shelf: text().notNull(),
    type: text().notNull(),
    id: text().notNull(),
    version: integer().notNull(),
    lastUpdated: text('last_updated').notNull(),
    patient: text(),
    /** Byte for byte as it stood in `resource`: sealed for this version. */
    body: blob({ mode: 'buffer' }),
  },
  (t) => [
    primaryKey({ columns: [t.shelf, t.type, t.id, t.version] }),
    index('resource_version_by_patient').on(t.patient).where(sql`${t.patient} is not null`),
  ],
)

/** One row for each way a resource can be asked for: a keyed hash of shelf, type, parameter and value. */
export const search = sqliteTable('search', { term: blob({ mode: 'buffer' }).notNull(), resource: integer().notNull() }, (t) => [
  primaryKey({ columns: [t.term, t.resource] }),
])

/** The key of every holder, wrapped by the master key; without it what was sealed for the holder is noise. */
export const holderKey = sqliteTable('holder_key', {
  /** A person's id, the shelf of what is about nobody, 'inbox', 'index' for what is searched, or 'audit seal' for what signs. */
  holder: text().primaryKey(),
  /** Absent once it was destroyed. */
  wrapped: blob({ mode: 'buffer' }),
  destroyedAt: text('destroyed_at'),
})

/** One row a person of a service. Every commit about a person raises the revision it read, or is undone. */
export const person = sqliteTable('person', {
  id: text().primaryKey(),
  service: text().notNull(),
  revision: integer().notNull(),
  /** Why this person may not be erased for now, as a code. */
  legalHold: text('legal_hold'),
  /** A person who looked at it decided that the record is kept at least until this date. */
  keepUntil: text('keep_until'),
  erasedAt: text('erased_at'),
})

/** The outbox: frozen messages, waiting or done. */
export const owed = sqliteTable(
  'owed',
  {
    /** The message's key: X-Request-Id at every attempt. */
    id: text().primaryKey(),
    /** Order within everything; messages of one handover are never sent out of it. */
    seq: integer().notNull(),
    partner: text().notNull(),
    service: text().notNull(),
    patient: text().notNull(),
    task: text().notNull(),
    /** new | update | revoke | reminder */
    reason: text().notNull(),
    correlation: text().notNull(),
    /** due | sending | delivered | parked | void */
    state: text().notNull(),
    attempts: integer().notNull().default(0),
    /** 1 once an attempt ended without an answer: the partner may have it all the same. */
    unanswered: integer().notNull().default(0),
    createdAt: text('created_at').notNull(),
    dueAt: text('due_at').notNull(),
    leaseUntil: text('lease_until'),
    firstTriedAt: text('first_tried_at'),
    settledAt: text('settled_at'),
    /** The message itself was taken out, long after it had arrived: what it disclosed is still in `body`, before the line break. */
    emptiedAt: text('emptied_at'),
    receipt: blob({ mode: 'buffer' }),
    /** Why it is where it is, in words. */
    note: blob({ mode: 'buffer' }),
  },
  (t) => [
    uniqueIndex('owed_seq').on(t.seq),
    index('owed_due').on(t.state, t.partner, t.dueAt, t.seq),
    index('owed_by_task').on(t.task, t.seq),
    index('owed_by_patient').on(t.patient, t.seq),
  ],
)

/** What is owed, word for word; apart from where it stands, which changes at every attempt and would be written with it each time. */
export const owedText = sqliteTable('owed_text', {
  id: text().primaryKey(),
  /** Sealed for the person: JSON of Disclosure[] (asked again before every attempt), a line break, and the message. */
  body: blob({ mode: 'buffer' }).notNull(),
})

/** How a partner's lane stands; no row: open, and never failed. */
export const lane = sqliteTable('lane', {
  partner: text().primaryKey(),
  /** Attempts in a row that got no answer. */
  failures: integer().notNull().default(0),
  /** Nothing is sent before this instant: too many attempts in a row failed. */
  shutUntil: text('shut_until'),
  /** Nothing is sent at all: a person paused it. */
  pausedAt: text('paused_at'),
  note: text(),
})

/** Every attempt at a delivery and how it ended. */
export const attempt = sqliteTable(
  'attempt',
  {
    owed: text().notNull(),
    number: integer().notNull(),
    at: text().notNull(),
    outcome: text().notNull(),
    note: blob({ mode: 'buffer' }),
  },
  (t) => [primaryKey({ columns: [t.owed, t.number] })],
)

/** What was asked of us under which request id, and the answer it got. */
export const inbox = sqliteTable(
  'inbox',
  {
    client: text().notNull(),
    requestId: text('request_id').notNull(),
    /** Of method, path and body: the same id with other content is a mistake, not a repeat. */
    fingerprint: text().notNull(),
    at: text().notNull(),
    status: integer().notNull(),
    /** JSON: the headers worth repeating and the body. */
    answer: blob({ mode: 'buffer' }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.client, t.requestId] }), index('inbox_by_time').on(t.at)],
)

/** What other systems said happened (HMPPS), whether or not we know the person or the kind of event. */
export const event = sqliteTable(
  'event',
  {
    id: text().primaryKey(),
    /** 'hmpps'. */
    source: text().notNull(),
    /** Its name for what happened; a code of theirs, about nobody. */
    kind: text().notNull(),
    at: text().notNull(),
    /** Empty: nobody here, or not yet. */
    patient: text().notNull(),
    /** Of the person; of an event about nobody: whose people it may be about, absent when of all. */
    service: text(),
    /** kept | due (there is something to fetch) | done | unknown (a kind we know nothing to do with) */
    state: text().notNull(),
    dueAt: text('due_at'),
    attempts: integer().notNull().default(0),
    /** Keyed hashes, with who may have said it: of what the event says, and of the id it was delivered under. */
    print: blob({ mode: 'buffer' }).notNull(),
    delivery: blob({ mode: 'buffer' }),
    /** The event as it came, sealed for the person, or for nobody in particular. */
    body: blob({ mode: 'buffer' }),
  },
  (t) => [
    uniqueIndex('event_once').on(t.print, t.patient),
    index('event_delivery').on(t.delivery),
    index('event_due').on(t.dueAt).where(sql`${t.state} = 'due'`),
    index('event_by_patient').on(t.patient, t.at),
    index('event_by_time').on(t.at),
    index('event_unknown').on(t.kind, t.at).where(sql`${t.state} = 'unknown'`),
  ],
)

/** Whom an event about nobody here is about, as a keyed hash of each number: so that it is found when that person is referred. */
export const eventNumber = sqliteTable('event_number', { term: blob({ mode: 'buffer' }).notNull(), event: text().notNull() }, (t) => [
  primaryKey({ columns: [t.term, t.event] }),
  index('event_number_by_event').on(t.event),
])

/** Message Bundles taken, so that a reused Bundle.id is noticed. */
export const messageTaken = sqliteTable(
  'message_taken',
  { client: text().notNull(), bundle: text().notNull(), at: text().notNull() },
  (t) => [primaryKey({ columns: [t.client, t.bundle] })],
)

/** Something to look at again at a time. */
export const timer = sqliteTable(
  'timer',
  {
    patient: text().notNull(),
    /** 'window:{task}', 'answer:{task}', 'consent', ...: rewriting a timer is writing the same key. */
    about: text().notNull(),
    service: text().notNull(),
    dueAt: text('due_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.patient, t.about] }), index('timer_due').on(t.dueAt)],
)

/** Something that needs a person. */
export const workItem = sqliteTable(
  'work_item',
  {
    id: text().primaryKey(),
    service: text().notNull(),
    patient: text(),
    task: text(),
    /** What it is about; at most one open item for each person (or for the service, when it is about nobody). */
    about: text().notNull(),
    /** A code a page or report can group by. */
    reason: text().notNull(),
    /** What a person reads; names no one. */
    words: blob({ mode: 'buffer' }),
    openedAt: text('opened_at').notNull(),
    resolvedAt: text('resolved_at'),
    /** Whoever closed it by saying so; a staff id or a role. Absent: what it asked for was so. */
    resolvedBy: text('resolved_by'),
  },
  (t) => [
    index('work_item_open').on(t.service, t.resolvedAt),
    index('work_item_by_patient').on(t.patient, t.resolvedAt),
    uniqueIndex('work_item_about_person').on(t.service, t.patient, t.about).where(sql`${t.resolvedAt} is null`),
    uniqueIndex('work_item_about_service').on(t.service, t.about).where(sql`${t.patient} is null and ${t.resolvedAt} is null`),
  ],
)

/** Everything told to anyone and everything done, in the commit that did it. */
export const audit = sqliteTable(
  'audit',
  {
    /** The order they were written in, without a gap: what the seals go by. */
    seq: integer().primaryKey(),
    id: text().notNull(),
    at: text().notNull(),
    /** create | update | delete | read | search | owe | deliver | withhold | answer | plan | ... */
    action: text().notNull(),
    /** Client id, 'exchange' for what it does by itself, 'staff:{email hash}'. */
    who: text().notNull(),
    service: text(),
    patient: text(),
    /** 'Task/12', 'owed/..': what it happened to. */
    entity: text(),
    /** Partner id, when something was told. */
    recipient: text(),
    requestId: text('request_id'),
    /** Consent and version, or the legal basis. */
    basis: text(),
    /** JSON: codes and references; of a search also what was asked. */
    detail: blob({ mode: 'buffer' }),
    /** Where the other end was: the address a client called from, or a message was sent to. */
    address: text(),
  },
  (t) => [uniqueIndex('audit_id').on(t.id), index('audit_by_patient').on(t.patient, t.at), index('audit_by_time').on(t.at)],
)

/** What stood in the audit when it was sealed, batch by batch, each naming the one before (audit-seal.ts). */
export const auditSeal = sqliteTable(
  'audit_seal',
  {
    /** 1, 2, 3, ...: taken once, so two processes can not seal the same rows. */
    batch: integer().primaryKey(),
    firstSeq: integer('first_seq').notNull(),
    lastSeq: integer('last_seq').notNull(),
    count: integer().notNull(),
    /** Merkle root of the rows, 32 bytes. */
    root: blob({ mode: 'buffer' }).notNull(),
    /** The first eight bytes of every row's hash: they say which row it was when the root says that it was one. */
    leaves: blob({ mode: 'buffer' }).notNull(),
    /** Hash of the seal before; 32 zeros in the first. */
    previous: blob({ mode: 'buffer' }).notNull(),
    sealedAt: text('sealed_at').notNull(),
    /** Ed25519, 32 bytes. */
    publicKey: blob('public_key', { mode: 'buffer' }).notNull(),
    /** Of the hash of all of the above, 64 bytes. */
    signature: blob({ mode: 'buffer' }).notNull(),
  },
  (t) => [uniqueIndex('audit_seal_first').on(t.firstSeq)],
)

/** Telling somebody without the person's agreement: a record of its own, never changed; a second person's look is added once. */
export const override = sqliteTable(
  'override',
  {
    id: text().primaryKey(),
    service: text().notNull(),
    patient: text().notNull(),
    recordedAt: text('recorded_at').notNull(),
    /** JSON: everything said when it was decided. */
    body: blob({ mode: 'buffer' }).notNull(),
    reviewedAt: text('reviewed_at'),
    /** JSON: who looked, and what they said. */
    review: blob({ mode: 'buffer' }),
    /** The document somebody outside was given, as it was given. */
    document: blob({ mode: 'buffer' }),
  },
  (t) => [index('override_by_patient').on(t.patient, t.recordedAt)],
)

/**
 * What a person decided about two records: that they are of one person (and what was moved, so that it can be undone), or that they are
 * of two. Ids, versions and codes only.
 */
export const merge = sqliteTable(
  'merge',
  {
    id: text().primaryKey(),
    service: text().notNull(),
    /** merged | undone | not-same */
    state: text().notNull(),
    /** The record that was merged into the other; of `not-same` the one it was said of. */
    source: text().notNull(),
    target: text().notNull(),
    at: text().notNull(),
    undoneAt: text('undone_at'),
    /** JSON: what was moved from which version, whose agreements count no more, in what they were alike (exchange/merges.ts). */
    detail: text().notNull(),
  },
  (t) => [
    index('merge_by_source').on(t.source),
    index('merge_by_target').on(t.target),
    uniqueIndex('merge_once').on(t.source).where(sql`${t.state} = 'merged'`),
  ],
)

/** Assertions already used (SMART Backend Services: a jti is good once). */
export const assertionUsed = sqliteTable(
  'assertion_used',
  { client: text().notNull(), jti: text().notNull(), expires: text().notNull() },
  (t) => [primaryKey({ columns: [t.client, t.jti] }), index('assertion_expires').on(t.expires)],
)

/** The directory as last applied; one JSON row for each thing in it. */
export const directory = sqliteTable(
  'directory',
  {
    /** service | partner | client | staff */
    kind: text().notNull(),
    id: text().notNull(),
    body: text().notNull(),
    appliedAt: text('applied_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.kind, t.id] })],
)

/** What a database knows of itself: 'terms', which rules its index was made by (renew-terms.ts). */
export const mark = sqliteTable('mark', { name: text().primaryKey(), value: text().notNull() })

/** As many guarded statements of one unit as D1 can tell apart by name. */
export const guardSteps = 12

/**
 * One row. `update guard set step = n, holds = changes()` right after a statement undoes a D1 batch whose statement changed
 * nothing; the name of the check that failed says which statement it was.
 */
export const guard = sqliteTable('guard', { one: integer().primaryKey(), step: integer().notNull(), holds: integer().notNull() }, () => [
  ...Array.from({ length: guardSteps }, (_, n) => check(`step_${n + 1}`, sql.raw(`holds > 0 or step <> ${n + 1}`))),
  check('step_beyond', sql.raw('holds > 0')),
])
