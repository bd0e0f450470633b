/**
 * A directory made up from a Bundle, for checking one without a real directory: its service, and for each performer the plan
 * names a partner of the kind its activity implies.
 */
import type { Bundle, CodeableConcept, Reference } from '@medplum/fhirtypes'
import type { Adapter } from '../adapter.ts'
import type { Directory, Partner, Service } from '../domain/directory.ts'
import { odsCode, ours } from '../fhir/systems.ts'

/** Which kind carries out an activity whose code is not the kind itself (`BASE/CodeSystem/support-activity`); ours. */
const kindOfActivity: Readonly<Record<string, string>> = {
  'probation-engagement': 'probation',
  probation: 'probation',
  'enhanced-support': 'enhanced-reconnect',
  'drug-and-alcohol': 'substance-misuse',
  transfer: 'reconnect-service',
  'reconnect-transfer': 'reconnect-service',
}
const otherwise = 'community-support'

export function exampleDirectory(bundle: Bundle, adapters: ReadonlyMap<string, Adapter>): Directory {
  const resources = (Array.isArray(bundle.entry) ? bundle.entry : []).flatMap((entry) => entry?.resource ?? [])
  const service =
    resources.flatMap((one) => (one.resourceType === 'ServiceRequest' ? (one.performer ?? []).flatMap(organizationIn) : []))[0] ??
    'example-service'
  const prisons = resources.flatMap((one) =>
    one.resourceType === 'Observation'
      ? (one.component ?? []).flatMap(({ valueCodeableConcept }) => codesIn(valueCodeableConcept, ours('prison')))
      : [],
  )
  const partners = new Map<string, Partner>()
  for (const one of resources) {
    if (one.resourceType !== 'CarePlan') continue
    for (const { detail } of one.activity ?? []) {
      for (const performer of detail?.performer ?? []) {
        const ods = performer.identifier?.system === odsCode ? performer.identifier.value : undefined
        const id = organizationIn(performer)[0] ?? (ods && `example-${ods.toLowerCase()}`)
        if (!id || id === service || partners.has(id)) continue
        const kind = kindOf(codesIn(detail?.code, ours('support-activity'))[0], adapters)
        const name = `${adapters.get(kind)?.name ?? kind} (example)`
        partners.set(id, { id, kind, name, ...(ods ? { ods } : {}), channel: { name: 'pull' }, deduplicates: true, retired: false })
      }
    }
  }
  const example: Service = { id: service, name: 'RECONNECT (example)', prisons: [...new Set(prisons)], homeAreas: [], enhanced: true }
  return { services: new Map([[service, example]]), partners }
}

const kindOf = (activity: string | undefined, adapters: ReadonlyMap<string, Adapter>): string =>
  activity === undefined ? otherwise : adapters.has(activity) ? activity : (kindOfActivity[activity] ?? otherwise)

const organizationIn = ({ reference }: Reference): string[] => {
  const id = reference?.match(/^Organization\/([A-Za-z0-9.-]{1,64})$/)?.[1]
  return id ? [id] : []
}

const codesIn = (concept: CodeableConcept | undefined, system: string): string[] =>
  (concept?.coding ?? []).flatMap((coding) => (coding.system === system && coding.code ? [coding.code] : []))
