/**
 * The demo's own addresses: the first page, its files, the messages behind it, and the summary. No token: everybody in it is invented.
 */
import { readFileSync } from 'node:fs'
import type { Hono } from 'hono'
import { given } from '../domain/resources.ts'
import type { Open } from '../exchange/open.ts'
import { refuse } from '../fhir/outcome.ts'
import type { Asked, Door } from '../http/context.ts'
import { route } from '../http/route.ts'
import { owedCounts } from '../store/owed.ts'
import type { Agenda } from './agenda.ts'
import { type PartnerId, partnerIds } from './directory.ts'
import { inboxView } from './inbox-view.ts'
import type { Journal } from './journal.ts'
import type { Office } from './office.ts'
import { type PageView, page } from './page.ts'
import { peopleView } from './person-view.ts'
import { summaryOf } from './summary.ts'
import type { Moment } from './turning.ts'
import type { Known } from './world.ts'

export type DemoParts = {
  open: Open
  everybody: readonly Known[]
  offices: ReadonlyMap<PartnerId, Office>
  journal: Journal
  agenda: Agenda
  next: () => Promise<Moment | undefined>
}

/** Nothing but our own files; no inline script, no inline style, no frame. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

export function demoRoutes(app: Hono<Door>, parts: DemoParts) {
  const { exchange } = parts.open
  const file = (name: string, type: string) => {
    const text = readFileSync(new URL(`browser/${name}`, import.meta.url), 'utf8')
    route(app, `/demo/${name}`, { GET: (c) => c.body(text, 200, { 'Content-Type': `${type}; charset=utf-8` }) })
  }
  file('page.css', 'text/css')
  file('page.js', 'text/javascript')

  route(app, '/', {
    GET: async (c) => c.html(String(await page(await pageView(parts))), 200, { 'Content-Security-Policy': policy }),
  })

  route(app, '/demo/summary', {
    GET: async (c) => c.json(summaryOf(exchange.now(), await peopleView(exchange, parts.everybody), await owedCounts(exchange.database))),
  })

  route(app, '/demo/messages/:partner/:id', { GET: (c) => message(c, parts) })
}

async function pageView({ open: { exchange }, everybody, offices, journal, agenda, next }: DemoParts): Promise<PageView> {
  const people = await peopleView(exchange, everybody)
  const inboxes = await Promise.all(
    partnerIds.flatMap((id) => {
      const office = offices.get(id)
      return office ? [inboxView(exchange, id, office)] : []
    }),
  )
  return {
    url: exchange.publicUrl,
    now: exchange.now(),
    next: await next(),
    lines: journal.recent(),
    turned: journal.hasTurned(),
    people: people.flatMap((view) => {
      const person = everybody.find(({ patient }) => patient === view.patient)?.person
      const lines = journal.lines.filter((line) => line.person === view.name)
      const next = earliest(view.next, agenda.next(view.name))
      return person ? [{ person, view, lines, ...given('next', next) }] : []
    }),
    inboxes,
  }
}

const earliest = (...moments: (Moment | undefined)[]): Moment | undefined =>
  moments.filter((one) => one !== undefined).sort((a, b) => (a.at < b.at ? -1 : 1))[0]

function message(c: Asked, { offices }: DemoParts): Response {
  const letter = offices.get(c.req.param('partner') as PartnerId)?.inbox.find(({ id }) => id === c.req.param('id'))
  if (!letter) throw refuse(404, 'not-found', 'There is no such message in this inbox.')
  return c.json(letter.bundle)
}
