/**
 * One row a person: its revision orders every commit about that person.
 */
import { type Database, mustChange, type Statement, statement } from './database.ts'

export type Person = { id: string; service: string; revision: number }

/** Absent for somebody nobody knows, and for somebody who was erased. */
export async function personOf(database: Database, id: string): Promise<Person | undefined> {
  const [row] = await database.query<Person>(statement('select id, service, revision from person where id = ? and erased_at is null', id))
  return row
}

/** @param id logical id of the Patient; taken already: `Conflict('person.id')` */
export const newPerson = (id: string, service: string): Statement =>
  statement('insert into person (id, service, revision) values (?, ?, 1)', id, service)

/** Raises the revision that was read, or undoes the unit: `Conflict('revision')`. */
export const nextRevision = (id: string, revision: number): Statement =>
  mustChange('revision', statement('update person set revision = revision + 1 where id = ? and revision = ?', id, revision))
