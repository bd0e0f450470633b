/**
 * The numbers a person is known by, each for itself: its system, the one form it is compared in, its check, and how strict we are.
 *
 * A wrong form is no such number: refused when a record is written, kept as told and matched with nobody in a referral from outside.
 * Of PNC and CRO the check letter only warns: numbers with a wrong one are in use, and in HMPPS's own public examples.
 * The `hmppsId` of HMPPS is not here: it is a NOMS number today and a CRN tomorrow, and never a key.
 *
 * @see domain/hmpps.md 1 (NOMS, CRN, PNC, CRO); https://www.datadictionary.nhs.uk/attributes/nhs_number.html
 */
import { crn, croNumber, nhsNumber, nomsNumber, pncNumber } from '../fhir/systems.ts'
import { nhsNumberValid } from './nhs-number.ts'

export type NumberKind = 'nhs-number' | 'noms-number' | 'crn' | 'pnc' | 'cro'

export type IdentifierRule = {
  kind: NumberKind
  system: string
  /** What staff call it. */
  words: string
  /** The form it is kept and compared in; undefined: it is no such number. */
  canonical: (value: string) => string | undefined
  /** Does the check letter of a canonical form fit? Absent: there is none, or the form includes it. */
  checked?: (canonical: string) => boolean
  /** What a caller is told of a wrong form. */
  wrong: string
}

export const identifierRules: readonly IdentifierRule[] = [
  {
    kind: 'nhs-number',
    system: nhsNumber,
    words: 'NHS number',
    canonical: (value) => (nhsNumberValid(value.trim()) ? value.trim() : undefined),
    wrong: 'This is not an NHS number: the check digit is wrong.',
  },
  {
    kind: 'noms-number',
    system: nomsNumber,
    words: 'prison number',
    canonical: formed(/^[A-Z]\d{4}[A-Z]{2}$/),
    wrong: 'This is not a prison (NOMS) number: a letter, four digits, two letters.',
  },
  {
    kind: 'crn',
    system: crn,
    words: 'probation number (CRN)',
    // Mostly one letter; HMPPS's own reader takes two.
    canonical: formed(/^[A-Z]{1,2}\d{6}$/),
    wrong: 'This is not a CRN: one or two letters and six digits.',
  },
  {
    kind: 'pnc',
    system: pncNumber,
    words: 'PNC number',
    canonical: pncCanonical,
    checked: (pnc) => pnc.at(-1) === checkLetter(pnc.slice(2, 4) + pnc.slice(5, -1)),
    wrong: 'This is not a PNC number: a year, a stroke, up to seven digits, a letter.',
  },
  {
    kind: 'cro',
    system: croNumber,
    words: 'CRO number',
    canonical: croCanonical,
    checked: croChecked,
    wrong: 'This is not a CRO number: up to six digits, a stroke, a year of two digits, a letter; or SF, year, stroke, digits, letter.',
  },
]

const bySystem = new Map(identifierRules.map((rule) => [rule.system, rule]))

/** The rule for a system; senders differ in the case of the '/Id/' part. */
export const identifierRule = (system: string | undefined): IdentifierRule | undefined =>
  system === undefined ? undefined : bySystem.get(system.replace(/\/id\//i, '/Id/'))

/** A value of a system in the form it is compared in; what we have no rule for stays as it is, and so does what has a wrong form. */
export const comparable = (system: string | undefined, value: string): string => identifierRule(system)?.canonical(value) ?? value

/** A value said without its system: itself, and what it is as a number of any kind. */
export const comparables = (value: string): string[] => [
  ...new Set([value, ...identifierRules.flatMap(({ canonical }) => canonical(value) ?? [])]),
]

/** How a number stands: as it should, with a check letter that does not fit, or no such number at all. */
export function standingOf(system: string | undefined, value: string): 'good' | 'doubtful' | 'wrong' | 'unknown' {
  const rule = identifierRule(system)
  if (!rule) return 'unknown'
  const canonical = rule.canonical(value)
  if (canonical === undefined) return 'wrong'
  return rule.checked?.(canonical) === false ? 'doubtful' : 'good'
}

function formed(pattern: RegExp): (value: string) => string | undefined {
  return (value) => {
    const plain = value.trim().toUpperCase()
    return pattern.test(plain) ? plain : undefined
  }
}

const letters = 'ZABCDEFGHJKLMNPQRTUVWXY'
const checkLetter = (digits: string): string => letters[Number(digits) % letters.length] as string

/**
 * Of years written with two digits, up to this one is of our century. HMPPS goes by the year it is; what is searched for can not
 * change its mind at New Year, so ours is fixed: no PNC number in use is of 1949 or before.
 */
const latestShortYear = 49

/** '12/394773H' -> '2012/0394773H'. */
function pncCanonical(value: string): string | undefined {
  const found = /^(\d{2}|\d{4})(?:\/(\d{1,7})|(\d{7}))([A-Z])$/.exec(value.trim().toUpperCase())
  if (!found) return undefined
  const [, year = '', serial, unbroken, letter] = found
  const full = year.length === 4 ? year : `${Number(year) <= latestShortYear ? '20' : '19'}${year}`
  return `${full}/${(serial ?? unbroken ?? '').padStart(7, '0')}${letter}`
}

/** '29906/12J' -> '029906/12J'; of a search file the serial stays as it is written. */
function croCanonical(value: string): string | undefined {
  const plain = value.trim().toUpperCase()
  const standard = /^(\d{1,6})(\/\d{2}[A-Z])$/.exec(plain)
  if (standard) return `${standard[1]?.padStart(6, '0')}${standard[2]}`
  return /^SF\d{2}\/\d{1,6}[A-Z]$/.test(plain) ? plain : undefined
}

function croChecked(cro: string): boolean {
  const [, searchYear, searchSerial, serial, year] = /^(?:SF(\d{2})\/(\d+)|(\d{6})\/(\d{2}))[A-Z]$/.exec(cro) ?? []
  return cro.at(-1) === checkLetter(searchYear ? `${searchYear}${searchSerial}` : `${year}${serial}`)
}
