/**
 * What is done with keys: all of them wrapped anew by another master key, and one of them destroyed with the person it belongs to.
 */

import { recordAudit } from './audit.ts'
import { type Database, type Driver, mustChange, type Statement, statement } from './database.ts'
import { openKeyring } from './keyring.ts'
import { termsWhere } from './resources.ts'

const atOnce = 500

/**
 * Wraps every key with the first of the master keys, while the gateway works on: what is sealed stays as it is. The gateway must
 * know the new master key before, and may forget the former ones after.
 *
 * @returns how many keys were wrapped anew; the rest were already
 * @throws KeyUnknown when a key was wrapped by none of them
 */
export async function rotateKeys(driver: Driver, masterKeys: readonly Uint8Array[]): Promise<{ rotated: number; kept: number }> {
  const keyring = openKeyring(masterKeys)
  const count = { rotated: 0, kept: 0 }
  for (let after = ''; ; ) {
    const rows = await driver.query<{ holder: string; wrapped: Uint8Array }>(
      statement('select holder, wrapped from holder_key where holder > ? and wrapped is not null order by holder limit ?', after, atOnce),
    )
    const last = rows.at(-1)
    if (!last) return count
    after = last.holder
    const fresh = rows.flatMap(({ holder, wrapped }) => {
      const again = keyring.rewrap(holder, wrapped)
      return again ? [statement('update holder_key set wrapped = ? where holder = ? and wrapped = ?', again, holder, wrapped)] : []
    })
    if (fresh.length > 0) await driver.atomically(fresh)
    count.rotated += fresh.length
    count.kept += rows.length - fresh.length
  }
}

/**
 * Tries every key there is, and writes nothing.
 *
 * @returns how many opened
 * @throws KeyUnknown when one was wrapped by none of these master keys, Altered when one was changed
 */
export async function tryKeys(driver: Driver, masterKeys: readonly Uint8Array[]): Promise<number> {
  const keyring = openKeyring(masterKeys)
  const rows = await driver.query<{ holder: string; wrapped: Uint8Array }>(
    statement('select holder, wrapped from holder_key where wrapped is not null'),
  )
  for (const { holder, wrapped } of rows) keyring.unwrap(holder, wrapped)
  return rows.length
}

/** Who destroys it, when, why (a code), and under which id that stands in the audit. `revision`: only if nothing changed since. */
export type Erasure = {
  patient: string
  who: string
  at: string
  auditId: string
  action?: 'erase' | 'destroy'
  reason?: string
  revision?: number
}

/**
 * Erases people, all of them or none (a record and what was merged into it): destroys their keys, so that what was sealed for them is
 * noise wherever it was copied to, and takes what stood here of them. Ids, times and codes stay, and the audit that it happened.
 *
 * @throws Conflict('legal hold') when something forbids it, or there is nobody to erase
 */
export async function erase(database: Database, ...people: readonly Erasure[]): Promise<void> {
  await database.atomically(people.flatMap(erasing))
  for (const { patient } of people) database.forget(patient)
}

const erasing = ({ patient, who, at, auditId, action = 'erase', reason, revision }: Erasure): Statement[] => [
  mustChange(
    'legal hold',
    statement(
      `update person set erased_at = ?, revision = revision + 1
       where id = ? and erased_at is null and legal_hold is null and revision = coalesce(?, revision)`,
      at,
      patient,
      revision ?? null,
    ),
  ),
  statement(
    'insert into holder_key (holder, destroyed_at) values (?, ?) on conflict do update set wrapped = null, destroyed_at = excluded.destroyed_at',
    patient,
    at,
  ),
  statement(`delete from search where (term, resource) in (${termsWhere('patient = ?')})`, patient),
  statement('update resource set body = null, terms = null, version = version + 1, last_updated = ? where patient = ?', at, patient),
  statement('delete from resource_version where patient = ?', patient),
  // Written while the record was part of another one, under that one's key.
  statement('delete from resource_version where (shelf, type, id) in (select shelf, type, id from resource where patient = ?)', patient),
  ...asPartOfOthers(patient),
  statement('delete from attempt where owed in (select id from owed where patient = ?)', patient),
  statement('delete from owed_text where id in (select id from owed where patient = ?)', patient),
  statement(
    `update owed set note = null, receipt = null, lease_until = null,
       state = case when state in ('due', 'sending', 'parked') then 'void' else state end where patient = ?`,
    patient,
  ),
  statement('update work_item set words = null, resolved_at = coalesce(resolved_at, ?) where patient = ?', at, patient),
  statement(`update override set body = x'', review = null, document = null where patient = ?`, patient),
  statement('delete from timer where patient = ?', patient),
  statement(`update event set body = null, state = 'done' where patient = ?`, patient),
  // In clear, or it would be noise as well; it says nothing about the person.
  recordAudit([{ id: auditId, at, action, who, patient, ...(reason ? { basis: reason } : {}) }]),
]

/**
 * While a record was one with others it is two with now, what was written of those may be about this person: earlier versions, messages,
 * events. They stand under the others' keys, so they are taken out.
 */
function asPartOfOthers(patient: string): Statement[] {
  const joined = `with recursive joined(id) as (select ? union
      select case when m.source = j.id then m.target else m.source end from joined j
        join merge m on (m.source = j.id or m.target = j.id) and m.state = 'undone')`
  const others = `patient in (select id from joined where id <> ?)`
  const then = (when: string) =>
    `exists (select 1 from merge m where m.state = 'undone' and m.source in (select id from joined) and ${when} >= m.at and ${when} < m.undone_at)`
  return [
    statement(`${joined} delete from resource_version where ${others} and ${then('last_updated')}`, patient, patient),
    statement(
      `${joined} delete from owed_text where id in (select id from owed where ${others} and state in ('delivered', 'void') and ${then('created_at')})`,
      patient,
      patient,
    ),
    statement(`${joined} update event set body = null where ${others} and state <> 'due' and ${then('at')}`, patient, patient),
  ]
}

/** Forbids erasing a person, for a reason in a code, or allows it again. Nobody there: `Conflict('person')`. */
export const hold = (patient: string, reason: string | null) =>
  mustChange('person', statement('update person set legal_hold = ? where id = ? and erased_at is null', reason, patient))
