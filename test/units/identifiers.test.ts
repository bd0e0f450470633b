import { describe, expect, test } from 'vitest'
import { comparable, comparables, standingOf } from '../../src/domain/identifiers.ts'
import { crn, croNumber, nhsNumber, nomsNumber, pncNumber } from '../../src/fhir/systems.ts'

describe('each number has one form, a check where there is one, and a strictness of its own', () => {
  test.each([
    ['an NHS number', nhsNumber, '9990000379', 'good', '9990000379'],
    ['an NHS number with a wrong check digit', nhsNumber, '9990000378', 'wrong', '9990000378'],
    ['a prison number', nomsNumber, 'G2996UX', 'good', 'G2996UX'],
    ['a prison number in small letters', nomsNumber, ' a1234bc', 'good', 'A1234BC'],
    ['a prison number of another shape', nomsNumber, 'A12345B', 'wrong', 'A12345B'],
    ['a CRN whose first letter is not X', crn, 'T140223', 'good', 'T140223'],
    ['a CRN of two letters', crn, 'XX140223', 'good', 'XX140223'],
    ['a CRN with a digit too few', crn, 'X12345', 'wrong', 'X12345'],
    ['a short PNC number', pncNumber, '12/394773H', 'good', '2012/0394773H'],
    ['a PNC number with a long year', pncNumber, '2004/0013116R', 'good', '2004/0013116R'],
    ['a PNC number of the century before', pncNumber, '79/163001B', 'good', '1979/0163001B'],
    ['a PNC number without its stroke', pncNumber, '20040013116R', 'good', '2004/0013116R'],
    ['a public example with a wrong PNC letter', pncNumber, '12/394773W', 'doubtful', '2012/0394773W'],
    ['another', pncNumber, '2004/13116M', 'doubtful', '2004/0013116M'],
    ['no PNC number', pncNumber, '12-394773H', 'wrong', '12-394773H'],
    ['a CRO number', croNumber, '29906/12J', 'good', '029906/12J'],
    ['a CRO number with a wrong letter', croNumber, '29906/12L', 'doubtful', '029906/12L'],
    ['another', croNumber, '123456/24A', 'doubtful', '123456/24A'],
    ['a search-file CRO number, whose serial is not padded', croNumber, 'SF80/655108V', 'good', 'SF80/655108V'],
    ['one with a wrong letter', croNumber, 'SF80/655108T', 'doubtful', 'SF80/655108T'],
    ['no CRO number', croNumber, '1234567/24A', 'wrong', '1234567/24A'],
    ['a number of a system nobody told us of', 'https://port.example/ref', 'HO 1', 'unknown', 'HO 1'],
  ])('%s', (_, system, value, standing, canonical) => {
    expect([standingOf(system, value), comparable(system, value)]).toEqual([standing, canonical])
  })

  test('a value said without its system is looked for as it is and as any number it could be', () => {
    expect(comparables('12/394773H')).toEqual(['12/394773H', '2012/0394773H'])
  })
})
