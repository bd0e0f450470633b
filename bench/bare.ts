/**
 * The bare limit: the same HTTP server, driver, durability and bytes, and no logic. What the gateway could do if it did nothing.
 *
 *   POST /setup     {tables: {name: [rows, bytes a row] a case}, message: bytes} what an intake writes; {texts: {key: text}} what is read
 *   GET  /read/:key a row by its primary key;  GET /search?key= rows by an index, as a searchset
 *   POST /intake    parses the JSON, writes the rows in one durable commit; with ?to=URL,URL also posts a message to each
 *   POST /drain     posts as many messages as there were intakes, times the partners, four in hand for each
 */
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import Sqlite from 'better-sqlite3'
import { Hono } from 'hono'
import { walOf } from '../src/store/wal.ts'

const file = join(process.env.DATA_DIR as string, 'bare.db')
const database = new Sqlite(file)
database.pragma('journal_mode = WAL')
database.pragma('synchronous = NORMAL')
const wal = walOf(file)
database.pragma('cache_size = -65536')
database.pragma('mmap_size = 1073741824')
database.exec(`create table kept (key text primary key, body text);
  create table found (by text, key text, body text, primary key (by, key)) without rowid;
  create table owed (id text primary key, body text, state text)`)

const read = database.prepare<[string], { body: string }>('select body from kept where key = ?')
const find = database.prepare<[string], { body: string }>('select body from found where by = ?')
const owe = database.prepare(`insert into owed values (?, ?, 'due')`)
const settle = database.prepare(`update owed set state = 'delivered' where id = ?`)

/** Group commit: everything that waits goes in one transaction, and the disk is waited for beside what comes next. */
let waiting: { write: () => void; done: () => void }[] = []
let landing = false
function durably(write: () => void): Promise<void> {
  return new Promise((done) => {
    if (waiting.length === 0 && !landing) setImmediate(flush)
    waiting.push({ write, done })
  })
}
const together = database.transaction((units: typeof waiting) => {
  for (const { write } of units) write()
})
async function flush() {
  const units = waiting
  waiting = []
  together.immediate(units)
  landing = true
  await wal.flush()
  landing = false
  for (const { done } of units) done()
  if (waiting.length > 0) setImmediate(flush)
}

type Setup = { tables?: Record<string, [rows: number, bytes: number]>; message?: string; texts?: Record<string, string[]> }
let tables: { insert: Sqlite.Statement<[string, string]>; rows: number; filling: string }[] = []
let message = ''
let intakes = 0
const due: string[] = []

const app = new Hono()
app.get('/health', (c) => c.json({ status: 'ok' }))

app.post('/setup', async (c) => {
  const setup = (await c.req.json()) as Setup
  message = setup.message ?? message
  for (const [key, texts] of Object.entries(setup.texts ?? {})) {
    database.prepare('insert or replace into kept values (?, ?)').run(key, texts[0])
    for (const [n, text] of texts.entries()) database.prepare('insert or replace into found values (?, ?, ?)').run(key, String(n), text)
  }
  tables = Object.entries(setup.tables ?? {}).map(([name, [rows, bytes]]) => {
    database.exec(`create table if not exists "of_${name}" (key text primary key, body text) without rowid`)
    return { insert: database.prepare(`insert into "of_${name}" values (?, ?)`), rows, filling: 'x'.repeat(Math.max(0, bytes - 24)) }
  })
  return c.json({})
})

const json = { 'content-type': 'application/fhir+json' }
app.get('/read/:key', (c) => c.body(read.get(c.req.param('key'))?.body ?? '', 200, json))
app.get('/search', (c) => {
  const rows = find.all(c.req.query('key') ?? '').map(({ body }) => `{"resource":${body}}`)
  return c.body(`{"resourceType":"Bundle","type":"searchset","entry":[${rows.join(',')}]}`, 200, json)
})

app.post('/intake', async (c) => {
  const sent = (await c.req.json()) as { entry?: unknown[] }
  const to = c.req.query('to')?.split(',') ?? []
  const n = String(intakes++).padStart(8, '0')
  const ids = to.map(() => crypto.randomUUID())
  await durably(() => {
    for (const { insert, rows, filling } of tables)
      for (let row = 0; row < rows; row++) insert.run(`${String(row).padStart(4, '0')}|${n}`, filling)
    for (const id of ids) owe.run(id, message)
  })
  for (const [i, url] of to.entries()) void send(url, ids[i] as string)
  return c.json({ entries: sent.entry?.length ?? 1 })
})

app.post('/drain', async (c) => {
  const { count, to } = (await c.req.json()) as { count: number; to: string[] }
  await durably(() => {
    for (let n = 0; n < count; n++) {
      const id = crypto.randomUUID()
      due.push(id)
      owe.run(id, message)
    }
  })
  const hand = async (url: string) => {
    for (let id = due.pop(); id; id = due.pop()) await send(url, id)
  }
  await Promise.all(to.flatMap((url) => Array.from({ length: 4 }, () => hand(url))))
  return c.json({})
})

async function send(url: string, id: string) {
  const answer = await fetch(url, { method: 'POST', headers: { ...json, 'x-request-id': id }, body: message })
  await answer.arrayBuffer()
  await durably(() => settle.run(id))
}

// As long as the gateway keeps a connection, or the bench meets one that is being hung up.
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT), serverOptions: { keepAliveTimeout: 75_000 } })
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0))
