/**
 * The load: case systems that hand people in, change their plans and take agreements back, and partners that answer.
 */
import type { Bundle } from '@medplum/fhirtypes'
import type { PartnerName } from '../test/fixtures/case-bundle.ts'
import type { Client } from './client.ts'
import type { Dice } from './dice.ts'
import { sleep } from './moments.ts'
import type { Arrival, Partners } from './partners.ts'
import { caseSystems, consentFor, newPerson, type Person, partnerNames, planFor, refOf } from './people.ts'

/** A partner's answer. `version` of its Task once acknowledged. */
export type Answered = { partner: string; task: string; said: string; version?: number }

/** Senders that give up after this many tries, so that some requests stay without an answer. */
const impatient = 2

export type Load = ReturnType<typeof startLoad>

export function startLoad(client: Client, partners: Partners, dice: Dice, senders: number) {
  const people: Person[] = []
  const answers: Answered[] = []
  const odd: string[] = []
  let stopping = false
  const newId = () => crypto.randomUUID()
  const busy: Promise<void>[] = []

  async function sender(chances: Dice) {
    const known: Person[] = []
    while (!stopping) {
      await sleep(chances.between(0, 60))
      const luck = chances.chance()
      const person = known.length ? chances.oneOf(known.slice(-12)) : undefined
      if (!person || luck < 0.4) {
        const one = newPerson(people.length, chances.oneOf(caseSystems), () => chances.between(0, 2))
        people.push(one)
        if (await handIn(one, patience(chances))) known.push(one)
      } else if (luck < 0.8) await changePlan(person, chances)
      else await takeBack(person, chances)
    }
  }

  const patience = (chances: Dice) => (chances.chance() < 0.1 ? impatient : Number.POSITIVE_INFINITY)

  async function handIn(person: Person, tries: number): Promise<boolean> {
    const answer = await client.send(person.client, { method: 'POST', path: '/fhir', body: person.bundle, id: newId() }, tries)
    person.tries = answer?.tries ?? tries
    if (answer?.status !== 200) {
      if (answer) odd.push(`a case was answered ${answer.status}: ${answer.text.slice(0, 300)}`)
      return false
    }
    const { entry } = JSON.parse(answer.text) as Bundle
    person.places = (entry ?? []).flatMap(({ response }) => response?.location?.replace(/^.*\/fhir\//, '') ?? [])
    Object.assign(person.plans[0]!, { version: 1, at: answer.at })
    return true
  }

  async function changePlan(person: Person, chances: Dice) {
    const last = person.plans.at(-1)!.what
    const name = chances.oneOf(partnerNames)
    const what = { ...last, [name]: `See ${name}, as agreed the ${person.plans.length}th time` }
    const written: Person['plans'][number] = { what }
    person.plans.push(written)
    const body = planFor(person, what)
    const call = { method: 'PUT', path: `/fhir/CarePlan/${body.id}`, body, id: newId() } as const
    const answer = await client.send(person.client, call, patience(chances))
    if (answer?.status === 200) Object.assign(written, { version: versionOf(answer.etag), at: answer.at, wall: answer.wall })
    else if (answer) odd.push(`a plan was answered ${answer.status}: ${answer.text.slice(0, 300)}`)
  }

  async function takeBack(person: Person, chances: Dice) {
    const agreedTo = person.consents.at(-1)?.what ?? partnerNames
    if (agreedTo.length === 0) return
    const gone: PartnerName = chances.oneOf(agreedTo)
    const written: Person['consents'][number] = { what: agreedTo.filter((name) => name !== gone) }
    person.consents.push(written)
    const call = { method: 'PUT', path: `/fhir/${refOf(person, 'Consent')}`, body: consentFor(person, written.what), id: newId() } as const
    const answer = await client.send(person.client, call, patience(chances))
    if (answer?.status === 200) Object.assign(written, { version: versionOf(answer.etag), at: answer.at, wall: answer.wall })
    else if (answer) odd.push(`a consent was answered ${answer.status}: ${answer.text.slice(0, 300)}`)
  }

  const chances = dice.part('partners')
  const answering = new Set<string>()
  partners.whenTold((arrival: Arrival) => {
    if (stopping || arrival.revoked || answering.has(arrival.task) || chances.chance() > 0.25) return
    answering.add(arrival.task)
    busy.push(answer(arrival, chances.between(0, 150)))
  })

  async function answer({ partner, task }: Arrival, wait: number) {
    await sleep(wait)
    for (const said of ['accepted', 'in-progress']) {
      const one: Answered = { partner, task, said }
      answers.push(one)
      const body = [{ op: 'replace', path: '/status', value: said }]
      const got = await client.send(partner, { method: 'PATCH', path: `/fhir/Task/${task}`, body, id: newId() })
      // Taken back meanwhile, or asked to stop: refused, and rightly.
      if (got?.status !== 200) {
        if (got && got.status !== 422 && got.status !== 404) odd.push(`an answer was answered ${got.status}: ${got.text.slice(0, 300)}`)
        return
      }
      // A repeat of what is no longer there to be seen is answered "taken before", without a version: then any will do.
      one.version = got.etag === undefined ? 0 : versionOf(got.etag)
    }
  }

  for (let n = 0; n < senders; n++) busy.push(sender(dice.part(`sender ${n}`)))
  return {
    people,
    answers,
    /** Answers nobody expects. */
    odd,
    /** No new requests; resolves when the last has its answer. */
    async stop() {
      stopping = true
      for (let n = 0; n < busy.length; n++) await busy[n]
    },
  }
}

const versionOf = (etag: string | undefined): number => Number(/"(\d+)"/.exec(etag ?? '')?.[1])
