/**
 * The other RECONNECT service of the demo, for people who go home to Plymouth. It is a service of the same gateway: it opens its post, which
 * is its own record, and takes somebody on with its own client: a worker, the person's agreement, the plan.
 */
import type { Bundle, CarePlan, Encounter, Observation, Patient, Resource, ServiceRequest, Task } from '@medplum/fhirtypes'
import type { HandoverState } from '../domain/handover.ts'
import { consentFrom } from '../fhir/consent-from.ts'
import { ours, actCode as v3ActCode } from '../fhir/systems.ts'
import type { Client } from './client.ts'
import { southWest } from './directory.ts'
import { isCustody, releaseIn } from './news.ts'
import type { Arrived } from './office.ts'

const types = ['ServiceRequest', 'CarePlan', 'Condition', 'MedicationStatement', 'Flag', 'Observation'] as const

export type SouthWest = {
  /** Whoever arrived, or about whom something is new, since it looked last. */
  openPost(at: string): Promise<Arrived[]>
  /** Takes the person on; to say that they are supported, it writes down that they have left, and somebody meets them. */
  answer(letter: Arrived, say: HandoverState): Promise<void>
}

export function openSouthWest(client: Client): SouthWest {
  const seen = new Map<string, string>()
  const search = async (query: string): Promise<Resource[]> =>
    ((await client.call<Bundle>('GET', `/fhir/${query}`)).entry ?? []).flatMap(({ resource }) => resource ?? [])

  return {
    async openPost(at) {
      const letters: Arrived[] = []
      for (const patient of (await search('Patient')) as Patient[]) {
        const id = patient.id as string
        const about = (await Promise.all(types.map((type) => search(`${type}?patient=Patient/${id}`)))).flat()
        const tasks = (await search('Task')) as Task[]
        const task = tasks.find((one) => one.for?.reference === `Patient/${id}`)
        const bundle: Bundle = {
          resourceType: 'Bundle',
          type: 'collection',
          entry: [task ?? [], patient, ...about].flat().map((resource) => ({ resource })),
        }
        const custody = JSON.stringify(
          about.filter(({ resourceType }) => resourceType === 'Observation').map(({ meta: _meta, ...rest }) => rest),
        )
        // What it writes itself is no news to it; where the person is, is.
        if (seen.get(id) === custody) continue
        seen.set(id, custody)
        letters.push({ id: `post-${id}-${at}`, at, task: task?.id ?? id, bundle })
      }
      return letters
    },

    async answer({ bundle }, { status }) {
      const of = <T extends Resource>(type: string) =>
        bundle.entry?.find(({ resource }) => resource?.resourceType === type)?.resource as T | undefined
      const [patient, plan, request] = [of<Patient>('Patient'), of<CarePlan>('CarePlan'), of<ServiceRequest>('ServiceRequest')]
      if (!patient?.id || !plan || !request) throw new Error('nothing has arrived')
      const subject = `Patient/${patient.id}`
      if (status === 'completed') {
        const stay = bundle.entry?.find(({ resource }) => resource?.resourceType === 'Observation' && isCustody(resource))
          ?.resource as Observation
        const end = releaseIn(bundle)
        if (stay && end)
          await client.call('PUT', `/fhir/Observation/${stay.id}`, { ...stay, effectivePeriod: { ...stay.effectivePeriod, end } })
        const meeting: Encounter = {
          resourceType: 'Encounter',
          status: 'finished',
          class: { system: v3ActCode, code: 'AMB' },
          subject: { reference: subject },
        }
        await client.call('POST', '/fhir/Encounter', meeting)
        return
      }
      const place = (n: number) => `urn:uuid:00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
      const post = (n: number, resource: Resource) => ({
        fullUrl: place(n),
        resource,
        request: { method: 'POST' as const, url: resource.resourceType },
      })
      await client.call('POST', '/fhir', {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [
          post(1, { resourceType: 'Practitioner', name: [{ family: 'Carrow', given: ['Jenna'] }] }),
          post(2, {
            resourceType: 'PractitionerRole',
            active: true,
            practitioner: { reference: place(1) },
            organization: { reference: `Organization/${southWest}` },
            telecom: [{ system: 'phone', value: '07700900803' }],
          }),
          post(3, {
            resourceType: 'CareTeam',
            status: 'active',
            subject: { reference: subject },
            participant: [{ role: [{ coding: [{ system: ours('team-role'), code: 'named-worker' }] }], member: { reference: place(2) } }],
          }),
          post(
            4,
            consentFrom({
              patient: subject,
              organization: `Organization/${southWest}`,
              choices: [{ to: { kind: 'gp-registration' }, upTo: 'R' }],
              dateTime: '2026-03-03T09:00:00Z',
              period: { start: '2026-03-03', end: '2027-03-03' },
              source: { display: 'Spoken by video with the named worker, who wrote it down' },
            }),
          ),
          { resource: { ...plan, status: 'active' }, request: { method: 'PUT', url: `CarePlan/${plan.id}` } },
        ],
      })
    },
  }
}
