import { expect, test } from 'vitest'
import { Altered, KeyUnknown, keyedHash, openKeyring, seal, unseal } from '../../src/store/keyring.ts'

const [one, two] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
const { key } = openKeyring([one]).newKey('p1')

test('what is sealed opens again at its place, with every letter', () => {
  for (const text of ['', 'a', 'Zoë Ó Néill 🙂', 'x'.repeat(100_000)])
    expect(unseal(key, 'here', seal(key, 'here', text)).toString()).toBe(text)
})

test('it shows nothing of the text, and the same text is other bytes each time', () => {
  const all = Array.from({ length: 1_500 }, () => Buffer.from(seal(key, 'here', 'Fennimarsh')))
  expect(all.some((bytes) => bytes.includes('Fenni'))).toBe(false)
  expect(new Set(all.map((bytes) => bytes.subarray(1, 13).toString('hex'))).size).toBe(all.length)
})

test('anywhere else, under another key, cut short or changed in any byte it does not open', () => {
  const sealed = seal(key, 'here', 'Fennimarsh')
  expect(() => unseal(key, 'there', sealed)).toThrow(Altered)
  expect(() => unseal(openKeyring([one]).newKey('p1').key, 'here', sealed)).toThrow(Altered)
  for (let length = 0; length < sealed.length; length++) expect(() => unseal(key, 'here', sealed.subarray(0, length))).toThrow(Altered)
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed)
    changed[at] = (changed[at] as number) ^ 1
    expect(() => unseal(key, 'here', changed), `byte ${at}`).toThrow(Altered)
  }
})

test('a wrapped key opens for its holder, under any of the master keys that are known', () => {
  const { wrapped, key: made } = openKeyring([one]).newKey('p1')
  for (const known of [[one], [two, one], [one, two]]) expect(openKeyring(known).unwrap('p1', wrapped).equals(made)).toBe(true)
  expect(() => openKeyring([two]).unwrap('p1', wrapped)).toThrow(KeyUnknown)
  expect(() => openKeyring([one]).unwrap('p2', wrapped)).toThrow(Altered)
  expect(() => openKeyring([])).toThrow('needs a master key')
})

test('a key wrapped anew is the same key under the present master key, once', () => {
  const { wrapped, key: made } = openKeyring([one]).newKey('p1')
  const again = openKeyring([two, one]).rewrap('p1', wrapped) as Uint8Array
  expect(openKeyring([two]).unwrap('p1', again).equals(made)).toBe(true)
  expect(openKeyring([two, one]).rewrap('p1', again)).toBeUndefined()
  expect(() => openKeyring([two]).rewrap('p1', wrapped)).toThrow(KeyUnknown)
})

test('a keyed hash is the same for the same text and key, and another for any other', () => {
  const hash = keyedHash(key, 12)
  expect(hash('9990000379')).toBe(hash('9990000379'))
  expect(hash('9990000379')).toMatch(/^[0-9a-f]{24}$/)
  const other = keyedHash(openKeyring([one]).newKey('index').key, 12)
  expect(new Set([hash('9990000379'), hash('9990000387'), hash(''), hash('é'), other('9990000379')]).size).toBe(5)
})
