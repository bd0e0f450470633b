/**
 * What is asked when something is looked for, by the service and by a partner: the same questions of a small database and a big one.
 */
import type { Bundle } from '@medplum/fhirtypes'
import { type BenchCase, puller } from './case.ts'
import { caseSystem, type Gateway } from './gateway.ts'
import { type Call, hammer, type Loader } from './load.ts'
import { type Stage, withCpu } from './stage.ts'

export type Search = { key: string; name: string; aim: string; ask: (one: BenchCase) => Call }

const nhs = encodeURIComponent('https://fhir.nhs.uk/Id/nhs-number|')

/** With fresh tokens: good for five minutes. */
export async function searchesOf(gateway: Gateway): Promise<{ searches: Search[]; read: (place: string) => Call }> {
  const service = await gateway.as(caseSystem)
  const partner = await gateway.as(puller)
  const search = (key: string, name: string, aim: string, headers: Record<string, string>, path: (one: BenchCase) => string): Search => ({
    ...{ key, name, aim },
    ask: (one) => ({ path: `/fhir/${path(one)}`, headers }),
  })
  const plan = ({ nhsNumber }: BenchCase) => `CarePlan?patient.identifier=${nhs}${nhsNumber}`
  return {
    read: (place) => ({ path: `/fhir/${place}`, headers: service }),
    searches: [
      search('plan', 'search CarePlan?patient.identifier=', '2000; 0.4', service, plan),
      search('family', 'search Patient?family=', '2000; 0.4', service, ({ family }) => `Patient?family=${family}`),
      search('status', 'search Task?status=, 20 a page', '', service, () => 'Task?status=requested&_count=20'),
      search(
        'pull',
        'pull CarePlan with its Patient, as a partner',
        '0.4',
        partner,
        (one) => `${plan(one)}&status=active&_include=CarePlan:patient`,
      ),
    ],
  }
}

/** What is answered, asked once of everybody: the bare limit is to give the same bytes. `places` can be read. */
export async function answersTo(load: Loader, searches: readonly Search[], people: readonly BenchCase[]) {
  const texts: Record<string, string[]> = {}
  const places = new Set<string>()
  for (const { key, name, ask } of searches) {
    for (const [n, one] of people.entries()) {
      const { entry = [] } = JSON.parse((await load.must(ask(one))).toString()) as Bundle
      if (entry.length === 0) throw new Error(`nothing was found: ${name}`)
      texts[`${key}${n}`] = entry.map(({ resource }) => JSON.stringify(resource))
      if (key === 'pull') continue
      for (const { resource } of entry) {
        const place = `${resource?.resourceType}/${resource?.id}`
        places.add(place)
        texts[place] ??= [JSON.stringify(resource)]
      }
    }
  }
  return { texts, places: [...places] }
}

/** Another one each time, not one behind the other. */
export const pick = <T>(from: readonly T[], n: number): T => from[(n * 7) % from.length] as T

/** Reading what was found and each search, ours and right after it the bare limit. */
export async function measureReading(
  { limit, setup, size }: Pick<Stage, 'limit' | 'setup' | 'size'>,
  gateway: Gateway,
  load: Loader,
  people: readonly BenchCase[],
) {
  const asked = await searchesOf(gateway)
  const { texts, places } = await answersTo(load, asked.searches, people)
  await setup({ texts })
  const during = { seconds: size.seconds }
  const of = async (name: string, aim: string, call: (n: number) => Call, bareCall: (n: number) => Call) => {
    const found = await withCpu(gateway, () => hammer(load, call, during))
    const bare = await hammer(limit, bareCall, during)
    return { name, aim, found, bare: bare.perSecond }
  }
  const results = [
    await of(
      'read',
      '3000; 0.4',
      (n) => asked.read(pick(places, n)),
      (n) => ({ path: `/read/${encodeURIComponent(pick(places, n))}` }),
    ),
  ]
  for (const place of asked.searches.keys()) {
    const { key, name, aim, ask } = (await searchesOf(gateway)).searches[place] as Search
    const bareCall = (n: number) => ({ path: `/search?key=${key}${(n * 7) % people.length}` })
    results.push(await of(name, aim, (n) => ask(pick(people, n)), bareCall))
  }
  return results
}
