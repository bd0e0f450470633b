/**
 * What can be seen of an exchange from outside: what each reader's shelf holds, what partners really got, what the audit says was decided,
 * and which rows wait. Looked at by the ten invariants, and by nobody else.
 */
import type { AuditEvent, Bundle, BundleLink, CareTeam, Observation, Resource, ServiceRequest, Task } from '@medplum/fhirtypes'
import { type Recipient, recipients } from './agreement.ts'
import { dayOf } from './days.ts'
import type { Gate, Reply } from './gate.ts'
import { idOf } from './partners.ts'

export type Outgoing = { id: string; partner: string; patient: string; task: string; reason: string; state: string }
/** Something that will be looked at again: by the exchange at an instant, or by a person now. */
export type Wait = { patient: string; about: string; task?: string | null; dueAt?: string; reason?: string }
export type Seen = {
  at: string
  /** Everybody who was to be looked at by now has been. */
  awake: boolean
  /** Both services' records together. */
  record: Resource[]
  /** As text and as resources. */
  shelves: Record<Recipient, { text: string; resources: Resource[] }>
  outbox: Outgoing[]
  waits: Wait[]
}

const clients = { 'tees-valley': 'case-system', 'other-service': 'other-system' } as const
const ofRecords = ['Task?', 'ServiceRequest?', 'CareTeam?', 'Patient?', 'Observation?code=custody&']
const ofPartners = ['Patient?', 'Task?', 'Condition?', 'Flag?', 'Observation?', 'MedicationStatement?', 'CarePlan?']

export async function look(gate: Gate, awake: boolean): Promise<Seen> {
  const shelves = {} as Seen['shelves']
  for (const to of recipients) {
    // Who only reads is taken to have received what it reads of a plan: that is for its own command.
    const resources = await searched(gate, idOf[to], to === 'wellbeing' ? ofPartners.slice(0, -1) : ofPartners)
    shelves[to] = { text: JSON.stringify(resources), resources }
  }
  const record = []
  for (const client of Object.values(clients)) record.push(...(await searched(gate, client, ofRecords)))
  // Reading decides anew, and so may have had something sent.
  await gate.idle()
  const timers = await gate.rows<Wait>('select patient, about, due_at as dueAt from timer')
  const work = await gate.rows<Wait>('select patient, about, task, reason from work_item where resolved_at is null')
  return {
    at: gate.now(),
    awake,
    record,
    shelves,
    outbox: await gate.rows<Outgoing>('select id, partner, patient, task, reason, state from owed'),
    waits: [...timers, ...work],
  }
}

/** Several searches as one batch. */
async function searched(gate: Gate, client: string, queries: readonly string[]): Promise<Resource[]> {
  const entry = queries.map((query) => ({ request: { method: 'GET', url: `${query}_count=200` } }))
  const { status, body, text } = await gate.call<Bundle>(client, 'POST', '/fhir', { resourceType: 'Bundle', type: 'batch', entry })
  if (status !== 200) throw new Error(`${client} can not read: ${status} ${text}`)
  return (body.entry ?? []).flatMap(({ resource, response }) => {
    if (response?.status.slice(0, 3) !== '200') throw new Error(`${client} can not read: ${JSON.stringify(response)}`)
    return (resource as Bundle).entry?.flatMap((one) => one.resource ?? []) ?? []
  })
}

/** How often each of these messages was decided about: the transactions of the audit's permitting decisions (AuthZ). */
export async function decidedAbout(gate: Gate, wanted: ReadonlySet<string>): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (const client of Object.values(clients)) {
    let path: string | undefined = '/fhir/AuditEvent?type=110113&outcome=0&_count=60'
    for (let pages = 0; path && pages < 100 && [...wanted].some((key) => (found.get(key) ?? 0) < 2); pages++) {
      const answer: Reply<Bundle> = await gate.call<Bundle>(client, 'GET', path)
      if (answer.status !== 200) throw new Error(`the audit can not be read: ${answer.status} ${answer.text}`)
      for (const { resource } of answer.body.entry ?? [])
        for (const key of new Set(transactionsOf(resource as AuditEvent))) if (wanted.has(key)) found.set(key, (found.get(key) ?? 0) + 1)
      const next = answer.body.link?.find(({ relation }: BundleLink) => relation === 'next')?.url
      path = next && new URL(next).pathname + new URL(next).search
    }
  }
  return found
}
const transactionsOf = ({ extension = [], entity = [] }: AuditEvent): string[] => [
  ...extension.flatMap(({ url, valueString, valueIdentifier }) =>
    url.endsWith('/transaction') ? (valueString ?? valueIdentifier?.value ?? []) : [],
  ),
  ...entity.flatMap(({ what }) => what?.identifier?.value ?? []),
]

// What a reader makes of it

const ofType = <T extends Resource['resourceType']>({ record }: Seen, type: T) =>
  record.filter((one): one is Extract<Resource, { resourceType: T }> => one.resourceType === type)
export const tasks = (seen: Seen): Task[] => ofType(seen, 'Task')
export const isHandover = ({ identifier = [] }: Task): boolean => identifier.some(({ system }) => system?.endsWith('/Id/handover'))
export const handovers = (seen: Seen): Task[] => tasks(seen).filter(isHandover)
export const referrals = (seen: Seen): ServiceRequest[] => {
  const asked = new Set(handovers(seen).map(({ focus }) => focus?.reference))
  return ofType(seen, 'ServiceRequest').filter(({ id }) => !asked.has(`ServiceRequest/${id}`))
}
export const phaseOf = ({ extension = [] }: ServiceRequest): string | undefined =>
  extension.find(({ url }) => url.endsWith('/referral-phase'))?.valueCoding?.code
export const businessOf = ({ businessStatus }: Task): string | undefined => businessStatus?.coding?.[0]?.code
export const personIn = (reference: string | undefined): string => reference?.split('/')[1] ?? ''
export const isFinal = (status: string): boolean => /^(completed|rejected|cancelled|failed|revoked|entered-in-error)$/.test(status)

/** Who holds the part of the named worker for this person now. */
export const namedWorkers = (seen: Seen, patient: string): string[] =>
  ofType(seen, 'CareTeam')
    .filter((team: CareTeam) => personIn(team.subject?.reference) === patient && !/^(inactive|entered-in-error)$/.test(team.status ?? ''))
    .flatMap(({ participant = [] }) => participant)
    .filter(({ role = [], period }) => {
      const named = role.some(({ coding = [] }) => coding.some(({ code }) => code === 'named-worker'))
      return named && (!period?.end || period.end > seen.at)
    })
    .map(({ member }) => member?.reference ?? '')

/** What custody says: the day the person left or is to leave, and whether they have. */
export type Custody = { release?: string; left?: string }
export const custodiesOf = (seen: Seen, patient: string): Custody[] =>
  ofType(seen, 'Observation')
    .filter((one: Observation) => personIn(one.subject?.reference) === patient && one.status !== 'entered-in-error')
    .map(({ component = [], effectivePeriod }) => {
      const said = component.find(({ code }) => code.coding?.some((one) => one.code === 'expected-release-date'))?.valueDateTime
      const left = effectivePeriod?.end
      return { ...(said ? { release: day(said) } : {}), ...(left ? { left: day(left) } : {}) }
    })
const day = (fhir: string): string => (fhir.includes('T') ? dayOf(fhir) : fhir)
