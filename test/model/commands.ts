/**
 * What can happen, in any order: each as data that fast-check makes up and makes smaller, and how it is done.
 */
import type { Bundle, CarePlan, CareTeam, Consent, Flag, Observation, Patient, Resource, ServiceRequest, Task } from '@medplum/fhirtypes'
import fc from 'fast-check'
import { coded, custodyOf } from '../fixtures/case-bundle.ts'
import { says } from '../fixtures/gateway.ts'
import { envelope, notification, prisonEvent, searchEvent } from '../fixtures/hmpps.ts'
import { code, overriding, someone, text } from '../fixtures/override.ts'
import { takenBack, toldAgain } from '../fixtures/referral.ts'
import {
  type Agreement,
  beginsAgain,
  isOver,
  type Level,
  merged,
  overridden,
  type Recipient,
  recipients,
  takesBack,
  unmerged,
  wasMistaken,
  wasNever,
} from './agreement.ts'
import { beginning, dayOf, later, monthsOn } from './days.ts'
import { type Behaviour, idOf } from './partners.ts'
import { consentFor, names, numbersOf, planFor, referralOf, wordOf } from './people.ts'
import { agree, arrives, counted, type Person, Refused, repeat, secret, type World, write } from './world.ts'

const who = fc.nat({ max: 3 })
/** The other service answers by what it does (`takeOn`), and not as a partner's client. */
const recipient = fc.constantFrom(...recipients.filter((one) => one !== 'elsewhere'))
/** Those that are sent what they are told. */
const pushed = fc.constantFrom<Recipient>('practice', 'recovery', 'probation', 'enhanced')
const agreement = fc
  .record({ to: fc.subarray([...recipients]), narrow: fc.subarray([...recipients], { maxLength: 2 }) })
  .map(({ to, narrow }): Agreement['to'] =>
    Object.fromEntries(to.map((one): [Recipient, Level] => [one, narrow.includes(one) ? 'N' : 'R'])),
  )
/** Days for which it holds. */
const lasting = fc.constantFrom(300, 300, 300, 40, 20, 3, 0)
const plan = fc.subarray([...recipients], { minLength: 1 })

const all = {
  agree: [4, { who, to: agreement, days: lasting, anew: fc.boolean() }],
  withdraw: [3, { who, how: fc.constantFrom('inactive', 'entered-in-error') }],
  move: [4, { who, days: fc.integer({ min: -40, max: 110 }) }],
  leave: [2, { who, daysAgo: fc.constantFrom(0, 0, 1, 20) }],
  return: [1, { who }],
  hmpps: [
    3,
    {
      who,
      what: fc.constantFrom('released', 'received', 'search released', 'search received', 'dates', 'licence', 'court', 'strange'),
      hoursAgo: fc.constantFrom(0, 0, 1, 30, 200),
    },
  ],
  plan: [3, { who, plan }],
  note: [2, { who }],
  mistake: [1, { who, kind: fc.constantFrom('risk' as const, 'adjustments' as const) }],
  answer: [
    8,
    {
      recipient,
      which: fc.nat({ max: 7 }),
      twice: fc.boolean(),
      how: fc.constantFrom('patch', 'message', 'phone'),
      say: fc.constantFrom<[string, string?]>(
        ['received'],
        ['accepted'],
        ['in-progress'],
        ['in-progress', 'appointment-booked'],
        ['in-progress', 'did-not-attend'],
        ['on-hold', 'awaiting-information'],
        ['rejected'],
        ['failed', 'no-contact'],
        ['cancelled'],
        ['completed', 'outcome'],
      ),
    },
  ],
  straight: [3, { recipient, which: fc.nat({ max: 7 }), upto: fc.integer({ min: 1, max: 4 }) }],
  pull: [2, { which: fc.nat({ max: 7 }) }],
  turn: [5, { by: fc.constantFrom('PT5M', 'PT3H', 'PT17H', 'P1D', 'P2D', 'P9D', 'P30D', 'P75D', 'P190D') }],
  boundary: [3, { who, day: fc.constantFrom(-84, -28, -14, -2, 0, 1, 21, 28, 'support ends'), minutes: fc.constantFrom(-1, 0, 1, 600) }],
  clocksChange: [1, { minutes: fc.constantFrom(-61, -1, 0, 59, 60, 61, 121) }],
  oversleep: [3, { minutes: fc.constantFrom(30, 300, 1500, 30_000), deliver: fc.boolean() }],
  behave: [
    5,
    {
      recipient: pushed,
      as: fc.constantFrom<Behaviour>('takes', 'takes', 'is slow', 'is busy', 'hangs up', 'is away', 'rejects', 'knows it'),
    },
  ],
  // Two that chance alone finds too seldom: an agreement runs out, or is taken back, while a message about the person is on its way.
  outwaited: [3, { who, recipient: pushed, deliver: fc.boolean() }],
  crossed: [3, { who, recipient: pushed }],
  repeat: [3, { which: fc.nat({ max: 4 }) }],
  refer: [
    3,
    {
      by: fc.constantFrom('prison-health', 'court-team'),
      days: fc.constantFrom(-29, -28, -27, 0, 1, 28, 83, 84, 85, 86, 120),
      known: fc.option(who, { freq: 3 }),
    },
  ],
  tellAgain: [1, { which: fc.nat({ max: 3 }), back: fc.boolean() }],
  triage: [2, { which: fc.nat({ max: 3 }), decision: fc.constantFrom('accept', 'accept', 'ask', 'redirect', 'decline') }],
  adopt: [3, { which: fc.nat({ max: 3 }), to: agreement, plan }],
  allocate: [2, { who, other: fc.boolean() }],
  team: [1, { who, workers: fc.constantFrom(0, 1, 2), another: fc.boolean() }],
  merge: [2, { who, into: who }],
  unmerge: [2, { who }],
  notSame: [1, { who, other: who }],
  override: [1, { who, hours: fc.constantFrom(1, 8) }],
  extend: [1, { who, days: fc.constantFrom(30, 90) }],
  close: [
    2,
    { who, outcome: fc.constantFrom('needs-met', 'needs-met', 'declined-support', 'lost-contact', 'error', 'transferred', 'stepped-up') },
  ],
  reopen: [1, { who }],
  again: [1, { who }],
  contact: [1, { who }],
  takeOn: [2, { which: fc.nat({ max: 3 }) }],
  die: [1, { who }],
  night: [1, {}],
} as const satisfies Record<string, readonly [weight: number, parts: Record<string, fc.Arbitrary<unknown>>]>

