/**
 * Assertions already used: a `jti` is good once, also across a restart (SMART Backend Services).
 */
import { Conflict, type Driver, statement } from './database.ts'

/**
 * Marks an assertion as used and forgets those that have run out.
 *
 * @param expires after this instant the assertion is refused for its age, so it need not be remembered
 * @returns false when it was used before
 */
export async function useAssertion(database: Driver, client: string, jti: string, expires: Date, now: Date): Promise<boolean> {
  try {
    await database.atomically([
      statement('insert into assertion_used (client, jti, expires) values (?, ?, ?)', client, jti, expires.toISOString()),
      statement('delete from assertion_used where expires < ?', now.toISOString()),
    ])
    return true
  } catch (error) {
    if (error instanceof Conflict) return false
    throw error
  }
}
