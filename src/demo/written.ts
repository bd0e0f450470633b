/**
 * A message in plain words: what it says, line by line, for whoever reads it without knowing FHIR. Read from the message alone.
 */
import type { Bundle, CodeableConcept, Observation, Resource } from '@medplum/fhirtypes'
import { dayWords } from '../domain/words.ts'

/** 'Medicine', 'Methadone 1 mg/ml oral solution, 40 ml once a day'. */
export type Written = { label: string; words: string }

export const writtenIn = (bundle: Bundle): Written[] => {
  const lines = (bundle.entry ?? []).flatMap(({ resource }) => (resource ? linesOf(resource) : []))
  return lines.sort((a, b) => order.indexOf(a.label) - order.indexOf(b.label))
}

const order = [
  'Person',
  'Born',
  'NHS number',
  'Prison number',
  'Probation number',
  'Phone',
  'Address',
  'Release',
  'Need',
  'Medicine',
  'Allergy',
  'Please note',
  'Finding',
  'Appointment',
  'RECONNECT worker',
]

function linesOf(resource: Resource): Written[] {
  switch (resource.resourceType) {
    case 'Patient': {
      const { name, birthDate, identifier = [], telecom = [], address } = resource
      const one = address?.[0]
      const numbers: [string, string][] = [
        ['nhs-number', 'NHS number'],
        ['noms-number', 'Prison number'],
        ['crn', 'Probation number'],
      ]
      return [
        ...line('Person', [...(name?.[0]?.given ?? []), name?.[0]?.family].filter(Boolean).join(' ')),
        ...line('Born', birthDate && `${dayWords(birthDate).replace(/^\w+ /, '')} ${birthDate.slice(0, 4)}`),
        ...numbers.flatMap(([system, label]) => line(label, identifier.find((each) => each.system?.endsWith(`/${system}`))?.value)),
        ...line('Phone', telecom.find(({ system }) => system === 'phone')?.value),
        ...line('Address', [...(one?.line ?? []), one?.city ?? one?.text, one?.postalCode].filter(Boolean).join(', ')),
      ]
    }
    case 'Condition':
      return line('Need', text(resource.code))
    case 'MedicationStatement': {
      const until = resource.effectivePeriod?.end
      return line(
        'Medicine',
        [text(resource.medicationCodeableConcept), resource.dosage?.[0]?.text, until && `supplied until ${dayWords(until)}`]
          .filter(Boolean)
          .join(', '),
      )
    }
    case 'AllergyIntolerance':
      return line('Allergy', text(resource.code))
    case 'Flag':
      return line('Please note', text(resource.code))
    case 'Observation':
      return observed(resource)
    case 'Appointment':
      return line('Appointment', [resource.start && dayWords(new Date(resource.start)), resource.description].filter(Boolean).join(', '))
    case 'Practitioner':
      return line('RECONNECT worker', [...(resource.name?.[0]?.given ?? []), resource.name?.[0]?.family].filter(Boolean).join(' '))
    default:
      return []
  }
}

function observed({ code, component = [], effectivePeriod, valueString, valueCodeableConcept }: Observation): Written[] {
  const is = (wanted: string, concept: CodeableConcept) => concept.coding?.some((one) => one.code === wanted)
  if (!is('custody', code)) return line('Finding', valueString ?? text(valueCodeableConcept) ?? text(code))
  const part = (name: string) => component.find((one) => is(name, one.code))
  const place = text(part('establishment')?.valueCodeableConcept)
  const from = place ? ` from ${place}` : ''
  if (effectivePeriod?.end) return line('Release', `Left on ${dayWords(effectivePeriod.end.slice(0, 10))}${from}`)
  const expected = part('expected-release-date')?.valueDateTime
  const sure = part('release-date-confirmed')?.valueBoolean === false ? ', not confirmed' : ''
  return line('Release', expected ? `Expected on ${dayWords(expected.slice(0, 10))}${from}${sure}` : place && `In ${place}, date not known`)
}

const text = (concept: CodeableConcept | undefined): string | undefined =>
  concept?.text ?? concept?.coding?.find(({ display }) => display)?.display
const line = (label: string, words: string | undefined): Written[] => (words ? [{ label, words }] : [])
