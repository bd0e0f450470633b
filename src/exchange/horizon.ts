/**
 * The bank holidays we know of come to an end, and working days counted beyond it would leave out weekends only: each service has a work
 * item long before, until a newer version knows more. Nobody is silently told a wrong day.
 */
import { v7 as newId } from 'uuid'
import { bankHolidaysKnownUntil, bankHolidaysRunOut, today } from '../domain/calendar.ts'
import { longDate } from '../domain/words.ts'
import { openOfServices, openWorkItem, resolveWorkItem } from '../store/work-items.ts'
import type { Exchange } from './exchange.ts'

const reason = 'bank-holidays'
/** Asked once for each run of the program that knows enough: only a newer version makes it so. */
const settled = new WeakSet<object>()

export async function noticeHorizon(exchange: Pick<Exchange, 'database' | 'directory' | 'now'>): Promise<void> {
  const { database, directory } = exchange
  const now = exchange.now()
  const runOut = bankHolidaysRunOut(today(now))
  if (!runOut && settled.has(database)) return
  const open = await openOfServices(database, reason)
  const at = now.toISOString()
  if (!runOut) {
    settled.add(database)
    if (open.length) await database.atomically(open.map(({ id }) => resolveWorkItem(id, at)))
    return
  }
  settled.delete(database)
  const asked = new Set(open.map(({ service }) => service))
  const words = `Bank holidays are known until ${longDate(bankHolidaysKnownUntil)}, and dates after that are already being counted: working days then leave out weekends only. Ask whoever runs the exchange to install a newer version.`
  const missing = [...directory().services.keys()].filter((service) => !asked.has(service))
  if (missing.length)
    await database.atomically(missing.map((service) => openWorkItem({ id: newId(), service, about: reason, reason, words, openedAt: at })))
}
