/**
 * The simulated drug team: nothing is sent to it. In the morning it fetches what is on its shelf with fhir-kit-client, as a team
 * with a FHIR client of any make would, and answers by changing its Task.
 */
import type { Bundle, Patient, Resource, Task } from '@medplum/fhirtypes'
import { Client as FhirClient } from 'fhir-kit-client'
import { type HandoverState, isOpen } from '../domain/handover.ts'
import type { Client } from './client.ts'
import type { Arrived } from './office.ts'
import { stateParts } from './partner.ts'

/** What a plan is read together with: everything on the shelf that is about the person. */
const types = ['ServiceRequest', 'Condition', 'MedicationStatement', 'AllergyIntolerance', 'Flag', 'Observation', 'Appointment'] as const

export type DrugTeam = {
  /** Fetches the shelf, and gives a letter for each handover that is new, whose content changed or that is no longer there. */
  fetchPlans(at: string): Promise<Arrived[]>
  answer(letter: Arrived, say: HandoverState): Promise<void>
}

/** @param gateway public URL, without a slash at the end */
export function openDrugTeam(gateway: string, smart: Client): DrugTeam {
  const fhir = async () => new FhirClient({ baseUrl: `${gateway}/fhir`, bearerToken: await smart.token() })
  /** What was read last about a person, and for which handover. */
  const read = new Map<string, { task: string; content: string }>()

  return {
    async fetchPlans(at) {
      const client = await fhir()
      const search = async (resourceType: string, searchParams: Record<string, string>) =>
        resourcesIn(await client.search({ resourceType, searchParams: { ...searchParams, _count: '200' } }))

      // The plan with its person, then the handovers: reading a plan is what tells the service that it has arrived.
      const plans = await search('CarePlan', { status: 'active', _include: 'CarePlan:patient' })
      const tasks = (await search('Task', {})).filter((one): one is Task => one.resourceType === 'Task' && isOpen(one.status ?? ''))
      const letters: Arrived[] = []
      const gone = new Set(read.keys())
      for (const person of plans.filter((one): one is Patient => one.resourceType === 'Patient')) {
        const patient = `Patient/${person.id}`
        gone.delete(patient)
        const task = tasks.find((one) => one.for?.reference === patient)
        if (!task?.id) continue
        const about = (await Promise.all(types.map((type) => search(type, { patient })))).flat()
        const own = [person, ...plans.filter((one) => 'subject' in one && refOf(one.subject) === patient), ...about]
        const content = JSON.stringify(own.map(({ meta: _meta, ...rest }) => rest))
        if (read.get(patient)?.content === content) continue
        read.set(patient, { task: task.id, content })
        const bundle: Bundle = { resourceType: 'Bundle', type: 'collection', entry: [task, ...own].map((resource) => ({ resource })) }
        letters.push({ id: `${task.id}-${at}`, at, task: task.id, bundle, pulled: true })
      }
      for (const patient of gone) {
        const { task } = read.get(patient) as { task: string }
        read.delete(patient)
        letters.push({ id: `${task}-${at}`, at, task, bundle: { resourceType: 'Bundle', type: 'collection' }, pulled: true })
      }
      return letters
    },

    async answer({ task }, say) {
      const client = await fhir()
      const { status, businessStatus } = stateParts(say)
      const present = (await client.read({ resourceType: 'Task', id: task })) as unknown as Task
      await client.patch({
        resourceType: 'Task',
        id: task,
        jsonPatch: [
          { op: 'replace', path: '/status', value: status },
          ...(businessStatus ? [{ op: 'add' as const, path: '/businessStatus', value: businessStatus }] : []),
        ],
        options: { headers: { 'If-Match': `W/"${present.meta?.versionId}"`, 'Content-Type': 'application/json-patch+json' } },
      })
    },
  }
}

const resourcesIn = (bundle: unknown): Resource[] => ((bundle as Bundle).entry ?? []).flatMap(({ resource }) => resource ?? [])
const refOf = (reference: unknown): string | undefined => (reference as { reference?: string } | undefined)?.reference
