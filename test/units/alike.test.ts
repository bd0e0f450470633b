import type { Patient } from '@medplum/fhirtypes'
import { describe, expect, test } from 'vitest'
import { likenessOf, likenessWords } from '../../src/domain/alike.ts'
import { nhsNumber, nomsNumber, pncNumber } from '../../src/fhir/systems.ts'

const born = '1987-02-11'
const person = (rest: Partial<Patient>): Patient => ({ resourceType: 'Patient', birthDate: born, ...rest })
const named = (family: string, given: string, rest: Partial<Patient> = {}) => person({ name: [{ family, given: [given] }], ...rest })
const known = named('O’Dowd-Şahin', 'Zoë', {
  identifier: [
    { system: nhsNumber, value: '9990000379' },
    { system: nomsNumber, value: 'A1234BC', use: 'old' },
    { system: pncNumber, value: '2012/0394773H' },
  ],
})

describe('two records may be of one person', () => {
  test.each<[string, Patient, string[]]>([
    ['the same name and birth date', named('O’Dowd-Şahin', 'Zoë'), ['name-and-birth-date']],
    ['the name without accents, capitals and hyphens', named('odowd sahin', 'ZOE'), ['name-and-birth-date']],
    ['given and family name swapped', named('Zoe', "O'Dowd Sahin"), ['name-and-birth-date']],
    ['the name as one text', person({ name: [{ text: 'Zoe ODowd-Sahin' }] }), ['name-and-birth-date']],
    [
      'a name the person had before',
      person({
        name: [
          { family: 'New', given: ['Zoe'] },
          { use: 'old', family: 'ODowd Sahin' },
        ],
      }),
      ['name-and-birth-date'],
    ],
    [
      'a nickname',
      person({
        name: [
          { family: 'ODowd Sahin', given: ['Sam'] },
          { use: 'nickname', given: ['Zoe'] },
        ],
      }),
      ['name-and-birth-date'],
    ],
    ['another birth date', named('ODowd Sahin', 'Zoe', { birthDate: '1987-02-12' }), []],
    ['only the year of birth', named('ODowd Sahin', 'Zoe', { birthDate: '1987' }), []],
    ['no birth date', { resourceType: 'Patient', name: [{ family: 'ODowd Sahin', given: ['Zoe'] }] }, []],
    ['only the family name', named('ODowd Sahin', 'Ann'), []],
    ['the same NHS number', named('Else', 'Ann', { identifier: [{ system: nhsNumber, value: '9990000379' }] }), ['nhs-number']],
    ['a number that is no NHS number', named('Else', 'Ann', { identifier: [{ system: nhsNumber, value: '9990000378' }] }), []],
    ['a number of before', named('Else', 'Ann', { identifier: [{ system: nomsNumber, value: 'a1234bc' }] }), ['noms-number']],
    ['the PNC number written in short', named('Else', 'Ann', { identifier: [{ system: pncNumber, value: '12/394773H' }] }), ['pnc']],
    [
      'the same digits in another system',
      named('Else', 'Ann', { identifier: [{ system: 'https://else.example', value: '9990000379' }] }),
      [],
    ],
  ])('%s', (_, other, why) => {
    expect(likenessOf(known, other)).toEqual(why)
    expect(likenessOf(other, known)).toEqual(why)
  })

  test('the reasons are said in words, and name nobody', () => {
    expect(likenessWords(['nhs-number', 'name-and-birth-date'])).toBe('the same NHS number, and the same name and date of birth')
  })
})
