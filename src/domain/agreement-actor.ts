/**
 * Whom an actor of a consent's rule means: an organisation by its id here or its ODS code, a kind of partner, or a service or team the
 * consent itself says the organisation of.
 */
import type { Consent, ConsentProvisionActor, Reference, Resource } from '@medplum/fhirtypes'
import { BASE, odsCode, ours, participationType } from '../fhir/systems.ts'
import type { Match } from './agreement.ts'

/** Who is to be told: a partner's id, its kind, its ODS code if it has one. */
export type Recipient = { partner: string; kind: string; ods?: string }

/** `recipient`: it stands in the role of who is told. `said`: everything about who it is; all of it has to agree. */
export type Actor = { recipient: boolean; said: readonly Said[] }
type Said =
  | { by: 'partner' | 'service' | 'kind' | 'ods'; value: string }
  | { by: 'members'; partners: readonly string[]; all: boolean }
  | { by: 'no-partner' | 'unclear' }

export const actorOf = ({ role, reference }: ConsentProvisionActor, consent: Consent): Actor => ({
  recipient: role?.coding?.some(({ system, code }) => system === participationType && code === 'IRCP') === true,
  said: [...byReference(reference?.reference, consent), ...byIdentifier(reference?.identifier)],
})

function byReference(reference: string | undefined, consent: Consent): Said[] {
  if (typeof reference !== 'string' || !reference) return []
  if (reference.startsWith('#')) return [contained(consent.contained?.find((one) => `#${one?.id}` === reference))]
  const [type, id = '', history] = reference.replace(`${BASE}/`, '').split('/')
  if (history !== undefined && history !== '_history') return [{ by: 'unclear' }]
  if (type === 'Organization') return [{ by: 'partner', value: id }]
  // The directory gives an organisation's service the organisation's own id.
  if (type === 'HealthcareService') return [{ by: 'service', value: id }]
  return [{ by: type === 'RelatedPerson' || type === 'Patient' ? 'no-partner' : 'unclear' }]
}

/** A team or service inside the consent says whose it is. One that stands elsewhere may be changed without the person. */
function contained(resource: Resource | undefined): Said {
  if (resource?.resourceType === 'HealthcareService') return organisations([resource.providedBy])
  if (resource?.resourceType === 'CareTeam')
    return organisations(
      resource.participant?.length ? resource.participant.map(({ member }) => member) : (resource.managingOrganization ?? []),
    )
  return { by: 'unclear' }
}

function organisations(references: readonly (Reference | undefined)[]): Said {
  const partners = references.flatMap((one) => {
    const [type, id] = one?.reference?.replace(`${BASE}/`, '').split('/') ?? []
    return type === 'Organization' && id ? [id] : []
  })
  return partners.length ? { by: 'members', partners, all: partners.length === references.length } : { by: 'unclear' }
}

function byIdentifier(identifier: { system?: string; value?: string } | undefined): Said[] {
  if (!identifier) return []
  const { system, value } = identifier
  if (system === ours('recipient-kind') && value) return [{ by: 'kind', value }]
  if (typeof system === 'string' && system.toLowerCase() === odsCode.toLowerCase() && value)
    return [{ by: 'ods', value: value.toUpperCase() }]
  return [{ by: 'unclear' }]
}

/** Does an actor mean this recipient? What contradicts itself is unclear, and so is nothing. */
export function means({ said }: Actor, recipient: Recipient): Match {
  let answer: Match | undefined
  for (const one of said) {
    const match = matches(one, recipient)
    if (answer !== undefined && match !== answer) return 'unclear'
    answer = match
  }
  return answer ?? 'unclear'
}

function matches(said: Said, { partner, kind, ods }: Recipient): Match {
  switch (said.by) {
    case 'partner':
      return said.value === partner ? 'yes' : 'no'
    case 'service':
      return said.value === partner ? 'yes' : 'unclear'
    case 'kind':
      return said.value === kind ? 'yes' : 'no'
    case 'ods':
      return ods ? (said.value === ods.toUpperCase() ? 'yes' : 'no') : 'unclear'
    case 'members':
      return said.partners.includes(partner) ? 'yes' : said.all ? 'no' : 'unclear'
    case 'no-partner':
      return 'no'
    case 'unclear':
      return 'unclear'
  }
}