type All = typeof all
export type Event = {
  [Name in keyof All]: { do: Name } & { [Part in keyof All[Name][1]]: All[Name][1][Part] extends fc.Arbitrary<infer T> ? T : never }
}[keyof All]

const oneOf = (some: readonly (keyof All)[]): fc.Arbitrary<Event> =>
  fc.oneof(
    ...some.map((name) => {
      const [weight, parts] = all[name]
      return { weight, arbitrary: fc.record({ do: fc.constant(name), ...(parts as object) }) as unknown as fc.Arbitrary<Event> }
    }),
  )
export const event = oneOf(Object.keys(all) as (keyof All)[])
/** What may go on while something else does: none of these says what a person agreed to. */
export const beside = oneOf(['answer', 'straight', 'pull', 'move', 'plan', 'note', 'hmpps', 'contact'])

// Finding one's way

const find = async <R extends Resource>(world: World, client: string, query: string): Promise<R[]> => {
  const { status, body, text } = await world.gate.call<Bundle>(client, 'GET', `/fhir/${query}${query.includes('?') ? '&' : '?'}_count=200`)
  if (status !== 200) throw new Error(`${client} searching ${query.split('?')[0]}: ${status} ${text}`)
  return (body.entry ?? []).flatMap(({ resource }) => (resource ? [resource as R] : []))
}
const desk = 'case-system'
const personOf = async (world: World, n: number): Promise<Person> => {
  const person = world.people[n % world.people.length] as Person
  if (!person.patient) {
    const [found] = await find<Patient>(world, desk, `Patient?family=${wordOf(person.n, 'identity')}`)
    if (!found) throw new Refused('nobody knows this person yet')
    person.patient = `Patient/${found.id}`
  }
  return person
}
/** Of a person's record as it stands now, the latest. */
const ofPerson = async <R extends Resource>(world: World, person: Person, type: R['resourceType'], more = ''): Promise<R | undefined> =>
  (await find<R>(world, desk, `${type}?patient=${person.patient}${more}`)).at(0)
