/**
 * One attempt at one message, on a decision made at this moment: may everything in it still be told? Nothing leaves on a decision that
 * was overtaken: when something about the person was committed meanwhile, it is decided again.
 *
 * What travels is held back in the same breath as it is handed to `fetch` (`fence.ts`). What another service of this gateway takes in
 * is a commit, and stands or falls with the revision of the person it was decided on, whoever else works on the same database.
 */
import type { Delivery, Fetch } from '../channel.ts'
import { decide } from '../domain/consent.ts'
import type { Partner } from '../domain/directory.ts'
import type { Disclosure } from '../mapping.ts'
import { type Owed, owedBehind } from '../store/owed.ts'
import { type Person, personOf } from '../store/people.ts'
import { lacks } from './basis.ts'
import type { Exchange } from './exchange.ts'
import { watch } from './fence.ts'
import { groundsOf, noGrounds } from './grounds.ts'
import { handOver } from './hand-over.ts'
import { basisOf, permittedStill } from './overriding.ts'

/** An attempt that takes longer than this has no answer. */
export const attemptMs = 30_000

export type Decided = ReturnType<typeof basisOf>

export async function sendIfPermitted(
  exchange: Exchange,
  message: Owed,
  partner: Partner,
): Promise<Decided & ({ delivery: Delivery; refused?: never } | { delivery?: never; refused: string })> {
  for (;;) {
    const watching = watch(exchange.database, [message.patient])
    let overtaken = false
    const fetch: Fetch = (...request) => {
      overtaken = watching.stale()
      return overtaken ? Promise.reject(new Error('decided anew')) : exchange.fetch(...request)
    }
    try {
      const person = partner.channel.name === 'here' ? await personOf(exchange.database, message.patient) : undefined
      const { refused, ...decided } = await decidedAgain(exchange, message, partner)
      const no = refused ?? (await takenBack(exchange, message))
      if (no) return { ...decided, refused: no }
      const delivery = await send(exchange, message, partner, { fetch, ...(person ? { person } : {}) })
      if (!overtaken && delivery !== 'overtaken') return { ...decided, delivery }
    } finally {
      watching.end()
    }
  }
}

/** Asked again, on consent and overrides as they are at this moment: may everything in these frozen bytes still be told? */
async function decidedAgain(exchange: Exchange, message: Owed, partner: Partner): Promise<Decided & { refused?: string }> {
  const told = JSON.parse(message.basis) as Disclosure[]
  if (!told.length) return {}
  const adapter = exchange.adapters.get(partner.kind)
  if (!adapter) return { refused: 'no adapter knows this kind of partner any more' }
  const grounds = (await groundsOf(exchange.database, [message.patient])).get(message.patient)
  const recipient = { partner: partner.id, kind: partner.kind, ...(partner.ods ? { ods: partner.ods } : {}) }
  const decision = decide({ ...noGrounds, ...grounds, recipient, purposeOfUse: adapter.mapping.purposeOfUse, now: exchange.now() })
  const basis = basisOf(decision, told, grounds?.overrides ?? [])
  const no = told.map((one) => permittedStill(decision, one)).find(({ permitted }) => !permitted)
  return no ? { ...basis, refused: no.because } : basis
}

/** What was found out about a fact while this was in hand stands in the message behind it. */
async function takenBack(exchange: Exchange, message: Owed): Promise<string | undefined> {
  const behind = await owedBehind(exchange.database, message)
  return behind.some((row) => lacks(row.basis, message.basis)) ? 'a later message holds less' : undefined
}

/** `person` as they stood when it was decided. */
type DecidedOn = { fetch: Fetch; person?: Person }

async function send(exchange: Exchange, message: Owed, partner: Partner, { fetch, person }: DecidedOn): Promise<Delivery | 'overtaken'> {
  const channel = exchange.channels.get(partner.channel.name)
  const service = exchange.directory().services.get(message.service)
  if (!channel || !service || message.body === undefined) return { outcome: 'rejected', issues: ['no way to reach this partner is set up'] }
  if (channel.name === 'here') return handOver(exchange, message, partner, person)
  const { name: _, ...rest } = partner.channel
  const settings = channel.settings.safeParse({ name: channel.name, ...rest })
  if (!settings.success) return { outcome: 'rejected', issues: ['the settings of its channel are not valid'] }
  try {
    return await channel.send(
      {
        key: message.id,
        correlation: message.correlation,
        body: message.body,
        contentType: 'application/fhir+json',
        from: { name: service.name, ...(service.ods ? { ods: service.ods } : {}) },
        to: { id: partner.id, name: partner.name, ...(partner.ods ? { ods: partner.ods } : {}) },
      },
      { settings: settings.data, fetch, signal: AbortSignal.timeout(attemptMs) },
    )
  } catch {
    // A channel that throws has a fault of its own: nobody knows how far it came.
    return { outcome: 'unavailable', reason: 'the channel failed', unanswered: true }
  }
}
