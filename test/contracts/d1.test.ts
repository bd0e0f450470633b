import { applyD1Migrations, env, reset } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import { parseSearch } from '../../src/fhir/search.ts'
import { sealAudit } from '../../src/store/audit-seal.ts'
import { verifyAudit } from '../../src/store/audit-verify.ts'
import { openD1 } from '../../src/store/d1.ts'
import { statement } from '../../src/store/database.ts'
import { owedIn } from '../../src/store/owed.ts'
import type { Person } from '../../src/store/people.ts'
import { renewTerms } from '../../src/store/renew-terms.ts'
import { readResource } from '../../src/store/resources.ts'
import { openStore } from '../../src/store/sealed.ts'
import { searchShelf } from '../../src/store/search.ts'
import { words } from '../fixtures/case-bundle.ts'
import { openGateway } from '../fixtures/gateway.ts'
import { auditSealContract } from './audit-seal-contract.ts'
import { keepingContract } from './keeping-contract.ts'
import { reconcileContract } from './reconcile-contract.ts'
import { searchContract } from './search-contract.ts'
import { storeContract } from './store-contract.ts'

/** An empty database with every migration applied. Emptied rather than made anew for each test: D1 takes its time over tables. */
async function emptied() {
  await applyD1Migrations(env.DB, env.MIGRATIONS)
  const driver = openD1(env.DB)
  const tables = await driver.query<{ name: string }>(
    statement(`select name from sqlite_master where type = 'table' and name not in ('guard', 'd1_migrations')
      and name not like 'sqlite\\_%' escape '\\' and name not like '\\_cf\\_%' escape '\\'`),
  )
  await driver.atomically(tables.map(({ name }) => statement(`delete from "${name}"`)))
  return driver
}
const open = async () => openStore(await emptied(), [new Uint8Array(32).fill(9)])

storeContract('D1', open)
searchContract('D1', open)
keepingContract('D1', open)
auditSealContract('D1', open)
reconcileContract('D1', async (at, beside) =>
  openGateway({ database: beside ? openD1(env.DB) : await emptied(), migrated: true, ...(at ? { at } : {}) }),
)

describe.each(['0000', '0001'] as const)('D1: a database with migration %s as its last', (version) => {
  test('is migrated, read, found by today’s rules and verified', async () => {
    await reset()
    const driver = openD1(env.DB)
    for (let n = 0; n < env.RELEASED[version].length; n += 50)
      await driver.atomically(env.RELEASED[version].slice(n, n + 50).map((one) => statement(one)))
    await applyD1Migrations(env.DB, env.MIGRATIONS)
    const database = await openStore(driver, [new Uint8Array(32).fill(9)])
    while ((await renewTerms(database, 50)).more);
    const [person] = await database.query<Person>(statement('select id, service, revision from person where erased_at is null'))
    const { id, service } = person as Person
    const shelf = `service:${service}`
    expect((await readResource(database, shelf, 'Patient', id))?.body).toMatchObject({ name: [{ family: words.identity }] })
    const query = parseSearch('Patient', new URLSearchParams({ family: words.identity.slice(0, 8) }))
    expect((await searchShelf(database, shelf, query)).matches.map((one) => one.id)).toEqual([id])
    expect((await owedIn(database, 'delivered')).map(({ body }) => body !== undefined)).toContain(true)
    await sealAudit(database, new Date())
    expect(await verifyAudit(database)).toMatchObject({ found: 0, unsealed: 0 })
  })
})
