/**
 * One change to one person, in one commit: read the situation, let a step change it, look at the whole plan again, write.
 * Somebody else was faster: read again and decide again, on what is so now.
 */
import { Conflict, type Statement } from '../store/database.ts'
import { partOf } from '../store/merges.ts'
import type { Owed } from '../store/owed.ts'
import { learnToldInError } from './agreements.ts'
import { learnAlike, missedAlike } from './alike.ts'
import { type Actor, type Change, startChange } from './change.ts'
import type { Exchange, Hand } from './exchange.ts'
import { changed } from './fence.ts'
import { plan } from './plan.ts'
import { type Situation, situationOf } from './situation.ts'
import { learnUnseen } from './unseen.ts'

const attempts = 20

/**
 * @param change what is to be different; may throw a Refusal, then nothing is written. Called again when somebody was faster
 * @param alongside statements for the same commit (an inbox row, ...)
 * @returns what `change` gave, or undefined when there is no such person
 * @throws Conflict when a unique key of `alongside` is taken, or the same person is changed faster than we can read
 */
export async function amend<Result>(
  exchange: Exchange,
  patient: string,
  actor: Actor,
  change: (under: Change) => Result | Promise<Result>,
  alongside: (result: Result) => Statement[] = () => [],
): Promise<Result | undefined> {
  for (let attempt = 1; ; attempt++) {
    const situation = await situationOf(exchange, patient)
    if (!situation) return undefined
    try {
      return await commit(exchange, [situation], actor, ([under]) => change(under as Change), alongside)
    } catch (error) {
      if (!isRace(error) || attempt === attempts) throw error
    }
  }
}

/** Several people at once (a transaction may name more than one); all of it or none of it. */
export async function commit<Result>(
  exchange: Exchange,
  situations: Situation[],
  actor: Actor,
  change: (under: Change[]) => Result | Promise<Result>,
  alongside: (result: Result) => Statement[] = () => [],
): Promise<Result> {
  const under = situations.map((situation) => startChange(situation, actor))
  const result = await change(under)
  const unseen: Statement[] = []
  for (const one of under) {
    unseen.push(...(await learnUnseen(exchange.database, one, exchange.hmpps !== undefined)))
    await learnToldInError(exchange.database, one.situation)
    await learnAlike(exchange.database, one, under)
    plan(one)
  }
  const held = await takenFor(exchange, under)
  const units = under.map((one) => one.statements())
  const more = alongside(result)
  // Everything is as it was, of people who are known: nothing but their revisions would be written.
  if (more.length + unseen.length === 0 && situations.every(({ revision }, n) => revision !== undefined && units[n]?.length === 1))
    return result
  try {
    await exchange.database.atomically([...units.flat(), ...unseen, ...more])
  } catch (error) {
    for (const { hand } of held) hand.letGo()
    throw error
  }
  changed(
    exchange.database,
    situations.map(({ patient }) => patient),
  )
  for (const { hand, message } of held) hand.send(message)
  if (unseen.length) exchange.look?.()
  const partners = under.flatMap((one) => one.owing()).map(({ message }) => message.partner)
  if (partners.length) exchange.wake([...new Set(partners)])
  for (const one of under) if (await missedAlike(exchange.database, one)) await seekAlike(exchange, one.situation.patient)
  return result
}

const seekAlike = (exchange: Exchange, patient: string): Promise<unknown> =>
  amend(exchange, patient, { who: 'exchange' }, ({ situation }) => {
    situation.seekAlike = true
  })

/** What is owed to a partner with a hand free is leased in the commit that owes it: it leaves without a second one, and without being read again. */
async function takenFor(exchange: Exchange, under: readonly Change[]): Promise<{ hand: Hand; message: Owed }[]> {
  const held: { hand: Hand; message: Owed }[] = []
  for (const one of under)
    for (const { message, first } of one.owing()) {
      const hand = first ? await exchange.take?.(message.partner) : undefined
      if (!hand) continue
      one.hold(message, hand.leaseUntil)
      held.push({ hand, message })
    }
  return held
}

/** A lost race over what we read; anything else (a taken unique key) is for the caller to understand. */
export const isRace = (error: unknown): boolean => error instanceof Conflict && /^(revision|version|owed|event)$/.test(error.what)

/** Nothing is known to have changed but the time: look again. */
export const lookAgain = (exchange: Exchange, patient: string): Promise<unknown> =>
  amend(exchange, patient, { who: 'exchange' }, () => true)

/** The same where the record may have become part of another one meanwhile: that one is looked at. */
export const lookAtWhole = async (exchange: Exchange, patient: string): Promise<unknown> =>
  lookAgain(exchange, (await partOf(exchange.database, patient)) ?? patient)
