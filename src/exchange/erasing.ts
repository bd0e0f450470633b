/**
 * The end of a record: whose time has come, what stands in the way, and the erasing itself.
 *
 * Erasing empties every shelf, so it comes last: first the person's agreement is withdrawn, which empties the partners' shelves and tells
 * them to stop, then those notices arrive. While anybody is still being told or asked something, erasing is refused with the reason.
 */
import type { Task } from '@medplum/fhirtypes'
import { v7 as newId } from 'uuid'
import { today } from '../domain/calendar.ts'
import { isOpen } from '../domain/handover.ts'
import { heldIn, type Retention, retentionOf, type Years } from '../domain/retention.ts'
import { recordAudit } from '../store/audit.ts'
import { Conflict, type Database } from '../store/database.ts'
import { erase, hold } from '../store/keys.ts'
import { mergedInto, partOf } from '../store/merges.ts'
import { owedOfPatient } from '../store/owed.ts'
import { recordOf, shelvesOf } from '../store/resources.ts'
import { everythingOf, type Kept, keepUntil, peopleKept, personKept, untouchedSince } from '../store/retention.ts'
import type { Clock } from './exchange.ts'
import { changed } from './fence.ts'
import { serviceShelf } from './situation.ts'
import { isHandover } from './task.ts'

export type Due = Retention & { patient: string; service: string; legalHold?: string }
type Where = { database: Database; now: Clock; years: Years }
/** Who decided, and why: a name or role of staff and a code, both kept in clear. */
export type Decided = { by: string; reason: string }

const atOnce = 200

/** Everybody whose record has come to the end of its time, and whom nobody decided to keep for longer. */
export async function dueForReview(where: Where): Promise<Due[]> {
  const { database, now, years } = where
  const shortest = Math.min(...Object.values(years))
  const before = new Date(now())
  before.setUTCFullYear(before.getUTCFullYear() - shortest)
  const due: Due[] = []
  for (let after = ''; ; ) {
    const people = await peopleKept(database, after, atOnce)
    for (const person of await untouchedSince(database, people, before.toISOString())) {
      const retention = await retentionFor(where, person)
      if (isDue(where, person, retention)) due.push({ patient: person.id, service: person.service, ...retention, ...held(person) })
    }
    const last = people.at(-1)
    if (!last || people.length < atOnce) return due.sort((a, b) => (a.dueOn < b.dueOn ? -1 : 1))
    after = last
    // Others may have their turn: nobody waits for this.
    await new Promise((done) => setTimeout(done, 0))
  }
}

const held = ({ legalHold }: Kept) => (legalHold ? { legalHold } : {})
const isDue = ({ now }: Where, { keepUntil: until }: Kept, { dueOn }: Retention): boolean =>
  dueOn <= today(now()) && (until === null || until <= today(now()))

async function retentionFor({ database, years }: Where, { id, service, lastTouched }: Kept): Promise<Retention> {
  const resources = await everythingOf(database, serviceShelf(service), id)
  // Nothing written at all: the first of all dates.
  return retentionOf(heldIn(resources, lastTouched ? today(new Date(lastTouched)) : '1970-01-01'), years)
}

export type Outcome = { outcome: 'done' } | { outcome: 'refused'; because: string[] } | { outcome: 'unknown' }

/**
 * What stands in the way of erasing this person now, as sentences.
 *
 * @param shelves of partners: empty already, or emptied without a word
 */
async function obstacles(
  database: Database,
  { id, service, legalHold }: Kept,
  shelves: 'must be empty' | 'are emptied',
): Promise<string[]> {
  const because: string[] = []
  if (legalHold) because.push(`There is a legal hold (${legalHold}): release it first, if whoever set it agrees.`)
  const waiting = (await owedOfPatient(database, id)).filter(({ state }) => /^(due|sending|parked)$/.test(state))
  if (waiting.length > 0)
    because.push(`Messages about this person are on their way or parked: ${waiting.length}. Let them arrive, or settle them (\`owed\`).`)
  const handovers = (await recordOf(database, serviceShelf(service), id)).filter(
    (resource): resource is Task => resource.resourceType === 'Task' && isHandover(resource),
  )
  const open = handovers.filter(({ status }) => status !== 'draft' && isOpen(status))
  if (open.length > 0) because.push(`Handovers are open: ${open.length}. Close them, or record that the person withdraws their consent.`)
  if (shelves === 'are emptied') return because
  const readers = new Set(
    (await shelvesOf(database, id)).flatMap(({ shelf, type, basis }) =>
      shelf.startsWith('partner:') && type !== 'Task' && type !== 'ServiceRequest' && basis !== undefined
        ? [shelf.slice('partner:'.length)]
        : [],
    ),
  )
  if (readers.size > 0)
    because.push(
      `Partners can still read about this person: ${[...readers].sort().join(', ')}. Record that the person withdraws their consent: they are told to stop.`,
    )
  return because
}

