/**
 * What is done once a night: what has done its job is taken out, and whoever decides is asked to look at records whose time has come.
 * What is old stands in the database, so a night that is late, skipped or repeated changes nothing.
 *
 * Taken out: answers kept for repeated requests, events about nobody here, and the text of messages that arrived or became void. Kept for as long as the record: every
 * version of it, what each message disclosed, how each attempt ended, and the ids of message Bundles that were taken.
 */
import { v7 as newId } from 'uuid'
import type { Years } from '../domain/retention.ts'
import { purgeReceived } from '../store/inbox.ts'
import { emptyMessages } from '../store/retention.ts'
import { purgeUnseen } from '../store/unseen-events.ts'
import { openOfServices, openWorkItem, resolveWorkItem } from '../store/work-items.ts'
import { dueForReview } from './erasing.ts'
import type { Exchange } from './exchange.ts'

export type Keeping = { years: Years; messagesDays: number; answersDays: number; eventsDays: number }
export type Tidied = { answers: number; messages: number; review: number }

const atOnce = 500
const dayMs = 86_400_000
const reason = 'retention-review'

export async function keepHouse(exchange: Exchange, { years, messagesDays, answersDays, eventsDays }: Keeping): Promise<Tidied> {
  const { database, now } = exchange
  const ago = (days: number) => new Date(now().getTime() - days * dayMs).toISOString()

  let answers = 0
  for (let more = true; more; await pause()) {
    const [gone] = await database.atomically([purgeReceived(ago(answersDays), atOnce)])
    answers += gone?.length ?? 0
    more = gone?.length === atOnce
  }
  for (let more = true; more; await pause()) {
    const [, gone] = await database.atomically(purgeUnseen(ago(eventsDays), atOnce))
    more = gone?.length === atOnce
  }
  let messages = 0
  for (let after = 0; ; await pause()) {
    const slice = await emptyMessages(database, ago(messagesDays), now().toISOString(), after, atOnce)
    if (!slice) break
    messages += slice.emptied
    after = slice.upTo
  }
  const due = await dueForReview({ database, now, years })
  await askForReview(exchange, new Set(due.map(({ service }) => service)))
  return { answers, messages, review: due.length }
}

/** Requests come first: every slice is a moment's work, and between two of them others have their turn. */
const pause = () => new Promise((done) => setTimeout(done, 0))

/** One work item at each service that has something to look at, until it has not. */
async function askForReview({ database, now }: Exchange, services: ReadonlySet<string>): Promise<void> {
  const at = now().toISOString()
  const open = await openOfServices(database, reason)
  const unit = [
    ...open.filter(({ service }) => !services.has(service)).map(({ id }) => resolveWorkItem(id, at)),
    ...[...services]
      .filter((service) => !open.some((item) => item.service === service))
      .map((service) => openWorkItem({ id: newId(), service, about: 'retention', reason, words, openedAt: at })),
  ]
  if (unit.length > 0) await database.atomically(unit)
}

const words =
  'Records have come to the end of the time they are kept. Look at each and decide: destroy it, or keep it for longer. Whoever runs the exchange has the list (`retention due`).'