const mustHave = <T>(found: T | undefined): T => {
  if (found === undefined) throw new Refused('there is none')
  return found
}
const referralOn = async (world: World, person: Person): Promise<ServiceRequest> => {
  const asked = new Set(
    (await find<Task>(world, desk, `Task?patient=${person.patient}`)).flatMap(({ identifier, focus }) =>
      identifier?.some(({ system }) => system?.endsWith('/Id/handover')) ? [focus?.reference] : [],
    ),
  )
  const all = await find<ServiceRequest>(world, desk, `ServiceRequest?patient=${person.patient}`)
  const own = all.filter(({ id }) => !asked.has(`ServiceRequest/${id}`))
  return mustHave(own.find(({ status }) => status === 'active' || status === 'on-hold') ?? own[0])
}
const at = (world: World) => dayOf(world.gate.now())
const put = (world: World, resource: Resource, said: Parameters<typeof write>[1]['says'] = undefined, client = desk) =>
  write(world, {
    client,
    method: resource.id ? 'PUT' : 'POST',
    path: `/fhir/${resource.resourceType}${resource.id ? `/${resource.id}` : ''}`,
    body: resource,
    ...(said ? { says: said } : {}),
  })
const operate = (world: World, path: string, parameter: object[], said?: Parameters<typeof write>[1]['says'], client = desk) =>
  write(world, {
    ...{ client, method: 'POST', path: `/fhir/${path}` },
    body: { resourceType: 'Parameters', parameter },
    ...(said ? { says: said } : {}),
  })
const by = someone('by', 'Nav Igator', 'care navigator')
const naming = (name: string, reference: string) => ({ name, valueReference: { reference } })

/** The agreement that counts now, and which of the model's it is: written into the resource, as its date and a number. */
const numberOf = ({ sourceReference }: Consent): number => Number(sourceReference?.display?.match(/\d+$/)?.[0] ?? 0)
const latestConsent = async (world: World, person: Person): Promise<Consent | undefined> =>
  (await find<Consent>(world, desk, `Consent?patient=${person.patient}`)).toSorted((a, b) => numberOf(a) - numberOf(b)).at(-1)

