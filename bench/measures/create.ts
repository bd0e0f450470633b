/**
 * One resource at a time, validated against its profile and all that follows from it: a person nobody knows yet, and a fact about
 * somebody whose four partners are told of it.
 */
import type { Bundle, Observation, Patient } from '@medplum/fhirtypes'
import { category, coded, label } from '../../test/fixtures/case-bundle.ts'
import type { BenchCase } from '../case.ts'
import { caseSystem } from '../gateway.ts'
import { type Call, hammer } from '../load.ts'
import { type Measure, measured, settled, withCpu } from '../stage.ts'
import { difference, rowsOf } from '../written.ts'

const create: Measure = async (stage) => {
  const { size, gateway, partners, ours, limit, setup, say } = stage
  const { message } = await stage.warm()
  const headers = await gateway.as(caseSystem)
  const asked = await stage.known(Math.min(200, size.cases))
  const nhs = encodeURIComponent('https://fhir.nhs.uk/Id/nhs-number|')
  const ids: string[] = []
  for (const { nhsNumber } of asked) {
    const found = JSON.parse((await ours.must({ path: `/fhir/Patient?identifier=${nhs}${nhsNumber}`, headers })).toString()) as Bundle
    ids.push(found.entry?.[0]?.resource?.id as string)
  }
  const post = (resource: Patient | Observation): Call => ({
    method: 'POST',
    path: `/fhir/${resource.resourceType}`,
    body: Buffer.from(JSON.stringify(resource)),
    headers,
  })
  const people = stage.people(size.cases)
  for (const [name, aim, call] of [
    ['create a Patient, validated', '0.25', (n: number) => post(patientOf(people[n] as BenchCase))],
    ['create an Observation, four partners told', '', (n: number) => post(observationOf(ids[n % ids.length] as string, n))],
  ] as const) {
    const before = rowsOf(gateway)
    const made = await withCpu(gateway, () => hammer(ours, (n) => (n < people.length ? call(n) : undefined), during))
    const tables = difference(rowsOf(gateway), before, made.count)
    await setup({ tables, message })
    const bare = await hammer(limit, (n) => (n < made.count ? { ...call(n), path: '/intake', headers: {} } : undefined))
    say({ name, unit: '/s', ...measured(made), bare: bare.perSecond, aim })
    await settled(gateway)
  }
  partners.forget()
}
export default create

/** At most ten seconds each. */
const during = { seconds: 10 }

function patientOf({ body }: BenchCase): Patient {
  const bundle = JSON.parse(body.toString()) as Bundle<Patient>
  return bundle.entry?.[0]?.resource as Patient
}

const observationOf = (patient: string, n: number): Observation => ({
  resourceType: 'Observation',
  meta: label('N', category('adjustments')),
  status: 'final',
  code: coded('observation', 'communication'),
  subject: { reference: `Patient/${patient}` },
  valueString: `Reads with help, asked the ${n}th time`,
})
