/**
 * The demo as whoever starts it meets it (CONTRACT.md 8): eight people, partners that answer as the clock is turned, and no
 * handover that is left without an outcome or a reason.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Resource } from '@medplum/fhirtypes'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Demo, startDemo } from '../../src/demo/demo.ts'
import type { PartnerId } from '../../src/demo/directory.ts'
import { people } from '../../src/demo/people.ts'
import { peopleView } from '../../src/demo/person-view.ts'
import type { Summary } from '../../src/demo/summary.ts'
import { nhsNumberValid } from '../../src/domain/nhs-number.ts'

const validator = new URL('../../../shared/tools/validate-fhir.mjs', import.meta.url)
const folder = mkdtempSync(join(tmpdir(), 'demo-'))
let demo: Demo

beforeAll(async () => {
  const started = await startDemo({ PORT: String(await freePort()), DATA_DIR: folder }, () => undefined)
  if ('faults' in started) throw new Error(started.faults.join(' '))
  demo = started.demo
}, 30_000)
afterAll(async () => {
  await demo?.stop()
  rmSync(folder, { recursive: true, force: true })
}, 30_000)

const summary = async () => (await (await fetch(`${demo.url}/demo/summary`)).json()) as Summary
const turnTo = async (to: string) => {
  const response = await fetch(`${demo.url}/clock`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ to }),
  })
  expect(response.status).toBe(200)
  return summary()
}
const phase = ({ people }: Summary, name: string) => people.find((one) => one.name.startsWith(name))?.phase
const state = ({ people }: Summary, name: string, partner: PartnerId) => {
  const found = people.find((one) => one.name.startsWith(name))?.handovers.find((one) => one.partner === partner)
  return found && (found.businessStatus ?? found.status)
}
/** What the page tells of somebody. */
const history = (name: string) => demo.journal.lines.filter(({ person }) => person?.startsWith(name)).map(({ words }) => words)
const inbox = (partner: PartnerId, name: string) => demo.offices.get(partner)?.inbox.filter(({ person }) => person.startsWith(name)) ?? []

