import type { Address, Patient } from '@medplum/fhirtypes'
import { describe, expect, test } from 'vitest'
import { areasOf, covers, isElsewhere } from '../../src/domain/home-area.ts'

const living = (...address: Address[]): Patient => ({ resourceType: 'Patient', address })
const key = (value: string) => ({
  extension: [
    {
      url: 'https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-AddressKey',
      extension: [
        { url: 'type', valueCoding: { code: 'ONS' } },
        { url: 'value', valueString: value },
      ],
    },
  ],
})

describe('the areas a home is in', () => {
  test.each<[string, Address, string[]]>([
    ['the district and the town, however they are written', { district: ' County  Durham', city: 'DURHAM' }, ['county durham', 'durham']],
    ['a code of a district', { district: 'E06000047' }, ['e06000047']],
    ['a code in an extension, smaller than a district', key('E01020681'), ['e01020681']],
    ['no code: some other key of the address', key('100110714612'), []],
    ['the postcode’s district', { postalCode: 'dh1 4xx' }, ['dh1']],
    ['no fixed address', { postalCode: 'ZZ99 3VZ' }, []],
  ])('%s', (_, address, areas) => expect(areasOf(living(address))).toEqual(areas))

  test('of the home that is in use', () => {
    const old: Address = { use: 'home', city: 'Leeds', period: { end: '2024-01-01' } }
    expect(areasOf(living(old, { use: 'temp', city: 'York' }, { use: 'home', city: 'Durham' }))).toEqual(['durham'])
    expect(areasOf(living())).toEqual([])
  })
})

test('a service covers what it names, by whatever it names it', () => {
  const areas = areasOf(living({ city: 'Durham', postalCode: 'DH1 4XX', ...key('E06000047') }))
  for (const one of ['durham', 'DH1', 'E06000047']) expect(covers({ homeAreas: ['Leeds', one] }, areas)).toBe(true)
  expect(covers({ homeAreas: ['DH10'] }, areas)).toBe(false)
  expect(covers({}, areas)).toBe(false)
})

test('certainly elsewhere only where both know codes of one kind', () => {
  const code = areasOf(living(key('E06000001')))
  expect(isElsewhere({ homeAreas: ['E06000047'] }, code)).toBe(true)
  expect(isElsewhere({ homeAreas: ['E06000001'] }, code)).toBe(false)
  expect(isElsewhere({ homeAreas: ['E08000001', 'Durham'] }, code)).toBe(false)
  expect(isElsewhere({ homeAreas: ['E06000047'] }, areasOf(living({ city: 'Leeds' })))).toBe(false)
})
