/**
 * People for the bench: each hands in twenty-two resources for four partners, and each is somebody else.
 */
import type { Resource } from '@medplum/fhirtypes'
import { ours } from '../src/fhir/systems.ts'
import { caseBundle, category, coded, label, partners, places, words } from '../test/fixtures/case-bundle.ts'

export const service = 'tees-valley'

/** The partners of the case, by id, and what kind they are. */
export const partnerKinds: Readonly<Record<string, string>> = {
  [partners.practice]: 'gp-registration',
  [partners.recovery]: 'substance-misuse',
  [partners.probation]: 'probation',
  [partners.enhanced]: 'enhanced-reconnect',
}
/** Who pulls care plans in the bench. */
export const puller: string = partners.recovery

export type BenchCase = { body: Buffer; nhsNumber: string; noms: string; family: string }

/** Transaction Bundles as bytes, for person `from` and those after. */
export const cases = (from: number, count: number): BenchCase[] => Array.from({ length: count }, (_, n) => benchCase(from + n))

const dayMs = 86_400_000
const date = (days: number): string => new Date(Date.now() + days * dayMs).toISOString().slice(0, 10)

/** @param n which person: below 500 000 */
export function benchCase(n: number): BenchCase {
  const tag = String(n).padStart(6, '0')
  const nhsNumber = nhsNumberOf(n)
  const noms = `B${String(1000 + (n % 9000))}${letters(Math.floor(n / 9000))}`
  const family = familyOf(n)
  const bundle = caseBundle({ service, nhsNumber, noms, tag, releaseDate: date(18), agreedUntil: date(240), more })
  const text = JSON.stringify(bundle).replaceAll(words.identity + tag, family)
  return { body: Buffer.from(text), nhsNumber, noms, family }
}

const syllables = [...'bdfghklmnprstvw'].flatMap((sound) => [...'ae'].map((vowel) => sound + vowel))
/** Four syllables: a name of its own for each, and none the beginning of another; many begin alike, as people's do. */
function familyOf(n: number): string {
  const most = syllables.length
  const name = [0, 1, 2, 3].map((place) => syllables[Math.floor(n / most ** place) % most]).join('')
  return name.charAt(0).toUpperCase() + name.slice(1)
}

/** 999, a serial number, a check digit (modulus 11); two of the serial numbers are tried, for where the digit would be 10 there is none. */
function nhsNumberOf(n: number): string {
  for (let serial = n * 2; ; serial++) {
    const nine = `999${String(serial).padStart(6, '0')}`
    const sum = [...nine].reduce((total, digit, place) => total + Number(digit) * (10 - place), 0)
    const check = (11 - (sum % 11)) % 11
    if (check < 10) return `${nine}${check}`
  }
}

const letters = (n: number): string => String.fromCharCode(65 + (Math.floor(n / 26) % 26), 65 + (n % 26))

const subject = { reference: places.patient }
const encounter = (status: 'finished' | 'planned', days: number): Resource => ({
  resourceType: 'Encounter',
  meta: label('N', category('contact')),
  status,
  class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'VR' },
  subject,
  period: { start: `${date(days)}T10:00:00Z` },
})

/** What the shared case does not have, so that there are twenty-two. */
const more: readonly Resource[] = [
  encounter('finished', -7),
  encounter('planned', 7),
  {
    resourceType: 'Condition',
    meta: label('R', { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'LIVARG' }),
    clinicalStatus: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: 'active' }] },
    code: coded('need', 'accommodation', 'Nowhere to stay from the day of release'),
    subject,
  },
  {
    resourceType: 'MedicationStatement',
    meta: label('N', category('medication')),
    status: 'active',
    medicationCodeableConcept: { text: 'Sertraline 50 mg tablets' },
    subject,
  },
  {
    resourceType: 'Flag',
    meta: label('N', category('adjustments')),
    status: 'active',
    code: coded('flag', 'reasonable-adjustment', 'Short letters in large print'),
    subject,
  },
  {
    resourceType: 'Goal',
    lifecycleStatus: 'active',
    description: { text: 'Somewhere to stay and somebody to call' },
    subject,
  },
  {
    resourceType: 'Observation',
    meta: label('N', category('adjustments')),
    status: 'final',
    code: { coding: [{ system: ours('observation'), code: 'communication' }] },
    valueString: 'Reads with help',
    subject,
  },
]
