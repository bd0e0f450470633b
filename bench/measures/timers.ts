/**
 * A day's timers among 100,000 open cases, the night's look at everybody after it, and a release date that changes for 1,000 people at once.
 *
 * Of the open cases one in ten has something due on a day (ours: a case is open for about 270 days, from 12 weeks before release to six
 * months after, and is looked at some 25 times meanwhile: windows, answers, reminders, reviews, ends of agreements). One in four of those
 * waits for an answer that did not come, so that a reminder is owed and sent; for the others the look finds nothing to do. Who is due has a
 * whole record and outbox; of everybody else only the timers are there, for nothing else of theirs is read.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Bundle, Observation } from '@medplum/fhirtypes'
import { endOfDay } from '../../src/domain/calendar.ts'
import { type Statement, statement } from '../../src/store/database.ts'
import { newPerson } from '../../src/store/people.ts'
import { openStore } from '../../src/store/sealed.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { setTimer } from '../../src/store/timers.ts'
import { partnerKinds, service } from '../case.ts'
import { type Filled, fill, templateIn } from '../fill.ts'
import { caseSystem, type Gateway, masterKey, newFolder, startGateway } from '../gateway.ts'
import { type Call, hammer, loader } from '../load.ts'
import { night } from '../night.ts'
import { arrivals, intake, type Measure, messagesOfCase, settled } from '../stage.ts'

const dueShare = 0.1
const silentShare = 0.25

const timers: Measure = async (stage) => {
  await aDay(stage)
  await releaseDates(stage)
}
export default timers

const dayMs = 86_400_000

const aDay: Measure = async ({ size, partners, say }) => {
  const folders = [newFolder(), newFolder()]
  const [folder = '', aside = ''] = folders
  try {
    const partnerIds = Object.keys(partnerKinds)
    const answered = await templateIn(folder, partners, { outbox: true, happens: (gateway) => accept(gateway, partnerIds) })
    const silent = await templateIn(aside, partners, { outbox: true, happens: (gateway) => accept(gateway, partnerIds.slice(1)) })
    const due = Math.round(size.open * dueShare)
    const quiet = Math.round(due * (1 - silentShare))
    const began: Filled = { people: 1, resources: answered.resources, seconds: 0 }
    const all = { last: 1, spread: false }
    const first = await fill(folder, answered, began, { ...all, resources: quiet * answered.resources })
    await fill(folder, silent, { ...first, people: quiet }, { ...all, resources: due * silent.resources })

    // Whoever waits for an answer has until the end of the second working day: that is the day. Everybody else is due at some time of it.
    const store = await openStore(openSqlite(join(folder, 'exchange.db')), [masterKey])
    const [wait] = await store.query<{ at: string }>(statement(`select max(due_at) as at from timer where about like 'answer:%'`))
    const end = Date.parse(wait?.at ?? endOfDay(new Date().toISOString().slice(0, 10)))
    const people = await store.query<{ id: string }>(statement('select id from person order by id'))
    const hours = (n: number) => new Date(end - dayMs / 2 + (n % 12) * 3_600_000).toISOString()
    const units: Statement[][] = people
      .slice(0, quiet)
      .map(({ id }, n) => [setTimer({ patient: id, about: `look:${id}`, service, dueAt: hours(n) })])
    for (let n = due; n < size.open; n++) {
      const id = crypto.randomUUID()
      const later = Array.from({ length: 8 }, (_, place) =>
        setTimer({
          patient: id,
          about: `outcome:${crypto.randomUUID()}`,
          service,
          dueAt: new Date(end + (1 + ((n * 8 + place) % 250)) * dayMs).toISOString(),
        }),
      )
      units.push([newPerson(id, service), ...later])
    }
    for (let n = 0; n < units.length; n += 500) await Promise.all(units.slice(n, n + 500).map((unit) => store.atomically(unit)))
    await store.close()

    const gateway = await startGateway(partners.urls, folder, new Date(end - dayMs + 60_000).toISOString())
    const load = loader(gateway.url)
    try {
      await settled(gateway)
      partners.forget()
      const [cpu, start] = [gateway.cpuMs(), performance.now()]
      // Hour by hour, as time goes: a request that says nothing for three minutes is cut.
      for (let hour = 1; hour <= 24; hour++) {
        const body = Buffer.from(JSON.stringify({ to: new Date(end - dayMs + hour * 3_600_000).toISOString() }))
        await load.must({ method: 'POST', path: '/clock', body, headers: { 'content-type': 'application/json' } })
      }
      const seconds = (performance.now() - start) / 1000
      const words = `${due.toLocaleString('en-GB')} of ${size.open.toLocaleString('en-GB')} open cases`
      say({ name: `a day's timers, ${words}`, unit: 's', ours: seconds, cpu: (gateway.cpuMs() - cpu) / due, aim: '< 60' })
      say({ name: `reminders sent meanwhile, for each second`, unit: '/s', ours: partners.count() / seconds })
    } finally {
      load.close()
      await gateway.stop()
    }
    const { found, cpu, memory } = await night(folder, new Date(end))
    const looked = `${found.people.toLocaleString('en-GB')} people, ${due.toLocaleString('en-GB')} of them whole`
    say({ name: `a night's look at ${looked}, without its rests`, unit: 's', ours: cpu, cpu: (cpu * 1000) / found.people })
    say({ name: 'memory held more at its end', unit: 'MiB', ours: memory })
  } finally {
    for (const each of folders) rmSync(each, { recursive: true, force: true })
  }
}

/** These partners have said yes. */
async function accept(gateway: Gateway, partnerIds: readonly string[]): Promise<void> {
  const load = loader(gateway.url)
  const headers = await gateway.as(caseSystem)
  const tasks = JSON.parse((await load.must({ path: '/fhir/Task', headers })).toString()) as Bundle
  for (const { resource } of tasks.entry ?? []) {
    if (resource?.resourceType !== 'Task' || !partnerIds.some((id) => resource.owner?.reference === `Organization/${id}`)) continue
    const response = await fetch(`${gateway.url}/fhir/Task/${resource.id}`, {
      method: 'PATCH',
      headers: { ...headers, 'content-type': 'application/json-patch+json' },
      body: JSON.stringify([{ op: 'replace', path: '/status', value: 'accepted' }]),
    })
    if (!response.ok) throw new Error(`a partner's answer was not taken: ${response.status}`)
  }
  load.close()
}