/** Each of them; a Refused is nothing wrong. */
export async function happen(world: World, what: Event): Promise<void> {
  const { gate } = world
  switch (what.do) {
    case 'agree': {
      const person = await personOf(world, what.who)
      const before = what.anew ? undefined : await latestConsent(world, person)
      const { agreement: said, says: saying } = agree(world, person.n, what.to, later(at(world), what.days), before && numberOf(before))
      const consent = consentFor({
        patient: person.patient,
        service: person.service,
        agreement: said,
        ...(before?.id ? { id: before.id } : {}),
      })
      return void (await put(world, consent, saying))
    }
    case 'withdraw': {
      const person = await personOf(world, what.who)
      const consent = mustHave(await latestConsent(world, person))
      return void (await write(world, {
        ...{ client: desk, method: 'PATCH', path: `/fhir/Consent/${consent.id}` },
        body: [{ op: 'replace', path: '/status', value: what.how }],
        says: (what.how === 'inactive' ? takesBack : wasNever)(person.n, numberOf(consent)),
      }))
    }
    case 'move':
    case 'leave':
    case 'return': {
      const person = await personOf(world, what.who)
      const id = mustHave(await ofPerson<Observation>(world, person, 'Observation', '&code=custody')).id as string
      const today = at(world)
      const day = what.do === 'move' ? later(today, what.days) : what.do === 'leave' ? later(today, -what.daysAgo) : null
      const how = what.do === 'leave' ? { left: day as string } : what.do === 'return' ? { basis: 'recall', since: today } : {}
      return void (await put(world, custodyOf({ patient: person.patient, releaseDate: day, id, ...how })))
    }
    case 'hmpps': {
      const person = await personOf(world, what.who)
      const { noms } = numbersOf(person.n)
      const then = new Date(Date.parse(gate.now()) - what.hoursAgo * 3_600_000).toISOString()
      const [first, second] = what.what.split(' ')
      const event =
        what.what === 'dates'
          ? notification('PERSON_SENTENCE_DATES_CHANGED', noms, then.slice(0, -1))
          : what.what === 'licence'
            ? prisonEvent('released', { noms, at: then, reason: 'TEMPORARY_ABSENCE_RELEASE', code: 'R1' })
            : what.what === 'court'
              ? prisonEvent('released', { noms, at: then, reason: 'SENT_TO_COURT', code: 'CRT' })
              : what.what === 'strange'
                ? envelope({ ...prisonEvent('released', { noms, at: then }), eventType: 'something.nobody.knows' })
                : first === 'search'
                  ? searchEvent(second as 'released', { noms, at: then })
                  : prisonEvent(first as 'released', { noms, at: then, code: first === 'released' ? 'CR' : 'N' })
      return void (await write(world, { client: desk, method: 'POST', path: '/events/hmpps', body: event }))
    }
    case 'plan': {
      const person = await personOf(world, what.who)
      const before = mustHave(await ofPerson<CarePlan>(world, person, 'CarePlan'))
      const team = before.careTeam?.[0]?.reference ?? 'CareTeam/none'
      return void (await put(world, planFor({ patient: person.patient, team, plan: what.plan, id: before.id as string })))
    }
    case 'note': {
      const person = await personOf(world, what.who)
      const word = secret(world)
      await put(world, {
        resourceType: 'Condition',
        clinicalStatus: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: 'active' }] },
        code: { text: `Something said: ${word}` },
        subject: { reference: person.patient },
      })
      world.noted.push(word)
      return
    }
    case 'mistake': {
      const person = await personOf(world, what.who)
      const flags = await find<Flag>(world, desk, `Flag?patient=${person.patient}`)
      const flag = mustHave(flags.find((one) => JSON.stringify(one).includes(wordOf(person.n, what.kind))))
      return void (await put(world, { ...flag, status: 'entered-in-error' }, wasMistaken(person.n, what.kind)))
    }
    case 'answer': {
      const tasks = await find<Task>(world, idOf[what.recipient], 'Task')
      const task = mustHave(tasks[what.which % Math.max(1, tasks.length)])
      for (let times = 0; times < (what.twice ? 2 : 1); times++)
        await answerTask(world, what.recipient, task.id as string, what.say, what.how)
      return
    }
    case 'straight': {
      const tasks = await find<Task>(world, idOf[what.recipient], 'Task')
      const task = mustHave(tasks[what.which % Math.max(1, tasks.length)])
      const way: [string, string?][] = [['received'], ['accepted'], ['in-progress'], ['completed', 'outcome']]
      for (const step of way.slice(0, what.upto)) await answerTask(world, what.recipient, task.id as string, step, 'patch').catch(expected)
      return
    }
    case 'pull': {
      const plans = await find<CarePlan>(world, idOf.wellbeing, 'CarePlan')
      const [one] = [plans[what.which % Math.max(1, plans.length)]]
      if (one) await gate.call(idOf.wellbeing, 'GET', `/fhir/CarePlan/${one.id}`)
      return
    }
    case 'turn':
      return turnTo(world, new Date(Date.parse(gate.now()) + lengths[what.by as 'PT5M'] * 60_000).toISOString())
    case 'boundary': {
      const person = await personOf(world, what.who)
      const custody = mustHave(await ofPerson<Observation>(world, person, 'Observation', '&code=custody'))
      const release = custody.effectivePeriod?.end ?? custody.component?.find(({ valueDateTime }) => valueDateTime)?.valueDateTime
      const day = mustHave(release).slice(0, 10)
      const on = what.day === 'support ends' ? monthsOn(day, 6) : later(day, what.day as number)
      return turnTo(world, new Date(Date.parse(beginning(on)) + what.minutes * 60_000).toISOString())
    }
    case 'clocksChange': {
      // One in the morning, UTC, on the last Sunday of March and of October.
      const changes = ['2026-10-25', '2027-03-28', '2027-10-31', '2028-03-26'].map((day) => `${day}T01:00:00.000Z`)
      const next = mustHave(changes.find((one) => one > gate.now()))
      return turnTo(world, new Date(Date.parse(next) + what.minutes * 60_000).toISOString())
    }
    case 'oversleep':
      world.awake = false
      return gate.oversleep(new Date(Date.parse(gate.now()) + what.minutes * 60_000).toISOString(), what.deliver)
    case 'behave':
      return void world.line.behaves.set(what.recipient, what.as)
    case 'outwaited': {
      world.line.behaves.set(what.recipient, 'is busy')
      const to = Object.fromEntries(recipients.map((one): [Recipient, Level] => [one, 'R']))
      await happen(world, { do: 'agree', who: what.who, to, days: 0, anew: true })
      await happen(world, { do: 'move', who: what.who, days: 20 })
      await gate.idle()
      world.line.behaves.delete(what.recipient)
      return happen(world, { do: 'oversleep', minutes: 1_500, deliver: what.deliver })
    }
    case 'crossed': {
      world.line.behaves.set(what.recipient, 'is slow, then busy')
      await happen(world, { do: 'move', who: what.who, days: 21 })
      await happen(world, { do: 'withdraw', who: what.who, how: 'inactive' })
      await gate.idle()
      world.line.behaves.delete(what.recipient)
      return turnTo(world, new Date(Date.parse(gate.now()) + 3 * 3_600_000).toISOString())
    }
    case 'repeat':
      return repeat(world, what.which)
    case 'refer': {
      if (world.people.length >= names.length) throw new Refused('enough people')
      const person = arrives(world, [])
      const release = later(at(world), what.days)
      const body = referralOf(person.n, {
        id: crypto.randomUUID(),
        release,
        ...(what.days < 0 ? { left: release } : {}),
        ...(what.known == null ? {} : { known: (what.known as number) % person.n }),
      })
      const answer = await write<Bundle>(world, { client: what.by, method: 'POST', path: '/fhir/$process-message', body })
      const told = (answer.body.entry ?? []).flatMap(({ resource }) => resource ?? [])
      const outcome = told.flatMap((one) => (one.resourceType === 'Task' ? (one.businessStatus?.coding?.[0]?.code ?? []) : []))[0]
      const right = what.days > 84 ? 'held' : what.days < -28 ? 'declined' : 'accepted'
      if (answer.status === 200 && outcome !== right)
        world.found.push(`10: referred ${what.days} days before release, and the answer is ${outcome}, not ${right}`)
      person.patient = `Patient/${told.find((one) => one.resourceType === 'Patient')?.id}`
      world.sent.push({ by: what.by, message: body, request: told.find((one) => one.resourceType === 'ServiceRequest')?.id as string })
      return
    }
    case 'tellAgain': {
      const sent = mustHave(world.sent[what.which % Math.max(1, world.sent.length)])
      const body = what.back
        ? takenBack({ request: sent.request, id: crypto.randomUUID(), why: 'Sent by mistake' })
        : { ...toldAgain(sent.message, sent.request), id: crypto.randomUUID() }
      return void (await write(world, { client: sent.by, method: 'POST', path: '/fhir/$process-message', body }))
    }
    case 'triage': {
      const sent = mustHave(world.sent[what.which % Math.max(1, world.sent.length)])
      const words = [
        code('decision', what.decision),
        ...(what.decision === 'accept' ? [] : [text('reason', 'As was said on the phone')]),
        ...(what.decision === 'ask' ? [text('question', 'Who visits?')] : []),
        ...(/redirect|decline/.test(what.decision) ? [text('signpost', 'The service of the home area')] : []),
        by,
      ]
      return void (await operate(world, `ServiceRequest/${sent.request}/$triage`, words))
    }
    case 'adopt': {
      const sent = mustHave(world.sent[what.which % Math.max(1, world.sent.length)])
      const person = mustHave(world.people.find(({ n }) => JSON.stringify(sent.message).includes(wordOf(n, 'identity'))))
      await personOf(world, person.n)
      const { agreement: said, says: saying } = agree(world, person.n, what.to, later(at(world), 200))
      const worker = await somebody(world)
      const before = await ofPerson<CareTeam>(world, person, 'CareTeam')
      const { id: team } = before ?? ((await put(world, teamOf(person.patient, [worker]))).body as CareTeam)
      await put(world, planFor({ patient: person.patient, team: `CareTeam/${team}`, plan: what.plan }))
      return void (await put(world, consentFor({ patient: person.patient, service: person.service, agreement: said }), saying))
    }
    case 'allocate': {
      const person = await personOf(world, what.who)
      const referral = await referralOn(world, person)
      const worker = what.other ? await somebody(world) : mustHave((await find<Resource>(world, desk, 'PractitionerRole'))[0]?.id)
      return void (await operate(world, `ServiceRequest/${referral.id}/$allocate`, [naming('worker', `PractitionerRole/${worker}`), by]))
    }
    case 'team': {
      const person = await personOf(world, what.who)
      const team = mustHave(await ofPerson<CareTeam>(world, person, 'CareTeam'))
      const workers = await Promise.all(Array.from({ length: what.workers }, () => somebody(world)))
      return void (await put(world, { ...teamOf(person.patient, workers), ...(what.another ? {} : { id: team.id as string }) }))
    }
    case 'merge': {
      const [source, target] = [await personOf(world, what.who), await personOf(world, what.into)]
      if (source === target) throw new Refused('one person')
      const parameters = [naming('source-patient', source.patient), naming('target-patient', target.patient)]
      // Their dates may be either's from now on, and whose word is whose nobody sees from outside.
      for (const { patient } of [source, target]) world.memory.joined.add(patient.split('/')[1] as string)
      return void (await operate(world, 'Patient/$merge', parameters, merged(source.n, target.n)))
    }
    case 'unmerge': {
      const person = await personOf(world, what.who)
      const last = mustHave(world.standings[0]?.merges.findLast(({ source, target }) => source === person.n || target === person.n))
      const source = world.people[last.source] as Person
      // What the one record came to may have been the other person's: that is undone with it, and goes on from where it was.
      for (const ref of world.memory.over.keys()) if (ref.startsWith('ServiceRequest/')) world.memory.over.delete(ref)
      return void (await operate(
        world,
        `${world.people[last.target]?.patient}/$unmerge`,
        [naming('source-patient', source.patient)],
        unmerged(last.target, last.source),
      ))
    }
    case 'notSame': {
      const [one, other] = [await personOf(world, what.who), await personOf(world, what.other)]
      if (one === other) throw new Refused('one person')
      return void (await operate(world, `${one.patient}/$not-same`, [
        naming('other-patient', other.patient),
        text('reason', 'Both were met'),
      ]))
    }
    case 'override': {
      const person = await personOf(world, what.who)
      const until = new Date(Date.parse(gate.now()) + what.hours * 3_600_000).toISOString()
      world.memory.hurried.add(person.patient.split('/')[1] as string)
      const { parameter = [] } = overriding({ name: 'hours', valueInteger: what.hours })
      return void (await operate(
        world,
        `${person.patient}/$override`,
        parameter,
        overridden(person.n, 'probation', until),
        'safeguarding-desk',
      ))
    }
    case 'extend': {
      const person = await personOf(world, what.who)
      const referral = await referralOn(world, person)
      const custody = await ofPerson<Observation>(world, person, 'Observation', '&code=custody')
      const left = mustHave(custody?.effectivePeriod?.end).slice(0, 10)
      return void (await operate(world, `ServiceRequest/${referral.id}/$extend`, [
        { name: 'until', valueDate: later(monthsOn(left, 6), what.days) },
        text('exceptional', 'Treatment begins late'),
        text('detriment', 'It would stop half way'),
        someone('approver', 'Su Pervisor', 'supervisor'),
        by,
      ]))
    }
    case 'close': {
      const person = await personOf(world, what.who)
      const referral = await referralOn(world, person)
      const open = await find<Task>(world, desk, `Task?patient=${person.patient}`)
      const why = open.map(({ id }) => ({
        name: 'handover',
        part: [naming('task', `Task/${id}`), text('reason', 'Somebody else does it')],
      }))
      const words = [code('outcome', what.outcome), text('reason', 'As agreed'), ...why, by]
      const goesOn = what.outcome === 'transferred' || what.outcome === 'stepped-up'
      return void (await operate(world, `ServiceRequest/${referral.id}/$close`, words, goesOn ? undefined : isOver(person.n)))
    }
    case 'reopen': {
      const person = await personOf(world, what.who)
      const all = await find<ServiceRequest>(world, desk, `ServiceRequest?patient=${person.patient}&status=completed,revoked`)
      const over = mustHave(all[0])
      return void (await put(world, { ...over, status: 'active' }, beginsAgain(person.n)))
    }
    case 'again': {
      const person = await personOf(world, what.who)
      const before = await referralOn(world, person)
      if (before.status === 'active' || before.status === 'on-hold') throw new Refused('not over')
      const { id: _i, meta: _m, extension: _e, identifier: _n, ...rest } = before
      const today = `${at(world)}T08:00:00Z`
      await put(world, { ...rest, status: 'active', intent: 'order', authoredOn: today }, beginsAgain(person.n))
      return
    }
    case 'contact': {
      const person = await personOf(world, what.who)
      return void (await put(world, {
        resourceType: 'Encounter',
        status: 'finished',
        class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
        type: [coded('contact-modality', 'face-to-face')],
        subject: { reference: person.patient },
        period: { start: at(world) },
      }))
    }
    case 'takeOn': {
      const plans = await find<CarePlan>(world, 'other-system', 'CarePlan?status=draft')
      const theirs = mustHave(plans[what.which % Math.max(1, plans.length)])
      const patient = theirs.subject.reference as string
      const worker = await somebody(world, 'other-system', 'other-service')
      await put(world, teamOf(patient, [worker]), undefined, 'other-system')
      const none: Agreement = { n: 0, at: gate.now(), until: later(at(world), 200), to: {} }
      await put(world, consentFor({ patient, service: 'other-service', agreement: none }), undefined, 'other-system')
      return void (await put(world, { ...theirs, status: 'active' }, undefined, 'other-system'))
    }
    case 'die': {
      const person = await personOf(world, what.who)
      const alive = (await gate.call<Patient>(desk, 'GET', `/fhir/${person.patient}`)).body
      return void (await put(world, { ...alive, deceasedBoolean: true }, isOver(person.n)))
    }
    case 'night': {
      if (!world.awake) return
      world.found.push(...(await gate.night()).map((what) => `the night found ${what}`))
      return
    }
  }
}
const lengths = { PT5M: 5, PT3H: 180, PT17H: 1_020, P1D: 1_440, P2D: 2_880, P9D: 12_960, P30D: 43_200, P75D: 108_000, P190D: 273_600 }

