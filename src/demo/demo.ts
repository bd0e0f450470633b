/**
 * The whole demo: a gateway like any other, a service that hands in eight people through its door, simulated partners behind
 * doors of their own, and a clock that is turned by hand and lets all of them act in order (CONTRACT.md 8).
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bundle } from '@medplum/fhirtypes'
import type { Channel } from '../channel.ts'
import { channels } from '../channels/index.ts'
import { readConfig } from '../config.ts'
import { addWorkingDays, isWorkingDay, today } from '../domain/calendar.ts'
import type { Log } from '../exchange/exchange.ts'
import type { Open } from '../exchange/open.ts'
import { readText, startGateway } from '../gateway.ts'
import { createLog } from '../log.ts'
import { openAgenda } from './agenda.ts'
import { type Client, newKeys, openClient } from './client.ts'
import { directoryFile, outside, type PartnerId, partnerIds, pulls, serviceClient, southWestClient, southWestPartner } from './directory.ts'
import { openDrugTeam } from './drug-team.ts'
import { type Journal, type Line, openJournal } from './journal.ts'
import { type Navigators, openNavigators } from './navigators.ts'
import { type Arrived, type Office, officeTime, openOffice } from './office.ts'
import { answerByMessage, type Listening, listenForMessages } from './partner.ts'
import { shortName, stepsOf } from './partners.ts'
import { beginning, people } from './people.ts'
import { caseBundle, type WorkerKey, workerBundle, workers } from './record.ts'
import { demoRoutes } from './routes.ts'
import { openSouthWest } from './south-west.ts'
import { nextMoment, turning } from './turning.ts'
import { type Known, letTheWorldTurn } from './world.ts'

export type Demo = {
  url: string
  open: Open
  everybody: readonly Known[]
  offices: ReadonlyMap<PartnerId, Office>
  journal: Journal
  stop(): Promise<void>
}

/**
 * @param env PORT, HOST, DATA_DIR and LOG_LEVEL are honoured; everything else is the demo's own
 * @param print takes each line of what happens once the demo runs
 * @returns the running demo, or every fault of the settings as a sentence
 */
