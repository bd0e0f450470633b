/**
 * The public examples of HMPPS messages and answers, each with what it changes. They are read from where they stand, beside the
 * repository; where they are not, this is skipped.
 */
import { existsSync, globSync, readFileSync } from 'node:fs'
import type { Observation, Patient } from '@medplum/fhirtypes'
import { describe, expect, test } from 'vitest'
import { baseLocation, keyDates, personIn } from '../../src/domain/hmpps-detail.ts'
import { readEvent } from '../../src/domain/hmpps-event.ts'
import { custodyIn, custodyObservation } from '../../src/domain/read.ts'
import { caseBundle } from '../fixtures/case-bundle.ts'
import { described } from '../fixtures/described.ts'
import { type Gateway, openGateway } from '../fixtures/gateway.ts'
import { handInEvent, notification } from '../fixtures/hmpps.ts'
import { type HmppsPerson, hmppsDouble } from '../fixtures/hmpps-api.ts'

const folder = new URL('../../../shared/examples/hmpps/', import.meta.url)
const there = existsSync(folder)
const textOf = (file: string) => readFileSync(new URL(file, folder), 'utf8')
const jsonOf = (file: string) => JSON.parse(textOf(file))
const messageOf = (file: string) => (file.endsWith('.json') ? jsonOf(file) : described(textOf(file)))

type Outcome = { outcome: string; parts: string[]; asked: string[]; custody: ReturnType<typeof custodyIn> }

/** Hands the example in about somebody who has this number, on the day it is about. */
async function handIn(file: string, noms: string, more: { crn?: string } = {}): Promise<Outcome> {
  const message = messageOf(file)
  const inside = typeof message.Message === 'string' ? JSON.parse(message.Message) : message
  const read = readEvent(inside, new Date())
  if ('fault' in read) throw new Error(read.fault.text)
  const at = new Date(Date.parse(read.event.occurredAt) - 3_600_000).toISOString()
  const gateway: Gateway = await openGateway({ at })
  try {
    const bundle = caseBundle({ noms, releaseDate: null })
    const patient = bundle.entry?.[0]?.resource
    if (more.crn && patient?.resourceType === 'Patient')
      patient.identifier?.push({ system: 'https://reconnect.example/fhir/Id/crn', value: more.crn })
    await gateway.handIn(bundle)
    await gateway.turn('PT2H')
    const { status, body, text } = await handInEvent(gateway, message)
    expect(status, text).toBe(202)
    const again = await handInEvent(gateway, message)
    expect(again.body.outcome).toBe('repeat')
    await gateway.looked()
    const custody = custodyIn(custodyObservation(await gateway.service.find('Observation')) as Observation)
    const asked = (await gateway.work()).map(({ reason }) => reason).filter((reason) => /^(hmpps|custody)-/.test(reason))
    return { outcome: body.outcome, parts: body.changed.flatMap(({ parts }) => parts), asked, custody }
  } finally {
    await gateway.close()
  }
}

