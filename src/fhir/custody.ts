/**
 * Custody as FHIR: the Observation that says how it is now, and one Observation (`custody-event`) for each thing somebody said happened.
 *
 * The events stand on the service's shelf only. One entered in error no longer counts.
 */
import type { Observation, ObservationComponent, Resource } from '@medplum/fhirtypes'
import { type Assertion, type CustodySource, type CustodyState, type Said, sources } from '../domain/custody.ts'
import { isCustodyEvent } from '../domain/facts.ts'
import { custodyIn } from '../domain/read.ts'
import type { DateSaid } from '../domain/release-dates.ts'
import { codeIn, isUnsorted } from '../domain/resources.ts'
import { BASE, confidentiality, ours } from './systems.ts'

/** Where an assertion comes from, as an identifier of its performer. */
const sourceSystem = `${BASE}/Id/custody-source`
const absent = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/data-absent-reason', code: 'unknown' }] }
const about = (system: string, code: string) => ({ coding: [{ system: ours(system), code }] })
const label = {
  security: [
    { system: confidentiality, code: 'N' },
    { system: ours('category'), code: 'release' },
  ],
}
const sourceNames: Readonly<Record<CustodySource, string>> = {
  'prisoner-search': 'HMPPS prisoner search',
  'external-movements': 'HMPPS external movements',
  'restricted-patients': 'HMPPS restricted patients',
  'prison-offender-events': 'HMPPS prison events',
  'external-api': 'HMPPS External API',
  service: 'RECONNECT service',
}

/** @param derivedFrom version of the custody Observation, when somebody changed that by hand */
export function eventObservation(assertion: Assertion, patient: string, issued: string, derivedFrom?: string): Observation {
  const { id, source, at, said } = assertion
  return {
    resourceType: 'Observation',
    id,
    meta: label,
    status: 'final',
    code: about('observation', 'custody-event'),
    subject: { reference: `Patient/${patient}` },
    effectiveDateTime: at,
    issued,
    performer: [{ identifier: { system: sourceSystem, value: source }, display: sourceNames[source] }],
    ...(derivedFrom ? { derivedFrom: [{ reference: derivedFrom }] } : {}),
    component: partsOf(said),
  }
}

function partsOf(said: Said): ObservationComponent[] {
  if (said.kind === 'dates')
    return [
      part('kind', 'dates'),
      ...said.dates.flatMap(({ type, date, confirmed }) => [
        { code: about('release-date-type', type), ...(date ? { valueDateTime: date } : { dataAbsentReason: absent }) },
        ...(confirmed === undefined ? [] : [part('confirmed', confirmed)]),
      ]),
    ]
  return Object.entries(said).flatMap(([name, value]) => (value === undefined ? [] : [part(name, value)]))
}

const part = (name: string, value: string | boolean | null): ObservationComponent => ({
  code: about('custody-event', name),
  ...(value === null ? { dataAbsentReason: absent } : typeof value === 'boolean' ? { valueBoolean: value } : { valueString: value }),
})

/** What a record says happened in custody. */
export function assertionsIn(resources: readonly Resource[]): Assertion[] {
  return resources.flatMap((resource) => {
    if (
      resource.resourceType !== 'Observation' ||
      resource.status === 'entered-in-error' ||
      !isCustodyEvent(resource) ||
      isUnsorted(resource)
    )
      return []
    const source = resource.performer?.find(({ identifier }) => identifier?.system === sourceSystem)?.identifier?.value
    const at = Date.parse(resource.effectiveDateTime ?? '')
    const said = saidIn(resource)
    if (!said || Number.isNaN(at) || !sources.includes(source as CustodySource)) return []
    return [{ id: resource.id as string, source: source as CustodySource, at: new Date(at).toISOString(), said }]
  })
}

function saidIn({ component = [] }: Observation): Said | undefined {
  const words = Object.fromEntries(
    component.flatMap((one) => {
      const name = codeIn(one.code, ours('custody-event'))
      return name ? [[name, one.valueString ?? one.valueBoolean ?? null]] : []
    }),
  )
  if (!/^(movement|found|dates|basis|absence|hospital|stated)$/.test(String(words.kind))) return undefined
  if (words.kind !== 'dates') return words as Said
  const dates: Omit<DateSaid, 'source' | 'saidAt'>[] = []
  for (const one of component) {
    const type = one.code.coding?.find(({ system }) => system === ours('release-date-type'))?.code
    const last = dates.at(-1)
    if (type) dates.push({ type, ...(one.valueDateTime ? { date: one.valueDateTime } : {}) })
    else if (last && codeIn(one.code, ours('custody-event')) === 'confirmed' && one.valueBoolean !== undefined)
      last.confirmed = one.valueBoolean
  }
  return { kind: 'dates', dates }
}

