/**
 * The simulated drug team: nothing is sent to it. In the morning it fetches what is on its shelf with fhir-kit-client, as a team
 * with a FHIR client of any make would, and answers by changing its Task.
 */
import type { Bundle, Patient, Resource, Task } from '@medplum/fhirtypes'
import { Client as FhirClient } from 'fhir-kit-client'
import { type HandoverState, isOpen } from '../domain/handover.ts'
import type { Client } from './client.ts'
import { type Letter, personIn } from './office.ts'
import { stateParts } from './partner.ts'

/** What a plan is read together with: everything on the shelf that is about the person. */
const types = ['ServiceRequest', 'Condition', 'MedicationStatement', 'AllergyIntolerance', 'Flag', 'Observation', 'Appointment'] as const

export type DrugTeam = {
  /** Fetches the shelf, and gives a letter for each handover that is new or whose content changed. */
  fetchPlans(at: string): Promise<Letter[]>
  answer(letter: Letter, say: HandoverState): Promise<void>
}

/** @param gateway public URL, without a slash at the end */
export function openDrugTeam(gateway: string, smart: Client): DrugTeam {
  const fhir = async () => new FhirClient({ baseUrl: `${gateway}/fhir`, bearerToken: await smart.token() })
  const read = new Map<string, string>()

  return {
    async fetchPlans(at) {
      const client = await fhir()
      const search = async (resourceType: string, searchParams: Record<string, string>) =>
        resourcesIn(await client.search({ resourceType, searchParams: { ...searchParams, _count: '200' } }))

      // The plan with its person, then the handovers: reading a plan is what tells the service that it has arrived.
      const plans = await search('CarePlan', { status: 'active', _include: 'CarePlan:patient' })
      const tasks = (await search('Task', {})).filter((one): one is Task => one.resourceType === 'Task' && isOpen(one.status ?? ''))
      const letters: Letter[] = []
      for (const person of plans.filter((one): one is Patient => one.resourceType === 'Patient')) {
        const patient = `Patient/${person.id}`
        const task = tasks.find((one) => one.for?.reference === patient)
        if (!task?.id) continue
        const about = (await Promise.all(types.map((type) => search(type, { patient })))).flat()
        const own = [person, ...plans.filter((one) => 'subject' in one && refOf(one.subject) === patient), ...about]
        const content = JSON.stringify(own.map(({ meta: _meta, ...rest }) => rest))
        const before = read.get(task.id)
        if (before === content) continue
        read.set(task.id, content)
        const bundle: Bundle = { resourceType: 'Bundle', type: 'collection', entry: [task, ...own].map((resource) => ({ resource })) }
        const kind = before ? 'pulled again' : 'pulled'
        letters.push({ id: `${task.id}-${letters.length}-${at}`, at, kind, task: task.id, person: personIn(bundle), bundle })
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
