/**
 * Anyone may refer, at any time, and is told in the same breath what became of it (reconnect.md 3.3, "no wrong door").
 */
import type { Bundle, Observation, Task } from '@medplum/fhirtypes'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ours } from '../../src/fhir/systems.ts'
import { coded, custodyOf } from '../fixtures/case-bundle.ts'
import { type Gateway, of, openGateway } from '../fixtures/gateway.ts'
import { referral } from '../fixtures/referral.ts'

const referrers = [
  'prison-healthcare',
  'substance-misuse-team',
  'offender-manager',
  'probation',
  'police',
  'liaison-diversion',
  'home-office-enforcement',
  'prison-staff',
  'self',
  'friend-family',
  'other',
]

let gateway: Gateway
beforeAll(async () => {
  gateway = await openGateway({
    directory: ({ clients }) => {
      const like = clients.find(({ id }) => id === 'prison-health')
      for (const one of referrers) clients.push({ ...like, id: `from-${one}`, name: one, referrerType: one })
      clients.push({ ...like, id: 'from-nobody-in-particular', name: 'nobody in particular', referrerType: undefined })
    },
  })
})
afterAll(() => gateway.close())

const held = (change: Partial<Parameters<typeof custodyOf>[0]> = {}) =>
  custodyOf({ patient: 'set by the bundle', releaseDate: '2026-05-15', ...change })
const left = (day: string) => held({ releaseDate: day, left: day })
const elsewhere = (): Observation => {
  const { component = [], ...custody } = held()
  const place = { code: coded('observation', 'establishment'), valueCodeableConcept: coded('prison', 'LEI') }
  return { ...custody, component: [place, ...component.slice(1)] }
}

/** Referred on 2 April 2026. */
const timings: [when: string, custody: Observation | undefined, outcome: string, reason: string][] = [
  ['in custody, six weeks before release', held(), 'accepted', 'eligible'],
  ['84 days before release', held({ releaseDate: '2026-06-25' }), 'accepted', 'eligible'],
  ['85 days before release', held({ releaseDate: '2026-06-26' }), 'held', 'too-early'],
  ['on the day of release', left('2026-04-02'), 'accepted', 'eligible'],
  ['28 days after release', left('2026-03-05'), 'accepted', 'eligible'],
  ['29 days after release', left('2026-03-04'), 'declined', 'released-too-long-ago'],
  ['on remand, the date not known', held({ releaseDate: null, basis: 'remand' }), 'accepted', 'release-date-unknown'],
  ['sentenced, the date not known', held({ releaseDate: null }), 'needs-information', 'release-date-not-known'],
  ['held where another service is', elsewhere(), 'redirected', 'out-of-area'],
  ['held nobody knows where', undefined, 'needs-information', 'establishment-not-known'],
]

let sent = 0
/** The Task in the answer to one referral of somebody new. */
async function refer(client: string, custody: Observation | undefined, words?: string): Promise<Task> {
  sent++
  const id = `5c0f1d52-3c0e-4b6e-9a60-0d6b7f2${String(sent).padStart(5, '0')}`
  const message = referral({ id, known: true, family: `Rowanfield${sent}`, more: custody ? [custody] : [] })
  if (words) for (const one of of(message, 'ServiceRequest')) one.reasonCode = [{ text: words }]
  const { status, body, text } = await gateway.client(client).call<Bundle>('POST', '/fhir/$process-message', message)
  expect([status, status === 200 ? '' : text]).toEqual([200, ''])
  return of(body, 'Task')[0] as Task
}
const outcomeOf = (task: Task) => task.businessStatus?.coding?.find(({ system }) => system === ours('referral-outcome'))?.code
const reasonsOf = (task: Task) => task.statusReason?.coding?.map(({ code }) => code)

describe.each([...referrers, 'nobody-in-particular'])('a referral from: %s', (referrer) => {
  test.each(timings)('%s', async (_, custody, outcome, reason) => {
    const task = await refer(`from-${referrer}`, custody)
    expect(outcomeOf(task)).toBe(outcome)
    expect(reasonsOf(task)).toContain(reason)
    expect(task.statusReason?.text).toMatch(/\w+.*\.$/)
    if (outcome === 'needs-information') expect(task.input?.[0]?.valueString).toMatch(/\w/)
    const turnedAway = outcome === 'redirected' || outcome === 'declined'
    expect(task.output?.[0]?.valueString ?? '').toMatch(turnedAway ? /Please \w/ : /^$/)
  })

  test('a need in their own words', async () => {
    const task = await refer(`from-${referrer}`, held(), 'I get confused and cannot wait around on my own')
    const own = referrer === 'self' || referrer === 'friend-family'
    expect(outcomeOf(task)).toBe(own ? 'accepted' : 'needs-information')
    expect(reasonsOf(task)).toContain(own ? 'eligible' : 'need-not-known')
  })
})
