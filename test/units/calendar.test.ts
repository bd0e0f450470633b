import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bankHolidays } from '../../src/domain/bank-holidays.ts'
import {
  addDays,
  addWorkingDays,
  ageOn,
  bankHolidaysKnownUntil,
  bankHolidaysRunOut,
  daysBetween,
  daysOf,
  earliestRelease,
  endOfDay,
  isWorkingDay,
  londonDate,
  movedForward,
  planEnd,
  type Release,
  releaseDayRisk,
  reviews,
  startOfDay,
  today,
  windows,
} from '../../src/domain/calendar.ts'

/** 2024 to 2028: the years whose bank holidays are known, with two leap years and ten changes of the clocks. */
const anyDay = fc.integer({ min: 0, max: 1_700 }).map((days) => addDays('2024-02-01', days))

describe('the windows of a release date', () => {
  test('open 84 days before, open for a practice 28 days before, close to referrals 28 days after', () => {
    expect(windows('2026-03-20')).toEqual({
      opens: '2025-12-26',
      gpOpens: '2026-02-20',
      askBy: '2026-03-06',
      engageBy: '2026-04-10',
      referralCloses: '2026-04-17',
      reviewEnd: '2026-08-23',
      supportEnds: '2026-09-20',
    })
  })
  test('an extension moves the end and the review before it; one that ends sooner than six months moves nothing', () => {
    expect(planEnd('2026-03-20')).toEqual({ reviewFrom: '2026-08-23', ends: '2026-09-20' })
    expect(planEnd('2026-03-20', '2026-12-31')).toEqual({ reviewFrom: '2026-12-03', ends: '2026-12-31' })
    expect(planEnd('2026-03-20', '2026-08-01').ends).toBe('2026-09-20')
  })
  test('somebody looks after a day, a week, three and six weeks and three months', () => {
    expect(reviews('2026-11-30').map(({ on }) => on)).toEqual(['2026-12-01', '2026-12-07', '2026-12-21', '2027-01-11', '2027-02-28'])
  })
  test('whatever the release is moved to, no window of a later release comes before that of an earlier one', () => {
    fc.assert(
      fc.property(anyDay, fc.nat(400), (day, later) => {
        const [one, other] = [windows(day), windows(addDays(day, later))]
        for (const name of Object.keys(one) as (keyof typeof one)[]) expect([name, one[name] <= other[name]]).toEqual([name, true])
        expect(reviews(day).every(({ on }, n) => on <= (reviews(addDays(day, later))[n]?.on as string))).toBe(true)
        const dates = [one.opens, one.gpOpens, one.askBy, day, one.engageBy, one.referralCloses, one.reviewEnd, one.supportEnds]
        expect(dates).toEqual([...dates].sort())
      }),
    )
  })
  test('every window begins and ends at London midnight, on the days the clocks change too', () => {
    fc.assert(
      fc.property(anyDay, (day) => {
        for (const on of Object.values(windows(day))) {
          const { instant } = startOfDay(on)
          expect(today(new Date(instant))).toBe(on)
          expect(today(new Date(Date.parse(instant) - 1))).toBe(addDays(on, -1))
          expect(endOfDay(on)).toBe(startOfDay(on, 1).instant)
        }
      }),
    )
  })
  test.each([
    ['31 August', '2026-08-31', '2027-02-28'],
    ['31 August before a leap year', '2027-08-31', '2028-02-29'],
    ['29 February', '2028-02-29', '2028-08-29'],
    ['31 December', '2026-12-31', '2027-06-30'],
  ])('released on %s, support ends six calendar months on', (_, release, ends) => {
    expect(windows(release).supportEnds).toBe(ends)
  })
  test('a date that does not exist is an error, never another date', () => {
    expect(() => windows('2026-02-29')).toThrow(RangeError)
  })
})

describe('days are London days', () => {
  test.each([
    ['in winter midnight is midnight in UTC', '2026-01-31T23:59:59Z', '2026-01-31'],
    ['in summer the day begins an hour before', '2026-06-30T23:00:00Z', '2026-07-01'],
    ['the last hour before the clocks go forward', '2026-03-29T00:59:59Z', '2026-03-29'],
    ['late on the day the clocks go forward', '2026-03-29T23:00:00Z', '2026-03-30'],
    ['late on the day they go back', '2026-10-25T23:59:59Z', '2026-10-25'],
  ])('%s', (_, now, day) => expect(today(new Date(now))).toBe(day))

  test('a day starts and ends at London midnight, also when it has 23 or 25 hours', () => {
    expect(startOfDay('2026-03-29').instant).toBe('2026-03-29T00:00:00.000Z')
    expect(endOfDay('2026-03-29')).toBe('2026-03-29T23:00:00.000Z')
    expect(startOfDay('2026-10-25').instant).toBe('2026-10-24T23:00:00.000Z')
    expect(endOfDay('2026-10-25')).toBe('2026-10-26T00:00:00.000Z')
  })
  test('a start counted from release lands on the date, whatever the clocks did between', () => {
    expect(startOfDay('2026-04-10', -28)).toEqual({ date: '2026-03-13', instant: '2026-03-13T00:00:00.000Z' })
    expect(daysBetween('2026-03-13', '2026-04-10')).toBe(28)
  })
})

