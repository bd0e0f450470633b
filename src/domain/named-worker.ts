/**
 * The one named worker of a person (reconnect.md A3; closed-loop.md C7.4): the parts in care teams that say who it is and when. One at a
 * time; on the day of a handing over both count as one, and a stand-in is a part of its own between two others.
 */
import type { CareTeam, PractitionerRole } from '@medplum/fhirtypes'
import { ours } from '../fhir/systems.ts'
import { endOfDay, londonDate, startOfDay } from './calendar.ts'
import type { Worker } from './case.ts'
import { codeIn, given, type Index } from './resources.ts'

type Participant = NonNullable<CareTeam['participant']>[number]
/** London dates, first and last day. Absent: always, or until further notice. */
type Part = { participant: Participant; member: string; from?: string; until?: string }

/** Is this part in a care team that of the named worker, now, once or to come? */
export const isNamedWorker = ({ role }: Participant): boolean =>
  role?.some((each) => codeIn(each, ours('team-role')) === 'named-worker') === true

export const isOfUse = ({ status }: CareTeam): boolean => status !== 'inactive' && status !== 'entered-in-error'

const partsIn = (teams: readonly CareTeam[]): Part[] =>
  teams
    .filter(isOfUse)
    .flatMap(({ participant = [] }) => participant.filter(isNamedWorker))
    .flatMap((participant) => {
      const { member, period } = participant
      if (!member) return []
      const [from, until] = [londonDate(period?.start) ?? period?.start, londonDate(period?.end) ?? period?.end]
      const named = member.reference ?? member.identifier?.value ?? member.display ?? ''
      return [{ participant, member: named, ...given('from', from), ...given('until', until) }]
    })

const counts = ({ from, until }: Part, day: string): boolean => (!from || from <= day) && (!until || until >= day)

/** Two people at once, on that day or a later one. */
export function hasTwoWorkers(teams: readonly CareTeam[], day: string): boolean {
  const parts = partsIn(teams).filter(({ until }) => !until || until > day)
  const overlap = (one: Part, other: Part) =>
    (one.from ?? '') < (other.until ?? forever) && (other.from ?? '') < (one.until ?? forever) && one.member !== other.member
  return parts.some((one, index) => parts.slice(index + 1).some((other) => overlap(one, other)))
}
const forever = '9999'

/** The instant at which somebody else becomes the named worker, or nobody is: the next one. */
export function nextHandingOver(teams: readonly CareTeam[], day: string): string | undefined {
  const changes = partsIn(teams).flatMap(({ from, until }) => [
    ...(from && from > day ? [startOfDay(from).instant] : []),
    ...(until && until >= day ? [endOfDay(until)] : []),
  ])
  return changes.sort()[0]
}

/** @param day absent: one whose part ended counts only when no other does */
export function workerIn(teams: readonly CareTeam[], index: Index, day: string | undefined): Worker | undefined {
  const parts = partsIn(teams).filter((part) => !day || counts(part, day))
  const last = [...parts].sort((a, b) => compare(b.until ?? forever, a.until ?? forever) || compare(b.from ?? '', a.from ?? ''))[0]
  return last && asWorker(last.participant, index)
}
const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)

function asWorker({ member }: Participant, index: Index): Worker | undefined {
  const found = index.get(member?.reference)
  const role = found?.resourceType === 'PractitionerRole' ? found : undefined
  if (role?.active === false) return undefined
  const practitioner = role ? index.get(role.practitioner?.reference) : found
  const person = practitioner?.resourceType === 'Practitioner' ? practitioner : undefined
  const name = person?.name?.[0]
  const telecom = [...(role?.telecom ?? []), ...(person?.telecom ?? [])]
  const by = (system: string) => telecom.find((each) => each.system === system && each.use !== 'old')?.value
  return {
    ...given('practitionerId', person?.id ?? role?.practitioner?.reference?.split('/')[1]),
    ...given('roleId', role?.id),
    ...given('family', name?.family ?? name?.text ?? role?.practitioner?.display ?? member?.display),
    ...given('given', name?.given),
    ...given('phone', by('phone')),
    ...given('email', by('email')),
    ...given('service', serviceOf(role)),
  }
}

const serviceOf = (role: PractitionerRole | undefined): string | undefined =>
  role?.organization?.reference?.match(/^Organization\/(.+)$/)?.[1]
