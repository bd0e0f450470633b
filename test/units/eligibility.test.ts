import { describe, expect, test } from 'vitest'
import type { Case, Custody } from '../../src/domain/case.ts'
import type { Service } from '../../src/domain/directory.ts'
import { type Asked, triage } from '../../src/domain/eligibility.ts'

const service: Service = { id: 'north-east', name: 'RECONNECT (test)', prisons: ['DMI'], homeAreas: [], enhanced: true }
const source = { ref: 'Observation/1', categories: ['release'], confidentiality: 'N' } as const

/** A person a service can help, referred on 2 March 2026, but for what is said. */
const asked = (
  change: { person?: object; custody?: Partial<Custody> | null; reasons?: Case['needs'][number]['code'][] } = {},
  rest: Partial<Asked> = {},
): Asked => ({
  case: {
    person: { id: 'p', family: 'Ashgrove', birthDate: '1988-11-02', ...change.person },
    personSource: { ref: 'Patient/p', categories: [], confidentiality: 'N' },
    ...(change.custody === null
      ? {}
      : { custody: { ...source, establishment: { code: 'DMI' }, basis: 'sentenced', releaseDate: '2026-03-20', ...change.custody } }),
    referral: { id: 'r', status: 'active', reasons: change.reasons ?? [{ coding: [{ code: 'mental-health' }] }] },
    needs: [],
    medications: [],
    allergies: [],
    flags: [],
    findings: [],
    meetings: [],
  },
  service,
  today: '2026-03-02',
  ...rest,
})
const without = (key: keyof Custody): Partial<Custody> => ({ [key]: undefined })
const asks = (one: Asked) => triage(one).asks.map(({ code }) => code)

test('whoever is known to be eligible is accepted', () => {
  expect(triage(asked())).toMatchObject({ outcome: 'accepted', asks: [] })
})

describe('E1: 18 or over, when referred or when released', () => {
  test.each([
    ['18 on the day of referral', '2008-03-02', 'accepted'],
    ['17 when referred, 18 on the day of release', '2008-03-20', 'accepted'],
    ['18 the day after release', '2008-03-21', 'redirected'],
    ['certainly under 18, though only the year is known', '2009', 'redirected'],
    ['certainly an adult, though only the year is known', '2000', 'accepted'],
    ['maybe an adult', '2008', 'needs-information'],
    ['born tomorrow', '2026-03-03', 'needs-information'],
    ['not known', undefined, 'needs-information'],
    ['no date at all', '1990-02-31', 'needs-information'],
  ])('%s: %s is %s', (_, birthDate, outcome) => expect(triage(asked({ person: { birthDate } })).outcome).toBe(outcome))

  test('a minor with no release date is asked for the date, also on remand', () => {
    expect(asks(asked({ person: { birthDate: '2009-01-01' }, custody: { basis: 'remand', ...without('releaseDate') } }))).toEqual([
      'release-date',
    ])
  })
})

describe('E2: leaving an establishment this service covers', () => {
  test.each([
    ['one of its own, in small letters', { establishment: { code: 'dmi' } }, 'accepted'],
    ['another', { establishment: { code: 'WII' } }, 'redirected'],
    ['known by name only', { establishment: { name: 'HMP Durham' } }, 'needs-information'],
    ['not known', without('establishment'), 'needs-information'],
  ] as [string, Partial<Custody>, string][])('%s', (_, custody, outcome) => expect(triage(asked({ custody })).outcome).toBe(outcome))
})

describe('E3: a health need', () => {
  const text = [{ text: 'I get confused' }]
  test.each([
    ['none', [], undefined, 'needs-information'],
    ['in words only, by an agency', text, 'police', 'needs-information'],
    ['in words only, by the person', text, 'self', 'accepted'],
    ['in words only, by the family', text, 'friend-family', 'accepted'],
    ['an empty reason, by the person', [{}], 'self', 'needs-information'],
  ] as const)('%s', (_, reasons, referrerType, outcome) => {
    expect(triage(asked({ reasons: [...reasons] }, referrerType ? { referrerType } : {})).outcome).toBe(outcome)
  })
  test('a coded need on the record is one, when the referral names none', () => {
    const one = asked({ reasons: [] })
    one.case.needs.push({ ...source, code: { coding: [{ code: 'dental' }] } })
    expect(triage(one).outcome).toBe('accepted')
  })
})

