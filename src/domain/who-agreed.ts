/**
 * Who agreed, and whether they could: the person; an attorney or deputy with authority, or a best-interests decision, when the person
 * can not decide this themselves. Capacity is presumed, and is about this decision only (Mental Capacity Act 2005 s.1). A relative
 * without authority can not agree for anybody.
 *
 * IHE PCF forbids `Consent.verification`, so capacity stands in extensions of ours.
 *
 * @see domain/consent.md A5, B1; closed-loop.md C4
 */
import type { Consent, Extension } from '@medplum/fhirtypes'
import { BASE } from '../fhir/systems.ts'
import { daysOf } from './calendar.ts'
import type { Reason } from './reasons.ts'

const definition = (name: string) => `${BASE}/StructureDefinition/${name}`
/** Parts: `outcome` (has-capacity, lacks-capacity), `assessed` (date), `assessor` (reference). */
export const consentCapacity = definition('consent-capacity')
/** Parts: `basis` (person, attorney, deputy, best-interests), `authority` (what gives it), `decided` (date). */
export const consentAgreedBy = definition('consent-agreed-by')
/** closed-loop.md C4: `capacity-review` on an active consent, `superseded` on an old one. */
export const consentPhase = definition('consent-phase')

/** `refusal`: it counts as no agreement. `paused`: nobody is told anything they were not told before. */
export type Standing = { refusal?: Reason; paused?: Reason }

export function whoAgreed(consent: Consent): Standing {
  const capacity = partsOf(consent, consentCapacity)
  const agreedBy = partsOf(consent, consentAgreedBy)
  const phase = phaseOf(consent)
  const outcome = wordOf(capacity, 'outcome', ['has-capacity', 'lacks-capacity'])
  const basis = wordOf(agreedBy, 'basis', ['person', 'attorney', 'deputy', 'best-interests'])
  if (phase === 'unclear' || (capacity && outcome === undefined)) return { refusal: { code: 'unclear', part: 'capacity' } }
  if (agreedBy && basis === undefined) return { refusal: { code: 'unclear', part: 'performer' } }
  if (consent.verification?.some(({ verified }) => verified === false)) return { refusal: { code: 'unclear', part: 'verification' } }

  const person = local(consent.patient?.reference)
  const performers = consent.performer ?? []
  // R4 does not ask who agreed; where it is not said, it is the person the consent is of.
  const byPerson = performers.length === 0 || (person !== undefined && performers.some(({ reference }) => local(reference) === person))
  const others = performers.map(({ reference }) => local(reference)?.split('/')[0])
  const lacks = outcome === 'lacks-capacity'
  const inBestInterests =
    basis === 'best-interests' &&
    lacks &&
    dated(agreedBy, 'decided') &&
    others.some((type) => /^(Practitioner|PractitionerRole|Organization)$/.test(type ?? ''))
  if (inBestInterests) return {}
  if (basis === 'attorney' || basis === 'deputy') {
    const proxy = others.some((type) => type !== undefined && type !== 'Patient')
    if (!lacks || !proxy || !said(agreedBy, 'authority')) return { refusal: { code: 'authority-unclear' } }
  } else if (basis === 'best-interests' || !byPerson) return { refusal: { code: 'authority-unclear' } }
  else if (lacks && phase !== 'capacity-review') return { refusal: { code: 'no-capacity' } }
  return phase === 'capacity-review' ? { paused: { code: 'capacity-review' } } : {}
}

/** On what authority somebody else agreed: attorney, deputy or best-interests; undefined when it was the person. */
export function authorityOf(consent: Consent): Authority | undefined {
  return wordOf(partsOf(consent, consentAgreedBy), 'basis', ['attorney', 'deputy', 'best-interests'])
}
export type Authority = 'attorney' | 'deputy' | 'best-interests'

/** What C4 adds to a consent's status; 'unclear' when it is said in a way that can not be read. */
export function phaseOf({ extension }: Consent): string | undefined {
  const found = extension?.filter(({ url }) => url === consentPhase) ?? []
  if (!found.length) return undefined
  const [one] = found
  return found.length === 1 && typeof one?.valueCode === 'string' ? one.valueCode : 'unclear'
}

/** The parts of an extension; of one that is there twice, none. */
function partsOf({ extension }: Consent, url: string): Extension[] | undefined {
  const found = extension?.filter((one) => one.url === url) ?? []
  return found.length === 0 ? undefined : found.length === 1 ? (found[0]?.extension ?? []) : []
}

const partOf = (parts: Extension[] | undefined, name: string) => parts?.find(({ url }) => url === name)
const wordOf = <Word extends string>(parts: Extension[] | undefined, name: string, words: readonly Word[]) =>
  words.find((word) => word === partOf(parts, name)?.valueCode)
const dated = (parts: Extension[] | undefined, name: string) => daysOf(partOf(parts, name)?.valueDate) !== undefined
const said = (parts: Extension[] | undefined, name: string) => {
  const { valueString, valueReference } = partOf(parts, name) ?? {}
  return Boolean(valueString?.trim() || valueReference?.reference || valueReference?.identifier?.value)
}

const local = (reference: string | undefined): string | undefined => reference?.replace(`${BASE}/`, '').split('/_history/')[0]