describe.skipIf(!there)(`public HMPPS examples${there ? '' : ' (not here, skipped)'}`, () => {
  const handled = new Set<string>()
  const example = (file: string, changes: string, run: () => unknown) => {
    handled.add(file)
    test(`${file}: ${changes}`, run as () => Promise<void>)
  }

  example('domain-events/prison-offender-events.prisoner.released.yaml', 'code CR: left that day, status released', async () => {
    const { parts, custody, asked } = await handIn('domain-events/prison-offender-events.prisoner.released.yaml', 'A8513EA')
    expect([parts, custody.left, custody.where, asked]).toEqual([['left', 'status'], '2024-10-14', 'released', []])
  })

  example(
    'domain-events/prison-offender-events.prisoner.received.yaml',
    'code 24: in prison at SWI, taken for a recall, and a person confirms it',
    async () => {
      const { parts, custody, asked } = await handIn('domain-events/prison-offender-events.prisoner.received.yaml', 'A8513EA')
      expect(parts).toEqual(['basis', 'establishment', 'status'])
      expect([custody.basis, custody.establishment?.code, custody.where, asked]).toEqual([
        'recall',
        'SWI',
        'in-prison',
        ['custody-code-unsure'],
      ])
    },
  )

  example(
    'sns-sqs/prisoner-released.json',
    'code NCS is not in the table: status unexplained, no day of leaving, a person is asked',
    async () => {
      const { parts, custody, asked } = await handIn('sns-sqs/prisoner-released.json', 'A0001AA')
      expect([parts, custody.left, custody.where, asked]).toEqual([['status'], undefined, 'unexplained', ['custody-code-unknown']])
    },
  )

  example(
    'sns-sqs/prisoner-received-recalled.json',
    'code 24: in prison at WSI, its probableCause not believed, and a person confirms the recall',
    async () => {
      const { custody, asked } = await handIn('sns-sqs/prisoner-received-recalled.json', 'A0006AA')
      expect([custody.basis, custody.establishment?.code, asked]).toEqual(['recall', 'WSI', ['custody-code-unsure']])
    },
  )

  example('domain-events/prison-offender-events.prisoner.merged.yaml', 'the record gets the number that survived', async () => {
    expect(await handIn('domain-events/prison-offender-events.prisoner.merged.yaml', 'A8511EA')).toMatchObject({
      parts: ['noms-number'],
      asked: [],
    })
  })

  example(
    'domain-events/prisoner-offender-search.prisoner-updated.yaml',
    'category SENTENCE: nothing changed by itself, the dates are looked up',
    async () => {
      expect(await handIn('domain-events/prisoner-offender-search.prisoner-updated.yaml', 'A8473EA')).toMatchObject({
        outcome: 'unchanged',
        asked: ['hmpps-look-up'],
      })
    },
  )

  example(
    'domain-events/calculate-release-dates.prisoner-changed.yaml',
    'nothing changed by itself, the dates of prisonerId are looked up',
    async () => {
      expect(await handIn('domain-events/calculate-release-dates.prisoner-changed.yaml', 'A8666DY')).toMatchObject({
        outcome: 'unchanged',
        asked: ['hmpps-look-up'],
      })
    },
  )

  example('domain-events/person.temporary-absence-started.yaml', 'status temporary-absence, the stay goes on', async () => {
    const { parts, custody } = await handIn('domain-events/person.temporary-absence-started.yaml', 'A9111DZ')
    expect([parts, custody.left]).toEqual([['status'], undefined])
  })

  example('domain-events/probation-case.prison-identifier-added.yaml', 'the record gets the CRN', async () => {
    expect(await handIn('domain-events/probation-case.prison-identifier-added.yaml', 'A1036EA')).toMatchObject({
      parts: ['crn'],
      asked: [],
    })
  })

  example(
    'domain-events/probation-case.registration-added.yaml',
    'RHRH: nothing changed, a person asks whether Enhanced RECONNECT is right',
    async () => {
      expect(await handIn('domain-events/probation-case.registration-added.yaml', 'B1357CD', { crn: 'X777978' })).toMatchObject({
        outcome: 'unchanged',
        asked: ['hmpps-risk'],
      })
    },
  )

  example('domain-events/hmpps-domain-event.schema.json', 'what it requires is all we require', () => {
    expect(jsonOf('domain-events/hmpps-domain-event.schema.json').required).toEqual(['eventType', 'version', 'occurredAt'])
    expect(readEvent({ eventType: 'any.thing', version: 1, occurredAt: '2024-10-14T15:09:54+01:00' }, new Date())).toMatchObject({
      event: { known: false },
    })
  })

  for (const file of [
    'outbound/accredited-programmes-community.referral.status-updated.yml',
    'outbound/intervention.action-plan.approved.sns.json',
    'outbound/intervention.referral-ended.yaml',
    'outbound/intervention.referral-sent.yaml',
  ])
    example(file, 'what others tell probation: kept and acknowledged, nothing changed', async () => {
      expect(await handIn(file, 'B1357CD')).toMatchObject({ outcome: 'unknown', parts: [], asked: [] })
    })

  /** The example is what the API answers about somebody whom an event was about; @returns what the record says then. */
  async function lookedUp(answers: Partial<HmppsPerson>, noms = 'B1357CD') {
    const hmpps = hmppsDouble([{ noms, ...answers }])
    const gateway: Gateway = await openGateway({ at: '2020-01-10T09:00:00Z', hmpps: hmpps.api })
    try {
      const bundle = caseBundle({ noms, releaseDate: null })
      const stay = custodyObservation((bundle.entry ?? []).flatMap(({ resource }) => resource ?? [])) as Observation
      stay.effectivePeriod = { start: '2019-04-01' }
      await gateway.handIn(bundle)
      await gateway.looked()
      await gateway.turn('PT2H')
      const { body } = await handInEvent(gateway, notification('PERSON_STATUS_CHANGED', noms, '2020-01-10T10:00:00'))
      expect(body.fetching).toBe(true)
      await gateway.looked()
      const [patient] = (await gateway.service.find('Patient')) as Patient[]
      return {
        custody: custodyIn(custodyObservation(await gateway.service.find('Observation')) as Observation),
        numbers: patient?.identifier?.flatMap(({ value }) => value ?? []) ?? [],
        asked: (await gateway.work()).map(({ reason }) => reason).filter((reason) => reason.startsWith('hmpps')),
      }
    } finally {
      await gateway.close()
    }
  }

  example(
    'external-api/sentences-latest-key-dates-and-adjustments.json',
    'release expected on 2020-04-20, confirmed; eligibility and licence dates are not kept',
    async () => {
      const { data } = jsonOf('external-api/sentences-latest-key-dates-and-adjustments.json')
      const { custody, asked } = await lookedUp({ dates: data })
      expect(custody).toMatchObject({ releaseDate: '2020-04-20', releaseDateConfirmed: true })
      expect(asked).toEqual([])
      const dates = keyDates(data)
      expect(dates).toEqual(
        expect.arrayContaining([
          { type: 'confirmed', date: '2020-04-20', confirmed: true },
          { type: 'CRD', date: '2020-02-03' },
          { type: 'PRRD', date: '2020-04-01' },
          { type: 'MTD', date: '2019-04-02' },
          { type: 'APD', date: '2020-02-03' },
        ]),
      )
      expect(JSON.stringify(dates)).not.toMatch(/LED|HDCED|PED|TUSED|SED/)
    },
  )

  example('external-api/prisoner-base-location.json', 'in prison at MDI', async () => {
    const { custody } = await lookedUp({ dates: {}, location: jsonOf('external-api/prisoner-base-location.json').data })
    expect([custody.where, custody.establishment?.code]).toEqual(['in-prison', 'MDI'])
  })

  example('external-api/person-offender-and-probation-search.json', 'the record gets the CRN A123123', async () => {
    const whole = jsonOf('external-api/person-offender-and-probation-search.json').data
    // Its two halves have two invented days of birth: the record has neither.
    const other = await lookedUp({ dates: {}, whole }, 'G2996UX')
    expect([other.numbers.includes('A123123'), other.asked]).toEqual([false, ['hmpps-other-person']])
    whole.prisonerOffenderSearch.dateOfBirth = '1987-02-11'
    const { numbers, asked } = await lookedUp({ dates: {}, whole }, 'G2996UX')
    expect([numbers.includes('A123123'), asked]).toEqual([true, []])
  })

  for (const file of ['external-api/person-responsible-officer.json', 'external-api/risks-mappadetail.json'])
    example(file, 'never asked for, and nothing in it is taken for a date, a place or a number', () => {
      const { data } = jsonOf(file)
      expect([keyDates(data), baseLocation(data), personIn(data)]).toEqual([[], undefined, { birthDates: [], limited: false }])
    })

  test('every example there is is one of these', () => {
    expect(globSync('**/*.{json,yaml,yml}', { cwd: folder }).sort()).toEqual([...handled].sort())
  })
})
