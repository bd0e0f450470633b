/**
 * Who a Patient resource says the person is.
 */
import type { Address, HumanName, Patient } from '@medplum/fhirtypes'
import { crn, croNumber, nhsNumber, nomsNumber, pncNumber, ukCore } from '../fhir/systems.ts'
import type { Person } from './case.ts'
import { identifierRule, standingOf } from './identifiers.ts'
import { given } from './resources.ts'

/**
 * @returns undefined when the resource has no name; `nhsNumberWrong` when it carries a number whose check digit is wrong and no other:
 * that number is left out, it identifies nobody
 */
export function personOf(patient: Patient): { person: Person; nhsNumberWrong: boolean } | undefined {
  const names = [...(patient.name ?? [])].sort((a, b) => rank(a) - rank(b)).filter(({ family, text }) => family || text)
  const [name, ...others] = names
  const family = name?.family ?? name?.text
  if (!name || !family) return undefined
  const aliases = others.map((other) => ({ ...given('family', other.family ?? other.text), ...given('given', other.given) }))
  const language = (patient.communication?.find(({ preferred }) => preferred) ?? patient.communication?.[0])?.language
  const person: Person = {
    id: String(patient.id),
    family,
    ...given('given', name.given),
    ...given('birthDate', patient.birthDate),
    ...given('gender', patient.gender),
    ...given('nhsNumber', numberIn(patient, nhsNumber)),
    ...given('nomsNumber', numberIn(patient, nomsNumber)),
    ...given('crn', numberIn(patient, crn)),
    ...given('pnc', numberIn(patient, pncNumber)),
    ...given('cro', numberIn(patient, croNumber)),
    ...given('aliases', aliases.length ? aliases : undefined),
    ...given('phone', contact(patient, 'phone')),
    ...given('email', contact(patient, 'email')),
    ...given('address', addressOf(patient)),
    ...given('language', language?.coding?.[0]?.code),
    ...given('interpreterNeeded', interpreterNeeded(patient)),
    ...(patient.deceasedBoolean || patient.deceasedDateTime ? { died: true as const } : {}),
  }
  const wrong = patient.identifier?.some(
    ({ system, value }) => identifierRule(system)?.system === nhsNumber && standingOf(system, value ?? '') === 'wrong',
  )
  return { person, nhsNumberWrong: wrong === true && person.nhsNumber === undefined }
}

/** The number in use: one that is `old`, or whose time is over, finds the person and is told to nobody. */
function numberIn({ identifier = [] }: Patient, system: string): string | undefined {
  for (const { system: said, value, use, period } of identifier) {
    const rule = identifierRule(said)
    const canonical = rule?.system === system && value !== undefined ? rule.canonical(value) : undefined
    if (canonical !== undefined && use !== 'old' && !period?.end) return canonical
  }
  return undefined
}

/** The name a person goes by officially comes first; names that ended or are for one purpose come last. */
const order: readonly (HumanName['use'] | undefined)[] = ['official', 'usual', undefined, 'temp', 'nickname', 'anonymous', 'maiden', 'old']
const rank = ({ use, period }: HumanName): number => order.indexOf(use) + (period?.end ? order.length : 0)

function contact({ telecom = [] }: Patient, system: 'phone' | 'email'): string | undefined {
  const all = telecom.filter((each) => each.system === system && each.use !== 'old' && each.value)
  return (all.find(({ use }) => use === 'mobile') ?? all[0])?.value
}

/** Where the person lives, or is going to live: the home among the addresses in use. */
export function homeOf({ address = [] }: Patient): Address | undefined {
  const all = address.filter(({ use, period }) => use !== 'old' && use !== 'billing' && !period?.end)
  return all.find(({ use }) => use === 'home') ?? all[0]
}

function addressOf(patient: Patient): Person['address'] {
  const one = homeOf(patient)
  if (!one) return undefined
  return {
    ...given('line', one.line),
    ...given('city', one.city),
    ...given('district', one.district),
    ...given('postalCode', one.postalCode),
    ...given('text', one.text),
  }
}

const interpreterRequired = 'http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired'

/** HL7's own extension, or the part of UK Core's NHS communication extension. */
function interpreterNeeded({ extension = [] }: Patient): boolean | undefined {
  const inside = extension.filter(({ url }) => url === ukCore('Extension-UKCore-NHSCommunication')).flatMap((each) => each.extension ?? [])
  return [...extension, ...inside].find(({ url }) => url === interpreterRequired || url === 'interpreterRequired')?.valueBoolean
}