/** From the first change to the last partner having its message. */
const releaseDates: Measure = async (stage) => {
  const { size, partners, ours, gateway, say } = stage
  const some = stage.people(size.moved)
  let headers = await gateway.as(caseSystem)
  partners.forget()
  const custody: Observation[] = []
  let next = 0
  const hand = async () => {
    for (let one = some[next++]; one; one = some[next++]) {
      const { entry = [] } = JSON.parse((await ours.must(intake(one, headers) as Call)).toString()) as Bundle
      const patient = entry.map(({ response }) => response?.location?.match(/(Patient\/[^/]+)/)?.[1]).find(Boolean)
      const found = JSON.parse(
        (await ours.must({ path: `/fhir/Observation?code=custody&patient=${patient}`, headers })).toString(),
      ) as Bundle
      custody.push(found.entry?.[0]?.resource as Observation)
    }
  }
  await Promise.all(Array.from({ length: 8 }, hand))
  await arrivals(partners, some.length * messagesOfCase)
  await settled(gateway)

  partners.forget()
  headers = await gateway.as(caseSystem)
  const [cpu, start] = [gateway.cpuMs(), performance.now()]
  await hammer(ours, (n) => custody[n] && changed(custody[n], headers))
  await arrivals(partners, custody.length * messagesOfCase)
  const seconds = (performance.now() - start) / 1000
  const words = `a release date changed for ${custody.length.toLocaleString('en-GB')} people, until every partner has it`
  say({ name: words, unit: 's', ours: seconds, cpu: (gateway.cpuMs() - cpu) / custody.length, aim: '< 60' })
}

function changed(custody: Observation, headers: Record<string, string>): Call {
  const component = custody.component?.map((one) =>
    one.valueDateTime ? { ...one, valueDateTime: new Date(Date.parse(one.valueDateTime) - 2 * dayMs).toISOString().slice(0, 10) } : one,
  )
  return { method: 'PUT', path: `/fhir/Observation/${custody.id}`, body: Buffer.from(JSON.stringify({ ...custody, component })), headers }
}
