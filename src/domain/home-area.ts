/**
 * In which areas somebody's home is, to be held against the `homeAreas` of RECONNECT services (reconnect.md P9). An area is what the
 * directory calls it: a code of the Office for National Statistics (a district, `E06000047`, or anything smaller or larger that the record
 * says), a postcode district (`DH1`), or the name of a district or town. Nothing is looked up: a code the address does not carry says nothing.
 */
import type { Address, Extension, Patient } from '@medplum/fhirtypes'
import { homeOf } from './person.ts'

/** Of the home of a Patient, each as it is compared. Empty: nobody can tell where it is. */
export function areasOf(patient: Patient): string[] {
  const home = homeOf(patient)
  if (!home) return []
  const { district, city, postalCode } = home
  const all = [district, city, postcodeDistrict(postalCode), ...codesIn(home)]
  return [...new Set(all.flatMap((one) => (one?.trim() ? [comparable(one)] : [])))]
}

export const covers = ({ homeAreas = [] }: { homeAreas?: readonly string[] }, areas: readonly string[]): boolean =>
  homeAreas.some((area) => areas.includes(comparable(area)))

/** Both know ONS codes of the same kind, and they are not the same: the home is certainly elsewhere. */
export const isElsewhere = ({ homeAreas = [] }: { homeAreas?: readonly string[] }, areas: readonly string[]): boolean =>
  !covers({ homeAreas }, areas) &&
  areas.some((one) => onsCode.test(one) && homeAreas.some((area) => comparable(area).slice(0, kindLength) === one.slice(0, kindLength)))

const comparable = (area: string): string => area.trim().replace(/\s+/g, ' ').toLowerCase()

/** 'E06000047': the first three say what kind of area it is. */
const onsCode = /^[ewsn]\d{8}$/
const kindLength = 3

/** 'TS18 1AB' -> 'TS18'. ZZ99 stands for no fixed address and places abroad. */
function postcodeDistrict(postalCode: string | undefined): string | undefined {
  const district = postalCode?.trim().match(/^([A-Za-z]{1,2}\d[A-Za-z\d]?)\s*\d[A-Za-z]{2}$/)?.[1]
  return district?.toUpperCase() === 'ZZ99' ? undefined : district
}

/** ONS codes wherever in the address an extension carries them (UK Core's address key, HL7's census tract): the code says what it is. */
const codesIn = ({ extension }: Address): string[] => (extension ?? []).flatMap(valuesIn).filter((one) => onsCode.test(comparable(one)))
const valuesIn = ({ valueString, valueCode, valueCoding, valueCodeableConcept, extension }: Extension): string[] => [
  ...[valueString, valueCode, valueCoding?.code, ...(valueCodeableConcept?.coding ?? []).map(({ code }) => code)].flatMap(
    (one) => one ?? [],
  ),
  ...(extension ?? []).flatMap(valuesIn),
]
