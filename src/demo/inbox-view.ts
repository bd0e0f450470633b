/**
 * What a simulated partner has received, as the first page shows it.
 */
import type { Bundle } from '@medplum/fhirtypes'
import type { Exchange } from '../exchange/exchange.ts'
import { owedById, owedOfTask } from '../store/owed.ts'
import type { PartnerId } from './directory.ts'
import type { Letter, Office } from './office.ts'
import { shortName } from './partners.ts'
import { toldWords } from './told.ts'
import { type Written, writtenIn } from './written.ts'

export type LetterView = Pick<Letter, 'id' | 'at' | 'news' | 'person'> & {
  /** Categories, in the exchange's words: the partner itself sees only the message. */
  told: string[]
  asks?: string
  written: Written[]
}
export type InboxView = { partner: PartnerId; name: string; kind: string; pulls: boolean; letters: LetterView[] }

/** The newest letter first. */
export async function inboxView(exchange: Exchange, id: PartnerId, { inbox }: Office): Promise<InboxView> {
  const partner = exchange.directory().partners.get(id)
  return {
    partner: id,
    name: shortName(partner?.name ?? id),
    kind: (partner && exchange.adapters.get(partner.kind)?.name) ?? 'Partner',
    pulls: partner?.channel.name === 'pull',
    letters: await Promise.all(inbox.map((letter) => letterView(exchange, letter))),
  }
}

async function letterView(exchange: Exchange, { id, at, news, pulled, task, person, bundle }: Letter): Promise<LetterView> {
  // What was fetched has the content of the shelf, which is what would have been sent last.
  const owed = pulled ? (await owedOfTask(exchange.database, task)).at(-1) : await owedById(exchange.database, id)
  const asks = activityIn(bundle)
  return {
    id,
    at,
    news,
    person,
    told: owed ? toldWords(JSON.parse(owed.basis)) : [],
    ...(asks ? { asks } : {}),
    written: writtenIn(bundle),
  }
}

function activityIn(bundle: Bundle): string | undefined {
  for (const { resource } of bundle.entry ?? []) {
    if (resource?.resourceType === 'CarePlan') return resource.activity?.[0]?.detail?.description
  }
  return undefined
}
