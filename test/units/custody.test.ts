/**
 * Custody as a history: whatever order things are said in and however often, it ends in the same state, and nothing is believed beyond
 * what its code says.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Assertion, type CustodyState, custodyOf, type Said, sources } from '../../src/domain/custody.ts'
import { entering, leaving } from '../../src/domain/movement-reasons.ts'

const later = '2026-12-31T00:00:00.000Z'
let count = 0
const at = (hour: number, said: Said, source: Assertion['source'] = 'prison-offender-events'): Assertion => ({
  id: `a${++count}`,
  source,
  at: new Date(Date.UTC(2026, 3, 1, hour)).toISOString(),
  said,
})
const out = (hour: number, reason: string, code?: string, more: Partial<Extract<Said, { kind: 'movement' }>> = {}) =>
  at(hour, { kind: 'movement', way: 'out', reason, prison: 'HHI', ...(code ? { code } : {}), ...more })
const into = (hour: number, reason: string, code?: string, prison = 'HHI') =>
  at(hour, { kind: 'movement', way: 'in', reason, prison, ...(code ? { code } : {}) })
const quick = (one: Assertion): Assertion => ({ ...one, source: 'prisoner-search' })
const folded = (...all: Assertion[]): CustodyState => custodyOf(all, later)
const dates = (hour: number, ...list: [type: string, date?: string][]) =>
  at(hour, { kind: 'dates', dates: list.map(([type, date]) => ({ type, ...(date ? { date } : {}) })) }, 'external-api')

const said: fc.Arbitrary<Said> = fc.oneof(
  fc.record({
    kind: fc.constant('movement' as const),
    way: fc.constantFrom('in' as const, 'out' as const),
    reason: fc.constantFrom(
      'RELEASED',
      'ADMISSION',
      'TRANSFERRED',
      'SENT_TO_COURT',
      'TEMPORARY_ABSENCE_RELEASE',
      'TEMPORARY_ABSENCE_RETURN',
      'UNKNOWN',
    ),
    code: fc.constantFrom(...Object.keys(leaving), ...Object.keys(entering), 'ZZZ'),
    prison: fc.constantFrom('HHI', 'DMI', 'OUT', 'TRN'),
  }),
  fc.record({
    kind: fc.constant('found' as const),
    inPrison: fc.boolean(),
    prison: fc.constantFrom('HHI', 'LEI'),
    lastMovement: fc.constantFrom('Release', 'Court', 'Temporary Absence'),
  }),
  fc.record({
    kind: fc.constant('dates' as const),
    dates: fc.array(
      fc.record({
        type: fc.constantFrom('CRD', 'ARD', 'HDCAD', 'confirmed', 'MTD', 'LED'),
        date: fc.constantFrom('2026-05-01', '2026-05-15', '2026-06-01'),
      }),
      { maxLength: 3 },
    ),
  }),
  fc.record({ kind: fc.constant('absence' as const), state: fc.constantFrom('started' as const, 'completed' as const) }),
  fc.record({ kind: fc.constant('hospital' as const), state: fc.constantFrom('added' as const, 'removed' as const) }),
  fc.record({ kind: fc.constant('stated' as const), left: fc.constantFrom('2026-04-01', null), prison: fc.constantFrom('BNI', 'AYI') }),
)
const assertion: fc.Arbitrary<Assertion> = fc.record({
  id: fc.uuid(),
  source: fc.constantFrom(...sources),
  // Few instants, so that many fall together.
  at: fc.integer({ min: 0, max: 12 }).map((quarter) => new Date(Date.UTC(2026, 3, 1, 0, quarter * 15)).toISOString()),
  said,
})

test('any order and any repetition of a history give the same state', () => {
  fc.assert(
    fc.property(
      fc
        .array(assertion, { maxLength: 12 })
        .chain((all) =>
          fc.tuple(
            fc.constant(all),
            fc.shuffledSubarray(all, { minLength: all.length }),
            fc.subarray(all),
            fc.constantFrom('2026-04-01T01:30:00.000Z', later),
          ),
        ),
      ([all, shuffled, again, now]) => {
        expect(custodyOf([...again, ...shuffled, ...shuffled], now)).toEqual(custodyOf(all, now))
      },
    ),
    { numRuns: 500 },
  )
})

describe('leaving', () => {
  test.each(Object.entries(leaving))('code %s means what it says', (code, { means }) => {
    const state = folded(into(0, 'ADMISSION', 'I'), out(20, 'RELEASED', code))
    const where = { release: 'released', hospital: 'hospital', immigration: 'immigration', death: 'died', escape: 'at-large' }[means]
    expect(state.where).toBe(where)
    expect(state.left).toBe(means === 'release' ? '2026-04-01' : undefined)
    expect(state.doubts).toEqual([])
  })

  test('a code nobody knows is no release, no death and no escape: a person is asked', () => {
    for (const code of ['NCS', 'ZZZ', 'constructor', 'L']) {
      const state = folded(into(0, 'ADMISSION', 'I'), out(20, 'RELEASED', code))
      expect([state.where, state.left], code).toEqual(['unexplained', undefined])
      expect(state.doubts, code).toMatchObject([{ reason: 'code-unknown', code }])
    }
  })

  test('the day of a release is London’s', () => {
    const late = { ...out(0, 'RELEASED', 'CR'), at: '2026-04-01T23:30:00.000Z' }
    expect(folded(late).left).toBe('2026-04-02')
  })

  test('a release of somebody still under the prison’s care is not believed', () => {
    expect(folded(out(1, 'RELEASED', 'CR', { underCare: true }))).toMatchObject({
      where: 'unexplained',
      doubts: [{ reason: 'left-unexplained' }],
    })
  })
})

describe('temporary licence', () => {
  test('twice out and twice back: the stay goes on, no clock has begun', () => {
    const state = folded(
      into(0, 'ADMISSION', 'I'),
      out(5, 'TEMPORARY_ABSENCE_RELEASE', 'RDR'),
      into(9, 'TEMPORARY_ABSENCE_RETURN', 'RDR'),
      out(30, 'TEMPORARY_ABSENCE_RELEASE', 'ROR'),
      into(50, 'TEMPORARY_ABSENCE_RETURN', 'ROR'),
    )
    expect(state).toMatchObject({ where: 'in-prison', basis: 'sentenced', since: '2026-04-01T00:00:00.000Z', doubts: [] })
    expect(state.left).toBeUndefined()
    expect(state.absences).toHaveLength(2)
    expect(state.absences.every(({ until }) => until)).toBe(true)
  })

  test('the absence event and the movement are one absence', () => {
    const state = folded(
      into(0, 'ADMISSION', 'I'),
      at(5, { kind: 'absence', state: 'started' }, 'external-movements'),
      out(5, 'TEMPORARY_ABSENCE_RELEASE'),
    )
    expect(state.absences).toEqual([{ from: '2026-04-01T05:00:00.000Z' }])
    expect(state.where).toBe('temporary-absence')
  })
})

describe('slips and delays', () => {
  const slip = [quick(out(10, 'RELEASED')), { ...quick(into(10, 'READMISSION')), at: '2026-04-01T10:20:00.000Z' }]

  test('a release taken back within twenty minutes never was', () => {
    expect(folded(into(0, 'ADMISSION', 'I'), ...slip)).toMatchObject({ where: 'in-prison', doubts: [] })
  })

  test('what is said at once counts when nobody took it back for an hour', () => {
    const all = [into(0, 'ADMISSION', 'I'), quick(out(10, 'RELEASED'))]
    expect(custodyOf(all, '2026-04-01T10:30:00.000Z')).toMatchObject({ where: 'in-prison', settlesAt: '2026-04-01T11:00:00.000Z' })
    expect(custodyOf(all, '2026-04-01T11:00:00.000Z')).toMatchObject({ where: 'unexplained' })
  })

  test('the cautious event, fifty minutes later, explains what was said at once', () => {
    const state = folded(into(0, 'ADMISSION', 'I'), quick(out(10, 'RELEASED')), out(10, 'RELEASED', 'CR'))
    expect(state).toMatchObject({ where: 'released', left: '2026-04-01', doubts: [] })
  })

  test('a return sixty minutes later is a return', () => {
    expect(folded(quick(out(10, 'RELEASED')), quick(into(11, 'READMISSION'))).where).toBe('in-prison')
  })
})

describe('coming back', () => {
  const released = [into(0, 'ADMISSION', 'I'), dates(1, ['CRD', '2026-04-01']), out(20, 'RELEASED', 'CR')]

  test.each(Object.entries(entering).filter(([, { means }]) => means === 'recall'))(
    'admission with code %s is a recall, and its dates are not known',
    (code, { unsure }) => {
      const state = folded(...released, into(100, 'ADMISSION', code, 'DMI'))
      expect(state).toMatchObject({ where: 'in-prison', basis: 'recall', prison: 'DMI', since: into(100, '').at })
      expect([state.left, state.release]).toEqual([undefined, undefined])
      expect(state.doubts.map(({ reason }) => reason)).toEqual(unsure ? ['code-unsure'] : [])
    },
  )

  test('an admission that no code explains is no recall: a person is asked why', () => {
    const state = folded(...released, into(100, 'ADMISSION', 'ZZZ'))
    expect(state.where).toBe('in-prison')
    expect(state.basis).toBeUndefined()
    expect(state.doubts).toMatchObject([{ reason: 'code-unknown' }])
  })

  test('a look that is older than the release changes nothing', () => {
    const state = folded(...released, at(21, { kind: 'found', inPrison: true, prison: 'HHI', received: '2025-11-03' }, 'external-api'))
    expect(state).toMatchObject({ where: 'released', left: '2026-04-01' })
  })
})

describe('the API is behind what an event told', () => {
  const shown = (hour: number, received?: string) =>
    at(hour, { kind: 'found', inPrison: true, prison: 'HHI', ...(received ? { received } : {}) }, 'external-api')

  test.each([
    ['a death', 'DEC', 'died'],
    ['an escape', 'UAL', 'at-large'],
    ['a removal', 'DD', 'immigration'],
    ['a hospital', 'HO', 'hospital'],
    ['a release', 'CR', 'released'],
  ])('%s is not undone by it, also when both are of the same instant', (_, code, where) => {
    for (const hour of [20, 21])
      expect(folded(into(0, 'ADMISSION', 'I'), out(20, 'RELEASED', code), shown(hour, '2026-04-01')).where).toBe(where)
  })

  test('nobody comes back from a death, whatever is shown', () =>
    expect(folded(into(0, 'ADMISSION', 'I'), out(20, 'RELEASED', 'DEC'), shown(900)).where).toBe('died'))

  test('a later reception is another one', () =>
    expect(folded(into(0, 'ADMISSION', 'I'), out(20, 'RELEASED', 'UAL'), shown(900, '2026-05-08')).where).toBe('in-prison'))
})

test('a transfer is two movements, in whatever order they arrive', () => {
  const [gone, come] = [out(10, 'TRANSFERRED', 'INT'), into(14, 'TRANSFERRED', 'INT', 'DMI')]
  expect(folded(into(0, 'ADMISSION', 'I'), gone)).toMatchObject({ where: 'between-prisons', prison: 'HHI' })
  expect(folded(come, into(0, 'ADMISSION', 'I'), gone)).toMatchObject({
    where: 'in-prison',
    prison: 'DMI',
    stays: [
      { prison: 'HHI', until: '2026-04-01T10:00:00.000Z' },
      { prison: 'DMI', from: '2026-04-01T14:00:00.000Z' },
    ],
  })
})

test('the establishments of a stay each have their time, and the last one ends with it', () => {
  const { stays } = folded(
    into(0, 'ADMISSION', 'I'),
    out(10, 'SENT_TO_COURT'),
    into(12, 'RETURN_FROM_COURT'),
    out(20, 'TRANSFERRED', 'INT'),
    into(22, 'TRANSFERRED', 'INT', 'DMI'),
    out(40, 'RELEASED', 'CR', { prison: 'DMI' }),
    into(60, 'ADMISSION', 'L', 'DMI'),
  )
  const hours = (at: string | undefined) => at && (Date.parse(at) - Date.UTC(2026, 3, 1)) / 3_600_000
  expect(stays.map(({ prison, from, until }) => [prison, hours(from), hours(until)])).toEqual([
    ['HHI', 0, 20],
    ['DMI', 22, 40],
    ['DMI', 60, undefined],
  ])
})

describe('at large', () => {
  const escaped = [into(0, 'ADMISSION', 'I'), dates(1, ['CRD', '2026-05-15']), out(20, 'RELEASED', 'UAL')]

  test.each([
    ['recaptured', into(40, 'ADMISSION', 'RECA', 'DMI')],
    ['said at once without a code', quick(into(40, 'READMISSION', undefined, 'DMI'))],
    ['found in prison', at(40, { kind: 'found', inPrison: true, prison: 'DMI' }, 'external-api')],
  ])('%s: back in the stay that was left, whose dates no longer hold', (_, back) => {
    expect(folded(...escaped, back)).toMatchObject({
      where: 'in-prison',
      basis: 'sentenced',
      since: '2026-04-01T00:00:00.000Z',
      prison: 'DMI',
      dates: [],
      doubts: [],
    })
  })
})

describe('the release date that counts', () => {
  const best = (...all: Assertion[]) => {
    const { release } = folded(...all)
    return release && [release.type, release.date]
  }
  test('a confirmed date before all others', () =>
    expect(best(dates(1, ['CRD', '2026-06-01'], ['HDCAD', '2026-05-01'], ['confirmed', '2026-05-20']))).toEqual([
      'confirmed',
      '2026-05-20',
    ]))
  test('else the actual date of curfew or parole', () =>
    expect(best(dates(1, ['CRD', '2026-06-01'], ['HDCAD', '2026-05-01'], ['likely', '2026-06-01']))).toEqual(['HDCAD', '2026-05-01']))
  test('else the prison’s own choice, or the mid term when that is later', () => {
    expect(best(dates(1, ['CRD', '2026-06-03'], ['nonDto', '2026-06-01'], ['MTD', '2026-05-01']))).toEqual(['nonDto', '2026-06-01'])
    expect(best(dates(1, ['nonDto', '2026-06-01'], ['MTD', '2026-07-01']))).toEqual(['MTD', '2026-07-01'])
  })
  test('else the latest of the dates of the sentence', () =>
    expect(best(dates(1, ['ARD', '2026-05-01'], ['CRD', '2026-06-01'], ['PRRD', '2026-05-20']))).toEqual(['CRD', '2026-06-01']))
  test('eligibility and the end of a licence are no release', () =>
    expect(
      best(dates(1, ['PED', '2026-05-01'], ['HDCED', '2026-05-01'], ['LED', '2026-05-01'], ['SED', '2026-05-01'], ['ROTL', '2026-05-01'])),
    ).toBeUndefined())
  test('a confirmation taken back leaves what stood before', () =>
    expect(best(dates(1, ['CRD', '2026-06-01'], ['confirmed', '2026-05-20']), dates(2, ['confirmed']))).toEqual(['CRD', '2026-06-01']))
  test('whoever spoke last, of the service and the prison', () => {
    const byHand = at(5, { kind: 'dates', dates: [{ type: 'stated', date: '2026-04-10' }] }, 'service')
    expect(best(dates(1, ['CRD', '2026-06-01']), byHand)).toEqual(['stated', '2026-04-10'])
    expect(best(byHand, dates(9, ['CRD', '2026-05-30']))).toEqual(['CRD', '2026-05-30'])
    // Looking up the same date once more is no newer word.
    expect(best(dates(1, ['CRD', '2026-06-01']), byHand, dates(9, ['CRD', '2026-06-01']))).toEqual(['stated', '2026-04-10'])
  })
})
