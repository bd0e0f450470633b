/**
 * What an override that acts adds to what a partner is told, what is left of it later, and who still has to look at it.
 *
 * What leaves only because of an override is marked with its id. Such a disclosure needs that an override lists it each time it is
 * asked about again: an agreement never covers it, since the kind of partner may be one that is never told.
 */
import type { Patient, Resource } from '@medplum/fhirtypes'
import { consentRef, type Decision } from '../domain/consent.ts'
import { legalBases, needsReview, type Override, reviewBy, span, standing } from '../domain/override.ts'
import { type Disclosure, type Filled, fill, type Mapping, type Scope, type Verdict } from '../mapping.ts'
import type { Change } from './change.ts'
import { overrideMapping } from './override-mapping.ts'

type Ready = Extract<Filled, { outcome: 'ready' }>

/** What a mapping gives by agreement and override, and what of the listed items it has no place for or is never to tell. */
export function fillFor(mapping: Mapping, scope: Scope, decision: Decision): Filled {
  const usual = fill(mapping, scope, decision.permit)
  const { overridden } = decision
  if (!overridden) return usual
  const listed = fill(overrideMapping, scope, (source) => ({ permitted: overridden(source) !== undefined, because: 'not listed' }))
  if (listed.outcome !== 'ready') return marked(usual, (one) => decision.permit(one).override)
  const extra = marked(listed, overridden) as Ready
  if (usual.outcome !== 'ready') return { ...extra, withheld: without(usual, extra) }
  return added(marked(usual, (one) => decision.permit(one).override) as Ready, extra)
}

function marked(filled: Filled, override: (one: Disclosure) => string | undefined): Filled {
  if (filled.outcome !== 'ready') return filled
  const mark = (one: Disclosure) => {
    const id = override(one)
    return id ? { ...one, override: id } : one
  }
  return { ...filled, disclosures: filled.disclosures.map(mark) }
}

/** Facts of the override come whole, in place of what the mapping would tell of them; of the person only address and contact. */
function added(usual: Ready, extra: Ready): Ready {
  const { patient: [person] = [], carePlan: _p, worker: _w, workerRole: _r, ...facts } = extra.sections
  const taken = new Set(Object.values(facts).flatMap((resources) => resources.map(refOf)))
  const known = usual.sections.patient?.[0] as Patient | undefined
  const { address, telecom } = (person ?? {}) as Patient
  const more = { ...(known?.address ? {} : { address }), ...(known?.telecom ? {} : { telecom }) }
  const given = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined))
  const isGiven = ({ path }: Disclosure) =>
    (path.startsWith('person.address') && 'address' in given) || (/^person\.(phone|email)$/.test(path) && 'telecom' in given)
  const disclosures = [
    ...usual.disclosures.filter(({ ref }) => !taken.has(ref)),
    ...extra.disclosures.filter((one) => taken.has(one.ref) || isGiven(one)),
  ]
  const sections = Object.fromEntries(
    Object.entries(usual.sections).map(([name, resources]) => [name, resources.filter((each) => !taken.has(refOf(each)))]),
  )
  for (const [name, resources] of Object.entries(facts)) sections[`override.${name}`] = resources
  if (known) sections.patient = [{ ...known, ...given }]
  return { outcome: 'ready', sections, disclosures, withheld: without(usual, { disclosures }) }
}

const refOf = ({ resourceType, id }: Resource): string => `${resourceType}/${id}`

const without = (usual: Filled, { disclosures }: Pick<Ready, 'disclosures'>) => {
  const told = new Set(disclosures.map(({ path, ref }) => path + ref))
  return usual.withheld.filter(({ path, ref }) => !told.has(path + ref))
}

/** Asked again about something that was permitted before. */
export const permittedStill = (decision: Decision, one: Disclosure): Verdict =>
  one.override && !decision.overridden?.(one)
    ? { permitted: false, because: 'the override it was told under has ended' }
    : decision.permit(one)

/** What an audit row says of a decision: the override something was told under, or else the consent it was decided on. */
export function basisOf(
  { consent }: Pick<Decision, 'consent'>,
  told: readonly Disclosure[],
  overrides: readonly Override[],
): { basis?: string; detail?: { purposeOfUse: string; safeToShow: boolean } } {
  const override = overrides.find(({ id }) => told.some((one) => one.override === id))
  if (override) {
    const { basis, safeToShow } = override
    return { basis: `Override/${override.id}`, detail: { purposeOfUse: legalBases[basis].purpose, safeToShow } }
  }
  return consent ? { basis: consentRef(consent) } : {}
}

/** An override ends by the clock, and somebody is asked to look at it until they have. */
export function waitForReviews(change: Change): void {
  const { overrides, now } = change.situation
  for (const override of overrides) {
    const until = span(override)?.until
    if (until && until > now.toISOString()) change.wait(`override:${override.id}`, until)
    if (!needsReview(override, now)) continue
    const by = reviewBy(override)
    if (by > now.toISOString()) change.wait(`override-review:${override.id}`, by)
    const { role } = override.secondApprover
    const words =
      standing(override, now) === 'awaiting-approval'
        ? `An override waits for a second person (${role}). Nothing is told before they have looked.`
        : by > now.toISOString()
          ? `Something was told without the person’s agreement, in an emergency. A second person (${role}) has to look at it within three days.`
          : `Something was told without the person’s agreement, and no second person (${role}) has looked at it within three days. Look at it now.`
    change.ask({ about: `override-review:${override.id}`, reason: 'override-review', words })
  }
}
