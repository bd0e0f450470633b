import { describe, expect, test } from 'vitest'
import { bankHolidays } from '../../src/domain/bank-holidays.ts'
import {
  addWorkingDays,
  ageOn,
  daysBetween,
  daysOf,
  endOfDay,
  isWorkingDay,
  londonDate,
  releaseDayRisk,
  startOfDay,
  today,
  windows,
} from '../../src/domain/calendar.ts'

describe('the windows of a release date', () => {
  test('open 84 days before, open for a practice 28 days before, close to referrals 28 days after', () => {
    expect(windows('2026-03-20')).toEqual({
      opens: '2025-12-26',
      gpOpens: '2026-02-20',
      referralCloses: '2026-04-17',
      supportEnds: '2026-09-20',
    })
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