export async function startDemo(
  env: Readonly<Record<string, string | undefined>>,
  print: (line: Line) => void,
): Promise<{ demo: Demo } | { faults: readonly string[] }> {
  const dataDir = join(env.DATA_DIR?.trim() || '.data', 'demo')
  const directory = join(dataDir, 'directory.json')
  const read = readConfig(
    {
      PORT: env.PORT,
      HOST: env.HOST,
      NODE_ENV: env.NODE_ENV,
      LOG_LEVEL: env.LOG_LEVEL ?? 'error',
      DATA_DIR: dataDir,
      DIRECTORY: directory,
      CLOCK: `manual:${beginning}`,
      MASTER_KEY: randomBytes(32).toString('base64'),
    },
    readText,
  )
  if ('faults' in read) return read
  const { config } = read
  if (await isTaken(config.publicUrl)) {
    return { faults: [`PORT ${config.port} is taken, perhaps by another demo. Choose another: PORT=${config.port + 1} npm start`] }
  }

  const agenda = openAgenda()
  let now = () => new Date(beginning)
  const journal = openJournal(() => now(), print)
  const offices = new Map<PartnerId, Office>()
  const listening: Listening[] = []
  const urls: Partial<Record<PartnerId, string>> = {}
  for (const id of outside) {
    if (id === pulls) continue
    const one = await listenForMessages(
      (letter) => offices.get(id)?.take(letter),
      () => now(),
    )
    listening.push(one)
    urls[id] = one.url
  }
  const ids = [serviceClient, southWestClient, ...outside]
  const keys = Object.fromEntries(await Promise.all(ids.map(async (id) => [id, await newKeys()] as const)))
  const clientOf = (id: string, scope: string): Client =>
    openClient(config.publicUrl, id, keys[id] as Awaited<ReturnType<typeof newKeys>>, scope)
  const file = directoryFile(urls, Object.fromEntries(ids.map((id) => [id, (keys[id] as Awaited<ReturnType<typeof newKeys>>).publicKey])))

  // Fresh at each start: the keys of the last one are gone.
  rmSync(dataDir, { recursive: true, force: true })
  mkdirSync(dataDir, { recursive: true })
  writeFileSync(directory, JSON.stringify(file, null, 2))

  const everybody: Known[] = []
  const nameOf = (patient: string) => {
    const person = everybody.find((one) => one.patient === patient)?.person
    return person && `${person.given} ${person.family}`
  }
  let navigators: Navigators | undefined
  const started = await startGateway(config, {
    log: noticing(createLog(config.logLevel), southWestPartner, () => offices.get(southWestPartner)?.inbox.length === 0 && planPost()),
    channels: new Map<string, Channel>([...channels, ['pull', noticed(channels.get('pull') as Channel, () => planMorning())]]),
    turning: (open, clock) => turning(open, clock, agenda, { before: journal.turned, after: async () => navigators?.look(), nameOf }),
    routes: (app, open) => demoRoutes(app, { open, everybody, offices, journal, agenda, next: () => nextMoment(open, agenda, nameOf) }),
  })
  if ('faults' in started) return started
  const { gateway } = started
  now = gateway.open.exchange.now

  const away = openSouthWest(clientOf(southWestClient, 'system/*.cruds'))
  const partnerClient = (id: PartnerId) => clientOf(id, 'system/*.rs system/Task.rus')
  const team = openDrugTeam(config.publicUrl, partnerClient(pulls))
  const partners = gateway.open.exchange.directory().partners
  for (const id of partnerIds) {
    const answer = id === southWestPartner ? away.answer : id === pulls ? team.answer : answerByMessage.bind(undefined, partnerClient(id))
    offices.set(id, openOffice({ name: shortName(partners.get(id)?.name ?? id), steps: stepsOf[id], agenda, journal, now, answer }))
  }

  /** Something waits for somebody who looks at it themselves, the next time they open their post. Who looks every morning and finds nothing is left out. */
  function planLook(id: PartnerId, time: string, words: string, look: (at: string) => Promise<Arrived[]>) {
    const at = now().toISOString()
    const day = today(now())
    const morning = officeTime(day, time)
    const opens = isWorkingDay(day) && morning > at ? morning : officeTime(addWorkingDays(day, 1), time)
    agenda.put(`post of ${id}`, {
      at: opens,
      words: `${shortName(partners.get(id)?.name ?? id)} ${words}`,
      run: async () => {
        for (const letter of await look(now().toISOString())) offices.get(id)?.take(letter)
      },
    })
  }
  function planMorning() {
    planLook(pulls, '09:30', 'fetches its plans', team.fetchPlans)
  }
  function planPost() {
    planLook(southWestPartner, '10:05', 'opens its post', away.openPost)
  }

  const service = clientOf(serviceClient, 'system/*.cruds')
  everybody.push(...(await handIn(service)))
  letTheWorldTurn({ everybody, agenda, journal, service })
  await gateway.open.deliverer.idle()
  navigators = openNavigators({ exchange: gateway.open.exchange, everybody, agenda, journal, service })
  await navigators.look()

  return {
    demo: {
      url: config.publicUrl,
      open: gateway.open,
      everybody,
      offices,
      journal,
      async stop() {
        await gateway.stop()
        for (const one of listening) one.close()
      },
    },
  }
}

/** The service hands in its workers, then everybody's case, each in one transaction. */
async function handIn(service: Client): Promise<Known[]> {
  const roles = new Map<string, string>()
  for (const key of Object.keys(workers) as WorkerKey[]) {
    const answer = await service.call<Bundle>('POST', '/fhir', workerBundle(key))
    roles.set(key, `PractitionerRole/${idAt(answer, 1)}`)
  }
  const known: Known[] = []
  for (const person of people) {
    const answer = await service.call<Bundle>('POST', '/fhir', caseBundle(person, roles.get(person.worker) as string))
    known.push({ person, patient: idAt(answer, 0), custody: idAt(answer, 1) })
  }
  return known
}

/** The id the exchange gave to an entry. */
const idAt = (answer: Bundle, index: number): string => answer.entry?.[index]?.response?.location?.match(/([^/]+)\/_history/)?.[1] as string

/** A channel that also says when something went over it. */
const noticed = (channel: Channel, notice: () => void): Channel => ({
  ...channel,
  send: (parcel, context) => {
    notice()
    return channel.send(parcel, context)
  },
})

/** A log that also says when something has reached this partner: what stays in the gateway goes over no channel. */
const noticing =
  (log: Log, id: string, notice: () => void): Log =>
  (level, event, fields) => {
    if (event === 'attempt' && fields?.partner === id && fields.outcome === 'delivered') notice()
    log(level, event, fields)
  }

/** Does somebody answer there already? Asked before the folder of what may be a running demo is emptied. */
const isTaken = (url: string): Promise<boolean> =>
  fetch(`${url}/health`, { signal: AbortSignal.timeout(1_000) }).then(
    () => true,
    (error: unknown) => (error as { cause?: { code?: string } }).cause?.code !== 'ECONNREFUSED',
  )
