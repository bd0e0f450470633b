/**
 * An index made by the rules of today: after an upgrade that changed what a resource is found by, every resource is given its terms
 * anew. Slice by slice, each of them committed with how far it came, so that it can be interrupted at any moment.
 */
import { termsOf, termsVersion } from '../fhir/search-terms.ts'
import { type Database, type Statement, statement, terms } from './database.ts'
import { columns, dropTerms, readStored, writeTerms } from './resources.ts'

/**
 * @param slice resources of one commit
 * @returns how many resources were looked at now, and whether there are more; 0 and false when the index is of today's rules
 */
export async function renewTerms(database: Database, slice = 200): Promise<{ renewed: number; more: boolean }> {
  const [kept] = await database.query<{ value: string }>(statement(`select value from mark where name = 'terms'`))
  const now = String(termsVersion)
  if (kept?.value === now) return { renewed: 0, more: false }
  // 'to 2 after 1400': on its way to the rules of version 2, past row 1400.
  const after = Number(kept?.value.startsWith(`to ${now} after `) ? kept.value.split(' ').at(-1) : 0)
  const [last] = await database.query<{ row: number | null }>(
    statement('select max("row") as "row" from (select "row" from resource where "row" > ? order by "row" limit ?)', after, slice),
  )
  const upTo = last?.row ?? undefined
  if (upTo === undefined) {
    await database.atomically([setMark(now)])
    return { renewed: 0, more: false }
  }
  const stored = await readStored(
    database,
    statement(`select ${columns} from resource r where r."row" > ? and r."row" <= ? and r.body is not null`, after, upTo),
  )
  await database.atomically([
    ...stored.flatMap(({ body, ...one }): Statement[] =>
      body
        ? [
            dropTerms(one),
            // One that changed meanwhile has its terms by the rules of today already.
            statement(
              'update resource set terms = ? where shelf = ? and type = ? and id = ? and version = ?',
              terms(termsOf(one.shelf, body)),
              ...[one.shelf, one.type, one.id],
              one.version,
            ),
            writeTerms(one),
          ]
        : [],
    ),
    setMark(`to ${now} after ${upTo}`),
  ])
  return { renewed: stored.length, more: true }
}

const setMark = (value: string): Statement =>
  statement(`insert into mark (name, value) values ('terms', ?) on conflict do update set value = excluded.value`, value)
