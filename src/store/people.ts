/**
 * One row a person: its revision orders every commit about that person.
 */
import { type Database, mustChange, type Statement, statement } from './database.ts'

/** `joined`: something was decided about this record and another one (merges.ts). */
export type Person = { id: string; service: string; revision: number; joined?: true }

/** Absent for somebody nobody knows, and for somebody who was erased. */
export async function personOf(database: Database, id: string): Promise<Person | undefined> {
  const [row] = await database.query<Omit<Person, 'joined'> & { joined: number }>(
    statement(
      `select p.id, p.service, p.revision,
         exists (select 1 from merge m where m.source = p.id) or exists (select 1 from merge m where m.target = p.id) as joined
       from person p where p.id = ? and p.erased_at is null`,
      id,
    ),
  )
  if (!row) return undefined
  const { joined, ...person } = row
  return joined ? { ...person, joined: true } : person
}

/** @param id logical id of the Patient; taken already: `Conflict('person.id')` */
export const newPerson = (id: string, service: string): Statement =>
  statement('insert into person (id, service, revision) values (?, ?, 1)', id, service)

/** Raises the revision that was read, or undoes the unit: `Conflict('revision')`. */
export const nextRevision = (id: string, revision: number): Statement =>
  mustChange('revision', statement('update person set revision = revision + 1 where id = ? and revision = ?', id, revision))

/** Undoes the unit when this person is no longer as they were read: `Conflict('overtaken')`. */
export const unlessOvertaken = ({ id, revision }: Person): Statement =>
  mustChange('overtaken', statement('update person set revision = revision where id = ? and revision = ?', id, revision))