describe('E5: whatever they are held for', () => {
  test.each(['sentenced', 'remand', 'recall', 'rotl', 'immigration-detention'] as const)('%s', (basis) => {
    expect(triage(asked({ custody: { basis } })).outcome).toBe('accepted')
  })
  test.each([
    ['remand', 'accepted'],
    ['immigration-detention', 'accepted'],
    ['sentenced', 'needs-information'],
    ['recall', 'needs-information'],
    [undefined, 'needs-information'],
  ] as const)('%s with no release date: %s', (basis, outcome) => {
    expect(triage(asked({ custody: { basis: basis as never, ...without('releaseDate') } })).outcome).toBe(outcome)
  })
})

describe('E6: a home outside England is said, not refused', () => {
  test.each(['ZZ99 3GZ', 'zz991wz'])('%s', (postalCode) => {
    const verdict = triage(asked({ person: { address: { postalCode } } }))
    expect([verdict.outcome, verdict.reasons.map(({ code }) => code)]).toEqual(['accepted', ['eligible', 'outside-england']])
  })
})

describe('T1 and T2: from 84 days before release to 28 days after', () => {
  test.each([
    ['2026-03-20', '2025-12-25', 'held'],
    ['2026-03-20', '2025-12-26', 'accepted'],
    ['2026-03-20', '2026-03-20', 'accepted'],
    ['2026-03-20', '2026-04-17', 'accepted'],
    ['2026-03-20', '2026-04-18', 'declined'],
  ])('released on %s, referred on %s: %s', (releaseDate, today, outcome) =>
    expect(triage(asked({ custody: { releaseDate } }, { today })).outcome).toBe(outcome),
  )

  test('held says on which day it is looked at again', () => {
    expect(triage(asked({}, { today: '2025-12-01' }))).toMatchObject({ outcome: 'held', wakeOn: '2025-12-26', asks: [] })
  })
  test('the day of the referral counts, not the day it is looked at', () => {
    expect(triage(asked({}, { referredOn: '2026-04-17', today: '2026-04-25' })).outcome).toBe('accepted')
  })
  test('the day the person left counts before the day it was expected', () => {
    expect(triage(asked({ custody: { left: '2026-01-10' } })).outcome).toBe('declined')
  })
})

describe('T5: on temporary licence the final release counts', () => {
  test('a day out starts no clock', () => {
    expect(triage(asked({ custody: { basis: 'rotl', left: '2026-01-10' } })).outcome).toBe('accepted')
    expect(triage(asked({ custody: { basis: 'rotl', left: '2026-02-28', releaseDate: '2026-09-01' } }))).toMatchObject({
      outcome: 'held',
      wakeOn: '2026-06-09',
    })
  })
})

describe('no wrong door', () => {
  test('everything missing is asked for at once, and nothing is declined', () => {
    const verdict = triage(asked({ person: { birthDate: undefined }, custody: null, reasons: [] }, { nhsNumberUntraced: true }))
    expect(verdict.outcome).toBe('needs-information')
    expect(verdict.asks.map(({ code }) => code)).toEqual(['birth-date', 'nhs-number', 'establishment', 'release-date', 'need'])
    expect(verdict.asks.every(({ words }) => words.endsWith('.') || words.endsWith('?'))).toBe(true)
  })
  test('an NHS number that could not be checked is asked about, unless another could', () => {
    expect(triage(asked({}, { nhsNumberUntraced: true })).reasons).toEqual([
      { code: 'nhs-number-not-known', words: 'The NHS number could not be checked.' },
    ])
    expect(triage(asked({ person: { nhsNumber: '9990000379' } }, { nhsNumberUntraced: true })).outcome).toBe('accepted')
  })
  test.each([
    ['under 18', asked({ person: { birthDate: '2010-01-01' } })],
    ['released long ago', asked({ custody: { releaseDate: '2025-12-01' } })],
    ['elsewhere', asked({ custody: { establishment: { code: 'WII' } } })],
    ['died', asked({ person: { died: true } })],
  ])('whoever is turned away is told where to turn, and nothing about anybody: %s', (_, one) => {
    const verdict = triage(one)
    expect(['redirected', 'declined']).toContain(verdict.outcome)
    expect(verdict.signpost).toMatch(/\w/)
    expect(JSON.stringify(verdict)).not.toMatch(/Ashgrove|1988|2010/)
  })
})
