/**
 * What is on its way to a partner for too long: each service it concerns is asked to look, until nothing of it is that old.
 *
 * Retrying goes on meanwhile. This is for what no single message says: a partner that is down, or a pause somebody forgot.
 */
import { v7 as newId } from 'uuid'
import { onItsWay, servicesOwing } from '../store/owed.ts'
import { openOfServices, openWorkItem, resolveWorkItem } from '../store/work-items.ts'
import type { Exchange } from './exchange.ts'

/** Ours, not NHS England's: half a working day, so that somebody hears of it before the offices close. */
export const lateMs = 4 * 3_600_000

const reason = 'partner-late'

/** Opens and resolves these work items, so that they say what is so now. Nothing changed: nothing is written. */
export async function noticeLateness(exchange: Exchange): Promise<void> {
  const { database, directory } = exchange
  const now = exchange.now()
  const before = new Date(now.getTime() - lateMs).toISOString()
  const late = new Map<string, { service: string; partner: string }>()
  for (const { partner, since } of await onItsWay(database)) {
    if (since > before) continue
    for (const service of await servicesOwing(database, partner, before)) late.set(`${service} ${about(partner)}`, { service, partner })
  }
  const open = await openOfServices(database, reason)
  const asked = new Set(open.map((item) => `${item.service} ${item.about}`))
  const unit = [
    ...open.filter((item) => !late.has(`${item.service} ${item.about}`)).map(({ id }) => resolveWorkItem(id, now.toISOString())),
    ...[...late]
      .filter(([key]) => !asked.has(key))
      .map(([, { service, partner }]) => {
        const words = wordsFor(directory().partners.get(partner)?.name ?? partner)
        return openWorkItem({ id: newId(), service, about: about(partner), reason, words, openedAt: now.toISOString() })
      }),
  ]
  if (unit.length > 0) await database.atomically(unit)
}

/** When something will next have been on its way for too long; what is late already does not count. */
export async function nextLateness({ database, now }: Pick<Exchange, 'database' | 'now'>): Promise<string | undefined> {
  const at = now().toISOString()
  const moments = (await onItsWay(database)).map(({ since }) => new Date(new Date(since).getTime() + lateMs).toISOString())
  return moments.filter((moment) => moment > at).sort()[0]
}

const about = (partner: string): string => `late:${partner}`
const wordsFor = (name: string): string =>
  `Messages to ${name} have been waiting for more than four hours. Phone them about anybody who can not wait, and ask whoever runs the exchange what is wrong.`