/** Only ever on. */
async function turnTo(world: World, to: string): Promise<void> {
  if (to < world.gate.now()) throw new Refused('that is past')
  await world.gate.turn(to)
}

export const expected = (error: unknown): void => {
  if (!(error instanceof Refused)) throw error
}

const outcomes: Record<Recipient, string> = {
  practice: 'registered',
  recovery: 'engaged',
  probation: 'supported',
  enhanced: 'engaged',
  wellbeing: 'engaged',
  elsewhere: 'supported',
}

/** As the partner says it, or as the service writes down what it said on the phone. */
async function answerTask(world: World, to: Recipient, id: string, [status, said]: readonly [string, string?], how: string): Promise<void> {
  const business = said === 'outcome' ? outcomes[to] : said
  const reason = coded('rejection-reason', 'other', 'because')
  const withReason = /rejected|failed|on-hold/.test(status)
  if (how === 'message') {
    const task: Task = {
      ...{ resourceType: 'Task', id, status: status as Task['status'], intent: 'order' },
      ...(business ? { businessStatus: coded('handover-status', business) } : {}),
      ...(withReason ? { statusReason: reason } : {}),
    }
    const message = {
      resourceType: 'MessageHeader',
      eventCoding: { system: 'https://fhir.nhs.uk/CodeSystem/message-events-bars', code: 'servicerequest-response' },
      source: { endpoint: 'https://partner.test/fhir' },
      response: { identifier: id, code: 'ok' },
      focus: [{ reference: `urn:uuid:${id}` }],
    }
    const entry = [
      { fullUrl: `urn:uuid:${crypto.randomUUID()}`, resource: message },
      { fullUrl: `urn:uuid:${id}`, resource: task },
    ]
    const body = { resourceType: 'Bundle', id: crypto.randomUUID(), type: 'message', timestamp: world.gate.now(), entry }
    await write(world, { client: idOf[to], method: 'POST', path: '/fhir/$process-message', body })
    return
  }
  const patch = [...says(status, business), ...(withReason ? [{ op: 'add', path: '/statusReason', value: reason }] : [])]
  await write(world, { client: how === 'phone' ? desk : idOf[to], method: 'PATCH', path: `/fhir/Task/${id}`, body: patch })
}

/** A worker of the service. @returns the id */
async function somebody(world: World, client = desk, service = 'tees-valley'): Promise<string> {
  const answer = await put(
    world,
    {
      resourceType: 'PractitionerRole',
      active: true,
      organization: { reference: `Organization/${service}` },
      practitioner: { display: 'Robin Moor' },
    },
    undefined,
    client,
  )
  counted(world, 'workers')
  return (answer.body as Resource).id as string
}
const teamOf = (patient: string, workers: readonly string[]): CareTeam => ({
  resourceType: 'CareTeam',
  status: 'active',
  subject: { reference: patient },
  participant: workers.map((id) => ({ role: [coded('team-role', 'named-worker')], member: { reference: `PractitionerRole/${id}` } })),
})
