/**
 * Who is handed in during a run, by whom, and which partners they go to.
 */
import type { Bundle } from '@medplum/fhirtypes'
import { caseBundle, consentOf, type PartnerName, partners as places, planOf, usual } from '../test/fixtures/case-bundle.ts'
import type { Mood } from './partners.ts'

export const partnerNames = Object.keys(places) as PartnerName[]
const kinds: Record<PartnerName, string> = {
  practice: 'gp-registration',
  recovery: 'substance-misuse',
  probation: 'probation',
  enhanced: 'enhanced-reconnect',
}

/** Three partners of each kind, each mood at least once. */
const moodsOf: Record<PartnerName, readonly Mood[]> = {
  practice: ['steady', 'resetting', 'silent'],
  recovery: ['late', 'busy', 'knowing'],
  probation: ['hasty', 'doubling', 'forgetful'],
  enhanced: ['steady', 'busy', 'late'],
}
export const partnerMoods: ReadonlyMap<string, Mood> = new Map(
  partnerNames.flatMap((name) => moodsOf[name].map((mood, n) => [idOf(name, n), mood] as const)),
)
export const canDropRepeats = (partner: string): boolean => partnerMoods.get(partner) !== 'forgetful'

export function idOf(name: PartnerName, n: number): string {
  return `${places[name]}-${n}`
}

/** Case systems: two of one service, one of another. */
export const caseSystems = [
  { id: 'case-system-1', service: 'tees-valley' },
  { id: 'case-system-2', service: 'tees-valley' },
  { id: 'case-system-3', service: 'wearside' },
] as const

export type Listed = { name: PartnerName; n: number; url: string; deduplicates: boolean }

/** The directory file, for whoever has the keys. */
export const directoryOf = (listed: readonly Listed[]) => (jwks: unknown) => ({
  services: [
    { id: 'tees-valley', name: 'RECONNECT (crash)', ods: 'RXCR1', prisons: ['HHI'], homeAreas: ['E06000004'], enhanced: true },
    { id: 'wearside', name: 'RECONNECT (crash 2)', ods: 'RXCR2', prisons: ['DMI'], homeAreas: ['E06000047'], enhanced: true },
  ],
  partners: listed.map(({ name, n, url, deduplicates }) => ({
    id: idOf(name, n),
    kind: kinds[name],
    name: `Crash ${name} ${n}`,
    ods: `B8${partnerNames.indexOf(name)}${String(n).padStart(2, '0')}0`,
    channel: { name: 'fhir-message', url: `${url}/${idOf(name, n)}` },
    deduplicates,
  })),
  clients: [
    ...caseSystems.map(({ id, service }) => ({ id, role: 'service', service, jwks, scope: 'system/*.cruds' })),
    ...listed.map(({ name, n }) => ({
      id: idOf(name, n),
      role: 'partner',
      partner: idOf(name, n),
      jwks,
      scope: 'system/*.rs system/Task.rus',
    })),
  ],
})

/** The directory of a run: partners in every mood, behind one socket. */
export const directory = (url: string) =>
  directoryOf(partnerNames.flatMap((name) => moodsOf[name].map((mood, n) => ({ name, n, url, deduplicates: mood !== 'forgetful' }))))

/** A write and what came of it. `version` once acknowledged; without, nobody knows whether it was taken. */
export type Written<What> = { what: What; version?: number; at?: number; wall?: number }

export type Person = {
  n: number
  nhsNumber: string
  client: string
  service: string
  /** Partner ids by what they are to the person. */
  partners: Record<PartnerName, string>
  bundle: Bundle
  /** 'Patient/1/_history/1' for each entry, once the case was acknowledged. */
  places?: string[]
  /** How often the case was sent. */
  tries: number
  /** Plans as sent, the first with the case. */
  plans: Written<Record<PartnerName, string>>[]
  /** Agreements as sent: who is still agreed to. */
  consents: Written<PartnerName[]>[]
}

const day = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
const until = () => day(240)

/** @param pick which of the three partners of a kind */
export function newPerson(n: number, { id, service }: (typeof caseSystems)[number], pick: () => number): Person {
  const partners = Object.fromEntries(partnerNames.map((name) => [name, idOf(name, pick())])) as Record<PartnerName, string>
  const nhsNumber = nhsNumberOf(n)
  const noms = `C${String(1000 + (n % 9000))}${String.fromCharCode(65 + Math.floor(n / 9000), 65)}`
  const given = caseBundle({ service, nhsNumber, noms, tag: String(n).padStart(6, '0'), releaseDate: day(18), agreedUntil: until() })
  const bundle = toThese(partners, given)
  const plan = bundle.entry?.find(({ resource }) => resource?.resourceType === 'CarePlan')?.resource
  const asked = plan?.resourceType === 'CarePlan' ? (plan.activity ?? []).map(({ detail }) => detail?.description as string) : []
  const first = Object.fromEntries(partnerNames.map((name, at) => [name, asked[at]])) as Record<PartnerName, string>
  return { n, nhsNumber, client: id, service, partners, bundle, tries: 0, plans: [{ what: first }], consents: [] }
}

/** The plan once more, asking what `asks` says. */
export function planFor(person: Person, asks: Record<PartnerName, string>) {
  const [patient, team, id] = ['Patient', 'CareTeam', 'CarePlan'].map((type) => refOf(person, type)) as [string, string, string]
  const plan = toThese(person.partners, planOf({ patient, team, plan: partnerNames, id: id.split('/')[1] as string }))
  for (const [at, name] of partnerNames.entries()) plan.activity![at]!.detail!.description = asks[name]
  return plan
}

export function consentFor(person: Person, agreedTo: readonly PartnerName[]) {
  const agreed = Object.fromEntries(agreedTo.map((name) => [name, usual[name]]))
  const [patient, id] = ['Patient', 'Consent'].map((type) => refOf(person, type)) as [string, string]
  const { service } = person
  const at = new Date().toISOString()
  return toThese(person.partners, consentOf({ patient, id: id.split('/')[1] as string, agreed, service, at, until: until() }))
}

/** 'CarePlan/12', once the case was acknowledged. */
export function refOf({ n, places = [] }: Person, type: string): string {
  const place = places.find((one) => one.startsWith(`${type}/`))
  if (!place) throw new Error(`person ${n} has no ${type}`)
  return place.split('/_history')[0] as string
}

function toThese<Resource>(partners: Record<PartnerName, string>, resource: Resource): Resource {
  let text = JSON.stringify(resource)
  for (const name of partnerNames) text = text.replaceAll(`"Organization/${places[name]}"`, `"Organization/${partners[name]}"`)
  return JSON.parse(text) as Resource
}

/** 999, a serial number, a check digit (modulus 11); where the digit would be 10 the next serial number is tried. */
function nhsNumberOf(n: number): string {
  for (let serial = n * 2; ; serial++) {
    const nine = `999${String(serial).padStart(6, '0')}`
    const check = (11 - ([...nine].reduce((total, digit, place) => total + Number(digit) * (10 - place), 0) % 11)) % 11
    if (check < 10) return `${nine}${check}`
  }
}