/** Erases at somebody's wish or order, whatever the record's time. */
export const eraseNow = (where: Where, patient: string, decided: Decided): Promise<Outcome> =>
  erasing(where, patient, decided, 'erase', async (person) => obstacles(where.database, person, 'must be empty'))

/** Destroys a record whose time has come. Whom a partner could read about for so long needs no notice: its shelf is emptied. */
export const destroy = (where: Where, patient: string, decided: Decided): Promise<Outcome> =>
  erasing(where, patient, decided, 'destroy', async (person) => {
    const retention = await retentionFor(where, person)
    if (!isDue(where, person, retention)) {
      const until = [retention.dueOn, person.keepUntil ?? ''].sort().at(-1)
      return [`The record is kept until ${until} (${retention.why}). \`erase\` is for what can not wait.`]
    }
    return obstacles(where.database, person, 'are emptied')
  })

async function erasing(
  { database, now }: Where,
  patient: string,
  { by, reason }: Decided,
  action: 'erase' | 'destroy',
  inTheWay: (person: Kept) => Promise<string[]>,
): Promise<Outcome> {
  const person = await personKept(database, patient)
  if (!person) return { outcome: 'unknown' }
  const whole = await partOf(database, patient)
  if (whole)
    return {
      outcome: 'refused',
      because: [`This record is part of Patient/${whole}: that one is erased with it, or first the merge undone ($unmerge).`],
    }
  // What was merged into this record goes with it: older versions and messages of it stand under a key of their own.
  const parts = await Promise.all((await mergedInto(database, patient)).map((one) => personKept(database, one)))
  const all = [...parts.flatMap((one) => one ?? []), person]
  const because = [
    ...(await inTheWay(person)),
    ...(await Promise.all(parts.flatMap((one) => (one ? [obstacles(database, one, 'must be empty')] : [])))).flat(),
  ]
  if (because.length > 0) return { outcome: 'refused', because }
  const at = now().toISOString()
  try {
    await erase(database, ...all.map(({ id, revision }) => ({ patient: id, who: by, at, auditId: newId(), action, reason, revision })))
  } catch (error) {
    if (error instanceof Conflict && error.what === 'legal hold')
      return { outcome: 'refused', because: ['Something about this person changed at this moment. Look again.'] }
    throw error
  }
  changed(
    database,
    all.map(({ id }) => id),
  )
  return { outcome: 'done' }
}

/** Sets a legal hold, or releases it: `reason` is null then. While it holds, nothing of the person is erased or destroyed. */
export async function setHold({ database, now }: Where, patient: string, by: string, reason: string | null): Promise<boolean> {
  const person = await personKept(database, patient)
  if (!person) return false
  const action = reason === null ? 'hold-release' : 'hold'
  const basis = reason ?? person.legalHold ?? undefined
  await database.atomically([
    hold(patient, reason),
    recordAudit([{ id: newId(), at: now().toISOString(), action, who: by, service: person.service, patient, ...(basis ? { basis } : {}) }]),
  ])
  return true
}

/** Somebody looked and decided to keep the record, until a calendar date. */
export async function keepFor({ database, now }: Where, patient: string, until: string, { by, reason }: Decided): Promise<boolean> {
  const person = await personKept(database, patient)
  if (!person) return false
  await database.atomically([
    keepUntil(patient, until),
    recordAudit([
      {
        id: newId(),
        at: now().toISOString(),
        action: 'keep',
        who: by,
        service: person.service,
        patient,
        basis: reason,
        detail: JSON.stringify({ until }),
      },
    ]),
  ])
  return true
}