describe('the story, in order', () => {
  test('eight people stand at the beginning, each told of as far as they agreed', async () => {
    const now = await summary()
    expect(now.clock).toBe('2026-03-02T09:00:00.000Z')
    expect(now.people.map(({ name }) => name)).toEqual(people.map(({ given, family }) => `${given} ${family}`))
    expect(now.owed).toEqual({ due: 0, delivered: 17, parked: 0, withheld: 3 })
    expect(phase(now, 'Leah')).toBe('pre-release')
    expect(phase(now, 'Marcus')).toBe('consent-pending')
    expect(phase(now, 'Sean')).toBe('pre-release')
    expect(state(now, 'Leah', 'elvet-surgery')).toBe('delivered')
    expect(state(now, 'Callum', 'elvet-surgery')).toBe('preparing')
    expect(state(now, 'Marcus', 'durham-probation')).toBe('consent-blocked')
  })

  test('the page shows them beside the inboxes, says that the clock is not real, and runs no script of anybody else', async () => {
    const response = await fetch(demo.url)
    const html = await response.text()
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
    expect(html).not.toMatch(/<script>|\son\w+=|style="/)
    expect(html.match(/class="card person"/g)).toHaveLength(8)
    expect(html.match(/data-list/g)).toHaveLength(6)
    expect(html.match(/href="#person-/g)).toHaveLength(8)
    expect(html).toMatch(/The clock is not real:<\/span>\s*<strong>Monday 2 March 2026, 09:00/)
    expect(html).toContain('GP practice is asked from Tuesday 3 March')
  })

  test('the drug team fetches its plans itself, and that is what tells the service they arrived', async () => {
    expect(inbox('wear-recovery', 'Leah')).toEqual([])
    const now = await turnTo('2026-03-02T10:00:00Z')
    expect(inbox('wear-recovery', 'Leah').map(({ news, pulled }) => [news.kind, pulled])).toEqual([['new', true]])
    expect(state(now, 'Leah', 'wear-recovery')).toBe('acknowledged')
  })

  test('the Enhanced RECONNECT team says yes the next day: Joseph is theirs, and what others are at goes on', async () => {
    const now = await turnTo('2026-03-03T17:00:00Z')
    expect(phase(now, 'Joseph')).toBe('stepped-up')
    expect(state(now, 'Joseph', 'elvet-surgery')).toBe('delivered')
    // The other RECONNECT service has opened its post, and has not said yes.
    expect(inbox('reconnect-south-west', 'Priya').map(({ news }) => news.kind)).toEqual(['new'])
    expect([phase(now, 'Priya'), state(now, 'Priya', 'reconnect-south-west')]).toEqual(['pre-release', 'acknowledged'])
  })

  test('a practice that does not answer in time is reminded', async () => {
    const now = await turnTo('2026-03-05T09:00:00Z')
    expect(state(now, 'Priya', 'sound-view')).toBe('chasing')
    expect(inbox('sound-view', 'Priya').map(({ news }) => news.kind)).toEqual(['reminder', 'new'])
  })

  test('a release from court without notice starts everything at once', async () => {
    const now = await turnTo('2026-03-05T16:00:00Z')
    expect(phase(now, 'Sean')).toBe('post-release')
    expect(inbox('elvet-surgery', 'Sean').map(({ news, at }) => [news.kind, at.slice(0, 16)])).toEqual([['new', '2026-03-05T15:40']])
    // Two contacts before release could not be asked of anybody, and it says why.
    expect(await (await fetch(demo.url)).text()).toContain('Met once before release: referred less than five working days before release.')
  })

  test('a practice that does not answer the reminder either is phoned', async () => {
    const now = await turnTo('2026-03-07T09:00:00Z')
    expect([phase(now, 'Priya'), state(now, 'Priya', 'reconnect-south-west')]).toEqual(['transferred', 'accepted'])
    expect(await (await fetch(demo.url)).text()).toContain('Sound View Practice, Plymouth has not answered. Phone them')
  })

  test('a release brought forward asks the practice at once and tells the others the new date', async () => {
    const now = await turnTo('2026-03-10T09:00:00Z')
    expect(state(now, 'Callum', 'elvet-surgery')).toBe('delivered')
    const [update] = inbox('durham-probation', 'Callum')
    expect(update?.news).toMatchObject({ kind: 'change', heading: 'New release date: Monday 23 March' })
    expect(JSON.stringify(update?.bundle)).toContain('"valueDateTime":"2026-03-23"')
  })

  test('back in custody: what is open waits, what is done stays done, and partners are told once', async () => {
    const now = await turnTo('2026-03-17T12:00:00Z')
    expect(phase(now, 'Tanya')).toBe('suspended')
    expect(state(now, 'Tanya', 'wear-recovery')).toBe('suspended-custody')
    expect(state(now, 'Tanya', 'elvet-surgery')).toBe('registered')
    expect(inbox('durham-probation', 'Tanya')[0]?.news.heading).toBe('Back in custody')
    expect(inbox('wear-recovery', 'Tanya')[0]?.news.kind).toBe('hold')
    expect(await (await fetch(demo.url)).text()).toContain('Goes on when a new release date is known')
  })

  test('with a new release date it all goes on: Tanya is met again, and seen by her drug team after all', async () => {
    expect(phase(await turnTo('2026-03-24T09:00:00Z'), 'Tanya')).toBe('pre-release')
    expect(await (await fetch(demo.url)).text()).toContain('Not met yet since the return to custody')
    await turnTo('2026-04-13T09:00:00Z')
    expect(await (await fetch(demo.url)).text()).toContain('Met twice since the return to custody')
    // The first appointment was of no use: another one was booked, and nobody had to ask for it.
    expect(history('Tanya').filter((words) => /booked an appointment/.test(words))).toHaveLength(2)
    expect(history('Tanya').filter((words) => /^To do .* booked no appointment/.test(words))).toEqual([])
    const now = await turnTo('2026-04-29T09:00:00Z')
    expect([phase(now, 'Tanya'), state(now, 'Tanya', 'wear-recovery')]).toEqual(['post-release', 'engaged'])
    // Meanwhile everybody else has left, and everything but what Marcus did not agree to is done.
    expect(phase(now, 'Leah')).toBe('post-release')
    expect(['elvet-surgery', 'wear-recovery', 'durham-probation'].map((partner) => state(now, 'Leah', partner as PartnerId))).toEqual([
      'registered',
      'engaged',
      'supported',
    ])
    expect(state(now, 'Daniel', 'durham-probation')).toBe('supported')
    expect(state(now, 'Callum', 'wear-recovery')).toBe('engaged')
    expect(state(now, 'Sean', 'wear-recovery')).toBe('engaged')
    expect(state(now, 'Priya', 'reconnect-south-west')).toBe('supported')
  })

  test('Marcus says no to the end: nobody is phoned about him, his support ends, and nothing was ever sent', async () => {
    const now = await summary()
    expect(phase(now, 'Marcus')).toBe('consent-refused')
    expect(['elvet-surgery', 'wear-recovery'].map((partner) => state(now, 'Marcus', partner as PartnerId))).toEqual([
      'recalled-message',
      'recalled-message',
    ])
    expect(history('Marcus').filter((words) => / about Marcus Webb/.test(words) && /phones/.test(words))).toEqual([])
    const page = await (await fetch(demo.url)).text()
    expect(page.match(/<span class="state">never sent<\/span>/g)).toHaveLength(3)
    expect(page).toContain('Said no to RECONNECT. Four weeks after release he still wants nobody told')
  })

  test('in the end every handover has an outcome, or it is said why not, and every story is over', async () => {
    const end = await turnTo('2026-09-30T09:00:00Z')
    expect(end.owed).toMatchObject({ due: 0, parked: 0, withheld: 0 })
    const views = await peopleView(demo.open.exchange, demo.everybody)
    const left = views.flatMap(({ name, handovers }) => handovers.filter(({ reached }) => reached < 3).map((one) => ({ ...one, name })))
    expect(left.map(({ name, partner }) => `${name}: ${partner}`).sort()).toEqual([
      'Marcus Webb: durham-probation',
      'Marcus Webb: elvet-surgery',
      'Marcus Webb: wear-recovery',
    ])
    expect(views.filter(({ ended }) => !ended)).toEqual([])
    expect(views.find(({ name }) => name === 'Priya Raman')?.ended).toBe('RECONNECT South West has taken over.')
    expect(views.flatMap(({ work }) => work)).toEqual([])
    expect(state(end, 'Joseph', 'er-north-east')).toBe('engaged')
    expect(state(end, 'Priya', 'sound-view')).toBe('registered')
    expect([phase(end, 'Joseph'), phase(end, 'Priya'), phase(end, 'Leah')]).toEqual(['stepped-up', 'transferred', 'closed'])
    // Everything after release is counted from the day Tanya left the second time.
    expect(demo.journal.lines.find(({ words }) => words.includes('ends the support of Tanya'))?.at).toMatch(/^2026-07-14/)
  })

  test('a year later the page says which year it speaks of, names everybody, and has nothing more to tell', async () => {
    await turnTo('2027-04-01T09:00:00Z')
    const page = await (await fetch(demo.url)).text()
    expect(page).toContain('Thursday 1 April 2027, 10:00')
    expect(page).toContain('<time datetime="2026-03-03T11:00:00.000Z">Tuesday 3 March 2026, 11:00</time>')
    expect(page).toContain('Nothing more is going to happen by itself.')
    expect(page).not.toMatch(/somebody<|\bundefined\b/)
    // Words for people: a date is a day, an operation of the API is what it does.
    for (const { words } of demo.journal.lines) expect(words).not.toMatch(/\d{4}-\d\d-\d\d|\$\w/)
  })

  test('probation never learned of Daniel’s treatment, and nobody but Enhanced RECONNECT of Joseph’s risk', () => {
    const told = (partner: PartnerId, name: string) => JSON.stringify(inbox(partner, name).map(({ bundle }) => bundle))
    expect(told('wear-recovery', 'Daniel')).toMatch(/Acamprosate/)
    expect(told('durham-probation', 'Daniel')).toMatch(/A seat near the door/)
    expect(told('durham-probation', 'Daniel')).not.toMatch(/acamprosate|sertraline|alcohol|trauma|relapse/i)
    expect(told('er-north-east', 'Joseph')).toMatch(/risk to others when unwell/)
    for (const partner of ['elvet-surgery', 'durham-probation'] as const) expect(told(partner, 'Joseph')).not.toMatch(/risk to others/)
    for (const { inbox: all } of demo.offices.values()) expect(all.filter(({ person }) => person.startsWith('Marcus'))).toEqual([])
  })

  test.skipIf(!existsSync(validator))(
    'everything the partners received is valid FHIR (needs ../shared/tools/validate-fhir.mjs)',
    async () => {
      const { validate } = (await import(fileURLToPath(validator))) as { validate: (resource: Resource) => string[] }
      const letters = [...demo.offices.values()].flatMap((office) => office.inbox)
      expect(letters.length).toBeGreaterThan(30)
      expect([...new Set(letters.flatMap(({ bundle }) => validate(bundle)))]).toEqual([])
    },
  )
})

test('everybody has an NHS number that begins with 999 and could be one, and a phone number kept for fiction', () => {
  for (const { nhsNumber, phone } of people) {
    expect(nhsNumber).toMatch(/^999/)
    expect(nhsNumberValid(nhsNumber)).toBe(true)
    expect(phone).toMatch(/^07700900\d{3}$/)
  }
})

test('a second demo on the same port says so and leaves the first alone', async () => {
  const port = new URL(demo.url).port
  const again = await startDemo({ PORT: port, DATA_DIR: folder }, () => undefined)
  expect(again).toMatchObject({ faults: [expect.stringContaining(`PORT ${port} is taken`)] })
  expect(existsSync(join(folder, 'demo', 'exchange.db'))).toBe(true)
})

test('npm start says last that it is ready, and ends well when asked to stop', async () => {
  const port = await freePort()
  const data = mkdtempSync(join(tmpdir(), 'demo-'))
  const began = performance.now()
  const child = spawn(process.execPath, [fileURLToPath(new URL('../../src/demo/start.ts', import.meta.url))], {
    env: { PATH: process.env.PATH, PORT: String(port), DATA_DIR: data },
  })
  let out = ''
  const ready = new Promise<void>((done) =>
    child.stdout.on('data', (part: Buffer) => {
      out += part
      if (out.includes('\nready ')) done()
    }),
  )
  const ended = new Promise<number | null>((done) => child.once('close', done))
  await Promise.race([ready, ended])
  expect(out).toContain('3. Marcus Webb: Has not agreed to anything yet (waiting for consent)')
  expect(out.trimEnd().split('\n').at(-1)).toBe(`ready http://127.0.0.1:${port}`)
  expect(performance.now() - began).toBeLessThan(15_000)
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
  rmSync(data, { recursive: true, force: true })
})

/** A port nobody listens on. */
function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => done(port))
    })
  })
}