const owned = new Set([
  'establishment',
  'custody-basis',
  'custody-status',
  'expected-release-date',
  'release-date-type',
  'release-date-confirmed',
])

/** The custody Observation as the history has it; everything else on it stays. The same object when it says so already. */
export function custodyObservationAs(state: CustodyState, before: Observation | undefined, id: string, patient: string): Observation {
  const was = before && custodyIn(before)
  const of = (name: string) => before?.component?.find(({ code }) => codeIn(code, ours('observation')) === name)
  const component: ObservationComponent[] = (before?.component ?? []).filter(
    ({ code }) => !owned.has(codeIn(code, ours('observation')) ?? ''),
  )
  const add = (name: string, same: boolean, value: Partial<ObservationComponent> | undefined) => {
    const standing = of(name)
    if (same && standing) component.push(standing)
    else if (value) component.push({ code: about('observation', name), ...value })
  }
  const coded = (system: string, code: string | undefined) => (code ? { valueCodeableConcept: about(system, code) } : undefined)
  const { release } = state
  const type = release && release.type !== 'stated' ? release.type : undefined
  add(
    'establishment',
    was?.establishment?.code === state.prison && (state.prison !== undefined || was?.establishment?.name === state.place),
    coded('prison', state.prison) ?? (state.place ? { valueCodeableConcept: { text: state.place } } : undefined),
  )
  add('custody-basis', was?.basis === state.basis, coded('custody-basis', state.basis))
  add('custody-status', was?.where === state.where, coded('custody-status', state.where))
  add('expected-release-date', was?.releaseDate === release?.date, release ? { valueDateTime: release.date } : { dataAbsentReason: absent })
  add('release-date-type', was?.releaseDateType === type, coded('release-date-type', type))
  add(
    'release-date-confirmed',
    was?.releaseDateConfirmed === release?.confirmed,
    release?.confirmed === undefined ? undefined : { valueBoolean: release.confirmed },
  )

  const { end, ...period } = before?.effectivePeriod ?? {}
  const start = state.since ?? period.start
  const after: Observation = {
    ...(before ?? {
      resourceType: 'Observation',
      meta: label,
      status: 'final',
      code: about('observation', 'custody'),
      subject: { reference: `Patient/${patient}` },
    }),
    id,
    component,
  }
  const left = was?.left === state.left ? end : state.left
  if (start || left || before?.effectivePeriod)
    after.effectivePeriod = { ...period, ...(start ? { start } : {}), ...(left ? { end: left } : {}) }
  return before && JSON.stringify(sorted(before)) === JSON.stringify(sorted(after)) ? before : after
}

/** In one order, so that the order alone is no difference. */
function sorted({ component = [], effectivePeriod, ...rest }: Observation) {
  const parts = component.map((one) => JSON.stringify(one)).sort()
  return {
    ...Object.fromEntries(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1))),
    parts,
    start: effectivePeriod?.start,
    end: effectivePeriod?.end,
  }
}

/** Which version of it the exchange wrote: one that somebody copied back says another than its own. */
const writtenTag = ours('written-version')
export const asWrittenBy = (observation: Observation, version: number): Observation => ({
  ...observation,
  meta: {
    ...observation.meta,
    tag: [...(observation.meta?.tag ?? []).filter(({ system }) => system !== writtenTag), { system: writtenTag, code: String(version) }],
  },
})
export const isWrittenByUs = ({ meta }: Observation, version: number): boolean =>
  meta?.tag?.some(({ system, code }) => system === writtenTag && code === String(version)) === true

/** What somebody changed by hand: of what an Observation says, whatever the history does not say. */
export function byHand(observation: Observation, state: CustodyState): Said[] {
  const { establishment, basis, where, left, releaseDate, releaseDateType, releaseDateConfirmed } = custodyIn(observation)
  const since = observation.effectivePeriod?.start
  const { release } = state
  const stated: Said = {
    kind: 'stated',
    ...(establishment?.code && establishment.code !== state.prison ? { prison: establishment.code } : {}),
    ...(establishment?.name && !establishment.code && establishment.name !== state.place ? { place: establishment.name } : {}),
    ...(basis && basis !== state.basis ? { basis } : {}),
    ...(where && where !== state.where ? { where } : {}),
    ...(since && since !== state.since ? { since } : {}),
    ...(left !== state.left ? { left: left ?? null } : {}),
  }
  const sameDate =
    releaseDate === release?.date &&
    releaseDateType === (release?.type === 'stated' ? undefined : release?.type) &&
    releaseDateConfirmed === release?.confirmed
  if (sameDate) return [stated]
  const date = {
    type: releaseDateType ?? 'stated',
    ...(releaseDate ? { date: releaseDate } : {}),
    ...(releaseDateConfirmed === undefined ? {} : { confirmed: releaseDateConfirmed }),
  }
  return [stated, { kind: 'dates', dates: [date] }]
}
