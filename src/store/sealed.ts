/**
 * The store around a driver: what is marked as sealed is sealed on its way in, what can be searched for is hashed, and both only here.
 *
 * Every holder (a person, or the shelf of what is about nobody) has a key of its own in table `holder_key`, wrapped by the master
 * key and made with the first thing that is sealed for it. Keys in use are kept in memory for a minute, so that one destroyed by
 * another process is not used for long.
 */
import type { KeyObject } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { refuse } from '../fhir/outcome.ts'
import {
  Conflict,
  type Database,
  type Driver,
  type Plain,
  type Sealed,
  type SealedBytes,
  type Statement,
  type StatementOf,
  statement,
  termBytes,
  type Value,
} from './database.ts'
import { keyedHash, openKeyring, seal, unseal } from './keyring.ts'
import { signerOf } from './signing.ts'

const mostKeys = 20_000
const keysMs = 60_000
/** Holds the key of everything that is searched. */
const indexHolder = 'index'
/** Holds the seed of what signs the audit. Apart from 'audit', which holds what its rows about nobody are sealed with. */
const signingHolder = 'audit seal'

type Key = KeyObject | 'destroyed'
type Fresh = { holder: string; key: KeyObject; wrapped: Uint8Array }

/**
 * @param driver with every migration applied
 * @param masterKeys 32 bytes each, the present one first
 * @throws KeyUnknown when the database was sealed with another master key
 */
export async function openStore<D extends Driver>(driver: D, masterKeys: readonly Uint8Array[]): Promise<Omit<D, keyof Driver> & Database> {
  const keyring = openKeyring(masterKeys)
  const held = new LRUCache<string, Key>({ max: mostKeys, ttl: keysMs })

  /** The keys of these holders, as far as there are any. */
  const keysOf = (holders: ReadonlySet<string>): Map<string, Key> | Promise<Map<string, Key>> => {
    const keys = new Map<string, Key>()
    const missing: string[] = []
    for (const holder of holders) {
      const key = held.get(holder)
      if (key) keys.set(holder, key)
      else missing.push(holder)
    }
    return missing.length === 0 ? keys : loaded(missing, keys)
  }
  const loaded = async (missing: readonly string[], keys: Map<string, Key>): Promise<Map<string, Key>> => {
    for (const { holder, wrapped } of await wrappedKeys(driver, missing)) {
      const key = wrapped === null ? 'destroyed' : keyring.unwrap(holder, wrapped)
      held.set(holder, key)
      keys.set(holder, key)
    }
    return keys
  }
  const madeFor = (holders: ReadonlySet<string>, keys: Map<string, Key>): Fresh[] => {
    const fresh: Fresh[] = []
    for (const holder of holders) {
      const known = keys.get(holder)
      if (known === 'destroyed') throw refuse(410, 'deleted', 'This person was erased.')
      if (known) continue
      const made = keyring.newKey(holder)
      keys.set(holder, made.key)
      fresh.push({ holder, ...made })
    }
    return fresh
  }
  const index = await ownKey(indexHolder)
  const termOf = keyedHash(index, termBytes)

  const written = (unit: readonly Statement[], keys: ReadonlyMap<string, Key>): StatementOf<Plain>[] => {
    const sealedBytes = ({ seal: text, holder, place }: Sealed) => seal(keys.get(holder) as KeyObject, place, text)
    const plain = (value: Value): Plain => {
      if (isPlain(value)) return value
      if ('seal' in value) return sealedBytes(value)
      if ('terms' in value) return Buffer.from(value.terms.map(termOf).join(''), 'hex')
      const rows = value.rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, each]) => [name, hexed(each)])))
      return JSON.stringify(rows)
    }
    const hexed = (each: string | Sealed | undefined) => (typeof each === 'object' ? Buffer.from(sealedBytes(each)).toString('hex') : each)
    return unit.map((one) => ({ ...one, params: one.params.map(plain) }))
  }

  const write = async (unit: readonly Statement[], triesLeft: number): Promise<unknown[][]> => {
    const holders = holdersIn(unit)
    const keys = keysOf(holders)
    // Not awaited when all keys are at hand: what comes in one turn goes out in one.
    const known = keys instanceof Promise ? await keys : keys
    const fresh = madeFor(holders, known)
    try {
      const rows = await driver.atomically([...fresh.map(keepKey), ...written(unit, known)])
      for (const { holder, key } of fresh) held.set(holder, key)
      return rows.slice(fresh.length)
    } catch (error) {
      const takenMeanwhile = error instanceof Conflict && error.what === 'holder_key.holder'
      if (takenMeanwhile && triesLeft > 0) return write(unit, triesLeft - 1)
      throw error
    }
  }

  /** A key of the database itself, made by whoever is the first to need it. */
  async function ownKey(holder: string): Promise<KeyObject> {
    const known = await findKey(holder)
    if (known) return known
    const made = keyring.newKey(holder)
    await driver.atomically([{ ...keepKey({ holder, ...made }), sql: `${keeping} on conflict do nothing` }])
    return (await findKey(holder)) as KeyObject
  }
  async function findKey(holder: string): Promise<KeyObject | undefined> {
    const wrapped = (await wrappedKeys(driver, [holder]))[0]?.wrapped
    return wrapped ? keyring.unwrap(holder, wrapped) : undefined
  }

  return {
    ...driver,
    query: <Row>(one: Statement) => driver.query<Row>(written([one], noKeys)[0] as StatementOf<Plain>),
    atomically: (unit) => write(unit, 2),
    unseal: async (parts: readonly SealedBytes[]) => {
      if (parts.length === 0) return []
      const keys = await keysOf(new Set(parts.map(({ holder }) => holder)))
      return parts.map(({ holder, place, bytes }) => {
        const key = keys.get(holder)
        if (key === undefined) throw new Error(`there is no key to what is kept at ${place}`)
        return key === 'destroyed' ? undefined : unseal(key, place, bytes).toString()
      })
    },
    forget: (holder) => {
      held.delete(holder)
    },
    signer: async () => signerOf((await ownKey(signingHolder)).export()),
    publicKey: async () => {
      const key = await findKey(signingHolder)
      return key && (await signerOf(key.export())).publicKey
    },
  }
}

const keeping = 'insert into holder_key (holder, wrapped) values (?, ?)'
const keepKey = ({ holder, wrapped }: Fresh): StatementOf<Plain> => statement(keeping, holder, wrapped)

export const wrappedKeys = (driver: Driver, holders: readonly string[]) =>
  driver.query<{ holder: string; wrapped: Uint8Array | null }>(
    statement('select holder, wrapped from holder_key where holder in (select value from json_each(?))', JSON.stringify(holders)),
  )

const noKeys: ReadonlyMap<string, Key> = new Map()
const isPlain = (value: Value): value is Plain => typeof value !== 'object' || value === null || value instanceof Uint8Array

function holdersIn(unit: readonly Statement[]): Set<string> {
  const holders = new Set<string>()
  for (const { params } of unit) {
    for (const value of params) {
      if (isPlain(value)) continue
      if ('seal' in value) holders.add(value.holder)
      else if ('rows' in value) {
        for (const row of value.rows) for (const each of Object.values(row)) if (typeof each === 'object') holders.add(each.holder)
      }
    }
  }
  return holders
}