describe('working days', () => {
  test.each([
    ['over a weekend', '2026-03-06', 2, '2026-03-10'],
    ['over Easter', '2026-04-02', 1, '2026-04-07'],
    ['over Christmas with a substitute day', '2026-12-24', 2, '2026-12-30'],
    ['from a Sunday', '2026-03-08', 1, '2026-03-09'],
    ['backwards over a bank holiday', '2026-05-05', -1, '2026-05-01'],
    ['none', '2026-03-08', 0, '2026-03-08'],
  ])('%s', (_, from, days, to) => expect(addWorkingDays(from, days)).toBe(to))

  test('every bank holiday in the table is a weekday and not a working day', () => {
    for (const day of bankHolidays.keys()) expect(isWorkingDay(day), day).toBe(false)
    expect([...bankHolidays.keys()].every((day) => new Date(day).getUTCDay() % 6 !== 0)).toBe(true)
  })
  test.each([
    ['2026-03-20', 'friday'],
    ['2026-12-24', 'bank-holiday-eve'],
    ['2026-04-06', 'not-a-working-day'],
    ['2026-03-21', 'not-a-working-day'],
    ['2026-03-18', undefined],
  ])('a release on %s is marked %s', (day, risk) => expect(releaseDayRisk(day)).toBe(risk))
})

describe('a release before a day off', () => {
  const friday: Release = { date: '2026-03-20', basis: 'sentenced', type: 'CRD', sentencedOn: '2025-06-11' }
  test.each<[string, Partial<Release>, ReturnType<typeof movedForward>]>([
    ['a Friday', {}, { may: true, because: 'friday', usual: '2026-03-19', earliest: '2026-03-18' }],
    ['Christmas Eve', { date: '2026-12-24' }, { may: true, because: 'bank-holiday-eve', usual: '2026-12-23', earliest: '2026-12-22' }],
    ['Maundy Thursday', { date: '2026-04-02' }, { may: true, because: 'bank-holiday-eve', usual: '2026-04-01', earliest: '2026-03-31' }],
    [
      'a Friday after a bank holiday',
      { date: '2026-05-08' },
      { may: true, because: 'friday', usual: '2026-05-07', earliest: '2026-05-06' },
    ],
    ['a Saturday', { date: '2026-03-21' }, { may: true, because: 'not-a-working-day', usual: '2026-03-19', earliest: '2026-03-18' }],
    ['a Wednesday', { date: '2026-03-18' }, { may: false, because: 'ordinary-day' }],
    ['home detention curfew', { type: 'HDCAD' }, { may: false, because: 'home-detention-curfew' }],
    ['the Parole Board', { type: 'APD' }, { may: false, because: 'parole' }],
    ['27 days served', { sentencedOn: '2026-02-21' }, { may: false, because: 'served-under-28-days' }],
    ['28 days served', { sentencedOn: '2026-02-20' }, { may: true, because: 'friday', usual: '2026-03-19', earliest: '2026-03-18' }],
    ['on remand', { basis: 'remand' }, { may: false, because: 'not-sentenced' }],
    ['in immigration detention', { basis: 'immigration-detention' }, { may: false, because: 'not-sentenced' }],
    ['a day out on licence', { basis: 'rotl' }, { may: false, because: 'not-sentenced' }],
  ])('%s', (_, about, moved) => expect(movedForward({ ...friday, ...about })).toEqual(moved))

  test('of which nothing but the date is known counts as one that may be moved', () => {
    expect(earliestRelease({ date: '2026-03-20' })).toBe('2026-03-18')
    expect(earliestRelease({ date: '2026-03-18' })).toBe('2026-03-18')
  })
  test('comes on a working day, never after its own, and at most two working days of offices before', () => {
    fc.assert(
      fc.property(anyDay, (day) => {
        const moved = movedForward({ ...friday, date: day, sentencedOn: '2023-01-01' })
        if (!moved.may) return
        expect([moved.usual, moved.earliest].every(isWorkingDay)).toBe(true)
        expect([moved.earliest, moved.usual, day]).toEqual([moved.earliest, moved.usual, day].sort())
        expect(addWorkingDays(moved.earliest, 2)).toBe(isWorkingDay(day) ? day : addWorkingDays(day, -1))
      }),
    )
  })
})

test('nobody is left to find out by themselves that the bank holidays have run out', () => {
  expect(bankHolidaysKnownUntil).toBe([...bankHolidays.keys()].at(-1)?.replace(/-\d\d-\d\d$/, '-12-31'))
  expect(bankHolidaysRunOut('2026-11-25')).toBe(false)
  expect(bankHolidaysRunOut(addDays(bankHolidaysKnownUntil, -300))).toBe(false)
  expect(bankHolidaysRunOut(addDays(bankHolidaysKnownUntil, -299))).toBe(true)
})

describe('ages', () => {
  test.each([
    ['the day before', '2008-03-20', '2026-03-19', 17],
    ['on the birthday', '2008-03-20', '2026-03-20', 18],
    ['born on a leap day, 28 February', '2008-02-29', '2026-02-28', 17],
    ['born on a leap day, 1 March', '2008-02-29', '2026-03-01', 18],
  ])('%s', (_, born, on, age) => expect(ageOn(born, on)).toBe(age))
})

describe('what a FHIR date means', () => {
  test.each([
    ['2026', { first: '2026-01-01', last: '2026-12-31' }],
    ['2028-02', { first: '2028-02-01', last: '2028-02-29' }],
    ['2026-03-20', { first: '2026-03-20', last: '2026-03-20' }],
    ['2026-06-30T23:30:00Z', { first: '2026-07-01', last: '2026-07-01' }],
    ['2026-02-30', undefined],
    ['2026-13', undefined],
    ['2026-03-20T10:00:00', undefined],
    ['soon', undefined],
    [undefined, undefined],
  ])('%s', (fhir, days) => expect(daysOf(fhir)).toEqual(days))

  test('a month is no calendar date', () => expect(londonDate('2026-03')).toBeUndefined())
})
